"""Calling clients back, safely: some old protocols push by connecting to the client.

A client is called only at the IP address that it logged in from, at a port from 1024 up that it
named, and never at a port of ours. Calls to one client are made one at a time and in order; each
has 3 seconds to connect and as long to be taken. What can't be delivered is given back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger

#: Seconds to connect, and for a call to end.
CONNECT, END = 3.0, 3.0
#: Calls that wait for one client.
WAITING = 1_000

_log = Logger()


class Undeliverable(Exception):
    """A client can't be called; the text says why."""


class Call(Protocol):
    """What is said on one connection to a client."""

    #: Seconds that the call may last.
    seconds: float

    def connected(self, transport: Any, done: Callable[[Exception | None], None]) -> None:
        """Say it; `done` is called when it was said (None) or can't be."""

    def received(self, data: bytes) -> None:
        """The client says something."""


@attrs.define(eq=False)
class Push:
    """Some writes, the later ones after a pause; then the connection is closed.

    Args:
        parts: seconds to wait first, and what to write then.
    """

    clock: Any
    parts: list[tuple[float, bytes]]
    seconds: float = END
    _transport: Any = None
    _done: Callable[[Exception | None], None] | None = None

    def connected(self, transport: Any, done: Callable[[Exception | None], None]) -> None:
        """Write the first part."""
        self._transport, self._done = transport, done
        self._next()

    def _next(self) -> None:
        if not self.parts:
            self._transport.loseConnection()
            return
        wait, data = self.parts.pop(0)
        if wait:
            self.clock.callLater(wait, self._write, data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport.connected:
            self._transport.write(data)
            self._next()

    def received(self, data: bytes) -> None:
        """Clients say nothing on a push."""


class _Connection(TwistedProtocol):
    def __init__(self, line: Line, call: Call) -> None:
        self._line = line
        self._call = call

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        self._call.connected(self.transport, self._line.ended)

    def dataReceived(self, data: bytes) -> None:
        self._call.received(data)

    def connectionLost(self, reason: Any = None) -> None:
        self._line.lost()


class _CallFactory(ClientFactory):
    noisy = False

    def __init__(self, line: Line, call: Call) -> None:
        self._line = line
        self._call = call

    def buildProtocol(self, addr: object) -> _Connection:
        return _Connection(self._line, self._call)

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self._line.ended(Undeliverable(reason.getErrorMessage()))


@attrs.define(eq=False)
class Line:
    """All calls to one client.

    Args:
        reactor: connects. host: IP address that the client logged in from. port: that it named.
        own_ports: ports that we listen on.
    """

    _reactor: Any
    host: str
    port: int
    own_ports: Callable[[], Collection[int]]
    _waiting: deque[tuple[Call, Deferred[None]]] = attrs.field(factory=deque)
    _current: Deferred[None] | None = None
    _timer: IDelayedCall | None = None
    _connector: Any = None
    _closed: bool = False

    def call(self, call: Call) -> Deferred[None]:
        """Call the client when those before it are done.

        Raises:
            Undeliverable: (through the Deferred) it can't be reached, or did not take it.
        """
        done: Deferred[None] = Deferred()
        if self._closed or len(self._waiting) >= WAITING:
            done.errback(Undeliverable("too many calls wait for this client"))
        elif not 1024 <= self.port <= 65_535 or self.port in self.own_ports():
            done.errback(Undeliverable(f"port {self.port} is not called"))
        else:
            self._waiting.append((call, done))
            self._next()
        return done

    def close(self) -> None:
        """Call nobody any more; what waits is given back."""
        self._closed = True
        waiting, self._waiting = self._waiting, deque()
        if self._connector is not None:
            self._connector.disconnect()
        for _, done in waiting:
            done.errback(Undeliverable("the client has gone"))

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        call, self._current = self._waiting.popleft()
        self._timer = self._reactor.callLater(CONNECT + call.seconds, self._late)
        self._connector = self._reactor.connectTCP(
            self.host, self.port, _CallFactory(self, call), timeout=CONNECT
        )

    def _late(self) -> None:
        """A call takes too long."""
        self._timer = None
        connector = self._connector
        self.ended(Undeliverable("the client took too long"))
        connector.disconnect()

    def lost(self) -> None:
        """The connection of a call has ended."""
        self.ended(None)

    def ended(self, error: Exception | None) -> None:
        """The call that is under way is done, or failed."""
        done, self._current = self._current, None
        if done is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if error is None:
            done.callback(None)
        else:
            _log.debug(
                "calling {host}:{port}: {error}", host=self.host, port=self.port, error=error
            )
            done.errback(error)
        self._next()
