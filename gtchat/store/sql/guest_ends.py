"""How temporary accounts begin to end, and which of them can be ended.

Which accounts are connected at other nodes only PostgreSQL knows: `sessions.node_id` and `online`.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select

from gtchat.chat.interfaces import StoredGuest
from gtchat.store.sql import accounts, room_records, schema
from gtchat.store.sql.database import Connection, PostgresSQL
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
#: Whether an account is connected at another node than one, which is NULL for none. A client that
#: cannot resume its session has no row in `sessions`.
_IS_ELSEWHERE = (
    "SELECT 1 FROM sessions WHERE account_id = %(account)s AND expires_from IS NULL"
    " AND node_id IS DISTINCT FROM %(node)s::bigint"
    " UNION ALL SELECT 1 FROM online WHERE account_id = %(account)s"
    " AND node_id IS DISTINCT FROM %(node)s::bigint LIMIT 1"
)


def begin_ending(
    db: Connection, account_id: int, node_id: int | None = None
) -> tuple[int, ...] | None:
    """End the sessions of an account that ends; see `INodeStore.begin_ending`.

    Args:
        db: the writer's connection, which has the lock of the account.
        account_id: the account.
        node_id: this node, which knows who is connected here; None if no other can use the
            database.
    """
    account = accounts.get(db, account_id)
    if account is None:
        return None
    if account.registered:
        if not accounts.is_ending(db, account_id):
            return None
    elif node_id is not None and _is_connected(db, account_id, node_id):
        return None
    _END_SESSIONS(db, account=account_id)
    return tuple(room_records.of_account(db, account_id, None))


def find_guest(db: Connection, key: str) -> StoredGuest | None:
    """Return the temporary account with a name; see `INodeStore.find_guest`."""
    account = accounts.find(db, key, None)
    if account is None or account.registered:
        return None
    network: str | None = _NETWORK.scalar(db, account=account.id)
    if _is_connected(db, account.id, None):
        return None
    return StoredGuest(account, network or "", bool(_SESSIONS.scalar(db, account=account.id)))


def _is_connected(db: Connection, account_id: int, node_id: int | None) -> bool:
    """Return whether an account is connected at a node of PostgreSQL, other than a given one."""
    if not isinstance(db, PostgresSQL):
        return False
    values = {"account": account_id, "node": node_id}
    return db.execute(_IS_ELSEWHERE, values).fetchone() is not None
