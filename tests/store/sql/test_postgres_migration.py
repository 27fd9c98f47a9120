"""Migrations in PostgreSQL: what they lead to, what they keep, and who may be at work meanwhile."""

from __future__ import annotations

import functools
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.interfaces import HistoryQuery
from gtchat.server.doctor.local import _check_database
from gtchat.server.settings import ServerSettings
from gtchat.store import SQLStore, StoreAhead, StoreError, StoreUnavailable
from gtchat.store.sql import schema
from tests import example_count, postgres

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql import nodes, postgres_schema
    from gtchat.store.sql.postgres import PostgresDatabase

    class DyingCursor(psycopg.Cursor[Any]):
        """A cursor of a connection that ends when `left` more statements are executed.

        Attributes:
            left: None if it never does.
        """

        left: ClassVar[int | None] = None

        def execute(self, *args: Any, **options: Any) -> Any:
            if DyingCursor.left is not None:
                if DyingCursor.left == 0:
                    pid = self.connection.info.backend_pid
                    postgres.server().execute(f"SELECT pg_terminate_backend({pid}, 60000)")
                DyingCursor.left -= 1
            return super().execute(*args, **options)

    class DyingDatabase(PostgresDatabase):
        def _connect(self, settings: dict[str, str]) -> Any:
            db = super()._connect(settings)
            db.cursor_factory = DyingCursor
            return db


#: What a schema consists of; names of constraints and indexes are made alike.
CATALOG = (
    "SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable,"
    " column_default FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace",
)
NUMBERS = count(1)


@functools.cache
def _template() -> str:
    """Return the name of a database with a chat of the oldest revision."""
    postgres.server().execute("CREATE DATABASE base")
    dump = Path(__file__).with_name("postgres_0012.sql").read_text()
    postgres.server().execute(dump, "base")
    return "base"


def old_chat() -> str:
    """Return the address of a new database with a chat of the oldest revision."""
    name = f"old{next(NUMBERS)}"
    postgres.server().execute(f"CREATE DATABASE {name} TEMPLATE {_template()}")
    return postgres.server().url(name)


def rows(url: str, *queries: str) -> list[list[Any]]:
    with psycopg.connect(url) as db:
        return [sorted(db.execute(query).fetchall(), key=repr) for query in queries]


