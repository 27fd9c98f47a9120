"""What outboxes have not sent yet: pieces of frames, and the limits of their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Union

from gtchat.chat.limits import Limits

#: Size in bytes from which frames are not joined to others, and a reply does not wait for the end
#: of the iteration: what a full transport holds is about one such piece.
PIECE_BYTES = 32_768

#: Bytes that a transport without `send_now` may hold when it says that it is full: what Twisted
#: buffers for TCP, and as much for TLS above it.
BUFFERS_BYTES = 2 * 65_536

#: Whole frames, or a view of frames that other outboxes get too.
Frames = Union[bytes, memoryview]  # noqa: UP007 (evaluated)


def join_frames(frames: Sequence[Frames]) -> list[bytes]:
    """Join frames to pieces of at most `PIECE_BYTES`; a larger frame is a piece of its own."""
    pieces: list[bytes] = []
    start = size = 0
    for index, frame in enumerate(frames):
        if size and size + len(frame) > PIECE_BYTES:
            pieces.append(b"".join(frames[start:index]))
            start, size = index, 0
        size += len(frame)
    return [*pieces, b"".join(frames[start:])]


def join_pending(pending: Frames | list[Frames] | None) -> bytes:
    """Return the frames of an outbox as one object."""
    return b"".join(pending) if isinstance(pending, list) else bytes(pending or b"")


class Holder(Protocol):
    """What has unsent bytes: see `Outbox`."""

    held: int
    in_transport: int

    def overflow(self) -> None: ...


class UnsentLimits:
    """Counts the bytes that outboxes and their transports hold, and limits them.

    Args:
        limits: `outbox_bytes` is the largest number of an outbox; a single piece may be larger.
            `unsent_bytes_total` is that of all; beyond it the one that has most overflows.

    Attributes:
        total: bytes that are unsent now.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._holding: set[Holder] = set()
        self.total = 0

    def account(self, outbox: Holder, more: int) -> None:
        """Note that more or fewer bytes of an outbox are unsent than before.

        Args:
            outbox: its `held` and `in_transport` are the new numbers.
            more: the difference in bytes, negative for fewer.
        """
        self.total += more
        if outbox.held or outbox.in_transport:
            self._holding.add(outbox)
        else:
            self._holding.discard(outbox)

    def check(self, outbox: Holder) -> None:
        """Let an outbox overflow if it, or all together, have too much unsent."""
        most, total = self._limits.outbox_bytes, self._limits.unsent_bytes_total
        if most and outbox.held and _unsent(outbox) > most:
            outbox.overflow()
        elif total and self.total > total:
            max(self._holding, key=_unsent).overflow()


def _unsent(outbox: Holder) -> int:
    return outbox.held + outbox.in_transport
