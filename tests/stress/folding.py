"""The state of a room, computed from its log alone: what docs/protocol.md says of each entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs


@attrs.define
class RoomState:
    """The state of a room after some entries of its log."""

    members: set[str] = attrs.field(factory=set)
    owner: str = ""
    topic: str = ""
    public: bool = True


def fold(log: Iterable[Mapping[str, Any]]) -> RoomState:
    """Return the state after all entries.

    Args:
        log: entries as `history` returns them, from the first on.
    """
    state = RoomState()
    for entry in log:
        kind = entry.get("type")
        if kind in ("room_created", "room_changed"):
            state.owner, state.topic = entry.get("owner", ""), entry.get("topic", "")
            state.public = entry.get("public", True)
        if kind in ("room_created", "join_room"):
            state.members.add(entry["usr"])
        elif kind in ("leave_room", "kicked", "removed"):
            state.members.discard(entry["usr"])
    return state
