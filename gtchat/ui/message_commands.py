"""Commands about messages: which message and which place one is about.

`Interpreter` runs them; what is shown of the answers is in `rendering`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import attrs

from gtchat.client import ChatMessage, Connection, Reply
from gtchat.ui.commands import COMMANDS, CommandContext, InputError, Newest, ParsedCommand
from gtchat.ui.tui.emoji import EMOJI

#: Messages among which the newest one of a user is looked for.
LOOKED_AT = 50
NO_MESSAGE: dict[Newest, str] = {
    "own": "there is no new message of yours here: name one by its number, such as #12",
    "other": "there is no new message of another user here: name one by its number, such as #12",
    "any": "there is no new message here: name one by its number, such as #12",
}


class MessageCommands(ABC):
    """What `Interpreter` has for commands about messages."""

    _connection: Connection
    _context: CommandContext

    @abstractmethod
    async def _call(self, cmd: str, **fields: Any) -> Reply:
        """Send a command and return its reply."""

    @abstractmethod
    async def _send_message(self, text: str, **notes: Any) -> None:
        """Send a message to the current room or user. notes: its `reply` and `style`."""

    async def _run_reply(self, msg: str, seq: int) -> None:
        await self._send_message(msg, reply=seq)

    async def _newest_message(self, whose: Newest) -> int:
        """Return the number of the newest message in the current place, 0 if there is none."""
        place = self._context.place
        if not place:
            return 0
        page = await self._call("history", **place, kinds=["c_speak"], limit=LOOKED_AT)
        me = self._connection.user
        found = (
            one.seq
            for one in reversed(page.entries)
            if isinstance(one, ChatMessage)
            and one.seq is not None
            and not one.blocked
            and one.deleted is None
            and is_of(whose, one.user == me)
        )
        return next(found, 0)

    async def _complete(self, parsed: ParsedCommand) -> ParsedCommand:
        """Return a command with the message that it is about, and its emoji.

        Raises:
            InputError: there is no such message, or the command was meant for something else.
        """
        fields, newest = dict(parsed.fields), parsed.command.newest
        if not newest:
            return parsed
        if parsed.command.name == "delete" and "reason" in fields and "seq" not in fields:
            raise InputError(
                "to delete a message with a reason: /delete #NUMBER REASON; "
                "to delete a room: /delete-room ROOM"
            )
        if "seq" not in fields:
            fields["seq"] = await self._newest_message(newest)
            if not fields["seq"]:
                raise InputError(NO_MESSAGE[newest])
        if "emoji" in fields:
            fields["emoji"] = EMOJI.get(fields["emoji"].strip(":"), fields["emoji"])
        return attrs.evolve(parsed, fields=fields)


def is_of(whose: Newest, is_own: bool) -> bool:
    """Return whether a message can be meant. is_own: whether it is one of the user."""
    return whose == "any" or is_own == (whose == "own")


def unread_command(place: dict[str, str], seq: int) -> ParsedCommand:
    """Return the command that marks a place as unread from a message on."""
    return ParsedCommand(COMMANDS["unread"], {**place, "seq": seq})
