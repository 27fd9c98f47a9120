"""What a line of the admin console means: a command, or a message for the lobby.

What looks like a command and is none is not sent. Source: spec/livechat.md 5.2.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping

import attrs

from gtchat.server.admin.commands import find_command

#: What a line is taken for that looks like a command: share of equal letters (difflib).
_LIKENESS = 0.75
#: Commands of other chat servers, which operators try here.
_FOREIGN = frozenset({"BAN", "DISCONNECT", "LIST", "MUTE", "NAMES", "QUIT", "USERS", "WHO"})
_SEND_ANYWAY = "To send the line, begin it with a space."


@attrs.frozen
class ConsoleCommand:
    """A command: the names of its arguments, what runs it, and its help."""

    arguments: tuple[str, ...]
    run: Callable[..., Awaitable[None]]
    help: str


def read_line(
    line: str, commands: Mapping[str, ConsoleCommand]
) -> tuple[ConsoleCommand | None, list[str], str]:
    """Return what a line of a console means.

    A command may be written in any case and with a slash before it. As in the original, a command
    without arguments may be followed by one word, and a longer line that begins with the word of a
    command is a message; here only if that word is not in capitals. A line that begins with a space
    is always a message. Behind ADMIN there may be any number of words; a line that begins with
    `admin` is a message unless a command follows. `/accounts list` is `ADMIN accounts list`.

    Args:
        line: without control characters and white space at its end.
        commands: name -> command; there has to be `ADMIN`.

    Returns:
        The command with its arguments, or None with the text of a message, and a hint that is
        shown instead if the line is neither.
    """
    first, *rest = line.split() or [""]
    word = first.removeprefix("/").upper()
    command = commands.get(word)
    capitals = first.startswith("/") or first == word
    if line.startswith(" ") or not word:
        return None, [line.strip()], ""
    if command is commands["ADMIN"]:
        if capitals or find_command(rest) is not None:
            return command, [line.strip()[len(first) :].strip()], ""
        return None, [line], ""
    if command is None and first.startswith("/") and find_command([first[1:], *rest]) is not None:
        return commands["ADMIN"], [line[1:]], ""
    if command is not None:
        wanted = len(command.arguments)
        if len(rest) == wanted or (not wanted and len(rest) == 1):
            return command, rest[:wanted], ""
        if len(rest) < 2 or capitals:
            usage = " ".join([word, *command.arguments])
            return None, [], f"not sent; the command is: {usage}. {_SEND_ANYWAY}"
    elif capitals and (len(rest) < 2 or first != word):
        near = difflib.get_close_matches(word, commands, 1, _LIKENESS)
        if near or first != word or word in _FOREIGN:
            meant = f"; did you mean {near[0]}?" if near else ""
            return None, [], f"not sent; there is no command {first}{meant} {_SEND_ANYWAY}"
    return None, [line], ""
