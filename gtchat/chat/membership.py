"""Membership: creating, joining and leaving rooms, and what the owner of a room can do.

Who may do what is checked here; settings, owners and deletion are in `ownership`.

Each change is an entry, which `Delivery` folds into the room when it is queued, and takes back in
the rare case that it can't be stored: so the rules see a room with all earlier requests.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.audit import audit
from gtchat.chat.background import run_in_background
from gtchat.chat.delivery import Delivery
from gtchat.chat.errors import (
    AlreadyInRoom,
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
from gtchat.chat.events import Joined, Kicked, Left, Removed, RoomCreated
from gtchat.chat.fold import CurrentSettings
from gtchat.chat.names import room_name
from gtchat.chat.ownership import Ownership, check_topic
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import ResolvedUser, Session, User


@attrs.frozen(kw_only=True)
class RoomSettings:
    """Settings that a user asks for; None leaves a setting as it is, or at its default.

    Attributes:
        public: whether users who are not members can see and join the room.
        topic: one line of at most 500 characters, "" for none.
        max: maximum number of members, 0 for no limit of the room's own.
        preview: whether users who are not members can read the newest messages while the room is
            public. The default is what `public` is.
    """

    public: bool | None = None
    topic: str | None = None
    max: int | None = None
    preview: bool | None = None


class Membership:
    """Creates and deletes rooms, and changes their settings and members.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
        ownership: changes settings and owners.
    """

    def __init__(self, state: State, delivery: Delivery, ownership: Ownership) -> None:
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._directory = state.directory
        self._delivery = delivery
        self._ownership = ownership

    async def create(self, session: Session, raw: str, wanted: RoomSettings) -> Room:
        """Create a room. The user of the session is its owner and first member.

        Args:
            session: a session of the creator.
            raw: the name as it was typed.
            wanted: the settings.

        Raises:
            BadName, BadRequest, TooLong, RoomExists, NotStored.
            NotAllowed: the user created, or is a member of, as many rooms as the limit allows.
        """
        user = session.user
        name = room_name(raw)
        if name.key in self._rooms:
            raise RoomExists()
        self._ownership.check_limit(user)
        room = Room(id=0, name=name.display, key=name.key)
        public = wanted.public is not False
        entry = RoomCreated(
            room_name=room.name,
            usr=user.name,
            subject_id=user.id,
            guest=not user.registered,
            public=public,
            topic=check_topic(wanted.topic or ""),
            max=self._ownership.max_members(wanted.max or 0),
            owner=user.name,
            preview=public if wanted.preview is None else wanted.preview,
            at=self._users.now(),
        )
        self._rooms.reserved.add(room.key)
        self._ownership.count(user.id, 1)
        try:
            await self._delivery.append_change(room, entry, session)
        except ChatError:
            self._ownership.count(user.id, -1)
            raise
        finally:
            self._rooms.reserved.discard(room.key)
        return room

    async def change(
        self, session: Session, raw: str, wanted: RoomSettings, master: str | None
    ) -> Room:
        """Change the settings of a room, or make another member its owner.

        Args:
            session: a session of the owner.
            raw: the name of the room as it was typed.
            wanted: the settings to change.
            master: name of the new owner, None to keep the owner.

        Raises:
            NoSuchRoom, NotOwner, NoSuchUser, BadRequest, TooLong, NotStored.
            NotInRoom: the new owner is not a member.
            NotAllowed: the new owner has received as many rooms as the limit allows.
        """
        room = self._owned_room(session.user, raw)
        owner_id, owner = room.owner_id, room.owner
        if master is not None:
            next_owner = await self._directory.resolve(master)
            room = self._owned_room(session.user, raw)
            if next_owner.id not in room.members:
                raise NotInRoom("The new owner must be a member of the room.")
            if not self._ownership.may_receive(room, next_owner.id):
                raise NotAllowed("This user has received too many rooms.")
            owner_id, owner = next_owner.id, next_owner.name
        settings = CurrentSettings(
            public=room.public if wanted.public is None else wanted.public,
            topic=room.topic if wanted.topic is None else check_topic(wanted.topic),
            max=room.max if wanted.max is None else self._ownership.max_members(wanted.max),
            owner_id=owner_id,
            owner=owner,
            preview=room.preview if wanted.preview is None else wanted.preview,
        )
        await self._ownership.change(room, settings, session.user.name, session)
        audit(
            "room_set",
            by=session.user.name,
            room=room.name,
            public=room.public,
            max=room.max,
            owner=room.owner,
        )
        return room

    def _owned_room(self, user: User, raw: str) -> Room:
        """Return the room with a name. Raises NoSuchRoom, NotOwner."""
        room = self._rooms.find(raw)
        if room.owner_id != user.id:
            raise NotOwner()
        return room

    async def delete(self, session: Session, raw: str) -> None:
        """Delete a room and its log.

        Args:
            session: a session of the owner.
            raw: the name of the room as it was typed.

        Raises:
            NoSuchRoom, NotOwner, NotStored.
        """
        room = self._owned_room(session.user, raw)
        await self._ownership.delete(room, session.user.name)
        audit("room_deleted", by=session.user.name, room=room.name)

    async def join(self, session: Session, raw: str) -> Room:
        """Join a room, which must be public unless the user owns it or is invited.

        Args:
            session: a session of the user.
            raw: the name of the room as it was typed.

        Raises:
            NoSuchRoom, AlreadyInRoom, PrivateRoom, RoomFull, NotAllowed, NotStored.
        """
        user = session.user
        room = self._rooms.find(raw)
        if room.has_member(user):
            raise AlreadyInRoom()
        needs_invitation = not room.public and room.owner_id != user.id
        # Users who are not invited must not be members while this is being stored.
        if needs_invitation and not await self._store.is_invited(room.id, user.id, None):
            raise PrivateRoom()
        await self.enter(room, user, session, needs_invitation)
        return room

    async def enter(
        self,
        room: Room,
        target: User | ResolvedUser,
        actor: Session,
        needs_invitation: bool = False,
    ) -> None:
        """Make a user a member, without asking whether the user may join.

        Args:
            room: the room.
            target: the user.
            actor: the session that asked for it.
            needs_invitation: whether the invitation that the user had must still exist when the
                membership is stored.

        Raises:
            NoSuchRoom: the room was deleted meanwhile.
            PrivateRoom: the invitation ended meanwhile.
            NoSuchUser: the account is ending.
            NotAllowed: the user is a member of as many rooms as the limit allows.
            AlreadyInRoom, RoomFull, NotStored.
        """
        if room.deleted:
            raise NoSuchRoom()
        if target.id in room.members:
            raise AlreadyInRoom()
        self._ownership.check_memberships(target)
        if room.max and len(room.members) >= room.max:
            raise RoomFull()
        entry = Joined(
            room_name=room.name,
            usr=target.name,
            subject_id=target.id,
            guest=not target.registered,
            at=self._users.now(),
        )
        try:
            await self._delivery.append_change(room, entry, actor, needs_invitation)
        except ChatError:
            if room.deleted:
                raise NoSuchRoom() from None
            raise

    async def leave(self, session: Session, raw: str) -> None:
        """Leave a room.

        Args:
            session: a session of the member.
            raw: the name of the room as it was typed.

        Raises:
            NoSuchRoom, NotInRoom, NotStored.
            NotAllowed: it is the lobby.
        """
        room = self._rooms.require_member(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("You can't leave the lobby.")
        await self._end_membership(room, self._left(room, session.user), session)
        self._reassign_later(room)

    def _reassign_later(self, room: Room) -> None:
        """See in the background whether a room needs another owner, or ends."""
        run_in_background(Deferred.fromCoroutine(self.reassign(room)), "reassigning a room")

    async def leave_all(self, user: User) -> None:
        """End all memberships of a temporary user, and find owners for the rooms of that user.

        Raises:
            NotStored: some memberships have not ended, or a room still has this owner.
        """
        for room in list(user.rooms):
            if user.id in room.members:  # else the membership is about to end
                await self._end_membership(room, self._left(room, user), None)
                await self.reassign(room)
        for room in list(self._rooms.owned_by(user.id)):
            await self.reassign(room)

    async def reassign(self, room: Room) -> None:
        """Find an owner for a room that has none any more; see `Ownership.reassign_or_delete`.

        Raises:
            NotStored.
        """
        await self._ownership.reassign_or_delete(room)

    def _left(self, room: Room, user: User) -> Left:
        return Left(room_name=room.name, usr=user.name, subject_id=user.id, at=self._users.now())

    async def _end_membership(
        self, room: Room, entry: Left | Kicked | Removed, actor: Session | None
    ) -> None:
        """End the membership of the subject of an entry, which says how. Raises NotStored."""
        try:
            await self._delivery.append_change(room, entry, actor)
        except ChatError:
            if self._rooms.get(room.id) is room:
                raise
            # The room was deleted meanwhile, and the membership with it.

    async def kick(self, session: Session, raw: str, target: str) -> None:
        """Kick a member out of a room.

        Args:
            session: a session of the owner.
            raw: the name of the room as it was typed.
            target: the name of the member as it was typed.

        Raises:
            NoSuchRoom, NotOwner, SelfTarget, NoSuchUser, NotInRoom, NotStored.
        """
        room = self._owned_room(session.user, raw)
        member = await self._directory.resolve(target)
        room = self._owned_room(session.user, raw)
        if member.id == session.user.id:
            raise SelfTarget()
        await self._kick_or_remove(Kicked, room, member, session)

    async def remove(self, session: Session, raw: str, target: str) -> Room:
        """Remove a member from a room, logged in or not.

        Args:
            session: a session of the owner, or of the member who is removed.
            raw: the name of the room as it was typed.
            target: the name of the member as it was typed.

        Raises:
            NoSuchRoom, NotInRoom, NotOwner, NoSuchUser, NotStored.
            NotAllowed: it is the lobby.
        """
        room = self._rooms.require_member(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("Members of the lobby can't be removed.")
        member = await self._directory.resolve(target)
        room = self._rooms.require_member(raw, session.user)
        if session.user.id not in (member.id, room.owner_id):
            raise NotOwner()
        await self._kick_or_remove(Removed, room, member, session)
        return room

    async def _kick_or_remove(
        self, kind: type[Kicked | Removed], room: Room, member: ResolvedUser, actor: Session
    ) -> None:
        if member.id not in room.members:
            raise NotInRoom("This user is not a member of the room.")
        entry = kind(
            room_name=room.name,
            usr=member.name,
            subject_id=member.id,
            by=actor.user.name,
            at=self._users.now(),
        )
        await self._end_membership(room, entry, actor)
        code = "kicked" if kind is Kicked else "removed"
        audit(code, by=actor.user.name, name=member.name, room=room.name)
        self._reassign_later(room)

    async def add(self, session: Session, raw: str, target: str) -> Room:
        """Add a user to a room.

        Args:
            session: a session of a member.
            raw: the name of the room as it was typed.
            target: the name of the user as it was typed.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, AlreadyInRoom, Blocked, RoomFull, NotAllowed,
            NotStored.
        """
        room = self._rooms.require_member(raw, session.user)
        user = await self._directory.resolve(target, session.user)
        room = self._rooms.require_member(raw, session.user)
        if room.is_lobby:
            raise AlreadyInRoom()
        if user.blocks_asker:
            raise Blocked()
        await self.enter(room, user, session)
        return room
