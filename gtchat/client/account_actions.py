"""Sessions and invitations as methods, for `Connection`: thin over `call`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

from gtchat.client.messages import Reply, Room, SessionInfo


class Caller:
    """What the methods of a connection are built on."""

    @abstractmethod
    async def call(self, cmd: str, /, **fields: Any) -> Reply:
        """Send a command and return its reply."""


class AccountActions(Caller):
    """What a user does with the own sessions and with invitations.

    Each method raises what `call` raises, and CommandFailed with the codes of docs/protocol.md.
    """

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """Return where the user is logged in, oldest first."""
        return (await self.call("get_sessions")).sessions

    async def end_session(self, id: str) -> None:
        """End another session of the user. id: that of its `SessionInfo`."""
        await self.call("end_session", id=id)

    async def end_other_sessions(self) -> None:
        """End all other sessions of the user."""
        await self.call("end_other_sessions")

    async def invite(self, room: str, user: str) -> None:
        """Invite a user to a room."""
        await self.call("invite", room_name=room, invitee=user)

    async def answer_invitation(
        self, room: str, user: str, answer: Literal["Y", "N", "L"]
    ) -> Room | None:
        """Answer an invitation.

        Args:
            room: the room.
            user: who has sent the invitation.
            answer: Y for yes, N for no, L for later.

        Returns:
            The room that the user is in now, None unless the answer was Y.
        """
        reply = await self.call("invite_reply", inviter=user, room_name=room, reply=answer)
        return reply.room
