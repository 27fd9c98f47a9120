"""The schema: what the migrations make is what the statements are written for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.look_alikes import skeleton
from gtchat.store.sql import opening
from gtchat.store.sql.database import StoreError
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.schema import REVISIONS, SQLITE_REVISIONS, metadata
from tests.databases import create_empty
from tests.store.sql.old_databases import create_old_database, definitions


def is_of_index(name: str | None) -> bool:
    """Return whether a table is the index of messages, which Core does not know, or part of it."""
    return name is not None and name.startswith("message_index")


def contents(path: Path) -> dict[str, list[object]]:
    """Return what a new database has besides empty tables."""
    with closing(sqlite3.connect(path)) as db:
        tables = metadata.tables.keys() | {"alembic_version", "message_index_config"}
        rows = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608
        settings = ("application_id", "auto_vacuum", "page_size", "journal_mode", "encoding")
        found = {name: db.execute(f"PRAGMA {name}").fetchall() for name in settings}
        columns = db.execute(
            'SELECT name, type, "notnull" FROM pragma_table_info(?)', ("alembic_version",)
        )
        return {**rows, **found, "columns": columns.fetchall()}


#: Rows for revision 0002: three accounts that have read none, one and both of a room's messages.
ROWS_0002 = """
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


#: Rows for revision 0003 in every table with a renamed column, and in the renamed table.
ROWS_0003 = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read)
    VALUES (1, 'a', 'a', 1, 0, 4);
INSERT INTO sessions (token_hash, account_id, began, lost, aged, marks)
    VALUES ('x', 1, 10, 11, 12, 1);
INSERT INTO rooms (id, key, name, public, topic, max, owner) VALUES (7, 'r', 'r', 1, '', 0, '');
INSERT INTO entries (room_id, seq, spoken, kind, at, usr, id, msg)
    VALUES (7, 2, 1, 'speak', 0, 'a', 'i', 'hello');
INSERT INTO members (room_id, account_id, joined, read_seq) VALUES (7, 1, 1, 2);
INSERT INTO invitations (room_id, account_id, inviter, told, at) VALUES (7, 1, 'a', 1, 5);
INSERT INTO doomed (room_id) VALUES (6);
"""

#: Rows for revision 0004: the room `r` has an owner who is a member and invites; others do not.
INVITATIONS_0004 = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    VALUES (1, 'A', 'a', 1, 0, 0), (2, 'B', 'b', 1, 0, 0), (3, 'C', 'c', 1, 0, 0);
INSERT INTO rooms (id, key, name, public, topic, max, owner_id, owner)
    VALUES (7, 'r', 'r', 1, '', 0, 1, 'A'), (8, 's', 's', 1, '', 0, NULL, '');
INSERT INTO members (room_id, account_id, joined_seq, read_seq) VALUES (7, 1, 1, 0), (8, 2, 1, 0);
INSERT INTO invitations (room_id, account_id, inviter, delivered, at)
    VALUES (7, 3, 'A', 1, 5), (7, 3, 'B', 1, 5), (8, 3, 'A', 1, 5), (7, 3, 'D', 0, 5);
INSERT INTO whispers (number, target_id, at, usr, id, msg) VALUES (1, 1, 0, 'B', 'i', 'psst');
"""

#: Rows for revision 0004 with names that look alike, and more names than are converted at a time.
ROWS_0004 = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    VALUES (1, 'Cop', 'cop', 1, 0, 0), (2, '\u0441\u043e\u0440', '\u0441\u043e\u0440', 1, 0, 0),
    (7, 'H\u043est', 'h\u043est', 1, 0, 0), (9, 'user1', 'user1', 0, 0, 0);
INSERT INTO rooms (id, key, name, public, topic, max, owner_id, owner)
    VALUES (3, 'l\u043ebby', 'L\u043ebby', 1, '', 0, 2, '');
WITH RECURSIVE numbers (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20200)
    INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    SELECT n, 'user' || n, 'user' || n, 1, 0, 0 FROM numbers;
