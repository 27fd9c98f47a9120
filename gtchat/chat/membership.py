"""Membership: creating rooms, entering and leaving them, and what owners may do.

Rules look at a room as it will be when all that is queued for it is stored. So the change is made
in memory when it is queued, and taken back in the rare case that it can't be stored.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.audit import audit
from gtchat.chat.background import run_in_background
from gtchat.chat.delivery import Delivery
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
    RoomDeleted,
)
from gtchat.chat.interfaces import IStore
from gtchat.chat.limits import Limits
from gtchat.chat.names import room_name, text
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.users import ResolvedUser, Session, User, UserDirectory, UserRegistry

TOPIC_CHARS = 500


@attrs.frozen(kw_only=True)
class RoomSettings:
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
        users: UserRegistry,
        directory: UserDirectory,
        rooms: RoomRegistry,
        log: Delivery,
    ) -> None:
        self._store = store
        self._limits = limits
        self._users = users
        self._directory = directory
        self._rooms = rooms
        self._delivery = log
        self._owned: dict[int, int] = {}

    def count_owned(self) -> None:
        """Count who owns how many rooms, once all are known."""
        self._owned = {}
        for room in self._rooms:
            self._count_owned(room.owner_id, 1)

    def _count_owned(self, account_id: int | None, more: int) -> None:
        if account_id is not None:
            count = self._owned.pop(account_id, 0) + more
            if count:
                self._owned[account_id] = count

    async def create(self, session: Session, raw: str, wanted: RoomSettings) -> Room:
        """Create a room, owned by the session's user, who is its first member.

        Raises:
            BadName, BadRequest, RoomExists, NotAllowed (too many rooms), NotStored.
        """
        user = session.user
        name = room_name(raw)
        if name.key in self._rooms:
            raise RoomExists()
        limit = self._limits.rooms_per_user
        if limit and self._owned.get(user.id, 0) >= limit:
            raise NotAllowed(f"You own {limit} rooms already, which is as many as one may.")
        room = Room(
            id=0,
            name=name.display,
            key=name.key,
            public=wanted.public is not False,
            topic=_topic(wanted.topic or ""),
            max=self._max(wanted.max or 0),
            owner_id=user.id,
            owner=user.name,
        )
        room.add_member(user.id, user.name, user.registered)
        self._rooms.reserved.add(room.key)
        self._count_owned(user.id, 1)
        try:
            await self._delivery.append_change(
                room, self._settings(RoomCreated, room, user.name), user.id, session
            )
        except ChatError:
            self._count_owned(user.id, -1)
            raise
        finally:
            self._rooms.reserved.discard(room.key)
        self._rooms.add(room)
        return room

    def _max(self, wanted: int) -> int:
        """How many members a room may have, 0 for any number."""
        if not 0 <= wanted < 2**31:
            raise BadRequest("max: a number of members is wanted, 0 for any.")
        limit = self._limits.members_per_room
        return min(wanted or limit, limit) if limit else wanted

    def _settings(self, kind: type[RoomCreated | RoomChanged], room: Room, by: str) -> Entry:
        """The entry that says a room's settings as they are now."""
        return kind(
            room_name=room.name,
            usr=by,
            public=room.public,
            topic=room.topic,
            max=room.max,
            owner=room.owner,
            at=self._users.now(),
        )

    async def change(
        self, session: Session, raw: str, wanted: RoomSettings, master: str | None
    ) -> Room:
        """Change a room's settings, or hand it over to another member.

        Raises:
            NoSuchRoom, NotOwner, NotInRoom (the new master), BadRequest, TooLong, NotStored.
        """
        room = self._owned_room(session.user, raw)
        before = (room.public, room.topic, room.max, room.owner_id, room.owner)
        owner_id, owner = room.owner_id, room.owner
        if master is not None:
            next_owner = await self._directory.resolve(master)
            if next_owner.id not in room.members:
                raise NotInRoom("The new owner has to be a member.")
            owner_id, owner = next_owner.id, next_owner.name
        topic = room.topic if wanted.topic is None else _topic(wanted.topic)
        limit = room.max if wanted.max is None else self._max(wanted.max)
        self._apply(
            room,
            room.public if wanted.public is None else wanted.public,
            topic,
            limit,
            owner_id,
            owner,
        )
        try:
            entry = self._settings(RoomChanged, room, session.user.name)
            await self._delivery.append_change(room, entry, room.owner_id, session)
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
        limit: int,
        owner_id: int | None,
        owner: str,
    ) -> None:
        """RoomSettings as they are from here on."""
        self._rooms.set_public(room, public)
        self._count_owned(room.owner_id, -1)
        self._count_owned(owner_id, 1)
        room.topic, room.max, room.owner_id, room.owner = topic, limit, owner_id, owner

    def _owned_room(self, user: User, raw: str) -> Room:
        """The room of that name, which a user owns."""
        room = self._rooms.find(raw)
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
        room.deleted = True
        try:
            await self._store.delete_room(room.id, self._users.now())
        except ChatError:
            room.deleted = False
            raise
        self._rooms.discard(room)
        self._count_owned(room.owner_id, -1)
        for member in room.members:
            if (user := self._users.get_by_id(member)) is not None:
                user.remove_room(room)
        # Whoever asked for it is answered first.
        self._users.call_soon(self._tell_gone, room, by)

    def _tell_gone(self, room: Room, by: str) -> None:
        """Tell that a room is gone: its members first, then, if they could see it, the others."""
        event = RoomDeleted(room_name=room.name, usr=by, at=self._users.now())
        room.subscribers.publish([event])
        if room.public:
            members = [connection for _, listening in room.subscribers for connection in listening]
            self._users.subscribers.publish([event], exclude=members)

    async def join(self, session: Session, raw: str) -> Room:
        """Become a member.

        Raises:
            NoSuchRoom, AlreadyInRoom, PrivateRoom, RoomFull, NotStored.
        """
        user = session.user
        room = self._rooms.find(raw)
        if room.has_member(user):
            raise AlreadyInRoom()
        if not room.public and not await self._store.is_invited(room.id, user.id, None):
            raise PrivateRoom()
        await self.enter(room, user, session)
        return room

    async def enter(self, room: Room, person: User | ResolvedUser, actor: Session) -> None:
        """A person becomes a member, once the rules are seen to.

        Raises:
            NoSuchRoom, AlreadyInRoom, RoomFull, NotStored.
        """
        if room.deleted:
            raise NoSuchRoom()
        if person.id in room.members:
            raise AlreadyInRoom()
        if room.max and len(room.members) >= room.max:
            raise RoomFull()
        room.add_member(person.id, person.name, person.registered)
        user = self._users.get_by_id(person.id)
        if user is not None:
            user.rooms[room] = 0
        entry = Joined(room_name=room.name, usr=person.name, at=self._users.now())
        try:
            await self._delivery.append_change(room, entry, person.id, actor)
        except ChatError:
            self._remove_member(room, person.id)
            raise

    def _remove_member(self, room: Room, account_id: int) -> int:
        """End a membership here; the last entry that counted as read."""
        room.remove_member(account_id)
        user = self._users.get_by_id(account_id)
        return user.rooms.pop(room, 0) if user is not None else 0

    async def leave(self, session: Session, raw: str) -> None:
        """End one's own membership.

        Raises:
            NoSuchRoom, NotInRoom, NotAllowed (the lobby), NotStored.
        """
        room = self._rooms.require_member(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("Nobody can leave the lobby.")
        await self._end_membership(
            room, session.user, _left(room, session.user, self._users), session
        )
        run_in_background(Deferred.fromCoroutine(self.reassign_or_delete(room)), "settling a room")

    async def leave_all(self, user: User) -> None:
        """A temporary user goes: his memberships end.

        Raises:
            NotStored: some have not ended.
        """
        for room in list(user.rooms):
            await self._end_membership(room, user, _left(room, user, self._users), None)
            await self.reassign_or_delete(room)

    async def _end_membership(
        self, room: Room, person: User | ResolvedUser, entry: Entry, actor: Session | None
    ) -> None:
        """A membership ends."""
        read = self._remove_member(room, person.id)
        try:
            await self._delivery.append_change(room, entry, person.id, actor)
        except ChatError:
            room.add_member(person.id, person.name, person.registered)
            if (user := self._users.get_by_id(person.id)) is not None:
                user.rooms[room] = read
            raise

    async def reassign_or_delete(self, room: Room) -> None:
        """See to a room that somebody left: a temporary owner's room passes on, or goes.

        Raises:
            NotStored.
        """
        owner = self._users.get_by_id(room.owner_id)
        kept = owner is None or owner.registered or owner.id in room.members
        if room.deleted or (room.owner_id is not None and kept):
            return
        if not room.members:
            await self._delete(room, room.owner, None)
            return
        next_owner = room.next_owner()
        if next_owner is None and room.owner_id is None:
            return
        before = (room.public, room.topic, room.max, room.owner_id, room.owner)
        by = room.owner
        name = "" if next_owner is None else room.members[next_owner]
        self._apply(room, room.public, room.topic, room.max, next_owner, name)
        try:
            await self._delivery.append_change(
                room, self._settings(RoomChanged, room, by), next_owner, None
            )
        except ChatError:
            self._apply(room, *before)
            raise

    async def kick(self, session: Session, raw: str, target: str) -> None:
        """Put a member out of one's room.

        Raises:
            NoSuchRoom, NotOwner, SelfTarget, NoSuchUser, NotInRoom, NotStored.
        """
        room = self._owned_room(session.user, raw)
        person = await self._directory.resolve(target)
        if person.id == session.user.id:
            raise SelfTarget()
        await self._kick_or_remove(Kicked, room, person, session)

    async def remove(self, session: Session, raw: str, target: str) -> Room:
        """Take a member off the list, as its owner or as the member himself.

        Raises:
            NoSuchRoom, NotInRoom, NotOwner, NoSuchUser, NotAllowed (the lobby), NotStored.
        """
        room = self._rooms.require_member(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("Nobody can be taken out of the lobby.")
        person = await self._directory.resolve(target)
        if session.user.id not in (person.id, room.owner_id):
            raise NotOwner()
        await self._kick_or_remove(Removed, room, person, session)
        return room

    async def _kick_or_remove(
        self, kind: type[Kicked | Removed], room: Room, person: ResolvedUser, actor: Session
    ) -> None:
        if person.id not in room.members:
            raise NotInRoom("This user is not a member of the room.")
        entry = kind(
            room_name=room.name,
            usr=person.name,
            by=actor.user.name,
            at=self._users.now(),
        )
        await self._end_membership(room, person, entry, actor)
        code = "kicked" if kind is Kicked else "removed"
        audit(code, by=actor.user.name, name=person.name, room=room.name)

    async def add(self, session: Session, raw: str, target: str) -> Room:
        """Make somebody else a member of a room that one belongs to.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, AlreadyInRoom, Blocked, RoomFull, NotStored.
        """
        room = self._rooms.require_member(raw, session.user)
        person = await self._directory.resolve(target, session.user)
        if room.is_lobby:
            raise AlreadyInRoom()
        if person.blocks_asker:
            raise Blocked()
        await self.enter(room, person, session)
        return room


def _left(room: Room, user: User, users: UserRegistry) -> Left:
    return Left(room_name=room.name, usr=user.name, at=users.now())


def _topic(raw: str) -> str:
    """A room's topic: one line, "" for none.

    Raises:
        BadRequest, TooLong.
    """
    topic = text(raw, TOPIC_CHARS) if raw else ""
    if "\t" in topic or len(topic.splitlines()) > 1:
        raise BadRequest("topic: it is one line.")
    return topic
