"""The row of a server in PostgreSQL, and the number of its commits."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import postgres

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.nodes import WrittenByAnother
    from gtchat.store.sql.postgres import PostgresDatabase

    class TwoWriters(PostgresDatabase):
        """A database to which a server may write on several connections, without patience."""

        def _end_predecessor(self, db: Any) -> None:
            pass

        def _lock(self, db: Any) -> None:
            db.execute("SET lock_timeout = '1ms'")


class CommitTests(SynchronousTestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.database = TwoWriters(postgres.empty())
        self.first = self.open()

    def open(self) -> Any:
        db = self.database.open_writer()
        self.addCleanup(db.close)
        return db

    def numbers(self) -> list[tuple[Any, ...]]:
        """Return name and number of commits of all servers."""
        query = "SELECT name, n, isfinite(expires) FROM nodes JOIN commits ON node_id = id"
        return self.first.execute(query).fetchall()

    def test_each_commit_of_a_server_is_counted_on_whatever_connection(self) -> None:
        for db in (self.first, self.open()):
            self.database.begin(db)
            self.database.commit(db)
            self.database.begin_long(db)
            self.database.commit(db)
        self.assertEqual(self.numbers(), [(self.database._node.name, 4, False)])

    def test_a_batch_that_is_rolled_back_is_not_counted(self) -> None:
        self.database.begin(self.first)
        self.first.execute("ROLLBACK")
        self.assertEqual(self.numbers()[0][1], 0)

    def test_a_commit_after_a_failed_statement_is_none(self) -> None:
        self.database.begin(self.first)
        self.assertRaises(psycopg.Error, self.first.execute, "SELECT 1 / 0")
        self.assertRaises(psycopg.errors.InFailedSqlTransaction, self.database.commit, self.first)
        self.assertFalse(self.database.in_transaction(self.first))
        self.database.begin(self.first)
        self.database.commit(self.first)
        self.assertEqual(self.numbers()[0][1], 1)

    def test_a_batch_of_a_lost_connection_is_waited_for(self) -> None:
        other = self.open()
        self.database.begin(self.first)
        self.assertRaises(psycopg.errors.LockNotAvailable, self.database._node.find_commits, other)
        self.first.execute("COMMIT")
        self.assertEqual(self.database._node.find_commits(other), 1)

    def test_a_batch_is_not_committed_twice(self) -> None:
        other = self.open()
        self.database.begin(self.first)
        self.first.execute("COMMIT")  # of which the server has had no answer
        self.assertRaises(WrittenByAnother, self.database.begin, other)
        other.execute("ROLLBACK")
        self.assertEqual(self.numbers()[0][1], 1)

    def test_a_server_that_leaves_has_no_row_and_commits_nothing(self) -> None:
        self.database.leave(self.first)
        self.assertEqual(self.numbers(), [])
        self.assertRaises(WrittenByAnother, self.database.begin, self.first)

    def test_the_server_that_writes_is_the_only_one(self) -> None:
        self.first.close()
        PostgresDatabase(self.database._conninfo).open_writer().close()
        self.assertRaises(WrittenByAnother, self.open)
