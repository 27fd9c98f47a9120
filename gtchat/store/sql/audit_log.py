"""The audit log as a table: write, read and prune it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import msgspec
from sqlalchemy import Text, bindparam, delete, func, or_, select

from gtchat.chat.admin_store import AUDIT_NAMES, AuditLimits, AuditQuery
from gtchat.chat.audit import AUDIT, AuditRecord
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import BulkInsert, Statement, insert

_audit = schema.audit

_COLUMNS = ("at", "code", "who", "session", "address", "subject", "what", "counted")
_INSERT = BulkInsert(insert(_audit), _COLUMNS)
#: The parameters with the names of a query; each has one.
_NAMES = [f"name_{number}" for number in range(AUDIT_NAMES)]
#: A parameter that is NULL, or "" for a text, means no condition.
_PAGE = Statement(
    select(
        _audit.c.id,
        _audit.c.at,
        _audit.c.code,
        _audit.c.who,
        _audit.c.session,
        _audit.c.address,
        _audit.c.subject,
        _audit.c.what,
    )
    .where(
        _audit.c.id < bindparam("before"),
        _audit.c.at >= bindparam("since"),
        _audit.c.at < bindparam("until"),
        or_(bindparam("code", type_=Text) == "", _audit.c.code == bindparam("code")),
        or_(
            bindparam(_NAMES[0], type_=Text) == "",
            _audit.c.who.in_([*map(bindparam, _NAMES)]),
            _audit.c.subject.in_([*map(bindparam, _NAMES)]),
        ),
    )
    .order_by(_audit.c.id.desc())
    .limit(bindparam("limit"))
)
_OLD = select(_audit.c.id).where(_audit.c.at < bindparam("before")).limit(bindparam("limit"))
_SURPLUS = (
    select(_audit.c.id)
    .where(
        _audit.c.counted,
        _audit.c.id
        <= select(func.coalesce(func.max(_audit.c.id), 0)).scalar_subquery() - bindparam("kept"),
    )
    .order_by(_audit.c.id)
    .limit(bindparam("limit"))
)
_DELETE_OLD = Statement(delete(_audit).where(_audit.c.id.in_(_OLD)))
_DELETE_SURPLUS = Statement(delete(_audit).where(_audit.c.id.in_(_SURPLUS)))
#: Beyond all times and numbers.
_MAX = 2**62


def write(db: Connection, records: Sequence[AuditRecord]) -> None:
    """Write records, within the transaction of what they record."""
    if not records:
        return
    values: list[Any] = []
    for record in records:
        what = msgspec.json.encode(dict(record.what)).decode()
        values += (record.at, record.code, record.who, record.session, record.address)
        values += (record.subject, what, AUDIT[record.code].counted)
    _INSERT(db, values)


def page(db: Connection, query: AuditQuery) -> list[AuditRecord]:
    """Return records, newest first; see `IAdminStore.audit_records`."""
    rows = _PAGE(
        db,
        before=_MAX if query.before is None else query.before,
        since=0 if query.since is None else query.since,
        until=_MAX if query.until is None else query.until,
        **dict(zip(_NAMES, chain(query.names, repeat((*query.names, "")[0])), strict=False)),
        code=query.code,
        limit=query.limit,
    )
    return [
        AuditRecord(at, code, who, session, address, subject, msgspec.json.decode(what), id_)
        for id_, at, code, who, session, address, subject, what in rows
    ]


def prune(db: Connection, limits: AuditLimits, rows: int) -> bool:
    """Delete records that are too old or too many, a slice of each.

    Args:
        db: the writer's connection.
        limits: how much is kept.
        rows: the most rows of a slice.

    Returns:
        Whether there may be more.
    """
    old = _DELETE_OLD(db, before=limits.before, limit=rows).rowcount
    surplus = 0
    if limits.records:
        surplus = _DELETE_SURPLUS(db, kept=limits.records, limit=rows).rowcount
    return rows in (old, surplus)
