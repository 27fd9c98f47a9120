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
    max: int = 0

    def follow(self, kind: str | None, usr: str, settings: Mapping[str, Any]) -> None:
        """Change the state as an entry says.

        Args:
            kind: the `type` of the entry; anything else for a message.
            usr: the user that it is about.
            settings: of an entry with the settings of the room: they, by name.
        """
        if kind in ("room_created", "room_changed"):
            self.owner, self.topic = settings.get("owner", ""), settings.get("topic", "")
            self.public, self.max = settings.get("public", True), settings.get("max", 0)
        if kind in ("room_created", "join_room"):
            self.members.add(usr)
        elif kind in ("leave_room", "kicked", "removed"):
            self.members.discard(usr)


def fold(log: Iterable[Mapping[str, Any]]) -> RoomState:
    """Return the state after all entries.

    Args:
        log: entries as `history` returns them, from the first on.
    """
    state = RoomState()
    for entry in log:
        state.follow(entry.get("type"), entry["usr"], entry)
    return state
