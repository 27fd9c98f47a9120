"""A chat as lines of JSON: written by either database, read by either, and the same again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.background import Progress
from gtchat.store import (
    SQLStore,
    StoreDamaged,
    StoreError,
    StoreTooNew,
    export,
    import_chat,
    verify,
    verify_copy,
)
from gtchat.store.sql.copied_tables import TABLES
from gtchat.store.sql.schema import REVISIONS
from tests import postgres
from tests.databases import create_empty
from tests.store.contract import NETWORK, StoreCase, message
from tests.store.sql.old_databases import create_old_database
from tests.store.sql.test_migrate_store import TOKEN, ChatCase

if postgres.MISSING is None:
    from gtchat.store.sql.postgres import PostgresDatabase


class ExportTests(ChatCase, TestCase):
    async def setUp(self) -> None:  # type: ignore[override]
        super().setUp()
        await self.fill()
        self.folder = self.path.parent
        self.file = self.folder / "export"
        self.other = self.folder / "other" / "gtchat.sqlite"
        self.other.parent.mkdir()

    def exported(self, place: Any, name: str) -> bytes:
        """Return the export of a database."""
        file = self.folder / name
        export(place, file)
        return file.read_bytes()

    def test_an_export_has_all_rows_and_only_its_owner_can_read_it(self) -> None:
        steps: list[str] = []

        def step(name: str) -> Progress:
            steps.append(name)
            return lambda done, total: None

        rows = export(self.path, self.file, step)
        self.assertEqual(steps, ["exporting"])
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        head, *lines, end = map(json.loads, self.file.read_text().splitlines())
        said = head["gtchat_export"]
        self.assertEqual((said["version"], said["revision"]), (1, REVISIONS[-1]))
        self.assertEqual((end["end"]["rows"], len(lines)), (rows, rows))
        found = dict.fromkeys(said["rows"], 0)
        for line in lines:
            [name] = line
            found[name] += 1
        self.assertEqual(found, said["rows"])
        with closing(sqlite3.connect(self.path)) as db:
            for table in TABLES:
                count = db.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
                self.assertEqual(found[table.name], 0 if table.name == "meta" else count)
                self.assertTrue(count, table.name)
        self.assertNotIn(self.state.epoch, self.file.read_text())
        error = self.assertRaises(StoreError, export, self.path, self.file)
        self.assertIn("exists already", str(error))

    async def test_the_same_chat_is_read_into_either_database(self) -> None:
        written = self.exported(self.path, "export")
        verified = verify(self.path)
        done = import_chat(self.file, self.other, self.folder)
        self.assertEqual(
            (done.verified, verify_copy(self.file), done.kept), (verified, verified, None)
        )
        self.assertEqual(self.exported(self.other, "again"), written)
        self.assertEqual([path.name for path in self.other.parent.iterdir()], ["gtchat.sqlite"])
        if postgres.MISSING is None:
            database = PostgresDatabase(postgres.empty())
            before = sorted(self.folder.iterdir())
            done = import_chat(self.file, database, self.folder)
            self.assertEqual((done.verified, verify(database)), (verified, verified))
            self.assertEqual(sorted(self.folder.iterdir()), before)
            self.assertEqual(self.exported(database, "postgres"), written)
            back = self.folder / "back.sqlite"
            import_chat(self.folder / "postgres", back, self.folder)
            self.assertEqual(self.exported(back, "back"), written)
            error = self.assertRaises(StoreError, import_chat, self.file, database, self.folder)
            self.assertIn("has a chat already", str(error))
        await self.goes_on(SQLStore.open(self.other, reactor))
        if postgres.MISSING is None:
            await self.goes_on(SQLStore(PostgresDatabase(postgres.shared()), reactor))

    async def goes_on(self, store: SQLStore) -> None:
        """Check that clients load their rooms anew, and that ids and texts go on."""
        self.store = store
        state = store.load()
        self.assertEqual(tuple(await self.load_rooms(range(1, 20))), self.rooms)
        self.assertNotEqual(state.epoch, self.state.epoch)
        resumed = await store.resume(TOKEN, 9, 0, {self.room_id: 5}, 50, 500, NETWORK)
        self.assertEqual([one.seq for one in resumed.missed[self.room_id].entries], [6, 7, 8, 9])
        self.assertEqual(await self.account("Eve"), self.ended + 1)
        text = "tea \u2615 \\N\t\n@Bob"
        again = self.append(self.room_id, message(text), self.ids["Ann"], "txn")
        third = await self.stored(self.room_id, message("third"), self.ids["Ann"])
        assert again.earlier is not None
        self.assertEqual((again.earlier.seq, third.entry.seq), (5, 10))
        await store.close()

    def test_nul_and_contradictions_are_exported_and_named(self) -> None:
        self.execute("UPDATE entries SET msg = ? WHERE room_id = :room AND seq = 6", "a\0b")
        self.execute("UPDATE rooms SET topic = 'other' WHERE id = :room")
        written = self.exported(self.path, "export")
        done = import_chat(self.file, self.other, self.folder)
        self.assertEqual(len(done.verified.contradictions), 1)
        self.assertEqual(self.exported(self.other, "again"), written)

    def test_a_database_that_is_there_stays_beside_that_of_the_export(self) -> None:
        create_empty(self.other)
        export(self.path, self.file)
        kept = import_chat(self.file, self.other, self.folder).kept
        assert kept is not None
        self.assertEqual((verify(kept).accounts, kept.name), (0, "gtchat.sqlite.replaced-1"))


class Load(StoreCase, TestCase):
    """Exports and copies while a server writes."""

    async def written_meanwhile(self, place: Any) -> None:
        """Export a database to which messages are written, and verify the export."""
        room = await self.room(await self.account("Ann"))
        for number in range(1500):
            self.append(room, message(f"{number}"))
        await self.store.flush()
        before = await deferToThread(verify, place)

        def step(name: str) -> Progress:
            return lambda done, total: reactor.callFromThread(write)  # type: ignore[attr-defined]

        def write() -> None:
            self.append(room, message("meanwhile"))

        file = Path(self.mktemp())
        await deferToThread(export, place, file, step)
        await self.store.flush()
        exported, after = await deferToThread(verify_copy, file), await deferToThread(verify, place)
        self.assertEqual((exported.contradictions, after.contradictions), ((), ()))
        self.assertEqual(exported.entries, before.entries)
        self.assertGreater(after.entries, exported.entries)

    def open_store(self) -> SQLStore:
        self.path = Path(self.mktemp())
        create_empty(self.path)
        return SQLStore.open(self.path, reactor)

    async def test_an_export_of_sqlite_is_of_one_moment(self) -> None:
        await self.written_meanwhile(self.path)

    async def test_an_export_of_postgresql_is_of_one_moment(self) -> None:
        if postgres.MISSING is not None:
            self.skipTest(postgres.MISSING)
        await self.store.close()
        self.store = SQLStore(postgres.QuickDatabase(), reactor)
        self.store.load()
        await self.written_meanwhile(PostgresDatabase(postgres.shared()))


class Damage(SynchronousTestCase):
    """Exports that are not as they were written: refused in one line, nothing changes."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        path = self.folder / "source"
        create_empty(path)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(
                "INSERT INTO accounts (name, key, registered, uuid_hash, created_at,"
                " lobby_read_seq) VALUES ('Ann', 'ann', 1, x'00ff', 5, 0)"
            )
        self.file = self.folder / "export"
        export(path, self.file)
        self.lines = self.file.read_bytes().splitlines(keepends=True)

    def refused(self, *lines: bytes, error: type[StoreError] = StoreDamaged) -> str:
        """Return why an export with these lines is not read."""
        self.file.write_bytes(b"".join(lines))
        target = self.folder / "target"
        text = str(self.assertRaises(error, import_chat, self.file, target, self.folder))
        self.assertNotIn("\n", text)
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"source", "export"})
        return text

    def sealed(self, head: bytes, *rows: bytes) -> list[bytes]:
        """Return the lines of an export with the hash of its lines."""
        digest = hashlib.sha256(b"".join([head, *rows])).hexdigest()
        end = json.dumps({"end": {"rows": len(rows), "sha256": digest}}).replace(" ", "")
        return [head, *rows, end.encode() + b"\n"]

    def changed(self, change: Callable[[dict[str, Any]], object]) -> bytes:
        """Return the first line with a change."""
        head = json.loads(self.lines[0])
        change(head["gtchat_export"])
        return json.dumps(head).replace(" ", "").encode() + b"\n"

    def test_lines_that_are_missing_or_changed(self) -> None:
        head, row, end = self.lines
        self.assertIn("its end is missing", self.refused(head, row))
        self.assertIn("its end is missing", self.refused(head, row[:-9]))
        self.assertIn("its lines are not those", self.refused(head, row, end, b"more"))
        self.assertIn(
            "its lines are not those", self.refused(head, row.replace(b"Ann", b"Amn"), end)
        )
        self.assertIn("its last line", self.refused(head, row, b'{"end":3}\n'))
        self.assertIn("number of rows", self.refused(*self.sealed(head)))
        self.assertIn("line 3: UNIQUE", self.refused(*self.sealed(head, row, row)))

    def test_rows_that_are_none(self) -> None:
        head, row, _ = self.lines
        for old, new, text in (
            (b'"id":1', b'"id":"1"', "line 2: id is of another type"),
            (b'"Ann"', b"7", "line 2: name is of another type"),
            (b'"Ann"', b"null", "line 2: NOT NULL"),
            (b'"AP8="', b'"A"', "line 2: "),
            (b'"created_at":5', b'"created_at":99999999999999999999', "line 2"),
            (b'"created_at":5,', b"", "line 2: it has other columns"),
            (b'"created_at":5', b'"created_at":5,"x":1', "line 2: it has other columns"),
            (b'"accounts"', b'"sqlite_schema"', "line 2 is no row"),
            (b'"created_at":5', b'"created_at":[]', "line 2 is no row"),
            (b"{", b"", "line 2 is no row"),
        ):
            changed = row.replace(old, new, 1)
            self.assertNotEqual(changed, row)
            self.assertIn(text, self.refused(*self.sealed(head, changed)))

    def test_a_first_line_that_is_none(self) -> None:
        row = self.lines[1]
        for change, text in (
            (lambda head: head.pop("rows"), "its first line"),
            (lambda head: head.update(version=0), "names no version"),
            (lambda head: head.update(revision="000"), "names no version"),
            (lambda head: head["rows"].update({"x'; DROP": 1}), "tables that are not"),
            (lambda head: head["ids"].update(x=1), "tables that are not"),
            (lambda head: head["rows"].update(sqlite_sequence=1), "tables that are not"),
            (lambda head: head["rows"].update(message_index_data=1), "tables that are not"),
            (lambda head: head["ids"].update(accounts=10**30), "ids that are none"),
        ):
            self.assertIn(text, self.refused(*self.sealed(self.changed(change), row)))
        self.assertIn("is no export", self.refused(row, error=StoreError))

    def test_a_newer_version_is_refused(self) -> None:
        for change in ({"version": 2}, {"revision": "9999"}):
            head = self.changed(lambda head, change=change: head.update(change))
            self.refused(head, error=StoreTooNew)

    def test_a_full_disk_leaves_no_file(self) -> None:
        self.file.unlink()

        def full(name: str) -> Progress:
            raise OSError(28, "No space left on device")

        error = self.assertRaises(StoreError, export, self.folder / "source", self.file, full)
        self.assertIn("No space left", str(error))
        self.assertEqual([path.name for path in self.folder.iterdir()], ["source"])

    def test_an_export_of_an_older_version_is_migrated(self) -> None:
        old = self.folder / "old"
        create_old_database(old, "0012")
        with closing(sqlite3.connect(old)) as db:
            tables = {table.name for table in TABLES}
            columns = [row[1] for row in db.execute("PRAGMA table_info(accounts)")]
            self.assertNotIn("operator", columns)
            self.assertIn("reserved_names", tables)
        old.unlink()
        account = json.loads(self.lines[1])["accounts"]
        row = json.dumps({"accounts": {name: account[name] for name in columns}}).encode() + b"\n"
        head = self.changed(lambda head: head.update(revision="0012", rows={"accounts": 1}, ids={}))
        self.file.write_bytes(b"".join(self.sealed(head, row)))
        verified = verify_copy(self.file)
        self.assertEqual((verified.revision, verified.accounts), (REVISIONS[-1], 1))
