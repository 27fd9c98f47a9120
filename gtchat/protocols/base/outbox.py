"""Sending: the frames for a connection gather in its outbox, one write a reactor iteration.

A protocol hands over whole frames as bytes. They are sent in the order of the calls, and nothing
is sent before the iteration ends, except a large reply. A peer that does not read delays no other
connection: its outbox holds frames up to a limit, and then drops them and calls `on_overflow`. A
full transport holds about one piece, which counts until it is sent or the connection is lost. One
bytes object for many outboxes costs one append each (`WriteBatcher.write_all`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.chat.limits import Limits
from gtchat.protocols.base.transport import Transport
from gtchat.protocols.base.unsent import (
    BUFFERS_BYTES,
    PIECE_BYTES,
    Frames,
    UnsentLimits,
    join_frames,
    join_pending,
)

_log = Logger()


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
        limits: `outbox_bytes` and `unsent_bytes_total` are used, of one outbox and of all.

    Attributes:
        limits: the limits, and what counts for them.
    """

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        self._clock = clock
        self.limits = UnsentLimits(limits)
        self._dirty: list[Outbox] = []

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
        joined, large = b"", False
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
                        large = len(joined) > PIECE_BYTES
                    if large and outbox.send_now is None:
                        outbox.send_pieces(pending)
                        continue
                    data = joined
                else:
                    data = bytes(pending)
                # The body of `Outbox._send_piece`: a call would be most of what a message costs.
                try:
                    send = outbox.send  # Python looks up attributes faster than methods
                    sent = send(data)
                except OSError:
                    sent = 0  # full or broken: the transport handles both
                if sent != len(data):
                    if sent is not None:
                        outbox.hold_rest(pending, sent)
                    elif outbox.send is not send:
                        outbox.count_given(len(data))
            except Exception:
                # The outboxes behind it are to be flushed all the same.
                _log.failure("writing to a connection failed")
                outbox.abort()


