"""Rooms: what one is, who belongs to it, who listens, and under which names they are found.

A room's settings and members here are those of its log with all that is queued for it, so that
rules see what was asked for before; `last_seq` and the listeners follow what is stored.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from gtchat.chat.errors import BadName, NoSuchRoom, NotInRoom
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder, RoomRecord
from gtchat.chat.names import room_name

if TYPE_CHECKING:
    from gtchat.chat.users import Session, User

LOBBY = "lobby"


@attrs.define(eq=False)
class SortedNames:
    """Names in order, to page through."""

    _names: list[str] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        at = bisect_left(self._names, name)
        return at < len(self._names) and self._names[at] == name

    def add(self, name: str) -> None:
        """Put a name in its place."""
        insort(self._names, name)

    def discard(self, name: str) -> None:
        """Take a name out, if it is there."""
        at = bisect_left(self._names, name)
        if at < len(self._names) and self._names[at] == name:
            del self._names[at]

    def page(self, after: str | None, limit: int) -> list[str]:
        """At most `limit` names, in order, that come after `after`."""
        start = 0 if after is None else bisect_right(self._names, after)
        return self._names[start : start + limit]


@attrs.define(eq=False)
class Subscribers:
    """The sessions that are told what happens somewhere, grouped by protocol."""

    #: Dicts without values: sets have up to twice the size.
    _by_audience: dict[IEncoder, dict[IConnection, None]] = attrs.field(factory=dict)

    def __contains__(self, session: Session) -> bool:
        return session.connection in self._by_audience.get(session.encoder, ())

    def __iter__(self) -> Iterator[tuple[IEncoder, Collection[IConnection]]]:
        return iter(self._by_audience.items())

    def add(self, session: Session) -> None:
        """From now on this session is told."""
        self._by_audience.setdefault(session.encoder, {})[session.connection] = None

    def discard(self, session: Session) -> None:
        """From now on this session is not told."""
        connections_of = self._by_audience.get(session.encoder)
        if connections_of is not None:
            connections_of.pop(session.connection, None)
            if not connections_of:
                del self._by_audience[session.encoder]

    def publish(
        self, events: Sequence[Event], exclude: Collection[IConnection] = ()
    ) -> dict[IEncoder, IEncodedBatch]:
        """Tell events to all but some; what was encoded, for those who get a part of it."""
        bursts: dict[IEncoder, IEncodedBatch] = {}
        for encoder, listening in self._by_audience.items():
            burst = bursts[encoder] = encoder.encode(events)
            apart = [connection for connection in exclude if connection in listening]
            for connection in apart:
                del listening[connection]
            try:
                if listening:
                    burst.send(listening)
            finally:
                listening.update(dict.fromkeys(apart))
        return bursts


@attrs.define(eq=False)
class Room:
    """A room.

    Attributes:
        members: account id -> name, longest member first. guests: those of them who have a
            temporary account. roster: their names in order.
        owner_id: None where it belongs to nobody.
        last_seq, spoken: how many entries, and how many messages, its log has.
        gone: it is about to be deleted.
        shown: what a protocol has made of it for those who do not belong to it, which may be as
            many as there are logins; forgotten when something of it changes that they may see.
    """

    id: int
    name: str
    key: str
    public: bool = True
    topic: str = ""
    max: int = 0
    owner_id: int | None = None
    owner: str = ""
    last_seq: int = 0
    message_count: int = 0
    members: dict[int, str] = attrs.field(factory=dict)
    guests: set[int] = attrs.field(factory=set)
    member_names: SortedNames = attrs.field(factory=SortedNames)
    subscribers: Subscribers = attrs.field(factory=Subscribers)
    deleted: bool = False
    list_cache: object = None

    @classmethod
    def from_record(cls, record: RoomRecord) -> Room:
        """A room as it was kept."""
        room = cls(
            id=record.id,
            name=record.name,
            key=record.key,
            public=record.public,
            topic=record.topic,
            max=record.max,
            owner_id=record.owner_id,
            owner=record.owner,
            last_seq=record.last_seq,
            message_count=record.message_count,
        )
        for account_id, name, registered in record.members:
            room.add_member(account_id, name, registered)
        return room

    @property
    def is_lobby(self) -> bool:
        """Whether this is the room that everybody is in by being logged in."""
        return self.key == LOBBY

    def has_member(self, user: User) -> bool:
        """Whether a user who is logged in belongs to it."""
        return user.id in self.members or self.key == LOBBY

    def visible_to(self, user: User) -> bool:
        """Whether a user may know of it from a list."""
        return self.public or user.id in self.members

    def add_member(self, account_id: int, name: str, registered: bool) -> None:
        """Make an account a member."""
        self.list_cache = None
        self.members[account_id] = name
        self.member_names.add(name)
        if not registered:
            self.guests.add(account_id)

    def remove_member(self, account_id: int) -> None:
        """End an account's membership."""
        self.list_cache = None
        name = self.members.pop(account_id)
        self.member_names.discard(name)
        self.guests.discard(account_id)

    def advance(self, seq: int, messages: int = 0) -> None:
        """Its log has so many messages more, and ends with `seq`."""
        self.list_cache = None
        self.last_seq = seq
        self.message_count += messages

    def next_owner(self) -> int | None:
        """The longest registered member's account id."""
        return next((member for member in self.members if member not in self.guests), None)


