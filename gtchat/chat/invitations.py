"""Invitations: a member invites a user to a room, who answers yes, no or later.

An invitation is pending until it is answered, the user joins, its sender is no longer a member, or
the room is deleted (`Delivery` tells the user). A user who is not logged in gets it at the next
login.
"""

from __future__ import annotations

from gtchat.chat.errors import AlreadyInRoom, BadRequest, Blocked, NotAllowed
from gtchat.chat.events import InvitationEnded, InviteAnswered, Invited
from gtchat.chat.interfaces import Ack, InvitationLimits, RepeatableRequest
from gtchat.chat.membership import Membership
from gtchat.chat.moderation import check_ban
from gtchat.chat.repeats import RoomAck
from gtchat.chat.repetition import repeated
from gtchat.chat.state import State
from gtchat.chat.told import Told
from gtchat.chat.users import Session


class Invitations:
    """Sends and answers invitations.

    Args:
        state: the chat's shared objects.
        membership: makes users who accept members.
    """

    def __init__(self, state: State, membership: Membership) -> None:
        self._store = state.store
        self._users = state.users
        self._quota = state.quota
        self._limits = state.limits
        self._directory = state.directory
        self._loader = state.loader
        self._membership = membership
        self._panic = state.access.panic

    async def invite(
        self, session: Session, raw: str, invitee: str, request: RepeatableRequest | None = None
    ) -> RoomAck:
        """Invite a user to a room. If the same invitation is pending, nothing is sent.

        Args:
            session: a session of a member.
            raw: the name of the room as it was typed.
            invitee: the name of the user as it was typed.
            request: what asked for it, if that may be repeated; see `Repeats`.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, SelfTarget, AlreadyInRoom, BannedFromRoom, Blocked,
                SlowMode, TxnConflict, NotStored.
            NotAllowed: too many invitations are pending.
        """
        inviter = session.user
        await self._loader.require_member(raw, inviter)
        target = await self._directory.resolve_other(invitee, inviter)
        room = await self._loader.require_member(raw, inviter)
        if room.is_lobby or target.id in room.members:
            raise AlreadyInRoom("This user is already a member.")
        check_ban(room, target.id, target.name, self._users.now())
        if target.blocks_asker:
            raise Blocked()
        self._panic.check(session)
        user = self._users.get_by_id(target.id)
        online = user is not None and bool(user.sessions)
        event = _with_text(
            Invited(room_name=room.name, usr=inviter.name, msg="", at=self._users.now())
        )
        self._quota.check_space()
        is_new = await self._store.invite(
            room.id,
            target.id,
            inviter.id,
            event,
            online,
            self._pending(),
            request,
            (Told(target.id, event, inviter.id),),
        )
        if is_new:
            self._push(target.id, event, online)
        return RoomAck(None, Ack("", 0, event.at))

    def _pending(self) -> InvitationLimits:
        """Return how many invitations can be pending, by the settings of this moment."""
        limits = self._limits
        return InvitationLimits(
            invited=limits.invitations_per_user,
            pair=limits.invitations_per_pair,
            inviter=limits.invitations_per_inviter,
        )

    def _push(self, account_id: int, event: Invited, online: bool) -> None:
        """Send a stored invitation to its user.

        Args:
            account_id: the invited account.
            event: the invitation.
            online: whether the user was online when it was queued. If not, a session that began
                since then either has it in the reply to its login, or is sent it after that; but
                the reply to a login that was queued earlier does not have it.
        """
        user = self._users.get_by_id(account_id)
        for session in user.sessions if user is not None else ():
            if online or session.marks_read:
                session.send(event)

    @repeated
    async def answer(
        self,
        session: Session,
        inviter: str,
        raw: str,
        reply: str,
        request: RepeatableRequest | None = None,
    ) -> RoomAck:
        """Answer an invitation.

        The inviter is told, unless the inviter blocks the user; a second "later" is not told.

        Args:
            session: a session of the invited user.
            inviter: the name of the user who sent it, as it was typed.
            raw: the name of the room as it was typed.
            reply: Y to join the room, N to decline, L to get the invitation again at the next
                login.
            request: as in `invite`.

        Returns:
            The ack, with the room if the user joined it.

        Raises:
            BadRequest, NoSuchRoom, NoSuchUser, AlreadyInRoom, RoomFull, TxnConflict, NotStored.
            NotAllowed: there is no such invitation.
            PrivateRoom: it has ended meanwhile.
        """
        if reply not in ("Y", "N", "L"):
            raise BadRequest("reply: must be Y, N or L.")
        user = session.user
        room = await self._loader.find(raw)
        sender = await self._directory.resolve(inviter)
        if not await self._store.is_invited(room.id, user.id, sender.name):
            raise NotAllowed("There is no such invitation.")
        now = self._users.now()
        answer = InviteAnswered(room_name=room.name, usr=user.name, reply=reply, at=now)
        ended = InvitationEnded(room_name=room.name, usr=sender.name, at=now)
        told = Told(sender.id, answer, user.id)
        changed, answered = True, RoomAck(None, Ack("", 0, now))
        if reply == "Y":
            answered = await self._membership.enter(room, user, session, True, request, (told,))
        else:
            tells = (told, Told(user.id, ended)) if reply == "N" else (told,)
            changed = await self._store.answer_invitation(
                room.id, user.id, sender.name, reply == "L", request, tells
            )
        if changed:
            self._push_answer(told)
        if reply == "N":  # the other sessions see that the user has joined
            user.send(ended, exclude=session)
        return answered

    def _push_answer(self, told: Told) -> None:
        """Tell the inviter the answer, unless the inviter blocks the user."""
        inviter = self._users.get_by_id(told.account_id)
        if inviter is not None and told.sender_id not in inviter.blocked:
            inviter.send(told.event)

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session the invitations that came while its user was not logged in.

        Raises:
            NotStored: they are sent at the next login.
        """
        found = await self._store.invitations(session.user.id)
        told = session.pending.invitations if session.pending is not None else ()
        for event in map(_with_text, found):
            if event not in told:
                session.send(event)


def _with_text(event: Invited) -> Invited:
    """Return an invitation with the text that users read."""
    return Invited(
        room_name=event.room_name,
        usr=event.usr,
        msg=f"{event.usr} invites you to {event.room_name}.",
        at=event.at,
    )
