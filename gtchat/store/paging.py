"""Which entries of a log a history query or a resumed session gets. Both stores use it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import TypeVar

import attrs

from gtchat.chat.errors import NoSuchMessage
from gtchat.chat.events import AnnotatedMessage, Entry, Event, MessageSent
from gtchat.chat.history_records import PREVIEW_ENTRIES
from gtchat.chat.interfaces import Backlog, HistoryQuery, MessageVersion, MessageVersions
from gtchat.chat.limits import REPLY_BYTES
from gtchat.chat.message_rules import annotated

T = TypeVar("T")

#: Above every seq, and within the integers of every database.
MAX_SEQ = 2**62

#: What an entry has in a reply besides its text, about, in bytes.
_ENTRY_BYTES = 160
#: The same for a reaction besides the names of its users.
_REACTION_BYTES = 80

#: Most entries that are read to find those of the wanted kinds for one page of history.
READ_ROWS = 2_000
#: Most texts of a message that are listed.
VERSIONS_LIMIT = 200

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


def shown_part(
    query: HistoryQuery, first: int, last: int, public_since: int | None
) -> tuple[HistoryQuery, int]:
    """Return what to ask of the part of a log that a query may see, and the lowest seq of that.

    Args:
        query: the query.
        first, last: the lowest seq that is kept, and the newest.
        public_since: seq of the entry that made the room public, 0 if it always was; None for a
            room that is private or has no preview.
    """
    if not query.preview:
        return query, first
    query = attrs.evolve(
        query, before=None, after=None, around=None, kinds=frozenset({MessageSent.kind})
    )
    if public_since is None:
        return query, last + 1
    return query, max(first, last - PREVIEW_ENTRIES + 1, public_since + 1)


def _clamp(seq: int) -> int:
    """Return the nearest seq that a database can compare with; clients may ask for any integer."""
    return max(0, min(seq, MAX_SEQ))


def event_bytes(event: Event) -> int:
    """Return about how many bytes an entry or a whisper has in a reply."""
    text: str = getattr(event, "msg", "") or getattr(event, "topic", "")
    size = _ENTRY_BYTES + len(text.encode())
    if isinstance(event, AnnotatedMessage):
        size += sum(_REACTION_BYTES + len("".join(one.users).encode()) for one in event.reactions)
    return size


def version_bytes(version: MessageVersion) -> int:
    """Return about how many bytes a text of a message has in a reply."""
    return _ENTRY_BYTES + len(version.msg.encode())


def window(
    older: Iterator[T], newer: Iterator[T], limit: int, size: Callable[[T], int]
) -> tuple[list[T], bool]:
    """Return the items nearest to a position, in order, and whether there are more.

    At most `limit` items and about `REPLY_BYTES` are taken, at least one if there is one, and no
    more than one item beyond them is read.

    Args:
        older: the items before the position, newest first.
        newer: the items after it, oldest first.
        limit: maximum number of items.
        size: returns the bytes of an item.
    """
    before: list[T] = []
    after: list[T] = []
    sides = [(older, before), (newer, after)]
    left = REPLY_BYTES
    while sides:
        source, taken = side = sides.pop(0)
        item = next(source, None)
        if item is None:
            continue
        left -= size(item)
        count = len(before) + len(after)
        if count >= limit or (count and left < 0):
            return before[::-1] + after, True
        taken.append(item)
        sides.append(side)
    return before[::-1] + after, False


def versions_of(
    message: MessageSent | None, texts: Callable[[AnnotatedMessage], Iterator[MessageVersion]]
) -> MessageVersions:
    """Return the texts of a message, as many as a reply has place for; see `IStore.versions`.

    Args:
        message: the message, None if there is none.
        texts: yields its texts, newest first.

    Raises:
        NoSuchMessage: there is none.
    """
    if message is None:
        raise NoSuchMessage()
    found = annotated(message)
    kept, _ = window(texts(found), iter(()), VERSIONS_LIMIT, version_bytes)
    return MessageVersions(found.subject_id, found.deleted is not None, tuple(kept))


@attrs.define
class ReadBudget:
    """How many more entries may be read for a page of history."""

    left: int = READ_ROWS

    def take(self) -> bool:
        """Count one more entry; return whether it may be read."""
        self.left -= 1
        return self.left >= 0


#: Returns the entries of the wanted kinds from a seq on, nearest first, as long as the budget
#: lasts: those before the seq if the second argument is true, else those after it; none for None.
PageReader = Callable[[int | None, bool, ReadBudget], Generator[Entry, None, None]]


def find_page(
    query: HistoryQuery,
    read: PageReader,
    nearest: Callable[[int, bool], int | None],
) -> tuple[list[Entry], bool]:
    """Return the entries that a query asks for, and whether there are more.

    Where a long run of other entries is nearest, they are not read: the page begins behind the run.

    Args:
        query: the query.
        read: see `PageReader`.
        nearest: returns the seq of the first of these entries, None if there is none.
    """
    before, after = bounds(query)
    entries, more, ended_early = _read_page(query, read, before, after)
    if not entries and ended_early:
        before = _moved(nearest, before, True)
        after = _moved(nearest, after, False)
        entries, more, ended_early = _read_page(query, read, before, after)
    return entries, more or ended_early


def _read_page(
    query: HistoryQuery,
    read: PageReader,
    before: int | None,
    after: int | None,
) -> tuple[list[Entry], bool, bool]:
    """Return entries, whether there are more, and whether a budget has ended the search."""
    sides = 2 if before is not None and after is not None else 1
    budgets = [ReadBudget(READ_ROWS // sides) for _ in range(2)]
    older, newer = read(before, True, budgets[0]), read(after, False, budgets[1])
    with closing(older), closing(newer):
        entries, more = window(older, newer, query.limit, event_bytes)
    return entries, more, any(budget.left < 0 for budget in budgets)


def _moved(
    nearest: Callable[[int, bool], int | None], position: int | None, backwards: bool
) -> int | None:
    """Return the position right before the first entry of a side, None if there is none."""
    found = None if position is None else nearest(position, backwards)
    return None if found is None else found + (1 if backwards else -1)


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
        first: the lowest seq that is kept, or the next one.
        last: seq of its newest entry, 0 if there never was one.
        deleted_at: when an earlier log of a room of this name was deleted, in milliseconds since
            1970, UTC; None if there was none.
    """

    first: int
    last: int
    deleted_at: int | None