class RoomRegistry:
    """All rooms, by name and by number."""

    def __init__(self) -> None:
        self._by_key: dict[str, Room] = {}
        self._by_id: dict[int, Room] = {}
        #: Names that are being created.
        self.reserved: set[str] = set()
        self._public = SortedNames()

    def __iter__(self) -> Iterator[Room]:
        return iter(self._by_key.values())

    def __contains__(self, key: str) -> bool:
        return key in self._by_key or key in self.reserved

    @property
    def lobby(self) -> Room:
        """The room that everybody is in."""
        return self._by_key[LOBBY]

    def add(self, room: Room) -> None:
        """A room that is stored."""
        self._by_key[room.key] = room
        self._by_id[room.id] = room
        if room.public and not room.is_lobby:
            self._public.add(room.key)

    def discard(self, room: Room) -> None:
        """A room that is deleted."""
        del self._by_key[room.key]
        del self._by_id[room.id]
        self._public.discard(room.key)

    def set_public(self, room: Room, public: bool) -> None:
        """A room is in everybody's list from now on, or is not."""
        room.list_cache = None
        if public != room.public:
            room.public = public
            self._public.add(room.key) if public else self._public.discard(room.key)

    def get(self, room_id: int) -> Room | None:
        """The room of that number."""
        return self._by_id.get(room_id)

    def find(self, raw: str) -> Room:
        """The room that a person means by a name.

        Raises:
            NoSuchRoom: there is none.
        """
        room = self._by_key.get(raw)
        if room is None:
            try:
                room = self._by_key.get(room_name(raw).key)
            except BadName:
                room = None
        if room is None or room.deleted:
            raise NoSuchRoom()
        return room

    def require_member(self, raw: str, user: User) -> Room:
        """The room of that name that a user belongs to.

        Raises:
            NoSuchRoom: there is none.
            NotInRoom: he does not belong to it.
        """
        room = self._by_key.get(raw)
        if room is None or room.deleted:
            room = self.find(raw)
        if user.id not in room.members and room.key != LOBBY:
            raise NotInRoom()
        return room

    def list_rooms(self, user: User, after: str | None, limit: int) -> list[Room]:
        """Return the rooms that a user may see: own rooms and the lobby first, then public rooms.

        Args:
            after: the room that the last page ended with.
            limit: how many at most.
        """
        own = sorted([LOBBY, *(room.key for room in user.rooms)])
        last = self._by_key.get(after) if after is not None else None
        if last is None or last.key in own:
            start = 0 if last is None else bisect_right(own, last.key)
            page = own[start : start + limit]
            page += self._others(user, None, limit - len(page))
        else:
            page = self._others(user, last.key, limit)
        return [self._by_key[key] for key in page]

    def _others(self, user: User, after: str | None, limit: int) -> list[str]:
        """Public rooms that a user does not belong to."""
        if not user.rooms:
            return self._public.page(after, limit)
        own = {room.key for room in user.rooms}
        found: list[str] = []
        while len(found) < limit:
            page = self._public.page(after, limit)
            found += [key for key in page if key not in own]
            if len(page) < limit:
                break
            after = page[-1]
        return found[:limit]

    def count_listed(self, user: User) -> int:
        """How many rooms a user may know of."""
        return 1 + len(self._public) + sum(not room.public for room in user.rooms)


def connections_of(sessions: Iterable[Session]) -> list[IConnection]:
    """Where these sessions are spoken to."""
    return [session.connection for session in sessions]
