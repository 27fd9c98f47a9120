"""Copies of a database that is in use."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gtchat.chat.interfaces import HistoryQuery, PendingEntry
from gtchat.store import SQLStore, StoreError, backup
from tests.store.contract import spoke


class BackupTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gtchat.sqlite"
        self.target = self.folder / "copy" / "gtchat.sqlite"
        self.target.parent.mkdir()
        self.store = self.open(self.path)
        contents = self.store.load()
        self.lobby, self.epoch = contents.rooms[0].id, contents.epoch

    def open(self, path: Path) -> SQLStore:
        store = SQLStore.open(path, reactor)
        self.addCleanup(store.close)
        return store

    def say(self, count: int) -> Any:
        for number in range(count):
            self.store.append(PendingEntry(self.lobby, spoke(f"{number}" * 100), None))
        return self.store.flush()

    async def test_a_copy_is_a_prefix_of_a_log_that_goes_on(self) -> None:  # H29
        await self.say(3000)
        told: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            told.append((done, total))
            reactor.callFromThread(self.say, 500)  # type: ignore[attr-defined]

        await deferToThread(backup, self.path, self.target, progress)
        await self.say(10)
        copy = self.open(self.target)
        contents = copy.load()
        last = contents.rooms[0].last_seq
        original = (await self.store.history(self.lobby, HistoryQuery())).last
        self.assertGreaterEqual(last, 3000)
        self.assertLess(last, original)
        for seq in (1, 1500, last):
            span = HistoryQuery(around=seq, limit=1)
            page = await copy.history(self.lobby, span)
            self.assertEqual(page.entries, (await self.store.history(self.lobby, span)).entries)
        self.assertTrue(told)
        self.assertEqual(told[-1][0], told[-1][1])

    async def test_a_copy_is_another_log(self) -> None:  # H29
        await deferToThread(backup, self.path, self.target)
        epoch = self.open(self.target).load().epoch
        self.assertNotEqual(epoch, self.epoch)
        self.assertEqual(self.open(self.target).load().epoch, epoch)
        self.assertEqual(self.store.load().epoch, self.epoch)

    async def test_a_copy_is_one_file_for_its_owner_alone(self) -> None:
        await deferToThread(backup, self.path, self.target)
        self.assertEqual(stat.S_IMODE(self.target.stat().st_mode), 0o600)
        self.assertEqual(list(self.target.parent.iterdir()), [self.target])

    def test_what_is_there_is_not_overwritten(self) -> None:
        self.target.write_text("precious")
        error = self.assertRaises(StoreError, backup, self.path, self.target)
        self.assertIn("exists already", str(error))
        self.assertEqual(self.target.read_text(), "precious")

    def test_what_is_not_ours_is_not_copied(self) -> None:
        other = self.folder / "other"
        other.touch()
        self.assertRaises(StoreError, backup, other, self.target)
        self.assertRaises(StoreError, backup, self.folder / "missing", self.target)
        self.assertEqual(list(self.target.parent.iterdir()), [])

    def test_a_folder_that_is_not_there_is_named(self) -> None:
        target = self.folder / "missing" / "copy"
        error = self.assertRaises(StoreError, backup, self.path, target)
        self.assertIn(str(target), str(error))

    def test_a_copy_that_is_broken_off_leaves_nothing(self) -> None:
        def progress(done: int, total: int) -> None:
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, backup, self.path, self.target, progress)
        self.assertEqual(list(self.target.parent.iterdir()), [])