"""


#: The same: a room with a member, Ann, and three guests who ended: the owner, one who
#: was added while leaving, and one who was added again. Carl left in order.
ROWS_0004_ENDED = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    VALUES (1, 'Ann', 'ann', 1, 0, 0);
INSERT INTO rooms (id, key, name, public, topic, max, owner_id, owner)
    VALUES (7, 'r', 'r', 1, '', 0, 5, 'Gus'), (8, 's', 's', 1, '', 0, 1, 'Ann');
INSERT INTO entries (room_id, seq, message_count, kind, at, usr)
    VALUES (7, 1, 0, 'room_created', 10, 'Gus'), (7, 2, 0, 'join_room', 10, 'Ann'),
    (7, 3, 0, 'join_room', 10, 'Hal'), (7, 4, 0, 'leave_room', 10, 'Hal'),
    (7, 5, 0, 'join_room', 10, 'Carl'), (7, 6, 0, 'kicked', 10, 'Carl'),
    (7, 7, 1, 'speak', 10, 'Gus'), (7, 8, 1, 'join_room', 10, 'Hal'), (7, 9, 2, 'speak', 20, 'Ann'),
    (8, 1, 0, 'room_created', 10, 'Ann'), (6, 1, 0, 'room_created', 10, 'Zoe');
INSERT INTO members (room_id, account_id, joined_seq, read_seq)
    VALUES (7, 1, 2, 2), (7, 5, 1, 1), (8, 1, 1, 1);
INSERT INTO pending_deletes (room_id) VALUES (6);
"""


#: Rows for revision 0005: a session that is not connected, and one that is.
SESSIONS_0005 = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq, skeleton)
    VALUES (1, 'Ann', 'ann', 1, 0, 0, '=ann');
INSERT INTO sessions (token_hash, account_id, began_at, lost_at, expires_from, marks_read)
    VALUES ('x', 1, 10, 11, 12, 1), ('y', 1, 20, NULL, NULL, 0);
"""


#: Rows for revision 0010: rooms that were always public, that became public twice, that became
#: public and stayed so, that are private, and one whose first entries were deleted.
ROWS_0010 = """
INSERT INTO rooms (id, key, name, public, topic, max, owner)
    VALUES (3, 'a', 'a', 1, '', 0, ''), (4, 'b', 'b', 1, '', 0, ''), (5, 'c', 'c', 1, '', 0, ''),
    (6, 'd', 'd', 0, '', 0, ''), (7, 'e', 'e', 1, '', 0, '');
INSERT INTO entries (room_id, seq, message_count, kind, at, usr, extra)
    VALUES (3, 1, 0, 'room_created', 0, 'a', '{"public":true}'),
    (3, 2, 1, 'speak', 0, 'a', NULL),
    (4, 9, 0, 'room_changed', 0, 'a', '{"public":true}'),
    (4, 1, 0, 'room_created', 0, 'a', '{"public":false}'),
    (4, 4, 0, 'room_changed', 0, 'a', '{"public":true}'),
    (4, 7, 0, 'room_changed', 0, 'a', '{"public":false}'),
    (5, 1, 0, 'room_created', 0, 'a', '{"public":false}'),
    (5, 2, 0, 'room_changed', 0, 'a', '{"public":true,"topic":"x"}'),
    (5, 3, 0, 'room_changed', 0, 'a', '{"public":true,"topic":"y"}'),
    (6, 1, 0, 'room_created', 0, 'a', '{"public":true}'),
    (6, 2, 0, 'room_changed', 0, 'a', '{"public":false}'),
    (7, 8, 1, 'speak', 0, 'a', NULL);
