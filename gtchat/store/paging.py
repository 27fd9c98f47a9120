"""Which entries of a log a history query or a resumed session gets. Both stores use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from gtchat.chat.events import Entry
from gtchat.chat.interfaces import Backlog, HistoryQuery

T = TypeVar("T")

#: Above every seq, and within the integers of every database.
MAX_SEQ = 2**62

#: Entries that a resumed session gets at most, in all its rooms together.
TOTAL_BACKLOG_LIMIT = 2000

#: Up to so many unread messages of a room are counted exactly: without those that are never unread,
#: as far as these are among so many of its newest entries.
UNREAD_EXACT, UNREAD_WINDOW = 99, 200


def bounds(query: HistoryQuery) -> tuple[int | None, int | None]:
    """Return before which seq and after which seq to look for entries; None for not at all."""
    if query.before is not None:
        return _clamp(query.before), None
    if query.after is not None:
        return None, _clamp(query.after)
    if query.around is not None:
        return _clamp(query.around) + 1, _clamp(query.around)
    return MAX_SEQ, None


def _clamp(seq: int) -> int:
    """Return the nearest seq that a database can compare with; clients may ask for any integer."""
    return max(0, min(seq, MAX_SEQ))


def window(older: list[T], newer: list[T], limit: int) -> tuple[list[T], bool]:
    """Return the `limit` items nearest to a position, in order, and whether there are more.

    Args:
        older: the items before the position, newest first.
        newer: the items after it, oldest first.
        limit: how many to return; more than that in `older` or `newer` means that there are more.
    """
    from_older = max(limit - limit // 2, limit - len(newer))
    before = older[:from_older]
    after = newer[: limit - len(before)]
    more = len(before) < len(older) or len(after) < len(newer)
    return before[::-1] + after, more


@attrs.frozen
class ConnectedInterval:
    """The time in which a session was certainly connected.

    Attributes:
        began_at: its start, in milliseconds since 1970, UTC.
        lost_at: its end; None if it is not known.
    """

    began_at: int
    lost_at: int | None

    def saw_deletion(self, deleted_at: int | None, liveness_ms: int) -> bool:
        """Return whether the session certainly received the deletion of a log.

        Args:
            deleted_at: when that was, in milliseconds since 1970, UTC; None if no log was deleted.
            liveness_ms: milliseconds after which a dead connection is noticed.
        """
        if deleted_at is None or self.began_at > deleted_at:
            return True
        return self.lost_at is not None and self.lost_at >= deleted_at + liveness_ms


@attrs.frozen
class LogInfo:
    """The log of a room.

    Attributes:
        last: seq of its newest entry, 0 if it is empty.
        deleted_at: when an earlier log of a room of this name was deleted, in milliseconds since
            1970, UTC; None if there was none.
    """

    last: int
    deleted_at: int | None


def backlogs(
    seen: Mapping[int, int],
    limit: int,
    is_same: Callable[[int | None], bool],
    log_info: Callable[[int], LogInfo | None],
    read: Callable[[int, int, int], tuple[Entry, ...]],
) -> dict[int, Backlog]:
    """Return what a client missed, by room id; see `IStore.resume`.

    Args:
        seen: room id -> last seq that the client received.
        limit: largest number of entries of a room.
        is_same: returns whether the client received entries of this log, and not of an earlier one
            that was deleted at the given time.
        log_info: returns the log of a room id, None if there is no such room.
        read: returns the entries of a room, after one seq up to and including another.
    """
    found = {}
    left = TOTAL_BACKLOG_LIMIT
    for room_id, seq in seen.items():
        log = log_info(room_id)
        if log is None or not 0 <= seq <= log.last or not is_same(log.deleted_at):
            found[room_id] = Backlog(reset=True)
        elif log.last - seq > min(limit, left):
            found[room_id] = Backlog(behind=True)
        else:
            left -= log.last - seq
            found[room_id] = Backlog(read(room_id, seq, log.last))
    return found
