"""Sending: the frames for a connection gather in its outbox, one write a reactor iteration.

A protocol hands over whole frames as bytes. They are sent in the order of the calls, and nothing
is sent before the iteration ends. A peer that does not read delays no other connection: its outbox
holds frames up to a limit in bytes, and then drops them and calls `on_overflow`. One bytes object
for many outboxes costs one append each (`WriteBatcher.write_all`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, Union

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()


#: Whole frames, or a view of frames that other outboxes get too.
Frames = Union[bytes, memoryview]  # noqa: UP007 (evaluated)


class Transport(Protocol):
    """What an outbox needs of a connection: parts of Twisted's ITransport and IConsumer.

    If it also has `send_now` and `write_later`, frames go directly to the kernel: see `transport`.
    """

    def write(self, data: bytes) -> None: ...

    def abortConnection(self) -> None: ...

    def registerProducer(self, producer: Outbox, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...


class HasOutbox(Protocol):
    """A connection that is written to through an outbox."""

    outbox: Outbox


class MessageTransport(Protocol):
    """What a WebSocket connection offers the API that takes its messages."""

    @property
    def outbox(self) -> Outbox: ...

    @property
    def address(self) -> str: ...

    def close(self, code: int, reason: str) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class WriteBatcher:
    """Writes what outboxes gathered in a reactor iteration, one write for each connection.

    Args:
        clock: calls `flush` when the iteration ends.
        outbox_bytes: maximum size in bytes of what one outbox holds unsent. 0 disables the limit.
        unsent_bytes_total: maximum size in bytes of what all outboxes hold unsent; beyond it the
            one that holds most overflows. 0 disables the limit.
    """

    def __init__(self, clock: IReactorTime, outbox_bytes: int, unsent_bytes_total: int) -> None:
        self._clock = clock
        self._outbox_bytes = outbox_bytes
        self._total_bytes = unsent_bytes_total
        self._dirty: list[Outbox] = []
        self._holding: set[Outbox] = set()
        self._held_total = 0

    def write_all(self, outboxes: Iterable[Outbox], data: bytes) -> None:
        """Append the same frames to many outboxes.

        Args:
            outboxes: the receivers. Nothing else may be done for each: this is the hot path.
            data: whole frames.
        """
        dirty = self._dirty
        idle = not dirty
        for outbox in outboxes:
            pending = outbox.pending
            if pending is None:
                outbox.pending = data
                dirty.append(outbox)
            elif isinstance(pending, list):
                pending.append(data)
            else:
                outbox.pending = [pending, data]
        if idle and dirty:
            self._clock.callLater(0, self.flush)

    def touch(self, outbox: Outbox) -> None:
        """Flush an outbox, whose `pending` was None until now, when the iteration ends."""
        if not self._dirty:
            self._clock.callLater(0, self.flush)
        self._dirty.append(outbox)

    def flush(self) -> None:
        """Send what is pending in all outboxes."""
        dirty, self._dirty = self._dirty, []
        # Members of a room mostly get the same frames: the joined bytes of one serve the next.
        before: list[Frames] = []
        joined = b""
        for outbox in dirty:
            pending = outbox.pending
            if pending is None:
                continue
            outbox.pending = None
            try:
                if type(pending) is bytes:
                    data = pending
                elif isinstance(pending, list):
                    if pending != before:
                        before, joined = pending, b"".join(pending)
                    data = joined
                else:
                    data = bytes(pending)
                # The body of `Outbox._flush_now`: a call would be most of what a message costs.
                try:
                    send = outbox.send  # Python looks up attributes faster than methods
                    sent = send(data)
                except OSError:
                    sent = 0  # full or broken: the transport handles both
                if sent != len(data) and sent is not None:
                    outbox.write_later(data[sent:])
            except Exception:
                # The outboxes behind it are to be flushed all the same.
                _log.failure("writing to a connection failed")
                outbox.abort()

    def _account(self, outbox: Outbox, more: int) -> None:
        """Note that an outbox holds more bytes than before, and check the limits.

        Args:
            outbox: its `held` is the new number.
            more: the difference in bytes, negative for fewer.
        """
        self._held_total += more
        if not outbox.held:
            self._holding.discard(outbox)
            return
        self._holding.add(outbox)
        if self._outbox_bytes and outbox.held > self._outbox_bytes:
            outbox.overflow()
        elif self._total_bytes and self._held_total > self._total_bytes:
            max(self._holding, key=lambda holding: holding.held).overflow()


def _join(pending: Frames | list[Frames] | None) -> bytes:
    return b"".join(pending) if isinstance(pending, list) else bytes(pending or b"")


def _discard(data: bytes) -> None:
    """Send nothing: the value of `Outbox.send` once the outbox is closed."""


@implementer(IPushProducer)
class Outbox:
    """The unsent frames of one connection, in their order.

    Args:
        batcher: flushes the outbox at the end of a reactor iteration.
        transport: the connection.
        on_overflow: called once when the peer reads too slowly and the held frames were dropped.
            It must close the outbox.

    Attributes:
        pending: frames of this iteration: None, one piece, or a list of pieces. It is mostly one
            piece, for which a list would cost more than all the rest.
        held: bytes that wait because the transport is full.
        dropped: bytes that were never sent.
        send: the function that takes data now: the socket's `send`, the transport's `write`, or
            one that holds or discards it. It returns the number of bytes taken, or None for all.
        closed: whether frames are discarded from now on.
    """

    __slots__ = (
        "_batcher",
        "_held",
        "_on_overflow",
        "_send_now",
        "_transport",
        "closed",
        "dropped",
        "held",
        "pending",
        "send",
    )

    def __init__(
        self, batcher: WriteBatcher, transport: Transport, on_overflow: Callable[[], None]
    ) -> None:
        self._batcher = batcher
        self._transport: Transport | None = transport
        self._on_overflow: Callable[[], None] | None = on_overflow
        self._send_now: Callable[[bytes], int] | None = getattr(transport, "send_now", None)
        self._held: deque[bytes] | None = None
        self.closed = False
        self.held = self.dropped = 0
        self.pending: Frames | list[Frames] | None = None
        self.send: Callable[[bytes], int | None] = self._send_now or transport.write
        try:
            transport.registerProducer(self, True)
        except RuntimeError:
            # twisted.web's HTTPChannel is still registered on the transport that it handed over.
            transport.unregisterProducer()
            transport.registerProducer(self, True)

    @property
    def buffered_bytes(self) -> int:
        """Return the number of bytes that the peer has not read, or that were dropped.

        Frames that are pending in this iteration do not count. What the transport itself buffers
        counts as one byte.
        """
        return self.held + self.dropped + (self.send == self._defer)

    def write(self, data: Frames) -> None:
        """Append whole frames."""
        pending = self.pending
        if pending is None:
            self.pending = data
            self._batcher.touch(self)
        elif isinstance(pending, list):
            pending.append(data)
        else:
            self.pending = [pending, data]

    def flush(self) -> None:
        """Send what is pending now, without waiting for the end of the iteration."""
        pending, self.pending = self.pending, None
        if pending is not None:
            self._flush_now(_join(pending))

    def write_later(self, data: bytes) -> None:
        """Give the transport what `send` did not take."""
        if self._transport is not None:
            getattr(self._transport, "write_later", self._transport.write)(data)

    def _flush_now(self, data: bytes) -> None:
        try:
            sent = self.send(data)
        except OSError:
            sent = 0
        if sent != len(data) and sent is not None:
            self.write_later(data[sent:])

    def overflow(self) -> None:
        """Drop what is held, and call `on_overflow`, once: the peer reads too slowly."""
        on_overflow, self._on_overflow = self._on_overflow, None
        if on_overflow is not None:
            self._drop_all()
            on_overflow()

    def close(self) -> None:
        """Give the transport all frames, and unregister from it. It may be closed after that.

        A transport with a paused producer would never finish closing.
        """
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.unregisterProducer()
        if not self.closed:
            rest = b"".join([*self._release_held(), _join(self.pending)])
            self._discard_from_now_on()
            if rest:
                # Directly to the kernel if possible: what is sent when a session ends counts as
                # received.
                getattr(transport, "write_direct", transport.write)(rest)

    def abort(self) -> None:
        """Close the TCP connection without sending what is left."""
        if self._transport is not None:
            self._transport.abortConnection()

    def _defer(self, data: bytes) -> None:
        """Hold frames until the transport is empty: the value of `send` while it is full."""
        if self._held is None:
            self._held = deque()
        self._held.append(data)
        self.held += len(data)
        self._batcher._account(self, len(data))

    def _release_held(self) -> Iterable[bytes]:
        """Return what is held, and hold it no longer."""
        held, self._held = self._held or (), None
        less, self.held = self.held, 0
        self._batcher._account(self, -less)
        return held

    def _drop_all(self) -> None:
        """Discard all frames that are not sent, and all that follow."""
        self.dropped = self.buffered_bytes + len(_join(self.pending))
        self._discard_from_now_on()
        self._release_held()

    def _discard_from_now_on(self) -> None:
        self.closed = True
        self.pending = None
        self.send = _discard

    # IPushProducer: the transport calls these when it is full, empty again, or lost.

    def pauseProducing(self) -> None:
        """Hold frames from now on: the transport is full."""
        if not self.closed:
            self.send = self._defer

    def resumeProducing(self) -> None:
        """Send what is held, piece by piece, until the transport is full again."""
        if self.closed:
            return
        assert self._transport is not None
        self.send = self._send_now or self._transport.write
        while self._held and self.send != self._defer:
            data = self._held.popleft()
            self.held -= len(data)
            self._batcher._account(self, -len(data))
            self._flush_now(data)
        if not self._held:
            self._held = None

    def stopProducing(self) -> None:
        """Discard all frames: the connection is lost."""
        self._transport = self._on_overflow = None
        self._drop_all()
