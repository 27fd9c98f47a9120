"""Parts of lines for a terminal: names, times and texts with marks; they are safe to print."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from math import ceil

from gtchat.client import ChatMessage
from gtchat.ui.terminal import escape_controls

#: Returns a text in a style, see TerminalOutput.paint.
Paint = Callable[[str, str], str]

#: Names of a list that are shown; the rest is counted.
MAX_NAMES = 20
#: Stands before the first message that is kept, where there were older ones.
OLDER_REMOVED = "older messages were removed"


def format_user(name: str) -> str:
    """Return a user's name, escaped; in quotes if it contains spaces."""
    escaped = escape_controls(name)
    return f'"{escaped}"' if " " in escaped else escaped


def format_room(name: str) -> str:
    """Return `#` and a room's name, escaped; in quotes unless it is a plain word.

    Names of rooms may contain spaces and punctuation: the quotes keep them apart from other parts
    of a line.
    """
    escaped = escape_controls(name)
    plain = all(character.isalnum() or character in "_-." for character in escaped)
    return f"#{escaped}" if plain else '#"' + escaped.replace('"', '\\"') + '"'


def format_users(names: tuple[str, ...], total: int = 0) -> str:
    """Return a list of users in one line.

    Args:
        names: the first of them.
        total: their number, if there are more.
    """
    listed = ", ".join(map(format_user, names[:MAX_NAMES]))
    rest = max(total, len(names)) - min(len(names), MAX_NAMES)
    return f"{listed} and {rest} more" if rest else listed or "none"


def format_wait(seconds: float) -> str:
    """Return how long to wait, rounded up: `12 s`, `5 min`, `3 h`.

    Args:
        seconds: any number.
    """
    for unit, size in (("s", 1), ("min", 60)):
        if seconds < 100 * size:
            return f"{max(1, ceil(seconds / size))} {unit}"
    return f"{ceil(seconds / 3600):,} h"


def local_time(at: datetime | None, zone: tzinfo | None = None) -> datetime | None:
    """Return a time in a zone, or None for none, or one that the zone can't have.

    Args:
        at: aware.
        zone: time zone; None for that of this machine.
    """
    try:
        return None if at is None else at.astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return None


def marked_lines(message: ChatMessage, paint: Paint) -> list[str]:
    """Return the lines of a message that was found, with what was looked for in bold."""
    lines = [""]
    position = 0
    for start, end in (*message.marks, (len(message.text), len(message.text))):
        for text, style in ((message.text[position:start], ""), (message.text[start:end], "bold")):
            for number, part in enumerate(text.split("\n")):
                if number:
                    lines.append("")
                shown = escape_controls(part)
                lines[-1] += paint(shown, style) if shown and style else shown
        position = end
    return lines
