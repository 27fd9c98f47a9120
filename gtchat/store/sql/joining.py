"""What a node loads that may not be the only one, and what it takes over (PostgreSQL).

A node loads under a lock that one node has at a time, and sees the database as of one moment. Nodes
that live go on meanwhile: what they store later comes by the logs.
"""

from __future__ import annotations

from typing import Any

from gtchat.chat.interfaces import Account, StoredGuest
from gtchat.store.sql.database import Connection

#: The lock of a node that loads the chat.
START_LOCK = f"{0x4754436A}, hashtext(current_schema())"
#: Seconds that a node has from its entry to its load, and from there to its first heartbeat. During
#: the load its row is locked, and so no other node ends it, however long that takes.
START_S = 60
#: A guest of another node that is younger may be about to be announced, in milliseconds.
_YOUNG_MS = 120_000

_OTHERS = (
    "SELECT EXISTS (SELECT FROM nodes WHERE id <> %s AND loaded AND expires > clock_timestamp())"
)
#: What has expired is not always deleted yet, and PostgreSQL may have been away for that long.
_END_BATCHES = (
    "DELETE FROM commits WHERE node_id IN"
    " (SELECT id FROM nodes WHERE id <> %s AND loaded FOR NO KEY UPDATE)"
)
_LIVING = "SELECT EXISTS (SELECT FROM nodes WHERE id <> %s AND expires > clock_timestamp())"
_PROLONG = f"UPDATE nodes SET expires = clock_timestamp() + interval '{START_S} s' WHERE id = %s"
_HAS_LOADED = "UPDATE nodes SET loaded = true WHERE id = %s"
_LEFT = "expires_from IS NULL AND (node_id IS NULL OR node_id = %(me)s)"
_DEVICES_SEEN = f"""
UPDATE devices SET last_seen = %(at)s WHERE (account_id, device) IN (
    SELECT account_id, device FROM sessions WHERE {_LEFT} AND device IS NOT NULL)
"""
_MARK_LOST = f"UPDATE sessions SET expires_from = %(at)s, node_id = %(me)s WHERE {_LEFT}"
_ONLINE = """
SELECT o.account_id, a.name, array_agg(o.node_id)
FROM online o JOIN accounts a ON a.id = o.account_id
WHERE o.node_id <> %s GROUP BY o.account_id, a.name ORDER BY o.account_id
"""
_GUESTS = """
SELECT * FROM (
    SELECT a.id, a.name, a.key,
        coalesce((SELECT max(network) FROM account_networks n WHERE n.account_id = a.id), ''),
        EXISTS (SELECT FROM sessions s WHERE s.account_id = a.id) AS resumable,
        a.created_at
    FROM accounts a
    WHERE NOT a.registered
        AND NOT EXISTS (SELECT FROM online o WHERE o.account_id = a.id AND o.node_id <> %(me)s)
        AND NOT EXISTS (SELECT FROM sessions s WHERE s.account_id = a.id AND s.node_id <> %(me)s)
) AS guests
WHERE resumable OR %(alone)s OR created_at < %(before)s ORDER BY id
"""
_TAKE_OVER = "UPDATE sessions SET node_id = %s WHERE account_id = ANY(%s)"


def prolong(db: Connection, me: int) -> None:
    """Let the row of a node live on, which may have expired while the node loaded or waited for it.

    Args:
        db: a connection to write with.
        me: the node.
    """
    db.execute(_PROLONG, (me,))


def has_others(db: Connection, me: int) -> bool:
    """Return whether another node lives; see `INodeStore.has_others`."""
    return bool(db.execute(_LIVING, (me,)).fetchone()[0])


def join(db: Connection, me: int, at: int) -> bool:
    """Take over the sessions that no other node has, and become one of those that are told.

    Args:
        db: a connection to write with, in the transaction that loads.
        me: the node.
        at: now, in milliseconds since 1970, UTC; the sessions expire from then on.

    Returns:
        Whether no other node is there: only then the chat has been stopped. Nodes that have expired
        store nothing from then on.

    Raises:
        psycopg.errors.SerializationFailure: another node was not as this transaction sees it.
    """
    values = {"me": me, "at": at}
    db.execute(_HAS_LOADED, (me,))  # first: it locks the row
    db.execute(_DEVICES_SEEN, values)
    db.execute(_MARK_LOST, values)
    if not is_alone(db, me):
        return False
    db.execute(_END_BATCHES, (me,))
    return True


def is_alone(db: Connection, me: int) -> bool:
    """Return whether no other node is there that has loaded."""
    return not db.execute(_OTHERS, (me,)).fetchone()[0]


def online(db: Connection, me: int) -> tuple[tuple[int, str, frozenset[int]], ...]:
    """Return who is online at other nodes; see `StoredState.online`."""
    rows: list[Any] = db.execute(_ONLINE, (me,)).fetchall()
    return tuple((id_, name, frozenset(nodes)) for id_, name, nodes in rows)


def guests(db: Connection, me: int, at: int, alone: bool) -> tuple[StoredGuest, ...]:
    """Take over the temporary accounts that no other node has; return them, oldest first.

    Args:
        db: as of `join`.
        me: the node.
        at: now, in milliseconds since 1970, UTC.
        alone: whether no other node is there.
    """
    values = {"me": me, "alone": alone, "before": at - _YOUNG_MS}
    rows: list[Any] = db.execute(_GUESTS, values).fetchall()
    db.execute(_TAKE_OVER, (me, [row[0] for row in rows]))
    return tuple(
        StoredGuest(Account(id_, name, key, False), network, resumable)
        for id_, name, key, network, resumable, _ in rows
    )
