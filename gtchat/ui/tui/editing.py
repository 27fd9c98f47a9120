"""Help with typing: the history of typed lines, and completion. It draws nothing."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from gtchat.ui.commands import COMMANDS

#: Lines kept in the input history.
MAX_HISTORY = 500


class InputHistory:
    """The lines that were typed, and the draft after the last of them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0
        self._draft = ""

    def add(self, line: str) -> None:
        """Append a line, unless it equals the last one; return to the end."""
        if line and self._lines[-1:] != [line]:
            self._lines = [*self._lines, line][-MAX_HISTORY:]
        self._at, self._draft = len(self._lines), ""

    def older(self, shown: str) -> str:
        """Return the line before. shown: the text of the prompt now."""
        return self._move(-1, shown)

    def newer(self, shown: str) -> str:
        """Return the line after, or the draft at the end. shown: the text of the prompt now."""
        return self._move(1, shown)

    def _move(self, step: int, shown: str) -> str:
        at = self._at + step
        if not 0 <= at <= len(self._lines):
            return shown
        if self._at == len(self._lines):
            self._draft = shown
        self._at = at
        return self._lines[at] if at < len(self._lines) else self._draft


@attrs.frozen
class CompletionWords:
    """Names that can be completed.

    Attributes:
        members: of the current buffer; recent senders first.
        users: other users.
        rooms: names of rooms.
    """

    members: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()


class Completion:
    """Completes the word before the cursor; repeated, it goes through all candidates."""

    def __init__(self) -> None:
        self._candidates: list[tuple[str, int]] = []
        self._at = 0

    def complete(
        self, text: str, cursor: int, words: CompletionWords, step: int = 1
    ) -> tuple[str, int] | None:
        """Complete the word before the cursor.

        Args:
            text: of the line.
            cursor: its position in characters.
            words: names that can be completed.
            step: 1 for the next candidate, -1 for the previous one.

        Returns:
            The new text and cursor; None: there is no candidate.
        """
        if self._candidates and self._candidates[self._at] == (text, cursor):
            self._at = (self._at + step) % len(self._candidates)
        else:
            self._candidates = candidates(text, cursor, words)
            self._at = 0 if step > 0 else len(self._candidates) - 1
        return self._candidates[self._at] if self._candidates else None


def candidates(text: str, cursor: int, words: CompletionWords) -> list[tuple[str, int]]:
    """Return all completions of the word before the cursor.

    Args:
        text: of the line.
        cursor: its position in characters.
        words: names that can be completed.

    Returns:
        For each, the whole line and the position of the cursor.
    """
    before, after = text[:cursor], text[cursor:]
    start, found = _complete(before, words)
    return [(before[:start] + word + after, start + len(word)) for word in found]


def _complete(before: str, words: CompletionWords) -> tuple[int, list[str]]:
    """Return where the word before the cursor starts, and its completions."""
    if before.startswith("/") and " " not in before:
        return 0, [f"/{name} " for name in COMMANDS if name.startswith(before[1:])]
    if before.startswith("/") and not before.startswith("//"):
        return _complete_argument(before, words)
    start = before.rfind(" ") + 1
    word = before[start:]
    if word.startswith("#"):
        return start, [f"#{name} " for name in _matching(word[1:], words.rooms)]
    ending = " " if start else ": "
    return start, [name + ending for name in _matching(word, words.members or words.users)]


def _complete_argument(before: str, words: CompletionWords) -> tuple[int, list[str]]:
    """Complete an argument of a command by its label in the table of commands."""
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
        ending = "" if at == len(arguments) - 1 else " "
        names = _matching(rest, (*words.members, *words.users))
        return start, [name + ending for name in names]
    if argument.label == "COMMAND":
        return start, [name for name in COMMANDS if name.startswith(rest)]
    start = before.rfind(" ") + 1
    return start, [name + " " for name in _matching(before[start:], words.members)]


def _matching(prefix: str, names: Iterable[str]) -> list[str]:
    """Return the names with a prefix in any case, without duplicates."""
    folded = prefix.casefold()
    return list(dict.fromkeys(name for name in names if name.casefold().startswith(folded)))
