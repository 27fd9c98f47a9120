"""The methods of `IMentionStore` of the store on disk; `SQLStore` inherits them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

import gtchat.store.mail_tells as mail_tells
from gtchat.chat.mentions import MentionLimits, MentionsPage
from gtchat.chat.told import Told
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.sql import mention_pages, read_state
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.read_pool import ReadPool

T = TypeVar("T")


class MentionCalls(ABC):
    """Calls of `IMentionStore`: writes to the queue, reads to the read pool."""

    _reads: ReadPool
    _log_writer: LogWriter

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    @property
    def mention_limits(self) -> MentionLimits:
        """See `IMentionStore.mention_limits`."""
        return self._log_writer.mention_limits

    @mention_limits.setter
    def mention_limits(self, limits: MentionLimits) -> None:
        self._log_writer.mention_limits = limits

    def mark_unread(
        self, account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> Deferred[int]:
        """See `IMentionStore.mark_unread`."""
        plan = mail_tells.mark_unread(account_id, room_id)
        return self._write(read_state.mark_unread, account_id, token_hash, room_id, seq, plan=plan)

    def set_notify(
        self, account_id: int, room_id: int, level: str, tells: Sequence[Told] = ()
    ) -> Deferred[None]:
        """See `IMentionStore.set_notify`."""
        plan = mail_tells.set_notify(account_id, room_id, tells)
        return self._write(read_state.set_notify, account_id, room_id, level, plan=plan)

    def mentions(self, account_id: int, before: int | None, limit: int) -> Deferred[MentionsPage]:
        """See `IMentionStore.mentions`."""
        return self._reads.run(lambda db: mention_pages.page(db, account_id, before, limit))
