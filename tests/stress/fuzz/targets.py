"""One function for each parser: takes junk, and raises if the server does what it must not.

It must not: let an exception go, say `internal`, take more than a second, or write what its own
protocol forbids. A target is made anew after some inputs, so that no input depends on many before.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from gtchat.chat.limits import Limits
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.livechat import LiveChatFactory
from gtchat.protocols.message_center import MessageCenter, MessageCenterFactory, framed
from gtchat.protocols.pa1 import PA1, PA1Factory
from gtchat.protocols.randomchat import ProtocolNegotiator, RandomChatState
from gtchat.protocols.websocket import build_factory, text_frame
from gtchat.server.config import SettingsError, format_settings, load
from gtchat.web.site import build_site
from tests.fakes import TestServer
from tests.protocols.websocket.fakes import TestFactory, frame, handshake

PEER = IPv4Address("TCP", "192.0.2.7", 40_000)
#: Seconds for one input.
LONGEST = 1.0
#: Stands in junk for what only the server knows: a token, a session's id.
SECRET = b"SECRET"


class Fault(Exception):
    """The server did what it must not."""


@contextmanager
def watching() -> Iterator[None]:
    """Whatever is logged as a failure or an error is a fault, and so is more than a second."""
    faults: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            faults.append(event["log_failure"].getTraceback())
        elif event["log_level"] >= LogLevel.error:
            faults.append(str(event.get("log_format")))

    globalLogPublisher.addObserver(observe)
    began = time.monotonic()
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)
    if faults:
        raise Fault(faults[0])
    if time.monotonic() - began > LONGEST:
        raise Fault(f"{time.monotonic() - began:.1f} s")


class Transport(StringTransport):
    """A connection of a client; it reads all."""

    connected = True

    def __init__(self) -> None:
        super().__init__(peerAddress=PEER)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """As TCP has it."""

    def abortConnection(self) -> None:
        self.disconnecting = True


def deliver(protocol: Any, transport: Transport, chunks: list[bytes], turn: Any) -> None:
    """Give a protocol what a client sends, then end the connection."""
    protocol.makeConnection(transport)
    for chunk in chunks:
        if transport.disconnecting:
            break
        if chunk:
            protocol.dataReceived(chunk)
        turn()
    if transport.producer is not None:
        transport.producer.stopProducing()  # as Twisted's connections do
    protocol.connectionLost(Failure(ConnectionDone()))
    turn()


class Target:
    """A parser. Subclasses say how it is made and fed."""

    #: Inputs between two fresh ones.
    lasts = 200

    def __init__(self) -> None:
        self._left = 0

    def __call__(self, chunks: list[bytes]) -> None:
        """Feed it.

        Raises:
            Fault: the server did what it must not. Anything else: it let an exception go.
        """
        if self._left == 0:
            self._left = self.lasts
            self.begin()
        self._left -= 1
        try:
            with watching():
                self.feed(chunks)
        except BaseException:
            self._left = 0
            raise

    def begin(self) -> None:
        """Make it anew."""

    def feed(self, chunks: list[bytes]) -> None:
        """Feed it."""
        raise NotImplementedError


class Chat(Target):
    """A target with a chat behind it: ann and bob are registered, eve is here on the web."""

    def begin(self) -> None:
        self.reactor = MemoryReactorClock()
        limits = Limits(
            commands_per_second=0,
            registrations_per_minute=0,
            failed_logins_per_minute=0,
            lockout_tries=0,
        )
        self.world = TestServer(limits, clock=self.reactor, broadcast_key="key")
        self.web = self.world.connect()
        for name in ("ann", "bob", "eve"):
            self.web.call("register", usr=name, pwd="password")
        self.web.login("eve", pwd="password")
        self.web.call("create_room", room_name="nest")

    def turn(self) -> None:
        """Let everything be done, and clients be called back in vain."""
        for _ in range(5):
            self.reactor.advance(0.02)
            for _, _, factory, *_ in self.reactor.tcpClients:
                protocol = factory.buildProtocol(None)
                transport = Transport()
                protocol.makeConnection(transport)
                self.reactor.advance(0.2)
                if not transport.disconnecting:
                    protocol.dataReceived(b"Y")
                protocol.connectionLost(None)
            self.reactor.tcpClients.clear()
        self.web.received()


class JSON(Chat):
    """Messages of the JSON API, to a session that is in; each chunk is one."""

    def feed(self, chunks: list[bytes]) -> None:
        line = self.world.connect()
        line.login("ann", pwd="password")
        token = self.world.chat.epoch.encode()
        for chunk in chunks:
            if line.closed is not None:
                break
            line.raw(chunk.replace(SECRET, token))
        for reply in line.received():
            if reply.get("code") == "internal":
                raise Fault(f"internal: {reply}")
        if line.closed is None:
            line.drop()
        self.reactor.advance(0.1)
        self.web.received()


class Random(Chat):
    """Messages of RandomChat, the first of which picks the protocol; each chunk is one."""

    def begin(self) -> None:
        super().begin()
        turn = WriteBatcher(self.reactor, 0, 0)
        chat, seconds = self.world.chat, self.reactor.seconds
        self.house = RandomChatState(chat, turn, text_frame, seconds, self.world.store)
        limits = Limits()
        self.factory = build_factory(
            self.reactor,
            turn,
            limits,
            lambda connection: ProtocolNegotiator(connection, lambda one: Deaf(), self.house),  # type: ignore[arg-type]
        )

    def feed(self, chunks: list[bytes]) -> None:
        transport = Transport()
        protocol = self.factory.buildProtocol(PEER)
        assert protocol is not None
        protocol.makeConnection(transport)
        protocol.dataReceived(handshake())
        for chunk in chunks:
            self.turn()
            if transport.disconnecting:
                break
            protocol.dataReceived(frame(chunk))
        self.turn()
        protocol.connectionLost(None)  # type: ignore[arg-type]
        self.turn()


class Deaf:
    """In the place of the JSON API."""

    logged_in = True

    def message(self, payload: bytes) -> None:
        """Not heard."""

    def connection_lost(self, clean: bool) -> None:
        """Nothing to end."""


class Center(Chat):
    """Connections of Message Center; SECRET is the token of ann, who is in."""

    def begin(self) -> None:
        super().begin()
        self.house = MessageCenter(self.world.chat, self.reactor, lambda: ())
        self.factory = MessageCenterFactory(self.house)

    def feed(self, chunks: list[bytes]) -> None:
        if not self.house.by_token:
            login = [framed(body) for body in ("LIN", "ann", "password", "x", "6067")]
            deliver(self.factory.buildProtocol(None), Transport(), login, self.turn)
        token = next(iter(self.house.by_token)).encode()
        # As long as its frame says: that of the token is as long as that of its stand-in.
        data = b"\0".join(chunks)
        if SECRET in data:
            framed_part = data[4:].replace(SECRET, token)
            chunks = [len(framed_part).to_bytes(4, "big") + framed_part]
        deliver(self.factory.buildProtocol(None), Transport(), chunks, self.turn)


class Old(Chat):
    """Connections of PA1; ann is in, from the same address."""

    def begin(self) -> None:
        super().begin()
        self.house = PA1(self.world.chat, self.reactor, lambda: ())
        self.factory = PA1Factory(self.house)

    def feed(self, chunks: list[bytes]) -> None:
        if "ann" not in self.house.by_key:
            login = [b"logIn ann password 6067"]
            deliver(self.factory.buildProtocol(None), Transport(), login, self.turn)
        deliver(self.factory.buildProtocol(None), Transport(), chunks, self.turn)


class Live(Chat):
    """Connections of Live chat."""

    def begin(self) -> None:
        super().begin()
        self.factory = LiveChatFactory(self.world.chat, self.reactor)

    def feed(self, chunks: list[bytes]) -> None:
        deliver(self.factory.buildProtocol(PEER), Transport(), chunks, self.turn)


class Frames(Target):
    """Bytes behind an opening handshake."""

    opened = True

    def begin(self) -> None:
        self.house = TestFactory()

    def feed(self, chunks: list[bytes]) -> None:
        wire = self.house.open() if self.opened else self.house.connect()
        for chunk in chunks:
            if wire.transport.disconnecting:
                break
            if chunk:
                wire.protocol.dataReceived(chunk)
            self.house.clock.advance(0)
        for _ in range(100):
            self.house.clock.advance(0)
        if self.opened:
            wire.frames()  # what we wrote are whole frames
        elif wire.transport.written and not wire.transport.written.startswith(b"HTTP/1.1 "):
            raise Fault(f"no answer: {wire.transport.written[:80]!r}")
        wire.lose()
        self.house.apis.clear()


class Handshake(Frames):
    """Bytes of an opening handshake."""

    opened = False


class Site(Target):
    """Bytes on the web port."""

    lasts = 1000

    def begin(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="gtchat-fuzz-"))
        (folder / "client.html").write_text("<p>the page")
        (folder / "js").mkdir()
        (folder / "js" / "app.js").write_text("code()")
        self.reactor = MemoryReactorClock()
        house = TestFactory()
        self.site = build_site(folder, house.factory, lambda: True, self.reactor)

    def feed(self, chunks: list[bytes]) -> None:
        transport = Transport()
        protocol = self.site.buildProtocol(PEER)
        deliver(protocol, transport, chunks, lambda: self.reactor.advance(0))
        written = transport.value()
        if written and not written.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")):
            raise Fault(f"no answer: {written[:80]!r}")
        if b" 500 " in written.split(b"\r\n")[0]:
            raise Fault("500")


class Config(Target):
    """Settings: a file, or words for one setting each (`key=value`), as in the environment."""

    def begin(self) -> None:
        self.file = Path(tempfile.mkdtemp(prefix="gtchat-fuzz-")) / "gtchat.toml"

    def feed(self, chunks: list[bytes]) -> None:
        self.file.write_bytes(b"".join(chunks))
        self._load({}, str(self.file))
        for chunk in chunks:
            key, _, value = chunk.decode("utf-8", "surrogateescape").partition("=")
            self._load({f"GTCHAT_{key.strip().upper()}": value.strip()}, None)

    def _load(self, environment: dict[str, str], config: str | None) -> None:
        try:
            format_settings(load({}, environment, config))
        except SettingsError as error:
            if "\n" in str(error):
                raise Fault(f"more than a line: {error}") from error


TARGETS: dict[str, Callable[[], Target]] = {
    "json": JSON,
    "randomchat": Random,
    "message_center": Center,
    "pa1": Old,
    "livechat": Live,
    "frames": Frames,
    "handshake": Handshake,
    "site": Site,
    "config": Config,
}


def cut(data: bytes) -> list[bytes]:
    """Bytes in pieces: the first byte says into how many, as many bytes behind it say where."""
    if not data:
        return []
    many = data[0] % 6
    places, rest = data[1 : 1 + many], data[1 + many :]
    ends = sorted(place * len(rest) // 255 for place in places)
    return [rest[a:b] for a, b in zip([0, *ends], [*ends, len(rest)], strict=True)]


def words(data: bytes) -> list[bytes]:
    """Bytes as messages of their own, which stand behind each other with NUL between."""
    return data.split(b"\0")


#: How one input becomes chunks, where they are messages rather than pieces.
CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "json": words,
    "randomchat": words,
    "config": lambda data: data.split(b"\n"),
}


def dumped(thing: object) -> bytes:
    """JSON."""
    return json.dumps(thing).encode()
