"""Reads the logs and what is derived from them from a database, past the server."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.stress.judge import Stored, Truth

#: The lobby has no members; direct conversations are not compared.
_ENTRIES = """
    SELECT r.name, e.seq, e.usr, e.msg, e.kind, e.extra
    FROM entries e JOIN rooms r ON r.id = e.room_id WHERE r.kind = 'room'
    ORDER BY e.room_id, e.seq
"""
_MEMBERS = """
    SELECT r.name, a.name FROM members m
    JOIN rooms r ON r.id = m.room_id JOIN accounts a ON a.id = m.account_id WHERE r.kind = 'room'
"""
_HEADS = """
    SELECT r.name, h.seq FROM heads h JOIN rooms r ON r.id = h.room_id WHERE r.kind = 'room'
"""
#: Users without a session that is connected, as far as the database knows.
_LOST = """
    SELECT name FROM accounts a WHERE name = ANY(%s) AND NOT EXISTS
        (SELECT FROM sessions s WHERE s.account_id = a.id AND s.expires_from IS NULL)
"""
_IS_INDEXED = "SELECT row >= (SELECT max(row) FROM entries) FROM index_state"
_UNINDEXED = """
    SELECT r.name, e.seq FROM entries e JOIN rooms r ON r.id = e.room_id
    WHERE e.kind = 'speak' AND e.msg <> ''
        AND NOT EXISTS (SELECT FROM message_index i WHERE i.row = e.row) ORDER BY e.row
"""


def find_lost(database: str, users: list[str]) -> list[str]:
    """Return which users have no connected session in a database of PostgreSQL."""
    import psycopg

    with psycopg.connect(database) as db:
        return [name for (name,) in db.execute(_LOST, (users,))]


def find_unindexed(database: str, seconds: float) -> list[tuple[str, int]]:
    """Return room and seq of the messages that no search finds, once all are indexed.

    Args:
        database: an address of PostgreSQL.
        seconds: how long to wait for the end of the index.
    """
    import psycopg

    ends = time.monotonic() + seconds
    with psycopg.connect(database, autocommit=True) as db:
        while db.execute(_IS_INDEXED).fetchone() != (True,) and time.monotonic() < ends:
            time.sleep(0.05)
        return db.execute(_UNINDEXED).fetchall()


def read(database: Path | str) -> Truth:
    """Return what is in a database; no server need run.

    Args:
        database: the file of SQLite, or an address of PostgreSQL.
    """
    if isinstance(database, Path):
        with closing(sqlite3.connect(database)) as file:
            return _read(file)
    import psycopg

    with psycopg.connect(database) as db:
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return _read(db)


def _read(db: Any) -> Truth:
    logs: dict[str, list[Stored]] = defaultdict(list)
    for room, seq, usr, msg, kind, extra in db.execute(_ENTRIES):
        settings = json.loads(extra) if extra else {}
        logs[room].append(Stored(seq, usr, msg or "", kind, settings))
    members: dict[str, set[str]] = defaultdict(set)
    for room, user in db.execute(_MEMBERS):
        members[room].add(user)
    return Truth(dict(logs), dict(members), dict(db.execute(_HEADS).fetchall()))
