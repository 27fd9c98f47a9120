"""Up to which row the index of messages may go while several nodes store.

PostgreSQL numbers the rows of `entries` as they are inserted, but they become visible as their
transactions end: a row may come after one with a higher number. An index that only went on behind
the newest row it has seen would leave such rows out for good. SQLite has one writer, so that rows
come in order there.
"""

from __future__ import annotations

from enum import Enum

import attrs

from gtchat.store.sql.database import Connection, PostgresSQL

#: Higher than all rows.
_NO_LIMIT = 2**63 - 1
#: The newest row; the id of this transaction; the lowest id of one that has not ended. A snapshot
#: does not tell the ids of all that have begun: its `xmax` is behind the newest that has ended.
#: Source: PostgreSQL's documentation, "Transaction ID and Snapshot Information Functions".
_LOOK = (
    "SELECT coalesce(max(row), 0), pg_current_xact_id()::text::bigint,"
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM entries"
)


class Rest(Enum):
    """What is left to index behind a slice: nothing, more, or what has to be waited for."""

    NOTHING = 0
    MORE = 1
    LATER = 2


@attrs.define(eq=False)
class _Candidate:
    """A row that will be the horizon.

    Attributes:
        row: the row, the newest when it was seen.
        seen_by: id of the transaction that saw it.
        bound: id of the next one that looked, None before: all with lower ids have to end.
    """

    row: int
    seen_by: int
    bound: int | None = None


@attrs.define(eq=False)
class Horizon:
    """Up to which row all rows are visible that will ever be.

    Each transaction that inserts rows has got its id before (its first statement changes a row of
    `commits`), and inserts a row once it has the row's number. So a row that was the newest at some
    moment is the horizon as soon as all transactions have ended that had begun by then. Those have
    lower ids than the next transaction that looks: it takes two transactions to move on.

    Attributes:
        row: the horizon; rows up to it may be indexed.
    """

    row: int = 0
    _next: _Candidate | None = None

    def look(self, db: Connection) -> Rest:
        """Move on if that is possible.

        Args:
            db: the writer's connection, in a transaction.

        Returns:
            Whether there are rows behind the horizon; `LATER` if it waits for transactions.
        """
        if not isinstance(db, PostgresSQL):
            self.row = _NO_LIMIT
            return Rest.NOTHING
        newest, own, running = db.execute(_LOOK).fetchone()
        found = self._next
        if found is not None:
            if found.bound is None and own != found.seen_by:
                found.bound = own
            if found.bound is not None and found.bound <= running:
                self.row, self._next = found.row, None
        if newest <= self.row:
            return Rest.NOTHING
        if self._next is None:
            self._next = _Candidate(newest, own)
            return Rest.MORE
        return Rest.LATER
