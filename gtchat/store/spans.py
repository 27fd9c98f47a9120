"""Which part of a log: of a page, of what a session missed. Both stores decide it here alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from gtchat.chat.events import Entry
from gtchat.chat.interfaces import Missed, Span

T = TypeVar("T")

#: Beyond every seq, and still an integer for every database.
ENDLESS = 2**62

#: Entries that a resumed session is given at once, in all its rooms together.
MOST_MISSED = 2000


def sides(span: Span) -> tuple[int | None, int | None]:
    """Where to look: before which seq, after which seq; None: not on that side."""
    if span.before is not None:
        return _real(span.before), None
    if span.after is not None:
        return None, _real(span.after)
    if span.around is not None:
        return _real(span.around) + 1, _real(span.around)
    return ENDLESS, None


def _real(seq: int) -> int:
    """A seq that a database can count with, for whatever somebody asked."""
    return max(0, min(seq, ENDLESS))


def nearest(older: list[T], newer: list[T], limit: int) -> tuple[list[T], bool]:
    """The `limit` things nearest to a place, in order, and whether there were more.

    Args:
        older: before the place, newest first. newer: after it, oldest first.
    """
    wanted = max(limit - limit // 2, limit - len(newer))
    before = older[:wanted]
    after = newer[: limit - len(before)]
    more = len(before) < len(older) or len(after) < len(newer)
    return before[::-1] + after, more


@attrs.frozen
class Lapse:
    """When a session was surely connected: from `began` until `lost` (None: not known)."""

    began: int
    lost: int | None

    def saw_go(self, deleted_at: int | None, sure_ms: int) -> bool:
        """Whether it was surely told of a log that was deleted (None: there was none)."""
        if deleted_at is None or self.began > deleted_at:
            return True
        return self.lost is not None and self.lost >= deleted_at + sure_ms


@attrs.frozen
class Known:
    """A log: how many entries it has, and when an earlier one of that name was deleted."""

    last: int
    deleted_at: int | None


def missed(
    seen: Mapping[int, int],
    most: int,
    is_same: Callable[[int | None], bool],
    know: Callable[[int], Known | None],
    read: Callable[[int, int, int], tuple[Entry, ...]],
) -> dict[int, Missed]:
    """What there is of each room after what was seen, as `IStore.resume` says.

    Args:
        seen: room id -> last seq seen.
        is_same: whether what was seen is of this log, given when another one was deleted.
        know: the log of a room id. read: entries of a room, from after one seq to another.
    """
    found = {}
    left = MOST_MISSED
    for room_id, seq in seen.items():
        log = know(room_id)
        if log is None or not 0 <= seq <= log.last or not is_same(log.deleted_at):
            found[room_id] = Missed(reset=True)
        elif log.last - seq > min(most, left):
            found[room_id] = Missed(behind=True)
        else:
            left -= log.last - seq
            found[room_id] = Missed(read(room_id, seq, log.last))
    return found
