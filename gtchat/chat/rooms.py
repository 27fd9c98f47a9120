"""Rooms: name, settings, members and subscribers of each, and the registry that finds them.

Settings and members of a room in memory include the changes that are queued for its log, so that
the rules see every earlier request. `last_seq` and the subscribers follow what is stored.

Sessions and users appear here only as the protocols `Subscriber` and `Member`; their classes are
in `users`, which imports this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

import attrs

from gtchat.chat.errors import BadName, NoSuchRoom, NotInRoom
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder, RoomRecord
from gtchat.chat.names import SortedNames, room_key

LOBBY = "lobby"


class Subscriber(Protocol):
    """What subscriptions use of a session."""

    encoder: IEncoder
    connection: IConnection


class Member(Protocol):
    """What rooms use of a user: the account id, and the user's rooms without the lobby."""

    id: int
    rooms: dict[Room, int]


@attrs.define(eq=False)
class Subscribers:
    """The sessions that receive the events of a room or of the server, grouped by protocol."""

    #: Dicts without values: sets take up to twice the memory.
    _by_encoder: dict[IEncoder, dict[IConnection, None]] = attrs.field(factory=dict)

    def __contains__(self, session: Subscriber) -> bool:
        return session.connection in self._by_encoder.get(session.encoder, ())

    def __iter__(self) -> Iterator[tuple[IEncoder, Collection[IConnection]]]:
        return iter(self._by_encoder.items())

    def add(self, session: Subscriber) -> None:
        """Subscribe a session."""
        self._by_encoder.setdefault(session.encoder, {})[session.connection] = None

    def discard(self, session: Subscriber) -> None:
        """Unsubscribe a session if it is subscribed."""
        connections = self._by_encoder.get(session.encoder)
        if connections is not None:
            connections.pop(session.connection, None)
            if not connections:
                del self._by_encoder[session.encoder]

    def publish(
        self, events: Sequence[Event], exclude: Collection[IConnection] = ()
    ) -> dict[IEncoder, IEncodedBatch]:
        """Send events to all subscribers, encoded once for each protocol.

        Args:
            events: the events, in order.
            exclude: connections that receive none of them from here.

        Returns:
            The encoded batch of each encoder, for excluded connections that get a part of it.
        """
        batches: dict[IEncoder, IEncodedBatch] = {}
        for encoder, connections in self._by_encoder.items():
            batch = batches[encoder] = encoder.encode(events)
            excluded: dict[IConnection, None] = {}
            for connection in exclude:
                if connection in connections:
                    del connections[connection]
                    excluded[connection] = None
            try:
                if connections:
                    batch.send(connections)
            finally:
                connections.update(excluded)
        return batches


@attrs.frozen
class CurrentSettings:
    """What the owner of a room can change; the attributes are those of `Room`."""

    public: bool
    topic: str
    max: int
    owner_id: int | None
    owner: str


@attrs.define(eq=False)
class Room:
    """A room.

    Attributes:
        id: number of the room, 0 until it is stored.
        name: the name as displayed.
        key: the name as compared.
        public: whether users who are not members can see and join it.
        topic: one line of text, "" for none.
        max: maximum number of members, 0 for no limit.
        owner_id: account id of the owner, None if the room has no owner.
        owner: name of the owner, "" if the room has no owner.
        creator_id: account id of the user who created it, None for the lobby.
        last_seq: number of entries in the log.
        message_count: number of messages in the log.
        members: account id -> name, in the order of joining.
        guests: account ids of the members whose account is temporary.
        member_names: names of the members in order.
        subscribers: the sessions that receive its events.
        deleted: whether its deletion has begun.
        version: grows with each change of what a list of rooms shows, so that a protocol that
            caches the list entry of a room sees that it is stale.
    """

    id: int
    name: str
    key: str
    public: bool = True
    topic: str = ""
    max: int = 0
    owner_id: int | None = None
    owner: str = ""
    creator_id: int | None = None
    last_seq: int = 0
    message_count: int = 0
    members: dict[int, str] = attrs.field(factory=dict)
    guests: set[int] = attrs.field(factory=set)
    member_names: SortedNames = attrs.field(factory=SortedNames)
    subscribers: Subscribers = attrs.field(factory=Subscribers)
    deleted: bool = False
    version: int = 0

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
            creator_id=record.creator_id,
            last_seq=record.last_seq,
            message_count=record.message_count,
        )
        for account_id, name, registered in record.members:
            room.add_member(account_id, name, registered)
        return room

    @property
    def is_lobby(self) -> bool:
        """Whether this is the room that every logged-in user is in."""
        return self.key == LOBBY

    @property
    def settings(self) -> CurrentSettings:
        """The settings as they are now."""
        return CurrentSettings(self.public, self.topic, self.max, self.owner_id, self.owner)

    def has_member(self, user: Member) -> bool:
        """Return whether a logged-in user is a member, or this is the lobby."""
        return user.id in self.members or self.key == LOBBY

    def visible_to(self, user: Member) -> bool:
        """Return whether lists show the room to a user: a public room, or one of the user's."""
        return self.public or user.id in self.members or user.id == self.owner_id

    def add_member(self, account_id: int, name: str, registered: bool) -> None:
        """Make an account a member.

        Args:
            account_id: the account.
            name: its name as displayed.
            registered: False for a temporary account.
        """
        self.version += 1
        self.members[account_id] = name
        self.member_names.add(name)
        if not registered:
            self.guests.add(account_id)

    def remove_member(self, account_id: int) -> None:
        """End the membership of an account."""
        self.version += 1
        name = self.members.pop(account_id)
        self.member_names.discard(name)
        self.guests.discard(account_id)

    def advance(self, seq: int, messages: int = 0) -> None:
        """Take note of stored entries.

        Args:
            seq: number of the last entry of the log now.
            messages: how many of the new entries are messages.
        """
        self.version += 1
        self.last_seq = seq
        self.message_count += messages

    @property
    def registered_members(self) -> Iterator[int]:
        """The account ids of the registered members, in the order of joining."""
        if len(self.guests) == len(self.members):
            return iter(())
        return (member for member in self.members if member not in self.guests)


