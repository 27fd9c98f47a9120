"""Which jobs of a batch are refused, since their rules saw another state. Both stores use it.

Rules that have seen too little are no reason to refuse what they allow: else a node that stores
changes of a room all the time would keep the other ones from any. Most rules depend on little, and
that is looked up here, in what is stored, under the locks of the batch (`ALLOWED`). What fails
there, and what depends on more, is `Stale`: its rules run again on what is delivered by then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Protocol

import attrs

from gtchat.chat.errors import ChatError, NotInRoom, Stale
from gtchat.chat.events import (
    Edited,
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Reacted,
    Removed,
    RoomChanged,
    RoomSettingsEntry,
)
from gtchat.chat.interfaces import PendingEntry, PendingMessageChange, PendingRoomChange
from gtchat.chat.moderation import (
    ROLES,
    UNMODERATED,
    Moderation,
    Rank,
    find_ban,
    find_refusal,
    rank_of,
    slow_seconds,
)
from gtchat.chat.moderation_events import (
    MODERATION_ENTRIES,
    Muted,
    RoleChanged,
    Unmuted,
    UserBanned,
    UserUnbanned,
)
from gtchat.store.following import Known
from gtchat.store.jobs import Job, StoreCall


@attrs.frozen
class RoomAccess:
    """Settings of a room that say who may change what; see `RoomState`."""

    public: bool
    max: int
    owner_id: int | None
    moderation: Moderation = UNMODERATED


class StoredRooms(Protocol):
    """What is stored, of rooms that no other node changes meanwhile."""

    def was_used(self, account_id: int, txn: str) -> bool:
        """Return whether an account has used a txn."""

    def find_access(self, room_id: int) -> RoomAccess | None:
        """Return the settings of a room, None if there is no such room."""

    def is_member(self, room_id: int, account_id: int | None) -> bool:
        """Return whether an account is a member of a room; all are of the lobby."""

    def has_members(self, room_id: int, count: int) -> bool:
        """Return whether a room has so many members, or more; `count` is 1 at least."""


@attrs.define(eq=False)
class StaleCheck:
    """Checks the jobs of one batch, in order.

    Args:
        known: what this node knows of other nodes, all that the batch has read included.
        stored: what is stored before the batch.
    """

    _known: Known
    _stored: StoredRooms
    #: Rooms of which the batch has changes that are refused: those behind have seen them.
    _refused: set[int] = attrs.field(init=False, factory=set)
    #: Rooms of which the batch changes the settings, or would have.
    _set: set[int] = attrs.field(init=False, factory=set)
    #: (room id, account id) of memberships that the batch changes -> whether there is one then.
    _members: dict[tuple[int, int | None], bool] = attrs.field(init=False, factory=dict)
    #: Room id -> how many members the batch adds at most. Those that it removes are not counted:
    #: that may still fail.
    _added: Counter[int] = attrs.field(init=False, factory=Counter)
    #: Room id -> the changes that the batch makes of it.
    _changes: defaultdict[int, list[Entry]] = attrs.field(
        init=False, factory=lambda: defaultdict(list)
    )

    def refuses(self, job: Job) -> bool:
        """Give a job its error if its rules saw another state, and what they allow is not allowed.

        A job whose txn was used before is done for its earlier ack.
        """
        if isinstance(job, StoreCall):
            room_id, checked = job.plan.checked or (0, None)
            txn = job.plan.txn
        else:
            room_id, checked = job.room_id, job.checked
            txn = None if job.txn is None else (job.sender_id or 0, job.txn)
        is_behind = checked is not None and room_id in self._refused
        if is_behind or self._known.is_stale(room_id, checked):
            if txn is not None and self._stored.was_used(*txn):
                return False
            job.error = self._find_error(job)
        if isinstance(job, PendingRoomChange):
            self._note(job)
        return job.error is not None

    def _note(self, change: PendingRoomChange) -> None:
        """Take note of a change of a room, which is refused or will be made."""
        entry, room_id = change.entry, change.room_id
        if change.error is None:
            self._changes[room_id].append(entry)
        if isinstance(entry, RoomSettingsEntry):
            self._set.add(room_id)
        elif change.error is None and not isinstance(entry, MODERATION_ENTRIES):
            self._members[room_id, change.subject_id] = isinstance(entry, Joined)
            self._added[room_id] += isinstance(entry, Joined)
        if change.error is not None:
            self._refused.add(room_id)

    def _find_error(self, job: Job) -> ChatError | None:
        """Return why a job is refused whose rules have seen another state, None if it is not."""
        if isinstance(job, StoreCall):
            return Stale()
        if isinstance(job.entry, MessageSent):
            return self._find_refusal(job)
        room = None if job.room_id in self._set else self.find_access(job.room_id)
        if room is None or (job.room_id, job.subject_id) in self._members:
            return Stale()
        is_allowed = ALLOWED.get(type(job.entry), _may_change_message)
        return None if is_allowed(self, job, room) else Stale()

    def _find_refusal(self, job: PendingEntry) -> ChatError | None:
        """Return why a message is refused, None if it is not: then its slow mode is that of now."""
        entry, account_id = job.entry, job.subject_id
        room = self.find_access(job.room_id)
        if room is None or account_id is None or not self.is_member(job.room_id, account_id):
            return NotInRoom()
        job.slow = slow_seconds(room, account_id, entry.usr)
        return find_refusal(room, account_id, entry.usr, entry.at)

    # What rules ask for.

    def find_access(self, room_id: int) -> RoomAccess | None:
        """Return the settings of a room, with the moderation behind what is checked of the batch.

        Returns None if there is no such room.
        """
        room = self._stored.find_access(room_id)
        if room is None:
            return None
        moderation = room.moderation
        for entry in self._changes.get(room_id, ()):
            moderation = moderation.fold(entry)
        return attrs.evolve(room, moderation=moderation)

    def has_seen_settings(self, change: PendingEntry) -> bool:
        """Return whether the settings are those that the rules of a change have seen."""
        return self._known.has_seen_settings(change.room_id, change.checked)

    def is_member(self, room_id: int, account_id: int | None) -> bool:
        """Return whether an account is a member behind the part of the batch that is checked."""
        changed = self._members.get((room_id, account_id))
        return self._stored.is_member(room_id, account_id) if changed is None else changed

    def is_full(self, room_id: int, room: RoomAccess) -> bool:
        """Return whether a room may have no place for another member."""
        places = room.max - self._added[room_id]
        return bool(room.max) and (places <= 0 or self._stored.has_members(room_id, places))


#: Returns whether what the rules of a change have allowed is allowed in what is stored.
Rule = Callable[[StaleCheck, PendingEntry, RoomAccess], bool]


def _is_owner(change: PendingEntry, room: RoomAccess) -> bool:
    """Return whether the owner of the room asks for a change, and not the chat itself."""
    return change.sender_id is not None and change.sender_id == room.owner_id


def _may_change_message(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `Changes`; the owner who is no member is left to it. The message is looked at later."""
    assert isinstance(change, PendingMessageChange)
    account_id, entry = change.sender_id, change.entry
    if change.is_moderator and rank_of(room, account_id, entry.usr) < Rank.MODERATOR:
        return False
    if isinstance(entry, Edited | Reacted):
        reacts = isinstance(entry, Reacted)
        if find_refusal(room, account_id, entry.usr, entry.at, reacts) is not None:
            return False
    return check.is_member(change.room_id, account_id)


