"""Rooms: name, settings, members and subscribers of each, and the registry of those in memory.

Settings and members of a room (`fold`) include the changes that are queued for its log, so that the
rules see every earlier request. `last_seq`, the subscribers and `User.rooms` follow what is stored.

Sessions and users appear here only as the protocols `Subscriber` and `Member`; their classes are
in `users`, which imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Protocol, TypeVar

import attrs

from gtchat.chat.errors import BadName, NoSuchRoom, NotInRoom, NotStored, Stale
from gtchat.chat.events import Entry, Joined, Kicked, Left, Removed
from gtchat.chat.fold import RoomState, Undo
from gtchat.chat.interfaces import IConnection, ListedRoom, RoomRecord
from gtchat.chat.names import room_key
from gtchat.chat.public_rooms import PublicRooms
from gtchat.chat.subscribers import Subscribers

LOBBY = "lobby"

T = TypeVar("T")


class Member(Protocol):
    """What rooms use of a user: the account id, and the user's rooms without the lobby."""

    id: int
    rooms: dict[Room, int]


class QueuedChange(Protocol):
    """What rooms use of a change that is queued: its entry, and how to take it back."""

    entry: Entry
    undo: Undo | None


@attrs.define(eq=False, kw_only=True)
class Room(RoomState):
    """A room: its state, and what does not follow from its entries.

    Attributes:
        id: number of the room, 0 until it is stored.
        name: the name as displayed.
        key: the name as compared.
        last_seq: number of entries in the log.
        message_count: number of messages in the log.
        subscribers: the sessions that receive its events.
        deleted: whether its deletion has begun.
        queued: the changes that are in its state and not stored yet, oldest first.
        foreign: how often its state has become another than rules here could foresee; see
            `Followed`.
        loads: of the last record of it that has come; see `RoomRecord`.
        released: whether it has left memory, and may be there again as another object.
    """

    id: int
    name: str
    key: str
    last_seq: int = 0
    message_count: int = 0
    subscribers: Subscribers = attrs.field(factory=Subscribers)
    deleted: bool = False
    queued: list[QueuedChange] = attrs.field(factory=list)
    foreign: int = 0
    loads: int = 0
    released: bool = False

    @classmethod
    def from_record(cls, record: RoomRecord) -> Room:
        """Return the room that a record of the store describes."""
        room = cls(
            id=record.id,
            name=record.name,
            key=record.key,
            public=record.public,
            topic=record.topic,
            max=record.max,
            owner_id=record.owner_id,
            owner=record.owner,
            preview=record.preview,
            creator_id=record.creator_id,
            moderation=record.moderation,
            keep=record.keep,
            last_seq=record.last_seq,
            message_count=record.message_count,
            foreign=record.foreign,
            loads=record.loads,
        )
        for account_id, name, registered in record.members:
            room.add_member(account_id, name, registered)
        return room

    @property
    def is_lobby(self) -> bool:
        """Whether this is the room that every logged-in user is in."""
        return self.key == LOBBY

    def has_member(self, user: Member) -> bool:
        """Return whether a logged-in user is a member, or this is the lobby."""
        return user.id in self.members or self.key == LOBBY

    def has_stored_member(self, account_id: int) -> bool:
        """Return whether an account is a member by what is stored, or this is the lobby.

        The changes that are queued are left out: the first one of the membership of the account
        tells what it was before.
        """
        for change in self.queued:
            if change.entry.subject_id == account_id:
                if isinstance(change.entry, Joined):
                    return False
                if isinstance(change.entry, Left | Kicked | Removed):
                    return True
        return account_id in self.members or self.key == LOBBY

    def is_awaited_by(self, user: Member) -> bool:
        """Return whether a user who is a member has yet to be sent the entries since it joined.

        It has joined at another node while the room was not in memory here; see `ForeignJoins`.
        """
        return self not in user.rooms and self.key != LOBBY and self.has_stored_member(user.id)

    def visible_to(self, user: Member) -> bool:
        """Return whether lists show the room to a user: a public room, or one of the user's."""
        return self.public or user.id in self.members or user.id == self.owner_id

    def advance(self, seq: int, messages: int = 0) -> None:
        """Take note of stored entries.

        Args:
            seq: number of the last entry of the log now.
            messages: how many of the new entries are messages.
        """
        self.list_entry = None
        self.last_seq = seq
        self.message_count += messages

    def publish(self, entry: Entry, exclude: Collection[IConnection] = ()) -> None:
        """Send an entry to all sessions in the room but those of some connections."""
        self.subscribers.publish([entry], exclude)


