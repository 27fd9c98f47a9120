"""What the texts of messages take, by room and by account.

Only a number of the newest entries is read, in the order of the table. Without that bound the sums
of a large database would take minutes, and the cache.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    LargeBinary,
    Subquery,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)

from gtchat.chat.admin_store import (
    DELETED_ROOMS,
    DIRECT_MESSAGES,
    NO_ACCOUNT,
    StorageQuery,
    StorageUse,
    StoredTexts,
)
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.statements import Statement

_log = schema.entries
_rooms = schema.rooms
_accounts = schema.accounts

#: Before 3.43 SQLite has no `octet_length`; PostgreSQL reads a text that it casts to bytes as
#: escapes.
_BYTES: dict[bool, ColumnElement[Any]] = {
    True: func.octet_length(_log.c.msg),
    False: func.length(cast(_log.c.msg, LargeBinary)),
}
_ROOM_NAME = case(
    (_rooms.c.id.is_(None), literal_column(f"'{DELETED_ROOMS}'")),
    (_rooms.c.kind == literal_column("'direct'"), literal_column(f"'{DIRECT_MESSAGES}'")),
    else_=_rooms.c.name,
)
#: An expression: by the column itself SQLite would read the logs room by room, with all entries.
_ROOM_ID = _log.c.room_id + literal_column("0")
_ACCOUNT_NAME = func.coalesce(_accounts.c.name, literal_column(f"'{NO_ACCOUNT}'"))
_BOUNDS = Statement(
    select(
        select(func.min(_log.c.row)).scalar_subquery(),
        select(func.max(_log.c.row)).scalar_subquery(),
    )
)


def _sums(key: ColumnElement[Any], size: ColumnElement[Any]) -> Subquery:
    """Return the sums by a key of the entries."""
    return (
        select(key.label("id"), func.count().label("messages"), func.sum(size).label("size"))
        .where(_log.c.row > bindparam("above"), _log.c.kind == literal_column("'speak'"))
        .group_by(key)
        .subquery("sums")
    )


def _statement(
    key: ColumnElement[Any], table: FromClause, name: ColumnElement[Any], size: ColumnElement[Any]
) -> Statement:
    """Return the statement that adds up what has the same name."""
    sums = _sums(key, size)
    named = (
        select(name.label("name"), sums.c.messages, sums.c.size)
        .select_from(sums.outerjoin(table, table.c.id == sums.c.id))
        .subquery("named")
    )
    total = cast(func.coalesce(func.sum(named.c.size), literal_column("0")), BigInteger)
    return Statement(
        select(named.c.name, cast(func.sum(named.c.messages), BigInteger), total)
        .group_by(named.c.name)
        .order_by(total.desc(), named.c.name)
        .limit(bindparam("limit"))
    )


#: What is counted by, and whether in PostgreSQL -> the statement.
_COUNT = {
    (by, postgres): _statement(key, table, name, size)
    for postgres, size in _BYTES.items()
    for by, key, table, name in (
        ("rooms", _ROOM_ID, _rooms, _ROOM_NAME),
        ("accounts", _log.c.subject_id, _accounts, _ACCOUNT_NAME),
    )
}


def count(db: Connection, query: StorageQuery) -> StorageUse:
    """Return what the texts of messages take; see `IAdminStore.storage`."""
    first, last = _BOUNDS(db).fetchone() or (None, None)
    if last is None:
        return StorageUse((), True)
    above = last - query.entries
    rows = _COUNT[query.by, isinstance(db, PostgresSQL)](db, above=above, limit=query.limit)
    return StorageUse(tuple(StoredTexts(*row) for row in rows), first > above)