def _discard(data: bytes) -> int:
    """Send nothing: the value of `Outbox.send` once the outbox is closed."""
    return len(data)


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
        in_transport: bytes that a full transport was given and may not have sent; an upper bound
            for one that has no `send_now`.
        dropped: bytes that were never sent, or had not left when the outbox was closed.
        send: the function that takes data now: the socket's `send`, the transport's `write`, or
            one that holds or discards it. It returns the number of bytes taken, or None for all;
            a transport that is full then has paused the outbox, which changes `send`.
        send_now: the socket's `send` or one that encrypts, None for a transport that has none.
        closed: whether frames are discarded from now on.
    """

    __slots__ = (
        "_batcher",
        "_held",
        "_on_overflow",
        "_registered",
        "_transport",
        "closed",
        "dropped",
        "held",
        "in_transport",
        "pending",
        "send",
        "send_now",
    )

    def __init__(
        self, batcher: WriteBatcher, transport: Transport, on_overflow: Callable[[], None]
    ) -> None:
        self._batcher = batcher
        self._transport: Transport | None = transport
        self._on_overflow: Callable[[], None] | None = on_overflow
        self.send_now: Callable[[bytes], int | None] | None = getattr(transport, "send_now", None)
        self._held: deque[bytes] | None = None
        self._registered = True
        self.closed = False
        self.held = self.in_transport = self.dropped = 0
        self.pending: Frames | list[Frames] | None = None
        self.send: Callable[[bytes], int | None] = self.send_now or transport.write
        try:
            transport.registerProducer(self, True)
        except RuntimeError:
            # twisted.web's HTTPChannel is still registered on the transport that it handed over.
            transport.unregisterProducer()
            transport.registerProducer(self, True)

    @property
    def buffered_bytes(self) -> int:
        """Return the number of bytes that the peer has not read, or that were dropped.

        Frames that are pending in this iteration do not count. What a full transport buffers
        counts as one byte at least. After `close` it is what had not left then.
        """
        full = self.send == self._defer
        return self.held + self.dropped + (max(self.in_transport, 1) if full else 0)

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

    def write_reply(self, data: bytes) -> None:
        """Append the frame of a reply, and send it now if it is large.

        Many can be asked for in one iteration: each shows whether the peer reads them.
        """
        self.write(data)
        if len(data) >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is pending now, without waiting for the end of the iteration."""
        pending, self.pending = self.pending, None
        if pending is not None:
            self.send_pieces(pending)

    def send_pieces(self, pending: Frames | list[Frames]) -> None:
        """Send frames now, or hold them: in pieces, of which the transport gets one too many."""
        for piece in join_frames(pending if isinstance(pending, list) else [pending]):
            self._send_piece(piece)

    def _send_piece(self, data: bytes) -> None:
        send = self.send
        try:
            sent = send(data)
        except OSError:
            sent = 0
        if sent is None:
            if self.send is not send:
                self.count_given(len(data))
        elif sent != len(data):
            self.hold_rest(data, sent)

    def hold_rest(self, pending: Frames | list[Frames], sent: int) -> None:
        """Give the transport the piece of which `send` did not take all, and hold the next ones.

        Args:
            pending: the pieces that were sent together.
            sent: the number of bytes that were taken.
        """
        pieces = pending if isinstance(pending, list) else [pending]
        first = 0
        while sent >= len(pieces[first]):
            sent -= len(pieces[first])
            first += 1
        torn, *others = join_frames([pieces[first][sent:], *pieces[first + 1 :]])
        if self._transport is not None:
            getattr(self._transport, "write_later", self._transport.write)(torn)
            if self.send == self._defer:
                self.count_given(len(torn))
        for piece in others:
            self._send_piece(piece)

    def count_given(self, size: int) -> None:
        """Count what was given to a transport that is full now, and check the limits.

        Args:
            size: number of bytes.
        """
        self._count_in_transport(size)
        self._batcher.limits.check(self)

    def _count_in_transport(self, more: int) -> None:
        self.in_transport += more
        self._batcher.limits.account(self, more)

    def overflow(self) -> None:
        """Drop what is held, and call `on_overflow`, once: the peer reads too slowly.

        After that, or if the outbox is closed, only the transport holds something: abort.
        """
        on_overflow, self._on_overflow = self._on_overflow, None
        if on_overflow is not None and not self.closed:
            self._drop_all()
            on_overflow()
        else:
            self.abort()
            self._count_in_transport(-self.in_transport)

    def close(self) -> None:
        """Give the transport all frames, and unregister from it. It may be closed after that.

        A transport with a paused producer would never finish closing. What the transport has not
        sent counts until `stopProducing`, which has to be called when the connection is lost.
        """
        transport = self._transport
        if transport is None or not self._registered:
            return
        self._registered = False
        transport.unregisterProducer()
        if not self.closed:
            full = self.send == self._defer
            rest = b"".join([*self._release_held(), join_pending(self.pending)])
            self._discard_from_now_on()
            if rest:
                self._count_in_transport(self._give_last(transport, rest))
            # A peer that left a transport full may not read the rest. Of one that was not full, it
            # is known only where writes go directly to the kernel.
            if full:
                self.dropped = max(self.in_transport, 1)
            elif self.send_now is not None:
                self.dropped = self.in_transport

    def _give_last(self, transport: Transport, rest: bytes) -> int:
        """Give the transport the last frames; return how many bytes may not be sent yet."""
        write_direct: Callable[[bytes], int] | None = getattr(transport, "write_direct", None)
        if write_direct is not None:
            # Directly to the kernel if possible: what is sent when a session ends counts as
            # received.
            return write_direct(rest)
        transport.write(rest)
        return len(rest)

    def abort(self) -> None:
        """Close the TCP connection without sending what is left."""
        if self._transport is not None:
            self._transport.abortConnection()

    def _defer(self, data: bytes) -> int:
        """Hold frames until the transport is empty: the value of `send` while it is full."""
        if self._held is None:
            self._held = deque()
        self._held.append(data)
        self.held += len(data)
        self._batcher.limits.account(self, len(data))
        self._batcher.limits.check(self)
        return len(data)

    def _release_held(self) -> Iterable[bytes]:
        """Return what is held, and hold it no longer."""
        held, self._held = self._held or (), None
        less, self.held = self.held, 0
        self._batcher.limits.account(self, -less)
        return held

    def _drop_all(self) -> None:
        """Discard all frames that are not sent, and all that follow."""
        self.dropped = self.buffered_bytes + len(join_pending(self.pending))
        self._discard_from_now_on()
        self._release_held()

    def _discard_from_now_on(self) -> None:
        self.closed = True
        self.pending = None
        self.send = _discard

    # IPushProducer: the transport calls these when it is full, empty again, or lost.

    def pauseProducing(self) -> None:
        """Hold frames from now on: the transport is full."""
        if not self.closed and self.send != self._defer:
            self.send = self._defer
            if self.send_now is None:
                # It has said nothing of what it took before it was full.
                self._count_in_transport(BUFFERS_BYTES)

    def resumeProducing(self) -> None:
        """Send what is held, piece by piece, until the transport is full again."""
        if self.closed:
            return
        self._count_in_transport(-self.in_transport)
        assert self._transport is not None
        self.send = self.send_now or self._transport.write
        while self._held and self.send != self._defer:
            data = self._held.popleft()
            self.held -= len(data)
            self._batcher.limits.account(self, -len(data))
            self._send_piece(data)
        if not self._held:
            self._held = None

    def stopProducing(self) -> None:
        """Discard all frames: the connection is lost."""
        self._transport = self._on_overflow = None
        self._drop_all()
        self._count_in_transport(-self.in_transport)
