"""The methods of `IMailStore` about direct conversations; `MemoryStore` inherits them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from gtchat.chat.direct_records import Arrived, Direct, DirectPage, StoredWhisper, WhisperLimits
from gtchat.chat.message_records import PendingWhisper
from gtchat.chat.records import Ack
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.direct import DirectTable


class MemoryDirectCalls(MemoryCalls):
    """Calls about direct conversations."""

    _directs: DirectTable

    def whisper(self, pending: PendingWhisper, limits: WhisperLimits) -> Deferred[Ack]:
        """See `IMailStore.whisper`."""
        return self._write(self._directs.whisper, pending, limits)

    def whispers(
        self, account_id: int, after: int, limit: int
    ) -> Deferred[Sequence[StoredWhisper]]:
        """See `IMailStore.whispers`."""
        return self._read(self._directs.whispers, account_id, after, limit)

    def set_delivered(self, arrived: Arrived) -> Deferred[None]:
        """See `IMailStore.set_delivered`."""
        return self._write(self._directs.set_delivered, arrived)

    def add_missed(self, account_id: int, room_id: int, seq: int, limit: int) -> Deferred[None]:
        """See `IMailStore.add_missed`."""
        return self._write(self._directs.add_missed, account_id, room_id, seq, limit)

    def find_direct(
        self, account_id: int, room_id: int | None, other_id: int | None
    ) -> Deferred[Direct | None]:
        """See `IMailStore.find_direct`."""
        return self._read(self._directs.find, account_id, room_id, other_id)

    def directs(self, account_id: int, before: int | None, limit: int) -> Deferred[DirectPage]:
        """See `IMailStore.directs`."""
        return self._read(self._directs.page, account_id, before, limit)
