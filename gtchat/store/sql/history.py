"""Entries of logs as rows, and back; the parts of a log that people ask for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from sqlite3 import Connection
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, literal_column, select, union_all

from gtchat.chat.events import ENTRY_TYPES, EXTRA_FIELDS, Entry, MessageSent
from gtchat.chat.interfaces import HistoryPage, HistoryQuery
from gtchat.store.paging import bounds, window
from gtchat.store.sql import schema
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
    """The entries of some kinds before (or after) a seq, nearest first.

    Rare kinds are found by their index, one by one; a room is mostly talk, so a selection with
    messages in it is found by reading on.
    """
    seq = _log.c.seq
    order = seq.desc() if backwards else seq
    beyond = seq < bindparam("seq") if backwards else seq > bindparam("seq")
    columns = (_log.c.kind, seq, _log.c.at, _log.c.usr, _log.c.id, _log.c.msg, _log.c.extra)
    base = select(*columns).where(_in_room, beyond).order_by(order).limit(bindparam("limit"))
    if kinds == _ALL:
        return Statement(base)
    if MessageSent.kind in kinds:
        return Statement(base.where(_log.c.kind.in_(literal_column(f"'{k}'") for k in kinds)))
    # SQLite's planner would read on by the log's own key, which costs most where there is least.
    rare = base.with_hint(_log, "INDEXED BY entries_rare", "sqlite").where(
        _log.c.kind != literal_column("'speak'")
    )
    each = (
        select(rare.where(_log.c.kind == literal_column(f"'{kind}'")).subquery())
        for kind in sorted(kinds)
    )
    found = union_all(*each).subquery()
    ordered = found.c.seq.desc() if backwards else found.c.seq
    return Statement(select(found).order_by(ordered).limit(bindparam("limit")))


def row_of(room_id: int, seq: int, spoken: int, entry: Entry) -> tuple[Any, ...]:
    """An entry as a row of `entries`, in the order of its columns."""
    kind = entry.kind
    names = EXTRA_FIELDS[kind]
    return (
        room_id,
        seq,
        spoken,
        kind,
        entry.at,
        entry.usr,
        getattr(entry, "id", None),
        getattr(entry, "msg", None),
        msgspec.json.encode({name: getattr(entry, name) for name in names}).decode()
        if names
        else None,
    )


def _entry(row: Sequence[Any], room_name: str) -> Entry:
    """The entry that a row with kind, seq, at, usr, id, msg, extra was made of."""
    kind, seq, at, usr, id_, msg, extra = row
    if kind == MessageSent.kind:
        return MessageSent(room_name=room_name, usr=usr, msg=msg, id=id_, at=at, seq=seq)
    fields: dict[str, Any] = msgspec.json.decode(extra) if extra else {}
    return ENTRY_TYPES[kind](room_name=room_name, usr=usr, at=at, seq=seq, **fields)


def entries_after(
    db: Connection, room_id: int, room_name: str, seq: int, limit: int
) -> tuple[Entry, ...]:
    """The oldest `limit` entries of a room after a seq."""
    rows = _entries_statement(_ALL, False)(db, room_id=room_id, seq=seq, limit=limit)
    return tuple(_entry(row, room_name) for row in rows)


def history(db: Connection, room_id: int, span: HistoryQuery) -> HistoryPage:
    """Part of a room's log, as `IStore.history` says."""
    room = _ROOM(db, room_id=room_id).fetchone()
    if room is None:
        return HistoryPage((), 0, 0, False)
    name, first, last = room
    rows, more = _span_rows(db, room_id, span)
    return HistoryPage(tuple(_entry(row, name) for row in rows), first or 0, last or 0, more)


def _span_rows(db: Connection, room_id: int, span: HistoryQuery) -> tuple[list[Any], bool]:
    """Rows of a span, oldest first, and whether there are more of them."""
    kinds = (span.kinds & _ALL) if span.kinds else _ALL
    if not kinds:
        return [], False

    def side(seq: int | None, backwards: bool) -> list[Any]:
        if seq is None:
            return []
        part = _entries_statement(kinds, backwards)
        return part(db, room_id=room_id, seq=seq, limit=span.limit + 1).fetchall()

    before, after = bounds(span)
    return window(side(before, True), side(after, False), span.limit)
