"""Makes events of the server's pushes and entries: one table of kinds and classes.

Source: docs/protocol.md, "Pushes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from gtchat.client.events import (
    Broadcast,
    Change,
    Deleted,
    Edited,
    Event,
    Invitation,
    InvitationAnswer,
    Message,
    Other,
    Pinned,
    Presence,
    Reacted,
    ReadUpTo,
    ReportAnswered,
    Reported,
    RoomEvent,
    Typing,
    Unpinned,
    Whisper,
)

#: Kind of a push, its `type` or `cmd` -> its class.
CLASSES: dict[str, type[Event]] = {
    "c_speak": Message,
    "c_whisper": Whisper,
    "c_broadcast": Broadcast,
    "c_invited": Invitation,
    "c_invite_reply": InvitationAnswer,
    "edited": Edited,
    "deleted": Deleted,
    "reacted": Reacted,
    "pinned": Pinned,
    "unpinned": Unpinned,
    "room_created": RoomEvent,
    "room_changed": RoomEvent,
    "room_gone": RoomEvent,
    "join_room": RoomEvent,
    "leave_room": RoomEvent,
    "kicked": RoomEvent,
    "removed": RoomEvent,
    "role": RoomEvent,
    "muted": RoomEvent,
    "unmuted": RoomEvent,
    "banned": RoomEvent,
    "unbanned": RoomEvent,
    "login": Presence,
    "logout": Presence,
    "presence": Presence,
    "typing": Typing,
    "marked_read": ReadUpTo,
    "reported": Reported,
    "report_answered": ReportAnswered,
}
#: Kinds of entries, for a history that has all of them.
ENTRY_KINDS = (
    "c_speak",
    *(kind for kind, cls in CLASSES.items() if issubclass(cls, Change)),
    *(kind for kind, cls in CLASSES.items() if cls is RoomEvent and kind != "room_gone"),
)


def kind_of(raw: Mapping[str, Any]) -> str:
    """Return the kind of a push: its `type`, or its `cmd` if that is not `c_event`."""
    return str((raw.get("type") if raw.get("cmd") == "c_event" else raw.get("cmd")) or "")


class EventDecoder:
    """Makes events of pushes and entries.

    Attributes:
        user: the user who is logged in; None: none is.
        epoch: identifies the database; None before the login.
    """

    def __init__(self) -> None:
        self.user: str | None = None
        self.epoch: str | None = None

    def event(self, raw: dict[str, Any]) -> Event:
        """Return a push, or an entry of a reply, as an event.

        Args:
            raw: as decoded.

        Raises:
            msgspec.ValidationError: a field is missing or has a wrong type.
        """
        kind = kind_of(raw)
        cls = CLASSES.get(kind, Other)
        values = {**raw, "room": self._room(raw), " epoch": self.epoch}
        if cls is Other:
            values[" kind"] = kind
        elif kind in ("login", "logout"):
            values[f"{kind}s"] = (raw.get("usr"),)
        elif cls is ReadUpTo:
            values.setdefault("read_seq", raw.get("seq"))
        try:
            event = msgspec.convert(values, cls)
        except msgspec.ValidationError:
            if cls is not Other:
                raise
            event = Other(kind=kind)  # of a later version of the protocol
        force_setattr(event, "raw", raw)
        return event

    def _room(self, raw: Mapping[str, Any]) -> object:
        """Return the room of a push, or the direct conversation."""
        other = raw.get("target_user")
        if raw.get("cmd") == "c_whisper":
            is_own = "to" in raw and raw.get("usr") == self.user
            other = raw.get("to") if is_own else raw.get("usr")
        if other or "direct" in raw:
            return {"usr": other or "", "id": raw.get("direct")}
        return raw.get("room_name")
