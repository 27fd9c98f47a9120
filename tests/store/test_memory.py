"""The store in memory: the contract, and that it needs no more than a clock."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.interfaces import PendingEntry
from gtchat.store.memory.store import MemoryStore
from gtchat.store.memory.tables import MemoryTables
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
from tests.store.contract import QueueContract, message
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
from tests.store.nodes_contract import (
    EndedNodeContract,
    MovingContract,
    NodesContract,
    SeveralNodesContract,
)
from tests.store.nodes_mail_contract import NodesMailContract
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
from tests.store.stale_contract import StaleContract


class InMemory:
    def open_store(self) -> MemoryStore:
        return MemoryStore(reactor)  # type: ignore[arg-type]

    def delete_entries(self, room_id: int, count: int) -> None:
        """Delete the oldest entries of a log."""
        room = self.store._rooms.rooms[room_id]  # type: ignore[attr-defined]
        del room.log[:count]
        room.first += count


class QueueTests(InMemory, QueueContract, TestCase):
    pass


class DeletionTests(InMemory, DeletionContract, TestCase):
    pass


class ExportLinkTests(InMemory, ExportLinkContract, TestCase):
    pass


class OwnDataTests(InMemory, OwnDataContract, TestCase):
    pass


class DeletedWordsTests(InMemory, DeletedWordsContract, TestCase):
    pass


class LogTests(InMemory, LogContract, TestCase):
    pass


class RetentionTests(InMemory, RetentionContract, TestCase):
    """See `RetentionContract`."""


class DirectRetentionTests(InMemory, DirectRetentionContract, TestCase):
    """See `DirectRetentionContract`."""


class NodesTests(InMemory, NodesContract, TestCase):
    """See `NodesContract`."""


class LimitsTests(InMemory, LimitsContract, TestCase):
    """See `LimitsContract`."""


class InNodes:
    """Opens two nodes over the same tables."""

    def open_nodes(self) -> tuple[MemoryStore, MemoryStore]:
        tables = MemoryTables()
        return (MemoryStore(reactor, tables), MemoryStore(reactor, tables))  # type: ignore[arg-type]

    async def expire(self, by: MemoryStore, gone: MemoryStore) -> None:
        by.expire(gone)


class SeveralNodesTests(InNodes, SeveralNodesContract, TestCase):
    """See `SeveralNodesContract`."""


class StaleTests(InNodes, StaleContract, TestCase):
    """See `StaleContract`."""


class MovingTests(InNodes, MovingContract, TestCase):
    """See `MovingContract`."""


class EndedNodeTests(InNodes, EndedNodeContract, TestCase):
    """See `EndedNodeContract`."""


class NodesMailTests(InNodes, NodesMailContract, TestCase):
    """See `NodesMailContract`."""


class KeptTests(InMemory, KeptContract, TestCase):
    """See `KeptContract`."""


class RoomsTests(InMemory, RoomsContract, TestCase):
    """See `RoomsContract`."""


class PreviewTests(InMemory, PreviewContract, TestCase):
    """See `PreviewContract`."""


class TxnTests(InMemory, TxnContract, TestCase):
    pass


class HistoryTests(InMemory, HistoryContract, TestCase):
    pass


class ChangesTests(InMemory, ChangesContract, TestCase):
    """See `ChangesContract`."""


class ChangedHistoryTests(InMemory, ChangedHistoryContract, TestCase):
    """See `ChangedHistoryContract`."""


class VersionsTests(InMemory, VersionsContract, TestCase):
    """See `VersionsContract`."""


class SearchTests(InMemory, SearchContract, TestCase):
    """See `SearchContract`."""


class SearchRightsTests(InMemory, SearchRightsContract, TestCase):
    """See `SearchRightsContract`."""


class SearchPagesTests(InMemory, SearchPagesContract, TestCase):
    """See `SearchPagesContract`."""


class SearchChangesTests(InMemory, SearchChangesContract, TestCase):
    """See `SearchChangesContract`."""


class AccountTests(InMemory, AccountContract, TestCase):
    pass


class TokenTests(InMemory, TokenContract, TestCase):
    """See `TokenContract`."""


class SeveralSessionsTests(InMemory, SeveralSessionsContract, TestCase):
    """See `SeveralSessionsContract`."""


class NetworkTests(InMemory, NetworkContract, TestCase):
    """See `NetworkContract`."""


class AuditTests(InMemory, AuditContract, TestCase):
    """See `AuditContract`."""


class BanTests(InMemory, BansContract, TestCase):
    """See `BansContract`."""


class ReportsTests(InMemory, ReportsContract, TestCase):
    """See `ReportsContract`."""


class InviteTests(InMemory, InviteContract, TestCase):
    """See `InviteContract`."""


class ScanTests(InMemory, ScanContract, TestCase):
    """See `ScanContract`."""


class StorageTests(InMemory, StorageContract, TestCase):
    """See `StorageContract`."""


class AccountAdminTests(InMemory, AccountAdminContract, TestCase):
    """See `AccountAdminContract`."""


class PhoneTests(InMemory, PhoneContract, TestCase):
    """See `PhoneContract`."""


class SessionTests(InMemory, SessionContract, TestCase):
    pass


class GuestTests(InMemory, GuestContract, TestCase):
    """See `GuestContract`."""


class SessionEndTests(InMemory, SessionEndContract, TestCase):
    """See `SessionEndContract`."""


class EpochTests(InMemory, EpochContract, TestCase):
    """See `EpochContract`."""


class ReadStateTests(InMemory, ReadStateContract, TestCase):
    """See `ReadStateContract`."""


class UnreadTests(InMemory, UnreadContract, TestCase):
    """See `UnreadContract`."""


class MentionsTests(InMemory, MentionsContract, TestCase):
    """See `MentionsContract`."""


class NotifyTests(InMemory, NotifyContract, TestCase):
    """See `NotifyContract`."""


class ResumeTests(InMemory, ResumeContract, TestCase):
    pass


class DirectTests(InMemory, DirectContract, TestCase):
    pass


class DirectMentionsTests(InMemory, DirectMentionsContract, TestCase):
    pass


class WhisperTests(InMemory, WhisperContract, TestCase):
    pass


class InvitationTests(InMemory, InvitationContract, TestCase):
    pass


class TurnTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.lobby = self.store.load().rooms[0].id

    def test_the_calls_of_one_turn_are_one_batch(self) -> None:
        calls: list[list[PendingEntry]] = []
        self.store.committed = lambda queued: calls.append(list(queued))
        queued = [PendingEntry(self.lobby, message(str(number))) for number in range(3)]
        for pending in queued:
            self.store.append(pending)
        self.assertEqual(calls, [])
        self.clock.advance(0)
        self.assertEqual(calls, [queued])

    def test_no_timer_is_left(self) -> None:
        self.store.append(PendingEntry(self.lobby, message()))
        self.store.find_account("ann", None)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
