"""What the store on disk does when the disk fails: nothing is acknowledged that is not kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import HistoryQuery, PendingEntry
from gtchat.store import StoreError
from tests.store.contract import StoreCase, created, spoke
from tests.store.sql.flaky import Disk


class DiskCase(StoreCase):
    def open_store(self) -> Any:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        self.disk = Disk(self.path)
        return self.disk.open()

    def setUp(self) -> None:
        super().setUp()
        self.disk.executed.clear()
        self.disk.connected = 0

    async def failed(self, *appends: PendingEntry) -> None:
        await self.store.flush()
        for append in appends:
            self.assertIsInstance(append.error, NotStored)
            self.assertEqual(append.entry.seq, 0)
        self.assertFalse(self.store.healthy())

    async def assertGoesOn(self, seq: int) -> None:
        """The next message gets this number, and is there."""
        append = await self.stored(self.lobby, spoke("again"))
        self.assertEqual(append.entry.seq, seq)
        self.assertTrue(self.store.healthy())
        self.assertEqual((await self.texts(self.lobby, HistoryQuery(limit=1))), ["again"])


class GroupCommitTests(DiskCase, TestCase):
    async def test_what_waits_is_committed_together(self) -> None:
        go_on = self.disk.hold("BEGIN")
        self.append(self.lobby, spoke("first"))
        for number in range(50):
            self.append(self.lobby, spoke(str(number)))
            await deferLater(reactor, 0)  # type: ignore[arg-type]
        go_on()
        await self.store.flush()
        self.assertLessEqual(self.disk.executed.count("COMMIT"), 3)
        self.assertEqual(sum(map(len, self.calls)), 51)

    async def test_what_is_asked_for_in_one_turn_is_one_transaction(self) -> None:
        for number in range(50):
            self.append(self.lobby, spoke(str(number)))
        await self.store.flush()
        self.assertEqual(list(map(len, self.calls)), [50])

    async def test_a_commit_waits_for_the_disk(self) -> None:
        await self.stored(self.lobby, spoke())
        found = [
            self.disk.writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        self.assertEqual(found, ["wal", 2, 1])

    async def test_a_bad_message_fails_alone(self) -> None:
        go_on = self.disk.hold("BEGIN")
        self.append(self.lobby, spoke("first"))
        good = [self.append(self.lobby, spoke("a"), 1, txn="t")]
        bad = self.append(self.lobby, spoke("\ud800"))
        name = self.store.register("\ud800", "x", None, None, 1)
        good += [self.append(self.lobby, spoke("b")), self.append(self.lobby, spoke("a"), 1, "t")]
        go_on()
        await self.refused(name, NotStored)
        await self.store.flush()
        self.assertIsInstance(bad.error, NotStored)
        self.assertEqual([one.entry.seq for one in good], [2, 3, 0])
        self.assertEqual(good[2].earlier.seq, 2)
        self.assertTrue(self.store.healthy())
        await self.assertGoesOn(4)

    async def test_somebody_elses_entries_are_counted_too(self) -> None:
        other = Disk(self.path).open()
        self.addCleanup(other.close)
        await self.stored(self.lobby, spoke("ours"))
        other.append(PendingEntry(self.lobby, spoke("theirs"), None))
        await other.flush()
        await self.assertGoesOn(3)


class FaultTests(DiskCase, TestCase):
    async def test_a_full_disk(self) -> None:
        await self.stored(self.lobby, spoke("kept"))
        pages = self.disk.writer.execute("PRAGMA page_count").fetchone()[0]
        self.disk.writer.execute(f"PRAGMA max_page_count = {pages}")
        appends = [self.append(self.lobby, spoke(str(number) * 4000)) for number in range(20)]
        await self.failed(*appends)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["kept"])
        self.disk.writer.execute("PRAGMA max_page_count = 1000000")
        await self.assertGoesOn(2)

    async def test_a_file_that_can_only_be_read(self) -> None:  # H09
        await self.stored(self.lobby, spoke("kept"))
        self.disk.writer.execute("PRAGMA query_only = ON")
        await self.failed(self.append(self.lobby, spoke()))
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["kept"])
        self.disk.writer.execute("PRAGMA query_only = OFF")
        await self.assertGoesOn(2)

    async def test_a_database_that_somebody_else_has_locked(self) -> None:  # H10
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await self.failed(self.append(self.lobby, spoke()))
        await self.assertGoesOn(1)

    async def test_an_error_while_committing(self) -> None:
        self.disk.fail("COMMIT", "disk I/O error")
        appends = [self.append(self.lobby, spoke(str(number))) for number in range(3)]
        login = self.store.register("Ann", "ann", None, None, 1)
        await self.refused(login, NotStored)
        await self.failed(*appends)
        self.disk.faults.clear()
        await self.assertGoesOn(1)
        self.assertIsNone(await self.store.find_account("ann", None))
        self.assertEqual(self.disk.connected, 1)

    async def test_a_new_room_that_is_not_kept_has_no_number(self) -> None:
        self.disk.fail("COMMIT", "disk I/O error")
        append = self.append(0, created(), None, key="nest")
        await self.failed(append)
        self.assertEqual(append.room_id, 0)

    async def test_a_connection_that_can_not_even_roll_back_is_replaced(self) -> None:
        self.disk.fail("INSERT", "disk I/O error")
        self.disk.fail("ROLLBACK", "disk I/O error")
        await self.failed(self.append(self.lobby, spoke()))
        self.disk.faults.clear()
        await self.assertGoesOn(1)
        self.assertEqual(self.disk.connected, 2)

    async def test_a_room_that_can_not_be_deleted_goes_on(self) -> None:
        nest = await self.room(None)
        self.disk.fail("DELETE", "disk I/O error")
        await self.refused(self.store.delete_room(nest, 1), NotStored)
        self.disk.faults.clear()
        self.assertEqual((await self.stored(nest, spoke())).entry.seq, 2)


class ReplacedTests(DiskCase, TestCase):
    async def test_a_deleted_database_is_not_made_anew(self) -> None:  # H12
        await self.stored(self.lobby, spoke("kept"))
        os.remove(self.path)
        await self.failed(self.append(self.lobby, spoke()))
        self.assertFalse(self.path.exists())

    async def test_a_deleted_database_is_not_read_either(self) -> None:
        await self.stored(self.lobby, spoke("kept"))
        os.remove(self.path)
        error = await self.refused(self.store.history(self.lobby, HistoryQuery()), NotStored)
        self.assertNotIn("gtchat.sqlite", str(error))

    async def test_a_database_that_is_gone_can_not_be_taken_up(self) -> None:
        os.remove(self.path)
        error = self.assertRaises(StoreError, self.store.load)
        self.assertIn("can't be used", str(error))

    async def test_nothing_is_read_after_closing(self) -> None:
        await self.store.close()
        await self.refused(self.store.history(self.lobby, HistoryQuery()), NotStored)

    async def test_a_replaced_database_is_not_written_to(self) -> None:  # H12
        await self.stored(self.lobby, spoke("kept"))
        copy = self.path.with_name("copy")
        shutil.copy(self.path, copy)
        os.replace(copy, self.path)
        before = self.path.read_bytes()
        await self.failed(self.append(self.lobby, spoke()))
        self.assertEqual(self.path.read_bytes(), before)

    async def test_a_database_that_is_put_back_goes_on(self) -> None:
        await self.stored(self.lobby, spoke("kept"))
        away = self.path.with_name("away")
        os.rename(self.path, away)
        await self.failed(self.append(self.lobby, spoke()))
        os.rename(away, self.path)
        await self.assertGoesOn(2)


class ReportTests(DiskCase, TestCase):
    """What the operator is told."""

    def setUp(self) -> None:
        super().setUp()
        self.lines: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.lines.append)

    def told(self, level: LogLevel) -> list[str]:
        return [
            line["log_format"].format(**line) for line in self.lines if line["log_level"] is level
        ]

    async def test_an_incident_is_one_line_however_many_messages_it_hits(self) -> None:
        self.disk.fail("COMMIT", "database or disk is full")
        for number in range(20):
            await self.failed(self.append(self.lobby, spoke(str(number))))
        self.disk.faults.clear()
        await self.assertGoesOn(1)
        errors = self.told(LogLevel.error)
        self.assertEqual(set(errors), {"Writes to the database fail: database or disk is full"})
        self.assertLess(len(errors), 4)
        self.assertIn("Writes to the database work again.", self.told(LogLevel.info))

    async def test_people_are_told_nothing_of_the_disk(self) -> None:
        self.disk.fail("COMMIT", f"can't write {self.path}")
        append = self.append(self.lobby, spoke())
        await self.failed(append)
        self.assertEqual(str(append.error), NotStored.default)


class ChoreTests(DiskCase, TestCase):
    """Long logs are taken away after their rooms."""

    def left(self) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            entries = db.execute("SELECT count(*) FROM entries").fetchone()[0]
            return int(entries + db.execute("SELECT count(*) FROM pending_deletes").fetchone()[0])

    async def long_room(self) -> int:
        nest = await self.room(None)
        for number in range(1800):
            self.append(nest, spoke(str(number)))
        await self.store.flush()
        return nest

    async def until_gone(self) -> None:
        for _ in range(1000):
            await self.store.flush()
            if not self.left():
                return
        self.fail(f"{self.left()} rows are left")

    async def test_a_long_log_is_taken_away_slice_by_slice(self) -> None:
        await self.store.delete_room(await self.long_room(), 1)
        self.disk.executed.clear()
        await self.until_gone()
        self.assertGreaterEqual(self.disk.executed.count("DELETE"), 3)

    async def test_a_log_that_can_not_be_taken_away_is_when_the_fault_is_over(self) -> None:
        nest = await self.long_room()
        self.disk.fail("DELETE FROM entries", "disk I/O error")
        await self.store.delete_room(nest, 1)
        await self.store.flush()
        self.assertGreater(self.left(), 1800)
        self.disk.faults.clear()
        await self.until_gone()

    async def test_what_was_not_taken_away_is_after_the_next_start(self) -> None:
        nest = await self.long_room()
        go_on = self.disk.hold("BEGIN")
        self.store.delete_room(nest, 1)
        closed = self.store.close()
        go_on()
        await closed
        self.assertGreater(self.left(), 0)
        self.store = self.disk.open()
        self.store.load()
        await self.until_gone()

    async def test_many_old_txns_are_forgotten_slice_by_slice(self) -> None:
        for number in range(1200):
            self.append(self.lobby, spoke(str(number)), 1, txn=str(number))
        await self.store.prune(0, 9000)
        for _ in range(1000):
            await self.store.flush()
            with closing(sqlite3.connect(self.path)) as db:
                if not db.execute("SELECT count(*) FROM txns").fetchone()[0]:
                    return
        self.fail("there are txns left")
