"""Invitations: a member invites a user to a room, who answers yes, no or later.

They are stored, so that a user who is not logged in gets them at the next login.
"""

from __future__ import annotations

from gtchat.chat.errors import AlreadyInRoom, BadRequest, Blocked, NotAllowed
from gtchat.chat.events import InviteAnswered, Invited
from gtchat.chat.membership import Membership
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
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
        self._directory = state.directory
        self._rooms = state.rooms
        self._membership = membership

    async def invite(self, session: Session, raw: str, invitee: str) -> None:
        """Invite a user to a room.

        Args:
            session: a session of a member.
            raw: the name of the room as it was typed.
            invitee: the name of the user as it was typed.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, SelfTarget, AlreadyInRoom, Blocked, NotStored.
        """
        room = self._rooms.require_member(raw, session.user)
        target = await self._directory.resolve_other(invitee, session.user)
        if room.is_lobby or target.id in room.members:
            raise AlreadyInRoom("This user is already a member.")
        if target.blocks_asker:
            raise Blocked()
        self._quota.check_space()
        online = target.user is not None and bool(target.user.sessions)
        at = self._users.now()
        await self._store.invite(room.id, target.id, session.user.name, online, at)
        if online and target.user is not None:
            event = Invited(room_name=room.name, usr=session.user.name, msg="", at=at)
            target.user.send(_with_text(event))

    async def answer(self, session: Session, inviter: str, raw: str, reply: str) -> Room | None:
        """Answer an invitation.

        Args:
            session: a session of the invited user.
            inviter: the name of the user who sent it, as it was typed.
            raw: the name of the room as it was typed.
            reply: Y to join the room, N to decline, L to get the invitation again at the next
                login.

        Returns:
            The room if the user joined it, else None.

        Raises:
            BadRequest, NoSuchRoom, NoSuchUser, AlreadyInRoom, RoomFull, NotStored.
            NotAllowed: there is no such invitation.
        """
        if reply not in ("Y", "N", "L"):
            raise BadRequest("reply: must be Y, N or L.")
        room = self._rooms.find(raw)
        sender = await self._directory.resolve(inviter)
        if not await self._store.is_invited(room.id, session.user.id, sender.name):
            raise NotAllowed("There is no such invitation.")
        if reply == "Y":
            await self._membership.enter(room, session.user, session)
        else:
            await self._store.end_invitations(room.id, session.user.id, sender.name, reply == "L")
        if sender.user is not None:
            sender.user.send(
                InviteAnswered(
                    room_name=room.name,
                    usr=session.user.name,
                    reply=reply,
                    at=self._users.now(),
                )
            )
        return room if reply == "Y" else None

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session the invitations that came while its user was not logged in.

        Raises:
            NotStored: they are sent at the next login.
        """
        for event in await self._store.invitations(session.user.id, True):
            session.send(_with_text(event))


def _with_text(event: Invited) -> Invited:
    """Return an invitation with the text that users read."""
    return Invited(
        room_name=event.room_name,
        usr=event.usr,
        msg=f"{event.usr} invites you to {event.room_name}.",
        at=event.at,
    )
