"""Calls to clients: some old protocols push by connecting to the client.

A client is called only at the IP address that it logged in from, at a port from 1024 up that it
named, and never at a port that this server listens on. Calls to one client are made one at a time
and in order; each has 3 seconds to connect and as long to be accepted. A call that fails is
reported to its caller. The sessions of such clients are in `dialback_client`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger

#: Seconds to connect, and for a call to end.
CONNECT, END = 3.0, 3.0
#: Seconds for the answer to a question.
ANSWER_TIMEOUT = 60.0
#: Ports that clients may be called at.
LOWEST_PORT, HIGHEST_PORT = 1024, 65_535
#: Calls that wait for one client, and how many of them may be of pending direct messages.
QUEUE_LIMIT, PENDING_LIMIT = 1_000, 500

_log = Logger()


class Undeliverable(Exception):
    """A client can't be called; the text says why."""


class OutgoingCall(Protocol):
    """What is sent on one connection to a client.

    Attributes:
        seconds: how long the call may last once it is connected.
    """

    seconds: float

    @property
    def complete(self) -> bool:
        """Whether all was sent, so that the client may close the connection."""

    def connected(self, transport: Any) -> None:
        """Send what is to be sent."""

    def received(self, data: bytes) -> None:
        """Take what the client sends."""


@attrs.define(eq=False)
class OutgoingWrite:
    """Some writes, each after a pause; then the connection is closed.

    Args:
        clock: calls later.
        parts: seconds to wait, and what to write then.
    """

    clock: IReactorTime
    parts: list[tuple[float, bytes]]
    seconds: float = END
    _transport: Any = None

    @property
    def complete(self) -> bool:
        """Whether all parts were written."""
        return not self.parts

    def connected(self, transport: Any) -> None:
        """Write the first part."""
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if not self.parts:
            self._transport.loseConnection()
            return
        wait, _ = self.parts[0]
        if wait:
            self.clock.callLater(wait, self._write)
        else:
            self._write()

    def _write(self) -> None:
        if self._transport.connected:
            self._transport.write(self.parts.pop(0)[1])
            self._next()

    def received(self, data: bytes) -> None:
        """Clients send nothing on a push."""


@attrs.define(eq=False)
class Question:
    """A call that waits for an answer.

    Args:
        clock: calls later.
        text: what is asked.
        answered: called once, with whether the answer was yes.
    """

    clock: IReactorTime
    text: bytes
    answered: Callable[[bool], None]
    seconds: float = ANSWER_TIMEOUT
    #: A client that closes the connection without an answer has read the question all the same.
    complete: bool = True
    _transport: Any = None
    _timer: IDelayedCall | None = None

    def connected(self, transport: Any) -> None:
        """Ask."""
        self._transport = transport
        self._timer = self.clock.callLater(ANSWER_TIMEOUT, self.received, b"N")
        transport.write(self.text)

    def received(self, data: bytes) -> None:
        """Take the answer; only the first one counts."""
        timer, self._timer = self._timer, None
        if timer is not None:
            if timer.active():
                timer.cancel()
            self.answered(data.strip() in (b"Y", b"y"))
        self._transport.loseConnection()


class _CallConnection(TwistedProtocol):
    def __init__(self, queue: DialbackQueue, call: OutgoingCall) -> None:
        self._queue = queue
        self._call = call

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        self._call.connected(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._call.received(data)

    def connectionLost(self, reason: Any = None) -> None:
        complete = self._call.complete
        error = None if complete else Undeliverable("the client closed the connection early")
        self._queue.ended(self._call, error)


class _CallFactory(ClientFactory):
    noisy = False

    def __init__(self, queue: DialbackQueue, call: OutgoingCall) -> None:
        self._queue = queue
        self._call = call

    def buildProtocol(self, addr: object) -> _CallConnection:
        return _CallConnection(self._queue, self._call)

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self._queue.ended(self._call, Undeliverable(reason.getErrorMessage()))


@attrs.define(eq=False)
class DialbackQueue:
    """All calls to one client.

    Args:
        reactor: connects and calls later.
        host: IP address that the client logged in from.
        port: that the client named.
        own_ports: returns the ports that this server listens on.
    """

    _reactor: Any
    host: str
    port: int
    own_ports: Callable[[], Collection[int]]
    _waiting: deque[tuple[OutgoingCall, Deferred[None]]] = attrs.field(factory=deque)
    _current: tuple[OutgoingCall, Deferred[None]] | None = None
    _timer: IDelayedCall | None = None
    _connector: Any = None
    _closed: bool = False

    def call(self, call: OutgoingCall) -> Deferred[None]:
        """Call the client when the calls before this one have ended.

        Args:
            call: what is sent.

        Raises:
            Undeliverable: (through the Deferred) the client can't be reached, or did not accept
                the call in time.
        """
        done: Deferred[None] = Deferred()
        if self._closed or len(self._waiting) >= QUEUE_LIMIT:
            self._refuse(done, "too many calls wait for this client")
        elif not LOWEST_PORT <= self.port <= HIGHEST_PORT or self.port in self.own_ports():
            self._refuse(done, f"port {self.port} is not called")
        else:
            self._waiting.append((call, done))
            self._next()
        return done

    def _refuse(self, done: Deferred[None], why: str) -> None:
        # Later: a call that fails ends a session, which must not happen while an event is sent to
        # all sessions.
        self._reactor.callLater(0, done.errback, Undeliverable(why))

    def close(self) -> None:
        """Make no more calls; those that wait fail."""
        self._closed = True
        waiting, self._waiting = self._waiting, deque()
        if self._connector is not None:
            self._connector.disconnect()
        for _, done in waiting:
            done.errback(Undeliverable("the client is disconnected"))

    def ended(self, call: OutgoingCall, error: Exception | None) -> None:
        """A call has ended. One that took too long ends again when its connection is closed.

        Args:
            call: what was sent.
            error: why it failed, None if it did not.
        """
        if self._current is None or self._current[0] is not call:
            return
        _, done = self._current
        self._current = None
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

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        call, _ = self._current = self._waiting.popleft()
        self._timer = self._reactor.callLater(CONNECT + call.seconds, self._time_out)
        self._connector = self._reactor.connectTCP(
            self.host, self.port, _CallFactory(self, call), timeout=CONNECT
        )

    def _time_out(self) -> None:
        self._timer = None
        connector = self._connector
        assert self._current is not None, "the timer ends with the call"
        self.ended(self._current[0], Undeliverable("the client took too long"))
        connector.disconnect()
