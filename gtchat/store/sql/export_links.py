"""Links to exports of accounts, and from when the last one counts; see `IExportStore`."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, null, select, update

from gtchat.chat.errors import BadCredentials
from gtchat.chat.export_store import StoredExportLink, check_interval
from gtchat.store.sql import administration, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_links = schema.export_links
_sessions = schema.sessions
_of_account = _links.c.account_id == bindparam("account")

_BEGUN = Statement(select(_links.c.begun_at).where(_of_account))
_add = insert(_links)
_ADD = Statement(
    _add.on_conflict_do_update(
        index_elements=["account_id"],
        set_={name: getattr(_add.excluded, name) for name in ("token_hash", "session", "until")},
    ),
    columns=("account_id", "token_hash", "session", "until", "begun_at"),
)
_FIND = Statement(
    select(_links.c.account_id, _links.c.session).where(
        _links.c.token_hash == bindparam("token"), _links.c.until > bindparam("at")
    )
)
_USE = Statement(
    update(_links)
    .where(
        _of_account,
        _links.c.token_hash == bindparam("token"),
        _links.c.until > bindparam("at"),
        exists().where(_sessions.c.token_hash == _links.c.session),
    )
    .values(token_hash=null(), begun_at=bindparam("counts_from"))
    .returning(_links.c.account_id)
)
_COUNT = Statement(
    update(_links)
    .where(_of_account, _links.c.begun_at < bindparam("at"))
    .values(token_hash=null(), begun_at=bindparam("at"))
)
_PRUNE = Statement(
    delete(_links).where(_links.c.until < bindparam("at"), _links.c.begun_at < bindparam("at"))
)


def add(
    db: Connection, link: StoredExportLink, token_hash: bytes, expires_at: int, since: int
) -> None:
    """Keep a link; see `IExportStore.add_export_link`."""
    administration.require_session(db, link.account_id, link.session)
    begun_at = _BEGUN.scalar(db, account=link.account_id) or 0
    check_interval(begun_at, since)
    _ADD(
        db,
        account_id=link.account_id,
        token_hash=token_hash,
        session=link.session,
        until=expires_at,
        begun_at=0,
    )


def find(db: Connection, token_hash: bytes, at: int) -> StoredExportLink | None:
    """Return a link; see `IExportStore.find_export_link`."""
    row = _FIND(db, token=token_hash, at=at).fetchone()
    return None if row is None else StoredExportLink(*row)


def use(
    db: Connection, link: StoredExportLink, token_hash: bytes, at: int, counts_from: int
) -> None:
    """End a link; see `IExportStore.use_export_link`."""
    values = {"token": token_hash, "at": at, "counts_from": counts_from}
    if _USE.scalar(db, account=link.account_id, **values) is None:
        raise BadCredentials()


def count(db: Connection, account_id: int, at: int) -> None:
    """Let an export count; see `IExportStore.count_export`."""
    _COUNT(db, account=account_id, at=at)


def prune(db: Connection, at: int) -> None:
    """Delete the rows with nothing that is later than a time, in milliseconds."""
    _PRUNE(db, at=at)
