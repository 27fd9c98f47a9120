"""What nodes tell each other past the store: it may be lost, and nothing depends on it.

Messages, members, sessions and blocks go through the store, in the order of its logs.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from zope.interface import Attribute, Interface, implementer

from gtchat.chat.events import BroadcastSent, ReadMarked


@attrs.frozen
class RoomTyping:
    """A user is typing in a room.

    Attributes:
        room_id: the room.
        account_id, usr: the user.
    """

    room_id: int
    account_id: int
    usr: str


@attrs.frozen
class DirectTyping:
    """A user is typing a direct message.

    Attributes:
        account_id: the account that the message will be for.
        sender_id, usr: the user who is typing.
    """

    account_id: int
    sender_id: int
    usr: str


@attrs.frozen
class ReadMoved:
    """An account has read a room or a direct conversation up to an entry, and no further.

    Attributes:
        account_id: the account.
        room_id: the room, or the log of the conversation.
        read_seq: the entry.
        event: what the other sessions of the account are sent.
    """

    account_id: int
    room_id: int
    read_seq: int
    event: ReadMarked


@attrs.frozen
class BroadcastMade:
    """A message to every user."""

    event: BroadcastSent


Relayed = RoomTyping | DirectTyping | ReadMoved | BroadcastMade


class IRelay(Interface):
    """Tells other nodes what is not stored. It may be lost, come twice or late."""

    received: Callable[[Relayed], None] = Attribute(
        "Set by the chat: called in the reactor thread with what another node has sent."
    )

    def send(relayed: Relayed) -> None:
        """Tell all other nodes. Never waits, never fails."""


def ignore_relayed(relayed: Relayed) -> None:
    """Drop what was received, until the chat sets `received`."""


@implementer(IRelay)
class NoRelay:
    """The relay of a node that is the only one."""

    def __init__(self) -> None:
        self.received: Callable[[Relayed], None] = ignore_relayed

    def send(self, relayed: Relayed) -> None:
        """See `IRelay.send`."""
