"""Typed commands: parsed by the table of `commands`, which also makes the text of /help."""

from __future__ import annotations

import re

from gtchat.ui.commands import (
    COMMANDS,
    TABLE,
    CommandArgument,
    CommandContext,
    InputError,
    ParsedCommand,
    SlashCommand,
)

#: Unit of a duration -> its seconds.
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"[0-9]{1,6}[smhd]")


def parse(line: str, context: CommandContext) -> ParsedCommand:
    """Parse a line that begins with a slash.

    Args:
        line: the line without its end.
        context: values of omitted arguments.

    Raises:
        InputError: the command is unknown, or its arguments are wrong.
    """
    name, _, rest = line[1:].partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise InputError(
            f"unknown command /{name}: /help lists the commands; //{name} sends the text /{name}"
        )
    fields = dict(command.constant)
    secrets: list[CommandArgument] = []
    rest = rest.strip()
    for argument in command.arguments:
        text, rest = _take(argument, rest)
        if text:
            fields[argument.field] = _value(argument, text, command)
        elif argument.kind == "secret":
            secrets.append(argument)
        elif argument.default == "place":
            fields.update(_place(context, command))
        elif argument.default != "nothing":
            fields[argument.field] = _default(argument, context, command)
    if rest:
        raise InputError(f"too many arguments: {command.usage}")
    return ParsedCommand(command, fields, tuple(secrets))


def _take(argument: CommandArgument, rest: str) -> tuple[str, str]:
    """Split the text of an argument off the line; return both parts."""
    if not argument.label:
        return "", rest
    if argument.kind == "text":
        return rest, ""
    if argument.kind == "message":
        text, _, others = rest.partition(" ")
        is_number = text[:1] == "#" and text[1:].isascii() and text[1:].isdigit()
        return (text[1:], others.strip()) if is_number else ("", rest)
    if argument.kind == "duration":
        text, _, others = rest.partition(" ")
        return (text, others.strip()) if _DURATION.fullmatch(text) else ("", rest)
    if rest.startswith('"') and '"' in rest[1:]:
        text, _, rest = rest[1:].partition('"')
        return text, rest.strip()
    if argument.kind == "name":
        return rest, ""
    text, _, rest = rest.partition(" ")
    return text, rest.strip()


def _value(argument: CommandArgument, text: str, command: SlashCommand) -> str | int:
    if argument.kind == "duration":
        return int(text[:-1]) * _SECONDS[text[-1]]
    if argument.kind not in ("number", "message"):
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InputError(f"{argument.label} must be a number: {command.usage}")
    return int(text)


def _default(argument: CommandArgument, context: CommandContext, command: SlashCommand) -> str:
    """Return the value of an omitted argument. Raises InputError: there is none."""
    if argument.default is None:
        raise InputError(f"{argument.label} is missing: {command.usage}")
    defaults = {"room": context.room, "inviter": context.inviter, "invited": context.invited}
    text = defaults[argument.default]
    if not text:
        missing = "no current room" if argument.default == "room" else "no invitation"
        raise InputError(f"there is {missing}: {command.usage}")
    return text


def _place(context: CommandContext, command: SlashCommand) -> dict[str, str]:
    """Return the fields of the current place. Raises InputError: there is none."""
    if not context.place:
        raise InputError(f"there is no current room: {command.usage}")
    return context.place


def help_lines(name: str = "") -> list[str]:
    """Return the help.

    Args:
        name: of one command, with or without its slash; "" for all.

    Raises:
        InputError: the command is unknown.
    """
    wanted = name.lstrip("/")
    rows = [command for command in TABLE if wanted in ("", *command.names)]
    if not rows:
        raise InputError(f"unknown command /{wanted}: /help lists the commands")
    width = max(len(command.help_usage) for command in rows)
    lines = [f"  {command.help_usage.ljust(width)}  {command.help}" for command in rows]
    if wanted:
        return lines
    return [
        *lines,
        "Other lines are sent to the current room; //TEXT sends the text /TEXT; a line that begins",
        "with { is sent as a JSON request. ROOM may contain spaces; [ROOM] is the current room if",
        "it is omitted. [#NUMBER] is the number of a message, as /numbers shows; without it, your",
        "newest message is meant, in /reply and /react that of another user.",
    ]


def check_utf8(line: str) -> None:
    """Raise InputError if a line, decoded with surrogateescape, was not UTF-8."""
    try:
        line.encode()
    except UnicodeEncodeError:
        raise InputError("this line is not UTF-8 and was not sent") from None
