"""A client's TCP connection, for the protocols without WebSocket.

It is counted by its address, it has a deadline, and it knows whether it is lost.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol

from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import LOCAL, peer_address

#: Seconds that a connection may take to close: a client that does not read keeps it open.
CLOSE_TIMEOUT = 10.0
#: Socket option that holds back segments that are not full (tcp(7)); Linux only.
_TCP_CORK: int | None = getattr(socket, "TCP_CORK", None)


def join_segments(transport: Any) -> None:
    """Let what is written and the end of the connection leave in as few segments as possible.

    Where the system can't do that, the end may follow in a segment of its own.

    Args:
        transport: of a TCP connection on which all is written at once.
    """
    if _TCP_CORK is not None:
        with suppress(OSError):  # the connection is lost
            transport.getHandle().setsockopt(socket.IPPROTO_TCP, _TCP_CORK, 1)


class ClientConnection(Protocol):
    """A connection that a client has made.

    Subclasses have `opened` and `lost` for `connectionMade` and `connectionLost`.

    Args:
        limiter: counts the connections of an address.
        clock: calls later.

    Attributes:
        address: IP address that the connection comes from, see `peer_address`: the client's, or
            that of a proxy; `LOCAL` if the transport has none.
        closed: whether the connection is lost.
    """

    transport: Any
    address = LOCAL
    closed = False

    def __init__(self, limiter: ConnectionLimiter, clock: IReactorTime) -> None:
        self._limiter = limiter
        self._clock = clock
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Count the connection; abort it if its address has too many."""
        self.address = peer_address(self.transport.getPeer())
        with suppress(AttributeError, OSError):  # a Unix socket has neither option
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        if self._limiter.acquire(self.address):
            self.opened()
        else:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        """The connection is gone."""
        self.closed = True
        self._limiter.release(self.address)
        self.set_deadline(0)
        self.lost()

    def set_deadline(self, seconds: float) -> None:
        """Abort the connection after so many seconds, instead of what was set before; 0: never.

        A connection that is lost has no deadline: what waited for an answer may still set one.
        """
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds and not self.closed:
            self._deadline = self._clock.callLater(seconds, self._abort_late)

    def close_connection(self) -> None:
        """Close the connection when all is sent, or after `CLOSE_TIMEOUT`."""
        self.set_deadline(CLOSE_TIMEOUT)
        self.transport.loseConnection()

    def _abort_late(self) -> None:
        self._deadline = None
        self.transport.abortConnection()

    def opened(self) -> None:
        """The connection is made and counted."""

    def lost(self) -> None:
        """The connection is gone."""

    # What a command queue asks of its client.

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Read again."""
        if not self.closed:
            self.transport.resumeProducing()

    def disconnect_flood(self) -> None:
        """Disconnect a client that sends many times more than it may."""
        self.transport.abortConnection()


class Refused(Protocol):
    """A connection that is closed at once, while the chat is not available."""

    transport: Any

    def connectionMade(self) -> None:
        """Close the connection (Twisted: Protocol.connectionMade)."""
        self.transport.abortConnection()
