"""Messages, their changes and what was read of them as methods, for `Connection`: thin over `call`.

A txn is added to each call that has none, so that a request that is sent again is done once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import attrs

from gtchat.client.events import ChatMessage, Direct, Event
from gtchat.client.moderation_actions import ModerationActions
from gtchat.client.replies import Version
from gtchat.client.resumable import resumable


@attrs.frozen
class Ack:
    """What the server says of a message or a change that it has stored.

    Attributes:
        id: the message id, None for a change.
        seq: its number in the log of the room, None if there was nothing to change.
        at: when it was stored, aware; None if there was nothing to change.
        duplicate: whether an earlier request with the same txn stored it.
    """

    id: str | None
    seq: int | None
    at: datetime | None
    duplicate: bool


@attrs.frozen
class Found:
    """Messages that a search has found.

    Attributes:
        entries: the messages, newest first.
        next: `before` for the next page, None if there are no more.
        incomplete: whether the server has ended the search because of its time; the next page
            goes on from there.
    """

    entries: tuple[ChatMessage, ...]
    next: str | None
    incomplete: bool


class MessageActions(ModerationActions):
    """What a user does with messages, and what `ModerationActions` has.

    `room` is the name of a room, or a direct conversation, such as `Direct(user="bob")`; `seq` is
    the number of a message in its log. Each method raises what `call` raises, and CommandFailed
    with the codes of docs/protocol.md.
    """

    async def speak(
        self,
        room: str | Direct,
        text: str,
        *,
        reply: int | None = None,
        style: str | None = None,
        txn: str | None = None,
    ) -> Ack:
        """Send a message.

        Args:
            room: the room.
            text: the text.
            reply: seq of the message that it replies to.
            style: "action" for what the user does.
            txn: the idempotency key.
        """
        return await self._ack("speak", room, msg=text, reply=reply, style=style, txn=txn)

    async def whisper(
        self,
        user: str,
        text: str,
        *,
        reply: int | None = None,
        style: str | None = None,
        txn: str | None = None,
    ) -> Ack:
        """Send a direct message; the arguments are those of `speak`."""
        return await self.speak(Direct(user=user), text, reply=reply, style=style, txn=txn)

    @resumable
    async def directs(self) -> AsyncIterator[Direct]:
        """Yield the direct conversations of the user, newest first, page by page."""
        before: dict[str, str] = {}
        while True:
            page = await self.call("get_direct_list", **before)
            for direct in page.directs:
                yield direct
            if not page.next:
                return
            before = {"before": page.next}

    async def edit(self, room: str | Direct, seq: int, text: str, *, txn: str | None = None) -> Ack:
        """Give a message of the user's own another text."""
        return await self._ack("edit", room, seq=seq, msg=text, txn=txn)

    async def delete(
        self, room: str | Direct, seq: int, *, reason: str | None = None, txn: str | None = None
    ) -> Ack:
        """Delete a message."""
        return await self._ack("delete", room, seq=seq, reason=reason, txn=txn)

    async def react(
        self, room: str | Direct, seq: int, emoji: str, *, on: bool = True, txn: str | None = None
    ) -> Ack:
        """React to a message with an emoji; with `on` False, take that back."""
        return await self._ack("react", room, seq=seq, emoji=emoji, on=on, txn=txn)

    async def pin(self, room: str | Direct, seq: int, *, txn: str | None = None) -> Ack:
        """Pin a message."""
        return await self._ack("pin", room, seq=seq, txn=txn)

    async def unpin(self, room: str | Direct, seq: int, *, txn: str | None = None) -> Ack:
        """Unpin a message."""
        return await self._ack("unpin", room, seq=seq, txn=txn)

    async def report(self, room: str | Direct, seq: int, *, reason: str | None = None) -> int:
        """Report a message to those who moderate it; return the number of the report."""
        return (await self._command("report", **target(room), seq=seq, reason=reason)).report_id

    async def versions(self, room: str | Direct, seq: int) -> tuple[Version, ...]:
        """Return the texts that a message had, oldest first, and the one that it has."""
        return (await self.call("versions", **target(room), seq=seq)).versions

    async def search(
        self,
        q: str,
        *,
        room: str | Direct | None = None,
        user: str | None = None,
        before: str | None = None,
        limit: int | None = None,
    ) -> Found:
        """Find messages in the rooms and direct conversations of the user.

        Args:
            q: the query, see docs/protocol.md.
            room: search this room or direct conversation only.
            user: find messages of this user only.
            before: `next` of an earlier page.
            limit: maximum number of messages, up to 50.
        """
        fields = {"usr": user, "before": before, "limit": limit}
        place = {} if room is None else target(room)
        reply = await self._command("search", q=q, **place, **fields)
        return Found(_messages(reply.entries), reply.next or None, reply.incomplete)

    async def mark_read(self, room: str | Direct, seq: int) -> None:
        """Mark a room or a direct conversation as read up to an entry."""
        await self.call("mark_read", **target(room), seq=seq)

    async def mark_unread(self, room: str | Direct, seq: int) -> int:
        """Mark a room as unread from an entry on; return the last entry that counts as read."""
        return (await self.call("mark_unread", **target(room), seq=seq)).read_seq

    async def set_notify(self, room: str | Direct, level: str) -> None:
        """Set of which messages of a room the user is notified: all, mentions or none."""
        await self.call("set_notify", **target(room), level=level)

    @resumable
    async def mentions(self) -> AsyncIterator[ChatMessage]:
        """Yield the messages that mention the user, newest first; pages are read as needed."""
        position: dict[str, str] = {}
        while True:
            page = await self.call("get_mentions", **position)
            for entry in _messages(page.entries):
                yield entry
            if not page.next:
                return
            position = {"before": page.next}

    async def _ack(self, cmd: str, room: str | Direct, **fields: Any) -> Ack:
        """Send a command without the fields that are None; return its ack."""
        reply = await self._command(cmd, **target(room), **fields)
        return Ack(reply.id, reply.seq, reply.at, reply.dup)


def _messages(entries: tuple[Event, ...]) -> tuple[ChatMessage, ...]:
    """Return the messages among some entries."""
    return tuple(entry for entry in entries if isinstance(entry, ChatMessage))


def target(room: str | Direct) -> dict[str, Any]:
    """Return the fields of a request that say what it is about."""
    return {"room_name": room} if isinstance(room, str) else dict(room.target)
