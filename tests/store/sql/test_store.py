"""The store on disk: the contract, and what a file adds to it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.events import ENTRY_TYPES
from gtchat.chat.interfaces import Foreign, HistoryQuery, MembershipRecord, PendingEntry
from gtchat.store import SQLStore
from gtchat.store.jobs import StoreCall
from gtchat.store.sql import (
    devices,
    direct,
    history,
    mention_pages,
    mentions,
    own_data,
    read_state,
    rooms,
    session_ends,
    sessions,
    undelivered,
)
from gtchat.store.sql.batch_writer import Outcome
from gtchat.store.sql.statements import Statement
from tests.databases import create_empty
from tests.store.accounts_contract import (
    AccountContract,
    PhoneContract,
    ResumeContract,
    SessionContract,
)
from tests.store.admin_contract import (
    AccountAdminContract,
    AuditContract,
    BansContract,
    ScanContract,
    StorageContract,
)
from tests.store.changes_contract import (
    ChangedHistoryContract,
    ChangesContract,
    VersionsContract,
)
from tests.store.contract import QueueContract, StoreCase, message, new_session
from tests.store.deletion_contract import DeletedWordsContract, DeletionContract, OwnDataContract
from tests.store.devices_contract import SeveralSessionsContract, TokenContract
from tests.store.direct_contract import DirectContract, DirectMentionsContract, WhisperContract
from tests.store.export_contract import ExportLinkContract
from tests.store.invite_contract import InviteContract
from tests.store.kept_contract import KeptContract
from tests.store.log_contract import HistoryContract, LimitsContract, LogContract, TxnContract
from tests.store.mailbox_contract import InvitationContract
from tests.store.mentions_contract import MentionsContract, NotifyContract
from tests.store.networks_contract import NetworkContract
from tests.store.nodes_contract import NodesContract
from tests.store.preview_contract import PreviewContract
from tests.store.read_state_contract import ReadStateContract, UnreadContract
from tests.store.reports_contract import ReportsContract
from tests.store.retention_contract import DirectRetentionContract, RetentionContract
from tests.store.rooms_contract import RoomsContract
from tests.store.search_contract import (
    SearchChangesContract,
    SearchContract,
    SearchPagesContract,
    SearchRightsContract,
)
from tests.store.session_contract import EpochContract, GuestContract, SessionEndContract


class OnDisk:
    def open_store(self) -> SQLStore:
        folder = Path(self.mktemp())  # type: ignore[attr-defined]
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        create_empty(self.path)
        return SQLStore.open(self.path, reactor)

    async def index(self) -> None:
        await self.store.index_now()  # type: ignore[attr-defined]

    def delete_entries(self, room_id: int, count: int) -> None:
        """Delete the oldest entries of a log."""
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("UPDATE heads SET first = first + ? WHERE room_id = ?", (count, room_id))
            db.execute(
                "DELETE FROM entries WHERE room_id = ? AND seq <"
                " (SELECT first FROM heads WHERE heads.room_id = entries.room_id)",
                (room_id,),
            )


class QueueTests(OnDisk, QueueContract, TestCase):
    pass


class DeletionTests(OnDisk, DeletionContract, TestCase):
    pass


class ExportLinkTests(OnDisk, ExportLinkContract, TestCase):
    pass


class OwnDataTests(OnDisk, OwnDataContract, TestCase):
    async def test_its_entries_are_read_in_parts(self) -> None:
        self.patch(own_data, "FOUND", 3)
        await self.test_its_entries_are_those_of_rooms()
        self.assertEqual(len((await self.store.own_entries(self.ann, 0)).entries), 3)


class DeletedWordsTests(OnDisk, DeletedWordsContract, TestCase):
    pass


class LogTests(OnDisk, LogContract, TestCase):
    pass


class RetentionTests(OnDisk, RetentionContract, TestCase):
    """See `RetentionContract`."""


class DirectRetentionTests(OnDisk, DirectRetentionContract, TestCase):
    """See `DirectRetentionContract`."""


class NodesTests(OnDisk, NodesContract, TestCase):
    """See `NodesContract`."""


class LostTests(OnDisk, StoreCase, TestCase):
    """A store whose node is lost: the chat has forgotten all rooms and users."""

    def test_what_the_writer_had_done_before_is_no_result(self) -> None:
        told: list[object] = []
        self.store.committed, self.store.foreign = told.extend, told.append
        entry, call = PendingEntry(1, message()), StoreCall(lambda db: None)
        entry.entry.seq = 5
        self.store.is_lost = True
        self.store._deliver([entry, call], Outcome(foreign=Foreign()))
        self.assertEqual((told, entry.entry.seq, type(entry.error)), ([entry], 0, NotStored))
        self.failureResultOf(call.deferred, NotStored)
        self.store.is_lost = False


class KeptTests(OnDisk, KeptContract, TestCase):
    """See `KeptContract`."""


class RoomsTests(OnDisk, RoomsContract, TestCase):
    """See `RoomsContract`."""


class LimitsTests(OnDisk, LimitsContract, TestCase):
    """See `LimitsContract`."""


class PreviewTests(OnDisk, PreviewContract, TestCase):
    """See `PreviewContract`."""


class TxnTests(OnDisk, TxnContract, TestCase):
    pass


class HistoryTests(OnDisk, HistoryContract, TestCase):
    pass


class ChangesTests(OnDisk, ChangesContract, TestCase):
    """See `ChangesContract`."""


class ChangedHistoryTests(OnDisk, ChangedHistoryContract, TestCase):
    """See `ChangedHistoryContract`."""


class VersionsTests(OnDisk, VersionsContract, TestCase):
    """See `VersionsContract`."""


class SearchTests(OnDisk, SearchContract, TestCase):
    """See `SearchContract`."""


class SearchRightsTests(OnDisk, SearchRightsContract, TestCase):
    """See `SearchRightsContract`."""


class SearchPagesTests(OnDisk, SearchPagesContract, TestCase):
    """See `SearchPagesContract`."""


class SearchChangesTests(OnDisk, SearchChangesContract, TestCase):
    """See `SearchChangesContract`."""


class AccountTests(OnDisk, AccountContract, TestCase):
    pass


class TokenTests(OnDisk, TokenContract, TestCase):
    """See `TokenContract`."""


class SeveralSessionsTests(OnDisk, SeveralSessionsContract, TestCase):
    """See `SeveralSessionsContract`."""


class NetworkTests(OnDisk, NetworkContract, TestCase):
    """See `NetworkContract`."""


class AuditTests(OnDisk, AuditContract, TestCase):
    """See `AuditContract`."""


class BanTests(OnDisk, BansContract, TestCase):
    """See `BansContract`."""


class ReportsTests(OnDisk, ReportsContract, TestCase):
    """See `ReportsContract`."""


class InviteTests(OnDisk, InviteContract, TestCase):
    """See `InviteContract`."""


class ScanTests(OnDisk, ScanContract, TestCase):
    """See `ScanContract`."""


class StorageTests(OnDisk, StorageContract, TestCase):
    """See `StorageContract`."""


class AccountAdminTests(OnDisk, AccountAdminContract, TestCase):
    """See `AccountAdminContract`."""


class PhoneTests(OnDisk, PhoneContract, TestCase):
    """See `PhoneContract`."""


class SessionTests(OnDisk, SessionContract, TestCase):
    pass


class GuestTests(OnDisk, GuestContract, TestCase):
    """See `GuestContract`."""


class SessionEndTests(OnDisk, SessionEndContract, TestCase):
    """See `SessionEndContract`."""


class EpochTests(OnDisk, EpochContract, TestCase):
    """See `EpochContract`."""


class ReadStateTests(OnDisk, ReadStateContract, TestCase):
    """See `ReadStateContract`."""


class UnreadTests(OnDisk, UnreadContract, TestCase):
    """See `UnreadContract`."""


class MentionsTests(OnDisk, MentionsContract, TestCase):
    """See `MentionsContract`."""


class NotifyTests(OnDisk, NotifyContract, TestCase):
    """See `NotifyContract`."""


class ResumeTests(OnDisk, ResumeContract, TestCase):
    pass


class DirectTests(OnDisk, DirectContract, TestCase):
    pass


class DirectMentionsTests(OnDisk, DirectMentionsContract, TestCase):
    pass


class WhisperTests(OnDisk, WhisperContract, TestCase):
    pass


class InvitationTests(OnDisk, InvitationContract, TestCase):
    pass


class FileTests(OnDisk, StoreCase, TestCase):
    """The files of a store."""

    async def test_a_closed_store_is_one_file(self) -> None:
        await self.stored(self.lobby, message())
        await self.store.history(self.lobby, HistoryQuery())
        await self.store.close()
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    async def test_acknowledged_entries_are_in_the_files_at_once(self) -> None:  # H13
        for number in range(20):
            await self.stored(self.lobby, message(str(number)))
        copy = self.path.parent / "copy"
        copy.mkdir()
        for file in (self.path, self.path.with_name("gtchat.sqlite-wal")):
            shutil.copy(file, copy)
        found = SQLStore.open(copy / "gtchat.sqlite", reactor)
        self.addCleanup(found.close)
        state = found.load()
        self.assertEqual(state.epoch, self.state.epoch)
        self.assertEqual((state.rooms[0].last_seq, state.rooms[0].message_count), (20, 20))

    async def test_read_markers_are_kept_over_a_restart(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.store.login(ann, "hash", new_session(b"t" * 32, 1))
        await self.stored(room, message("1"))
        await self.stored(room, message("2"))
        await self.store.mark_read(ann, b"t" * 32, room, 2)
        await self.store.close()
        self.store = SQLStore.open(self.path, reactor)
        self.store.load()
        found = await self.store.login(ann, "hash", new_session(b"u" * 32, 2))
        self.assertEqual(found.memberships[1], MembershipRecord(room, 2))

    async def test_unread_messages_and_mentions_are_counted_by_two_statements(
        self,
    ) -> None:
        ann = await self.account("Ann")
        for number in range(30):
            await self.stored(await self.room(ann, f"Garden {number}"), message(usr="Bob"))
        with closing(sqlite3.connect(self.path)) as db:
            statements: list[str] = []
            db.set_trace_callback(statements.append)
            self.assertEqual(len(read_state.unread(db, ann, None)), 30)
        self.assertEqual(len([sql for sql in statements if not sql.startswith("--")]), 2)

    async def test_tombstones_are_pruned_with_one_look_at_the_sessions(self) -> None:
        steps = []
        for count in (100, 400):
            with closing(sqlite3.connect(self.path)) as db:
                numbers = [(str(number), 1_000 + number) for number in range(count)]
                db.executemany("INSERT INTO tombstones (key, deleted_at) VALUES (?, ?)", numbers)
                db.executemany(
                    "INSERT INTO sessions (token_hash, account_id, began_at) VALUES (?, 1, ?)",
                    [(key.encode(), at + count // 2) for key, at in numbers],
                )
                steps.append(0)

                def step() -> int:
                    steps[-1] += 1
                    return 0

                db.set_progress_handler(step, 10)
                rooms.prune_sessions(db, 2**60, 0)
                left = db.execute("SELECT count(*), min(deleted_at) FROM tombstones").fetchone()
                self.assertEqual(left, (count // 2, 1_000 + count // 2))
        self.assertLess(steps[1], 6 * steps[0])

    async def test_seqs_go_beyond_32_bits(self) -> None:  # G14
        for last in (2**31 - 1, 2**32 - 1, 2**53 - 3):
            room = await self.room(None, f"Garden {last}")
            with closing(sqlite3.connect(self.path)) as db, db:
                db.execute(
                    "UPDATE heads SET seq = ?, messages = ?, first = ? WHERE room_id = ?",
                    (last, last, last + 1, room),
                )
            self.store._log_writer.invalidate()
            for seq in (last + 1, last + 2):
                self.assertEqual((await self.stored(room, message(str(seq)))).entry.seq, seq)
            page = await self.store.history(room, HistoryQuery(after=last, limit=1))
            self.assertEqual(
                (page.entries[0].seq, page.last, page.more), (last + 1, last + 2, True)
            )

    async def test_a_deleted_log_is_not_in_the_files_any_more(self) -> None:
        room = await self.room(None)
        for number in range(50):
            await self.stored(room, message(f"secret {number} " * 100))
        kept = await self.stored(self.lobby, message("kept"))
        await self.store.index_now()
        await self.store.delete_room(room, 1)
        with closing(sqlite3.connect(self.path)) as db:
            while db.execute("SELECT count(*) FROM entries").fetchone()[0] > 1:
                await self.store.flush()
        await self.store.index_now(merge=True)
        await self.store.close()
        content = self.path.read_bytes()
        self.assertIn(kept.entry.msg.encode(), content)
        self.assertNotIn(b"secret", content)

    async def test_a_reopened_store_has_everything(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.stored(room, message("kept"))
        before = self.store.load()
        await self.store.close()
        self.store = SQLStore.open(self.path, reactor)
        self.assertEqual(self.store.load(), before)
        self.assertEqual(await self.texts(room, HistoryQuery()), ["room_created", "kept"])


class PlanTests(OnDisk, StoreCase, TestCase):
    """Query plans: pages are found by an index."""

    def plan(self, kinds: set[str]) -> str:
        part = history._entries_statement(frozenset(kinds), True)
        values = {**part.constants, "room_id": 1, "low": 1, "high": 1, "limit": 1}
        with closing(sqlite3.connect(self.path)) as db:
            rows = db.execute(f"EXPLAIN QUERY PLAN {part.sql}", values).fetchall()
        return "; ".join(row[3] for row in rows)

    def test_a_page_is_found_by_the_key_of_the_log(self) -> None:  # G09
        plan = self.plan(set(ENTRY_TYPES))
        self.assertIn("(room_id=? AND seq>? AND seq<?)", plan)
        self.assertNotIn("B-TREE", plan)

    def test_rare_kinds_are_found_by_their_index(self) -> None:
        plan = self.plan({"kicked", "removed"})
        self.assertEqual(
            plan.count("INDEX entries_rare (room_id=? AND kind=? AND seq>? AND seq<?)"), 2
        )
        self.assertNotIn("SEARCH entries USING INDEX sqlite_autoindex", plan)

    def plans(self, *modules: Any) -> dict[str, str]:
        """Return the plans of the statements of modules, by their names."""
        plans = {}
        for module in modules:
            for name, part in vars(module).items():
                if not isinstance(part, Statement):
                    continue
                with closing(sqlite3.connect(self.path)) as db:
                    values = dict.fromkeys(re.findall(r":(\w+)", part.sql), 1) | part.constants
                    rows = db.execute(f"EXPLAIN QUERY PLAN {part.sql}", values).fetchall()
                plans[name] = "; ".join(row[3] for row in rows)
        return plans

    def test_sessions_and_devices_are_found_by_an_index(self) -> None:
        plans = self.plans(devices, session_ends, sessions)
        self.assertGreater(len(plans), 20)
        for name, plan in plans.items():
            self.assertNotIn("SCAN", plan.replace("SCAN CONSTANT ROW", ""), name)

    def test_no_statement_reads_all_conversations_of_an_account(self) -> None:
        plans = self.plans(direct, mention_pages, mentions, read_state, undelivered)
        self.assertIn("directs USING INDEX", "".join(plans.values()))
        found = {
            name
            for name, plan in plans.items()
            if "directs USING PRIMARY KEY (account_id=?)" in plan
        }
        self.assertEqual(found, {"_ONLY_OWN"})  # when the account ends
        self.assertIn(
            "entries USING INDEX sqlite_autoindex_entries_1 (room_id=? AND seq>? AND seq<?)",
            plans["_AFTER_MARK"],
        )
