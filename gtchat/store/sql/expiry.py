"""The end of a node: what others do with its sessions and guests.

A node ends in one transaction, whichever node does that: its sessions are lost, another node waits
for its guests, its row is gone, and all nodes are told.
"""

from __future__ import annotations

from typing import Any

from gtchat.chat.interfaces import Account, StoredGuest
from gtchat.chat.node_records import SYSTEM_ID, NodeGone
from gtchat.store.sql import system_log
from gtchat.store.sql.database import Connection
from gtchat.store.sql.joining import START_LOCK

#: A connection may have other limits: the end waits for the batch that the node may be in.
_BEGIN = "BEGIN; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '5s'"
#: Another node that does the same is not waited for. A node within a batch may refer to its row.
_CLAIM = (
    "SELECT 1 FROM nodes WHERE id = %s AND (%s OR expires < clock_timestamp())"
    " FOR NO KEY UPDATE SKIP LOCKED"
)
#: The batch that the node may be in ends before that; it commits none after it.
_END_BATCH = "DELETE FROM commits WHERE node_id = %s"
#: Guests without a session are told to a node that has loaded: a load does not look for them.
_LIVING = (
    "SELECT id, loaded FROM nodes WHERE id <> %s AND expires > clock_timestamp()"
    " ORDER BY loaded DESC, id IS NOT DISTINCT FROM %s::bigint DESC, id"
)
_AWAIT_LOAD = f"SELECT pg_advisory_xact_lock_shared({START_LOCK})"
#: All who change where a session is have locked it: sessions are locked after it.
_LOCK_SYSTEM = "SELECT seq FROM heads WHERE room_id = %s FOR NO KEY UPDATE"
_COLUMNS = """
SELECT a.id, a.name, a.key,
    coalesce((SELECT max(network) FROM account_networks n WHERE n.account_id = a.id), ''),
    EXISTS (SELECT FROM sessions s WHERE s.account_id = a.id)
FROM accounts a
WHERE NOT a.registered"""
#: A guest who has gone on at another node is not among them, also before that node has said so.
_GUESTS = f"""
{_COLUMNS}
    AND (a.id IN (SELECT account_id FROM online WHERE node_id = %(gone)s)
        OR a.id IN (SELECT account_id FROM sessions WHERE node_id = %(gone)s))
    AND NOT EXISTS (SELECT FROM online o WHERE o.account_id = a.id AND o.node_id <> %(gone)s)
    AND NOT EXISTS (SELECT FROM sessions s WHERE s.account_id = a.id AND s.node_id <> %(gone)s)
ORDER BY a.id
"""
_DEVICES_SEEN = """
UPDATE devices SET last_seen = %(at)s WHERE (account_id, device) IN (
    SELECT account_id, device FROM sessions
    WHERE node_id = %(gone)s AND expires_from IS NULL AND device IS NOT NULL)
"""
#: When the connections were lost is not known: `lost_at` stays as it is.
_SESSIONS_LOST = """
UPDATE sessions SET expires_from = coalesce(expires_from, %(at)s), node_id = %(adopter)s
WHERE node_id = %(gone)s
"""
#: Longer than any node waits for a guest, and than the login of one takes until it is announced.
ORPHAN_MS = 600_000
_ORPHANS = f"""
{_COLUMNS}
    AND NOT EXISTS (SELECT FROM online o WHERE o.account_id = a.id)
    AND NOT EXISTS (SELECT FROM sessions s WHERE s.account_id = a.id AND s.expires_from IS NULL)
    AND coalesce((SELECT max(s.expires_from) FROM sessions s WHERE s.account_id = a.id),
        a.created_at) < %(before)s
ORDER BY a.id
"""
_ADOPT = "UPDATE sessions SET node_id = %s WHERE account_id = ANY(%s)"
_DELETE = "DELETE FROM nodes WHERE id = %s"


def expire(
    db: Connection, gone: int, me: int | None, at: int, *, forced: bool = False
) -> int | None:
    """End a node: its sessions are lost, its guests handed over, its row is deleted.

    If no other node has loaded the chat, or may be doing so, its row is deleted, and no more: the
    next start does the rest.

    Args:
        db: a connection outside a transaction.
        gone: id of the node.
        me: id of the node that takes over its guests if it has loaded, or no other one has; None
            for any that lives.
        at: now, in milliseconds since 1970, UTC.
        forced: also if it has not expired: it ends by itself, or in favour of its successor.

    Returns:
        The seq of the entry of the system log that tells it, None if there is none.

    Raises:
        psycopg.Error: a row was locked for too long. The connection has to be closed, and the node
            is as it was.
    """
    db.execute(_BEGIN)
    told = _expire(db, gone, me, at, forced)
    db.execute("COMMIT")
    return told


def _expire(db: Connection, gone: int, me: int | None, at: int, forced: bool) -> int | None:
    if db.execute(_CLAIM, (gone, forced)).fetchone() is None:
        return None
    db.execute(_END_BATCH, (gone,))
    db.execute(_LOCK_SYSTEM, (SYSTEM_ID,))
    told = None
    adopter = _adopter(db, gone, me)
    if adopter is None:
        # A node that loads at this moment may have seen the database as it was.
        db.execute(_AWAIT_LOAD)
        adopter = _adopter(db, gone, me)
    if adopter is not None:
        told = _hand_over(db, gone, adopter, at)
    db.execute(_DELETE, (gone,))
    return told


def _adopter(db: Connection, gone: int, me: int | None) -> int | None:
    """Return which node takes over, None if no other node needs to be told.

    A node that has not loaded, and ends the other one itself, loads afterwards.
    """
    living: list[Any] = db.execute(_LIVING, (gone, me)).fetchall()
    if any(loaded or id_ != me for id_, loaded in living):
        return int(living[0][0])
    return None


def _hand_over(db: Connection, gone: int, adopter: int, at: int) -> int:
    """Give sessions and guests of a node to another one; return the seq of the entry that tells."""
    values = {"gone": gone, "adopter": adopter, "at": at}
    guests = _guests(db, _GUESTS, values)
    db.execute(_DEVICES_SEEN, values)
    db.execute(_SESSIONS_LOST, values)
    # The entry is that of the node which takes over.
    return system_log.append_system(db, adopter, [NodeGone(gone, guests)], at)


def adopt_orphans(db: Connection, me: int, at: int) -> int | None:
    """Take over guests that no node waits for, for instance after a move that was not finished.

    Args:
        db: a connection outside a transaction.
        me: id of the node that takes them over.
        at: now, in milliseconds since 1970, UTC.

    Returns:
        The seq of the entry of the system log that tells it, None if there are no such guests.

    Raises:
        psycopg.Error: as by `expire`.
    """
    db.execute(_BEGIN)
    db.execute(_LOCK_SYSTEM, (SYSTEM_ID,))
    found = _guests(db, _ORPHANS, {"before": at - ORPHAN_MS})
    told = None
    if found:
        ids = [guest.account.id for guest in found]
        db.execute(_ADOPT, (me, ids))
        told = system_log.append_system(db, me, [NodeGone(0, found)], at)
    db.execute("COMMIT")
    return told


def _guests(db: Connection, query: str, values: dict[str, int]) -> tuple[StoredGuest, ...]:
    return tuple(
        StoredGuest(Account(id_, name, key, False), network, resumable)
        for id_, name, key, network, resumable in db.execute(query, values).fetchall()
    )
