"""The store on disk: the contract, and what a file adds to it."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.store import SQLStore
from tests.store.contract import QueueContract
from tests.store.log_contract import HistoryContract, LogContract, TxnContract
from tests.store.people_contract import AccountContract, ResumeContract, SessionContract
from tests.store.post_contract import InvitationContract, WhisperContract


class OnDisk:
    def open_store(self) -> SQLStore:
        folder = Path(self.mktemp())  # type: ignore[attr-defined]
        folder.mkdir()
        return SQLStore.open(folder / "gtchat.sqlite", reactor)


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


class SessionTests(OnDisk, SessionContract, TestCase):
    pass


class ResumeTests(OnDisk, ResumeContract, TestCase):
    pass


class WhisperTests(OnDisk, WhisperContract, TestCase):
    pass


class InvitationTests(OnDisk, InvitationContract, TestCase):
    pass
