"""A WebSocket connection of ours in memory, and a client's frames for it (RFC 6455)."""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Origins, Proxies
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.websocket import ChatFactory, ChatProtocol, build_factory

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x12\x34\x56\x78"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Transport:
    """A transport that keeps what is written; `full` makes it take no more."""

    def __init__(self, host: str) -> None:
        self.written = b""
        self.host = host
        self.producer: Any = None
        self.reading = True
        self.disconnecting = False
        self.aborted = False

    def write(self, data: bytes) -> None:
        if not self.disconnecting:
            self.written += data

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.host, 40_000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 9000)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = self.aborted = True


class Listener:
    """An API that keeps what it hears."""

    def __init__(self, connection: ChatProtocol) -> None:
        self.connection = connection
        self.logged_in = False
        self.heard: list[bytes] = []
        self.lost: bool | None = None

    def message(self, payload: bytes) -> None:
        if payload == b"fail":
            raise RuntimeError("a bug")
        self.heard.append(payload)

    def connection_lost(self, clean: bool) -> None:
        self.lost = clean


class TestFactory:
    """A factory with its clock."""

    def __init__(
        self,
        limits: Limits | None = None,
        origins: Origins | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self.clock = Clock()
        self.limits = limits or Limits()
        self.turn = WriteBatcher(
            self.clock, self.limits.outbox_bytes, self.limits.unsent_bytes_total
        )
        self.apis: list[Listener] = []
        self.factory: ChatFactory = build_factory(
            self.clock, self.turn, self.limits, self._build, origins=origins, proxies=proxies
        )

    def _build(self, connection: ChatProtocol) -> Listener:
        self.apis.append(Listener(connection))
        return self.apis[-1]

    def connect(self, host: str = "192.0.2.1") -> FakeSocket:
        """A TCP connection that has said nothing yet."""
        return FakeSocket(self, host)

    def open(self, host: str = "192.0.2.1") -> FakeSocket:
        """A WebSocket that is open."""
        wire = self.connect(host)
        wire.receive(handshake())
        assert wire.status() == 101, wire.transport.written
        wire.transport.written = b""
        return wire

    def run_pending(self) -> None:
        """Let everything be done that needs no time."""
        for _ in range(200):
            self.clock.advance(0)


class FakeSocket:
    """One connection as its client sees it."""

    def __init__(self, house: TestFactory, host: str) -> None:
        self.house = house
        self.transport = Transport(host)
        self.protocol: Any = house.factory.buildProtocol(self.transport.getPeer())
        self.protocol.makeConnection(self.transport)

    def receive(self, data: bytes) -> None:
        """Bytes come from the client."""
        self.protocol.dataReceived(data)
        self.house.run_pending()

    def status(self) -> int:
        """Status code of the handshake's answer, 0 as long as there is none."""
        return int(self.transport.written[9:12] or 0)

    @property
    def api(self) -> Listener:
        """What hears this connection's messages."""
        return next(api for api in self.house.apis if api.connection is self.protocol)

    def lose(self) -> None:
        """The TCP connection is gone."""
        self.protocol.connectionLost(None)

    def frames(self) -> list[tuple[int, bytes]]:
        """Opcode and payload of the frames that were written."""
        data, found = self.transport.written, []
        while data:
            size, head = data[1], 2
            if size == 126:
                size, head = struct.unpack("!H", data[2:4])[0], 4
            elif size == 127:
                size, head = struct.unpack("!Q", data[2:10])[0], 10
            found.append((data[0] & 15, data[head : head + size]))
            data = data[head + size :]
        return found

    def close_code(self) -> int | None:
        """The code that we closed with, if we did."""
        for opcode, payload in self.frames():
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0]) if payload else 1005
        return None


def handshake(**headers: str) -> bytes:
    """An opening handshake; a header set to "" is left out."""
    path = headers.pop("path", "/")
    lines = {
        "Host": "chat.example:9000",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY.decode(),
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    final: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """A client's frame. length: what the header says, where that is not so."""
    size = len(payload) if length is None else length
    head = bytes([(128 if final else 0) | rsv << 4 | opcode])
    flag = 128 if masked else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 65_536:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))
