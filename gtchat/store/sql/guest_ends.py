"""How temporary accounts begin to end, and which of them can be ended."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select

from gtchat.chat.interfaces import StoredGuest
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement

_sessions = schema.sessions
_networks = schema.account_networks
_END_SESSIONS = Statement(delete(_sessions).where(_sessions.c.account_id == bindparam("account")))
_SESSIONS = Statement(
    select(func.count())
    .select_from(_sessions)
    .where(_sessions.c.account_id == bindparam("account"))
)
_NETWORK = Statement(
    select(func.max(_networks.c.network)).where(_networks.c.account_id == bindparam("account"))
)
_MEMBERSHIPS = Statement(
    select(schema.members.c.room_id)
    .where(schema.members.c.account_id == bindparam("account"))
    .order_by(schema.members.c.room_id)
)


def begin_ending(db: Connection, account_id: int) -> tuple[int, ...] | None:
    """End the sessions of a temporary account; see `INodeStore.begin_ending`."""
    account = accounts.get(db, account_id)
    if account is None or account.registered:
        return None
    _END_SESSIONS(db, account=account_id)
    return tuple(row[0] for row in _MEMBERSHIPS(db, account=account_id).fetchall())


def find_guest(db: Connection, key: str) -> StoredGuest | None:
    """Return the temporary account with a name; see `INodeStore.find_guest`."""
    account = accounts.find(db, key, None)
    if account is None or account.registered:
        return None
    network: str | None = _NETWORK.scalar(db, account=account.id)
    return StoredGuest(account, network or "", bool(_SESSIONS.scalar(db, account=account.id)))
