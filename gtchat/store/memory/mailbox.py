"""Entries with the changes that they mean, whispers and invitations, as `MemoryStore` keeps them.

Methods with the name of a method of `IStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

import attrs

from gtchat.chat.errors import ChatError, NoSuchRoom, NoSuchUser, NotAllowed, NotStored
from gtchat.chat.events import (
    Invited,
    Joined,
    Kicked,
    Left,
    Removed,
    RoomChanged,
    RoomCreated,
    RoomSettingsEntry,
    WhisperSent,
)
from gtchat.chat.interfaces import Ack, PendingEntry, StoredWhisper
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.rooms import RoomLog, RoomTable
from gtchat.store.paging import event_bytes, window


@attrs.define
class Invitation:
    """An invitation.

    Attributes:
        delivered: whether the invited user got it.
        at: when it was sent, in milliseconds since 1970, UTC.
    """

    delivered: bool
    at: int


class Mailbox:
    """What users send to rooms and to each other.

    Args:
        rooms: the rooms.
        accounts: the accounts.
    """

    def __init__(self, rooms: RoomTable, accounts: AccountTable) -> None:
        self._rooms = rooms
        self._accounts = accounts
        self._whispers: defaultdict[int, dict[int, WhisperSent]] = defaultdict(dict)
        self._last_whisper = 0
        self._invitations: defaultdict[int, dict[tuple[int, str], Invitation]]
        self._invitations = defaultdict(dict)
        self._folds: dict[str, Callable[[RoomLog, PendingEntry], None]] = {
            RoomCreated.kind: self._create_room,
            RoomChanged.kind: self._change_room,
            Joined.kind: self._add_member,
            Left.kind: self._remove_member,
            Kicked.kind: self._remove_member,
            Removed.kind: self._remove_member,
        }

    def append(self, pending: PendingEntry) -> None:
        """Store an entry of any kind, and fill in the result."""
        content = (pending.room_id, pending.entry.kind, getattr(pending.entry, "msg", ""))
        try:
            if pending.txn is not None:
                account_id = pending.subject_id or 0
                pending.earlier = self._rooms.txns.find_ack(account_id, pending.txn, content)
            if pending.earlier is None:
                self._store(pending)
        except ChatError as error:
            pending.error = error
            return
        if pending.txn is not None and pending.earlier is None:
            ack = Ack(getattr(pending.entry, "id", ""), pending.entry.seq, pending.entry.at)
            self._rooms.txns.save_ack(account_id, pending.txn, content, ack)

    def _store(self, pending: PendingEntry) -> None:
        """Append an entry to its log, and make the changes that it means."""
        if isinstance(pending.entry, RoomCreated):
            if pending.subject_id is not None:
                self._accounts.require_account(pending.subject_id)
            room = self._rooms.create(pending.room_key, pending.entry.room_name)
            pending.room_id = room.id
        elif pending.room_id in self._rooms.rooms:
            room = self._rooms.rooms[pending.room_id]
        else:
            raise NotStored("The room was deleted.")
        fold = self._folds.get(pending.entry.kind)
        if fold is not None:
            fold(room, pending)
        room.append(pending.entry)

    def _create_room(self, room: RoomLog, pending: PendingEntry) -> None:
        self._change_room(room, pending)
        if pending.subject_id is not None:
            self._add_member(room, pending)

    def _change_room(self, room: RoomLog, pending: PendingEntry) -> None:
        entry = pending.entry
        assert isinstance(entry, RoomSettingsEntry)
        if pending.subject_id is not None:
            self._accounts.require_account(pending.subject_id)
        room.public, room.topic, room.max = entry.public, entry.topic, entry.max
        room.owner_id, room.owner = pending.subject_id, entry.owner

    def _add_member(self, room: RoomLog, pending: PendingEntry) -> None:
        account = self._accounts.require_account(pending.subject_id)
        account.rooms.add(room.id)
        room.read.setdefault(account.id, len(room.log) + 1)
        self._delete_invitations(room.id, account.id)

    def _remove_member(self, room: RoomLog, pending: PendingEntry) -> None:
        account = self._accounts.accounts.get(pending.subject_id or 0)
        if account is not None:
            account.rooms.discard(room.id)
            room.read.pop(account.id, None)

    def delete_room(self, room_id: int, at: int) -> None:
        """Delete a room with its log, memberships and invitations; see `IStore.delete_room`."""
        room = self._rooms.rooms.get(room_id)
        if room is None:
            return
        for account_id in room.read:
            self._accounts.accounts[account_id].rooms.discard(room_id)
        for account_id in list(self._invitations):
            self._delete_invitations(room_id, account_id)
        self._rooms.delete(room_id, at)

    def end_guest(self, account_id: int) -> None:
        """Delete a temporary account and all that belongs to it."""
        if self._accounts.remove_guest(account_id):
            self._whispers.pop(account_id, None)
            self._invitations.pop(account_id, None)
            self._rooms.txns.delete_account(account_id)
            for room in self._rooms.rooms.values():
                if room.owner_id == account_id:
                    room.owner_id = None

    def whisper(
        self, sender_id: int, target_id: int, event: WhisperSent, txn: str | None, limit: int
    ) -> tuple[Ack, int]:
        """Store a whisper; see `IStore.whisper`."""
        content = (target_id, event.msg)
        if txn is not None:
            earlier = self._rooms.txns.find_ack(sender_id, txn, content)
            if earlier is not None:
                return earlier, 0
        if target_id not in self._accounts.accounts:
            raise NoSuchUser()
        waiting = self._whispers[target_id]
        if limit and len(waiting) >= limit:
            raise NotAllowed("This user has too many direct messages waiting.")
        self._last_whisper += 1
        waiting[self._last_whisper] = event
        ack = Ack(id=event.id, seq=0, at=event.at)
        if txn is not None:
            self._rooms.txns.save_ack(sender_id, txn, content, ack)
        return ack, self._last_whisper

    def whispers(self, account_id: int, after: int, limit: int) -> list[StoredWhisper]:
        """Return whispers that wait for an account; see `IStore.whispers`."""
        waiting = self._whispers.get(account_id, {})
        found = (StoredWhisper(*item) for item in waiting.items() if item[0] > after)
        return window(iter(()), found, limit, lambda found: event_bytes(found.event))[0]

    def delete_whispers(self, account_id: int, numbers: Collection[int]) -> None:
        """Delete whispers that have arrived; see `IStore.delete_whispers`."""
        waiting = self._whispers.get(account_id, {})
        for number in numbers:
            waiting.pop(number, None)

    def invite(self, room_id: int, account_id: int, inviter: str, delivered: bool, at: int) -> None:
        """Store an invitation; see `IStore.invite`."""
        if room_id not in self._rooms.rooms:
            raise NoSuchRoom()
        self._accounts.require_account(account_id)
        self._invitations[account_id][room_id, inviter] = Invitation(delivered, at)

    def end_invitations(self, room_id: int, account_id: int, inviter: str, later: bool) -> None:
        """Delete an invitation or have it delivered again; see `IStore.end_invitations`."""
        stored = self._invitations.get(account_id, {})
        if not later:
            stored.pop((room_id, inviter), None)
        elif (room_id, inviter) in stored:
            stored[room_id, inviter].delivered = False

    def _delete_invitations(self, room_id: int, account_id: int) -> None:
        stored = self._invitations.get(account_id, {})
        for key in [key for key in stored if key[0] == room_id]:
            del stored[key]

    def is_invited(self, room_id: int, account_id: int, inviter: str | None) -> bool:
        """Return whether an account is invited to a room; see `IStore.is_invited`."""
        stored = self._invitations.get(account_id, {})
        return any(room == room_id and inviter in (None, by) for room, by in stored)

    def invitations(self, account_id: int, undelivered: bool) -> list[Invited]:
        """Return invitations and mark them as delivered; see `IStore.invitations`."""
        stored = self._invitations.get(account_id, {})
        found = []
        in_order = sorted(stored.items(), key=lambda item: (item[1].at, item[0]))
        for (room_id, inviter), invitation in in_order:
            if not (undelivered and invitation.delivered):
                name = self._rooms.rooms[room_id].name
                found.append(Invited(room_name=name, usr=inviter, msg="", at=invitation.at))
                invitation.delivered = True
        return found
