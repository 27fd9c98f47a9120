"""The methods of `IMailStore` of the store on disk; `SQLStore` inherits them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

import gtchat.store.mail_tells as mail_tells
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import (
    Ack,
    Arrived,
    Direct,
    DirectPage,
    InvitationLimits,
    PendingWhisper,
    RepeatableRequest,
    StoredWhisper,
    Told,
    WhisperLimits,
)
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.sql import direct, invitations, undelivered
from gtchat.store.sql.idempotency import do_once
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.read_pool import ReadPool

T = TypeVar("T")


class MailCalls(ABC):
    """Calls of `IMailStore`: writes to the queue, reads to the read pool."""

    _reads: ReadPool
    _log_writer: LogWriter

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    def _write_once(
        self,
        request: RepeatableRequest | None,
        plan: Plan,
        function: Callable[..., bool],
        *args: Any,
    ) -> Deferred[bool]:
        """Queue a call of a function for a request; return False if that was done before."""
        return self._write(
            lambda db: do_once(db, request, False, lambda: function(db, *args)), plan=plan
        )

    def whisper(self, pending: PendingWhisper, limits: WhisperLimits) -> Deferred[Ack]:
        """See `IMailStore.whisper`."""
        plan = mail_tells.whisper(pending)
        return self._write(direct.whisper, self._log_writer, pending, limits, plan=plan)

    def whispers(
        self, account_id: int, after: int, limit: int
    ) -> Deferred[Sequence[StoredWhisper]]:
        """See `IMailStore.whispers`."""
        return self._reads.run(lambda db: undelivered.whispers(db, account_id, after, limit))

    def set_delivered(self, arrived: Arrived) -> Deferred[None]:
        """See `IMailStore.set_delivered`."""
        plan = mail_tells.set_delivered(arrived)
        return self._write(undelivered.set_delivered, arrived, plan=plan)

    def add_missed(self, account_id: int, room_id: int, seq: int, limit: int) -> Deferred[None]:
        """See `IMailStore.add_missed`."""
        plan = mail_tells.add_missed(account_id, room_id)
        return self._write(undelivered.add_missed, account_id, room_id, seq, limit, plan=plan)

    def find_direct(
        self, account_id: int, room_id: int | None, other_id: int | None
    ) -> Deferred[Direct | None]:
        """See `IMailStore.find_direct`."""
        return self._reads.run(lambda db: direct.find(db, account_id, room_id, other_id))

    def directs(self, account_id: int, before: int | None, limit: int) -> Deferred[DirectPage]:
        """See `IMailStore.directs`."""
        return self._reads.run(lambda db: direct.page(db, account_id, before, limit))

    def invite(
        self,
        room_id: int,
        account_id: int,
        inviter_id: int,
        event: Invited,
        delivered: bool,
        limits: InvitationLimits,
        request: RepeatableRequest | None = None,
        tells: Sequence[Told] = (),
    ) -> Deferred[bool]:
        """See `IMailStore.invite`."""
        plan = mail_tells.invite(room_id, account_id, inviter_id, tells)
        args = (room_id, account_id, inviter_id, event, delivered, limits)
        return self._write_once(request, plan, invitations.invite, *args)

    def answer_invitation(
        self,
        room_id: int,
        account_id: int,
        inviter: str,
        later: bool,
        request: RepeatableRequest | None = None,
        tells: Sequence[Told] = (),
    ) -> Deferred[bool]:
        """See `IMailStore.answer_invitation`."""
        plan = mail_tells.answer_invitation(room_id, account_id, tells)
        args = (room_id, account_id, inviter, later)
        return self._write_once(request, plan, invitations.answer, *args)

    def is_invited(self, room_id: int, account_id: int, inviter: str | None) -> Deferred[bool]:
        """See `IMailStore.is_invited`."""
        return self._reads.run(lambda db: invitations.is_invited(db, room_id, account_id, inviter))

    def invitations(self, account_id: int) -> Deferred[Sequence[Invited]]:
        """See `IMailStore.invitations`."""
        plan = mail_tells.invitations(account_id)
        return self._write(invitations.take_undelivered, account_id, plan=plan)
