"""Clients: what bots and other clients build on stands here by name; `console` is for terminals.

Nothing in this package imports anything of the server.
"""

from gtchat.client.connection import Connection, connect
from gtchat.client.messages import (
    Back,
    CannotConnect,
    CommandFailed,
    Ended,
    Happening,
    Lost,
    Push,
    Reply,
    Reset,
    Room,
    Unanswered,
)

__all__ = [
    "Back",
    "CannotConnect",
    "CommandFailed",
    "Connection",
    "Ended",
    "Happening",
    "Lost",
    "Push",
    "Reply",
    "Reset",
    "Room",
    "Unanswered",
    "connect",
]
