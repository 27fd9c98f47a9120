"""The console's commands: one table, from which requests, /help and complaints are made.

What a row says: how a line becomes a request of the protocol page. Who sends it, and what is shown
of the reply, stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

LOBBY = "lobby"


class Misuse(Exception):
    """A line that is not a command as the table has it; the text says what is wanted."""


@attrs.frozen
class Argument:
    """An argument of a command, which becomes a field of its request.

    Attributes:
        field: of the request. label: how help names it.
        kind: a `word` (in double quotes it may have spaces), a `name` or `text` that takes all
            the rest of the line, a `number`, or a `secret` that is asked for if it is not there.
        default: where it may be left out: None, or what stands for it: the current `room`, the
            `inviter` and the `invited` room of the last invitation, or `nothing`.
        prompt: what a secret is asked for with. again: whether it is to be typed twice.
    """

    field: str
    label: str
    kind: Literal["word", "name", "text", "number", "secret"] = "word"
    default: Literal["room", "inviter", "invited", "nothing"] | None = None
    prompt: str = ""
    again: bool = False

    @property
    def usage(self) -> str:
        """How help shows it."""
        optional = self.default is not None or self.kind == "secret"
        return f"[{self.label}]" if optional else self.label


@attrs.frozen
class Command:
    """A row of the table.

    Attributes:
        name: what is typed after the slash. help: what it does, in a few words.
        cmd: of the request; "" where nothing is sent.
        arguments: in their order. constant: fields that are always the same.
    """

    name: str
    help: str
    cmd: str
    arguments: tuple[Argument, ...] = ()
    constant: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def usage(self) -> str:
        """How it is typed."""
        shown = (argument.usage for argument in self.arguments if argument.label)
        return " ".join([f"/{self.name}", *shown])


@attrs.frozen
class Place:
    """What stands for arguments that are left out.

    Attributes:
        room: where one speaks; "" for no room.
        inviter, invited: of the last invitation; "" for none.
    """

    room: str = LOBBY
    inviter: str = ""
    invited: str = ""


@attrs.frozen
class Request:
    """What a line asks for.

    Attributes:
        command: its row. fields: of the request. secrets: what has yet to be asked for.
    """

    command: Command
    fields: dict[str, Any]
    secrets: tuple[Argument, ...] = ()


NAME = Argument("usr", "NAME")
USER = Argument("user", "USER")
ROOM = Argument("room_name", "ROOM", "name")
HERE = Argument("room_name", "ROOM", "name", "room")
THIS = Argument("room_name", "", "name", "room")
INVITER = Argument("inviter", "USER", default="inviter")
INVITED = Argument("room_name", "ROOM", "name", "invited")
AFTER = Argument("after", "AFTER", "name", "nothing")
PASSWORD = Argument("pwd", "PASSWORD", "secret", prompt="Password")
CHOSEN = Argument("pwd", "PASSWORD", "secret", prompt="Password (8 characters or more)", again=True)

#: Every command of the console, in the order of its help.
TABLE: tuple[Command, ...] = (
    Command("guest", "come in as a temporary user", "login", (NAME,), {"type": "tmp"}),
    Command("register", "create an account; then /login", "register", (NAME, CHOSEN)),
    Command("login", "come in with an account", "login", (NAME, PASSWORD), {"type": "reg"}),
    Command("logout", "go, and stay connected", "logout"),
    Command(
        "password",
        "choose another password",
        "update_pwd",
        (
            Argument("pwd", "OLD", "secret", prompt="Old password"),
            Argument("new_pwd", "NEW", "secret", prompt="New password"),
            Argument("new_pwd2", "NEW", "secret", prompt="New password again"),
        ),
    ),
    Command("rooms", "list the rooms", "get_room_list", (AFTER,)),
    Command("users", "list who is here", "get_user_list", (AFTER,)),
    Command("who", "list who belongs to a room", "get_room_user_list", (HERE,)),
    Command("room", "speak in another room from now on", "", (ROOM,)),
    Command("create", "make a room that everybody can join", "create_room", (ROOM,)),
    Command(
        "create-private",
        "make a room for invited people",
        "create_room",
        (ROOM,),
        {"public": False},
    ),
    Command("join", "enter a room, and speak there", "join_room", (ROOM,)),
    Command("leave", "leave a room", "leave_room", (HERE,)),
    Command("invite", "invite somebody into a room", "invite", (Argument("invitee", "USER"), HERE)),
    Command("accept", "take an invitation", "invite_reply", (INVITER, INVITED), {"reply": "Y"}),
    Command("decline", "decline an invitation", "invite_reply", (INVITER, INVITED), {"reply": "N"}),
    Command("later", "be asked again at login", "invite_reply", (INVITER, INVITED), {"reply": "L"}),
    Command(
        "whisper",
        "say something to one person alone",
        "whisper",
        (Argument("target_user", "USER"), Argument("msg", "TEXT", "text")),
    ),
    Command(
        "history",
        "show what was said here; BEFORE is a number of a line",
        "history",
        (
            THIS,
            Argument("limit", "COUNT", "number", "nothing"),
            Argument("before", "BEFORE", "number", "nothing"),
        ),
    ),
    Command(
        "topic", "give this room a topic", "set_room", (THIS, Argument("topic", "TEXT", "text"))
    ),
    Command("open", "let everybody join this room", "set_room", (THIS,), {"public": True}),
    Command(
        "close", "let invited people alone join this room", "set_room", (THIS,), {"public": False}
    ),
    Command(
        "max",
        "let so many people join; 0: any",
        "set_room",
        (THIS, Argument("max", "COUNT", "number")),
    ),
    Command("owner", "hand this room over", "set_room", (Argument("master", "USER"), HERE)),
    Command("delete", "delete a room", "delete_room", (ROOM,)),
    Command("add", "make somebody a member of a room", "add_member", (USER, HERE)),
    Command("remove", "take somebody off the members", "remove_member", (USER, HERE)),
    Command("kick", "put somebody out of a room", "kick", (USER, HERE)),
    Command("block", "hear somebody no more", "block", (USER,)),
    Command("unblock", "hear somebody again", "unblock", (USER,)),
    Command(
        "broadcast",
        "speak to everybody; asks for the operator's key",
        "broadcast",
        (
            Argument("msg", "TEXT", "text"),
            Argument("broadcast_key", "", "secret", prompt="Broadcast key"),
        ),
    ),
    Command(
        "port",
        "say where your client listens for peers",
        "set_address",
        (Argument("port", "PORT", "number"),),
    ),
    Command("getaddress", "ask somebody for his address", "get_address", (USER,)),
    Command("allow", "tell your address to who asked", "allow", (USER,)),
    Command("deny", "do not tell your address", "deny", (USER,)),
    Command(
        "private",
        "talk to somebody directly, who has told you his address",
        "",
        (USER, Argument("msg", "TEXT", "text")),
    ),
    Command("hello", "show what the server is", "hello"),
    Command("ping", "see whether the server answers", "ping"),
    Command("help", "show this", "", (Argument("name", "COMMAND", default="nothing"),)),
    Command("quit", "leave", ""),
)

COMMANDS: dict[str, Command] = {command.name: command for command in TABLE}


def parse(line: str, place: Place) -> Request:
    """Understand a line that begins with a slash.

    Args:
        line: without its end. place: what stands for arguments that are left out.

    Raises:
        Misuse: it is not a command, or not used as it is to be.
    """
    name, _, rest = line[1:].partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise Misuse(f"there is no /{name}: /help lists the commands; //{name} says /{name}")
    fields = dict(command.constant)
    secrets: list[Argument] = []
    rest = rest.strip()
    for argument in command.arguments:
        text, rest = _take(argument, rest)
        if text:
            fields[argument.field] = _value(argument, text, command)
        elif argument.kind == "secret":
            secrets.append(argument)
        elif argument.default != "nothing":
            fields[argument.field] = _default(argument, place, command)
    if rest:
        raise Misuse(f"too many words: {command.usage}")
    return Request(command, fields, tuple(secrets))


def _take(argument: Argument, rest: str) -> tuple[str, str]:
    """The text of an argument, and what is left for the next ones."""
    if not argument.label:
        return "", rest
    if argument.kind == "text":
        return rest, ""
    if rest.startswith('"') and '"' in rest[1:]:
        text, _, rest = rest[1:].partition('"')
        return text, rest.strip()
    if argument.kind == "name":
        return rest, ""
    text, _, rest = rest.partition(" ")
    return text, rest.strip()


def _value(argument: Argument, text: str, command: Command) -> str | int:
    if argument.kind != "number":
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Misuse(f"{argument.label} is a number: {command.usage}")
    return int(text)


def _default(argument: Argument, place: Place, command: Command) -> str:
    """What stands for an argument that is not there."""
    if argument.default is None:
        raise Misuse(f"{argument.label} is missing: {command.usage}")
    defaults = {"room": place.room, "inviter": place.inviter, "invited": place.invited}
    text = defaults[argument.default]
    if not text:
        missing = "this is no room" if argument.default == "room" else "there is no invitation yet"
        raise Misuse(f"{missing}: {command.usage}")
    return text


def help_lines(name: str = "") -> list[str]:
    """The help, made from the table. name: of one command; "" for all.

    Raises:
        Misuse: there is no such command.
    """
    wanted = name.lstrip("/")
    rows = [command for command in TABLE if wanted in ("", command.name)]
    if not rows:
        raise Misuse(f"there is no /{wanted}: /help lists the commands")
    width = max(len(command.usage) for command in rows)
    lines = [f"  {command.usage.ljust(width)}  {command.help}" for command in rows]
    if wanted:
        return lines
    return [
        *lines,
        "Any other line is said in the current room; //TEXT says /TEXT; a line that begins with {",
        "is sent as it is. ROOM may have spaces; where it can be left out it is the current room.",
    ]
