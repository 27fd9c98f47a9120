"""One callable for each parser: takes an input, and raises if the server violates a requirement.

The server must not let an exception escape, reply `internal`, take more than a second, or write
what its own protocol forbids. A target is set up again after some inputs, so that no input depends
on many earlier ones.
"""

from __future__ import annotations

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
from gtchat.protocols.base.callback_rules import CallbackRules
from gtchat.protocols.base.dialback_server import DialbackFactory
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.livechat import LiveChatFactory
from gtchat.protocols.message_center import MessageCenter, framed
from gtchat.protocols.pa1 import PA1
from gtchat.protocols.randomchat import ProtocolNegotiator, RandomChatState
from gtchat.protocols.websocket import build_factory, text_frame
from gtchat.server.config import load
from gtchat.server.settings import SettingsError
from gtchat.server.settings_file import format_settings
from gtchat.web.site import build_site
from tests.fakes import TestServer
from tests.protocols.websocket.fakes import TestFactory, frame, handshake

PEER = IPv4Address("TCP", "192.0.2.7", 40_000)
#: Maximum seconds for one input.
MAX_SECONDS = 1.0
#: Placeholder in an input for a value of the server: a token, the id of a session.
SECRET = b"SECRET"


class Violation(Exception):
    """The server violated a requirement."""


@contextmanager
def watching() -> Iterator[None]:
    """Watch the server while it handles an input.

    Raises:
        Violation: a failure or an error was logged, or it took more than `MAX_SECONDS`.
    """
    violations: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            violations.append(event["log_failure"].getTraceback())
        elif event["log_level"] >= LogLevel.error:
            violations.append(str(event.get("log_format")))

    globalLogPublisher.addObserver(observe)
    began = time.monotonic()
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)
    if violations:
        raise Violation(violations[0])
    if time.monotonic() - began > MAX_SECONDS:
        raise Violation(f"{time.monotonic() - began:.1f} s")


