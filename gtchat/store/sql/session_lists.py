"""Lists of sessions for operators."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, or_, select

from gtchat.chat.limits import network_key
from gtchat.chat.session_records import LISTED_SESSIONS, SessionRecord
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement

#: Sessions that are looked at to find those of a network: more of IPv6 begin with the same digits.
LOOKED_AT = 10 * LISTED_SESSIONS

_sessions = schema.sessions
#: What a `SessionRecord` begins with.
COLUMNS = (
    _sessions.c.token_hash,
    _sessions.c.protocol,
    _sessions.c.address,
    _sessions.c.created_at,
    _sessions.c.expires_from,
    _sessions.c.device,
)
_AT = Statement(
    select(schema.accounts.c.name, *COLUMNS)
    .join_from(_sessions, schema.accounts, schema.accounts.c.id == _sessions.c.account_id)
    .where(
        _sessions.c.address.like(bindparam("pattern")),
        or_(_sessions.c.expires_from.is_(None), _sessions.c.expires_from > bindparam("oldest")),
    )
    .order_by(_sessions.c.created_at.desc(), _sessions.c.token_hash)
    .limit(LOOKED_AT)
)


def at_network(db: Connection, network: str, oldest: int) -> Sequence[tuple[str, SessionRecord]]:
    """Return the sessions of an address; see `ISessionStore.sessions_at`."""
    first, colon, _ = network.partition(":")
    # An address of IPv4 may have been mapped into IPv6.
    pattern = f"{first}:%" if colon else f"%{network}"
    rows = _AT(db, pattern=pattern, oldest=oldest).fetchall()
    found = [(row[0], SessionRecord(*row[1:])) for row in rows if network_key(row[3]) == network]
    return found[:LISTED_SESSIONS]
