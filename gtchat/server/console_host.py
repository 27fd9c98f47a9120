"""Who is at the admin consoles: the connection of Host's session, and the peer of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from zope.interface import implementer

from gtchat.chat.accounts import login_key
from gtchat.chat.events import Event
from gtchat.chat.interfaces import DeliveryProof, IConnection
from gtchat.protocols.livechat import presence_changes
from gtchat.server.console_output import ConsoleOutput


@implementer(IConnection)
@attrs.define(eq=False)
class HostConnection:
    """The connection of Host's session: shows events on every console.

    Args:
        outputs: returns the outputs of the consoles that are open.
        kicked: keys of the users who are being kicked, until their logout is shown.
    """

    outputs: Callable[[], Sequence[ConsoleOutput]]
    kicked: set[str]
    address: str = ""
    buffered_bytes: int = 0
    closed: bool = False
    delivery_proof: DeliveryProof = DeliveryProof.TIME
    resumable: bool = False
    protocol: str = "console"

    def on_event(self, event: Event, text: str) -> None:
        """Show an event (TextConnection.on_event).

        Args:
            event: the event.
            text: its text in Live chat.
        """
        changes = list(presence_changes(event))
        left = {name for name, online in changes if not online}
        kicked = {name for name in left if login_key(name) in self.kicked}
        self.kicked.difference_update(map(login_key, kicked))
        for output in self.outputs():
            if changes:
                output.show_presence(event.at, changes, kicked)
            else:
                output.show_event(text)

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        """Do nothing: the session of Host lasts as long as the server (IConnection.close)."""


def is_permitted(transport: Any) -> bool:
    """Return whether the peer of a Unix socket is this user or root (unix(7), SO_PEERCRED)."""
    size = struct.calcsize("3i")
    credentials = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user_id, _ = struct.unpack("3i", credentials)
    return user_id in (os.getuid(), 0)
