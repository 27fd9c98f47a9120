"""Rooms, users, sessions and invitations as methods, for `Connection`: thin over `call`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Literal

from gtchat.client.replies import Reply, Room, SessionInfo
from gtchat.client.resumable import resumable

#: Items of a list in one request.
LIST_SIZE = 1_000


class Caller:
    """What the methods of a connection are built on."""

    @abstractmethod
    async def call(self, cmd: str, /, **fields: Any) -> Reply:
        """Send a command and return its reply."""


class AccountActions(Caller):
    """What a user does with rooms, users, the own sessions and invitations.

    `txn` is the idempotency key: a command that is sent again with the same one is done once.
    Without it each call has one of its own.
    Each method raises what `call` raises, and CommandFailed with the codes of docs/protocol.md.
    """

    async def join(self, room: str, *, txn: str | None = None) -> Room | None:
        """Join a room; return it."""
        return (await self._command("join_room", room_name=room, txn=txn)).room

    async def leave(self, room: str, *, txn: str | None = None) -> None:
        """Leave a room."""
        await self._command("leave_room", room_name=room, txn=txn)

    async def create_room(
        self,
        room: str,
        *,
        public: bool | None = None,
        topic: str | None = None,
        max: int | None = None,
        preview: bool | None = None,
        moderated: bool | None = None,
        slow: int | None = None,
        keep_messages: int | None = None,
        keep_days: int | None = None,
        txn: str | None = None,
    ) -> Room | None:
        """Create a room, whose owner the user becomes; return it.

        Args:
            room: its name.
            public: whether all users can join it; default: yes.
            topic: its topic.
            max: maximum number of members; 0: no limit.
            preview: whether users who are not members can read its newest messages.
            moderated: whether members need a role to speak.
            slow: seconds between two messages of a member; 0: none.
            keep_messages, keep_days: how many of its newest messages, and for how many days they
                are kept; 0: as the server keeps them.
            txn: the idempotency key.
        """
        settings = {
            "public": public,
            "topic": topic,
            "max": max,
            "preview": preview,
            "moderated": moderated,
            "slow": slow,
            "keep_messages": keep_messages,
            "keep_days": keep_days,
        }
        return (await self._command("create_room", room_name=room, txn=txn, **settings)).room

    async def kick(
        self, room: str, user: str, *, reason: str | None = None, txn: str | None = None
    ) -> None:
        """Kick a member out of a room that the user owns or moderates."""
        await self._command("kick", room_name=room, user=user, reason=reason, txn=txn)

    @resumable
    async def rooms(self, *, joined: bool = False) -> AsyncIterator[Room]:
        """Yield the lobby, the rooms of the user and the other public rooms, page by page.

        Args:
            joined: yield only rooms of the user.
        """
        position: dict[str, Any] = {"joined": True} if joined else {}
        while True:
            page = await self.call("get_room_list", limit=LIST_SIZE, **position)
            for room in page.rooms:
                yield room
            if not page.rooms_next or not page.rooms:
                return
            position["after"] = page.rooms_next

    @resumable
    async def users(self) -> AsyncIterator[str]:
        """Yield the names of the users who are online, page by page."""
        async for name in self._names("get_user_list"):
            yield name

    @resumable
    async def members(self, room: str) -> AsyncIterator[str]:
        """Yield the names of the members of a room, page by page."""
        async for name in self._names("get_room_user_list", room_name=room):
            yield name

    async def _names(self, cmd: str, **fields: Any) -> AsyncIterator[str]:
        """Yield the names of a list."""
        while True:
            page = await self.call(cmd, limit=LIST_SIZE, **fields)
            for name in page.users:
                yield name
            # The total can get smaller meanwhile: it does not tell how many follow a later page.
            if len(page.users) in (0, page.users_total):
                return
            fields["after"] = page.users[-1]

    async def _command(self, cmd: str, **fields: Any) -> Reply:
        """Send a command without the fields that are None, and return its reply."""
        return await self.call(cmd, **{k: v for k, v in fields.items() if v is not None})

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """Return where the user is logged in, oldest first."""
        return (await self.call("get_sessions")).sessions

    async def end_session(self, id: str) -> None:
        """End another session of the user. id: that of its `SessionInfo`."""
        await self.call("end_session", id=id)

    async def end_other_sessions(self) -> None:
        """End all other sessions of the user."""
        await self.call("end_other_sessions")

    async def set_profile(
        self,
        *,
        about: str | None = None,
        colour: int | None = None,
        hide_last_seen: bool | None = None,
    ) -> None:
        """Change the profile of the user; what is None stays as it is.

        Args:
            about: what the user says, at most 300 characters; "" for nothing.
            colour: hue of the avatar in degrees, 0 to 359; -1 for that of the name.
            hide_last_seen: whether others are not told when the user was there last.
        """
        fields = {"about": about, "colour": colour, "hide_last_seen": hide_last_seen}
        await self._command("set_profile", **fields)

    async def export_account(self, password: str) -> str:
        """Ask for an export of all that is stored of the user, once a day.

        Args:
            password: the password of the user.

        Returns:
            Its path below the address of the page, which is good once, for ten minutes.
        """
        path: str = (await self._command("export_account", pwd=password)).raw["path"]
        return path

    async def delete_account(
        self,
        password: str,
        *,
        messages: Literal["keep", "erase"] | None = None,
        directs: Literal["keep", "erase"] | None = None,
    ) -> None:
        """Delete the account of the user for good; the connection ends.

        Args:
            password: the password of the user.
            messages: whether messages in rooms are kept, without the name, or erased.
            directs: the same of direct messages. Both are kept by default.
        """
        fields = {"pwd": password, "messages": messages, "directs": directs}
        await self._command("delete_account", **fields)

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
