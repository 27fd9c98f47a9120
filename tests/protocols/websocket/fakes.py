"""A WebSocket connection in memory, and the frames of its client (RFC 6455 section 5.2)."""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Origins, Proxies
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.websocket import ChatFactory, ChatProtocol, build_factory

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x12\x34\x56\x78"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class FakeTransport:
    """A transport that records what is written.

    Attributes:
        written: bytes written since the test cleared them.
        producer: the producer that is registered.
        reading: whether the protocol wants to receive bytes.
        disconnecting: whether it was closed or aborted.
        aborted: whether it was aborted.
    """

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


class RecordingAPI:
    """An API that records its messages.

    Attributes:
        received: payloads of the messages.
        clean, arrived: arguments of `connection_lost`, None before it was called.
        ended: what that returns.
        proofs: `ping` and `pong` for each call of `ping_sent` and `pong_received`.
    """

    def __init__(self, connection: ChatProtocol) -> None:
        self.connection = connection
        self.logged_in = False
        self.received: list[bytes] = []
        self.clean: bool | None = None
        self.arrived: bool | None = None
        self.ended: Deferred[None] | None = None
        self.proofs: list[str] = []

    def message(self, payload: bytes) -> None:
        """Record a message. Raise RuntimeError if it is `fail`."""
        if payload == b"fail":
            raise RuntimeError("a bug")
        self.received.append(payload)

    def connection_lost(self, clean: bool, arrived: bool = False) -> Deferred[None] | None:
        self.clean, self.arrived = clean, arrived
        return self.ended

    def ping_sent(self) -> None:
        self.proofs.append("ping")

    def pong_received(self) -> None:
        self.proofs.append("pong")


class TestFactory:
    """A factory with a clock of its own, and the APIs that it built."""

    def __init__(
        self,
        limits: Limits | None = None,
        origins: Origins | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self.clock = Clock()
        self.limits = limits or Limits()
        self.batcher = WriteBatcher(self.clock, self.limits)
        self.apis: list[RecordingAPI] = []
        self.factory: ChatFactory = build_factory(
            self.clock,
            self.batcher,
            self.limits,
            self._build_api,
            origins=origins,
            proxies=proxies,
        )

    def _build_api(self, connection: ChatProtocol) -> RecordingAPI:
        self.apis.append(RecordingAPI(connection))
        return self.apis[-1]

    def connect(self, host: str = "192.0.2.1") -> FakeSocket:
        """Return a TCP connection on which nothing was sent."""
        return FakeSocket(self, host)

    def open(self, host: str = "192.0.2.1") -> FakeSocket:
        """Return a WebSocket connection that is OPEN."""
        socket = self.connect(host)
        socket.receive(handshake())
        assert socket.status() == 101, socket.transport.written
        socket.transport.written = b""
        return socket

    def run_pending(self) -> None:
        """Run delayed calls that are due now, and those that these make."""
        for _ in range(200):
            self.clock.advance(0)


class FakeSocket:
    """One connection, seen by its client.

    Args:
        factory: makes the protocol.
        host: IP address of the client.
    """

    def __init__(self, factory: TestFactory, host: str) -> None:
        self.factory = factory
        self.transport = FakeTransport(host)
        self.protocol: Any = factory.factory.buildProtocol(self.transport.getPeer())
        self.protocol.makeConnection(self.transport)

    def receive(self, data: bytes) -> None:
        """Let the server receive bytes, and run what is due."""
        self.protocol.dataReceived(data)
        self.factory.run_pending()

    def status(self) -> int:
        """Return the status code of the HTTP response, 0 if there is none yet."""
        return int(self.transport.written[9:12] or 0)

    @property
    def api(self) -> RecordingAPI:
        """Return the API of this connection."""
        return next(api for api in self.factory.apis if api.connection is self.protocol)

    def lose(self) -> None:
        """Report that the TCP connection is lost."""
        self.protocol.connectionLost(None)

    def frames(self) -> list[tuple[int, bytes]]:
        """Return opcode and payload of the frames that were written."""
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
        """Return the code of the close frame that was written, 1005 if it has none."""
        for opcode, payload in self.frames():
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0]) if payload else 1005
        return None

    def close_reason(self) -> str:
        """Return the reason of the close frame that was written."""
        return next(payload[2:] for opcode, payload in self.frames() if opcode == CLOSE).decode()

    def close_word(self) -> str:
        """Return the first word of that reason."""
        return self.close_reason().partition(":")[0]


def handshake(**headers: str) -> bytes:
    """Return an opening handshake.

    Args:
        headers: header fields to replace or add, with `_` for `-`; "" removes one. `path` is the
            path of the request.
    """
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
    """Return a frame of a client.

    Args:
        payload: application data.
        opcode: 0 to 15.
        final: the FIN bit.
        rsv: the reserved bits, 0 to 7.
        masked: whether the payload is masked.
        length: the payload length in the header, if it is not to be the right one.
    """
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
