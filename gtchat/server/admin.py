"""The administrative commands: one table for all places where they can be given.

    gtchat admin WORDS     at the socket of a running server (`console`), or with --offline on the
                           database of a stopped one
    ADMIN WORDS            at the host console: standard input (`--console`) or `gtchat console`
    {"cmd": "admin", ...}  over the connection of an account with the operator mark

A row says which of these a command has. What a command may do is decided in the chat; here is how
it is called and what it returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import attrs
from zope.interface import implementer

from gtchat.chat.audit import Actor
from gtchat.chat.chat import Chat
from gtchat.chat.errors import BadRequest, NotAllowed, UnknownCommand
from gtchat.chat.operators import IAdminCommands
from gtchat.server import admin_accounts, admin_rooms
from gtchat.server.admin_accounts import PAGE_LIMIT, Call
from gtchat.server.admin_arguments import Argument, check_arguments
from gtchat.server.admin_output import Output, table


class Channel(Enum):
    """Where commands can be given."""

    CONSOLE = "gtchat admin"
    OFFLINE = "gtchat admin --offline"
    HOST = "host console"
    JSON = "operators' accounts"


EVERYWHERE = frozenset(Channel)
AT_SERVER = EVERYWHERE - {Channel.JSON}
#: Where a password can be given without being seen.
WITH_SECRETS = EVERYWHERE - {Channel.HOST}
RUNNING = EVERYWHERE - {Channel.OFFLINE}
#: Most characters of a command with its arguments in the audit log.
_AUDITED_CHARS = 100


@attrs.frozen
class AdminCommand:
    """A row of the table.

    Attributes:
        name: one or two words.
        run: runs it.
        help: what it does.
        arguments: its arguments.
        channels: where it can be given.
        needs: what has to be so, "" for nothing.
        audit: code of the record that it writes to the audit log.
    """

    name: str
    run: Callable[[Call], Awaitable[Output]]
    help: str
    arguments: tuple[Argument, ...] = ()
    channels: frozenset[Channel] = EVERYWHERE
    needs: str = ""
    audit: str = "admin_read"

    @property
    def usage(self) -> str:
        """The command as it is written on a line."""
        return " ".join(filter(None, [self.name, *(one.usage for one in self.arguments)]))

    @property
    def described(self) -> str:
        """What it does, and what has to be so."""
        return f"{self.help} ({self.needs})" if self.needs else self.help

    @property
    def secret(self) -> Argument | None:
        """The argument that is not written on a line, None if there is none."""
        return next((one for one in self.arguments if one.kind == "secret"), None)


async def _help(call: Call) -> Output:
    """List the commands that operators' accounts have."""
    rows = [command for command in COMMANDS.values() if Channel.JSON in command.channels]
    described = [{"command": one.usage, "help": one.help, "needs": one.needs} for one in rows]
    data = [{**row, "name": one.name} for row, one in zip(described, rows, strict=True)]
    return Output("\n".join(table(described)), {"commands": data})


_ACCOUNT = Argument("name", "the name of the account")
_PASSWORD = Argument("password", "the new password", "secret")
_ROOM = Argument("name", "the name of the room")
_LIMIT = Argument(
    "limit", "items of a page", "number", option=True, default=100, maximum=PAGE_LIMIT
)
_SEARCH = Argument("search", "part of the name", option=True)
_AFTER = Argument("after", "the name that the page begins behind", option=True)

