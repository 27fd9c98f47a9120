"""Queries for parts of a room's log. Rows are read in `entry_rows`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache, partial

import attrs
from sqlalchemy import (
    ARRAY,
    BigInteger,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    union_all,
)

from gtchat.chat.events import ENTRY_TYPES, PAGE_KINDS, Entry, MessageSent
from gtchat.chat.interfaces import HistoryPage, HistoryQuery, MessageVersions
from gtchat.store.paging import ReadBudget, find_page, shown_part
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.message_changes import SQLMessages, seen_by
from gtchat.store.sql.statements import Statement

_ALL = frozenset(ENTRY_TYPES)
_log = schema.entries
_in_room = _log.c.room_id == bindparam("room_id")

_ROOM = Statement(
    select(
        schema.rooms.c.name,
        func.coalesce(schema.heads.c.first, 0),
        func.coalesce(schema.heads.c.seq, 0),
        schema.rooms.c.public & schema.rooms.c.preview,
        schema.rooms.c.public_since,
    )
    .outerjoin_from(
        schema.rooms,
        schema.heads,
        # A log without an entry may have its row, which has no first one either.
        and_(schema.heads.c.room_id == schema.rooms.c.id, schema.heads.c.seq > 0),
    )
    .where(schema.rooms.c.id == bindparam("room_id"))
)


_COUNT = Statement(
    select(_log.c.message_count, _log.c.kind).where(_in_room, _log.c.seq == bindparam("number"))
)

_wanted = (
    func.unnest(*(bindparam(name, type_=ARRAY(BigInteger)) for name in ("rooms", "lows", "highs")))
    .table_valued("room_id", "low", "high")
    .render_derived(name="wanted")
)
#: One look at the log's own key for each range, whatever the planner thinks of their sizes. For
#: PostgreSQL only.
_found = (
    select(_log.c.room_id, *COLUMNS)
    .where(
        _log.c.room_id == _wanted.c.room_id,
        _log.c.seq >= _wanted.c.low,
        _log.c.seq <= _wanted.c.high,
    )
    .order_by(_log.c.seq)
    .limit(_wanted.c.high - _wanted.c.low + 1)
    .lateral("found")
)
_RANGES = Statement(
    select(_found)
    .select_from(_wanted.join(_found, true()))
    .order_by(_found.c.room_id, _found.c.seq)
)


@lru_cache(maxsize=256)
def _entries_statement(kinds: frozenset[str], backwards: bool) -> Statement:
    """Return the statement for the entries of some kinds in a range of seqs.

    Most entries are messages, so a selection that includes them is read along the log's own key.
    Other kinds are found through their partial index, kind by kind.

    Args:
        kinds: the kinds, not empty.
        backwards: whether the newest come first, rather than the oldest.
    """
    seq = _log.c.seq
    order = seq.desc() if backwards else seq
    in_range = seq.between(bindparam("low"), bindparam("high"))
    base = select(*COLUMNS).where(_in_room, in_range).order_by(order).limit(bindparam("limit"))
    if kinds == _ALL:
        return Statement(base)
    if MessageSent.kind in kinds:
        return Statement(base.where(_log.c.kind.in_(literal_column(f"'{k}'") for k in kinds)))
    # SQLite's planner prefers the log's own key here, which reads the whole log when such entries
    # are rare.
    rare = base.with_hint(_log, "INDEXED BY entries_rare", "sqlite").where(
        _log.c.kind != literal_column("'speak'")
    )
    by_kind = (
        select(rare.where(_log.c.kind == literal_column(f"'{kind}'")).subquery())
        for kind in sorted(kinds)
    )
    found = union_all(*by_kind).subquery()
    ordered = found.c.seq.desc() if backwards else found.c.seq
    return Statement(select(found).order_by(ordered).limit(bindparam("limit")))


@attrs.frozen
class KeptLog:
    """The log of a room, from the first entry that is kept to the last one.

    Args:
        db: a connection.
        room_id: the room.
        room_name: its name as it is displayed.
        first, last: the seqs of the two.
    """

    db: Connection
    room_id: int
    room_name: str
    first: int
    last: int

    def read(
        self, kinds: frozenset[str], backwards: bool, low: int, high: int, limit: int
    ) -> Generator[Entry, None, None]:
        """Yield the entries of some kinds in a range; each is read when it is asked for.

        Args:
            kinds: the kinds.
            backwards: whether the newest come first, rather than the oldest.
            low, high: the lowest seq of the range, and the highest.
            limit: the largest number of entries.
        """
        if not kinds or low > high:
            return
        statement = _entries_statement(kinds, backwards)
        rows = statement(self.db, room_id=self.room_id, low=low, high=high, limit=limit)
        with closing(rows):
            for row in rows:
                yield entry_of(row, self.room_name)

    def page(
        self,
        kinds: frozenset[str],
        limit: int,
        seq: int | None,
        backwards: bool,
        budget: ReadBudget,
    ) -> Generator[Entry, None, None]:
        """Yield the entries of some kinds on one side of a seq; see `paging.PageReader`.

        There is no gap in the seqs, so the budget is a range. Entries that are found by their
        index alone need none.
        """
        if seq is None:
            return
        low, high = (self.first, min(seq - 1, self.last)) if backwards else (seq + 1, self.last)
        low = max(low, self.first)
        if MessageSent.kind in kinds and high - low >= budget.left:
            low, high = (
                (high - budget.left + 1, high) if backwards else (low, low + budget.left - 1)
            )
            yield from self.read(kinds, backwards, low, high, limit)
            budget.left = -1
        else:
            yield from self.read(kinds, backwards, low, high, limit)

    def nearest(self, kinds: frozenset[str], seq: int, backwards: bool) -> int | None:
        """Return the seq of the first entry of some kinds on one side of a seq, None if none is."""
        low, high = (self.first, min(seq - 1, self.last)) if backwards else (seq + 1, self.last)
        low = max(low, self.first)
        found = [
            entry.seq for entry in self.read(kinds - {MessageSent.kind}, backwards, low, high, 1)
        ]
        message = self._nearest_message(low, high, backwards) if low <= high else None
        if message is not None and MessageSent.kind in kinds:
            found.append(message)
        return (max if backwards else min)(found, default=None)

    def _nearest_message(self, low: int, high: int, backwards: bool) -> int | None:
        """Return the seq of the newest message in a range, or of the oldest, None if none is there.

        The number of messages grows along the log: the message is found by bisection.
        """
        before = self._count(low)[0] - (self._count(low)[1] == MessageSent.kind)
        count = self._count(high)[0] if backwards else before + 1
        if not before < count <= self._count(high)[0]:
            return None
        while low < high:
            middle = (low + high) // 2
            if self._count(middle)[0] < count:
                low = middle + 1
            else:
                high = middle
        return low

    def _count(self, seq: int) -> tuple[int, str]:
        """Return the number of messages up to an entry, and the kind of the entry.

        The entry can have been deleted since the query began, as all before it.
        """
        row = _COUNT(self.db, room_id=self.room_id, number=seq).fetchone()
        return (0, "") if row is None else (row[0], row[1])


def entries_after(
    db: Connection, room_id: int, room_name: str, seq: int, limit: int
) -> Generator[Entry, None, None]:
    """Return the entries of a room after `seq`, oldest first; each is read when it is asked for.

    Args:
        db: a connection.
        room_id: the room.
        room_name: its name as it is displayed.
        seq: the entry before the first one.
        limit: the largest number of entries.
    """
    log = KeptLog(db, room_id, room_name, seq + 1, seq + limit)
    return log.read(_ALL, False, seq + 1, seq + limit, limit)


def entries_of_ranges(
    db: Connection, ranges: Sequence[tuple[int, int, int]], names: Mapping[int, str]
) -> dict[int, list[Entry]]:
    """Return the entries of parts of many logs, each log oldest first. PostgreSQL only.

    Args:
        db: a connection.
        ranges: (room id, lowest seq, highest seq); no entry is in two of them.
        names: room id -> its name as it is displayed, "" where there is none.
    """
    found: defaultdict[int, list[Entry]] = defaultdict(list)
    if ranges:
        rooms, lows, highs = map(list, zip(*ranges, strict=True))
        for room_id, *row in _RANGES(db, rooms=rooms, lows=lows, highs=highs):
            found[room_id].append(entry_of(row, names.get(room_id, "")))
    return found


def history(db: Connection, room_id: int, query: HistoryQuery) -> HistoryPage:
    """Return part of a room's log; see `IStore.history`."""
    room = _ROOM(db, room_id=room_id).fetchone()
    if room is None:
        return HistoryPage((), 0, 0, False)
    name, first, last, has_preview, public_since = room
    since = public_since if has_preview else None
    query, shown = shown_part(query, max(first, 1), last, since)
    kinds = (query.kinds & _ALL) if query.kinds else PAGE_KINDS
    log = KeptLog(db, room_id, name, shown, last)
    read = partial(log.page, kinds, query.limit + 1)
    entries, more = find_page(query, read, partial(log.nearest, kinds))
    seen = seen_by(db, room_id, entries, query.viewer)
    return HistoryPage(tuple(seen), first, last, more)


def versions(db: Connection, room_id: int, seq: int) -> MessageVersions:
    """Return the texts of a message; see `IStore.versions`."""
    return SQLMessages(db, room_id, "").versions(seq)
