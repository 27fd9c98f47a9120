"""Which part of a log: of a page, of what a session missed. Both stores decide it here alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from gtchat.chat.events import Entry
from gtchat.chat.interfaces import Backlog, HistoryQuery

T = TypeVar("T")

#: Beyond every seq, and still an integer for every database.
MAX_SEQ = 2**62

#: Entries that a resumed session is given at once, in all its rooms together.
TOTAL_BACKLOG_LIMIT = 2000


def bounds(span: HistoryQuery) -> tuple[int | None, int | None]:
    """Where to look: before which seq, after which seq; None: not on that side."""
    if span.before is not None:
        return _real(span.before), None
    if span.after is not None:
        return None, _real(span.after)
    if span.around is not None:
        return _real(span.around) + 1, _real(span.around)
    return MAX_SEQ, None


def _real(seq: int) -> int:
    """A seq that a database can count with, for whatever somebody asked."""
    return max(0, min(seq, MAX_SEQ))


def window(older: list[T], newer: list[T], limit: int) -> tuple[list[T], bool]:
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
class ConnectedInterval:
    """When a session was surely connected: from `began` until `lost` (None: not known)."""

    began_at: int
    lost_at: int | None

    def saw_deletion(self, deleted_at: int | None, liveness_ms: int) -> bool:
        """Whether it was surely told of a log that was deleted (None: there was none)."""
        if deleted_at is None or self.began_at > deleted_at:
            return True
        return self.lost_at is not None and self.lost_at >= deleted_at + liveness_ms


@attrs.frozen
class LogInfo:
    """A log: how many entries it has, and when an earlier one of that name was deleted."""

    last: int
    deleted_at: int | None


def backlogs(
    seen: Mapping[int, int],
    limit: int,
    is_same: Callable[[int | None], bool],
    know: Callable[[int], LogInfo | None],
    read: Callable[[int, int, int], tuple[Entry, ...]],
) -> dict[int, Backlog]:
    """What there is of each room after what was seen, as `IStore.resume` says.

    Args:
        seen: room id -> last seq seen.
        is_same: whether what was seen is of this log, given when another one was deleted.
        know: the log of a room id. read: entries of a room, from after one seq to another.
    """
    found = {}
    left = TOTAL_BACKLOG_LIMIT
    for room_id, seq in seen.items():
        log = know(room_id)
        if log is None or not 0 <= seq <= log.last or not is_same(log.deleted_at):
            found[room_id] = Backlog(reset=True)
        elif log.last - seq > min(limit, left):
            found[room_id] = Backlog(behind=True)
        else:
            left -= log.last - seq
            found[room_id] = Backlog(read(room_id, seq, log.last))
    return found
