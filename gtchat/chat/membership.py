"""Membership: creating rooms, entering and leaving them, and what owners may do.

Rules look at a room as it will be when all that is queued for it is stored. So the change is made
in memory when it is queued, and taken back in the rare case that it can't be stored.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.audit import audit
from gtchat.chat.errors import (
    AlreadyInRoom,
    BadRequest,
    Blocked,
    ChatError,
    NoSuchRoom,
    NotAllowed,
    NotInRoom,
    NotOwner,
    PrivateRoom,
    RoomExists,
    RoomFull,
    SelfTarget,
)
from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    Removed,
    RoomChanged,
    RoomCreated,
    RoomGone,
)
from gtchat.chat.interfaces import IStore
from gtchat.chat.limits import Limits
from gtchat.chat.log import Log
from gtchat.chat.names import room_name, text
from gtchat.chat.people import People, Session, User
from gtchat.chat.persons import Person, Persons
from gtchat.chat.rooms import Room, Rooms
from gtchat.chat.unattended import unattended

TOPIC_CHARS = 500


@attrs.frozen(kw_only=True)
class Settings:
    """What somebody wants of a room; None leaves a thing as it is."""

    public: bool | None = None
    topic: str | None = None
    max: int | None = None


class Membership:
    """Who belongs where."""

    def __init__(
        self,
        store: IStore,
        limits: Limits,
        people: People,
        persons: Persons,
        rooms: Rooms,
        log: Log,
    ) -> None:
        self._store = store
        self._limits = limits
        self._people = people
        self._persons = persons
        self._rooms = rooms
        self._log = log
        self._owned: dict[int, int] = {}

    def count_owned(self) -> None:
        """Count who owns how many rooms, once all are known."""
        self._owned = {}
        for room in self._rooms:
            self._own(room.owner_id, 1)

    def _own(self, account_id: int | None, more: int) -> None:
        if account_id is not None:
            count = self._owned.pop(account_id, 0) + more
            if count:
                self._owned[account_id] = count

    async def create(self, session: Session, raw: str, wanted: Settings) -> Room:
        """Create a room, owned by the session's user, who is its first member.

        Raises:
            BadName, BadRequest, RoomExists, NotAllowed (too many rooms), NotStored.
        """
        user = session.user
        name = room_name(raw)
        if name.key in self._rooms:
            raise RoomExists()
        most = self._limits.rooms_per_user
        if most and self._owned.get(user.id, 0) >= most:
            raise NotAllowed(f"You own {most} rooms already, which is as many as one may.")
        room = Room(
            id=0,
            name=name.shown,
            key=name.key,
            public=wanted.public is not False,
            topic=_topic(wanted.topic or ""),
            max=self._max(wanted.max or 0),
            owner_id=user.id,
            owner=user.name,
        )
        room.enroll(user.id, user.name, user.registered)
        self._rooms.reserved.add(room.key)
        self._own(user.id, 1)
        try:
            await self._log.change(
                room, self._settings(RoomCreated, room, user.name), user.id, session
            )
        except ChatError:
            self._own(user.id, -1)
            raise
        finally:
            self._rooms.reserved.discard(room.key)
        self._rooms.add(room)
        return room

    def _max(self, wanted: int) -> int:
        """How many members a room may have, 0 for any number."""
        if not 0 <= wanted < 2**31:
            raise BadRequest("max: a number of members is wanted, 0 for any.")
        most = self._limits.members_per_room
        return min(wanted or most, most) if most else wanted

    def _settings(self, kind: type[RoomCreated | RoomChanged], room: Room, by: str) -> Entry:
        """The entry that says a room's settings as they are now."""
        return kind(
            room_name=room.name,
            usr=by,
            public=room.public,
            topic=room.topic,
            max=room.max,
            owner=room.owner,
            at=self._people.now(),
        )

    async def change(
        self, session: Session, raw: str, wanted: Settings, master: str | None
    ) -> Room:
        """Change a room's settings, or hand it over to another member.

        Raises:
            NoSuchRoom, NotOwner, NotInRoom (the new master), BadRequest, TooLong, NotStored.
        """
        room = self._owned_room(session.user, raw)
        before = (room.public, room.topic, room.max, room.owner_id, room.owner)
        owner_id, owner = room.owner_id, room.owner
        if master is not None:
            heir = await self._persons.named(master)
            if heir.id not in room.members:
                raise NotInRoom("The new owner has to be a member.")
            owner_id, owner = heir.id, heir.name
        topic = room.topic if wanted.topic is None else _topic(wanted.topic)
        most = room.max if wanted.max is None else self._max(wanted.max)
        self._apply(
            room,
            room.public if wanted.public is None else wanted.public,
            topic,
            most,
            owner_id,
            owner,
        )
        try:
            entry = self._settings(RoomChanged, room, session.user.name)
            await self._log.change(room, entry, room.owner_id, session)
        except ChatError:
            self._apply(room, *before)
            raise
        audit(
            "room_set",
            by=session.user.name,
            room=room.name,
            public=room.public,
            max=room.max,
            owner=room.owner,
        )
        return room

    def _apply(
        self,
        room: Room,
        public: bool,
        topic: str,
        most: int,
        owner_id: int | None,
        owner: str,
    ) -> None:
        """Settings as they are from here on."""
        self._rooms.publish(room, public)
        self._own(room.owner_id, -1)
        self._own(owner_id, 1)
        room.topic, room.max, room.owner_id, room.owner = topic, most, owner_id, owner

    def _owned_room(self, user: User, raw: str) -> Room:
        """The room of that name, which a user owns."""
        room = self._rooms.named(raw)
        if room.owner_id != user.id:
            raise NotOwner()
        return room

    async def delete(self, session: Session, raw: str) -> None:
        """Delete a room with its log.

        Raises:
            NoSuchRoom, NotOwner, NotStored.
        """
        room = self._owned_room(session.user, raw)
        await self._delete(room, session.user.name, session)
        audit("room_deleted", by=session.user.name, room=room.name)

    async def _delete(self, room: Room, by: str, actor: Session | None) -> None:
        room.gone = True
        try:
            await self._store.delete_room(room.id, self._people.now())
        except ChatError:
            room.gone = False
            raise
        self._rooms.discard(room)
        self._own(room.owner_id, -1)
        for member in room.members:
            if (user := self._people.numbered(member)) is not None:
                user.forget(room)
        # Whoever asked for it is answered first.
        self._people.soon(self._tell_gone, room, by)

    def _tell_gone(self, room: Room, by: str) -> None:
        """Tell that a room is gone: its members first, then, if they could see it, the others."""
        event = RoomGone(room_name=room.name, usr=by, at=self._people.now())
        room.listeners.tell([event])
        if room.public:
            members = [outlet for _, listening in room.listeners for outlet in listening]
            self._people.listeners.tell([event], but=members)

    async def join(self, session: Session, raw: str) -> Room:
        """Become a member.

        Raises:
            NoSuchRoom, AlreadyInRoom, PrivateRoom, RoomFull, NotStored.
        """
        user = session.user
        room = self._rooms.named(raw)
        if room.has(user):
            raise AlreadyInRoom()
        if not room.public and not await self._store.invited(room.id, user.id, None):
            raise PrivateRoom()
        await self.enter(room, user, session)
        return room

    async def enter(self, room: Room, person: User | Person, actor: Session) -> None:
        """A person becomes a member, once the rules are seen to.

        Raises:
            NoSuchRoom, AlreadyInRoom, RoomFull, NotStored.
        """
        if room.gone:
            raise NoSuchRoom()
        if person.id in room.members:
            raise AlreadyInRoom()
        if room.max and len(room.members) >= room.max:
            raise RoomFull()
        room.enroll(person.id, person.name, person.registered)
        user = self._people.numbered(person.id)
        if user is not None:
            user.rooms[room] = 0
        entry = Joined(room_name=room.name, usr=person.name, at=self._people.now())
        try:
            await self._log.change(room, entry, person.id, actor)
        except ChatError:
            self._strike(room, person.id)
            raise

    def _strike(self, room: Room, account_id: int) -> int:
        """End a membership here; the last entry that counted as read."""
        room.strike(account_id)
        user = self._people.numbered(account_id)
        return user.rooms.pop(room, 0) if user is not None else 0

    async def leave(self, session: Session, raw: str) -> None:
        """End one's own membership.

        Raises:
            NoSuchRoom, NotInRoom, NotAllowed (the lobby), NotStored.
        """
        room = self._rooms.joined(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("Nobody can leave the lobby.")
        await self._part(room, session.user, _left(room, session.user, self._people), session)
        unattended(Deferred.fromCoroutine(self.settle(room)), "settling a room")

    async def leave_all(self, user: User) -> None:
        """A temporary user goes: his memberships end.

        Raises:
            NotStored: some have not ended.
        """
        for room in list(user.rooms):
            await self._part(room, user, _left(room, user, self._people), None)
            await self.settle(room)

    async def _part(
        self, room: Room, person: User | Person, entry: Entry, actor: Session | None
    ) -> None:
        """A membership ends."""
        read = self._strike(room, person.id)
        try:
            await self._log.change(room, entry, person.id, actor)
        except ChatError:
            room.enroll(person.id, person.name, person.registered)
            if (user := self._people.numbered(person.id)) is not None:
                user.rooms[room] = read
            raise

    async def settle(self, room: Room) -> None:
        """See to a room that somebody left: a temporary owner's room passes on, or goes.

        Raises:
            NotStored.
        """
        owner = self._people.numbered(room.owner_id)
        kept = owner is None or owner.registered or owner.id in room.members
        if room.gone or (room.owner_id is not None and kept):
            return
        if not room.members:
            await self._delete(room, room.owner, None)
            return
        heir = room.heir()
        if heir is None and room.owner_id is None:
            return
        before = (room.public, room.topic, room.max, room.owner_id, room.owner)
        by = room.owner
        name = "" if heir is None else room.members[heir]
        self._apply(room, room.public, room.topic, room.max, heir, name)
        try:
            await self._log.change(room, self._settings(RoomChanged, room, by), heir, None)
        except ChatError:
            self._apply(room, *before)
            raise

    async def kick(self, session: Session, raw: str, target: str) -> None:
        """Put a member out of one's room.

        Raises:
            NoSuchRoom, NotOwner, SelfTarget, NoSuchUser, NotInRoom, NotStored.
        """
        room = self._owned_room(session.user, raw)
        person = await self._persons.named(target)
        if person.id == session.user.id:
            raise SelfTarget()
        await self._expel(Kicked, room, person, session)

    async def remove(self, session: Session, raw: str, target: str) -> Room:
        """Take a member off the list, as its owner or as the member himself.

        Raises:
            NoSuchRoom, NotInRoom, NotOwner, NoSuchUser, NotAllowed (the lobby), NotStored.
        """
        room = self._rooms.joined(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("Nobody can be taken out of the lobby.")
        person = await self._persons.named(target)
        if session.user.id not in (person.id, room.owner_id):
            raise NotOwner()
        await self._expel(Removed, room, person, session)
        return room

    async def _expel(
        self, kind: type[Kicked | Removed], room: Room, person: Person, actor: Session
    ) -> None:
        if person.id not in room.members:
            raise NotInRoom("This user is not a member of the room.")
        entry = kind(
            room_name=room.name,
            usr=person.name,
            by=actor.user.name,
            at=self._people.now(),
        )
        await self._part(room, person, entry, actor)
        code = "kicked" if kind is Kicked else "removed"
        audit(code, by=actor.user.name, name=person.name, room=room.name)

    async def add(self, session: Session, raw: str, target: str) -> Room:
        """Make somebody else a member of a room that one belongs to.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, AlreadyInRoom, Blocked, RoomFull, NotStored.
        """
        room = self._rooms.joined(raw, session.user)
        person = await self._persons.named(target, session.user)
        if room.is_lobby:
            raise AlreadyInRoom()
        if person.blocks_asker:
            raise Blocked()
        await self.enter(room, person, session)
        return room


def _left(room: Room, user: User, people: People) -> Left:
    return Left(room_name=room.name, usr=user.name, at=people.now())


def _topic(raw: str) -> str:
    """A room's topic: one line, "" for none.

    Raises:
        BadRequest, TooLong.
    """
    topic = text(raw, TOPIC_CHARS) if raw else ""
    if "\t" in topic or len(topic.splitlines()) > 1:
        raise BadRequest("topic: it is one line.")
    return topic
