"""What other nodes have stored: it is made here too, and sent to the sessions that are here.

Rooms and presence are here. What is done with the other entries of the system log is registered by
the parts of the chat that know sessions, guests, direct messages, blocks and invitations.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.logger import Logger

from gtchat.chat.delivery import Delivery
from gtchat.chat.events import (
    Edited,
    Entry,
    Joined,
    Kicked,
    Left,
    MessageChange,
    MessageSent,
    Reacted,
    Removed,
    RoomCreated,
)
from gtchat.chat.interfaces import IEncodedBatch
from gtchat.chat.node_records import (
    DirectEntry,
    Foreign,
    ForeignHandlers,
    InvitationsEnded,
    NodeGone,
    Online,
    RoomAdded,
    RoomDeleted,
)
from gtchat.chat.ownership import Ownership
from gtchat.chat.rooms import Room, connections_of
from gtchat.chat.state import State
from gtchat.chat.users import Session

_log = Logger()


@attrs.frozen
class ForeignDirect:
    """An entry of a direct conversation that another node has stored: a `DirectEntry` with it.

    Attributes:
        room_id: the conversation.
        entry: the message, or the change of one.
        users: (account id, name) of its author, then of the other user; twice the same for notes.
    """

    room_id: int
    entry: Entry
    users: tuple[tuple[int, str], tuple[int, str]]


class ForeignDelivery:
    """Makes the changes of other nodes here, and sends them to the sessions here.

    Args:
        state: the chat's shared objects. The store reports to `deliver` from now on.
        delivery: sends events to rooms.
        ownership: counts the rooms that users have created.

    Attributes:
        handlers: what each part of the chat does with system entries, in order. Of a `DirectEntry`
            they get a `ForeignDirect`, under that class, if its entry is still there.
    """

    def __init__(self, state: State, delivery: Delivery, ownership: Ownership) -> None:
        self._users = state.users
        self._rooms = state.rooms
        self._delivery = delivery
        self._ownership = ownership
        self.handlers: list[ForeignHandlers] = [
            {
                RoomDeleted: self._delete,
                InvitationsEnded: self._end_invitations,
                Online: self._set_online,
                NodeGone: self._end_node,
            }
        ]
        state.store.foreign = self.deliver

    def deliver(self, foreign: Foreign) -> None:
        """Make what other nodes have stored, in the order of its attributes; see `INodeStore`.

        A failure with one room or system entry is logged; the others are delivered.
        """
        for added in foreign.added:
            self._add(added)
        for room_id, entries in foreign.entries.items():
            room = self._rooms.get(room_id)
            if room is None:
                continue
            try:
                self._deliver_entries(room, entries)
            except Exception:
                _log.failure("entries of room {room_id} were not delivered", room_id=room_id)
        for node_id, entry in foreign.system:
            ...
