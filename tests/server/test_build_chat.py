"""The chat that a server builds of its settings."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.server.build_chat import build_chat
from gtchat.server.settings import ServerSettings, Settings
from gtchat.server.storage import Storage
from gtchat.store.memory.store import MemoryStore


class BuildChat(SynchronousTestCase):
    def test_its_time_is_that_of_the_store(self) -> None:
        clock = Clock()
        storage = Storage(MemoryStore(clock), wall=lambda: 5.0)
        passwords: Any = None
        chat = build_chat(Settings(ServerSettings(), Limits()), storage, clock, passwords)
        self.assertEqual(chat.users.now(), 5000)
