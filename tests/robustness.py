"""Parser for the tables of docs/robustness.md."""

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
    """A row of a table.

    Attributes:
        number: the letter and the two digits.
        what: the input or fault.
        state: one of `STATES`.
        details: the names of tests, the manual steps, or the reason; "" if there are none.
    """

    number: str
    what: str
    state: str
    details: str

    @property
    def tests(self) -> list[str]:
        """The dotted names of the tests that cover the entry."""
        return re.findall(r"`(tests\.[\w.]+)`", self.details) if self.state == "test" else []


def entries() -> list[Entry]:
    """Return all rows, in order."""
    found = map(_ROW.fullmatch, PAGE.read_text(encoding="utf-8").splitlines())
    return [Entry(row[1], row[2], row[3], row[4] or "") for row in found if row]


def numbers() -> list[str]:
    """Return the numbers that the introduction of the page lists."""
    head = PAGE.read_text(encoding="utf-8").split("\n## ", 1)[0]
    return [
        f"{letter}{number:02}"
        for letter, first, last in _RANGE.findall(head)
        for number in range(int(first), int(last) + 1)
    ]


def count() -> str:
    """Return how many entries are covered by tests, as a sentence."""
    rows = entries()
    automated = sum(entry.state == "test" for entry in rows)
    return f"{automated} of {len(rows)} entries of docs/robustness.md are automated"
