"""What moderators of rooms do as methods, for `Connection`: thin over `call`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from gtchat.client.account_actions import AccountActions
from gtchat.client.replies import Reply, Report
from gtchat.client.resumable import resumable


class ModerationActions(AccountActions):
    """What the owner and the moderators of a room do; `room` is its name.

    See "Roles and moderation" in docs/protocol.md. `txn` is as of `AccountActions`. Each method
    raises what `call` raises, and CommandFailed with the codes of that page.
    """

    async def set_role(self, room: str, user: str, role: str, *, txn: str | None = None) -> None:
        """Give a member a role, `moderator` or `voice`; "" takes it."""
        await self._command("set_role", room_name=room, user=user, role=role, txn=txn)

    async def ban(
        self,
        room: str,
        user: str,
        *,
        reason: str | None = None,
        seconds: int | None = None,
        txn: str | None = None,
    ) -> None:
        """Ban a user from a room.

        Args:
            room: the room.
            user: the user, or a pattern of names in which `*` stands for any characters.
            reason: why.
            seconds: for how long, 0 for no end.
            txn: the idempotency key.
        """
        fields = {"reason": reason, "seconds": seconds, "txn": txn}
        await self._command("ban", room_name=room, user=user, **fields)

    async def unban(self, room: str, user: str, *, txn: str | None = None) -> None:
        """End a ban; `user` is the name or the pattern that is banned."""
        await self._command("unban", room_name=room, user=user, txn=txn)

    async def mute(
        self,
        room: str,
        user: str,
        *,
        reason: str | None = None,
        seconds: int | None = None,
        txn: str | None = None,
    ) -> None:
        """Mute a member of a room; the arguments are those of `ban`."""
        fields = {"reason": reason, "seconds": seconds, "txn": txn}
        await self._command("mute", room_name=room, user=user, **fields)

    async def unmute(self, room: str, user: str, *, txn: str | None = None) -> None:
        """End that a user is muted."""
        await self._command("unmute", room_name=room, user=user, txn=txn)

    async def moderation(self, room: str, *, pattern: str | None = None) -> Reply:
        """Return roles, mutes and bans of a room; its `raw` has the fields of the reply.

        Args:
            room: the room.
            pattern: a pattern of names; `matches` of the reply says how many members a ban of it
                would put out.
        """
        return await self._command("get_moderation", room_name=room, pattern=pattern)

    async def delete_messages(self, room: str, user: str, *, reason: str | None = None) -> int:
        """Delete what a user said within the last hour; return how many messages that were."""
        reply = await self._command("delete_messages", room_name=room, user=user, reason=reason)
        return int(reply.raw["deleted"])

    @resumable
    async def reports(
        self, room: str | None = None, *, own: bool = False, answered: bool = False
    ) -> AsyncIterator[Report]:
        """Yield reports, newest first; pages are read as needed.

        Args:
            room: of messages of this room, for its moderators; None for all, for operators.
            own: those that the user has made.
            answered: also those that are answered.
        """
        position: dict[str, Any] = {} if room is None else {"room_name": room}
        while True:
            page = await self.call("get_reports", own=own, answered=answered, **position)
            for report in page.reports:
                yield report
            if not page.next:
                return
            position["before"] = page.next

    async def answer_report(self, id: int, outcome: str, *, answer: str | None = None) -> None:
        """Answer a report.

        Args:
            id: that of its `Report`.
            outcome: `accepted` or `dismissed`.
            answer: what the user who reported is told.
        """
        await self._command("answer_report", report_id=id, outcome=outcome, answer=answer)
