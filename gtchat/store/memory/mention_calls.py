"""The methods of `IMentionStore` of the store in memory; `MemoryStore` inherits them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

import gtchat.store.mail_tells as mail_tells
from gtchat.chat.mentions import MentionLimits, MentionsPage
from gtchat.chat.told import Told
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.mentions import MentionTable


class MemoryMentionCalls(MemoryCalls):
    """Calls of `IMentionStore`: writes to the queue, reads past it."""

    _mentions: MentionTable

    @property
    def mention_limits(self) -> MentionLimits:
        """See `IMentionStore.mention_limits`."""
        return self._mentions.limits

    @mention_limits.setter
    def mention_limits(self, limits: MentionLimits) -> None:
        self._mentions.limits = limits

    def mark_unread(
        self, account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> Deferred[int]:
        """See `IMentionStore.mark_unread`."""
        plan = mail_tells.mark_unread(account_id, room_id)
        return self._write(
            self._mentions.mark_unread, account_id, token_hash, room_id, seq, plan=plan
        )

    def set_notify(
        self, account_id: int, room_id: int, level: str, tells: Sequence[Told] = ()
    ) -> Deferred[None]:
        """See `IMentionStore.set_notify`."""
        plan = mail_tells.set_notify(account_id, room_id, tells)
        return self._write(self._mentions.set_notify, account_id, room_id, level, plan=plan)

    def mentions(self, account_id: int, before: int | None, limit: int) -> Deferred[MentionsPage]:
        """See `IMentionStore.mentions`."""
        return self._read(self._mentions.mentions, account_id, before, limit)
