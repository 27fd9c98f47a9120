"""Arguments of administrative commands: from words on a line, and from JSON.

Words are the same on the command line and on the host console: arguments in their order, options
such as `--limit 20`. A secret is never among the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

import attrs

from gtchat.chat.errors import BadRequest

#: Longest argument, in characters.
MAX_ARGUMENT_CHARS = 16_384
#: Milliseconds of the units in which a time ago is written.
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = re.compile(r"(\d{1,9})([smhd])")
#: Longest time of a `span`, in milliseconds.
_MAX_SPAN = 3650 * _UNITS["d"]


@attrs.frozen
class Argument:
    """An argument of a command.

    Attributes:
        name: its name in JSON, and of the option on a line.
        help: what it means.
        kind: `word`; `text`, which takes all words that are left; `number`; `flag`; `time`,
            ago as `90m`, or a date; `span`, a length of time as `90m`, whose value is in
            milliseconds; `choice`; `secret`.
        option: whether it is written with its name on a line. Others are required.
        choices: of a `choice`: its words.
        default: of an option: what it is if it is not given.
        minimum, maximum: of a `number`: the smallest one, and the largest.
    """

    name: str
    help: str
    kind: Literal["word", "text", "number", "flag", "time", "span", "choice", "secret"] = "word"
    option: bool = False
    choices: tuple[str, ...] = ()
    default: Any = None
    minimum: int = 1
    maximum: int = 2**53

    @property
    def usage(self) -> str:
        """How it is written on a line; "" for a secret."""
        if self.kind == "secret":
            return ""
        word = "|".join(self.choices) or self.name.upper()
        if not self.option:
            return f"{word} ..." if self.kind == "text" else word
        return f"[--{self.name}]" if self.kind == "flag" else f"[--{self.name} {word}]"

    @property
    def explained(self) -> str:
        """How it is written, and what it means."""
        default = "" if self.default in (None, False) else f" (default: {self.default})"
        if self.kind == "span" and default:
            default = f" (default: {self.default // _UNITS['m']}m)"
        return f"{self.usage.strip('[]') or 'standard input'}: {self.help}{default}"

    def check(self, value: object, now: int) -> Any:
        """Return the value of a given argument.

        Args:
            value: what was given: text from a line, or a value of JSON.
            now: milliseconds since 1970, UTC.

        Raises:
            BadRequest: it is no such value.
        """
        if self.kind == "flag":
            if isinstance(value, bool):
                return value
            raise BadRequest(f"{self.name}: must be true or false.")
        if self.kind == "number":
            return self._number(value)
        if not isinstance(value, str) or not value or len(value) > MAX_ARGUMENT_CHARS:
            raise BadRequest(f"{self.name}: must be a text that is not empty.")
        if any("\ud800" <= each <= "\udfff" for each in value):  # bytes that are no UTF-8
            raise BadRequest(f"{self.name}: must be UTF-8.")
        if self.kind == "time":
            return parse_time(value, now, self.name)
        if self.kind == "span":
            return parse_span(value, self.name)
        if self.kind == "choice" and value not in self.choices:
            raise BadRequest(f"{self.name}: must be one of {', '.join(self.choices)}.")
        return value

    def _number(self, value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:
            value = int(value)
        if type(value) is not int or not self.minimum <= value <= self.maximum:
            span = f"{self.minimum} to {self.maximum}"
            raise BadRequest(f"{self.name}: must be a number from {span}.")
        return value


def parse_time(text: str, now: int, name: str) -> int:
    """Return a time in milliseconds since 1970, UTC.

    Args:
        text: a time ago, as `90m` or `2d`; or a date, or a date and a time, as ISO 8601 has them.
        now: milliseconds since 1970, UTC.
        name: the argument, for errors.

    Raises:
        BadRequest: it is no time.
    """
    if (ago := _AGO.fullmatch(text)) is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        # Python 3.10 does not know the Z.
        time = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return int(time.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name}: must be a time as 90m, 2d or 2026-11-27T08:00Z.") from None


def parse_span(text: str, name: str) -> int:
    """Return a length of time in milliseconds.

    Args:
        text: as `90m` or `2d`.
        name: the argument, for errors.

    Raises:
        BadRequest: it is none, or longer than ten years.
    """
    found = _AGO.fullmatch(text)
    length = int(found[1]) * _UNITS[found[2]] if found is not None else 0
    if not 0 < length <= _MAX_SPAN:
        raise BadRequest(f"{name}: must be a length of time as 90m or 2d, at most 3650d.")
    return length


def check_arguments(
    wanted: Sequence[Argument], given: Mapping[str, object], now: int
) -> dict[str, Any]:
    """Return the values of all arguments of a command by name.

    Args:
        wanted: its arguments.
        given: those that are given; None is none.
        now: milliseconds since 1970, UTC.

    Raises:
        BadRequest: one is missing, unknown or wrong.
    """
    unknown = given.keys() - {argument.name for argument in wanted}
    if unknown:
        raise BadRequest(f"args: there is no argument {sorted(unknown)[0]!r:.40}.")
    values = {}
    for argument in wanted:
        value = given.get(argument.name)
        if value is not None:
            values[argument.name] = argument.check(value, now)
        elif argument.option:
            values[argument.name] = argument.default
        else:
            raise BadRequest(f"{argument.name}: this argument is missing.")
    return values


def read_words(wanted: Sequence[Argument], words: Sequence[str]) -> dict[str, object]:
    """Return the arguments that are given on a line, by name.

    Args:
        wanted: the arguments of the command.
        words: the words behind its name.

    Raises:
        BadRequest: there are too many, or an option is not one of the command.
    """
    options = {f"--{one.name}": one for one in wanted if one.option}
    places = [one for one in wanted if not one.option and one.kind != "secret"]
    given: dict[str, object] = {}
    left = iter(words)
    for word in left:
        name, _, value = word.partition("=")
        if name in options:
            given[options[name].name] = _option_value(options[name], word, value, left)
        elif word == "--":
            continue
        elif word.startswith("--") and not (places and places[0].kind == "text"):
            raise BadRequest(f"there is no option {name}")  # its value may be a secret
        elif not places:
            raise BadRequest(f"{word}: this is one argument too many")
        elif places[0].kind == "text":
            given[places[0].name] = " ".join([word, *left])
        else:
            given[places.pop(0).name] = word
    return given


def _option_value(option: Argument, word: str, value: str, left: Iterator[str]) -> object:
    """Return the value of an option, which may be the next of the words that are left."""
    if option.kind == "flag":
        return True
    if "=" in word:
        return value
    following = next(left, None)
    if following is None:
        raise BadRequest(f"--{option.name} wants a value")
    return following
