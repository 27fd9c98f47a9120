"""Queries for parts of a room's log. Rows are written and read in `log_writer`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import lru_cache
from sqlite3 import Connection

from sqlalchemy import bindparam, func, literal_column, select, union_all

from gtchat.chat.events import ENTRY_TYPES, Entry, MessageSent
from gtchat.chat.interfaces import HistoryPage, HistoryQuery
from gtchat.store.paging import bounds, event_bytes, window
from gtchat.store.sql import schema
from gtchat.store.sql.log_writer import entry_of
from gtchat.store.sql.statements import Statement

_ALL = frozenset(ENTRY_TYPES)
_log = schema.entries
_in_room = _log.c.room_id == bindparam("room_id")

_ROOM = Statement(
    select(
        schema.rooms.c.name,
        func.coalesce(schema.heads.c.first, 0),
        func.coalesce(schema.heads.c.seq, 0),
    )
    .outerjoin_from(schema.rooms, schema.heads, schema.heads.c.room_id == schema.rooms.c.id)
    .where(schema.rooms.c.id == bindparam("room_id"))
)


@lru_cache(maxsize=256)
def _entries_statement(kinds: frozenset[str], backwards: bool) -> Statement:
    """Return the statement for the entries of some kinds before or after a seq, nearest first.

    Most entries are messages, so a selection that includes them is read along the log's own key.
    Other kinds are found through their partial index, kind by kind.

    Args:
        kinds: the kinds, not empty.
        backwards: whether to read before the seq, rather than after it.
    """
    seq = _log.c.seq
    order = seq.desc() if backwards else seq
    beyond = seq < bindparam("seq") if backwards else seq > bindparam("seq")
    base = select(_log).where(_in_room, beyond).order_by(order).limit(bindparam("limit"))
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
    return _read(db, room_id, room_name, seq, limit, _ALL, backwards=False)


def history(db: Connection, room_id: int, query: HistoryQuery) -> HistoryPage:
    """Return part of a room's log; see `IStore.history`."""
    room = _ROOM(db, room_id=room_id).fetchone()
    if room is None:
        return HistoryPage((), 0, 0, False)
    name, first, last = room
    kinds = (query.kinds & _ALL) if query.kinds else _ALL
    before, after = bounds(query)
    limit = query.limit + 1
    older = _read(db, room_id, name, before, limit, kinds, backwards=True)
    newer = _read(db, room_id, name, after, limit, kinds, backwards=False)
    with closing(older), closing(newer):
        entries, more = window(older, newer, query.limit, event_bytes)
    return HistoryPage(tuple(entries), first, last, more)


def _read(
    db: Connection,
    room_id: int,
    room_name: str,
    seq: int | None,
    limit: int,
    kinds: frozenset[str],
    backwards: bool,
) -> Generator[Entry, None, None]:
    """Yield the entries of some kinds before or after a seq, nearest first; none for None."""
    if seq is None or not kinds:
        return
    rows = _entries_statement(kinds, backwards)(db, room_id=room_id, seq=seq, limit=limit)
    with closing(rows):
        for row in rows:
            yield entry_of(row, room_name)
