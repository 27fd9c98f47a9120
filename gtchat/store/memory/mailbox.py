"""Entries with the changes that they mean, and invitations, as `MemoryStore` keeps them.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import attrs

from gtchat.chat.errors import (
    ChatError,
    NoSuchRoom,
    NotStored,
    PrivateRoom,
)
from gtchat.chat.events import (
    Invited,
    Joined,
    Kicked,
    Left,
    Removed,
    RoomChanged,
    RoomCreated,
    RoomSettingsEntry,
)
from gtchat.chat.interfaces import (
    EndedInvitations,
    InvitationLimits,
    Inviter,
    PendingEntry,
    PendingMessageChange,
    PendingRoomChange,
)
from gtchat.chat.message_rules import apply, check, prepare_reply
from gtchat.chat.retention import Keep
from gtchat.chat.room_records import ShownRoom
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.direct import DirectTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.pending import (
    LISTED_INVITATIONS,
    check_invitations,
    check_members,
    check_room_limits,
    check_slow,
    request_content,
)


@attrs.define
class StoredInvitation:
    """An invitation.

    Attributes:
        inviter_id: the account that invites.
        event: the invitation as it is sent.
        delivered: whether the invited user got it.
        postponed: whether the invited user answered "later".
    """

    inviter_id: int
    event: Invited
    delivered: bool
    postponed: bool = False


class Mailbox:
    """What users send to rooms and to each other.

    Args:
        rooms: the rooms.
        accounts: the accounts.

    Attributes:
        directs: the direct conversations.
    """

    def __init__(self, rooms: RoomTable, accounts: AccountTable) -> None:
        self._rooms = rooms
        self._accounts = accounts
        accounts.pending_invitations = self.pending_invitations
        self.directs = DirectTable(rooms, accounts, self.append)
        self._invitations: defaultdict[int, dict[tuple[int, str], StoredInvitation]]
        self._invitations = defaultdict(dict)
        #: Account id of an inviter -> room id -> (account id, inviter) of what it has sent.
        self._sent: defaultdict[int, dict[int, set[tuple[int, str]]]] = defaultdict(dict)
        self._folds: dict[str, Callable[[RoomLog, PendingRoomChange], None]] = {
            RoomCreated.kind: self._create_room,
            RoomChanged.kind: self._change_room,
            Joined.kind: self._add_member,
            Left.kind: self._remove_member,
            Kicked.kind: self._remove_member,
            Removed.kind: self._remove_member,
        }

    def append(self, pending: PendingEntry) -> None:
        """Store an entry of any kind, and fill in the result."""
        content = request_content(pending)
        try:
            pending.earlier = self._rooms.find_ack(pending)
            if pending.earlier is None:
                if pending.refusal is not None:
                    raise pending.refusal
                self._store(pending)
        except ChatError as error:
            pending.error = error
            return
        if pending.txn is not None and pending.earlier is None:
            self._rooms.txns.save_ack(pending.sender_id or 0, pending.txn, content, pending.ack)

    def _store(self, pending: PendingEntry) -> None:
        """Append an entry to its log, and make the changes that it means."""
        if isinstance(pending, PendingRoomChange):
            self._check_limits(pending)
        if isinstance(pending.entry, RoomCreated):
            assert isinstance(pending, PendingRoomChange)
            if pending.subject_id is not None:
                self._accounts.require_lasting(pending.subject_id)
            room = self._rooms.create(pending.room_key, pending.entry.room_name)
            pending.room_id = room.id
        elif pending.room_id in self._rooms.rooms:
            room = self._rooms.rooms[pending.room_id]
        else:
            raise NotStored("The room was deleted.")
        if isinstance(pending, PendingMessageChange):
            message = check(pending, room.messages)
            if message is not None:
                room.append(pending.entry)
                apply(pending, message, room.messages)
            return
        if isinstance(pending, PendingRoomChange):
            subject_id = pending.subject_id or 0
            if pending.needs_invitation and not self.is_invited(room.id, subject_id, None):
                raise PrivateRoom()
            if fold := self._folds.get(pending.entry.kind):
                fold(room, pending)
            before, room.moderation = room.moderation, room.moderation.fold(pending.entry)
            if before.slow and not room.moderation.slow:
                room.spoken.clear()
        else:
            prepare_reply(pending.entry, room.messages)
            self._check_slow(room, pending)
        room.append(pending.entry)

    def _check_slow(self, room: RoomLog, pending: PendingEntry) -> None:
        """Check slow mode, and take note of a message. Raises SlowMode."""
        if pending.slow and pending.subject_id in self._accounts.accounts:
            check_slow(pending, room.spoken.get(pending.subject_id))
            room.spoken[pending.subject_id] = pending.entry.at

    def _check_limits(self, pending: PendingRoomChange) -> None:
        """Check whether the subject of a change may have another room. Raises NotAllowed."""
        account = self._accounts.accounts.get(pending.subject_id or 0)
        if account is not None:
            check_room_limits(
                pending,
                memberships=lambda limit: len(account.rooms) >= limit,
                created=lambda limit: self._rooms.created_by(account.id) >= limit,
                received=lambda limit: self._rooms.received_by(account.id) >= limit,
            )

    def _create_room(self, room: RoomLog, pending: PendingRoomChange) -> None:
        self._rooms.set_creator(room, pending.subject_id)
        self._change_room(room, pending)
        if pending.subject_id is not None:
            self._add_member(room, pending)

    def _change_room(self, room: RoomLog, pending: PendingRoomChange) -> None:
        entry = pending.entry
        assert isinstance(entry, RoomSettingsEntry)
        if pending.subject_id is not None:
            self._accounts.require_lasting(pending.subject_id)
        pending.before = room.shown()
        if entry.public and not room.public:
            room.public_since = room.last + 1
        room.public, room.topic, room.max = entry.public, entry.topic, entry.max
        self._rooms.set_owner(room, pending.subject_id)
        room.owner, room.preview = entry.owner, entry.preview
        room.keep = Keep(entry.keep_messages, entry.keep_days)

    def _add_member(self, room: RoomLog, pending: PendingRoomChange) -> None:
        account = self._accounts.require_lasting(pending.subject_id or 0)
        account.rooms.add(room.id)
        room.read.setdefault(account.id, room.last + 1)
        room.joined.setdefault(account.id, room.last + 1)
        self._delete_invitations(room.id, account.id)

    def _remove_member(self, room: RoomLog, pending: PendingRoomChange) -> None:
        account = self._accounts.accounts.get(pending.subject_id or 0)
        if account is not None:
            account.rooms.discard(room.id)
            room.read.pop(account.id, None)
            room.joined.pop(account.id, None)
            account.notify.pop(room.id, None)
            ended: defaultdict[int, list[Inviter]] = defaultdict(list)
            for invited_id, inviter in list(self._sent[account.id].get(room.id, ())):
                self._discard_invitation(invited_id, (room.id, inviter))
                ended[invited_id].append(Inviter(account.id, inviter))
            pending.ended = ended

    def delete_room(self, room_id: int, at: int) -> tuple[EndedInvitations, ShownRoom | None]:
        """Delete a room with its log, memberships and invitations.

        Returns:
            What `IStore.delete_room` returns, and what the room was; None if there is none.
        """
        room = self._rooms.rooms.get(room_id)
        if room is None:
            return {}, None
        ended: defaultdict[int, list[Inviter]] = defaultdict(list)
        for account_id in room.read:
            self._accounts.accounts[account_id].rooms.discard(room_id)
            self._accounts.accounts[account_id].notify.pop(room_id, None)
        for account_id, stored in list(self._invitations.items()):
            for (invited_to, inviter), invitation in stored.items():
                if invited_to == room_id:
                    ended[account_id].append(Inviter(invitation.inviter_id, inviter))
            self._delete_invitations(room_id, account_id)
        shown = room.shown()
        self._rooms.delete(room_id, at)
        return ended, shown

    def delete_received(self, account_id: int) -> None:
        """Delete the invitations that an account has."""
        for key in list(self._invitations.get(account_id, ())):
            self._discard_invitation(account_id, key)
        self._invitations.pop(account_id, None)

    def delete_sent(self, account_id: int) -> None:
        """Delete the invitations that an account has sent."""
        for room_id, sent in list(self._sent[account_id].items()):
            for invited_id, inviter in list(sent):
                self._discard_invitation(invited_id, (room_id, inviter))

    def end_guest(self, account_id: int) -> None:
        """Delete an account that ends and all that belongs to it."""
        if self._accounts.remove_guest(account_id):
            self.directs.end_guest(account_id)
            self.delete_received(account_id)
            self._rooms.txns.delete_account(account_id)

    def invite(
        self,
        room_id: int,
        account_id: int,
        inviter_id: int,
        event: Invited,
        delivered: bool,
        limits: InvitationLimits,
    ) -> bool:
        """Store an invitation; see `IStore.invite`."""
        if room_id not in self._rooms.rooms:
            raise NoSuchRoom()
        members = self._rooms.rooms[room_id].read
        self._accounts.require_account(account_id)
        check_members(inviter_id in members, account_id in members)
        self._accounts.require_unblocked(inviter_id, account_id)
        if self.is_invited(room_id, account_id, event.usr):
            return False
        stored = self._invitations[account_id]
        sent = [one for by_room in self._sent[inviter_id].values() for one in by_room]
        check_invitations(
            limits,
            pair=lambda limit: sum(one[0] == account_id for one in sent) >= limit,
            inviter=lambda limit: len(sent) >= limit,
            invited=lambda limit: len(stored) >= limit,
        )
        stored[room_id, event.usr] = StoredInvitation(inviter_id, event, delivered)
        self._sent[inviter_id].setdefault(room_id, set()).add((account_id, event.usr))
        return True

    def _discard_invitation(self, account_id: int, key: tuple[int, str]) -> None:
        """Delete an invitation of an account. key: room id, and name of the inviter."""
        invitation = self._invitations[account_id].pop(key)
        room_id, inviter = key
        self._sent[invitation.inviter_id][room_id].discard((account_id, inviter))

    def answer_invitation(self, room_id: int, account_id: int, inviter: str, later: bool) -> bool:
        """Delete an invitation or keep it; see `IStore.answer_invitation`."""
        stored = self._invitations.get(account_id, {})
        invitation = stored.get((room_id, inviter))
        if invitation is None:
            return False
        if not later:
            self._discard_invitation(account_id, (room_id, inviter))
            return True
        postponed, invitation.postponed = invitation.postponed, True
        invitation.delivered = False
        return not postponed

    def _delete_invitations(self, room_id: int, account_id: int) -> None:
        stored = self._invitations.get(account_id, {})
        for key in [key for key in stored if key[0] == room_id]:
            self._discard_invitation(account_id, key)

    def is_invited(self, room_id: int, account_id: int, inviter: str | None) -> bool:
        """Return whether an account is invited to a room; see `IStore.is_invited`."""
        stored = self._invitations.get(account_id, {})
        return any(room == room_id and inviter in (None, by) for room, by in stored)

    def pending_invitations(
        self, account_id: int, undelivered: bool = False
    ) -> tuple[Invited, ...]:
        """Return pending invitations; see `AccountState.invitations`.

        Args:
            account_id: the invited account.
            undelivered: whether to leave out those that were delivered.
        """
        stored = self._invitations.get(account_id, {})
        account = self._accounts.accounts.get(account_id)
        blocked = account.blocks if account is not None else ()
        in_order = sorted(stored.items(), key=lambda item: (item[1].event.at, item[0]))
        found = [
            attrs.evolve(invitation.event, msg="")
            for _, invitation in in_order
            if not (undelivered and invitation.delivered) and invitation.inviter_id not in blocked
        ]
        return tuple(found[-LISTED_INVITATIONS:])

    def take_undelivered(self, account_id: int) -> tuple[Invited, ...]:
        """Return invitations and mark them as delivered; see `IStore.invitations`."""
        found = self.pending_invitations(account_id, undelivered=True)
        for invitation in self._invitations.get(account_id, {}).values():
            invitation.delivered = True
        return found
