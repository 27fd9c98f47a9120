"""The methods of `IMailStore` of the store in memory; `MemoryStore` inherits them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.defer import Deferred

import gtchat.store.mail_tells as mail_tells
from gtchat.chat.direct_records import Arrived, Direct, DirectPage, StoredWhisper, WhisperLimits
from gtchat.chat.events import Invited
from gtchat.chat.message_records import PendingWhisper
from gtchat.chat.records import Ack, InvitationLimits, RepeatableRequest
from gtchat.chat.told import Told
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.direct import DirectTable
from gtchat.store.memory.mailbox import Mailbox
from gtchat.store.memory.rooms import RoomTable


class MemoryDirectCalls(MemoryCalls):
    """Calls about direct conversations and invitations."""

    _directs: DirectTable
    _mailbox: Mailbox
    _rooms: RoomTable

    def whisper(self, pending: PendingWhisper, limits: WhisperLimits) -> Deferred[Ack]:
        """See `IMailStore.whisper`."""
        return self._write(self._directs.whisper, pending, limits, plan=mail_tells.whisper(pending))

    def whispers(
        self, account_id: int, after: int, limit: int
    ) -> Deferred[Sequence[StoredWhisper]]:
        """See `IMailStore.whispers`."""
        return self._read(self._directs.whispers, account_id, after, limit)

    def set_delivered(self, arrived: Arrived) -> Deferred[None]:
        """See `IMailStore.set_delivered`."""
        plan = mail_tells.set_delivered(arrived)
        return self._write(self._directs.set_delivered, arrived, plan=plan)

    def add_missed(self, account_id: int, room_id: int, seq: int, limit: int) -> Deferred[None]:
        """See `IMailStore.add_missed`."""
        plan = mail_tells.add_missed(account_id, room_id)
        return self._write(self._directs.add_missed, account_id, room_id, seq, limit, plan=plan)

    def find_direct(
        self, account_id: int, room_id: int | None, other_id: int | None
    ) -> Deferred[Direct | None]:
        """See `IMailStore.find_direct`."""
        return self._read(self._directs.find, account_id, room_id, other_id)

    def directs(self, account_id: int, before: int | None, limit: int) -> Deferred[DirectPage]:
        """See `IMailStore.directs`."""
        return self._read(self._directs.page, account_id, before, limit)

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
        invite = partial(self._mailbox.invite, *args)
        return self._write(self._rooms.txns.do_once, request, False, invite, plan=plan)

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
        answer = partial(self._mailbox.answer_invitation, room_id, account_id, inviter, later)
        return self._write(self._rooms.txns.do_once, request, False, answer, plan=plan)

    def is_invited(self, room_id: int, account_id: int, inviter: str | None) -> Deferred[bool]:
        """See `IMailStore.is_invited`."""
        return self._read(self._mailbox.is_invited, room_id, account_id, inviter)

    def invitations(self, account_id: int) -> Deferred[Sequence[Invited]]:
        """See `IMailStore.invitations`."""
        plan = mail_tells.invitations(account_id)
        return self._write(self._mailbox.take_undelivered, account_id, plan=plan)
