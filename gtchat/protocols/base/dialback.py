"""Calls to clients: some old protocols push by connecting to the client.

Calls to one client are made one at a time and in order; each has 3 seconds to connect. A message
has arrived when the client closes the connection after the server has closed its direction: the
kernel accepts data also for a client that is stopped, and answers with a reset if that client ends
without having read it. The sessions of such clients are in `dialback_client`, calls that wait for
an answer in `dialback_questions`, which clients may be called in `callback_rules`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.protocols.base.tcp import join_segments

#: Seconds to connect, and for a call to end whose session is over or has not begun.
CONNECT, END = 3.0, 3.0
#: Seconds for a client to read what it was sent. The original of PA1 reads nothing while its user
#: is asked a question; a client that is gone is known by its heartbeats.
READ_TIMEOUT = 600.0
#: Calls that wait for one client.
QUEUE_LIMIT = 1_000
#: Bytes that the original clients are sure to read: they read once, and a segment has 1,448 bytes
#: on Ethernet. A longer text can be cut, and then does not count as read.
READ_AT_ONCE = 1_400

_log = Logger()


class Undeliverable(Exception):
    """A client can't be called; the text says why."""


class Unread(Undeliverable):
    """A client was called, and closed the connection without having read everything."""


class OutgoingCall(Protocol):
    """What is sent on one connection to a client.

    Attributes:
        seconds: how long the call may last once it is connected.
        proves_arrival: whether the client must read everything for the call to succeed.
        size: bytes that it sends.
    """

    seconds: float
    proves_arrival: bool

    @property
    def size(self) -> int: ...

    def connected(self, transport: Any) -> None:
        """Send what is to be sent."""

    def received(self, data: bytes) -> None:
        """Take what the client sends."""

    def disconnected(self) -> None:
        """The connection is gone."""


@attrs.define(eq=False)
class OutgoingWrite:
    """Some writes, each after a pause, and the end of what is sent.

    Args:
        clock: calls later.
        parts: seconds to wait, and what to write then.
        seconds: how long the client may take to read.
    """

    clock: IReactorTime
    parts: list[tuple[float, bytes]]
    seconds: float = READ_TIMEOUT
    proves_arrival: bool = True
    _transport: Any = None

    @property
    def size(self) -> int:
        """Bytes that are written."""
        return sum(len(data) for _, data in self.parts)

    def connected(self, transport: Any) -> None:
        """Write the first part."""
        self._transport = transport
        if len(self.parts) == 1:
            # A client that reads before the end arrives closes first, and its port stays in
            # TIME-WAIT: the original of Message Center can't be restarted at that port then.
            join_segments(transport)
        self._next()

    def _next(self) -> None:
        if not self.parts:
            self._transport.loseWriteConnection()
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

    def disconnected(self) -> None:
        """The queue is told whether everything was read."""


