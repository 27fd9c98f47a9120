"""Copies of a database that is in use."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gtchat.chat.interfaces import HistoryQuery, PendingEntry
from gtchat.store import SQLStore, StoreError, backup
from gtchat.store.sql import backup as backups
from gtchat.store.sql.sqlite import beside, connect
from tests.databases import create_empty
from tests.store.contract import message


class BackupTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"
        self.target = self.folder / "copy" / "gtchat.sqlite"
        self.target.parent.mkdir()
        create_empty(self.path)
        self.store = self.open(self.path)
        state = self.store.load()
        self.lobby, self.epoch = state.rooms[0].id, state.epoch

    def open(self, path: Path) -> SQLStore:
        store = SQLStore.open(path, reactor)
        self.addCleanup(store.close)
        return store

    def store_messages(self, count: int) -> Any:
        for number in range(count):
            self.store.append(PendingEntry(self.lobby, message(f"{number}" * 100)))
        return self.store.flush()

    async def test_a_copy_is_a_prefix_of_a_log_that_grows_meanwhile(self) -> None:  # H29
        await self.store_messages(3000)
        reports: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            reports.append((done, total))
            reactor.callFromThread(self.store_messages, 500)  # type: ignore[attr-defined]

        await deferToThread(backup, self.path, self.target, progress)
        await self.store_messages(10)
        copy = self.open(self.target)
        state = copy.load()
        last = state.rooms[0].last_seq
        original = (await self.store.history(self.lobby, HistoryQuery())).last
        self.assertGreaterEqual(last, 3000)
        self.assertLess(last, original)
        for seq in (1, 1500, last):
            query = HistoryQuery(around=seq, limit=1)
            page = await copy.history(self.lobby, query)
            self.assertEqual(page.entries, (await self.store.history(self.lobby, query)).entries)
        self.assertTrue(reports)
        self.assertEqual(reports[-1][0], reports[-1][1])

    async def test_a_copy_begins_a_new_epoch(self) -> None:  # H29
        await deferToThread(backup, self.path, self.target)
        epoch = self.open(self.target).load().epoch
        self.assertNotEqual(epoch, self.epoch)
        self.assertEqual(self.open(self.target).load().epoch, epoch)
        self.assertEqual(self.store.load().epoch, self.epoch)

    async def test_a_copy_is_one_file_that_only_its_owner_can_read(self) -> None:
        await deferToThread(backup, self.path, self.target)
        self.assertEqual(stat.S_IMODE(self.target.stat().st_mode), 0o600)
        self.assertEqual(list(self.target.parent.iterdir()), [self.target])

    def test_an_existing_file_is_not_overwritten(self) -> None:
        self.target.write_text("precious")
        error = self.assertRaises(StoreError, backup, self.path, self.target)
        self.assertIn("exists already", str(error))
        self.assertEqual(self.target.read_text(), "precious")

    def test_a_file_that_is_not_a_database_of_ours_is_not_copied(self) -> None:
        other = self.folder / "other"
        other.touch()
        self.assertRaises(StoreError, backup, other, self.target)
        self.assertRaises(StoreError, backup, self.folder / "missing", self.target)
        self.assertEqual(list(self.target.parent.iterdir()), [])

    def test_the_error_names_a_missing_folder(self) -> None:
        target = self.folder / "missing" / "copy"
        error = self.assertRaises(StoreError, backup, self.path, target)
        self.assertIn(str(target), str(error))

    def test_an_interrupted_copy_leaves_no_file(self) -> None:
        def progress(done: int, total: int) -> None:
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, backup, self.path, self.target, progress)
        self.assertEqual(list(self.target.parent.iterdir()), [])

    async def test_what_a_killed_copy_has_left_is_taken_over(self) -> None:
        self.patch(backups, "_PAGES", 8)
        await self.store_messages(300)
        left: list[Path] = []

        def progress(done: int, total: int) -> None:
            left.append(self.folder / f"killed at {done}")
            shutil.copytree(self.target.parent, left[-1])

        await deferToThread(backup, self.path, self.target, progress)
        self.assertGreater(len(left), 2)
        left.append(self.folder / "killed before it began")
        left[-1].mkdir()
        left[-1].joinpath(self.target.name).touch()
        for folder in left:
            target = folder / self.target.name
            self.assertEqual(target.read_bytes(), b"")
            await deferToThread(backup, self.path, target)
            self.assertEqual([one.name for one in folder.iterdir()], [target.name])
            with closing(connect(target, "ro")) as db:
                count = db.execute("SELECT count(*) FROM entries").fetchone()[0]
                self.assertEqual(count, 300)
                self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])

    def test_all_that_a_killed_copy_has_left_is_deleted(self) -> None:
        self.target.touch()
        for ending in (".part", ".part-journal", ".part-wal", ".part-shm"):
            beside(self.target, ending).write_text("left")
        with backups.new_file(self.path, self.target) as part:
            part.write_text("whole")
        self.assertEqual(list(self.target.parent.iterdir()), [self.target])
        self.assertEqual(self.target.read_text(), "whole")

    def test_a_copy_that_is_under_way_is_left_alone(self) -> None:
        errors = []

        def progress(done: int, total: int) -> None:
            error = self.assertRaises(StoreError, backup, self.path, self.target)
            errors.append(str(error))

        backup(self.path, self.target, progress)
        self.assertIn("is being written by another program", errors[0])
        self.assertEqual(list(self.target.parent.iterdir()), [self.target])
        self.assertTrue(self.target.read_bytes())

    def test_a_copy_that_was_finished_meanwhile_is_not_overwritten(self) -> None:
        self.target.touch()
        other = self.folder / "other"
        other.write_text("precious")
        lock = fcntl.flock

        def finish(handle: int, how: int) -> None:
            os.replace(other, self.target)
            lock(handle, how)

        self.patch(fcntl, "flock", finish)
        self.assertRaises(StoreError, backup, self.path, self.target)
        self.assertEqual(self.target.read_text(), "precious")

    def test_a_file_system_without_locks_can_have_a_copy(self) -> None:
        def lock(handle: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        self.patch(fcntl, "flock", lock)
        backup(self.path, self.target)
        self.assertGreater(self.target.stat().st_size, 0)
        empty = self.target.with_name("empty")
        empty.touch()
        with self.assertRaisesRegex(StoreError, "can't be locked: No locks available"):
            backup(self.path, empty)

    def test_what_is_no_empty_file_is_not_taken_over(self) -> None:
        empty, link, folder = (self.folder / name for name in ("empty", "link", "folder"))
        empty.touch()
        link.symlink_to(empty)
        folder.mkdir()
        for target in (link, folder, Path(os.devnull)):
            error = self.assertRaises(StoreError, backup, self.path, target)
            self.assertIn("exists already", str(error))
        self.assertEqual(empty.read_bytes(), b"")
