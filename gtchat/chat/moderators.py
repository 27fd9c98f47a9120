"""What moderators of a room do: roles and mutes. Kicks and bans are in `room_bans`.

Messages of others are deleted in `changes`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gtchat.chat.audit import Actor
from gtchat.chat.authority import Authority, Sanction, check_count
from gtchat.chat.background import run_in_background
from gtchat.chat.delivery import Delivery
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import BadRequest, NoSuchUser, NotAllowed, NotOwner, SelfTarget
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.interfaces import RepeatableRequest
from gtchat.chat.moderation import ROLES, Moderation, Rank, rank_of
from gtchat.chat.moderation_events import Muted, RoleChanged, Unmuted
from gtchat.chat.names import HOST, USER_CHARS, fold_user
from gtchat.chat.repeats import RoomAck
from gtchat.chat.repetition import repeated
from gtchat.chat.report_store import WORD_FILTER
from gtchat.chat.room_admin import shown_name
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Longest mute of a temporary user, in milliseconds: the account ends before, and nothing else
#: would end the mute.
GUEST_MUTE_MS = 24 * 3600 * 1000


class Moderators:
    """Changes roles and mutes of rooms.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
    """

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._users = state.users
        self._limits = state.limits
        self._audit = state.audit
        self._loader = state.loader
        self._directory = state.directory
        self._delivery = delivery
        self._authority = Authority(state, delivery)

    # Roles.

    @repeated
    async def set_role(
        self,
        session: Session,
        raw: str,
        target: str,
        role: str,
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Give a member a role, or take it.

        The owner gives all roles, a moderator gives voice to members, and takes it.

        Args:
            session: a session of a moderator.
            raw, target: the names of the room and of the member as they were typed.
            role: a key of `ROLES`, "" to take the role.
            request: as in `Membership.create`.

        Raises:
            NoSuchRoom, NotOwner, NoSuchUser, SelfTarget, NotInRoom, NotAllowed, BadRequest,
            TooMany, TxnConflict, NotStored.
        """
        user = session.user
        room, member = await self._authority.find(user, raw, target)
        if ROLES.get(role, Rank.MEMBER) >= rank_of(room, user.id, user.name):
            raise NotOwner("Only the owner of the room can do this.")
        entry = self.role_entry(room, member, role, user.name)
        return await self._authority.append(room, entry, session, request, role=role or "member")

    @repeated
    async def appoint(self, raw: str, target: str, role: str, actor: Actor) -> str:
        """Give a member a role, or take it, as an operator. Return the name of the room.

        Args:
            raw, target: the names of the room, also of the lobby, and of the member.
            role: as in `set_role`.
            actor: the operator.

        Raises:
            NoSuchRoom, NoSuchUser, NotInRoom, NotAllowed, BadRequest, TooMany, NotStored.
        """
        member = await self._directory.resolve(target)
        room = await self._loader.find(raw)
        entry = self.role_entry(room, member, role, shown_name(actor))
        fields = {"name": member.name, "role": role or "member", "room": room.name}
        record = self._audit.record("admin_room_role", actor, **fields)
        await self._delivery.append_change(room, entry, None, audit=record)
        return room.name

    def role_entry(self, room: Room, member: ResolvedUser, role: str, by: str) -> RoleChanged:
        """Return the entry that gives a member a role.

        Raises:
            BadRequest: there is no such role.
            NotInRoom, NotAllowed, TooMany.
        """
        if role and role not in ROLES:
            raise BadRequest(f"role: must be one of {', '.join(ROLES)}, or empty.")
        self._authority.check_member(room, member)
        if room.is_lobby and not member.registered:
            raise NotAllowed("A temporary user can't have a role in the lobby.")
        if role:
            check_count(room.moderation.roles, member.id, self._limits.roles_per_room)
        at = self._users.now()
        return RoleChanged(
            room_name=room.name, usr=member.name, subject_id=member.id, role=role, by=by, at=at
        )

    # Mutes.

    @repeated
    async def mute(
        self,
        session: Session,
        raw: str,
        target: str,
        sanction: Sanction,
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Mute a member; a temporary user for `GUEST_MUTE_MS` at most.

        Args:
            session: a session of a moderator.
            raw, target: the names of the room and of the member as they were typed.
            sanction: reason and time.
            request: as in `Membership.create`.

        Raises:
            NoSuchRoom, NotOwner, SelfTarget, NoSuchUser, NotInRoom, NotAllowed, BadRequest,
            TooLong, TooMany, TxnConflict, NotStored.
        """
        room, member = await self._authority.find(session.user, raw, target)
        self._authority.check_member(room, member)
        now, until = self._users.now(), self._authority.until(sanction)
        mutes = room.moderation.lasting(now).mutes
        check_count(mutes, member.id, self._limits.mutes_per_room)
        if not member.registered:
            until = min(until or now + GUEST_MUTE_MS, now + GUEST_MUTE_MS)
        entry = Muted(
            room_name=room.name,
            usr=member.name,
            subject_id=member.id,
            by=session.user.name,
            reason=self._authority.reason(session, room, sanction.reason),
            until=until,
            at=now,
        )
        return await self._authority.append(room, entry, session, request, reason=entry.reason)

    @repeated
    async def unmute(
        self, session: Session, raw: str, target: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """End a mute.

        Args:
            session: a session of a moderator.
            raw, target: the names of the room and of the user as they were typed.
            request: as in `Membership.create`.

        Raises:
            NoSuchRoom, NotOwner, NoSuchUser, TxnConflict, NotStored.
        """
        user = session.user
        room = await self._authority.require(user, raw)
        name = fold_user(target[: USER_CHARS + 1])
        mutes = room.moderation.mutes.items()
        found = next(((id_, one) for id_, one in mutes if fold_user(one.name) == name), None)
        if found is None:
            raise NoSuchUser("This user is not muted.")
        account_id, mute = found
        if account_id == user.id:
            raise SelfTarget()
        entry = Unmuted(
            room_name=room.name,
            usr=mute.name,
            subject_id=account_id,
            by=user.name,
            at=self._users.now(),
        )
        return await self._authority.append(room, entry, session, request)

    def mute_by_filter(self, session: Session, room: Room, rule: FilterRule) -> None:
        """Mute the user of a session in a room for a rule of the word filter, in the background.

        Moderators of the room, who could end the mute, are not muted.
        """
        if rank_of(room, session.user.id, session.user.name) < Rank.MODERATOR:
            muting = Deferred.fromCoroutine(self._mute_by_filter(session, room, rule))
            run_in_background(muting, "muting a user for the word filter")

    @repeated
    async def _mute_by_filter(self, session: Session, room: Room, rule: FilterRule) -> None:
        """Mute a user. Raises TooMany, NotStored."""
        user, at = session.user, self._users.now()
        mutes = room.moderation.lasting(at).mutes
        if user.id in mutes:  # another node was first
            return
        check_count(mutes, user.id, self._limits.mutes_per_room)
        entry = Muted(
            room_name=room.name,
            usr=user.name,
            subject_id=user.id,
            by=HOST.display,
            reason=WORD_FILTER,
            until=at + rule.seconds * 1000,
            at=at,
        )
        fields = {"name": user.name, "room": room.name, "reason": entry.reason}
        record = self._audit.record("room_muted", Actor(HOST.display), **fields)
        await self._delivery.append_change(room, entry, None, audit=record)

    @repeated
    async def drop_role(self, room: Room, user: User) -> None:
        """Take the role that a user has in a room, since the account ends. Raises NotStored."""
        if user.id in room.moderation.roles:
            entry = RoleChanged(
                room_name=room.name,
                usr=user.name,
                subject_id=user.id,
                role="",
                by=HOST.display,
                at=self._users.now(),
            )
            await self._delivery.append_change(room, entry, None)

    # What moderators see.

    async def listed(self, session: Session, raw: str) -> Moderation:
        """Return the moderation of a room: those mutes and bans that have not ended.

        Raises:
            NoSuchRoom, NotOwner, NotStored.
        """
        room = await self._authority.require(session.user, raw)
        return room.moderation.lasting(self._users.now())
