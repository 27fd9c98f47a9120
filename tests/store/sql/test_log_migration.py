"""Revision 0006, which builds the table of entries anew: what it keeps, and what can go wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

import gtchat
from gtchat.store import StoreError
from gtchat.store.sql import opening
from gtchat.store.sql.opening import Progress, prepare
from gtchat.store.sql.schema import REVISIONS
from tests.store.sql.old_databases import create_old_database, definitions, dump

#: Ann and Bob registered at 100, Cid at 500; Gus is a guest.
ACCOUNTS = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    VALUES (1, 'Ann', 'ann', 1, 100, 0), (2, 'Bob', 'bob', 1, 100, 0), (3, 'Gus', 'gus', 0, 100, 0),
    (4, 'Cid', 'cid', 1, 500, 0);
INSERT INTO rooms (id, key, name, public, topic, max, owner) VALUES (7, 'r', 'r', 1, '', 0, '');
"""

#: (kind, at, usr, extra, the account that the entry is about)
SUBJECTS: list[tuple[str, int, str, dict[str, Any] | None, int | None]] = [
    ("room_created", 100, "Ann", {"owner": "Ann"}, 1),
    ("speak", 99, "Ann", None, None),  # an earlier user of the name
    ("speak", 100, "Ann", None, 1),
    ("speak", 200, "Gus", None, None),  # a guest: the next one can have the name
    ("speak", 200, "ann", None, None),
    ("speak", 499, "Cid", None, None),
    ("speak", 500, "Cid", None, 4),
    ("join_room", 200, "Bob", None, 2),
    ("kicked", 200, "Bob", {"by": "Ann"}, 2),
    ("removed", 200, "Gus", {"by": "Ann"}, None),
    ("leave_room", 200, "Unknown", None, None),
    ("room_changed", 200, "Ann", {"owner": "Ann"}, 1),
    ("room_changed", 200, "Ann", {"owner": "Bob"}, 2),  # about the new owner
    ("room_changed", 200, "Ann", {"owner": "Cid"}, None),
    ("room_changed", 200, "Ann", {"owner": "Gus"}, None),
    ("room_changed", 200, "Ann", {"owner": ""}, None),
]
INSERT = (
    "INSERT INTO entries (rowid, room_id, seq, message_count, kind, at, usr, id, msg, extra)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


#: Entries of the database whose migration is killed. With a million, one step of a thousand is
#: tried; that takes many minutes, and is run by hand before a release with another migration.
KILLED_ENTRIES = int(os.environ.get("GTCHAT_TEST_ENTRIES", "3000"))


class LogMigrationCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"

    def create(self, rows: list[tuple[Any, ...]], sql: str = ACCOUNTS, wal: bool = False) -> None:
        """Create a database of revision 0005.

        Args:
            rows: entries, as `INSERT` has them.
            sql: what else is in it.
            wal: whether it has a write-ahead log, as it has after a start of the server.
        """
        create_old_database(self.path, "0005", sql)
        with closing(sqlite3.connect(self.path)) as db, db:
            if wal:
                db.execute("PRAGMA journal_mode = WAL")
            db.executemany(INSERT, rows)

    def rows(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql).fetchall()


def large_log(count: int) -> list[tuple[Any, ...]]:
    """Return entries of 50 rooms as rows of `INSERT`, some of them no messages, with gaps."""
    rows = []
    messages = [0] * 51
    for number in range(count):
        room = number % 50 + 1
        kind = "speak" if number % 11 else "join_room"
        messages[room] += kind == "speak"
        text = (f"id {number}", f"text {number} " * 5) if kind == "speak" else (None, None)
        rows.append(
            (
                number * 3 + number // 5000 * 40_000 + 7,
                room,
                number // 50 + 1,
                messages[room],
                kind,
                number,
                f"user {number * 7 % 300}",
                *text,
                None,
            )
        )
    return rows


#: 50 rooms; every second user has an account, which registered at some time.
LARGE = """
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50)
    INSERT INTO rooms (id, key, name, public, topic, max, owner)
    SELECT n, 'r' || n, 'R' || n, 1, '', 0, '' FROM n;
WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 2 FROM n WHERE n < 298)
    INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    SELECT n + 1, 'user ' || n, 'user ' || n, 1, n * 50, 0 FROM n;
"""


class LogMigrationTests(LogMigrationCase):
    def test_the_subject_is_an_account_that_had_the_name_at_that_time(self) -> None:
        self.create(
            [
                (seq, 7, seq, 0, kind, at, usr, None, None, extra and json.dumps(extra))
                for seq, (kind, at, usr, extra, _) in enumerate(SUBJECTS, 1)
            ]
        )
        prepare(self.path)
        found = self.rows("SELECT subject_id FROM entries ORDER BY seq")
        for row, expected in zip(found, SUBJECTS, strict=True):
            self.assertEqual(row[0], expected[4], expected)

    def test_rows_keep_their_numbers_and_no_number_is_used_again(self) -> None:
        speak = ("speak", 200, "Ann", "i", "m", None)
        starts = "INSERT INTO starts (id, at, entries_mark) VALUES (1, 0, 2), (2, 0, 90);"
        self.create([(5, 7, 1, 1, *speak), (80, 7, 2, 2, *speak)], ACCOUNTS + starts)
        prepare(self.path)
        self.assertEqual(self.rows("SELECT row, seq FROM entries ORDER BY row"), [(5, 1), (80, 2)])
        insert = (
            "INSERT INTO entries (room_id, seq, message_count, kind, at, usr)"
            " VALUES (7, ?, 2, 'leave_room', 0, 'Ann') RETURNING row"
        )
        with closing(sqlite3.connect(self.path)) as db:
            self.assertEqual(db.execute(insert, (3,)).fetchall(), [(91,)])
            db.execute("DELETE FROM entries WHERE row > 80")
            self.assertEqual(db.execute(insert, (3,)).fetchall(), [(92,)])

    def test_heads_tell_the_ends_of_the_logs_of_rooms(self) -> None:
        speak = ("speak", 200, "Ann", "i", "m", None)
        leave = ("leave_room", 200, "Ann", None, None, None)
        self.create(
            [
                (1, 7, 1, 1, *speak),
                (2, 6, 1, 1, *speak),  # of a room that is deleted
                (3, 7, 2, 2, *speak),
                (4, 7, 3, 2, *leave),
                (5, 8, 4, 3, *speak),
            ],
            ACCOUNTS + "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
            " VALUES (8, 's', 's', 1, '', 0, ''), (9, 't', 't', 1, '', 0, '');"
            "INSERT INTO pending_deletes (room_id) VALUES (6);",
        )
        prepare(self.path)
        heads = self.rows("SELECT room_id, seq, messages, first FROM heads ORDER BY room_id")
        self.assertEqual(heads, [(7, 3, 2, 1), (8, 4, 3, 4)])
        self.assertEqual(self.rows("SELECT count(*) FROM entries WHERE room_id = 6"), [(1,)])

    def test_twenty_thousand_entries_are_kept_in_order(self) -> None:
        rows = large_log(20_000)
        self.create(rows, LARGE, wal=True)
        prepare(self.path)
        subjects = {f"user {n}": (n + 1, n * 50) for n in range(0, 300, 2)}
        expected = []
        for row, room, seq, messages, kind, at, usr, id_, msg, extra in rows:
            account, created_at = subjects.get(usr, (None, 0))
            subject = account if at >= created_at else None
            rest = (id_, msg, None, None, None, extra)
            expected.append((row, room, seq, messages, kind, at, usr, subject, *rest))
        found = self.rows("SELECT * FROM entries ORDER BY row")
        self.assertEqual(len(found), 20_000)
        self.assertEqual([f for f, e in zip(found, expected, strict=True) if f != e][:3], [])
        heads = self.rows("SELECT room_id, seq, messages, first FROM heads ORDER BY room_id")
        last = {row[1]: (row[1], row[2], row[3], 1) for row in rows}
        self.assertEqual(heads, sorted(last.values()))
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(self.rows("PRAGMA foreign_key_check"), [])

    def test_a_migrated_database_is_one_file_beside_its_copy(self) -> None:
        self.create(large_log(100), LARGE, wal=True)
        prepare(self.path)
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(names, ["gtchat.sqlite", "gtchat.sqlite.revision-0005"])

    def test_the_old_program_accepts_the_copy(self) -> None:
        self.create(large_log(100), LARGE, wal=True)
        before = dump(self.path)
        prepare(self.path)
        copy = self.path.with_name("gtchat.sqlite.revision-0005")
        with mock.patch.object(opening, "REVISIONS", REVISIONS[:5]):
            self.assertEqual(opening._check(copy), "0005")
            error = self.assertRaises(StoreError, opening._check, self.path)
            prepare(copy)
        self.assertIn("written by a newer version", str(error))
        self.assertEqual(dump(copy), before)
        old = self.folder / "old.sqlite"
        create_old_database(old, "0005")
        self.assertEqual(definitions(copy), definitions(old))

    def test_a_migration_that_fails_changes_nothing(self) -> None:
        self.create(large_log(100), LARGE, wal=True)
        before = dump(self.path)
        failing = mock.Mock(side_effect=ZeroDivisionError)
        with mock.patch.object(opening, "Progress", side_effect=[mock.Mock(), failing]):
            self.assertRaises(ZeroDivisionError, prepare, self.path)
        self.assertEqual(dump(self.path), before)

    def test_it_is_refused_without_the_space_that_it_needs(self) -> None:
        self.create(large_log(5_000), LARGE)
        size = self.path.stat().st_size
        needed = opening._MIGRATION_SIZES * size
        usage = mock.Mock(return_value=mock.Mock(free=needed - 1))
        with mock.patch.object(opening.shutil, "disk_usage", usage):
            error = self.assertRaises(StoreError, prepare, self.path)
        self.assertIn(f" {needed // 2**20 + 1} MiB must be free in ", str(error))
        self.assertEqual([path.name for path in self.folder.iterdir()], ["gtchat.sqlite"])


class ProgressTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        log = mock.Mock(spec=Logger)
        log.info = lambda text, **values: self.lines.append(text.format(**values))
        self.progress = Progress(log, "migrating: {done} of {total} entries", self.clock.seconds)

    def test_a_short_step_logs_nothing(self) -> None:
        self.clock.advance(0.9)
        self.progress(10, 10)
        self.assertEqual(self.lines, [])

    def test_a_long_step_logs_once_a_second(self) -> None:
        for thousands in range(40):
            self.clock.advance(0.25)
            self.progress(thousands * 1000, 1_000_000)
        self.assertEqual(len(self.lines), 10)
        self.assertEqual(self.lines[1], "migrating: 7,000 of 1,000,000 entries")


class ReportTests(LogMigrationCase):
    def test_copy_and_migration_report_every_slice(self) -> None:
        self.create(large_log(20_000), LARGE)
        reports: dict[str, list[tuple[int, int]]] = {}

        def progress(log: Logger, text: str) -> Any:
            return lambda done, total: reports.setdefault(text, []).append((done, total))

        with mock.patch.object(opening, "Progress", progress):
            prepare(self.path)
        copied, migrated = reports.values()
        self.assertEqual(copied[-1][0], copied[-1][1])
        self.assertEqual(migrated[-1], (20_000, 20_000))
        done = [report[0] for report in migrated]
        self.assertEqual(done, sorted(done))
        self.assertGreater(len(migrated), 15)


class KilledTests(LogMigrationCase):
    def test_a_migration_that_is_killed_at_any_step_is_finished_by_the_next_start(self) -> None:
        # H39
        for wal in (True, False):
            self.create(large_log(KILLED_ENTRIES), LARGE, wal)
            folder = self.folder / f"killed {wal}"
            folder.mkdir()
            arguments = [self.path, folder, str(1 + KILLED_ENTRIES // 5_000 * 5)]
            done = subprocess.run(
                [sys.executable, "-m", "tests.store.sql.killed_migration", *arguments],
                env={**os.environ, "PYTHONPATH": str(Path(gtchat.__file__).parent.parent)},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual((done.returncode, done.stderr[-2000:]), (0, ""))
            steps, states = map(int, done.stdout.split())
            self.assertGreater(steps, 40)
            self.assertGreater(states, 6)
            self.path.unlink()
