"""What a check has found, as one line."""

from __future__ import annotations

from enum import Enum

import attrs


class Level(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@attrs.frozen
class Finding:
    """What a check has found.

    Attributes:
        level: how bad it is.
        name: names what is wrong, or what was checked if nothing is.
        text: what was found.
        fix: what to do, "" for nothing.
    """

    level: Level
    name: str
    text: str
    fix: str = ""

    @property
    def line(self) -> str:
        """The finding as a line, without control characters of what a server has sent."""
        line = f"{self.level.value:8}{self.name}: {self.text}"
        line += f" Fix: {self.fix}" if self.fix else ""
        return "".join(each if each.isprintable() else "?" for each in line)


def ok(name: str, text: str) -> Finding:
    """Return a finding that nothing is wrong."""
    return Finding(Level.OK, name, text)


def warning(name: str, text: str, fix: str = "") -> Finding:
    """Return a finding that may be wrong, or will be."""
    return Finding(Level.WARNING, name, text, fix)


def error(name: str, text: str, fix: str = "") -> Finding:
    """Return a finding that is wrong."""
    return Finding(Level.ERROR, name, text, fix)
