"""Faults of disk and file: the store acknowledges nothing that is not stored."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import NoSuchMessage, NotStored
from gtchat.chat.interfaces import HistoryQuery, PendingEntry
from gtchat.store import StoreError
from tests.databases import create_empty
from tests.store.contract import GuestsTogether, StoreCase, message, new_session, room_created
from tests.store.sql.flaky import Disk


class DiskCase(StoreCase):
    def open_store(self) -> Any:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        create_empty(self.path)
        self.disk = Disk(self.path)
        return self.disk.open()

    def setUp(self) -> None:
        super().setUp()
        self.disk.executed.clear()
        self.disk.connected = 0

    async def assertNotStored(self, *queued: PendingEntry) -> None:
        """Check that these entries were not stored and that the store reports it."""
        await self.store.flush()
        for pending in queued:
            self.assertIsInstance(pending.error, NotStored)
            self.assertEqual(pending.entry.seq, 0)
        self.assertFalse(self.store.healthy())

    async def assertWorksAgain(self, seq: int) -> None:
        """Store a message, and check its seq and that it can be read."""
        pending = await self.stored(self.lobby, message("again"))
        self.assertEqual(pending.entry.seq, seq)
        self.assertTrue(self.store.healthy())
        self.assertEqual((await self.texts(self.lobby, HistoryQuery(limit=1))), ["again"])


class GroupCommitTests(DiskCase, GuestsTogether, TestCase):
    async def test_guests_who_log_in_together_are_a_few_statements(self) -> None:
        logins = [
            self.store.login_guest(f"G{number}", f"g{number}", new_session(b"%32d" % number))
            for number in range(128)
        ]
        for login in logins:
            await login
        transactions = " ".join(self.disk.executed).split("COMMIT")
        self.assertEqual(max(each.count("INSERT") for each in transactions), 3)

    async def test_guests_are_told_that_the_disk_failed(self) -> None:
        self.disk.fail("INSERT INTO sessions", "disk I/O error")
        logins = [
            self.store.login_guest(f"G{number}", f"g{number}", new_session(b"%32d" % number))
            for number in range(3)
        ]
        for login in logins:
            await self.assertFails(login, NotStored)
        self.disk.faults.clear()
        await self.store.login_guest("G0", "g0", new_session(b"%32d" % 0))
        self.assertEqual(len(self.store.load().guests), 1)
        self.flushLoggedErrors()

    async def test_waiting_jobs_are_committed_together(self) -> None:
        release = self.disk.hold("BEGIN")
        self.append(self.lobby, message("first"))
        for number in range(50):
            self.append(self.lobby, message(str(number)))
            await deferLater(reactor, 0)  # type: ignore[arg-type]
        release()
        await self.store.flush()
        # Two for the messages, the others for what is done between batches.
        self.assertLessEqual(self.disk.executed.count("COMMIT"), 6)
        self.assertEqual(sum(map(len, self.calls)), 51)

    async def test_the_calls_of_one_turn_are_one_transaction(self) -> None:
        for number in range(50):
            self.append(self.lobby, message(str(number)))
        await self.store.flush()
        self.assertEqual(list(map(len, self.calls)), [50])

    async def test_a_commit_waits_for_the_disk(self) -> None:
        found = []

        def note() -> None:
            # In the transaction, where "synchronous" cannot be changed any more. The writer has
            # another value between batches.
            found.append(
                [
                    self.disk.writer.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
                ]
            )

        self.disk.faults["INSERT INTO entries"] = note
        await self.stored(self.lobby, message())
        self.assertEqual(found, [["wal", 2, 1, 1]])

    async def test_a_message_that_cannot_be_stored_fails_alone(self) -> None:
        release = self.disk.hold("BEGIN")
        self.append(self.lobby, message("first"))
        good = [self.append(self.lobby, message("a"), 1, txn="t")]
        bad = self.append(self.lobby, message("\ud800"))
        name = self.store.register("\ud800", "x", None, None, 1)
        good += [
            self.append(self.lobby, message("b")),
            self.append(self.lobby, message("a"), 1, "t"),
        ]
        release()
        await self.assertFails(name, NotStored)
        await self.store.flush()
        self.assertIsInstance(bad.error, NotStored)
        self.assertEqual([pending.entry.seq for pending in good], [2, 3, 0])
        self.assertEqual(good[2].earlier.seq, 2)
        self.assertTrue(self.store.healthy())
        await self.assertWorksAgain(4)

    async def test_entries_of_another_process_are_counted(self) -> None:
        other = Disk(self.path).open()
        self.addCleanup(other.close)
        await self.stored(self.lobby, message("ours"))
        other.append(PendingEntry(self.lobby, message("theirs")))
        await other.flush()
        await self.assertWorksAgain(3)


class FaultTests(DiskCase, TestCase):
    async def test_a_full_disk(self) -> None:
        await self.stored(self.lobby, message("kept"))
        pages = self.disk.writer.execute("PRAGMA page_count").fetchone()[0]
        self.disk.writer.execute(f"PRAGMA max_page_count = {pages}")
        queued = [self.append(self.lobby, message(str(number) * 4000)) for number in range(20)]
        await self.assertNotStored(*queued)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["kept"])
        self.disk.writer.execute("PRAGMA max_page_count = 1000000")
        await self.assertWorksAgain(2)

    async def test_a_read_only_file(self) -> None:  # H09
        await self.stored(self.lobby, message("kept"))
        self.disk.writer.execute("PRAGMA query_only = ON")
        await self.assertNotStored(self.append(self.lobby, message()))
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["kept"])
        self.disk.writer.execute("PRAGMA query_only = OFF")
        await self.assertWorksAgain(2)

    async def test_a_database_locked_by_another_program(self) -> None:  # H10
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await self.assertNotStored(self.append(self.lobby, message()))
        await self.assertWorksAgain(1)

    async def test_reads_go_on_when_descriptors_have_run_out(self) -> None:  # H34
        await self.stored(self.lobby, message("kept"))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with self.assertRaises(OSError):
            os.open(self.path, os.O_RDONLY)
        for _ in range(3):
            refused = self.store.find_account("\ud800", None)
            missing = self.store.versions(self.lobby, 2)
            found = [self.store.history(self.lobby, HistoryQuery()) for _ in range(6)]
            await self.assertFails(refused, NotStored)
            await self.assertFails(missing, NoSuchMessage)
            self.assertEqual([len((await page).entries) for page in found], [1] * 6)
        await self.stored(self.lobby, message("more"))
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["kept", "more"])

    async def test_an_error_while_committing(self) -> None:
        self.disk.fail("COMMIT", "disk I/O error")
        queued = [self.append(self.lobby, message(str(number))) for number in range(3)]
        login = self.store.register("Ann", "ann", None, None, 1)
        await self.assertFails(login, NotStored)
        await self.assertNotStored(*queued)
        self.disk.faults.clear()
        await self.assertWorksAgain(1)
        self.assertIsNone(await self.store.find_account("ann", None))
        self.assertEqual(self.disk.connected, 0)

    async def test_a_new_room_that_is_not_stored_has_no_id(self) -> None:
        self.disk.fail("COMMIT", "disk I/O error")
        pending = self.append(0, room_created(), None, key="garden")
        await self.assertNotStored(pending)
        self.assertEqual(pending.room_id, 0)

    async def test_a_connection_that_cannot_roll_back_is_replaced(self) -> None:
        self.disk.fail("INSERT", "disk I/O error")
        self.disk.fail("ROLLBACK", "disk I/O error")
        await self.assertNotStored(self.append(self.lobby, message()))
        self.disk.faults.clear()
        await self.assertWorksAgain(1)
        self.assertEqual(self.disk.connected, 1)

    async def test_a_room_whose_deletion_fails_can_be_used(self) -> None:
        room = await self.room(None)
        self.disk.fail("DELETE", "disk I/O error")
        await self.assertFails(self.store.delete_room(room, 1), NotStored)
        self.disk.faults.clear()
        self.assertEqual((await self.stored(room, message())).entry.seq, 2)


class ReplacedTests(DiskCase, TestCase):
    async def test_a_deleted_database_is_not_created_again(self) -> None:  # H12
        await self.stored(self.lobby, message("kept"))
        os.remove(self.path)
        await self.assertNotStored(self.append(self.lobby, message()))
        self.assertFalse(self.path.exists())

    async def test_a_deleted_database_is_not_read(self) -> None:
        await self.stored(self.lobby, message("kept"))
        os.remove(self.path)
        error = await self.assertFails(self.store.history(self.lobby, HistoryQuery()), NotStored)
        self.assertNotIn("gtchat.sqlite", str(error))

    async def test_a_deleted_database_cannot_be_loaded(self) -> None:
        os.remove(self.path)
        error = self.assertRaises(StoreError, self.store.load)
        self.assertIn("can't be used", str(error))

    async def test_nothing_is_read_after_closing(self) -> None:
        await self.store.close()
        await self.assertFails(self.store.history(self.lobby, HistoryQuery()), NotStored)

    async def test_a_replaced_database_is_not_written_to(self) -> None:  # H12
        await self.stored(self.lobby, message("kept"))
        copy = self.path.with_name("copy")
        shutil.copy(self.path, copy)
        os.replace(copy, self.path)
        before = self.path.read_bytes()
        await self.assertNotStored(self.append(self.lobby, message()))
        self.assertEqual(self.path.read_bytes(), before)

    async def test_a_database_that_is_put_back_works_again(self) -> None:
        await self.stored(self.lobby, message("kept"))
        away = self.path.with_name("away")
        os.rename(self.path, away)
        await self.assertNotStored(self.append(self.lobby, message()))
        os.rename(away, self.path)
        await self.assertWorksAgain(2)


class ReportTests(DiskCase, TestCase):
    """What is logged for the operator."""

    def setUp(self) -> None:
        super().setUp()
        self.lines: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.lines.append)

    def logged(self, level: LogLevel) -> list[str]:
        return [
            line["log_format"].format(**line) for line in self.lines if line["log_level"] is level
        ]

    async def test_an_incident_is_logged_once_a_second_at_most(self) -> None:
        began = reactor.seconds()  # type: ignore[attr-defined]
        self.disk.fail("COMMIT", "database or disk is full")
        for number in range(20):
            await self.assertNotStored(self.append(self.lobby, message(str(number))))
        self.disk.faults.clear()
        await self.assertWorksAgain(1)
        errors = self.logged(LogLevel.error)
        self.assertEqual(set(errors), {"Writes to the database fail: database or disk is full"})
        self.assertLessEqual(len(errors), 1 + reactor.seconds() - began)  # type: ignore[attr-defined]
        self.assertIn("Writes to the database work again.", self.logged(LogLevel.info))

    async def test_users_get_no_details_of_the_disk(self) -> None:
        self.disk.fail("COMMIT", f"can't write {self.path}")
        pending = self.append(self.lobby, message())
        await self.assertNotStored(pending)
        self.assertEqual(str(pending.error), NotStored.default)


class CleanupTests(DiskCase, TestCase):
    """Deletion in slices of what no request waits for."""

    def rows_left(self) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            entries = db.execute("SELECT count(*) FROM entries").fetchone()[0]
            return int(entries + db.execute("SELECT count(*) FROM pending_deletes").fetchone()[0])

    async def long_room(self) -> int:
        room = await self.room(None)
        for number in range(1800):
            self.append(room, message(str(number)))
        await self.store.flush()
        return room

    async def until_deleted(self) -> None:
        for _ in range(1000):
            await self.store.flush()
            if not self.rows_left():
                return
        self.fail(f"{self.rows_left()} rows are left")

    async def test_a_long_log_is_deleted_in_slices(self) -> None:
        await self.store.delete_room(await self.long_room(), 1)
        self.disk.executed.clear()
        await self.until_deleted()
        self.assertGreaterEqual(self.disk.executed.count("DELETE"), 3)

    async def test_a_log_that_cannot_be_deleted_is_deleted_after_the_fault(self) -> None:
        room = await self.long_room()
        self.disk.fail("DELETE FROM entries", "disk I/O error")
        await self.store.delete_room(room, 1)
        await self.store.flush()
        self.assertGreater(self.rows_left(), 1800)
        self.disk.faults.clear()
        await self.until_deleted()

    async def test_a_log_that_is_left_is_deleted_after_the_next_start(self) -> None:
        room = await self.long_room()
        release = self.disk.hold("BEGIN")
        self.store.delete_room(room, 1)
        closed = self.store.close()
        release()
        await closed
        self.assertGreater(self.rows_left(), 0)
        self.store = self.disk.open()
        self.store.load()
        await self.until_deleted()

    async def test_many_old_txns_are_deleted_in_slices(self) -> None:
        for number in range(1200):
            self.append(self.lobby, message(str(number)), 1, txn=str(number))
        await self.store.prune(0, 9000, 0)
        for _ in range(1000):
            await self.store.flush()
            with closing(sqlite3.connect(self.path)) as db:
                if not db.execute("SELECT count(*) FROM txns").fetchone()[0]:
                    return
        self.fail("some txns are left")
