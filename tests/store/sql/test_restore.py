"""Copies that are verified, and put in the place of a database."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.store import StoreDamaged, StoreError, StoreTooNew, backup, restore, verify, verify_copy
from gtchat.store.sql.schema import REVISIONS
from tests.databases import create_empty
from tests.store.sql.old_databases import create_old_database
from tests.store.sql.test_schema import ROWS_0003

ADD = (
    "INSERT INTO accounts (name, key, registered, created_at, lobby_read_seq)"
    " VALUES (?1, ?1, 1, 0, 0)"
)
#: The module, whose name is that of a function of the package.
MODULE = sys.modules["gtchat.store.sql.restore"]


class RestoreCase(SynchronousTestCase):
    """A database with the account `old`, and a copy of one with the account `new`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.target = self.folder / "data" / "gtchat.sqlite"
        self.target.parent.mkdir()
        create_empty(self.target)
        self.execute(self.target, ADD, "old")
        source = self.folder / "source"
        create_empty(source)
        self.execute(source, "INSERT INTO meta VALUES ('epoch', 'before')")
        self.execute(source, ADD, "new")
        self.copy = self.folder / "copy"
        backup(source, self.copy)

    def execute(self, path: Path, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(sql, values)

    def names(self, path: Path) -> list[str]:
        """Return the accounts of a database that is whole."""
        with closing(sqlite3.connect(path)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            return [name for (name,) in db.execute("SELECT name FROM accounts")]

    def files(self) -> dict[str, bytes]:
        """Return the files beside the database, and the database."""
        return {path.name: path.read_bytes() for path in self.target.parent.iterdir()}

    def crash(self) -> None:
        """Leave the database as a server that was killed does: its last commit is in the log."""
        copy = self.folder / "crashed"
        with closing(sqlite3.connect(self.target)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("UPDATE accounts SET name = 'last'")
            db.commit()
            shutil.copytree(self.target.parent, copy)
        shutil.rmtree(self.target.parent)
        copy.rename(self.target.parent)
        self.assertTrue(self.target.with_name("gtchat.sqlite-wal").exists())

    def assertUnchanged(self, error: type[Exception], text: str) -> None:
        """Assert that a copy is refused with one line, and that nothing has changed."""
        before = self.files()
        message = str(self.assertRaises(error, restore, self.copy, self.target))
        self.assertIn(text, message)
        self.assertNotIn("\n", message)
        self.assertEqual(self.files(), before)


class Restore(RestoreCase):
    def test_a_copy_is_in_place_and_the_database_stays_beside_it(self) -> None:
        steps: list[str] = []

        def step(name: str) -> Any:
            steps.append(name)
            return lambda done, total: None

        done = restore(self.copy, self.target, step)
        self.assertEqual(steps, ["copying", "checking", "comparing"])
        self.assertEqual((done.verified.accounts, done.verified.contradictions), (1, ()))
        assert done.kept is not None
        self.assertEqual((self.names(self.target), self.names(done.kept)), (["new"], ["old"]))
        self.assertEqual(set(self.files()), {"gtchat.sqlite", "gtchat.sqlite.replaced-1"})
        self.assertEqual(stat.S_IMODE(self.target.stat().st_mode), 0o600)
        with closing(sqlite3.connect(self.target)) as db:
            self.assertEqual(db.execute("SELECT * FROM meta WHERE key = 'epoch'").fetchall(), [])
        second = restore(done.kept, self.target).kept
        assert second is not None
        self.assertEqual((self.names(self.target), self.names(second)), (["old"], ["new"]))
        self.assertEqual(second.name, "gtchat.sqlite.replaced-2")

    def test_the_log_of_a_killed_server_is_kept_in_the_file_that_was_there(self) -> None:
        self.crash()
        done = restore(self.copy, self.target)
        assert done.kept is not None
        self.assertEqual((self.names(self.target), self.names(done.kept)), (["new"], ["last"]))
        self.assertEqual(len(self.files()), 2)

    def test_a_copy_is_put_where_no_database_is(self) -> None:
        self.target.unlink()
        self.assertIs(restore(self.copy, self.target).kept, None)
        self.assertEqual(self.names(self.target), ["new"])
        self.target.rename(self.target.with_name("gtchat.sqlite-wal"))
        self.assertUnchanged(StoreError, "gtchat.sqlite-wal exists")

    def test_a_damaged_database_is_replaced_and_kept_with_its_log(self) -> None:
        self.patch(MODULE, "settle", lambda path: None)  # SQLite may have deleted the log
        self.target.write_bytes(b"damaged" * 1000)
        self.target.with_name("gtchat.sqlite-wal").write_bytes(b"log")
        before = self.files()
        restore(self.copy, self.target)
        self.assertEqual(self.names(self.target), ["new"])
        after = self.files()
        del after["gtchat.sqlite"]
        self.assertEqual(
            after,
            {
                "gtchat.sqlite.replaced-1": before["gtchat.sqlite"],
                "gtchat.sqlite.replaced-1-wal": before["gtchat.sqlite-wal"],
            },
        )

    def test_no_log_stays_beside_a_restored_database(self) -> None:
        self.target.write_bytes(b"damaged" * 1000)
        self.target.with_name("gtchat.sqlite-wal").write_bytes(b"log")
        restore(self.copy, self.target)
        self.assertEqual(self.names(self.target), ["new"])

    def test_an_older_copy_is_migrated(self) -> None:
        self.copy.unlink()
        create_old_database(self.copy, "0003", ROWS_0003)
        before = self.copy.read_bytes()
        done = restore(self.copy, self.target)
        self.assertEqual(done.verified.revision, REVISIONS[-1])
        self.assertEqual(verify(self.target), done.verified)
        self.assertEqual(self.copy.read_bytes(), before)
        self.assertEqual(verify_copy(self.copy), done.verified)
        self.assertEqual(self.copy.read_bytes(), before)

    def test_a_copy_of_a_newer_version_is_refused(self) -> None:
        self.execute(self.copy, "UPDATE alembic_version SET version_num = '9999'")
        self.assertUnchanged(StoreTooNew, f"{self.copy} was written by a newer version")
        self.assertRaises(StoreTooNew, verify_copy, self.copy)

    def test_a_damaged_copy_is_refused(self) -> None:
        whole = self.copy.read_bytes()
        for damaged, text in (
            (whole[: len(whole) // 2], f"{self.copy} is damaged"),
            (whole[:8192] + b"\xff" * 4096 + whole[12288:], f"{self.copy} is damaged"),
            (
                b"words\n" * 100,
                f"{self.copy} is not a database: name a database of GTChat, such as gtchat backup",
            ),
        ):
            self.copy.write_bytes(damaged)
            self.assertUnchanged(StoreError, text)
        self.copy.unlink()
        self.assertUnchanged(StoreError, "No such file")

    def test_a_database_in_use_is_not_replaced(self) -> None:
        self.patch(MODULE, "connect", lambda path, mode: sqlite3.connect(path, timeout=0))
        with closing(sqlite3.connect(self.target, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            self.assertUnchanged(StoreError, "locked; stop the program that uses it")
            db.execute("ROLLBACK")

    def test_a_full_disk_changes_nothing(self) -> None:
        def full(*args: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "link", full)
        self.assertUnchanged(StoreError, "No space left on device")


class Kills(RestoreCase):
    """SIGKILL leaves the files as they are: each state of them is finished by the next command."""

    def kill_at_each_line(self) -> list[Path]:
        """Restore, and copy the folder before each line of the module that finds another state."""
        states: set[bytes] = set()
        found: list[Path] = []

        def trace(frame: FrameType, event: str, arg: object) -> Any:
            if frame.f_code.co_filename == MODULE.__file__:
                look()
                return trace
            return None

        def look() -> None:
            state = hashlib.sha256()
            for path in sorted(self.target.parent.iterdir()):
                state.update(f"{path.name} {path.stat().st_ino} ".encode() + path.read_bytes())
            if state.digest() not in states:
                states.add(state.digest())
                folder = self.folder / f"state {len(states)}"
                shutil.copytree(self.target.parent, folder)
                if (kept := folder / "gtchat.sqlite.replaced-1").exists() and os.path.samefile(
                    self.target, self.target.with_name(kept.name)
                ):  # as it is: two names of one file
                    kept.unlink()
                    os.link(folder / self.target.name, kept)
                found.append(folder)

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            restore(self.copy, self.target)
        finally:
            sys.settrace(before)
        look()
        return found

    def test_a_kill_leaves_the_database_or_the_copy_and_the_next_run_finishes(self) -> None:
        self.crash()
        folders = self.kill_at_each_line()
        seen = set()
        for folder in folders:
            again = folder.with_name(folder.name + " again")
            shutil.copytree(folder, again, copy_function=os.link)
            target = folder / self.target.name
            names = self.names(target)
            seen.update(names)
            self.assertIn(names, (["last"], ["new"]), folder)
            target = again / self.target.name
            restore(self.copy, target)
            self.assertEqual(self.names(target), ["new"], folder)
            kept = [path for path in again.iterdir() if path != target]
            expected = [["last"]] if names == ["last"] else [["last"], ["new"]]
            self.assertEqual(sorted(self.names(path) for path in kept), expected, folder)
            self.assertEqual(
                {path.name.rpartition("-")[0] for path in kept}, {target.name + ".replaced"}
            )
        self.assertEqual(seen, {"last", "new"})
        self.assertGreaterEqual(len(folders), 5)


class Verify(RestoreCase):
    def test_a_database_in_use_is_verified(self) -> None:
        with closing(sqlite3.connect(self.target, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            self.assertEqual(verify(self.target).accounts, 1)
            db.execute("ROLLBACK")

    def test_faults_are_found(self) -> None:
        for sql, text in (
            ("INSERT INTO blocks VALUES (1, 77)", "refers to what is missing in accounts"),
            ("DELETE FROM sqlite_schema WHERE name = 'accounts_skeleton'", "never used"),
        ):
            damaged = self.folder / "damaged"
            shutil.copy(self.copy, damaged)
            with closing(sqlite3.connect(damaged)) as db, db:
                db.execute("PRAGMA writable_schema = ON")
                db.execute(sql)
            error = self.assertRaises(StoreDamaged, verify_copy, damaged)
            self.assertIn(text, str(error))
            self.assertTrue(str(error).startswith(f"{damaged} is damaged"))
            self.assertNotIn("\n", str(error))

    def test_rooms_that_are_not_what_their_logs_say_are_named_and_restored(self) -> None:
        self.execute(
            self.copy,
            "INSERT INTO rooms (key, name, public, topic, max, owner)"
            " VALUES ('garden', 'Garden', 1, 'tea', 0, '')",
        )
        verified = verify_copy(self.copy)
        self.assertEqual((verified.rooms, len(verified.contradictions)), (1, 1))
        self.assertIn("'Garden'", verified.contradictions[0])
        self.assertEqual(restore(self.copy, self.target).verified, verified)
