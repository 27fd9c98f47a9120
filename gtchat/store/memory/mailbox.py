"""What passes between people and rooms, as `MemoryStore` keeps it: entries, whispers, invitations.

Methods named like those of `IStore` do what it says, at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

import attrs

from gtchat.chat.errors import ChatError, NoSuchUser, NotAllowed, NotStored
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


@attrs.define
class Invitation:
    """An invitation, and whether the invitee was told."""

    told: bool
    at: int


class Mailbox:
    """Everything that people send each other."""

    def __init__(self, logs: RoomTable, accounts: AccountTable) -> None:
        self._logs = logs
        self._accounts = accounts
        self._whispers: defaultdict[int, dict[int, WhisperSent]] = defaultdict(dict)
        self._last_whisper = 0
        self._invitations: defaultdict[int, dict[tuple[int, str], Invitation]]
        self._invitations = defaultdict(dict)
        self._folds: dict[str, Callable[[RoomLog, PendingEntry], None]] = {
            RoomCreated.kind: self._create,
            RoomChanged.kind: self._change,
            Joined.kind: self._add_member,
            Left.kind: self._remove_member,
            Kicked.kind: self._remove_member,
            Removed.kind: self._remove_member,
        }

    def append(self, append: PendingEntry) -> None:
        """Any entry; what became of it is filled in."""
        content = (append.room_id, append.entry.kind, getattr(append.entry, "msg", ""))
        try:
            if append.txn is not None:
                subject = self._accounts.require_account(append.subject_id).id
                append.earlier = self._logs.txns.find(subject, append.txn, content)
            if append.earlier is None:
                self._store(append)
        except ChatError as error:
            append.error = error
            return
        if append.txn is not None and append.earlier is None:
            receipt = Ack(getattr(append.entry, "id", ""), append.entry.seq, append.entry.at)
            self._logs.txns.keep(subject, append.txn, content, receipt)

    def _store(self, append: PendingEntry) -> None:
        """Give an entry its number and its meaning."""
        if isinstance(append.entry, RoomCreated):
            if append.subject_id is not None:
                self._accounts.require_account(append.subject_id)
            append.room_id = self._logs.create(append.room_key, append.entry.room_name).id
        room = self._logs.rooms.get(append.room_id)
        if room is None:
            raise NotStored("The room is gone.")
        fold = self._folds.get(append.entry.kind)
        if fold is not None:
            fold(room, append)
        room.append(append.entry)

    def _create(self, room: RoomLog, append: PendingEntry) -> None:
        self._change(room, append)
        if append.subject_id is not None:
            self._add_member(room, append)

    def _change(self, room: RoomLog, append: PendingEntry) -> None:
        entry = append.entry
        assert isinstance(entry, RoomSettingsEntry)
        if append.subject_id is not None:
            self._accounts.require_account(append.subject_id)
        room.public, room.topic, room.max = entry.public, entry.topic, entry.max
        room.owner_id, room.owner = append.subject_id, entry.owner

    def _add_member(self, room: RoomLog, append: PendingEntry) -> None:
        person = self._accounts.require_account(append.subject_id)
        person.rooms.add(room.id)
        room.read.setdefault(person.id, len(room.log) + 1)
        self._uninvite(room.id, person.id)

    def _remove_member(self, room: RoomLog, append: PendingEntry) -> None:
        person = self._accounts.accounts.get(append.subject_id or 0)
        if person is not None:
            person.rooms.discard(room.id)
            room.read.pop(person.id, None)

    def delete_room(self, room_id: int, at: int) -> None:
        """Delete a room, its memberships and invitations."""
        room = self._logs.rooms.get(room_id)
        if room is None:
            return
        for account_id in room.read:
            self._accounts.accounts[account_id].rooms.discard(room_id)
        for account_id in list(self._invitations):
            self._uninvite(room_id, account_id)
        self._logs.delete(room_id, at)

    def end_guest(self, account_id: int) -> None:
        """Delete a temporary account and all that belongs to it."""
        if self._accounts.remove_guest(account_id):
            self._whispers.pop(account_id, None)
            self._invitations.pop(account_id, None)
            self._logs.txns.forget(account_id)
            for room in self._logs.rooms.values():
                if room.owner_id == account_id:
                    room.owner_id = None

    def whisper(
        self, sender_id: int, target_id: int, event: WhisperSent, txn: str | None, limit: int
    ) -> tuple[Ack, int]:
        """Keep a whisper."""
        content = (target_id, event.msg)
        if txn is not None:
            earlier = self._logs.txns.find(sender_id, txn, content)
            if earlier is not None:
                return earlier, 0
        if target_id not in self._accounts.accounts:
            raise NoSuchUser()
        waiting = self._whispers[target_id]
        if limit and len(waiting) >= limit:
            raise NotAllowed("Too many whispers wait for this person already.")
        self._last_whisper += 1
        waiting[self._last_whisper] = event
        receipt = Ack(id=event.id, seq=0, at=event.at)
        if txn is not None:
            self._logs.txns.keep(sender_id, txn, content, receipt)
        return receipt, self._last_whisper

    def whispers(self, account_id: int, after: int, limit: int) -> list[StoredWhisper]:
        """Whispers that wait for an account."""
        waiting = self._whispers.get(account_id, {})
        found = (StoredWhisper(*item) for item in waiting.items() if item[0] > after)
        return [whisper for whisper, _ in zip(found, range(limit), strict=False)]

    def delete_whispers(self, account_id: int, numbers: Collection[int]) -> None:
        """These whispers have arrived."""
        waiting = self._whispers.get(account_id, {})
        for number in numbers:
            waiting.pop(number, None)

    def invite(self, room_id: int, account_id: int, inviter: str, told: bool, at: int) -> None:
        """Keep an invitation."""
        if room_id not in self._logs.rooms or account_id not in self._accounts.accounts:
            raise NotStored()
        self._invitations[account_id][room_id, inviter] = Invitation(told, at)

    def end_invitations(self, room_id: int, account_id: int, inviter: str, later: bool) -> None:
        """Take an invitation back, or let it be told again."""
        kept = self._invitations.get(account_id, {})
        if not later:
            kept.pop((room_id, inviter), None)
        elif (room_id, inviter) in kept:
            kept[room_id, inviter].told = False

    def _uninvite(self, room_id: int, account_id: int) -> None:
        kept = self._invitations.get(account_id, {})
        for where in [where for where in kept if where[0] == room_id]:
            del kept[where]

    def invited(self, room_id: int, account_id: int, inviter: str | None) -> bool:
        """Whether somebody, or `inviter`, has invited the account into the room."""
        kept = self._invitations.get(account_id, {})
        return any(room == room_id and inviter in (None, by) for room, by in kept)

    def invitations(self, account_id: int, untold: bool) -> list[Invited]:
        """Invitations of an account, which count as told then."""
        kept = self._invitations.get(account_id, {})
        found = []
        for (room_id, inviter), one in sorted(kept.items(), key=lambda item: (item[1].at, item[0])):
            if not (untold and one.told):
                name = self._logs.rooms[room_id].name
                found.append(Invited(room_name=name, usr=inviter, msg="", at=one.at))
                one.told = True
        return found