class RoomRegistry:
    """The rooms in memory, by name and by id; `RoomLoader` says which ones those are.

    Attributes:
        public: the list of public rooms.
        reserved: keys of the rooms that are being created.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, Room] = {}
        self._by_name: dict[str, Room] = {}
        self._by_id: dict[int, Room] = {}
        #: Account id -> the rooms that it owns; a dict takes less memory than a set.
        self._owned: dict[int | None, dict[Room, None]] = {}
        #: Account id -> its name, of those that operators have renamed.
        self._renamed: dict[int | None, str] = {}
        self.public = PublicRooms()
        self.reserved: set[str] = set()

    def __iter__(self) -> Iterator[Room]:
        return iter(self._by_key.values())

    def has_key(self, key: str) -> bool:
        """Return whether the room with a key is in memory."""
        return key in self._by_key

    @property
    def lobby(self) -> Room:
        """The room that every logged-in user is in.

        Raises:
            NotStored: this node is lost, and forgets its rooms until it loads the chat anew. What
                was under way then comes here too late.
        """
        try:
            return self._by_key[LOBBY]
        except KeyError:
            raise NotStored() from None

    def add(self, room: Room) -> None:
        """Add a room that is new."""
        self.bring_in(room)
        self.public.total += room.public and not room.is_lobby

    def bring_in(self, room: Room) -> None:
        """Add a room that was stored before, and is not in memory."""
        self._by_key[room.key] = self._by_name[room.name] = room
        self._by_id[room.id] = room
        self._owned.setdefault(room.owner_id, {})[room] = None
        self.public.brought_in(room.key, room.public and not room.is_lobby)

    def release(self, room: Room) -> None:
        """Remove a room that is not in use, and of which nothing is queued."""
        room.released = True
        self._remove(room)

    def discard(self, room: Room, is_foreign: bool = False) -> None:
        """Remove a room that is deleted. What is queued for it will not be stored.

        Args:
            room: the room.
            is_foreign: whether another node has deleted it, which tells if it was public then.
        """
        self._take_back_all(room)
        self._remove(room)
        self.public.hide(room.key)
        if not is_foreign:
            self.public.total -= room.public

    def _remove(self, room: Room) -> None:
        del self._by_key[room.key], self._by_name[room.name]
        del self._by_id[room.id]
        self._disown(room, room.owner_id)

    def clear(self) -> None:
        """Forget all rooms. What is queued for them will not be stored."""
        self._by_key, self._by_name, self._by_id, self._owned = {}, {}, {}, {}
        self._renamed = {}
        self.public.clear()

    def _disown(self, room: Room, owner_id: int | None) -> None:
        """Remove a room from those of an owner."""
        owned = self._owned[owner_id]
        del owned[room]
        if not owned:
            del self._owned[owner_id]

    def owned_by(self, account_id: int) -> Collection[Room]:
        """Return the rooms that an account owns."""
        return self._owned.get(account_id, ())

    def fold(self, room: Room, entry: Entry) -> Undo:
        """Change a room as an entry says, and what the registry has of it.

        Args:
            room: the room; one that is being created, or was deleted, is not in the registry.
            entry: as in `RoomState.fold`.

        Returns:
            Takes the change back.
        """
        undo = self._follow(room, partial(room.fold, entry))
        return partial(self._follow, room, undo)

    def _follow(self, room: Room, change: Callable[[], T], is_foreign: bool = False) -> T:
        """Make a change of a room, list it as it is then, and return what the change returned.

        Args:
            room: the room.
            change: makes the change.
            is_foreign: whether it is one of another node, which tells if the room is public since.
        """
        public, owner_id = room.public, room.owner_id
        result = change()
        if self._by_id.get(room.id) is room:
            if public != room.public:
                self.public.show(room.key) if room.public else self.public.hide(room.key)
                if not is_foreign:
                    self.public.total += room.public - public
            if owner_id != room.owner_id:
                self._disown(room, owner_id)
                self._owned.setdefault(room.owner_id, {})[room] = None
        return result

    def queue(self, room: Room, change: QueuedChange) -> None:
        """Make a change that is queued for the log of a room."""
        change.undo = self.fold(room, change.entry)
        room.queued.append(change)

    def stored(self, room: Room, change: QueuedChange) -> None:
        """Keep a change for good: the oldest of those that are queued."""
        room.queued.remove(change)
        change.undo = None

    def take_back(self, room: Room, failed: Collection[QueuedChange]) -> None:
        """Take back changes of a room that were not stored, from among those that are queued."""
        for change in self._take_back_all(room):
            if change not in failed:
                self.queue(room, change)

    def fold_stored(self, room: Room, entry: Entry) -> None:
        """Fold an entry that another node has stored: it comes before what is queued here."""
        queued = self._take_back_all(room)
        self._follow(room, partial(room.fold, entry), is_foreign=True)
        for account_id in (entry.subject_id, room.owner_id):
            if account_id is not None and account_id in self._renamed:
                room.rename(account_id, self._renamed[account_id])
        for change in queued:
            self.queue(room, change)

    def rename(self, account_id: int, name: str, is_deleted: bool = False) -> None:
        """Show the new name of an account, or what stands for that of a deleted one, in all rooms.

        Entries of other nodes from before that may come later, with the former name; but none of an
        account that is deleted.
        """
        self._renamed[account_id] = name
        if is_deleted:
            del self._renamed[account_id]
        for room in self:
            room.rename(account_id, name)

    def _take_back_all(self, room: Room) -> list[QueuedChange]:
        """Take back all changes of a room that are queued; return them, oldest first."""
        queued, room.queued = room.queued, []
        for change in reversed(queued):
            assert change.undo is not None
            change.undo()
            change.undo = None
        return queued

    def get(self, room_id: int) -> Room | None:
        """Return the room with an id, None if there is none."""
        return self._by_id.get(room_id)

    def require_stored(self, room: Room) -> None:
        """Check that a room, once it is stored, is one of these: entries may be queued for it.

        Raises:
            Stale: it has left memory.
            NotStored: it was deleted, or all rooms were loaded anew.
        """
        if room.id and self._by_id.get(room.id) is not room:
            raise Stale() if room.released else NotStored()

    def listed(self, keys: Iterable[str]) -> list[Room | ListedRoom]:
        """Return what there is of rooms that are in memory, or in the list of public rooms."""
        return [self._by_key.get(key) or self.public.listed(key) for key in keys]

    def find(self, raw: str) -> Room:
        """Return the room with a name as a user typed it.

        Raises:
            NoSuchRoom: there is none in memory.
        """
        room = self.find_displayed(raw)
        if room is None:
            try:
                room = self._by_key.get(room_key(raw))
            except BadName:
                room = None
        if room is None or room.deleted:
            raise NoSuchRoom()
        return room

    def find_displayed(self, name: str) -> Room | None:
        """Return the room with a name as it is displayed, in any case; None if none is in memory.

        This costs a hundredth of `find`, for requests with thousands of names.
        """
        return self._by_name.get(name) or self._by_key.get(name.lower())

    def require_member(self, raw: str, user: Member) -> Room:
        """Return the room with a name, for one of its members.

        Args:
            raw: the name as the user typed it.
            user: a logged-in user.

        Raises:
            NoSuchRoom: there is no such room in memory: the user is in none with this name.
            NotInRoom: the user is not a member of it, or not yet here.
        """
        room = self._by_key.get(raw)
        if room is None or room.deleted:
            room = self.find(raw)
        if user.id not in room.members and room.key != LOBBY:
            raise NotInRoom()
        if room not in user.rooms and room.is_awaited_by(user):
            raise NotInRoom()
        return room
