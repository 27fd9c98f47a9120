"""What administrative commands return: data for programs, and text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gtchat.protocols.base.text import rfc3339, strip_controls

#: Widest column of a table but the last, in characters.
MAX_COLUMN = 40


@attrs.frozen
class Output:
    """The result of a command.

    Attributes:
        text: lines for people.
        data: for programs; it can be encoded as JSON.
        question: what an operator has to confirm, with `YES`, before anything is done; "" for
            nothing.
    """

    text: str
    data: Mapping[str, Any]
    question: str = ""


def listing(name: str, rows: Sequence[Mapping[str, Any]], after: str | int | None) -> Output:
    """Return a page of a list.

    Args:
        name: what is listed.
        rows: the items, all with the same fields.
        after: what the option for the next page is given; None if there is none.
    """
    data: dict[str, Any] = {name: list(rows)}
    lines = table(rows) if rows else [f"no {name}"]
    if after is not None:
        data["next"] = after
        option = "--before" if isinstance(after, int) else "--after"
        lines.append(f"more: {option} {after}")
    return Output("\n".join(lines), data)


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
    widths = [min(MAX_COLUMN, max(map(len, column))) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def shown(value: object) -> str:
    """Return a value as people read it, in one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "-"
    return strip_controls(" ".join(str(value).splitlines()))


def time_of(at: int | None) -> str | None:
    """Return a time in milliseconds since 1970 as RFC 3339 has it, None for none."""
    return None if at is None else rfc3339(at)