class RoomRegistry:
    """All rooms, by name and by id.

    Attributes:
        public: keys of the public rooms without the lobby, in order.
        reserved: keys of the rooms that are being created.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, Room] = {}
        self._by_name: dict[str, Room] = {}
        self._by_id: dict[int, Room] = {}
        #: Account id -> the rooms that it owns; a dict takes less memory than a set.
        self._owned: dict[int | None, dict[Room, None]] = {}
        self.public = SortedNames()
        self.reserved: set[str] = set()

    def __iter__(self) -> Iterator[Room]:
        return iter(self._by_key.values())

    def __contains__(self, key: str) -> bool:
        return key in self._by_key or key in self.reserved

    @property
    def lobby(self) -> Room:
        """The room that every logged-in user is in."""
        return self._by_key[LOBBY]

    def add(self, room: Room) -> None:
        """Add a room that is stored."""
        self._by_key[room.key] = self._by_name[room.name] = room
        self._by_id[room.id] = room
        self._owned.setdefault(room.owner_id, {})[room] = None
        if room.public and not room.is_lobby:
            self.public.add(room.key)

    def discard(self, room: Room) -> None:
        """Remove a room that is deleted."""
        del self._by_key[room.key], self._by_name[room.name]
        del self._by_id[room.id]
        self._disown(room)
        self.public.discard(room.key)

    def _disown(self, room: Room) -> None:
        """Remove a room from those of its owner."""
        owned = self._owned[room.owner_id]
        del owned[room]
        if not owned:
            del self._owned[room.owner_id]

    def owned_by(self, account_id: int) -> Collection[Room]:
        """Return the rooms that an account owns."""
        return self._owned.get(account_id, ())

    def set_settings(self, room: Room, settings: CurrentSettings) -> None:
        """Give a room other settings, and list it or not, as they say.

        Args:
            room: a room that is stored.
            settings: the new settings.
        """
        if settings.public != room.public:
            self.public.add(room.key) if settings.public else self.public.discard(room.key)
        room.public, room.topic, room.max = settings.public, settings.topic, settings.max
        self._disown(room)
        room.owner_id, room.owner = settings.owner_id, settings.owner
        self._owned.setdefault(room.owner_id, {})[room] = None
        room.version += 1

    def get(self, room_id: int) -> Room | None:
        """Return the room with an id, None if there is none."""
        return self._by_id.get(room_id)

    def by_key(self, key: str) -> Room:
        """Return the room with a key, which there is."""
        return self._by_key[key]

    def find(self, raw: str) -> Room:
        """Return the room with a name as a user typed it.

        Raises:
            NoSuchRoom: there is none.
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
        """Return the room with a name as it is displayed, in any case; None if there is none.

        This costs a hundredth of `find`, for requests with thousands of names.
        """
        return self._by_name.get(name) or self._by_key.get(name.lower())

    def require_member(self, raw: str, user: Member) -> Room:
        """Return the room with a name, for one of its members.

        Args:
            raw: the name as the user typed it.
            user: a logged-in user.

        Raises:
            NoSuchRoom: there is no such room.
            NotInRoom: the user is not a member of it.
        """
        room = self._by_key.get(raw)
        if room is None or room.deleted:
            room = self.find(raw)
        if user.id not in room.members and room.key != LOBBY:
            raise NotInRoom()
        return room


def connections_of(sessions: Iterable[Subscriber]) -> list[IConnection]:
    """Return the connections of sessions."""
    return [session.connection for session in sessions]
