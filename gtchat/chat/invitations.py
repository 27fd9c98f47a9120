"""Invitations: into a room, answered yes, no or later; kept for those who are away."""

from __future__ import annotations

from gtchat.chat.errors import (
    AlreadyInRoom,
    BadRequest,
    Blocked,
    NotAllowed,
)
from gtchat.chat.events import InviteAnswered, Invited
from gtchat.chat.interfaces import IStore
from gtchat.chat.membership import Membership
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.users import Session, UserDirectory, UserRegistry


class Invitations:
    """Who is invited where."""

    def __init__(
        self,
        store: IStore,
        users: UserRegistry,
        directory: UserDirectory,
        rooms: RoomRegistry,
        membership: Membership,
    ) -> None:
        self._store = store
        self._users = users
        self._directory = directory
        self._rooms = rooms
        self._membership = membership

    async def invite(self, session: Session, raw: str, invitee: str) -> None:
        """Invite somebody into a room that one belongs to.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, SelfTarget, AlreadyInRoom, Blocked, NotStored.
        """
        room = self._rooms.require_member(raw, session.user)
        person = await self._directory.resolve_other(invitee, session.user)
        if room.is_lobby or person.id in room.members:
            raise AlreadyInRoom("This user is a member already.")
        if person.blocks_asker:
            raise Blocked()
        here = person.user is not None and bool(person.user.sessions)
        at = self._users.now()
        await self._store.invite(room.id, person.id, session.user.name, here, at)
        if here and person.user is not None:
            person.user.send(
                _invited(Invited(room_name=room.name, usr=session.user.name, msg="", at=at))
            )

    async def answer(self, session: Session, inviter: str, raw: str, reply: str) -> Room | None:
        """Answer an invitation.

        Args:
            reply: Y to enter the room, N not to, L to be asked again at the next login.

        Returns:
            The room, if entered.

        Raises:
            BadRequest, NoSuchRoom, NoSuchUser, NotAllowed (not invited), AlreadyInRoom, RoomFull,
            NotStored.
        """
        if reply not in ("Y", "N", "L"):
            raise BadRequest("reply: Y, N or L is wanted.")
        room = self._rooms.find(raw)
        person = await self._directory.resolve(inviter)
        if not await self._store.is_invited(room.id, session.user.id, person.name):
            raise NotAllowed("There is no such invitation.")
        if reply == "Y":
            await self._membership.enter(room, session.user, session)
        else:
            await self._store.end_invitations(room.id, session.user.id, person.name, reply == "L")
        if person.user is not None:
            person.user.send(
                InviteAnswered(
                    room_name=room.name,
                    usr=session.user.name,
                    reply=reply,
                    at=self._users.now(),
                )
            )
        return room if reply == "Y" else None

    async def deliver_pending(self, session: Session) -> None:
        """Tell a session that has begun what its user was invited to while away.

        Raises:
            NotStored: it is told at the next login.
        """
        for event in await self._store.invitations(session.user.id, True):
            session.send(_invited(event))


def _invited(event: Invited) -> Invited:
    """The invitation with its words for a person."""
    return Invited(
        room_name=event.room_name,
        usr=event.usr,
        msg=f"{event.usr} invites you to {event.room_name}.",
        at=event.at,
    )