class Transport(StringTransport):
    """A connection of a client that reads everything."""

    connected = True

    def __init__(self) -> None:
        super().__init__(peerAddress=PEER)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing, as a transport of TCP in memory."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Do nothing, as a transport of TCP in memory."""

    def getHandle(self) -> Transport:
        """Return a socket, whose options do not matter."""
        return self

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Do nothing, as a socket in memory."""

    def loseWriteConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = True


def deliver(protocol: Any, transport: Transport, chunks: list[bytes], turn: Any) -> None:
    """Deliver the data of a client to a protocol, then end the connection.

    Args:
        protocol: a Twisted protocol.
        transport: its connection.
        chunks: what the client sends, one read each.
        turn: runs the pending calls of the reactor.
    """
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
    """A parser. Subclasses define how it is set up and fed."""

    #: Inputs until it is set up again.
    lifetime = 200

    def __init__(self) -> None:
        self._left = 0

    def __call__(self, chunks: list[bytes]) -> None:
        """Feed one input.

        Raises:
            Violation: the server violated a requirement.
            any other exception: the server let it escape.
        """
        if self._left == 0:
            self._left = self.lifetime
            self.begin()
        self._left -= 1
        try:
            with watching():
                self.feed(chunks)
        except BaseException:
            self._left = 0
            raise

    def begin(self) -> None:
        """Set it up."""

    def feed(self, chunks: list[bytes]) -> None:
        """Feed one input, as chunks."""
        raise NotImplementedError


class Chat(Target):
    """A target with a chat: ann and bob are registered, eve is logged in on the JSON API."""

    def begin(self) -> None:
        self.reactor = MemoryReactorClock()
        limits = Limits(
            commands_per_second=0,
            registrations_per_minute=0,
            failed_logins_per_minute=0,
            lockout_tries=0,
            daily_bytes_account=0,
            daily_bytes_guest=0,
            daily_bytes_guests_address=0,
        )
        self.server = TestServer(limits, clock=self.reactor, broadcast_key="key")
        self.web = self.server.connect()
        for name in ("ann", "bob", "eve"):
            self.web.call("register", usr=name, pwd="password")
        self.web.login("eve", pwd="password")
        self.web.call("create_room", room_name="room")

    def turn(self) -> None:
        """Run the pending calls, and let connections to clients of the old protocols end early."""
        for _ in range(5):
            self.reactor.advance(0.02)
            for _, _, factory, *_ in self.reactor.tcpClients:
                protocol = factory.buildProtocol(None)
                transport = Transport()
                protocol.makeConnection(transport)
                self.reactor.advance(0.2)
                if transport.disconnecting:
                    protocol.writeConnectionLost()
                    protocol.readConnectionLost()
                else:
                    protocol.dataReceived(b"Y")
                protocol.connectionLost(None)
            self.reactor.tcpClients.clear()
        self.web.received()


class JSON(Chat):
    """Messages of the JSON API to a logged-in session; each chunk is one."""

    def feed(self, chunks: list[bytes]) -> None:
        client = self.server.connect()
        client.login("ann", pwd="password")
        token = self.server.chat.epoch.encode()
        for chunk in chunks:
            if client.closed is not None:
                break
            client.raw(chunk.replace(SECRET, token))
        for reply in client.received():
            if reply.get("code") == "internal":
                raise Violation(f"internal: {reply}")
        if client.closed is None:
            client.drop()
        self.reactor.advance(0.1)
        self.web.received()


class RandomChat(Chat):
    """Messages of RandomChat, the first of which selects the protocol; each chunk is one."""

    def begin(self) -> None:
        super().begin()
        turn = WriteBatcher(self.reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))
        self.state = RandomChatState(self.server.chat, turn, text_frame)
        limits = Limits()
        self.factory = build_factory(
            self.reactor,
            turn,
            limits,
            lambda connection: ProtocolNegotiator(
                connection, lambda one: IgnoringAPI(), self.state
            ),  # type: ignore[arg-type]
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


class IgnoringAPI:
    """Takes the place of the JSON API, and ignores everything."""

    logged_in = True

    def message(self, payload: bytes) -> None:
        """Ignore a message."""

    def ping_sent(self) -> None:
        """Ignore a ping."""

    def pong_received(self) -> None:
        """Ignore a pong."""

    def connection_lost(self, clean: bool, arrived: bool = False) -> None:
        """Ignore the end of the connection."""


#: Clients are called wherever they are.
RULES = CallbackRules(is_host=lambda address: False)


class MessageCenterTarget(Chat):
    """Connections of Message Center; SECRET is the token of ann, who is logged in."""

    def begin(self) -> None:
        super().begin()
        self.center = MessageCenter(self.server.chat, self.reactor, RULES)
        self.factory = DialbackFactory(self.center)

    def feed(self, chunks: list[bytes]) -> None:
        if not self.center.by_key:
            login = [framed(body) for body in ("LIN", "ann", "password", "x", "6067")]
            deliver(self.factory.buildProtocol(None), Transport(), login, self.turn)
        token = next(iter(self.center.by_key)).encode()
        # Adjust the length in the frame: the token is longer than its placeholder.
        data = b"\0".join(chunks)
        if SECRET in data:
            framed_part = data[4:].replace(SECRET, token)
            chunks = [len(framed_part).to_bytes(4, "big") + framed_part]
        deliver(self.factory.buildProtocol(None), Transport(), chunks, self.turn)


class PA1Target(Chat):
    """Connections of PA1; ann is logged in, from the same address."""

    def begin(self) -> None:
        super().begin()
        self.pa1 = PA1(self.server.chat, self.reactor, RULES)
        self.factory = DialbackFactory(self.pa1)

    def feed(self, chunks: list[bytes]) -> None:
        if "ann" not in self.pa1.by_key:
            login = [b"logIn ann password 6067"]
            deliver(self.factory.buildProtocol(None), Transport(), login, self.turn)
        deliver(self.factory.buildProtocol(None), Transport(), chunks, self.turn)


class LiveChat(Chat):
    """Connections of Live chat."""

    def begin(self) -> None:
        super().begin()
        self.factory = LiveChatFactory(self.server.chat, self.reactor)

    def feed(self, chunks: list[bytes]) -> None:
        deliver(self.factory.buildProtocol(PEER), Transport(), chunks, self.turn)


class Frames(Target):
    """Bytes after the opening handshake of a WebSocket."""

    opened = True

    def begin(self) -> None:
        self.sockets = TestFactory()

    def feed(self, chunks: list[bytes]) -> None:
        client = self.sockets.open() if self.opened else self.sockets.connect()
        for chunk in chunks:
            if client.transport.disconnecting:
                break
            if chunk:
                client.protocol.dataReceived(chunk)
            self.sockets.clock.advance(0)
        for _ in range(100):
            self.sockets.clock.advance(0)
        if self.opened:
            client.frames()  # raises unless all that was written is complete frames
        elif client.transport.written and not client.transport.written.startswith(b"HTTP/1.1 "):
            raise Violation(f"no answer: {client.transport.written[:80]!r}")
        client.lose()
        self.sockets.apis.clear()


class Handshake(Frames):
    """Bytes of an opening handshake."""

    opened = False


class Site(Target):
    """Bytes on the web port."""

    lifetime = 1000

    def begin(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="gtchat-fuzz-"))
        (folder / "client.html").write_text("<p>the page")
        (folder / "js").mkdir()
        (folder / "js" / "app.js").write_text("code()")
        self.reactor = MemoryReactorClock()
        sockets = TestFactory()
        self.site = build_site(folder, sockets.factory, lambda: "ok", self.reactor)

    def feed(self, chunks: list[bytes]) -> None:
        transport = Transport()
        protocol = self.site.buildProtocol(PEER)
        deliver(protocol, transport, chunks, lambda: self.reactor.advance(0))
        written = transport.value()
        if written and not written.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")):
            raise Violation(f"no answer: {written[:80]!r}")
        if b" 500 " in written.split(b"\r\n")[0]:
            raise Violation("500")


class Config(Target):
    """Settings: as a file, and each line (`key=value`) as a variable of the environment."""

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
                raise Violation(f"more than one line: {error}") from error


TARGETS: dict[str, Callable[[], Target]] = {
    "json": JSON,
    "randomchat": RandomChat,
    "message_center": MessageCenterTarget,
    "pa1": PA1Target,
    "livechat": LiveChat,
    "frames": Frames,
    "handshake": Handshake,
    "site": Site,
    "config": Config,
}