@implementer(IHalfCloseableProtocol)
class _CallConnection(TwistedProtocol):
    """The connection of a call.

    Attributes:
        sent: whether everything was sent, and the end of it.
        read: whether the client has closed the connection after that, in order.
    """

    transport: Any
    sent = read = False

    def __init__(self, queue: DialbackQueue, call: OutgoingCall) -> None:
        self._queue = queue
        self._call = call

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._queue.connected(self._call, self.transport)
        self._call.connected(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._call.received(data)

    def writeConnectionLost(self) -> None:
        self.sent = True

    def readConnectionLost(self) -> None:
        self.read = self.sent
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        error: Undeliverable | None = None
        if self._call.proves_arrival and not self.read:
            if self.sent:
                error = Unread("the client did not read everything")
            else:
                error = Undeliverable("the client closed the connection early")
        self._call.disconnected()
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
    """Calls to one client, one at a time.

    Args:
        reactor: connects and calls later.
        host: IP address that the client logged in from.
        port: that the client named.
        max_bytes: largest number of bytes that wait; a single call may have more. 0 disables the
            limit.
    """

    _reactor: Any
    host: str
    port: int
    max_bytes: int = 0
    _size: int = 0
    _waiting: deque[tuple[OutgoingCall, Deferred[None]]] = attrs.field(factory=deque)
    _current: tuple[OutgoingCall, Deferred[None]] | None = None
    _timer: IDelayedCall | None = None
    _connector: Any = None
    _transport: Any = None
    _closed: bool = False
    _finished: Deferred[None] | None = None

    def call(self, call: OutgoingCall) -> Deferred[None]:
        """Call the client when the calls before this one have ended.

        Args:
            call: what is sent.

        Returns:
            Fires when the client has read it.

        Raises:
            Unread: (through the Deferred) the client has not read everything, but was reached.
            Undeliverable: (through the Deferred) the client can't be reached, or took too long.
        """
        done: Deferred[None] = Deferred()
        if self._closed or self._is_full(call.size):
            # Later: a call that fails ends a session, which must not happen while an event is sent
            # to all sessions.
            why = "the session has ended" if self._closed else "too many calls wait"
            error = Undeliverable(why)
            self._reactor.callLater(0, done.errback, error)
        else:
            self._waiting.append((call, done))
            self._size += call.size
            self._next()
        return done

    def _is_full(self, more: int) -> bool:
        """Return whether a call of so many bytes would be one too many."""
        too_large = self.max_bytes and self._size and self._size + more > self.max_bytes
        return bool(too_large) or len(self._waiting) >= QUEUE_LIMIT

    def finish(self) -> Deferred[None]:
        """Begin no further call, since the session is about to end; those that wait go on waiting.

        Returns:
            Fires when the client has read what it is being sent, or does not within some seconds.
        """
        finished = self._finished = Deferred()
        if self._transport is None:
            finished.callback(None)
        elif self._timer is not None:
            self._timer.reset(min(END, self._timer.getTime() - self._reactor.seconds()))
        return finished

    def close(self, last: OutgoingCall | None = None) -> None:
        """Make no more calls, since the session has ended; those that wait fail.

        Args:
            last: a last call. The current one has some seconds for its end before it; without a
                last call the current one fails, too.
        """
        if self._closed:
            return
        self._closed = True
        waiting, self._waiting, self._size = self._waiting, deque(), 0
        if last is not None:
            last.seconds = END
            self._waiting.append((last, _ignored()))
            self._size = last.size
            if self._timer is not None:
                self._timer.reset(CONNECT + END)
            self._next()
        elif self._current is not None:
            self._give_up("the session has ended")
        for _, done in waiting:
            done.errback(Undeliverable("the session has ended"))

    def connected(self, call: OutgoingCall, transport: Any) -> None:
        """The connection of a call is made."""
        if self._current is not None and self._current[0] is call:
            self._transport = transport

    def ended(self, call: OutgoingCall, error: Exception | None) -> None:
        """A call has ended. One that was given up ends again when its connection is closed.

        Args:
            call: what was sent.
            error: why it failed, None if it did not.
        """
        if self._current is None or self._current[0] is not call:
            return
        _, done = self._current
        self._current = self._transport = None
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
        if self._finished is not None and not self._finished.called:
            self._finished.callback(None)
        self._next()

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        if self._finished is not None and not self._closed:
            return  # the session is about to end
        call, _ = self._current = self._waiting.popleft()
        self._size -= call.size
        self._timer = self._reactor.callLater(CONNECT + call.seconds, self._time_out)
        self._connector = self._reactor.connectTCP(
            self.host, self.port, _CallFactory(self, call), timeout=CONNECT
        )

    def _time_out(self) -> None:
        self._timer = None
        self._give_up("the client took too long")

    def _give_up(self, why: str) -> None:
        """End the current call before its connection is closed."""
        assert self._current is not None, "there is a current call"
        transport, connector = self._transport, self._connector
        self.ended(self._current[0], Undeliverable(why))
        if transport is not None:
            transport.abortConnection()  # a client that does not read may not let it close
        else:
            connector.disconnect()


def _ignored() -> Deferred[None]:
    """Return the result of a call whose end does not matter."""
    done: Deferred[None] = Deferred()
    done.addErrback(lambda failure: failure.trap(Undeliverable) and None)
    return done
