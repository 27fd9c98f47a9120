"""The schema: what the migrations make is what the statements are written for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS, metadata
from gtchat.store.sql.sqlite import prepare

#: Three accounts that have read none, one and both of the messages in a room's log.
OLD_ROWS = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_seen)
    VALUES (1, 'a', 'a', 1, 0, 0), (2, 'b', 'b', 1, 0, 2), (3, 'c', 'c', 1, 0, 9);
INSERT INTO sessions (token_hash, account_id, began) VALUES ('x', 1, 0);
INSERT INTO rooms (id, key, name, public, topic, max, owner) VALUES (7, 'r', 'r', 1, '', 0, '');
INSERT INTO entries (room_id, seq, spoken, kind, at, usr)
    VALUES (7, 1, 1, 'speak', 0, 'a'), (7, 2, 1, 'join_room', 0, 'b'),
    (7, 3, 1, 'join_room', 0, 'c'), (7, 4, 2, 'speak', 0, 'a'), (7, 5, 2, 'leave_room', 0, 'd');
INSERT INTO members (room_id, account_id, joined, spoken_seen)
    VALUES (7, 1, 1, 0), (7, 2, 2, 1), (7, 3, 3, 2);
"""


def described(path: Path) -> dict[str, str]:
    """What SQLite says of each table and index, without names that do not matter."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in found if name != "alembic_version"}


class SchemaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"
        prepare(self.path)

    def test_migrations_make_the_tables_that_statements_use(self) -> None:
        engine = create_engine(f"sqlite:///{self.path}")
        self.addCleanup(engine.dispose)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            self.assertEqual(compare_metadata(context, metadata), [])

    def test_migrations_make_them_to_the_letter(self) -> None:
        other = self.folder / "other.sqlite"
        engine = create_engine(f"sqlite:///{other}")
        metadata.create_all(engine)
        engine.dispose()
        self.assertEqual(described(self.path), described(other))

    def test_what_was_read_is_an_entry_where_it_was_a_number_of_messages(self) -> None:
        old = self.folder / "old.sqlite"
        engine = create_engine(f"sqlite:///{old}")
        config = Config()
        config.set_main_option("script_location", "gtchat.store.sql:migrations")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
        engine.dispose()
        with closing(sqlite3.connect(old)) as db, db:
            db.executescript(f"PRAGMA application_id = {APPLICATION_ID}; {OLD_ROWS}")
        prepare(old)
        with closing(sqlite3.connect(old)) as db:
            self.assertEqual(described(old), described(self.path))
            read = db.execute("SELECT account_id, read_seq FROM members ORDER BY 1").fetchall()
            lobby = db.execute("SELECT id, lobby_read FROM accounts ORDER BY 1").fetchall()
            marks = db.execute("SELECT marks FROM sessions").fetchall()
        self.assertEqual(read, [(1, 0), (2, 3), (3, 5)])
        self.assertEqual((lobby, marks), ([(1, 0), (2, 2), (3, 9)], [(0,)]))

    def test_the_revisions_are_known_without_asking_alembic(self) -> None:
        config = Config()
        config.set_main_option("script_location", "gtchat.store.sql:migrations")
        scripts = list(ScriptDirectory.from_config(config).walk_revisions())
        self.assertEqual(tuple(script.revision for script in reversed(scripts)), REVISIONS)
