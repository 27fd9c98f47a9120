"""The row of a node in PostgreSQL, the number of its commits, and who may write beside it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import postgres

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql import joining, nodes
    from gtchat.store.sql.nodes import NodeExpired, WrittenByAnother
    from gtchat.store.sql.postgres import PostgresDatabase

    class TwoWriters(PostgresDatabase):
        """A database to which a server may write on several connections, without patience."""

        def _end_predecessor(self, db: Any) -> None:
            pass

        def _lock(self, db: Any) -> None:
            super()._lock(db)
            db.execute("SET lock_timeout = '1ms'")


class NodeCase(SynchronousTestCase):
    """An empty database, and nodes that use it."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.url = postgres.empty()
        self.outside = psycopg.connect(self.url, autocommit=True)
        self.addCleanup(self.outside.close)

    def node(self, name: str = "", kind: Any = None) -> Any:
        """Return the database as a node with a name sees it, without patience for locks."""
        return (kind or PostgresDatabase)(f"{self.url}&options=-c%20lock_timeout%3D50ms", name)

    def open(self, database: Any) -> Any:
        """Return a connection that writes."""
        db = database.open_writer()
        self.addCleanup(db.close)
        return db

    def close(self, db: Any) -> None:
        """Close a connection, and wait until its process has ended, and with it its locks."""
        pid = db.info.backend_pid
        db.close()
        self.rows("SELECT pg_terminate_backend(%s, 60000)", pid)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.outside.execute(sql, values).fetchall()

    def names(self) -> list[str]:
        """Return the names of the nodes."""
        return [name for (name,) in self.rows("SELECT name FROM nodes ORDER BY name")]

    def change(self, sql: str, *values: Any) -> None:
        """Change the database behind the back of all nodes."""
        self.outside.execute(sql, values)


class CommitTests(NodeCase):
    """Commits are counted, and none takes place twice, or at a server that is no node any more."""

    def setUp(self) -> None:
        super().setUp()
        self.database = self.node(kind=TwoWriters)
        self.first = self.open(self.database)

    def commits(self) -> list[int]:
        """Return the numbers of commits of all nodes."""
        return [n for (n,) in self.rows("SELECT n FROM nodes JOIN commits ON node_id = id")]

    def test_each_commit_of_a_server_is_counted_on_whatever_connection(self) -> None:
        for db in (self.first, self.open(self.database)):
            self.database.begin(db)
            self.database.commit(db)
            self.database.begin_long(db)
            self.database.commit(db)
            self.database.begin_load(db)
            self.database.commit(db)
        self.assertEqual(self.commits(), [6])

    def test_a_node_that_stops_while_it_loads_keeps_no_lock_for_ever(self) -> None:  # H42
        for begin, limits in (
            (self.database.begin, ("10s", "1s")),
            (self.database.begin_long, ("0", "0")),
            (self.database.begin_load, ("0", f"{joining.START_S // 60}min")),
        ):
            begin(self.first)
            for name, limit in zip(
                ("statement_timeout", "idle_in_transaction_session_timeout"), limits, strict=True
            ):
                self.assertEqual(self.first.execute(f"SHOW {name}").fetchone(), (limit,))
            self.database.commit(self.first)

    def test_a_batch_that_is_rolled_back_is_not_counted(self) -> None:
        self.database.begin(self.first)
        self.first.execute("ROLLBACK")
        self.assertEqual(self.commits(), [0])

    def test_a_commit_after_a_failed_statement_is_none(self) -> None:
        self.database.begin(self.first)
        self.assertRaises(psycopg.Error, self.first.execute, "SELECT 1 / 0")
        self.assertRaises(psycopg.errors.InFailedSqlTransaction, self.database.commit, self.first)
        self.assertFalse(self.database.in_transaction(self.first))
        self.database.begin(self.first)
        self.database.commit(self.first)
        self.assertEqual(self.commits(), [1])

    def test_a_batch_of_a_lost_connection_is_waited_for(self) -> None:
        other = self.open(self.database)
        self.database.begin(self.first)
        self.assertRaises(psycopg.errors.LockNotAvailable, self.database._node.find_commits, other)
        self.first.execute("COMMIT")
        self.assertEqual(self.database._node.find_commits(other), 1)

    def test_a_batch_is_not_committed_twice(self) -> None:
        other = self.open(self.database)
        self.database.begin(self.first)
        self.first.execute("COMMIT")  # of which the server has had no answer
        self.assertRaises(NodeExpired, self.database.begin, other)
        other.execute("ROLLBACK")
        self.assertEqual(self.commits(), [1])

    def test_a_server_that_leaves_has_no_row_and_commits_nothing(self) -> None:
        self.database.leave(self.first)
        self.assertEqual(self.commits(), [])
        error = self.assertRaises(NodeExpired, self.database.begin, self.first)
        self.assertTrue(self.database.is_expired(error))

    def test_a_server_is_no_node_any_more_where_its_commits_are_lost(self) -> None:
        for _ in range(2):
            self.database.begin(self.first)
            self.database.commit(self.first)
        for loss in ("UPDATE commits SET n = 1", "DELETE FROM nodes"):
            self.change(loss)
            error = self.assertRaises(NodeExpired, self.database.was_committed)
            self.assertTrue(self.database.is_expired(error))
            self.assertIsInstance(error, self.database.errors)


