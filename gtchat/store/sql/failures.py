"""Counts of wrong guesses, which several nodes share: table `login_failures`, PostgreSQL only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gtchat.chat.node_records import NO_FAILURES, CountFailures, FailureCount
from gtchat.store.sql.database import Connection, PostgresSQL

T = TypeVar("T")

#: Most rows that are kept, and for how long after their last change, in milliseconds.
MAX_ROWS, KEEP_MS = 100_000, 3_600_000

#: Guesses are counted one after the other, whatever node they come to.
_LOCK = f"SELECT pg_advisory_xact_lock({0x47544C66}, hashtext(current_schema()))"
_READ = (
    "SELECT key, address, failures, until FROM login_failures"
    " JOIN unnest(%s::text[], %s::text[]) AS wanted (key, address) USING (key, address)"
)
_DELETE = "DELETE FROM login_failures WHERE key = %s AND address = %s"
_SET = (
    "INSERT INTO login_failures (key, address, failures, until, at) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (key, address) DO UPDATE SET failures = excluded.failures,"
    " until = excluded.until, at = excluded.at"
)
_PRUNE = """
DELETE FROM login_failures WHERE (key, address) IN (
    (SELECT key, address FROM login_failures WHERE greatest(at, until)
        < extract(epoch FROM clock_timestamp()) * 1000 - %s LIMIT %s)
    UNION (SELECT key, address FROM login_failures ORDER BY at DESC OFFSET %s LIMIT %s))
"""


def count(
    db: Connection, keys: Sequence[tuple[str, str]], at: int, change: CountFailures[T]
) -> tuple[T, FailureCount]:
    """Run a rule on counts of wrong guesses; see `INodeStore.count_failures`."""
    assert isinstance(db, PostgresSQL)
    db.execute(_LOCK)
    names, addresses = zip(*keys, strict=True)
    rows = db.execute(_READ, (list(names), list(addresses))).fetchall()
    stored = {(row[0], row[1]): FailureCount(row[2], row[3]) for row in rows}
    before = [stored.get(key, NO_FAILURES) for key in keys]
    result, after = change(before)
    for key, old, new in zip(keys, before, after, strict=True):
        if new == NO_FAILURES and key in stored:
            db.execute(_DELETE, key)
        elif new != old:
            db.execute(_SET, (*key, new.failures, new.until, at))
    return result, after[0]


def prune(db: Connection, limit: int) -> bool:
    """Delete old counts, and the oldest of too many; return whether there may be more.

    Args:
        db: the writer's connection.
        limit: how many are deleted.
    """
    assert isinstance(db, PostgresSQL)
    return bool(db.execute(_PRUNE, (KEEP_MS, limit, MAX_ROWS, limit)).rowcount >= limit)
