"""Membership: creating, joining and leaving rooms, and what only the owner of a room can do.

Who may do what is checked here; settings, owners and deletion are in `ownership`. Each change is an
entry, which `Delivery` folds into the room when it is queued, and takes back in the rare case that
it can't be stored: so the rules see a room with all earlier requests. What they have seen may be
stale, since other nodes write too: then they run again (`repeated`).
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from gtchat.chat.appending import NO_LIMITS
from gtchat.chat.audit import AuditRecord
from gtchat.chat.background import run_in_background
from gtchat.chat.delivery import Delivery
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import (
    NEEDS_MODERATOR,
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
)
from gtchat.chat.events import Joined, Kicked, Left, Removed
from gtchat.chat.interfaces import Ack, RepeatableRequest, Told
from gtchat.chat.moderation import Rank, check_ban, rank_of
from gtchat.chat.names import room_name
from gtchat.chat.ownership import Ownership, RoomSettings
from gtchat.chat.repeats import RoomAck
from gtchat.chat.repetition import repeated
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User


class Membership:
    """Creates and deletes rooms, and changes their settings and members.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
        ownership: changes settings and owners.
    """

    def __init__(self, state: State, delivery: Delivery, ownership: Ownership) -> None:
        self._store = state.store
        self._audit = state.audit
        self._users = state.users
        self._rooms = state.rooms
        self._loader = state.loader
        self._directory = state.directory
        self._delivery = delivery
        self._ownership = ownership

    async def create(
        self,
        session: Session,
        raw: str,
        wanted: RoomSettings,
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Create a room. The user of the session is its owner and first member.

        Args:
            session: a session of the creator.
            raw: the name as it was typed.
            wanted: the settings.
            request: what asked for it, if that may be repeated; see `Repeats`.

        Raises:
            BadName, BadRequest, TooLong, RoomExists, SlowMode, Filtered, TxnConflict, NotStored.
            NotAllowed: the user created, or is a member of, as many rooms as the limit allows.
        """
        user = session.user
        name = room_name(raw)
        if self._rooms.has_key(name.key) or name.key in self._rooms.reserved:
            raise RoomExists()
        self._ownership.check_memberships(user)
        room = Room(id=0, name=name.display, key=name.key)
        entry = self._ownership.first_entry(room, session, wanted)
        self._rooms.reserved.add(room.key)
        try:
            ack = await self._delivery.append_change(
                room, entry, session, request=request, limits=self._ownership.limits
            )
        finally:
            self._rooms.reserved.discard(room.key)
        return RoomAck(room, ack)

    @repeated
    async def change(
        self,
        session: Session,
        raw: str,
        wanted: RoomSettings,
        master: str | None,
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Change the settings of a room, or make another member its owner.

        Args:
            session: a session of the owner; of a moderator, to change who may speak.
            raw: the name of the room as it was typed.
            wanted: the settings to change.
            master: name of the new owner, None to keep the owner.
            request: as in `create`.

        Raises:
            NoSuchRoom, NotOwner, NoSuchUser, BadRequest, TooLong, Filtered, TxnConflict, NotStored.
            NotInRoom: the new owner is not a member.
            NotAllowed: the new owner has received as many rooms as the limit allows.
        """
        is_moderation = master is None and wanted.is_moderation
        room = await self._owned_room(session.user, raw, is_moderation)
        next_owner, limits = None, NO_LIMITS
        if master is not None:
            next_owner = await self._directory.resolve(master)
            room = await self._owned_room(session.user, raw)
            if next_owner.id not in room.members:
                raise NotInRoom("The new owner must be a member of the room.")
            limits = self._ownership.limits_of_receiver(room, next_owner.id)
        settings = self._ownership.settings(room, wanted, next_owner, session)
        by, record = session.user.name, self._ownership.record_of(room, settings, session.actor)
        ack = await self._ownership.change(room, settings, by, session, request, limits, record)
        return RoomAck(room, ack)

    async def _owned_room(self, user: User, raw: str, is_moderation: bool = False) -> Room:
        """Return the room with a name. Raises NoSuchRoom, NotOwner, NotStored.

        Args:
            user: its owner, or a moderator if `is_moderation`.
            raw: the name as it was typed.
            is_moderation: whether moderators may do what is asked for.
        """
        room = await self._loader.look(raw)
        needed = Rank.MODERATOR if is_moderation else Rank.OWNER
        # Rooms of users who are here are in memory.
        if (
            not isinstance(room, Room)
            or rank_of(room, user.id, user.name) < needed
            or room.is_awaited_by(user)
        ):
            raise NotOwner(NEEDS_MODERATOR) if is_moderation else NotOwner()
        return room

    @repeated
    async def delete(
        self, session: Session, raw: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """Delete a room and its log.

        Args:
            session: a session of the owner.
            raw: the name of the room as it was typed.
            request: as in `create`.

        Raises:
            NoSuchRoom, NotOwner, TxnConflict, NotStored.
        """
        room = await self._owned_room(session.user, raw)
        record = self._audit.record("room_deleted", session.actor, room=room.name)
        await self._ownership.delete(room, session.user.name, session, request, record)
        return RoomAck(None, Ack("", 0, self._users.now()))

    @repeated
    async def join(
        self, session: Session, raw: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """Join a room, which must be public unless the user owns it or is invited.

        Args:
            session: a session of the user.
            raw: the name of the room as it was typed.
            request: as in `create`.

        Raises:
            NoSuchRoom, AlreadyInRoom, BannedFromRoom, PrivateRoom, RoomFull, NotAllowed,
            TxnConflict, NotStored.
        """
        user = session.user
        room = await self._loader.find(raw)
        if room.has_member(user):
            raise AlreadyInRoom()
        needs_invitation = not room.public and room.owner_id != user.id
        # Users who are not invited must not be members while this is being stored.
        if needs_invitation and not await self._store.is_invited(room.id, user.id, None):
            raise PrivateRoom()
        return await self.enter(room, user, session, needs_invitation, request)

    async def enter(
        self,
        room: Room,
        target: User | ResolvedUser,
        actor: Session | None,
        needs_invitation: bool = False,
        request: RepeatableRequest | None = None,
        tells: Sequence[Told] = (),
    ) -> RoomAck:
        """Make a user a member, without asking whether the user may join.

        Args:
            room: the room.
            target: the user.
            actor: the session that asked for it, None if no session did.
            needs_invitation: whether the invitation that the user had must still exist when the
                membership is stored.
            request, tells: as in `Delivery.append_change`.

        Raises:
            NoSuchRoom: the room was deleted meanwhile.
            BannedFromRoom: the user is banned from it.
            PrivateRoom: the invitation ended meanwhile.
            NoSuchUser: the account is ending.
            NotAllowed: the user is a member of as many rooms as the limit allows.
            AlreadyInRoom, RoomFull, TxnConflict, Stale, NotStored.
        """
        if room.deleted:
            raise NoSuchRoom()
        if target.id in room.members:
            raise AlreadyInRoom()
        check_ban(room, target.id, target.name, self._users.now())
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
            ack = await self._delivery.append_change(
                room, entry, actor, needs_invitation, request, self._ownership.limits, tells
            )
        except ChatError:
            if room.deleted:
                raise NoSuchRoom() from None
            raise
        return RoomAck(room, ack)

    @repeated
    async def leave(
        self, session: Session, raw: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """Leave a room.

        Args:
            session: a session of the member.
            raw: the name of the room as it was typed.
            request: as in `create`.

        Raises:
            NoSuchRoom, NotInRoom, TxnConflict, NotStored.
            NotAllowed: it is the lobby.
        """
        room = await self._loader.require_member(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("You can't leave the lobby.")
        ack = await self._end_membership(room, self._left(room, session.user), session, request)
        self._reassign_later(room)
        return RoomAck(room, ack)

    def _reassign_later(self, room: Room) -> None:
        """See in the background whether a room needs another owner, or ends."""
        run_in_background(Deferred.fromCoroutine(self.reassign(room)), "reassigning a room")

    async def leave_all(self, user: User) -> None:
        """End all memberships of a temporary user, and find owners for the rooms of that user.

        Raises:
            NotStored: some memberships have not ended, or a room still has this owner.
        """
        for room in list(user.rooms):
            await self.withdraw(room, user)
        for room in list(self._rooms.owned_by(user.id)):
            await self.reassign(room)

    @repeated
    async def withdraw(self, room: Room, user: User) -> None:
        """End what the account of a user that ends is in a room: a member, and its owner."""
        if user.id in room.members:  # else the membership is about to end
            await self._end_membership(room, self._left(room, user), None)
        await self._ownership.reassign_or_delete(room, user.id)

    async def reassign(self, room: Room) -> None:
        """Find an owner for a room that has none any more; see `Ownership.reassign_or_delete`.

        Raises:
            NotStored.
        """
        await self._ownership.reassign_or_delete(room)

    def _left(self, room: Room, user: User) -> Left:
        return Left(room_name=room.name, usr=user.name, subject_id=user.id, at=self._users.now())

    async def _end_membership(
        self,
        room: Room,
        entry: Left | Kicked | Removed,
        actor: Session | None,
        request: RepeatableRequest | None = None,
        audit: AuditRecord | None = None,
    ) -> Ack:
        """End the membership of the subject of an entry. Raises TxnConflict, Stale, NotStored."""
        try:
            return await self._delivery.append_change(
                room, entry, actor, request=request, audit=audit
            )
        except ChatError:
            if self._rooms.get(room.id) is room:
                raise
            # The room was deleted meanwhile, and the membership with it.
            return Ack("", 0, entry.at)

    @repeated
    async def remove(
        self, session: Session, raw: str, target: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """Remove a member from a room, logged in or not.

        Args:
            session: a session of the owner, or of the member who is removed.
            raw: the name of the room as it was typed.
            target: the name of the member as it was typed.
            request: as in `create`.

        Raises:
            NoSuchRoom, NotInRoom, NotOwner, NoSuchUser, TxnConflict, NotStored.
            NotAllowed: it is the lobby.
        """
        room = await self._loader.require_member(raw, session.user)
        if room.is_lobby:
            raise NotAllowed("Members of the lobby can't be removed.")
        member = await self._directory.resolve(target)
        room = await self._loader.require_member(raw, session.user)
        if session.user.id not in (member.id, room.owner_id):
            raise NotOwner()
        if member.id not in room.members:
            raise NotInRoom("This user is not a member of the room.")
        by, at = session.user.name, self._users.now()
        entry = Removed(room_name=room.name, usr=member.name, subject_id=member.id, by=by, at=at)
        record = self._audit.record("removed", session.actor, name=member.name, room=room.name)
        return await self.put_out(room, entry, session, request, record)

    async def put_out(
        self,
        room: Room,
        entry: Kicked | Removed,
        actor: Session | None,
        request: RepeatableRequest | None,
        audit: AuditRecord,
    ) -> RoomAck:
        """End the membership of the subject of an entry, without asking who may do that.

        Args:
            room: the room.
            entry: the entry.
            actor, request, audit: as in `Delivery.append_change`.

        Raises:
            TxnConflict, Stale, NotStored.
        """
        ack = await self._end_membership(room, entry, actor, request, audit)
        self._reassign_later(room)
        return RoomAck(room, ack)

    @repeated
    async def add(
        self, session: Session, raw: str, target: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """Add a user to a room.

        Args:
            session: a session of a member.
            raw: the name of the room as it was typed.
            target: the name of the user as it was typed.
            request: as in `create`.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, AlreadyInRoom, BannedFromRoom, Blocked, RoomFull,
            NotAllowed, TxnConflict, NotStored.
        """
        room = await self._loader.require_member(raw, session.user)
        user = await self._directory.resolve(target, session.user)
        room = await self._loader.require_member(raw, session.user)
        if room.is_lobby:
            raise AlreadyInRoom()
        if user.blocks_asker:
            raise Blocked()
        return await self.enter(room, user, session, request=request)
