"""WebSocket: Autobahn's protocol and factory, bounded, and quick where nearly all frames are.

    TCP → opening handshake (origin, size, time, count checked) → open → messages → close

Each text message goes to `ChatProtocol.messageReceived`, which hands it to the API object that the
factory's `build_api` made for the connection. What is to be sent goes through the outbox.
permessage-deflate is never accepted: chat messages are small, and a window costs memory for each
connection. Source: RFC 6455.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.limits import Limits, TokenBucket
from gtchat.protocols.handshake import Origins, Proxies, plain_address
from gtchat.protocols.outbox import Outbox, Turn

SUBPROTOCOL = "gtchat.v1"
PATHS = ("/", "/ws")
HANDSHAKE_BYTES = 16_384
PINGS_PER_SECOND, PINGS_BURST = 100, 200

UNSUPPORTED, NO_LOGIN, TOO_SLOW, TOO_FAST = 1003, 4003, 4008, 4009
CLEAN_CODES = (1000, 1005, None)

_OPEN = WebSocketProtocol.STATE_OPEN
_CONNECTING = WebSocketProtocol.STATE_CONNECTING

#: What the opening handshake leaves behind in each connection.
_LEFTOVERS = (
    "http_request_data",
    "http_headers",
    "http_status_line",
    "http_request_uri",
    "http_request_path",
    "http_request_params",
    "http_request_host",
    "websocket_protocols",
    "websocket_extensions",
    "websocket_origin",
    "_wskey",
    "_transport_details",
)


class API(Protocol):  # pragma: no cover (a description)
    """What a connection talks to."""

    @property
    def logged_in(self) -> bool: ...

    def message(self, payload: bytes) -> None: ...

    def connection_lost(self, clean: bool) -> None: ...


def text_frame(payload: bytes) -> bytes:
    """The unmasked frame of a text message (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class ChatProtocol(WebSocketServerProtocol):
    """One WebSocket connection.

    Attributes:
        address: IP address that the person came from.
        outbox: what is to be sent, once the connection is open.
        heard: whether anything came since the last ping.
    """

    tcpNoDelay = True  # Autobahn reads it before it copies its options
    accepts_binary = False
    fragments_most = 4_096

    factory: ChatFactory
    address = ""
    transport: Any
    outbox: Outbox
    writable = False
    api: API | None = None
    heard = True
    counted = False
    _rest: bytearray | None = None
    _need = 0
    _fragments = 0
    _pings: TokenBucket | None = None

    # Opening.

    def connectionMade(self) -> None:
        peer = self.transport.getPeer()
        self.address = plain_address(getattr(peer, "host", "")) or "local"
        super().connectionMade()

    def onConnect(self, request: ConnectionRequest) -> str | None:
        """See whether a handshake is one that we want. Raises ConnectionDeny."""
        if request.path not in PATHS:
            raise ConnectionDeny(404, "Not found")
        if not self.factory.origins.allow(
            request.headers.get("origin"), request.headers.get("host", "")
        ):
            raise ConnectionDeny(403, "This origin may not connect")
        self.address = self.factory.proxies.client(
            self.address, request.headers.get("x-forwarded-for")
        )
        self.factory.count(self)
        return SUBPROTOCOL if SUBPROTOCOL in request.protocols else None

    def onOpen(self) -> None:
        for name in _LEFTOVERS:
            self.__dict__.pop(name, None)
        self.outbox = Outbox(self.factory.turn, self.transport, self._too_slow)
        self.writable = True
        self.api = self.factory.build_api(self)
        self.factory.opened(self)

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        """Take bytes: whole text frames here, at once, and all else as Autobahn does."""
        self.heard = True
        if self.state != _OPEN or self.inside_message or self.current_frame or self.data:
            if self.state == _CONNECTING and len(self.data) + len(data) > HANDSHAKE_BYTES:
                self._refuse_headers()
                return
            self._dataReceived(data)
            return
        rest = self._rest
        if rest is not None:
            rest += data
            if len(rest) < self._need:
                return
            data, self._rest = bytes(rest), None
        done = self._frames(data)
        if done < len(data):
            self._dataReceived(data[done:] if done else data)

    def _frames(self, data: bytes) -> int:
        """Hand over the whole, final, masked text frames that data begins with.

        Returns:
            How many bytes are done with; the rest is for Autobahn. An unfinished frame is kept
            for the next read.
        """
        limit = self.factory.message_bytes or 65_535
        start, end = 0, len(data)
        while start < end:
            if data[start] != 0x81:
                return start
            if end - start < 6:
                return self._keep(data, start, 6)
            size = data[start + 1] - 128
            head = start + 6
            if size < 0 or size == 127:
                return start
            if size == 126:
                if end - start < 8:
                    return self._keep(data, start, 8)
                size = data[start + 2] << 8 | data[start + 3]
                head = start + 8
                if size < 126:
                    return start
            if size > limit:
                return start
            stop = head + size
            if stop > end:
                return self._keep(data, start, stop - start)
            mask = data[head - 4 : head]
            payload = (
                int.from_bytes(data[head:stop], "little")
                ^ int.from_bytes((mask * ((size + 3) >> 2))[:size], "little")
            ).to_bytes(size, "little")
            if not payload.isascii():
                try:
                    payload.decode()
                except UnicodeDecodeError:
                    return start
            start = stop
            self.messageReceived(payload)
            if self.state != _OPEN:
                return start
        return start

    def _keep(self, data: bytes, start: int, need: int) -> int:
        """Keep the beginning of a frame until `need` bytes of it are there."""
        self._rest, self._need = bytearray(data[start:]), need
        return len(data)

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        super().onMessageFrameBegin(length)
        if self._fragments > self.fragments_most:
            self.close(1009, "too many fragments")

    def onMessageEnd(self) -> None:
        self._fragments = 0
        super().onMessageEnd()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != _OPEN:
            return
        if isBinary and not self.accepts_binary:
            self.close(UNSUPPORTED, "text messages are wanted")
        else:
            self.messageReceived(payload)

    def messageReceived(self, payload: bytes) -> None:
        """Take a message. This is the one place where messages leave this module."""
        if self.api is not None:
            self.api.message(payload)

    def onPing(self, payload: bytes) -> None:
        if self._pings is None:
            self._pings = TokenBucket(PINGS_PER_SECOND, PINGS_BURST)
        if self._pings.take(self.factory.clock.seconds()):
            self.close(TOO_FAST, "too many pings")
        elif self.state == _OPEN:
            self.sendPong(payload)

    def pause(self) -> None:
        """Read no more, until `resume`."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        if self.state == _OPEN:
            self.transport.resumeProducing()

    # Writing and closing.

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        if self.writable:
            self.outbox.flush()
        super().sendData(data, sync, chopsize)

    def close(self, code: int, reason: str) -> None:
        """Close the connection behind what is to be sent yet.

        Args:
            code: RFC 6455 section 7.4, or 4000 to 4999.
            reason: at most 123 bytes in UTF-8.
        """
        if self.state != _OPEN:
            return
        if self.writable:
            self.outbox.close()
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode(), isReply=False)

    def _too_slow(self) -> None:
        self.close(TOO_SLOW, "too slow: resume to get what you missed")

    def _refuse_headers(self) -> None:
        self.data = b""
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
            b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.transport.loseConnection()

    def _closeConnection(self, abort: bool = False) -> None:
        if self.writable:
            self.outbox.close()
        super()._closeConnection(abort)

    def connectionLost(self, reason: Any = None) -> None:
        clean = self.remoteCloseCode in CLEAN_CODES and self.wasClean
        if self.writable:
            self.outbox.stopProducing()
        self.factory.closed(self)
        api, self.api = self.api, None
        if api is not None:
            api.connection_lost(clean)
        super().connectionLost(reason)


class ChatFactory(WebSocketServerFactory):
    """All WebSocket connections; made by `build_factory`."""

    turn: Turn
    limits: Limits
    origins: Origins
    proxies: Proxies
    clock: IReactorTime
    message_bytes: int
    build_api: Callable[[ChatProtocol], API]

    def __init__(self) -> None:
        super().__init__()
        self.connections: set[ChatProtocol] = set()
        self._by_address: Counter[str] = Counter()
        self._to_ping: deque[tuple[float, ChatProtocol]] = deque()
        self._pinged: deque[tuple[float, ChatProtocol]] = deque()
        self._to_log_in: deque[tuple[float, ChatProtocol]] = deque()
        self._tick: IDelayedCall | None = None
        self._empty: Deferred[None] | None = None
        self._closing = False

    def count(self, connection: ChatProtocol) -> None:
        """Count a connection for its address. Raises ConnectionDeny if it is one too many."""
        most = self.limits.connections_per_address
        if self._closing:
            raise ConnectionDeny(503, "The server is stopping")
        if most and self._by_address[connection.address] >= most:
            raise ConnectionDeny(503, "Too many connections from your address")
        self._by_address[connection.address] += 1
        connection.counted = True

    def opened(self, connection: ChatProtocol) -> None:
        """A connection is open."""
        now = self.clock.seconds()
        self.connections.add(connection)
        if self.limits.ping_interval:
            self._to_ping.append((now + self.limits.ping_interval, connection))
        if self.limits.login_timeout:
            self._to_log_in.append((now + self.limits.login_timeout, connection))
        if self._tick is None:
            self._tick = self.clock.callLater(1.0, self._sweep)

    def closed(self, connection: ChatProtocol) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if connection.counted:
            connection.counted = False
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]
        if not self.connections and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def _sweep(self) -> None:
        """See once a second to all whose time has come: one timer for all connections."""
        self._tick = None
        now = self.clock.seconds()
        for connection in self._due(self._to_log_in, now):
            if connection.api is not None and not connection.api.logged_in:
                connection.close(NO_LOGIN, "no login in time")
        for connection in self._due(self._pinged, now):
            if not connection.heard:
                connection.dropConnection(abort=True)
        for connection in self._due(self._to_ping, now):
            connection.heard = False
            connection.sendPing()
            self._pinged.append((now + self.limits.ping_timeout, connection))
            self._to_ping.append((now + self.limits.ping_interval, connection))
        if self.connections:
            self._tick = self.clock.callLater(1.0, self._sweep)

    def _due(self, queue: deque[tuple[float, ChatProtocol]], now: float) -> list[ChatProtocol]:
        """Those of a queue whose time has come and who are still there."""
        due = []
        while queue and queue[0][0] <= now:
            connection = queue.popleft()[1]
            if connection in self.connections and connection.state == _OPEN:
                due.append(connection)
        return due

    def close_all(self, code: int, reason: str, within: float) -> Deferred[None]:
        """Close all connections, and take no more.

        Args:
            within: seconds after which those are aborted that have not closed.

        Returns:
            Fires when all are gone.
        """
        self._closing = True
        gone: Deferred[None] = Deferred()
        if not self.connections:
            gone.callback(None)
            return gone
        self._empty = gone
        late = self.clock.callLater(within, self._abort_all)
        gone.addBoth(lambda _: late.cancel() if late.active() else None)
        for connection in list(self.connections):
            connection.close(code, reason)
        return gone

    def _abort_all(self) -> None:
        for connection in list(self.connections):
            connection.dropConnection(abort=True)

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None


def build_factory(
    clock: IReactorTime,
    turn: Turn,
    limits: Limits,
    build_api: Callable[[ChatProtocol], API],
    *,
    protocol: type[ChatProtocol] = ChatProtocol,
    origins: Origins | None = None,
    proxies: Proxies | None = None,
) -> ChatFactory:
    """A factory of WebSocket connections, for a port of its own and for a web resource.

    Args:
        build_api: makes the API object of a connection that is open.
        protocol: what a connection is; a test may put an echo in its place.
    """
    factory = ChatFactory()
    factory.turn, factory.limits, factory.clock = turn, limits, clock
    factory.origins, factory.proxies = origins or Origins(), proxies or Proxies()
    factory.message_bytes = limits.message_bytes
    factory.build_api = build_api
    factory.setProtocolOptions(
        maxFramePayloadSize=limits.message_bytes,
        maxMessagePayloadSize=limits.message_bytes,
        failByDrop=False,
        echoCloseCodeReason=False,
        openHandshakeTimeout=5,
        closeHandshakeTimeout=5,
        autoPingInterval=0,
        allowNullOrigin=True,
        allowedOrigins=["*"],
        serveFlashSocketPolicy=False,
    )
    factory.setSessionParameters(server="", protocols=[SUBPROTOCOL])
    # Options as attributes of the class: Autobahn copies those that a connection does not have
    # into each one, and formats them all for a log that nobody reads.
    options = {name: getattr(factory, name) for name in protocol.CONFIG_ATTRS}
    kind: Any = type(
        protocol.__name__, (protocol,), {**options, "CONFIG_ATTRS": (), "tcpNoDelay": True}
    )
    factory.protocol = kind
    return factory
