"""A row of the table of administrative commands, and a call of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any

import attrs

from gtchat.chat.audit import Actor
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.chat import Chat
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.output import Output, folded, shown
from gtchat.server.reload import Reloaded

#: Most items of a page of a list.
PAGE_LIMIT = 200


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
AT_RUNNING_SERVER = AT_SERVER & RUNNING

# Arguments that several commands have.
ACCOUNT = Argument("name", "the name of the account")
LIMIT = Argument("limit", "items of a page", "number", option=True, default=100, maximum=PAGE_LIMIT)
YES = Argument("yes", "do it, without a question", "flag", option=True, default=False)
SEARCH = Argument("search", "part of the name", option=True)
AFTER = Argument("after", "the name that the page begins behind", option=True)


def nothing_to_reload(actor: Actor) -> Reloaded:
    """Return that nothing has changed: there is no server with settings."""
    return Reloaded((), ())


@attrs.frozen
class Call:
    """One call of a command.

    Attributes:
        chat: the chat.
        actor: who calls it.
        arguments: its arguments by name.
        page: address of the chat's page as far as it is known, "" for not at all.
        reload: has the settings of the server read again.
        progress: shows how far a long command is.
    """

    chat: Chat
    actor: Actor
    arguments: Mapping[str, Any]
    page: str = ""
    reload: Callable[[Actor], Reloaded] = nothing_to_reload
    progress: Progress = no_progress

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]


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
        question: what is asked on a terminal before it, since it cannot be undone; "" for nothing.
            It has the arguments in braces, of which `YES` is one.
    """

    name: str
    run: Callable[[Call], Awaitable[Output]]
    help: str
    arguments: tuple[Argument, ...] = ()
    channels: frozenset[Channel] = EVERYWHERE
    needs: str = ""
    audit: str = "admin_read"
    question: str = ""

    @property
    def usage(self) -> str:
        """The command as it is written on a line."""
        return " ".join(filter(None, [self.name, *(one.usage for one in self.arguments)]))

    def help_lines(self, with_arguments: bool) -> list[str]:
        """Return the lines of the help: how it is written, what it does, and its arguments."""
        lines = [*folded(self.usage, "", " " * 8), *folded(self.described, " " * 4, " " * 4)]
        if with_arguments:
            for one in self.arguments:
                lines += folded(one.explained, " " * 8, " " * 12)
        return lines

    @property
    def described(self) -> str:
        """What it does, and what has to be so."""
        return f"{self.help} ({self.needs})" if self.needs else self.help

    def find_question(self, arguments: Mapping[str, object]) -> str:
        """Return what is asked before a call with some arguments; "" for nothing."""
        if arguments.get(YES.name):
            return ""
        return self.question.format_map({name: shown(value) for name, value in arguments.items()})

    @property
    def secret(self) -> Argument | None:
        """The argument that is not written on a line, None if there is none."""
        return next((one for one in self.arguments if one.kind == "secret"), None)
