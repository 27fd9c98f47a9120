"""The state of a room as the entries of its log give it: settings and members.

`RoomState.fold` is the one place where an entry changes a room. A change is made when it is queued,
so that rules see every earlier request, and taken back in the rare case that it is not stored: so
`fold` returns how to take it back. What else belongs to a room is in `rooms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from functools import partial
from operator import indexOf

import attrs

from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    Removed,
    RoomChanged,
    RoomCreated,
    RoomSettingsEntry,
)
from gtchat.chat.moderation import UNMODERATED, Moderation
from gtchat.chat.names import SortedNames
from gtchat.chat.retention import KEEP_ALL, Keep

#: Takes back a change, exactly. Later changes have to be taken back before it.
Undo = Callable[[], None]


def _nothing() -> None:
    """Take back no change."""


@attrs.frozen
class CurrentSettings:
    """What the owner of a room can change; see `RoomState` and `Moderation`."""

    public: bool
    topic: str
    max: int
    owner_id: int | None
    owner: str
    preview: bool = False
    moderated: bool = False
    slow: int = 0
    keep: Keep = KEEP_ALL


@attrs.define(eq=False, kw_only=True)
class RoomState:
    """The settings and members of a room, with the changes that are queued.

    A member whose account the log does not name has an id of its own, minus the `seq` of the entry
    with which the membership began: it is a temporary account of before entries named accounts.

    Attributes:
        public: whether users who are not members can see and join it.
        topic: one line of text, "" for none.
        max: maximum number of members, 0 for no limit.
        owner_id: account id of the owner, None if the room has no owner.
        owner: name of the owner, "" if the room has no owner.
        preview: whether users who are not members can read the newest messages while it is public.
        creator_id: account id of the user who created it, None for the lobby.
        moderation: roles, mutes, bans, who may speak.
        keep: how much of the log is kept, as far as the owner limits it.
        members: account id -> name, in the order of joining.
        guests: account ids of the members whose account is temporary.
        member_names: names of the members in order.
        list_entry: what a protocol keeps here, the entry of the room in lists for users who are not
            members as it sends it; None after each change of what such an entry shows.
    """

    public: bool = True
    topic: str = ""
    max: int = 0
    owner_id: int | None = None
    owner: str = ""
    preview: bool = False
    creator_id: int | None = None
    moderation: Moderation = UNMODERATED
    keep: Keep = KEEP_ALL
    members: dict[int, str] = attrs.field(factory=dict)
    guests: set[int] = attrs.field(factory=set)
    member_names: SortedNames = attrs.field(factory=SortedNames)
    list_entry: Sized | None = None

    @property
    def settings(self) -> CurrentSettings:
        """The settings as they are now."""
        return CurrentSettings(
            *(self.public, self.topic, self.max, self.owner_id, self.owner, self.preview),
            *(self.moderation.moderated, self.moderation.slow, self.keep),
        )

    @property
    def registered_members(self) -> Iterator[int]:
        """The account ids of the registered members, in the order of joining."""
        if len(self.guests) == len(self.members):
            return iter(())
        return (member for member in self.members if member not in self.guests)

    def add_member(self, account_id: int, name: str, registered: bool) -> None:
        """Make an account the last member.

        Args:
            account_id: the account, which is not a member.
            name: its name as displayed.
            registered: False for a temporary account.
        """
        self.list_entry = None
        self.members[account_id] = name
        self.member_names.add(name)
        if not registered:
            self.guests.add(account_id)

    def _remove_member(self, account_id: int) -> None:
        """End the membership of an account."""
        self.list_entry = None
        self.member_names.discard(self.members.pop(account_id))
        self.guests.discard(account_id)

    def rename(self, account_id: int, name: str) -> None:
        """Take note that an account has another name, which the entries of the log do not have."""
        if account_id in self.members:
            self.member_names.discard(self.members[account_id])
            self.members[account_id] = name
            self.member_names.add(name)
        if self.owner_id == account_id:
            self.list_entry, self.owner = None, name
        self.moderation = self.moderation.renamed(account_id, name)

    def fold(self, entry: Entry) -> Undo:
        """Change the room as an entry says; a message changes nothing.

        Args:
            entry: the next entry of the log, stored or queued.

        Returns:
            Takes the change back.
        """
        before = self.moderation
        self.moderation = before.fold(entry)
        undo = self._fold_others(entry)
        if self.moderation is before:
            return undo

        def take_back() -> None:
            undo()
            self.moderation = before

        return take_back

    def _fold_others(self, entry: Entry) -> Undo:
        """Fold what is no moderation."""
        if isinstance(entry, RoomCreated):
            return self._create(entry)
        if isinstance(entry, RoomChanged):
            return self._change_settings(entry)
        if isinstance(entry, Joined):
            return self._begin_membership(entry)
        if isinstance(entry, Left | Kicked | Removed):
            return self._end_membership(entry)
        return _nothing

    def _create(self, entry: RoomCreated) -> Undo:
        """Fold the first entry: the creator is the first member."""
        creator_id, self.creator_id = self.creator_id, entry.subject_id
        end_membership = self._begin_membership(entry)
        restore_settings = self._change_settings(entry)

        def undo() -> None:
            restore_settings()
            end_membership()
            self.creator_id = creator_id

        return undo

    def _change_settings(self, entry: RoomSettingsEntry) -> Undo:
        owner_id, before = entry.subject_id, self.settings
        if owner_id is None and entry.owner:
            owner_id = self._unknown_member(entry.owner)
        self._set(
            CurrentSettings(
                *(entry.public, entry.topic, entry.max, owner_id, entry.owner, entry.preview),
                keep=Keep(entry.keep_messages, entry.keep_days),
            )
        )
        return partial(self._set, before)

    def _set(self, settings: CurrentSettings) -> None:
        self.list_entry = None
        self.public, self.topic, self.max = settings.public, settings.topic, settings.max
        self.owner_id, self.owner = settings.owner_id, settings.owner
        self.preview, self.keep = settings.preview, settings.keep

    def _begin_membership(self, entry: Joined | RoomCreated) -> Undo:
        """Make the subject a member; nothing changes for one who is a member already."""
        account_id = entry.subject_id
        if account_id is None:
            account_id = self._unknown_member(entry.usr) or -entry.seq
        if account_id in self.members:
            return _nothing
        is_guest = entry.guest or entry.subject_id is None
        self.add_member(account_id, entry.usr, not is_guest)
        return partial(self._remove_member, account_id)

    def _end_membership(self, entry: Left | Kicked | Removed) -> Undo:
        """End the membership of the subject, else of the unknown account with the name, if any."""
        account_id = entry.subject_id
        if account_id not in self.members:
            account_id = self._unknown_member(entry.usr)
        if account_id is None:
            return _nothing
        # Members are counted here, in C: telling them of the entry takes longer.
        at, name = indexOf(self.members, account_id), self.members[account_id]
        registered = account_id not in self.guests
        self._remove_member(account_id)
        return partial(self._insert_member, at, account_id, name, registered)

    def _insert_member(self, at: int, account_id: int, name: str, registered: bool) -> None:
        """Make an account a member again, in its place among the others, counted from 0."""
        later = list(self.members.items())[at:]
        self.add_member(account_id, name, registered)
        for member, _ in later:
            del self.members[member]
        self.members.update(later)

    def _unknown_member(self, name: str) -> int | None:
        """Return the id of the member with a name whose account is not known, None for none."""
        found = (member for member, known in self.members.items() if member < 0 and known == name)
        return next(found, None)
