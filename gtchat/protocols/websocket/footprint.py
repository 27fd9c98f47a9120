"""How little a connection holds in memory while it is open and no frame is under way.

Autobahn sets some eighty attributes in each connection. What is the same for all connections is
moved to the class, and what a handshake or a frame leaves behind is removed. With ten attributes
or fewer, an instance takes 200 bytes less.
"""

from __future__ import annotations

from typing import Any, TypeVar

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

#: Beginnings of the names of what the opening handshake leaves in a connection.
HANDSHAKE_PREFIXES = ("http_", "websocket_", "_wskey", "connected")
#: What a frame or a message leaves in a connection: Autobahn's names, and two of ours.
FRAME_ATTRIBUTES = {
    "_fragments",
    "_isMessageCompressed",
    "_message_began",
    "control_frame_data",
    "current_frame",
    "current_frame_masker",
    "data",
    "frame_data",
    "frame_length",
    "inside_message",
    "message_data",
    "message_data_total_length",
    "message_is_binary",
    "utf8validateIncomingCurrentMessage",
    "utf8validateLast",
    "utf8validator",
}

P = TypeVar("P", bound=WebSocketServerProtocol)


class _NullDeferred:
    """Stands for Autobahn's `is_open` and `is_closed`, which have no callbacks here."""

    def callback(self, result: object) -> None:
        """Ignore the result."""


def without_handshake(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a connection without those of the opening handshake."""
    return {
        name: value for name, value in attributes.items() if not name.startswith(HANDSHAKE_PREFIXES)
    }


def without_frame(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a connection without those of a frame.

    It is a new dict, since one from which keys are deleted does not become smaller.
    """
    return {name: value for name, value in attributes.items() if name not in FRAME_ATTRIBUTES}


def shared_defaults(
    protocol: type[P], factory: WebSocketServerFactory, **shared: object
) -> type[P]:
    """Return a subclass that holds what Autobahn sets to the same value in each connection.

    Autobahn's own initialization runs once, on an instance that serves as the pattern. The
    protocol's `__init__` and `connectionMade` must not run it again.

    Args:
        protocol: the class of the connections.
        factory: has the options that Autobahn copies into each connection.
        shared: further attributes of the class.
    """
    pattern = protocol()
    pattern.factory = factory
    WebSocketServerProtocol.__init__(pattern)
    WebSocketServerProtocol._connectionMade(pattern)
    options = {name: getattr(factory, name) for name in protocol.CONFIG_ATTRS}
    ours = [base for base in protocol.__mro__ if base not in WebSocketServerProtocol.__mro__]
    excluded = {"factory", *(name for base in ours for name in vars(base))}
    defaults = {
        name: staticmethod(value) if callable(value) else value
        for name, value in {**options, **vars(pattern)}.items()
        if name not in excluded
    }
    null = _NullDeferred()
    return type(
        protocol.__name__, (protocol,), {**defaults, "is_open": null, "is_closed": null, **shared}
    )
