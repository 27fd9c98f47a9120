"""The servers of a chat as text, for `gtchat nodes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gtchat.store.sql.node_list import ListedNode

#: Titles of the columns, which are aligned to the left and then to the right.
_LEFT, _RIGHT = ("NAME", "HOST", "SINCE"), ("SESSIONS", "USERS", "LAG", "EXPIRES IN", "STATE")


def format_nodes(nodes: Sequence[ListedNode], *, as_json: bool) -> str:
    """Return a line for each node below one with titles, or all nodes as a JSON array."""
    if as_json:
        return msgspec.json.format(msgspec.json.encode(list(map(_record, nodes)))).decode() + "\n"
    rows = [(*_LEFT, *_RIGHT), *map(_row, nodes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(_line(row, widths) for row in rows)


def _record(node: ListedNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "host": node.host,
        "since": node.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "state": _state(node),
        "sessions": node.sessions,
        "online": node.online,
        "lag": round(node.lag, 1),
        "expires_in": round(node.expires_in, 1),
    }


def _row(node: ListedNode) -> tuple[str, ...]:
    since = f"{node.since:%Y-%m-%d %H:%M:%S}Z"
    times = (f"{node.lag:.1f} s", f"{node.expires_in:.1f} s")
    numbers = (f"{node.sessions:,}", f"{node.online:,}")
    return (node.name, node.host, since, *numbers, *times, _state(node))


def _state(node: ListedNode) -> str:
    if node.expires_in <= 0:
        return "expired"
    if not node.loaded:
        return "starting"
    return "draining" if node.draining else "running"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if at < len(_LEFT) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells) + "\n"
