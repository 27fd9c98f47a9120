"""Writing: what is for a connection gathers in its outbox, and goes out once a reactor turn.

A protocol hands over whole frames as bytes. It may assume that they arrive in the order of its
calls, that nothing is sent before the turn ends, and that a connection whose peer does not read
costs nobody else anything: its outbox holds frames up to a limit, then drops them and says so.
Sharing one bytes object among many outboxes costs an append each; see `WriteBatcher.write_all`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, Union

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()


#: Whole frames, or a view of frames that others get too.
Frames = Union[bytes, memoryview]  # noqa: UP007 (evaluated)


class Transport(Protocol):
    """What an outbox asks of a connection: Twisted's ITransport and IConsumer.

    One that has `send_now` and `write_later`, too, is written to directly: see `direct`.
    """

    def write(self, data: bytes) -> None: ...

    def abortConnection(self) -> None: ...

    def registerProducer(self, producer: Outbox, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...


class HasOutbox(Protocol):
    """A connection that is written to through an outbox."""

    outbox: Outbox


class WriteBatcher:
    """The outboxes that have something to write in this turn of the reactor.

    Args:
        clock: calls at the end of the turn.
        outbox_bytes: unsent bytes that one outbox may hold, 0 for any number.
        unsent_bytes_total: unsent bytes that all of them may hold, 0 for any number; beyond it
            the one that holds most is dropped.
    """

    def __init__(self, clock: IReactorTime, outbox_bytes: int, unsent_bytes_total: int) -> None:
        self._clock = clock
        self._outbox_bytes = outbox_bytes
        self._total_bytes = unsent_bytes_total
        self._dirty: list[Outbox] = []
        self._holding: set[Outbox] = set()
        self._held_total = 0

    def write_all(self, outboxes: Iterable[Outbox], data: bytes) -> None:
        """Append the same frames to many outboxes. Nothing else is done for each."""
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
        """An outbox has something to write from now on."""
        if not self._dirty:
            self._clock.callLater(0, self.flush)
        self._dirty.append(outbox)

    def flush(self) -> None:
        """Give each connection what is for it in one write."""
        dirty, self._dirty = self._dirty, []
        # Members of a room mostly get the same: what was joined for one is there for the next.
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
                # What `Outbox._put` does, without a call: this is where a message costs most.
                try:
                    send = outbox.send  # Python looks up attributes faster than methods
                    sent = send(data)
                except OSError:
                    sent = 0  # full for now, or broken: the transport knows what to do
                if sent != len(data) and sent is not None:
                    outbox.write_later(data[sent:])
            except Exception:
                # The others wait behind it: they are to get theirs.
                _log.failure("writing to a connection failed")
                outbox.abort()

    def _account(self, outbox: Outbox, more: int) -> None:
        """An outbox holds `more` bytes than before (or fewer, if negative)."""
        self._held_total += more
        if not outbox.held:
            self._holding.discard(outbox)
            return
        self._holding.add(outbox)
        if self._outbox_bytes and outbox.held > self._outbox_bytes:
            outbox.overflow()
        elif self._total_bytes and self._held_total > self._total_bytes:
            max(self._holding, key=lambda holding: holding.held).overflow()


def _joined(pending: Frames | list[Frames] | None) -> bytes:
    """All that is pending, as one piece."""
    return b"".join(pending) if isinstance(pending, list) else bytes(pending or b"")


def _drop(data: bytes) -> None:
    """Write to a connection that takes nothing any more."""


@implementer(IPushProducer)
class Outbox:
    """What waits to be written to one connection.

    Args:
        turn: gathers outboxes.
        transport: the connection.
        on_overflow: called once when the peer reads too slowly; what was held is dropped then.
            It has to close the outbox.

    Attributes:
        pending: frames of this turn: None, a piece, or a list of pieces (most often it is one,
            for which a list would cost more than the rest).
        held: bytes that wait since the transport is full. dropped: those that were never sent.
        send: takes data to where it belongs now: the kernel, the transport, what is held, or
            nowhere. It returns how many bytes were taken, or None for all.
        closed: whether nothing is taken any more.
    """

    __slots__ = (
        "_direct",
        "_held",
        "_on_overflow",
        "_transport",
        "_turn",
        "closed",
        "dropped",
        "held",
        "pending",
        "send",
    )

    def __init__(
        self, turn: WriteBatcher, transport: Transport, on_overflow: Callable[[], None]
    ) -> None:
        self._turn = turn
        self._transport: Transport | None = transport
        self._on_overflow: Callable[[], None] | None = on_overflow
        self._direct: Callable[[bytes], int] | None = getattr(transport, "send_now", None)
        self._held: deque[bytes] | None = None
        self.closed = False
        self.held = self.dropped = 0
        self.pending: Frames | list[Frames] | None = None
        self.send: Callable[[bytes], int | None] = self._direct or transport.write
        try:
            transport.registerProducer(self, True)
        except RuntimeError:
            # Under twisted.web the channel, which has handed its transport over, is registered.
            transport.unregisterProducer()
            transport.registerProducer(self, True)

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait since the peer does not read them, or were dropped; all that the
        transport has itself counts as one."""
        return self.held + self.dropped + (self.send == self._defer)

    def write(self, data: Frames) -> None:
        """Append whole frames."""
        pending = self.pending
        if pending is None:
            self.pending = data
            self._turn.touch(self)
        elif isinstance(pending, list):
            pending.append(data)
        else:
            self.pending = [pending, data]

    def flush(self) -> None:
        """Write what is pending now, without waiting for the end of the turn."""
        pending, self.pending = self.pending, None
        if pending is not None:
            self._flush_now(_joined(pending))

    def write_later(self, data: bytes) -> None:
        """Leave to the transport what the kernel did not take."""
        if self._transport is not None:
            getattr(self._transport, "write_later", self._transport.write)(data)

    def _flush_now(self, data: bytes) -> None:
        """Give data to where it belongs now."""
        try:
            sent = self.send(data)
        except OSError:
            sent = 0
        if sent != len(data) and sent is not None:
            self.write_later(data[sent:])

    def overflow(self) -> None:
        """The peer reads too slowly: drop what is held, and say so."""
        on_overflow, self._on_overflow = self._on_overflow, None
        if on_overflow is not None:
            self._drop_all()
            on_overflow()

    def close(self) -> None:
        """Hand the transport all there is, and let go of it: it may be closed after that.

        A transport with a paused producer would never finish closing.
        """
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.unregisterProducer()
        if not self.closed:
            rest = b"".join([*self._let_go(), _joined(self.pending)])
            self._take_no_more()
            if rest:
                # At once, if that can be: what was told before a session's end counts as read.
                getattr(transport, "write_direct", transport.write)(rest)

    def abort(self) -> None:
        """Cut the connection off."""
        if self._transport is not None:
            self._transport.abortConnection()

    def _defer(self, data: bytes) -> None:
        """Keep frames until the transport can take them."""
        if self._held is None:
            self._held = deque()
        self._held.append(data)
        self.held += len(data)
        self._turn._account(self, len(data))

    def _let_go(self) -> Iterable[bytes]:
        """What was held, which is not from now on."""
        held, self._held = self._held or (), None
        less, self.held = self.held, 0
        self._turn._account(self, -less)
        return held

    def _drop_all(self) -> None:
        """Take nothing more, and send nothing more of what there is."""
        self.dropped = self.buffered_bytes + len(_joined(self.pending))
        self._take_no_more()
        self._let_go()

    def _take_no_more(self) -> None:
        self.closed = True
        self.pending = None
        self.send = _drop

    # IPushProducer: the transport says when it is full and when it is empty again.

    def pauseProducing(self) -> None:
        """The transport is full."""
        if not self.closed:
            self.send = self._defer

    def resumeProducing(self) -> None:
        """The transport is empty: fill it up, piece by piece, until it is full again."""
        if self.closed:
            return
        assert self._transport is not None
        self.send = self._direct or self._transport.write
        while self._held and self.send != self._defer:
            data = self._held.popleft()
            self.held -= len(data)
            self._turn._account(self, -len(data))
            self._flush_now(data)
        if not self._held:
            self._held = None

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._transport = self._on_overflow = None
        self._drop_all()