def _may_join(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `Membership.enter`, `join` and `add`. Whether a user is invited is looked up later."""
    assert isinstance(change, PendingRoomChange)
    room_id, sender_id = change.room_id, change.sender_id
    if check.is_member(room_id, change.subject_id) or check.is_full(room_id, room):
        return False
    entry, account_id = change.entry, change.subject_id
    if account_id is None or find_ban(room, account_id, entry.usr, entry.at) is not None:
        return False
    if sender_id != change.subject_id:
        return check.is_member(room_id, sender_id)
    return change.needs_invitation or room.public or _is_owner(change, room)


def _may_leave(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `Membership.leave`."""
    return check.is_member(change.room_id, change.subject_id)


def _may_moderate(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `Authority`. How many there are of a kind is left to what the rules have seen."""
    entry = change.entry
    assert isinstance(entry, Kicked | RoleChanged | Muted | Unmuted | UserBanned | UserUnbanned)
    rank = rank_of(room, change.sender_id, entry.by)
    if isinstance(entry, RoleChanged) and ROLES.get(entry.role, Rank.MEMBER) >= rank:
        return False
    return rank >= Rank.MODERATOR and rank > rank_of(room, change.subject_id, entry.usr)


def _may_act_on_member(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `RoomBans.kick`, `Moderators.set_role`, `mute`."""
    return _may_moderate(check, change, room) and check.is_member(change.room_id, change.subject_id)


def _may_ban(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `RoomBans.ban`: members get another entry, and so do those whose names are banned."""
    is_member = change.subject_id is not None and check.is_member(change.room_id, change.subject_id)
    return not is_member and _may_moderate(check, change, room)


def _may_remove(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `Membership.remove`."""
    return (
        (change.sender_id == change.subject_id or _is_owner(change, room))
        and check.is_member(change.room_id, change.sender_id)
        and check.is_member(change.room_id, change.subject_id)
    )


def _may_set(check: StaleCheck, change: PendingEntry, room: RoomAccess) -> bool:
    """See `Membership.change`: what is not changed is as it was."""
    if not (_is_owner(change, room) and check.has_seen_settings(change)):
        return False
    is_kept = change.subject_id == room.owner_id
    return is_kept or check.is_member(change.room_id, change.subject_id)


ALLOWED: dict[type, Rule] = {
    Joined: _may_join,
    Left: _may_leave,
    Kicked: _may_act_on_member,
    Removed: _may_remove,
    RoomChanged: _may_set,
    RoleChanged: _may_act_on_member,
    Muted: _may_act_on_member,
    Unmuted: _may_moderate,
    UserBanned: _may_ban,
    UserUnbanned: _may_moderate,
}
