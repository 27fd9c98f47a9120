"""Messages as a rule of the word filter is tried on them: a part of the table at a time.

The matching runs in the thread that reads. The table is read in its own order, that of storing, so
that the newest messages of all rooms come first, and nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import bindparam, func, literal_column, select

from gtchat.chat.admin_store import Scanned, ScanQuery
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement

_log = schema.entries
_rooms = schema.rooms

_LAST = Statement(select(func.max(_log.c.row)))
_PART = Statement(
    select(
        _log.c.row,
        _log.c.room_id,
        _log.c.kind,
        _log.c.at,
        func.coalesce(_log.c.subject_id, literal_column("0")),
        _log.c.usr,
        _log.c.msg,
        _rooms.c.kind,
    )
    .outerjoin_from(_log, _rooms, _rooms.c.id == _log.c.room_id)
    .where(_log.c.row < bindparam("before"))
    .order_by(_log.c.row.desc())
    .limit(bindparam("limit"))
)


def scan(db: Connection, query: ScanQuery, matches: Callable[[str], bool]) -> Scanned:
    """Return how many messages of a part of the table match; see `IAdminStore.scan`."""
    before = query.before
    if before is None:
        before = (_LAST.scalar(db) or 0) + 1
    rows = _PART(db, before=before, limit=query.limit).fetchall()
    wanted = {"room", "direct"} if query.directs else {"room"}
    users: set[int | str] = set()
    messages = matching = 0
    is_end = len(rows) < query.limit or all(row[3] < query.since for row in rows)
    for _, room_id, kind, at, author, name, msg, room_kind in rows:
        if at < query.since or kind != "speak" or not msg or room_kind not in wanted:
            continue
        if query.room_id not in (None, room_id):
            continue
        messages += 1
        if matches(msg):
            matching += 1
            users.add(author or name)
    return Scanned(messages, matching, frozenset(users), None if is_end else rows[-1][0])
