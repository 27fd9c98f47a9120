"""What helps with typing: lines that were typed before, and completion."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from gtchat.ui.commands import COMMANDS

#: Lines that are remembered.
REMEMBERED = 500


class History:
    """Lines that were typed, and the one that is being typed behind them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        """A line was typed."""
        if line and self._lines[-1:] != [line]:
            self._lines = [*self._lines, line][-REMEMBERED:]
        self._at, self._draft = len(self._lines), ""

    def older(self, shown: str) -> str:
        """The line before. shown: what is there now."""
        return self._go(-1, shown)

    def newer(self, shown: str) -> str:
        """The line behind; in the end what was being typed."""
        return self._go(1, shown)

    def _go(self, step: int, shown: str) -> str:
        at = self._at + step
        if not 0 <= at <= len(self._lines):
            return shown
        if self._at == len(self._lines):
            self._draft = shown
        self._at = at
        return self._lines[at] if at < len(self._lines) else self._draft


@attrs.frozen
class Vocabulary:
    """What there is to complete.

    Attributes:
        here: who is in the conversation. users: who is known besides. rooms: names of rooms.
    """

    here: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()


class Completion:
    """Completes a word; again and again, it goes through all that it could be."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int]] = []
        self._at = 0

    def complete(
        self, text: str, cursor: int, words: Vocabulary, step: int = 1
    ) -> tuple[str, int] | None:
        """Complete the word before the cursor.

        Args:
            text: of the line. cursor: where it is in it.
            step: 1 for the next one, -1 for that before.

        Returns:
            The new text and cursor; None: there is nothing that it could be.
        """
        if self._found and self._found[self._at] == (text, cursor):
            self._at = (self._at + step) % len(self._found)
        else:
            self._found = candidates(text, cursor, words)
            self._at = 0 if step > 0 else len(self._found) - 1
        return self._found[self._at] if self._found else None


def candidates(text: str, cursor: int, words: Vocabulary) -> list[tuple[str, int]]:
    """All that the word before the cursor could be: whole lines, and where the cursor is then."""
    before, after = text[:cursor], text[cursor:]
    start, found = _found(before, words)
    return [(before[:start] + word + after, start + len(word)) for word in found]


def _found(before: str, words: Vocabulary) -> tuple[int, list[str]]:
    """Where the word begins, and what it could be."""
    if before.startswith("/") and " " not in before:
        return 0, [f"/{name} " for name in COMMANDS if name.startswith(before[1:])]
    if before.startswith("/") and not before.startswith("//"):
        return _argument(before, words)
    start = before.rfind(" ") + 1
    word = before[start:]
    if word.startswith("#"):
        return start, [f"#{name} " for name in _matching(word[1:], words.rooms)]
    ending = " " if start else ": "
    return start, [name + ending for name in _matching(word, words.here or words.users)]


def _argument(before: str, words: Vocabulary) -> tuple[int, list[str]]:
    """An argument of a command: what it takes says what it could be."""
    name, _, rest = before[1:].partition(" ")
    command = COMMANDS.get(name)
    start = len(before) - len(rest)
    if command is None:
        return start, []
    arguments = [argument for argument in command.arguments if argument.label]
    at = 0
    while at < len(arguments) - 1 and arguments[at].kind == "word" and " " in rest:
        start = len(before) - len(rest := rest.partition(" ")[2])
        at += 1
    if at >= len(arguments):
        return start, []
    argument = arguments[at]
    if argument.label == "ROOM":
        return start, _matching(rest, words.rooms)
    if argument.label in ("USER", "NAME"):
        last = "" if at == len(arguments) - 1 else " "
        return start, [name + last for name in _matching(rest, (*words.here, *words.users))]
    if argument.label == "COMMAND":
        return start, [name for name in COMMANDS if name.startswith(rest)]
    start = before.rfind(" ") + 1
    return start, [name + " " for name in _matching(before[start:], words.here)]


def _matching(beginning: str, names: Iterable[str]) -> list[str]:
    """Names that begin so, each once; without a beginning, none."""
    folded = beginning.casefold()
    return list(dict.fromkeys(name for name in names if name.casefold().startswith(folded)))
