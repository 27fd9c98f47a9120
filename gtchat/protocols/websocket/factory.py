"""All WebSocket connections: who is there, how many from where, and how they end together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.limits import Limits
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Hosts, Origins, Proxies
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.websocket.connection import SUBPROTOCOL, ChatProtocol
from gtchat.protocols.websocket.timer_wheel import TimerWheel


class API(Protocol):
    """What a connection gives its messages to."""

    @property
    def logged_in(self) -> bool:
        """Whether the connection has a user."""

    def message(self, payload: bytes) -> None:
        """Take a text message."""

    def connection_lost(self, clean: bool) -> None:
        """The connection is gone. clean: its client closed it by intention."""


class ChatFactory(WebSocketServerFactory):
    """Makes connections, for a port of its own and for a web resource; see `build_factory`."""

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        turn: WriteBatcher,
        limits: Limits,
        build_api: Callable[[ChatProtocol], API],
        origins: Origins,
        proxies: Proxies,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            protocols=[SUBPROTOCOL], server="", reactor=clock
        )
        self.clock = clock
        self.turn = turn
        self.limits = limits
        self.build_api = build_api
        self.origins = origins
        self.hosts = Hosts()
        self.proxies = proxies
        self.deadlines = TimerWheel(clock)
        self.connections: set[ChatProtocol] = set()
        self._limiter = ConnectionLimiter(limits.connections_per_address)
        self._all_gone: Deferred[None] | None = None
        # Origins are compared by us, pings and timeouts are ours; sizes are Autobahn's own.
        self.setProtocolOptions(  # type: ignore[no-untyped-call]
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=limits.message_bytes,
            maxMessagePayloadSize=limits.message_bytes,
            failByDrop=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            allowedOrigins=["*"],
            allowNullOrigin=True,
        )

    def arrived(self, connection: ChatProtocol) -> None:
        """Somebody has connected."""
        self.connections.add(connection)

    def count(self, connection: ChatProtocol) -> bool:
        """Count a connection for its address.

        Returns:
            Whether there is room for it.
        """
        if self._all_gone is not None:
            return False
        connection.counted = self._limiter.acquire(connection.address)
        if not connection.counted:
            self._limiter.release(connection.address)
        return connection.counted

    def gone(self, connection: ChatProtocol) -> None:
        """A connection is no more."""
        self.deadlines.remove(connection)
        self.connections.discard(connection)
        if connection.counted:
            connection.counted = False
            self._limiter.release(connection.address)
        if not self.connections and self._all_gone is not None:
            all_gone, self._all_gone = self._all_gone, None
            all_gone.callback(None)

    def close_all(self, code: int, reason: str, within: float) -> Deferred[None]:
        """Close all connections, and take no more.

        Args:
            code: close code. reason: for people.
            within: seconds after which those are cut off that have not closed.

        Returns:
            Fires when all are gone.
        """
        all_gone: Deferred[None] = Deferred()
        if not self.connections:
            all_gone.callback(None)
            return all_gone
        self._all_gone = all_gone
        late = self.clock.callLater(within, self._abort_all)
        for connection in list(self.connections):
            connection.close(code, reason)
        return all_gone.addBoth(lambda _: late.cancel() if late.active() else None)

    def stop(self) -> None:
        """Leave no timer behind, also if somebody is left."""
        self.deadlines.stop()

    def _abort_all(self) -> None:
        for connection in list(self.connections):
            connection.transport.abortConnection()


P = TypeVar("P", bound=ChatProtocol)

#: What a connection sets when there is need of it, or has of the class.
_NOT_SHARED = {"factory", "is_open", "is_closed", "utf8validator", *vars(ChatProtocol)}


class _NullDeferred:
    """In the place of Deferreds that nobody waits for."""

    def callback(self, result: object) -> None:
        """Nobody is told."""


def shared_defaults(protocol: type[P], factory: ChatFactory) -> type[P]:
    """The same protocol, of which an instance holds nothing that it shares with all others.

    Autobahn sets some sixty attributes in each connection, and formats half of them for a log that
    nobody reads. Here they are set in one, once, and are the class's from then on.
    """
    pattern = protocol()
    pattern.factory = factory
    WebSocketServerProtocol.__init__(pattern)
    WebSocketServerProtocol._connectionMade(pattern)
    options = {name: getattr(factory, name) for name in protocol.CONFIG_ATTRS}
    shared: dict[str, Any] = {
        name: staticmethod(value) if callable(value) else value
        for name, value in {**options, **vars(pattern)}.items()
        if name not in _NOT_SHARED
    }
    nobody = _NullDeferred()
    return type(protocol.__name__, (protocol,), {**shared, "is_open": nobody, "is_closed": nobody})


def build_factory(
    clock: IReactorTime,
    turn: WriteBatcher,
    limits: Limits,
    build_api: Callable[[ChatProtocol], API],
    *,
    protocol: type[ChatProtocol] = ChatProtocol,
    origins: Origins | None = None,
    proxies: Proxies | None = None,
) -> ChatFactory:
    """A factory of WebSocket connections.

    permessage-deflate is never accepted: chat messages are small, and what is said to a room is
    framed once for all, where each compressed connection would want its own.

    Args:
        clock: tells the time.
        turn: writes at the end of the reactor's turn.
        limits: sizes in bytes, times in seconds, 0 = no limit.
        build_api: makes the API object of a connection that is open.
        protocol: what a connection is; a test may put an echo in its place.
        origins: web pages that may connect; by default those of the host that they connect to.
        proxies: reverse proxies that are trusted; by default none.
    """
    factory = ChatFactory(
        clock, turn, limits, build_api, origins or Origins(), proxies or Proxies()
    )
    factory.protocol = shared_defaults(protocol, factory)
    return factory