class EntryTests(NodeCase):
    """Which servers write side by side, and which take the place of another."""

    def test_the_process_of_a_lost_connection_ends_and_no_other_with_its_number(self) -> None:
        """After a restart of PostgreSQL the number may be that of another node's process."""
        database = self.node("a")
        first = self.open(database)
        second = self.open(database)
        self.assertRaises(psycopg.OperationalError, first.execute, "SELECT 1")
        other = database.open_reader()
        self.addCleanup(other.close)
        database._backend = (other.info.backend_pid, database._backend[1])
        self.open(database)
        self.assertEqual([db.execute("SELECT 1").fetchone() for db in (other, second)], [(1,)] * 2)

    def test_nodes_write_side_by_side(self) -> None:
        for name in ("one", "two"):
            database = self.node(name)
            db = self.open(database)
            database.begin(db)
            database.commit(db)
        self.assertEqual(self.names(), ["one", "two"])

    def test_a_command_that_writes_alone_keeps_all_others_out(self) -> None:
        first = self.open(self.node("one"))
        command, other = self.node("command"), self.node("other")
        command.alone = other.alone = True
        self.assertRaises(WrittenByAnother, self.open, command)
        self.close(first)
        db = self.open(command)
        self.assertEqual(self.names(), ["command"])
        for late in (self.node("two"), other):
            self.assertRaises(WrittenByAnother, self.open, late)
        self.close(db)
        self.open(self.node("two"))
        self.assertEqual(self.names(), ["two"])  # its row had expired

    def test_a_program_of_before_there_were_nodes_is_kept_out(self) -> None:
        self.open(self.node("one"))
        alone = f"SELECT pg_try_advisory_lock({nodes.WRITER_LOCK})"
        self.assertEqual(self.rows(alone), [(False,)])

    def test_a_start_takes_the_place_of_its_predecessor(self) -> None:
        former, other = self.node("one"), self.node("two")
        dead = self.open(former)
        self.open(other)
        self.open(self.node("one"))
        self.assertEqual(self.names(), ["one", "two"])
        self.assertRaises(NodeExpired, former.begin, dead)

    def test_a_node_that_comes_back_takes_the_place_of_itself_only(self) -> None:
        former = self.node("one")
        first, before = self.open(former), former.node_id
        self.open(self.node("one"))
        former.renew()
        self.close(first)
        self.open(former)
        self.assertNotEqual(former.node_id, before)
        self.assertEqual(self.names(), ["one", "one"])

    def test_the_name_of_a_server_on_another_machine_is_free_when_that_has_expired(self) -> None:
        self.patch(nodes, "NAMESAKE_S", -1)
        self.open(self.node("one"))
        self.change("UPDATE nodes SET host = 'elsewhere'")
        error = self.assertRaises(WrittenByAnother, self.open, self.node("one"))
        self.assertIn("a server on elsewhere has the name one, too", str(error))
        self.assertEqual(self.names(), ["one"])
        self.change("UPDATE nodes SET expires = clock_timestamp()")
        self.open(self.node("one"))
        self.assertEqual(self.names(), ["one"])

    def test_the_name_of_a_machine_and_a_process_is_usual(self) -> None:
        self.open(self.node())
        [name] = self.names()
        self.assertRegex(name, r".+:\d+$")
