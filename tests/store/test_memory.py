"""The store in memory: the contract, and that a clock is all it needs."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.interfaces import PendingEntry
from gtchat.store import MemoryStore
from tests.store.accounts_contract import (
    AccountContract,
    PhoneContract,
    ResumeContract,
    SessionContract,
)
from tests.store.contract import QueueContract, spoke
from tests.store.log_contract import HistoryContract, LogContract, TxnContract
from tests.store.mailbox_contract import InvitationContract, WhisperContract
from tests.store.read_state_contract import ReadingContract


class InMemory:
    def open_store(self) -> MemoryStore:
        return MemoryStore(reactor)  # type: ignore[arg-type]


class QueueTests(InMemory, QueueContract, TestCase):
    pass


class LogTests(InMemory, LogContract, TestCase):
    pass


class TxnTests(InMemory, TxnContract, TestCase):
    pass


class HistoryTests(InMemory, HistoryContract, TestCase):
    pass


class AccountTests(InMemory, AccountContract, TestCase):
    pass


class PhoneTests(InMemory, PhoneContract, TestCase):
    """See `PhoneContract`."""


class SessionTests(InMemory, SessionContract, TestCase):
    pass


class ReadingTests(InMemory, ReadingContract, TestCase):
    """See `ReadingContract`."""


class ResumeTests(InMemory, ResumeContract, TestCase):
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

    def test_what_was_asked_for_in_one_turn_is_one_batch(self) -> None:
        calls: list[list[PendingEntry]] = []
        self.store.committed = lambda appends: calls.append(list(appends))
        appends = [PendingEntry(self.lobby, spoke(str(number)), None) for number in range(3)]
        for append in appends:
            self.store.append(append)
        self.assertEqual(calls, [])
        self.clock.advance(0)
        self.assertEqual(calls, [appends])

    def test_no_timer_is_left(self) -> None:
        self.store.append(PendingEntry(self.lobby, spoke(), None))
        self.store.find_account("ann", None)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
