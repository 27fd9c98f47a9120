"""The administrative commands: one table for all places where they can be given.

    gtchat admin WORDS     at the socket of a running server (`console`), or with --offline on the
                           database of a stopped one
    ADMIN WORDS            at the host console: standard input (`--console`) or `gtchat console`
    {"cmd": "admin", ...}  over the connection of an account with the operator mark

A row says which of these a command has. What a command may do is decided in the chat; here is how
it is called and what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zope.interface import implementer

from gtchat.chat.audit import Actor
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.chat import Chat
from gtchat.chat.errors import BadRequest, NotAllowed, UnknownCommand
from gtchat.chat.operators import IAdminCommands
from gtchat.server.admin import (
    access,
    accounts,
    bans,
    filters,
    limits,
    reports,
    rooms,
    running,
    storage,
)
from gtchat.server.admin.arguments import check_arguments
from gtchat.server.admin.command import AdminCommand, Call, Channel, nothing_to_reload
from gtchat.server.admin.output import Output
from gtchat.server.reload import Reloaded

#: Most characters of a command with its arguments in the audit log.
_AUDITED_CHARS = 100


async def _help(call: Call) -> Output:
    """List the commands that operators' accounts have."""
    return help_output(Channel.JSON)


#: Name -> command.
COMMANDS: dict[str, AdminCommand] = {
    command.name: command
    for command in (
        AdminCommand("help", _help, "list the commands of operators' accounts"),
        *access.ROWS,
        *accounts.ROWS,
        *rooms.ROWS,
        *running.ROWS,
        *bans.ROWS,
        *reports.ROWS,
        *filters.ROWS,
        *limits.ROWS,
        *storage.ROWS,
    )
}


def find_command(words: Sequence[str]) -> tuple[AdminCommand, list[str]] | None:
    """Return the command that words begin with, and the words behind its name; None for none."""
    for count in (2, 1):
        command = COMMANDS.get(" ".join(words[:count]).lower())
        if command is not None and len(words) >= count:
            return command, list(words[count:])
    return None


def _find_named(words: Sequence[str]) -> list[AdminCommand]:
    """Return the commands whose names begin with words."""
    words = [word.lower() for word in words]
    return [one for one in COMMANDS.values() if one.name.split()[: len(words)] == words]


def help_output(channel: Channel, words: Sequence[str] = ()) -> Output:
    """Return the list of the commands of a channel, and what they do.

    Args:
        channel: where they are given.
        words: those with which their names begin; their arguments are explained then.

    Raises:
        BadRequest: there are none.
    """
    rows = [command for command in _find_named(words) if channel in command.channels]
    if not rows:
        raise _unknown(words)
    data = [
        {"name": one.name, "command": one.usage, "help": one.help, "needs": one.needs}
        for one in rows
    ]
    lines = [line for one in rows for line in one.help_lines(bool(words))]
    return Output("\n".join(lines), {"commands": data})


@implementer(IAdminCommands)
class AdminCommands:
    """Runs the commands of the table on a chat.

    Args:
        chat: the chat.
        page: returns the address of its page, "" if that is not known.

    Attributes:
        reload: has the settings read again; set by the server.
    """

    def __init__(self, chat: Chat, page: Callable[[], str] = str) -> None:
        self._chat = chat
        self._page = page
        self.reload: Callable[[Actor], Reloaded] = nothing_to_reload

    async def run(self, actor: Actor, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run a command for the account of an operator; see `IAdminCommands.run`."""
        return (await self.call(actor, Channel.JSON, name, arguments)).data

    async def call(
        self,
        actor: Actor,
        channel: Channel,
        name: str,
        arguments: Mapping[str, object],
        progress: Progress = no_progress,
    ) -> Output:
        """Run a command.

        Args:
            actor: who gives it.
            channel: where it is given.
            name: its name.
            arguments: its arguments by name.
            progress: shows how far a long command is.

        Raises:
            UnknownCommand: there is none with that name.
            NotAllowed: it cannot be given there.
            BadRequest: an argument is missing, unknown or wrong.
            ChatError: what the command raises.
        """
        command = COMMANDS.get(name)
        if command is None:
            raise UnknownCommand("There is no such administrative command.")
        if channel not in command.channels:
            places = ", ".join(one.value for one in Channel if one in command.channels)
            raise NotAllowed(f"{name} cannot be given here, but by: {places}.")
        now = self._chat.users.now()
        values = check_arguments(command.arguments, arguments, now)
        call = Call(self._chat, actor, values, self._page(), self.reload, progress)
        output = await command.run(call)
        if command.audit == "admin_read":
            self._chat.audit.note("admin_read", actor, command=_audited(command, values))
        return output


def _audited(command: AdminCommand, values: Mapping[str, Any]) -> str:
    """Return a command with its arguments as the audit log has it."""
    given = [
        f"{one.name}={values[one.name]}" if one.option else str(values[one.name])
        for one in command.arguments
        if values[one.name] != one.default
    ]
    line = " ".join([command.name, *given])[:_AUDITED_CHARS]
    return "".join(each for each in line if each.isprintable())


def require_found(words: Sequence[str]) -> tuple[AdminCommand, list[str]]:
    """Return what `find_command` finds. Raises BadRequest: it finds nothing."""
    found = find_command(words)
    if found is None:
        raise _unknown(words)
    return found


def _unknown(words: Sequence[str]) -> BadRequest:
    """Return the error that there is no command with a name; it names those that were meant."""
    meant = ", ".join(one.name for one in _find_named(words[:1]))
    # The value of an option may be a secret.
    name = f"{' '.join(word.partition('=')[0] for word in words[:2])!r:.60}"
    return BadRequest(f"there is no command {name}" + (f", but: {meant}" if meant else ""))
