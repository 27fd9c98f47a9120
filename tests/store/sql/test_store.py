"""The store on disk: the contract, and what a file adds to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.chat.events import ENTRY_TYPES
from gtchat.chat.interfaces import HistoryQuery
from gtchat.store import SQLStore
from gtchat.store.sql import history
from tests.store.accounts_contract import (
    AccountContract,
    PhoneContract,
    ResumeContract,
    SessionContract,
)
from tests.store.contract import QueueContract, StoreCase, spoke
from tests.store.log_contract import HistoryContract, LogContract, TxnContract
from tests.store.mailbox_contract import InvitationContract, WhisperContract
from tests.store.read_state_contract import ReadingContract


class OnDisk:
    def open_store(self) -> SQLStore:
        folder = Path(self.mktemp())  # type: ignore[attr-defined]
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        return SQLStore.open(self.path, reactor)


class QueueTests(OnDisk, QueueContract, TestCase):
    pass


class LogTests(OnDisk, LogContract, TestCase):
    pass


class TxnTests(OnDisk, TxnContract, TestCase):
    pass


class HistoryTests(OnDisk, HistoryContract, TestCase):
    pass


class AccountTests(OnDisk, AccountContract, TestCase):
    pass


class PhoneTests(OnDisk, PhoneContract, TestCase):
    """See `PhoneContract`."""


class SessionTests(OnDisk, SessionContract, TestCase):
    pass


class ReadingTests(OnDisk, ReadingContract, TestCase):
    """See `ReadingContract`."""


class ResumeTests(OnDisk, ResumeContract, TestCase):
    pass


class WhisperTests(OnDisk, WhisperContract, TestCase):
    pass


class InvitationTests(OnDisk, InvitationContract, TestCase):
    pass


class FileTests(OnDisk, StoreCase, TestCase):
    """What is in the folder."""

    async def test_a_closed_store_is_one_file(self) -> None:
        await self.stored(self.lobby, spoke())
        await self.store.history(self.lobby, HistoryQuery())
        await self.store.close()
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    async def test_what_was_acknowledged_is_in_the_files_at_once(self) -> None:  # H13
        for number in range(20):
            await self.stored(self.lobby, spoke(str(number)))
        copy = self.path.parent / "copy"
        copy.mkdir()
        for file in (self.path, self.path.with_name("gtchat.sqlite-wal")):
            shutil.copy(file, copy)
        found = SQLStore.open(copy / "gtchat.sqlite", reactor)
        self.addCleanup(found.close)
        contents = found.load()
        self.assertEqual(contents.epoch, self.contents.epoch)
        self.assertEqual((contents.rooms[0].last_seq, contents.rooms[0].message_count), (20, 20))

    async def test_what_was_read_is_known_after_a_restart(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.store.login(ann, b"t" * 32, True, 1)
        await self.stored(nest, spoke("1"))
        await self.stored(nest, spoke("2"))
        place = await self.store.mark_read(ann, b"t" * 32, nest, 2)
        await self.store.close()
        self.store = SQLStore.open(self.path, reactor)
        self.store.load()
        found = await self.store.login(ann, b"u" * 32, True, 2)
        self.assertEqual(found.memberships[1], place)
        self.assertEqual((place.read_seq, place.messages_read), (2, 1))

    async def test_numbers_go_on_beyond_those_of_32_bits(self) -> None:  # G14
        for last in (2**31 - 1, 2**32 - 1, 2**53 - 3):
            nest = await self.room(None, f"Nest {last}")
            with closing(sqlite3.connect(self.path)) as db, db:
                db.execute(
                    "UPDATE entries SET seq = ?, message_count = seq WHERE room_id = ?",
                    (last, nest),
                )
            self.store._log_writer.invalidate()
            for seq in (last + 1, last + 2):
                self.assertEqual((await self.stored(nest, spoke(str(seq)))).entry.seq, seq)
            page = await self.store.history(nest, HistoryQuery(after=last, limit=1))
            self.assertEqual(
                (page.entries[0].seq, page.last, page.more), (last + 1, last + 2, True)
            )

    async def test_a_store_that_is_opened_again_has_everything(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.stored(nest, spoke("kept"))
        before = self.store.load()
        await self.store.close()
        self.store = SQLStore.open(self.path, reactor)
        self.assertEqual(self.store.load(), before)
        self.assertEqual(await self.texts(nest, HistoryQuery()), ["room_created", "kept"])


class PlanTests(OnDisk, StoreCase, TestCase):
    """Pages are found, not searched for."""

    def plan(self, kinds: set[str]) -> str:
        part = history._entries_statement(frozenset(kinds), True)
        values = {**part.constants, "room_id": 1, "seq": 1, "limit": 1}
        with closing(sqlite3.connect(self.path)) as db:
            rows = db.execute(f"EXPLAIN QUERY PLAN {part.sql}", values).fetchall()
        return "; ".join(row[3] for row in rows)

    def test_a_page_is_found_by_the_logs_own_key(self) -> None:  # G09
        plan = self.plan(set(ENTRY_TYPES))
        self.assertIn("(room_id=? AND seq<?)", plan)
        self.assertNotIn("B-TREE", plan)

    def test_rare_kinds_are_found_by_their_index(self) -> None:
        plan = self.plan({"kicked", "removed"})
        self.assertEqual(plan.count("INDEX entries_rare (room_id=? AND kind=? AND seq<?)"), 2)
        self.assertNotIn("autoindex", plan)
