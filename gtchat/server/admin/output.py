"""What administrative commands return: data for programs, and text for people."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import attrs

from gtchat.protocols.base.text import rfc3339, strip_controls

#: Widest column of a table but the last, in characters.
MAX_COLUMN = 40
#: Characters of a line for a narrow terminal.
NARROW = 80
#: What is not said below a row; 0 is.
_LEFT_OUT = ("-", "no")
#: An option in the usage of a command.
_BRACKETS = re.compile(r"\[[^]]*\]")
#: Part of a time that people are not shown.
_MILLISECONDS = re.compile(r"(?<=T\d\d:\d\d:\d\d)\.\d{3}(?=Z$)")


@attrs.frozen
class Output:
    """The result of a command.

    Attributes:
        text: lines for people.
        data: for programs; it can be encoded as JSON.
        question: what an operator has to confirm, with `YES`, before anything is done; "" for
            nothing.
        narrow: the lines for a narrow terminal; "" if they are those of `text`.
    """

    text: str
    data: Mapping[str, Any]
    question: str = ""
    narrow: str = ""

    def fitted(self, columns: float) -> str:
        """Return the text for a terminal with so many columns."""
        longest = max(map(len, self.text.splitlines()), default=0)
        return self.narrow if self.narrow and longest > columns else self.text

    def with_data(self, *lines: str, **data: Any) -> Output:
        """Return the output with further lines and data."""
        end = "".join(f"\n{line}" for line in lines)
        narrow = self.narrow and self.narrow + end
        return attrs.evolve(self, text=self.text + end, data={**self.data, **data}, narrow=narrow)


def listing(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    after: str | int | None,
    shown_rows: Sequence[Mapping[str, Any]] | None = None,
) -> Output:
    """Return a page of a list.

    Args:
        name: what is listed.
        rows: the items, all with the same fields.
        after: what the option for the next page is given; None if there is none.
        shown_rows: the items as people see them, if that differs.
    """
    data: dict[str, Any] = {name: list(rows)}
    shown_rows = rows if shown_rows is None else shown_rows
    if rows:
        output = Output("\n".join(table(shown_rows)), data, narrow="\n".join(narrow(shown_rows)))
    else:
        output = Output(f"no {name}", data)
    if after is None:
        return output
    option = "--before" if isinstance(after, int) else "--after"
    return output.with_data(f"more: {option} {after}", next=after)


def details(data: Mapping[str, Any]) -> Output:
    """Return one thing with its fields, a line each."""
    width = max(map(len, data))
    lines = [f"{name.replace('_', ' '):{width}}  {shown(value)}" for name, value in data.items()]
    return Output("\n".join(lines), data)


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table: a head, and a line for each row."""
    heads = list(rows[0])
    cells = [[name.replace("_", " ").upper() for name in heads]]
    cells += [[shown(row[name]) for name in heads] for row in rows]
    widths = [min(MAX_COLUMN, width) for width in _widths(cells)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def narrow(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table of which some columns are below each row, with their names."""
    heads = list(rows[0])
    widths = _widths([heads, *([shown(row[name]) for name in heads] for row in rows)])
    ends = list(accumulate(width + 2 for width in widths))
    fitting = max(1, sum(end <= NARROW + 2 for end in ends))
    beside, below = heads[:fitting], heads[fitting:]
    head, *lines = table([{name: row[name] for name in beside} for row in rows])
    found = [head]
    for line, row in zip(lines, rows, strict=True):
        cells = {name.replace("_", " "): shown(row[name]) for name in below}
        fields = "; ".join(
            f"{name}: {cell}" for name, cell in cells.items() if cell not in _LEFT_OUT
        )
        found += [line, *folded(fields, " " * 4, " " * 4)]
    return found


def folded(text: str, first: str, following: str) -> list[str]:
    """Return a text in lines for a narrow terminal.

    Args:
        text: the text; between brackets no line ends.
        first, following: spaces before the first line, and before the others.
    """
    kept = _BRACKETS.sub(lambda found: found[0].replace(" ", "\xa0"), text)
    lines = textwrap.wrap(
        kept, NARROW, initial_indent=first, subsequent_indent=following, break_on_hyphens=False
    )
    return [line.replace("\xa0", " ") for line in lines]


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def shown(value: object) -> str:
    """Return a value as people read it, in one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "-"
    return _MILLISECONDS.sub("", strip_controls(" ".join(str(value).splitlines())))


def time_of(at: int | None) -> str | None:
    """Return a time in milliseconds since 1970 as RFC 3339 has it, None for none."""
    return None if at is None else rfc3339(at)
