"""The system log: what all nodes have to know that is in the log of no room. PostgreSQL only.

The row `SYSTEM_ID` of `heads` is its end, which has to be locked to write; its entries are rows of
`system_log`, kept for an hour. The body of an entry is the JSON of its record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import msgspec

from gtchat.chat.node_records import (
    SYSTEM_ID,
    SYSTEM_TYPES,
    NodeGone,
    Online,
    SystemEntry,
)
from gtchat.chat.told import TOLD_EVENTS, Told
from gtchat.store.sql.database import Connection, PostgresSQL

_KINDS = {type_: kind for kind, type_ in SYSTEM_TYPES.items()}

_HEAD = "SELECT seq FROM heads WHERE room_id = %s"
_INSERT = (
    "INSERT INTO system_log (seq, node_id, at, kind, body)"
    " SELECT %s + n, %s, %s, kind, body"
    " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS entry (kind, body, n)"
)
_SET_HEAD = "UPDATE heads SET seq = %s WHERE room_id = %s"
_READ = "SELECT seq, node_id, kind, body FROM system_log WHERE seq > %s AND seq <= %s ORDER BY seq"
#: An account may have ended meanwhile: a lock keeps those that are there until the commit.
_COME = (
    "INSERT INTO online (node_id, account_id)"
    " SELECT %s, id FROM accounts WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
    " ON CONFLICT DO NOTHING"
)
_GO = "DELETE FROM online WHERE node_id = %s AND account_id = ANY(%s)"


class Outrun(Exception):
    """What a node has to read is not kept any more: it has to load everything anew."""


class _ToldBody(msgspec.Struct):
    """`Told` with the class of its event; see `TOLD_EVENTS`."""

    account_id: int
    sender_id: int | None
    kind: str
    event: dict[str, Any]


def encode(entry: SystemEntry) -> tuple[str, str]:
    """Return the kind and the body of an entry."""
    record: Any = entry
    if isinstance(entry, Told):
        kind = type(entry.event).__name__
        event: dict[str, Any] = msgspec.to_builtins(entry.event)
        record = _ToldBody(entry.account_id, entry.sender_id, kind, event)
    return _KINDS[type(entry)], msgspec.json.encode(record).decode()


def decode(kind: str, body: str) -> SystemEntry:
    """Return the entry of a kind with a body."""
    if SYSTEM_TYPES[kind] is Told:
        told = msgspec.json.decode(body, type=_ToldBody)
        event = msgspec.convert(told.event, TOLD_EVENTS[told.kind])
        return Told(told.account_id, event, told.sender_id)
    entry: SystemEntry = msgspec.json.decode(body, type=SYSTEM_TYPES[kind])
    return entry


def head(db: Connection) -> int:
    """Return the seq of the newest entry, 0 if there is none."""
    row = db.execute(_HEAD, (SYSTEM_ID,)).fetchone()
    return int(row[0])


def append_system(
    db: Connection,
    node_id: int,
    entries: Sequence[SystemEntry],
    at: int,
    last: int | None = None,
) -> int:
    """Append entries to the system log.

    Args:
        db: a connection, within a transaction.
        node_id: the node that writes them; of a `NodeGone`, the node that gets the guests.
        entries: the entries.
        at: now, in milliseconds since 1970, UTC.
        last: seq of the newest entry so far, if the transaction has it locked.

    Returns:
        The seq of the last one.
    """
    assert isinstance(db, PostgresSQL)
    if last is None:
        last = int(db.execute(f"{_HEAD} FOR NO KEY UPDATE", (SYSTEM_ID,)).fetchone()[0])
    kinds, bodies = zip(*map(encode, entries), strict=True)
    db.send(_INSERT, (last, node_id, at, list(kinds), list(bodies)))
    last += len(entries)
    db.send(_SET_HEAD, (last, SYSTEM_ID))
    return last


def read(
    db: Connection, node_id: int | None, after: int, last: int
) -> list[tuple[int, SystemEntry]]:
    """Return what a node has not heard, with the node that wrote each entry, oldest first.

    What it wrote itself is left out, but for nodes that have ended, and so are kinds that only
    newer programs know.

    Args:
        db: a connection.
        node_id: the node that reads.
        after: seq of the last entry that it has read.
        last: seq of the last entry to read.

    Raises:
        Outrun: not all of them are kept.
    """
    rows = db.execute(_READ, (after, last)).fetchall()
    if len(rows) < last - after:
        raise Outrun("other nodes have done too much meanwhile")
    return heard(((writer, kind, body) for _, writer, kind, body in rows), node_id)


def heard(
    rows: Iterable[tuple[int, str, str]], node_id: int | None
) -> list[tuple[int, SystemEntry]]:
    """Return what a node hears; see `read`.

    Args:
        rows: (node that wrote the entry, kind, body).
        node_id: the node that hears.
    """
    return [
        (writer, _as_heard(decode(kind, body), writer == node_id))
        for writer, kind, body in rows
        if kind in SYSTEM_TYPES and (writer != node_id or SYSTEM_TYPES[kind] is NodeGone)
    ]


def _as_heard(entry: SystemEntry, is_own: bool) -> SystemEntry:
    """Return an entry as a node hears it: it has guests only where it takes them over."""
    if isinstance(entry, NodeGone) and not is_own:
        return attrs.evolve(entry, guests=())
    return entry


def merge_presence(entries: Sequence[SystemEntry]) -> list[SystemEntry]:
    """Return entries with all that are `Online` as one, in the place of the first of them."""
    came: dict[int, str] = {}
    went: set[int] = set()
    merged: list[SystemEntry] = []
    place = None
    for entry in entries:
        if not isinstance(entry, Online):
            merged.append(entry)
            continue
        if place is None:
            place = len(merged)
        came.update(entry.came)
        went -= entry.came.keys()
        for account_id in entry.went:
            came.pop(account_id, None)
            went.add(account_id)
    if place is not None:
        merged.insert(place, Online(came, tuple(sorted(went))))
    return merged


def store_presence(db: Connection, node_id: int, online: Online) -> None:
    """Keep who is online at a node, for nodes that start; see `Online`."""
    assert isinstance(db, PostgresSQL)
    if online.came:
        db.send(_COME, (node_id, list(online.came)))
    if online.went:
        db.send(_GO, (node_id, list(online.went)))