class LogsShortened(Exception):
    """A client has received an entry that its log does not have, or had not at that time."""


def backlogs(
    seen: Mapping[int, int],
    limit: int,
    is_same: Callable[[int | None], bool],
    log_info: Callable[[int], LogInfo | None],
    read: Callable[[int, int, int], Generator[Entry, None, None]],
    was_lost: Callable[[int, int, int], bool],
) -> dict[int, Backlog]:
    """Return what a client missed, by room id; see `IStore.resume`.

    Rooms with fewer entries come first. The first room whose entries do not fit in `REPLY_BYTES`
    is `behind`, as are the rooms with more entries: they are not read. So is a room of which not
    all of the missing entries are kept.

    Args:
        seen: room id -> last seq that the client received.
        limit: largest number of entries of a room.
        is_same: returns whether the client received entries of this log, and not of an earlier one
            that was deleted at the given time.
        log_info: returns the log of a room id, None if there is no such room.
        read: returns the entries of a room, after one seq up to and including another.
        was_lost: returns whether the log of a room, which now ends with the last seq, had no entry
            with the given seq when the client received that.

    Raises:
        LogsShortened: so it is in one of the rooms.
    """
    found = {}
    missed: list[tuple[int, int]] = []
    for room_id, seq in seen.items():
        log = log_info(room_id)
        if log and is_same(log.deleted_at) and seq > 0 and was_lost(room_id, seq, log.last):
            raise LogsShortened()
        if log is not None and not is_same(log.deleted_at):
            found[room_id] = Backlog(reset="recreated")
        elif log is None or not 0 <= seq <= log.last:
            found[room_id] = Backlog(reset="unknown")
        elif seq < log.first - 1:
            found[room_id] = Backlog(behind=True, first=log.first)
        else:
            missed.append((log.last - seq, room_id))
    left = REPLY_BYTES
    for count, room_id in sorted(missed):
        entries = None
        if count <= limit and left:
            start = seen[room_id]
            with closing(read(room_id, start, start + count)) as missing:
                entries = _take_all(missing, left)
        # Another node may have removed the oldest ones since `log_info`.
        if entries is None or len(entries) < count:
            found[room_id] = Backlog(behind=True)
            left = 0
        else:
            found[room_id] = Backlog(entries)
            left -= sum(map(event_bytes, entries))
    return found


def _take_all(entries: Iterator[Entry], max_bytes: int) -> tuple[Entry, ...] | None:
    """Return some entries, None if they have more bytes than is allowed."""
    taken: list[Entry] = []
    for entry in entries:
        max_bytes -= event_bytes(entry)
        if max_bytes < 0:
            return None
        taken.append(entry)
    return tuple(taken)
