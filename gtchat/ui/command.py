"""What a slash command of the terminal clients is; the table of them is in `commands`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

LOBBY = "lobby"
#: Whose newest message a command is about: of the user, of another user, of any user, or of none.
Newest = Literal["own", "other", "any", ""]


class InputError(Exception):
    """A typed line can't be executed; the text says why."""


@attrs.frozen
class CommandArgument:
    """An argument of a command; it becomes a field of the request.

    Attributes:
        field: name of the field.
        label: its name in /help; "" for a field that is never typed.
        kind: a `word` (in double quotes it may contain spaces), a `name` or `text` that takes the
            rest of the line, a `number`, a `message` by its number, as in `#12`, a `duration`, as
            in `10m`, or a `secret` that is asked for when it is missing.
        default: the value when it is omitted: None (it is required), the current `room`, the
            `place`, which is a room or a direct conversation, the `inviter` or `invited` room of
            the newest invitation, or `nothing` (no field).
        prompt: the question for a secret.
        again: whether the secret has to be typed twice.
    """

    field: str
    label: str
    kind: Literal["word", "name", "text", "number", "message", "duration", "secret"] = "word"
    default: Literal["room", "place", "inviter", "invited", "nothing"] | None = None
    prompt: str = ""
    again: bool = False

    @property
    def usage(self) -> str:
        """Its form in /help; optional ones are in brackets."""
        optional = self.default is not None or self.kind == "secret"
        return f"[{self.label}]" if optional else self.label


@attrs.frozen
class SlashCommand:
    """A row of the table.

    Attributes:
        name: the word after the slash.
        help: what it does, in a few words.
        cmd: command of the request; "" when no request is sent.
        arguments: in order.
        constant: fields with fixed values.
        aliases: other words for the same, as other chat clients have them.
        newest: whose newest message in the current place it is about, if no other one is named.
    """

    name: str
    help: str
    cmd: str
    arguments: tuple[CommandArgument, ...] = ()
    constant: Mapping[str, Any] = attrs.field(factory=dict)
    aliases: tuple[str, ...] = ()
    newest: Newest = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def usage(self) -> str:
        """The line to type, with the labels of its arguments."""
        return self._with_labels(f"/{self.name}")

    @property
    def help_usage(self) -> str:
        """The same with all its names, for /help."""
        return self._with_labels(", ".join(f"/{name}" for name in self.names))

    def _with_labels(self, words: str) -> str:
        labels = (argument.usage for argument in self.arguments if argument.label)
        return " ".join([words, *labels])


@attrs.frozen
class CommandContext:
    """Values of omitted arguments.

    Attributes:
        room: the current room; "" for none.
        inviter: who sent the newest invitation; "" for none.
        invited: the room of the newest invitation; "" for none.
        direct: the user whose direct messages are the current place; "" for none.
    """

    room: str = LOBBY
    inviter: str = ""
    invited: str = ""
    direct: str = ""

    @property
    def place(self) -> dict[str, str]:
        """The fields of a request about the current place; none without one."""
        if self.direct:
            return {"target_user": self.direct}
        return {"room_name": self.room} if self.room else {}


@attrs.frozen
class ParsedCommand:
    """A typed command.

    Attributes:
        command: its row.
        fields: fields of the request.
        secrets: arguments that have to be asked for.
    """

    command: SlashCommand
    fields: dict[str, Any]
    secrets: tuple[CommandArgument, ...] = ()
