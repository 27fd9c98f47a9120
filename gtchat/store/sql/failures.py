"""Counts of wrong guesses, which several nodes share: table `login_failures`, PostgreSQL only.

The table has a bound, for each network and in all, which is looked at whenever a node has added
`CHECKED` rows, in the transaction that adds the last of them: so the table can have as many more
for each node. A suspension that is in force is the last to be deleted: those who guess make rows,
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gtchat.chat.node_records import NO_FAILURES, PAIR, CountFailures, FailureCount
from gtchat.store.sql.database import Connection, PostgresSQL

T = TypeVar("T")

#: Most rows that are kept, and those of a network (of IPv6: of a /64) among them; and for how long
#: after their last change, in milliseconds.
MAX_ROWS, MAX_OF_NETWORK, KEEP_MS = 100_000, 1_000, 3_600_000
#: Rows that a node adds between two looks whether there are too many. A look at 100,000 takes
#: a tenth of a second.
CHECKED = 1_000

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
_NOW = "extract(epoch FROM clock_timestamp()) * 1000"
_PRUNE = f"""
DELETE FROM login_failures WHERE (key, address) IN (
    SELECT key, address FROM login_failures WHERE greatest(at, until) < {_NOW} - %s LIMIT %s)
"""
_IS_SUSPENDED = f"key LIKE '{PAIR}%%' AND until > {_NOW}"
#: A sort of a few rows only: one of all would hold up the writer.
_EVICT = f"""
DELETE FROM login_failures WHERE (key, address) IN (
    SELECT key, address FROM login_failures ORDER BY {_IS_SUSPENDED}, at
    LIMIT greatest(0, (SELECT count(*) FROM login_failures) - %s))
"""
#: `address` is "" where a name is counted for all networks.
_EVICT_OF_NETWORKS = f"""
DELETE FROM login_failures WHERE (key, address) IN (
    SELECT key, address FROM (
        SELECT key, address, row_number()
            OVER (PARTITION BY address ORDER BY {_IS_SUSPENDED} DESC, at DESC) AS place
        FROM login_failures WHERE address IN (
            SELECT address FROM login_failures
            WHERE address <> '' GROUP BY address HAVING count(*) > %s)) AS places
    WHERE place > %s)
"""


class Failures:
    """Counts wrong guesses. All methods are called in the writer's thread."""

    def __init__(self) -> None:
        #: How many rows were added since the last look.
        self._added = 0

    def count(
        self,
        db: Connection,
        keys: Sequence[tuple[str, str]],
        at: int,
        change: CountFailures[T],
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
                self._added += key not in stored
        if self._added >= CHECKED:
            self._added = 0
            evict(db)
        return result, after[0]


def evict(db: Connection) -> None:
    """Delete the oldest of too many counts."""
    assert isinstance(db, PostgresSQL)
    db.execute(_EVICT_OF_NETWORKS, (MAX_OF_NETWORK, MAX_OF_NETWORK))
    db.execute(_EVICT, (MAX_ROWS,))


def prune(db: Connection, limit: int) -> bool:
    """Delete old counts, and the oldest of too many; return whether there may be more old ones.

    Args:
        db: the writer's connection.
        limit: how many old ones are deleted.
    """
    assert isinstance(db, PostgresSQL)
    has_more = db.execute(_PRUNE, (KEEP_MS, limit)).rowcount >= limit
    evict(db)
    return bool(has_more)