"""


class SchemaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"
        create_empty(self.path)

    def old_database(self, revision: str, rows: str = "") -> Path:
        """Create a database of an old revision with some rows."""
        path = self.folder / f"{revision}.sqlite"
        create_old_database(path, revision, rows)
        return path

    def test_migrations_create_the_tables_that_statements_use(self) -> None:
        migrated = self.old_database(SQLITE_REVISIONS[0])
        prepare(migrated)
        engine = create_engine(f"sqlite:///{migrated}")
        self.addCleanup(engine.dispose)
        with engine.connect() as connection:
            options = {"include_name": lambda name, kind, parents: not is_of_index(name)}
            context = MigrationContext.configure(connection, opts=options)
            self.assertEqual(compare_metadata(context, metadata), [])

    def test_new_database_has_the_tables_and_rows_of_the_migrations(self) -> None:
        created, migrated = (self.folder / name for name in ("created", "migrated"))
        opening.create(created)
        opening.create(migrated, SQLITE_REVISIONS[0])
        opening.migrate(migrated)
        self.assertIn("message_index", definitions(created))
        self.assertEqual(definitions(created), definitions(migrated))
        self.assertEqual(contents(created), contents(migrated))

    def test_every_old_revision_is_migrated_to_the_same_tables(self) -> None:
        for revision in SQLITE_REVISIONS[:-1]:
            old = self.old_database(revision)
            prepare(old)
            self.assertEqual(definitions(old), definitions(self.path))

    def test_a_revision_of_postgresql_alone_changes_no_file(self) -> None:
        for revision in set(REVISIONS) - set(SQLITE_REVISIONS):
            passed = self.old_database(revision)
            before = max(one for one in SQLITE_REVISIONS if one < revision)
            self.assertEqual(definitions(passed), definitions(self.old_database(before)))
        newest = self.old_database(SQLITE_REVISIONS[-1])
        before = newest.read_bytes()
        prepare(newest)
        self.assertEqual(newest.read_bytes(), before)
        self.assertEqual(list(self.folder.glob("*.revision-*")), [])

    def test_0003_turns_a_number_of_read_messages_into_the_seq_of_an_entry(self) -> None:
        old = self.old_database("0002", ROWS_0002)
        prepare(old)
        with closing(sqlite3.connect(old)) as db:
            read = db.execute("SELECT account_id, read_seq FROM members ORDER BY 1").fetchall()
            lobby = db.execute("SELECT id, lobby_read_seq FROM accounts ORDER BY 1").fetchall()
            marks = db.execute("SELECT marks_read FROM sessions").fetchall()
        self.assertEqual(read, [(1, 0), (2, 3), (3, 5)])
        self.assertEqual((lobby, marks), ([(1, 0), (2, 2), (3, 9)], [(0,)]))

    def test_0004_keeps_the_values_of_renamed_columns(self) -> None:
        old = self.old_database("0003", ROWS_0003)
        prepare(old)
        for columns, row in (
            ("lobby_read_seq FROM accounts", (4,)),
            ("began_at, lost_at, expires_from, marks_read FROM sessions", (10, 11, 12, 1)),
            ("seq, message_count, msg FROM entries", (2, 1, "hello")),
            ("joined_seq, read_seq FROM members", (1, 2)),
            ("delivered FROM invitations", (1,)),
            ("room_id FROM pending_deletes", (6,)),
        ):
            with closing(sqlite3.connect(old)) as db:
                self.assertEqual(db.execute(f"SELECT {columns}").fetchall(), [row])

    def test_0005_knows_creators_and_ends_invitations_of_users_who_left(self) -> None:
        old = self.old_database("0004", INVITATIONS_0004)
        prepare(old)
        for columns, rows in (
            ("key, creator_id FROM rooms WHERE kind = 'room'", [("r", 1), ("s", None)]),
            ("account_id, inviter, inviter_id, postponed FROM invitations", [(3, "A", 1, 0)]),
            ("subject_id, msg FROM entries", [(2, "psst")]),
        ):
            with closing(sqlite3.connect(old)) as db:
                self.assertEqual(db.execute(f"SELECT {columns} ORDER BY 1").fetchall(), rows)

    def test_0012_finds_since_when_a_room_is_public(self) -> None:
        old = self.old_database("0010", ROWS_0010)
        prepare(old)
        with closing(sqlite3.connect(old)) as db:
            rows = db.execute("SELECT id, preview, public_since FROM rooms ORDER BY 1").fetchall()
        expected = [(3, 0, 0), (4, 0, 9), (5, 0, 2), (6, 0, 0), (7, 0, 0)]
        self.assertEqual([row for row in rows if row[0] > 2], expected)

    def test_old_database_is_copied_before_it_is_migrated(self) -> None:
        old = self.old_database("0003", ROWS_0003)
        before = old.read_bytes()
        copy = old.with_name(old.name + ".revision-0003")
        copy.write_bytes(b"left by a migration that was interrupted")
        prepare(old)
        with closing(sqlite3.connect(copy)) as db:
            revision = db.execute("SELECT version_num FROM alembic_version").fetchone()
            self.assertEqual(revision, ("0003",))
            self.assertEqual(db.execute("SELECT lobby_read FROM accounts").fetchall(), [(4,)])
        self.assertNotEqual(old.read_bytes(), before)
        copy.unlink()
        prepare(old)
        self.assertFalse(copy.exists())

    def test_old_database_is_not_migrated_without_space_for_a_copy(self) -> None:
        old = self.old_database("0003", ROWS_0003)
        before = old.read_bytes()
        usage = SimpleNamespace(free=opening._MIGRATION_SIZES * len(before) - 1)
        self.patch(opening.shutil, "disk_usage", lambda folder: usage)
        error = self.assertRaises(StoreError, prepare, old)
        self.assertRegex(str(error), r"1 MiB must be free in .+, and 0 MiB are; free some space")
        self.assertEqual(old.read_bytes(), before)
        usage.free += 1
        prepare(old)

    def test_0005_computes_the_skeletons_of_all_names_slice_by_slice(self) -> None:
        old = self.old_database("0004", ROWS_0004)
        prepare(old)
        with closing(sqlite3.connect(old)) as db:
            names = db.execute("SELECT name, skeleton FROM accounts ORDER BY id").fetchall()
            rooms = db.execute("SELECT skeleton, creator_id FROM rooms").fetchall()
        wrong = [row for row in names if row[1] != skeleton(row[0])]
        self.assertEqual((len(names), wrong[:5]), (20_105, []))
        self.assertEqual([row[1] for row in names[:4]], ["=cop", "~cop", "~host", "=userl"])
        self.assertEqual(rooms, [("~lobby", 2)])

    def test_0005_lets_users_leave_who_ended_as_members(self) -> None:  # H31
        old = self.old_database("0004", ROWS_0004_ENDED)
        prepare(old)
        with closing(sqlite3.connect(old)) as db:
            added = db.execute(
                "SELECT room_id, seq, message_count, kind, at, usr, id, msg, extra FROM entries"
                " ORDER BY rowid LIMIT -1 OFFSET 11"
            ).fetchall()
            members = db.execute("SELECT room_id, account_id FROM members").fetchall()
            owners = db.execute("SELECT id, owner_id FROM rooms").fetchall()
        self.assertEqual(
            added,
            [
                (7, 10, 2, "leave_room", 20, "Gus", None, None, None),
                (7, 11, 2, "leave_room", 20, "Hal", None, None, None),
            ],
        )
        self.assertEqual((members, owners), ([(7, 1), (8, 1)], [(7, None), (8, 1)]))

    def test_0008_keeps_sessions_which_are_on_no_device(self) -> None:
        old = self.old_database("0005", SESSIONS_0005)
        prepare(old)
        for columns, rows in (
            (
                "began_at, lost_at, expires_from, marks_read, device, protocol, address, created_at"
                " FROM sessions",
                [
                    (10, 11, 12, 1, None, "gtchat", "", 10),
                    (20, None, None, 0, None, "gtchat", "", 20),
                ],
            ),
            ("count(*) FROM devices", [(0,)]),
        ):
            with closing(sqlite3.connect(old)) as db:
                self.assertEqual(db.execute(f"SELECT {columns}").fetchall(), rows)

    def test_the_list_of_revisions_matches_the_migrations(self) -> None:
        config = Config()
        config.set_main_option("script_location", "gtchat.store.sql:migrations")
        scripts = list(ScriptDirectory.from_config(config).walk_revisions())
        self.assertEqual(tuple(script.revision for script in reversed(scripts)), REVISIONS)