_ROWS = (
    AdminCommand("help", _help, "list the commands of operators' accounts"),
    AdminCommand(
        "accounts list",
        admin_accounts.list_accounts,
        "list accounts by name",
        (
            _SEARCH,
            _AFTER,
            _LIMIT,
            Argument("guests", "temporary accounts, too", "flag", option=True, default=False),
            Argument("operators", "operators only", "flag", option=True, default=False),
        ),
    ),
    AdminCommand("accounts show", admin_accounts.show_account, "show an account", (_ACCOUNT,)),
    AdminCommand(
        "accounts create",
        admin_accounts.create_account,
        "create an account with a password",
        (_ACCOUNT, _PASSWORD),
        WITH_SECRETS,
        audit="account_created",
    ),
    AdminCommand(
        "accounts rename",
        admin_accounts.rename_account,
        "rename an account; its old name is reserved for it for 30 days",
        (_ACCOUNT, Argument("new_name", "the new name")),
        needs="the account is not logged in",
        audit="account_renamed",
    ),
    AdminCommand(
        "accounts set-password",
        admin_accounts.set_password,
        "set the password of an account, and end its sessions",
        (_ACCOUNT, _PASSWORD),
        WITH_SECRETS,
        needs="of operators: at the server",
        audit="password_set",
    ),
    AdminCommand(
        "accounts login-link",
        admin_accounts.login_link,
        "make a link that logs an account in once, within a day",
        (_ACCOUNT,),
        needs="of operators: at the server",
        audit="login_link",
    ),
    AdminCommand(
        "accounts operator",
        admin_accounts.set_operator,
        "give an account the operator mark, or take it",
        (_ACCOUNT, Argument("on", "whether it has the mark", "choice", choices=("on", "off"))),
        AT_SERVER,
        needs="the account has a password",
        audit="operator_on",
    ),
    AdminCommand(
        "sessions list",
        admin_accounts.list_sessions,
        "list where an account is logged in",
        (_ACCOUNT, _LIMIT),
    ),
    AdminCommand(
        "sessions end",
        admin_accounts.end_sessions,
        "end all sessions of an account, or one, and forget their devices",
        (_ACCOUNT, Argument("id", "the session, as it is listed", option=True)),
        audit="admin_sessions_ended",
    ),
    AdminCommand(
        "rooms list", admin_rooms.list_rooms, "list rooms by name", (_SEARCH, _AFTER, _LIMIT)
    ),
    AdminCommand("rooms show", admin_rooms.show_room, "show a room", (_ROOM,)),
    AdminCommand(
        "rooms delete",
        admin_rooms.delete_room,
        "delete a room with its messages",
        (_ROOM,),
        audit="admin_room_deleted",
    ),
    AdminCommand(
        "rooms set-owner",
        admin_rooms.set_owner,
        "make a member the owner of a room",
        (_ROOM, Argument("owner", "the name of the member")),
        needs="the new owner is a registered member",
        audit="admin_room_set",
    ),
    AdminCommand(
        "audit",
        admin_rooms.list_audit,
        "list records of the audit log, newest first",
        (
            Argument("since", "from this time", "time", option=True),
            Argument("until", "before this time", "time", option=True),
            Argument("account", "of this account, or about it", option=True),
            Argument("code", "with this code", option=True),
            Argument("before", "the number that the page begins before", "number", option=True),
            _LIMIT,
        ),
    ),
    AdminCommand(
        "announce",
        admin_rooms.announce,
        "send a message of Host to all users who are online",
        (Argument("text", "the message", "text"),),
        RUNNING,
        audit="announced",
    ),
)
#: Name -> command.
COMMANDS: dict[str, AdminCommand] = {command.name: command for command in _ROWS}


def find_command(words: Sequence[str]) -> tuple[AdminCommand, list[str]] | None:
    """Return the command that words begin with, and the words behind its name; None for none."""
    for count in (2, 1):
        command = COMMANDS.get(" ".join(words[:count]).lower())
        if command is not None and len(words) >= count:
            return command, list(words[count:])
    return None


def help_text(channel: Channel) -> str:
    """Return the list of the commands of a channel, each with a line that says what it does."""
    rows = [command for command in COMMANDS.values() if channel in command.channels]
    return "\n".join(f"{one.usage}\n    {one.described}" for one in rows)


@implementer(IAdminCommands)
class AdminCommands:
    """Runs the commands of the table on a chat.

    Args:
        chat: the chat.
        page: returns the address of its page, "" if that is not known.
    """

    def __init__(self, chat: Chat, page: Callable[[], str] = str) -> None:
        self._chat = chat
        self._page = page

    async def run(self, actor: Actor, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run a command for the account of an operator; see `IAdminCommands.run`."""
        return (await self.call(actor, Channel.JSON, name, arguments)).data

    async def call(
        self, actor: Actor, channel: Channel, name: str, arguments: Mapping[str, object]
    ) -> Output:
        """Run a command.

        Args:
            actor: who gives it.
            channel: where it is given.
            name: its name.
            arguments: its arguments by name.

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
        output = await command.run(Call(self._chat, actor, values, self._page()))
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
        raise BadRequest(f"there is no command {' '.join(words[:2])!r:.60}")
    return found
