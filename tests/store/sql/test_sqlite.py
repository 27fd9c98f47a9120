"""Opening a database: create it, migrate it, or refuse it in one line without changing it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import gtchat
from gtchat.store import StoreError
from gtchat.store.sql import opening
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.schema import APPLICATION_ID, SQLITE_REVISIONS
from gtchat.store.sql.sqlite import configure_writer, connect
from gtchat.store.sql.store import SQLStore
from tests.databases import create_empty


class OpeningCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    def assertRefused(self, *words: str) -> None:
        """Check that opening fails with one line with these words, and that no file changes."""
        before = self.files()
        error = self.assertRaises(StoreError, SQLStore.open, self.path, Clock())
        self.assertEqual(self.files(), before)
        self.assertNotIn("\n", str(error))
        for word in words:
            self.assertIn(word, str(error))


class NewTests(OpeningCase):
    def test_only_the_owner_can_read_a_new_database(self) -> None:
        prepare(self.path)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(list(self.files()), ["gtchat.sqlite"])

    def test_a_new_database_has_the_application_id(self) -> None:
        prepare(self.path)
        with closing(sqlite3.connect(self.path)) as db:
            mark = db.execute("PRAGMA application_id").fetchone()[0]
        self.assertEqual(mark, APPLICATION_ID)

    def test_the_second_start_changes_nothing(self) -> None:
        create_empty(self.path)
        before = self.files()
        prepare(self.path)
        self.assertEqual(self.files(), before)

    def test_new_and_newest_databases_do_not_use_alembic(self) -> None:
        with mock.patch.object(opening, "migrate") as migrate:
            prepare(self.path)
            prepare(self.path)
        migrate.assert_not_called()

    def test_a_database_that_was_half_created_is_created_again(self) -> None:
        with mock.patch.object(opening, "CreateIndex", side_effect=ZeroDivisionError):
            self.assertRaises(ZeroDivisionError, prepare, self.path)
        self.assertEqual(list(self.files()), ["gtchat.sqlite.new"])
        prepare(self.path)
        self.assertEqual(list(self.files()), ["gtchat.sqlite"])

    def test_a_killed_creation_leaves_no_database(self) -> None:
        code = (
            "import os, sys; from pathlib import Path\n"
            "from gtchat.store.sql import opening\n"
            "create_table = opening.CreateTable\n"
            "opening.CreateTable = lambda table: "
            "os._exit(9) if table.name == 'entries' else create_table(table)\n"
            "opening.prepare(Path(sys.argv[1]))\n"
        )
        root = Path(gtchat.__file__).parent.parent
        ended = subprocess.run(
            [sys.executable, "-c", code, str(self.path)],
            env={**os.environ, "PYTHONPATH": str(root)},
            check=False,
        )
        self.assertEqual(ended.returncode, 9)
        self.assertFalse(self.path.exists())
        prepare(self.path)
        self.assertEqual(list(self.files()), ["gtchat.sqlite"])

    def test_a_killed_change_is_rolled_back_before_the_revision_is_read(self) -> None:
        create_empty(self.path)
        with closing(connect(self.path, "rw")) as db:
            db.execute("PRAGMA cache_size = 2")  # so that uncommitted pages are written to the file
            db.execute("BEGIN")
            db.execute("UPDATE alembic_version SET version_num = '9999'")
            db.execute("CREATE TABLE much (x)")
            for _ in range(20):
                db.execute("INSERT INTO much VALUES (zeroblob(100000))")
            killed = self.path.with_name("killed.sqlite")
            for ending in ("", "-journal"):
                shutil.copy(f"{self.path}{ending}", f"{killed}{ending}")
        prepare(killed)
        with closing(connect(killed, "ro")) as db:
            revision = db.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            self.assertEqual(revision, SQLITE_REVISIONS[-1])

    def test_a_database_with_a_journal_is_recovered_before_it_is_read(self) -> None:
        # The pages in the database are inconsistent; the journal or log beside it is needed.
        for journal in ("-journal", "-wal"):
            path = self.path.with_name(f"of{journal}.sqlite")
            create_empty(path)
            killed = path.with_name(f"killed{journal}.sqlite")
            with closing(connect(path, "rw")) as db:
                if journal == "-wal":
                    db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA cache_size = 2")
                db.execute("BEGIN")
                db.execute("CREATE TABLE much (x)")
                for _ in range(20):
                    db.execute("INSERT INTO much VALUES (zeroblob(100000))")
                if journal == "-wal":
                    db.execute("COMMIT")
                for ending in ("", journal):
                    shutil.copy(f"{path}{ending}", f"{killed}{ending}")
            with killed.open("rb+") as file:
                file.seek(28)  # the number of pages in the header: more than are written
                file.write((1 << 20).to_bytes(4, "big"))
            with (
                self.assertRaises(sqlite3.DatabaseError),
                closing(connect(killed, "ro&immutable=1")) as db,
            ):
                db.execute("PRAGMA application_id").fetchone()
            prepare(killed)
            with closing(connect(killed, "ro")) as db:
                self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))

    def test_a_full_disk_is_reported_in_one_line(self) -> None:
        def small(path: Path, mode: str) -> sqlite3.Connection:
            db = connect(path, mode)
            db.execute("PRAGMA max_page_count = 10")
            return db

        with mock.patch.object(opening, "connect", small):
            error = self.assertRaises(StoreError, prepare, self.path)
        self.assertIn("disk is full; free some space", str(error))
        self.assertFalse(self.path.exists())

    def test_a_database_without_its_main_file_is_not_created_again(self) -> None:
        (self.folder / "gtchat.sqlite-wal").write_bytes(b"the last messages")
        self.assertRefused("is missing", "put it back")


class WriteAheadLogTests(OpeningCase):
    """How large the write-ahead log becomes."""

    #: Bytes of a page, and the pages of a log that is copied to the database.
    PAGE, PAGES = 4096, 1000

    def setUp(self) -> None:
        super().setUp()
        self.path.touch()
        self.writer, self.reader = connect(self.path, "rw"), connect(self.path, "rw")
        self.addCleanup(self.writer.close)
        self.addCleanup(self.reader.close)
        configure_writer(self.writer)
        self.writer.execute("CREATE TABLE pages (page BLOB)")

    def fill(self, pages: int) -> int:
        """Commit rows of one page each; return the size of the log in pages."""
        for _ in range(pages // 50):
            self.writer.execute("BEGIN")
            for _ in range(50):
                self.writer.execute("INSERT INTO pages VALUES (zeroblob(?))", (self.PAGE - 100,))
            self.writer.execute("COMMIT")
        return self.path.with_name("gtchat.sqlite-wal").stat().st_size // self.PAGE

    def test_it_is_copied_to_the_database_after_a_thousand_pages(self) -> None:
        self.assertLess(self.fill(3 * self.PAGES), 1.2 * self.PAGES)

    def test_it_grows_no_further_after_the_end_of_a_reader_that_held_it(self) -> None:
        self.reader.execute("BEGIN")
        self.reader.execute("SELECT count(*) FROM pages").fetchone()
        held = self.fill(3 * self.PAGES)
        self.assertGreater(held, 3 * self.PAGES)
        self.reader.execute("COMMIT")
        self.assertLess(self.fill(3 * self.PAGES), held + self.PAGES)


class RefusedTests(OpeningCase):
    def test_a_file_that_is_not_a_database(self) -> None:
        self.path.write_bytes(b"Dear diary,\n" * 1000)
        self.assertRefused("not a database", "move it away")

    def test_an_empty_file(self) -> None:
        self.path.touch()
        self.assertRefused("is empty", "restore a backup")

    def test_a_database_of_another_program(self) -> None:
        self.execute("CREATE TABLE t (x)")
        self.assertRefused("belongs to another program")

    def test_a_database_of_another_program_with_a_write_ahead_log(self) -> None:
        self.execute("PRAGMA journal_mode = WAL", "CREATE TABLE t (x)")
        self.assertRefused("belongs to another program")

    def test_a_database_of_a_newer_version(self) -> None:
        create_empty(self.path)
        self.execute("UPDATE alembic_version SET version_num = '9999'")
        self.assertRefused("newer version", "9999", "install")

    def test_a_truncated_database(self) -> None:
        create_empty(self.path)
        os.truncate(self.path, self.path.stat().st_size // 2)
        self.assertRefused("is damaged", "restore a backup")

    def test_a_database_with_garbage_in_its_middle(self) -> None:
        create_empty(self.path)
        with self.path.open("r+b") as file:
            file.seek(4096 * 3)
            file.write(b"\xa5" * 4096)
        self.assertRefused("is damaged", "restore a backup")

    def test_a_database_with_garbage_in_its_header(self) -> None:
        create_empty(self.path)
        with self.path.open("r+b") as file:
            file.write(b"\xa5" * 100)
        self.assertRefused("not a database")

    def test_a_database_that_another_program_has_locked(self) -> None:
        create_empty(self.path)
        with closing(sqlite3.connect(self.path)) as other:
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("UPDATE alembic_version SET version_num = version_num")
            other.commit()
            with mock.patch.object(opening, "connect", partial(connect, busy=0)):
                error = self.assertRaises(StoreError, prepare, self.path)
        self.assertIn("stop the program that uses it", str(error))

    def test_a_database_without_a_revision(self) -> None:
        create_empty(self.path)
        self.execute("DELETE FROM alembic_version")
        self.assertRefused("is damaged")

    def test_a_database_without_its_tables(self) -> None:
        self.execute(f"PRAGMA application_id = {APPLICATION_ID}", "CREATE TABLE t (x)")
        self.assertRefused("is damaged")

    def test_a_folder_in_place_of_a_file(self) -> None:
        self.path.mkdir()
        error = self.assertRaises(StoreError, SQLStore.open, self.path, Clock())
        self.assertIn("is not a file", str(error))

    def test_a_missing_data_folder(self) -> None:
        self.path = self.folder / "missing" / "gtchat.sqlite"
        self.assertRefused("does not exist", "create it")

    def test_a_file_without_write_permission(self) -> None:
        create_empty(self.path)
        with mock.patch("os.access", lambda path, mode: path != self.path):
            self.assertRefused("can't be read and written", "permissions")

    def test_a_folder_without_write_permission(self) -> None:
        with mock.patch("os.access", lambda path, mode: path != self.folder):
            self.assertRefused("can't be written to", "permissions")
