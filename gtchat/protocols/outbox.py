"""Writing: what is for a connection gathers in its outbox, and goes out once a reactor turn.

A protocol hands over whole frames as bytes. It may assume that they arrive in the order of its
calls, that nothing is sent before the turn ends, and that a connection whose peer does not read
costs nobody else anything: its outbox holds frames up to a limit, then drops them and says so.
Sharing one bytes object among many outboxes costs an append each; see `Turn.write_all`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IPushProducer, IReactorTime, ITransport
from zope.interface import implementer


class Turn:
    """The outboxes that have something to write in this turn of the reactor.

    Args:
        clock: calls at the end of the turn.
        outbox_bytes: unsent bytes that one outbox may hold, 0 for any number.
        unsent_bytes_total: unsent bytes that all of them may hold, 0 for any number; beyond it
            the one that holds most is dropped.
    """

    def __init__(self, clock: IReactorTime, outbox_bytes: int, unsent_bytes_total: int) -> None:
        self._clock = clock
        self._dirty: list[Outbox] = []
        self._total = unsent_bytes_total
        self._held_total = 0
        self._holding: set[Outbox] = set()
        self.outbox_bytes = outbox_bytes

    def write_all(self, outboxes: Iterable[Outbox], data: bytes) -> None:
        """Append the same frames to many outboxes. Nothing else is done for each."""
        dirty = self._dirty
        if not dirty:
            self._clock.callLater(0, self.flush)
        for outbox in outboxes:
            pending = outbox.pending
            if not pending:
                dirty.append(outbox)
            pending.append(data)

    def touch(self, outbox: Outbox) -> None:
        """An outbox has something to write from now on."""
        if not self._dirty:
            self._clock.callLater(0, self.flush)
        self._dirty.append(outbox)

    def flush(self) -> None:
        """Give each connection what is for it in one write."""
        dirty, self._dirty = self._dirty, []
        for outbox in dirty:
            outbox.flush()

    def hold(self, outbox: Outbox, more: int) -> None:
        """An outbox holds `more` bytes (or fewer, if negative) than before."""
        self._held_total += more
        if outbox.held:
            self._holding.add(outbox)
        else:
            self._holding.discard(outbox)
        if self._total and self._held_total > self._total:
            max(self._holding, key=lambda held: held.held).overflow()


@implementer(IPushProducer)
class Outbox:
    """What waits to be written to one connection.

    Args:
        turn: gathers outboxes.
        transport: the connection; a `DirectServer` is written to directly.
        on_overflow: called once when the peer reads too slowly; what is held is dropped then.

    Attributes:
        pending: frames of this turn. held: bytes that wait since the transport is full.
    """

    __slots__ = (
        "_closed",
        "_direct",
        "_held",
        "_on_overflow",
        "_paused",
        "_transport",
        "_turn",
        "held",
        "pending",
    )

    def __init__(self, turn: Turn, transport: ITransport, on_overflow: Callable[[], None]) -> None:
        self._turn = turn
        self._transport = transport
        self._direct = getattr(transport, "write_direct", None)
        self._on_overflow = on_overflow
        self._paused = False
        self._closed = False
        self._held: list[bytes] | None = None
        self.held = 0
        self.pending: list[bytes] = []
        # Under twisted.web the channel, which has handed its transport over, is registered yet.
        transport.unregisterProducer()  # type: ignore[attr-defined]
        transport.registerProducer(self, True)  # type: ignore[attr-defined]

    @property
    def unsent(self) -> int:
        """Bytes that wait since the peer does not read them."""
        return self.held

    def write(self, data: bytes) -> None:
        """Append whole frames."""
        if not self.pending:
            self._turn.touch(self)
        self.pending.append(data)

    def flush(self) -> None:
        """Write what is pending now."""
        pending = self.pending
        if not pending:
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        self.pending = []
        if self._closed:
            return
        if self._paused:
            self._hold(data)
        elif self._direct is not None:
            self._direct(data)
        else:
            self._transport.write(data)

    def _hold(self, data: bytes) -> None:
        """Keep frames until the transport can take them; too many are dropped."""
        if self._held is None:
            self._held = []
        self._held.append(data)
        self.held += len(data)
        self._turn.hold(self, len(data))
        if self._turn.outbox_bytes and self.held > self._turn.outbox_bytes:
            self.overflow()

    def overflow(self) -> None:
        """The peer reads too slowly: drop what is held, and say so."""
        if not self._closed:
            self._closed = True
            self._let_go()
            self._on_overflow()

    def _let_go(self) -> list[bytes]:
        held, self._held = self._held or [], None
        less, self.held = self.held, 0
        self._turn.hold(self, -less)
        return held

    def close(self) -> None:
        """Write what there is, then nothing more; the transport may be closed after it."""
        self.flush()
        if not self._closed and self._held:
            self._transport.write(b"".join(self._let_go()))
        elif self._held:
            self._let_go()
        self._closed = True
        self._transport.unregisterProducer()  # type: ignore[attr-defined]

    # IPushProducer: the transport says when it is full and when it is empty again.

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport is empty."""
        self._paused = False
        if self._held:
            self._transport.write(b"".join(self._let_go()))

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._closed = True
        self.pending = []
        if self._held:
            self._let_go()
