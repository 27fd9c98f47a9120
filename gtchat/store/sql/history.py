"""Queries for parts of a room's log. Rows are written and read in `log_writer`."""

from __future__ import annotations

from functools import lru_cache
from sqlite3 import Connection
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select, union_all

from gtchat.chat.events import ENTRY_TYPES, Entry, MessageSent
from gtchat.chat.interfaces import HistoryPage, HistoryQuery
from gtchat.store.paging import bounds, window
from gtchat.store.sql import schema
from gtchat.store.sql.log_writer import entry_of
from gtchat.store.sql.statements import Statement

_ALL = frozenset(ENTRY_TYPES)
_log = schema.entries
_in_room = _log.c.room_id == bindparam("room_id")

_ROOM = Statement(
    select(
        schema.rooms.c.name,
        select(func.min(_log.c.seq)).where(_in_room).scalar_subquery(),
        select(func.max(_log.c.seq)).where(_in_room).scalar_subquery(),
    ).where(schema.rooms.c.id == bindparam("room_id"))
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
) -> tuple[Entry, ...]:
    """Return the entries of a room after `seq`, oldest first.

    Args:
        db: a connection.
        room_id: the room.
        room_name: its name as it is displayed.
        seq: the entry before the first one.
        limit: the largest number of entries.
    """
    rows = _entries_statement(_ALL, False)(db, room_id=room_id, seq=seq, limit=limit)
    return tuple(entry_of(row, room_name) for row in rows)


def history(db: Connection, room_id: int, query: HistoryQuery) -> HistoryPage:
    """Return part of a room's log; see `IStore.history`."""
    room = _ROOM(db, room_id=room_id).fetchone()
    if room is None:
        return HistoryPage((), 0, 0, False)
    name, first, last = room
    rows, more = _query_rows(db, room_id, query)
    return HistoryPage(tuple(entry_of(row, name) for row in rows), first or 0, last or 0, more)


def _query_rows(db: Connection, room_id: int, query: HistoryQuery) -> tuple[list[Any], bool]:
    """Return the rows of a query, oldest first, and whether there are more of them."""
    kinds = (query.kinds & _ALL) if query.kinds else _ALL
    if not kinds:
        return [], False

    def nearest(seq: int | None, backwards: bool) -> list[Any]:
        if seq is None:
            return []
        statement = _entries_statement(kinds, backwards)
        return statement(db, room_id=room_id, seq=seq, limit=query.limit + 1).fetchall()

    before, after = bounds(query)
    return window(nearest(before, True), nearest(after, False), query.limit)
