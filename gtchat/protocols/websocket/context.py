"""What lies below both the connection and its factory.

The states of a connection, its timeouts, the interface of an API, and
`ServerContext`, the objects that all connections of one factory share. No byte is read here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

import attrs
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from gtchat.chat.errors import Banned
from gtchat.chat.limits import Limits
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Hosts, Origins, Proxies
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.base.request_log import RequestLines, RequestLog
from gtchat.protocols.websocket.timer_wheel import TimerEntry, TimerWheel

SUBPROTOCOL = "gtchat.v1"

#: Seconds until the opening handshake must be complete (RFC 6455 section 4.2).
OPENING_TIMEOUT_S = 5.0
#: Seconds until the peer must have answered a close frame, or closed TCP (RFC 6455 section 7.1).
CLOSING_TIMEOUT_S = 5.0
#: Seconds for which the answer to a close frame waits until the end of the session is stored.
END_TIMEOUT_S = 3.0
#: Seconds from the first frame of a fragmented message to its last (RFC 6455 section 5.4).
MESSAGE_TIMEOUT_S = 30.0
#: Seconds that a refused client has to read the HTTP response before TCP is closed.
REFUSAL_LINGER_S = 0.5
#: Connections that `close_gradually` closes at once at least, and the seconds between two lots.
SLICE, SLICE_S = 50, 0.1


class ConnectionState(IntEnum):
    """ConnectionState of a connection, with the numbers of Autobahn's attribute `state`."""

    #: TCP is connected, the opening handshake is not complete (RFC 6455 section 4.2).
    CONNECTING = WebSocketProtocol.STATE_CONNECTING
    #: Messages may be sent and received (RFC 6455 section 4.2.2, last paragraph).
    OPEN = WebSocketProtocol.STATE_OPEN
    #: A close frame was sent: the closing handshake is started (RFC 6455 section 7.1.3).
    CLOSING = WebSocketProtocol.STATE_CLOSING
    #: Nothing is read any more: TCP is closed or being closed (RFC 6455 section 7.1.4).
    CLOSED = WebSocketProtocol.STATE_CLOSED


class API(Protocol):
    """The receiver of a connection's messages."""

    @property
    def logged_in(self) -> bool:
        """Return whether a user is logged in on the connection."""

    def message(self, payload: bytes) -> None:
        """Handle a text message, valid UTF-8 of at most `message_bytes` bytes."""

    def ping_sent(self) -> None:
        """Take note of a ping behind all that was written; no earlier one is unanswered."""

    def pong_received(self) -> None:
        """Take note of the answer to that ping: what was written before it has arrived."""

    def connection_lost(self, clean: bool, arrived: bool = False) -> Deferred[None] | None:
        """End the session: nothing more is received or sent.

        Args:
            clean: whether the client closed the connection with code 1000 or without a code.
            arrived: whether it did so, or with 1001, as a page that is left does.

        Returns:
            Fires when that is stored, for which the answer to its client waits; None if it doesn't.
        """


class RegisteredConnection(TimerEntry, Protocol):
    """A connection as `ServerContext` sees it.

    Attributes:
        address: IP address of the client.
        counted: whether the connection is counted for its address.
    """

    address: str
    counted: bool

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""

    def abort(self) -> None:
        """Close the TCP connection without sending what is left."""


@attrs.define(eq=False)
class ServerContext:
    """The objects that all connections of a factory share, and the set of these connections.

    Args:
        clock: monotonic time in seconds, and delayed calls.
        batcher: writes what outboxes gathered in a reactor iteration.
        limits: sizes in bytes, times in seconds; 0 disables a limit.
        origins: web pages that may connect (RFC 6455 section 10.2).
        proxies: reverse proxies whose statement of the client's address is trusted.
        hosts: names that clients may address the server by.

    Attributes:
        timers: the deadlines of the connections, one each.
        connections: all connections, from the accepted TCP connection to its end.
        request_log: logs refused requests.
        request_lines: writes a line for each request, if that is set.
        available: returns whether connections are accepted. May be replaced at any time.
        refusal: returns why an IP address is banned, None if it is not. May be replaced at any
            time.
    """

    clock: IReactorTime
    batcher: WriteBatcher
    limits: Limits
    origins: Origins
    proxies: Proxies
    hosts: Hosts = Hosts()
    timers: TimerWheel = attrs.field(init=False)
    request_log: RequestLog = attrs.field(init=False)
    request_lines: RequestLines = attrs.field(init=False, factory=RequestLines)
    connections: set[RegisteredConnection] = attrs.field(init=False, factory=set)
    available: Callable[[], bool] = attrs.field(init=False, default=lambda: True)
    refusal: Callable[[str], Banned | None] = attrs.field(init=False, default=lambda address: None)
    _limiter: ConnectionLimiter = attrs.field(init=False)
    _all_closed: Deferred[None] | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.timers = TimerWheel(self.clock)
        self.request_log = RequestLog(self.clock, self.proxies)
        self._limiter = ConnectionLimiter(self.limits)

    def register(self, connection: RegisteredConnection) -> None:
        """Add a connection whose TCP connection was accepted."""
        self.connections.add(connection)

    def count(self, connection: RegisteredConnection) -> bool:
        """Count a connection for its address.

        Returns:
            Whether it may stay: false beyond `connections_per_address`, and after `close_all`.
        """
        if self._all_closed is not None:
            return False
        connection.counted = self._limiter.acquire(connection.address)
        if not connection.counted:
            self._limiter.release(connection.address)
        return connection.counted

    def unregister(self, connection: RegisteredConnection) -> None:
        """Remove a connection whose TCP connection is closed."""
        self.timers.remove(connection)
        self.connections.discard(connection)
        if connection.counted:
            connection.counted = False
            self._limiter.release(connection.address)
        if not self.connections and self._all_closed is not None:
            all_closed, self._all_closed = self._all_closed, None
            all_closed.callback(None)

    def close_all(self, code: int, reason: str, within: float) -> Deferred[None]:
        """Close all connections, and accept no more.

        Args:
            code: close code (RFC 6455 section 7.4).
            reason: close reason, at most 123 bytes in UTF-8.
            within: seconds after which the connections that are left are aborted.

        Returns:
            A Deferred that fires when all are closed.
        """
        all_closed: Deferred[None] = Deferred()
        if not self.connections:
            all_closed.callback(None)
            return all_closed
        self._all_closed = all_closed
        abort = self.clock.callLater(within, self._abort_all)
        self.disconnect(code, reason)
        return all_closed.addBoth(lambda _: abort.cancel() if abort.active() else None)

    async def close_gradually(self, code: int, reason: str, within: float) -> None:
        """Close the connections that there are, spread over some time; few are closed at once.

        Args:
            code, reason: as of `close_all`.
            within: seconds after which the last one is closed.
        """
        waiting = list(self.connections)
        size = max(SLICE, math.ceil(len(waiting) * SLICE_S / within))
        for start in range(0, len(waiting), size):
            if start:
                await deferLater(self.clock, SLICE_S)
            for connection in waiting[start : start + size]:
                if connection in self.connections:
                    connection.close(code, reason)

    def disconnect(self, code: int, reason: str) -> None:
        """Close the connections that there are, as `close_all`; later ones are accepted."""
        for connection in list(self.connections):
            connection.close(code, reason)

    def _abort_all(self) -> None:
        for connection in list(self.connections):
            connection.abort()