class MigrationCase:
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.url = old_chat()

    def revision(self) -> str:
        ((revision,),) = rows(self.url, "SELECT version_num FROM alembic_version")[0]
        return revision

    def execute(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(sql)


class ResultTests(MigrationCase, TestCase):
    """What a migration leads to."""

    def test_the_tables_are_those_of_a_new_database(self) -> None:
        PostgresDatabase(self.url).prepare()
        migrated, created = rows(self.url, *CATALOG), rows(postgres.create_empty(), *CATALOG)
        for one, other in zip(migrated, created, strict=True):
            self.assertEqual(one, other)
        self.assertGreater(len(created[0]), 100)
        first = [
            "SELECT room_id, seq, messages, first FROM heads WHERE room_id > 1000000",
            "SELECT id, erased FROM index_state",
        ]
        self.assertEqual(rows(self.url, *first), rows(postgres.create_empty(), *first))
        self.assertEqual(
            rows(self.url, "SELECT id FROM rooms EXCEPT SELECT room_id FROM heads"), [[]]
        )
        meta = "SELECT value FROM meta WHERE key = 'min_program'"
        self.assertEqual(rows(self.url, meta), [[(schema.MIN_PROGRAM,)]])

    async def test_the_chat_goes_on(self) -> None:
        database = PostgresDatabase(self.url)
        database.prepare()
        store = SQLStore(database, reactor)
        self.addCleanup(store.close)
        store.load()
        found = await store.find_rooms(["garden"])
        entries = (await store.history(found["garden"].id, HistoryQuery(limit=10))).entries
        self.assertEqual(
            [(one.seq, one.kind) for one in entries], [(1, "room_created"), (2, "speak")]
        )
        self.assertEqual(await store.register("Carl", "carl", None, None, 1), 3)


class UnderWayTests(MigrationCase, SynchronousTestCase):
    """Who may be at work meanwhile, and what may end."""

    def test_a_migration_that_is_killed_has_changed_nothing(self) -> None:  # H46
        self.addCleanup(setattr, DyingCursor, "left", None)
        before = rows(self.url, *CATALOG)
        for left in count(0, 3 // example_count(3)):  # each statement, or each third
            DyingCursor.left = left
            try:
                DyingDatabase(self.url).prepare()
            except StoreUnavailable:
                pass
            else:
                break
            self.assertEqual(self.revision(), "0012")
            self.assertEqual(rows(self.url, *CATALOG), before)
        self.assertGreater(left, 12)
        self.assertEqual(self.revision(), schema.REVISIONS[-1])

    def test_two_servers_migrate_once(self) -> None:
        failures: list[Exception] = []

        def prepare() -> None:
            try:
                PostgresDatabase(self.url).prepare()
            except Exception as error:
                failures.append(error)

        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        threads = [Thread(target=prepare) for _ in range(2)]
        with closing(psycopg.connect(self.url)) as db:
            db.execute(f"SELECT pg_advisory_xact_lock({postgres_schema._LOCK})")
            for thread in threads:
                thread.start()
            while len(db.execute(waiting).fetchall()) < len(threads):
                pass
            db.rollback()
        for thread in threads:
            thread.join()
        self.assertEqual((failures, self.revision()), ([], schema.REVISIONS[-1]))

    def test_a_server_that_writes_has_to_be_stopped_unless_tables_are_only_added(
        self,
    ) -> None:  # H28
        with closing(psycopg.connect(self.url, autocommit=True)) as db:
            for lock in (
                "lock",
                "lock_shared",
            ):  # of a server of before there were nodes, of a node
                db.execute(f"SELECT pg_advisory_{lock}({nodes.WRITER_LOCK})")
                error = self.assertRaises(StoreUnavailable, PostgresDatabase(self.url).prepare)
                self.assertIn("another server uses it, and its tables change: stop", str(error))
                self.assertEqual(self.revision(), "0012")
                db.execute("SELECT pg_advisory_unlock_all()")
            db.execute(f"SELECT pg_advisory_lock_shared({nodes.WRITER_LOCK})")
            self.patch(schema, "ONLY_ADDING", frozenset(schema.REVISIONS))
            PostgresDatabase(self.url).prepare()
        self.assertEqual(self.revision(), schema.REVISIONS[-1])

    def test_tables_that_are_in_use_are_tried_again(self) -> None:
        self.patch(postgres_schema, "_TABLE_LOCK_TIMEOUT", "1ms")
        with closing(psycopg.connect(self.url)) as db:
            pauses: list[float] = []
            self.patch(postgres_schema, "time", SimpleNamespace(sleep=pauses.append))
            db.execute("SELECT 1 FROM commits")
            self.assertRaises(StoreUnavailable, PostgresDatabase(self.url).prepare)
            self.assertEqual((self.revision(), len(pauses)), ("0012", postgres_schema._TRIES - 1))
            release = SimpleNamespace(sleep=lambda _: db.rollback())
            self.patch(postgres_schema, "time", release)
            PostgresDatabase(self.url).prepare()
        self.assertEqual(self.revision(), schema.REVISIONS[-1])


class ProgramTests(MigrationCase, SynchronousTestCase):
    """Databases that a newer program has migrated."""

    def test_a_program_uses_what_only_adds_to_its_schema(self) -> None:  # H28
        PostgresDatabase(self.url).prepare()
        self.execute("UPDATE alembic_version SET version_num = '9999'")
        PostgresDatabase(self.url).prepare()
        self.assertEqual(self.revision(), "9999")
        self.assertRaises(StoreAhead, PostgresDatabase(self.url).require_newest)
        self.assertDoctorSays(
            "warning database: A newer version has migrated .*9999.* go on, and can start"
        )

    def assertDoctorSays(self, line: str) -> None:  # noqa: N802
        self.assertRegex(_check_database(ServerSettings(store=self.url)).line, line)

    def test_a_program_that_is_too_old_is_refused(self) -> None:  # H28
        PostgresDatabase(self.url).prepare()
        newer, other = "A newer version has migrated", "written by another version"
        for change, text in (
            (
                "UPDATE alembic_version SET version_num = '9999';"
                " UPDATE meta SET value = '9998' WHERE key = 'min_program'",
                newer,
            ),
            ("DELETE FROM meta WHERE key = 'min_program'", newer),
            ("UPDATE alembic_version SET version_num = '0011'", other),
        ):
            self.execute(change)
            error = self.assertRaises(StoreError, PostgresDatabase(self.url).prepare)
            self.assertNotIsInstance(error, StoreUnavailable)
            self.assertIn(text, str(error))
            if text == newer:
                self.assertNotIsInstance(error, StoreAhead)
                self.assertDoctorSays(f"error   database: {text} .* do not start")
