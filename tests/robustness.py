"""The page on bad inputs and faults, read: what each entry's row says."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

PAGE = Path(__file__).resolve().parents[1] / "docs" / "robustness.md"
STATES = ("test", "manual", "not applicable yet", "open")

_ROW = re.compile(r"\| ([A-Z]\d\d) \| (.+) \| (.+?)(?:: (.+))? \|")
_RANGE = re.compile(r"\b([A-Z])(\d\d)-[A-Z](\d\d)\b")


@attrs.frozen
class Entry:
    """A row: `details` are the names of tests, the recipe, or the reason."""

    number: str
    what: str
    state: str
    details: str

    @property
    def tests(self) -> list[str]:
        """Dotted names."""
        return re.findall(r"`(tests\.[\w.]+)`", self.details) if self.state == "test" else []


def entries() -> list[Entry]:
    """All rows, in order."""
    found = map(_ROW.fullmatch, PAGE.read_text(encoding="utf-8").splitlines())
    return [Entry(row[1], row[2], row[3], row[4] or "") for row in found if row]


def numbers() -> list[str]:
    """The numbers that the page says there are."""
    head = PAGE.read_text(encoding="utf-8").split("\n## ", 1)[0]
    return [
        f"{letter}{number:02}"
        for letter, first, last in _RANGE.findall(head)
        for number in range(int(first), int(last) + 1)
    ]


def count() -> str:
    """How many entries are held by tests, for people."""
    rows = entries()
    automated = sum(entry.state == "test" for entry in rows)
    return f"{automated} of {len(rows)} entries of docs/robustness.md are automated"
