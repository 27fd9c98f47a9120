"""Kicks and bans of rooms. Bans are of accounts and of names; those of addresses are no room's."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.authority import Authority, Sanction, check_count
from gtchat.chat.background import run_in_background
from gtchat.chat.ban_records import PATTERN_CHARS, NamePattern
from gtchat.chat.delivery import Delivery
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import NoSuchUser, NotAllowed
from gtchat.chat.events import Kicked
from gtchat.chat.interfaces import RepeatableRequest
from gtchat.chat.membership import Membership
from gtchat.chat.moderation import WILDCARD, ban_key, name_pattern, rank_of
from gtchat.chat.moderation_events import UserBanned, UserUnbanned
from gtchat.chat.names import fold_user
from gtchat.chat.repeats import RoomAck
from gtchat.chat.repetition import repeated
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Names that are compared with a pattern at a time, within a few milliseconds.
NAMES_AT_ONCE = 500


class RoomBans:
    """Kicks members, bans users from rooms and ends bans.

    Args:
        state: the chat's shared objects.
        delivery: stores changes and sends them to the room.
        membership: ends memberships.
    """

    def __init__(self, state: State, delivery: Delivery, membership: Membership) -> None:
        self._audit = state.audit
        self._users = state.users
        self._limits = state.limits
        self._authority = Authority(state, delivery)
        self._membership = membership

    @repeated
    async def kick(
        self,
        session: Session,
        raw: str,
        target: str,
        reason: str = "",
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Kick a member out of a room.

        Args:
            session: a session of a moderator.
            raw, target: the names of the room and of the member as they were typed.
            reason: why, "" for no reason.
            request: as in `Membership.create`.

        Raises:
            NoSuchRoom, NotOwner, SelfTarget, NoSuchUser, NotInRoom, NotAllowed, BadRequest,
            TooLong, TxnConflict, NotStored.
        """
        room, member = await self._authority.find(session.user, raw, target)
        _check_not_lobby(room)
        self._authority.check_member(room, member)
        reason = self._authority.reason(session, room, reason)
        entry = self._kicked(room, member, session.user.name, reason)
        record = self._audit.record(
            "kicked", session.actor, name=member.name, room=room.name, reason=entry.reason
        )
        return await self._membership.put_out(room, entry, session, request, record)

    def _kicked(self, room: Room, member: ResolvedUser, by: str, reason: str) -> Kicked:
        return Kicked(
            room_name=room.name,
            usr=member.name,
            subject_id=member.id,
            guest=not member.registered,
            by=by,
            reason=reason,
            at=self._users.now(),
        )

    async def ban(
        self,
        session: Session,
        raw: str,
        target: str,
        sanction: Sanction,
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Ban a user, or all whose names fit a pattern, and put out those who are members.

        Members of the same rank as the moderator, or a higher one, stay. A temporary user is banned
        by name.

        Args:
            session: a session of a moderator.
            raw: the name of the room as it was typed.
            target: the name of the user as it was typed, or a pattern with `WILDCARD`.
            sanction: reason and time.
            request: as in `Membership.create`.

        Raises:
            NoSuchRoom, NotOwner, SelfTarget, NoSuchUser, NotAllowed, BadRequest, TooLong,
            TooMany, TxnConflict, NotStored.
        """
        if WILDCARD not in target:
            done = await self._ban_user(session, raw, target, sanction, request)
            # A temporary user may have joined before the ban of the name was stored.
            self._put_out_later(session, raw, fold_user(target), sanction)
            return done
        pattern = NamePattern.parse(target).text
        await self._put_out_fitting(session, raw, pattern, sanction)
        done = await self._ban_names(session, raw, pattern, sanction, request)
        # Some may have joined before the ban was stored; no others can from then on.
        self._put_out_later(session, raw, pattern, sanction)
        return done

    def _put_out_later(self, session: Session, raw: str, pattern: str, sanction: Sanction) -> None:
        """Kick in the background: the reply tells of the ban before clients are told of this."""
        putting = Deferred.fromCoroutine(self._put_out_fitting(session, raw, pattern, sanction))
        run_in_background(putting, "putting out banned users")

    @repeated
    async def _ban_user(
        self,
        session: Session,
        raw: str,
        target: str,
        sanction: Sanction,
        request: RepeatableRequest | None,
    ) -> RoomAck:
        """Ban a user; a member is kicked by the same entry."""
        room, user = await self._authority.find(session.user, raw, target)
        _check_not_lobby(room)
        reason = self._authority.reason(session, room, sanction.reason)
        until = self._authority.until(sanction)
        account_id = user.id if user.registered else None
        name = user.name if user.registered else fold_user(user.name)
        if user.id not in room.members:
            return await self._store_ban(room, session, account_id, name, sanction, request)
        self._check_bans(room, account_id, name)
        entry = self._kicked(room, user, session.user.name, reason)
        entry = attrs.evolve(entry, banned=True, until=until)
        record = self._audit.record(
            "room_banned", session.actor, name=user.name, room=room.name, reason=reason
        )
        return await self._membership.put_out(room, entry, session, request, record)

    @repeated
    async def _ban_names(
        self,
        session: Session,
        raw: str,
        pattern: str,
        sanction: Sanction,
        request: RepeatableRequest | None,
    ) -> RoomAck:
        """Ban names that fit a pattern."""
        room = await self._authority.require(session.user, raw)
        _check_not_lobby(room)
        return await self._store_ban(room, session, None, pattern, sanction, request)

    async def _store_ban(
        self,
        room: Room,
        session: Session,
        account_id: int | None,
        name: str,
        sanction: Sanction,
        request: RepeatableRequest | None,
    ) -> RoomAck:
        """Store a ban that ends no membership."""
        self._check_bans(room, account_id, name)
        entry = UserBanned(
            room_name=room.name,
            usr=name,
            subject_id=account_id,
            by=session.user.name,
            reason=self._authority.reason(session, room, sanction.reason),
            until=self._authority.until(sanction),
            at=self._users.now(),
        )
        return await self._authority.append(room, entry, session, request, reason=entry.reason)

    def _check_bans(self, room: Room, account_id: int | None, name: str) -> None:
        """Check that a room may have a ban. Raises TooMany."""
        bans = room.moderation.lasting(self._users.now()).bans
        check_count(bans, ban_key(account_id, name), self._limits.bans_per_room)

    async def count_fitting(self, session: Session, raw: str, pattern: str) -> int:
        """Return how many members a ban of names would put out; nothing is done.

        Args:
            session: a session of a moderator.
            raw: the name of the room as it was typed.
            pattern: as of `ban`.

        Raises:
            NoSuchRoom, NotOwner, NotAllowed, BadRequest, NotStored.
        """
        room = await self._authority.require(session.user, raw)
        _check_not_lobby(room)
        fitting = await self._fitting(room, NamePattern.parse(pattern).text)
        return sum(self._may_put_out(session.user, room, *member) for member in fitting)

    async def _fitting(self, room: Room, pattern: str) -> list[tuple[int, str]]:
        """Return the members whose names fit a pattern: account id and name.

        Others are served meanwhile: 10,000 names with accents take 50 ms.
        """
        found, fits = list(room.members.items()), name_pattern(pattern).matches
        fitting: list[tuple[int, str]] = []
        for at in range(0, len(found), NAMES_AT_ONCE):
            if at:
                turn: Deferred[None] = Deferred()
                self._users.call_soon(turn.callback, None)
                await turn
            fitting += [one for one in found[at : at + NAMES_AT_ONCE] if fits(one[1])]
        return fitting

    def _may_put_out(self, user: User, room: Room, account_id: int, name: str) -> bool:
        """Return whether a moderator may put out a member: one of a lower rank."""
        own = rank_of(room, user.id, user.name)
        return account_id != user.id and rank_of(room, account_id, name) < own

    async def _put_out_fitting(
        self, session: Session, raw: str, pattern: str, sanction: Sanction
    ) -> None:
        """Kick the members whose names fit a pattern, but not those of the moderator's rank."""
        room = await self._authority.require(session.user, raw)
        _check_not_lobby(room)
        self._authority.reason(session, room, sanction.reason)
        self._authority.until(sanction)
        for account_id, _ in await self._fitting(room, pattern):
            await self._put_out(session, raw, account_id, sanction.reason)

    @repeated
    async def _put_out(self, session: Session, raw: str, account_id: int, reason: str) -> None:
        """Kick a member, unless the member has left or has got a rank.

        The moderator's session is sent the event too: its reply is that of the ban.
        """
        user = session.user
        room = await self._authority.require(user, raw)
        name = room.members.get(account_id)
        if name is None or not self._may_put_out(user, room, account_id, name):
            return
        registered = account_id not in room.guests
        member = ResolvedUser(account_id, name, registered, None, False, 0)
        entry = self._kicked(room, member, user.name, reason)
        record = self._audit.record(
            "kicked", session.actor, name=name, room=room.name, reason=reason
        )
        await self._membership.put_out(room, entry, None, None, record)

    @repeated
    async def unban(
        self, session: Session, raw: str, target: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """End a ban.

        Args:
            session: a session of a moderator.
            raw: the name of the room as it was typed.
            target: the name or the pattern that is banned, as it was typed.
            request: as in `Membership.create`.

        Raises:
            NoSuchRoom, NotOwner, NoSuchUser, TxnConflict, NotStored.
        """
        room = await self._authority.require(session.user, raw)
        name = fold_user(target[: PATTERN_CHARS + 1])
        found = (ban for ban in room.moderation.bans.values() if fold_user(ban.name) == name)
        ban = next(found, None)
        if ban is None:
            raise NoSuchUser("This name is not banned.")
        entry = UserUnbanned(
            room_name=room.name,
            usr=ban.name,
            subject_id=ban.account_id,
            by=session.user.name,
            at=self._users.now(),
        )
        return await self._authority.append(room, entry, session, request)


def _check_not_lobby(room: Room) -> None:
    """Raise NotAllowed if a room is the lobby, which every user is in."""
    if room.is_lobby:
        raise NotAllowed("Users can't be put out of the lobby. Mute them there.")
