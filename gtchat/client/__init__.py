"""The client library for bots and for our own clients.

Public is what `__all__` names. Importing it installs no reactor and imports nothing of the server.
The names of the first development versions still work, with a DeprecationWarning.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from gtchat.client import messages
from gtchat.client.actions import Ack, Found
from gtchat.client.connection import Connection, connect
from gtchat.client.messages import (
    CannotConnect,
    CommandFailed,
    ConnectionClosed,
    ConnectionLost,
    ConnectionRestored,
    Deletion,
    Direct,
    Event,
    Push,
    Reaction,
    Reply,
    ReplyTo,
    Room,
    RoomReset,
    SessionInfo,
    Unanswered,
    Version,
)
from gtchat.client.typed_events import (
    Deleted,
    Edited,
    Invitation,
    InvitationAnswer,
    Pinned,
    Reacted,
    ReadUpTo,
    Unpinned,
)

__all__ = [
    "Ack",
    "CannotConnect",
    "CommandFailed",
    "Connection",
    "ConnectionClosed",
    "ConnectionLost",
    "ConnectionRestored",
    "Deleted",
    "Deletion",
    "Direct",
    "Edited",
    "Event",
    "Found",
    "Invitation",
    "InvitationAnswer",
    "Pinned",
    "Push",
    "Reacted",
    "Reaction",
    "ReadUpTo",
    "Reply",
    "ReplyTo",
    "Room",
    "RoomReset",
    "SessionInfo",
    "Unanswered",
    "Unpinned",
    "Version",
    "connect",
]

#: Old name -> new name.
_RENAMED = {
    "Happening": "Event",
    "Back": "ConnectionRestored",
    "Lost": "ConnectionLost",
    "Reset": "RoomReset",
    "Ended": "ConnectionClosed",
}

if not TYPE_CHECKING:  # or type checkers would accept any name

    def __getattr__(name: str) -> Any:
        """Return what has an old name now."""
        new = _RENAMED.get(name)
        if new is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        warnings.warn(f"gtchat.client.{name} is renamed to {new}", DeprecationWarning, stacklevel=2)
        return getattr(messages, new)
