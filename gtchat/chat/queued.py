"""Entries that the chat has queued in the store, with what it needs to deliver them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.errors import ChatError
from gtchat.chat.events import Deleted, Edited, Entry, MessageSent, RoomChanged, RoomCreated
from gtchat.chat.fold import Undo
from gtchat.chat.interfaces import (
    Ack,
    IConnection,
    PendingEntry,
    PendingMessageChange,
    PendingRoomChange,
)
from gtchat.chat.moderation_events import Muted, UserBanned
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session


class Place(Protocol):
    """What delivery uses of a room or a direct conversation whose message changes."""

    @property
    def id(self) -> int:
        """The id of its log."""

    def advance(self, seq: int, messages: int = 0) -> None:
        """See `Room.advance`."""

    def publish(self, entry: Entry, exclude: Collection[IConnection] = ()) -> None:
        """See `Room.publish`."""


@attrs.define(eq=False, kw_only=True)
class PendingMessage(PendingEntry):
    """A message that is queued in the store.

    Attributes:
        entry: the message.
        room: the room.
        session: the sender's session.
        done: called with the ack or the error, in the order of the room.
    """

    entry: MessageSent
    room: Room
    session: Session
    done: Callable[[Ack | ChatError], None]


@attrs.define(eq=False, kw_only=True)
class PendingChange(PendingRoomChange):
    """A change of a room that is queued in the store.

    Attributes:
        room: the room.
        actor: the session that asked for it, None if no session did.
        done: fires with the ack.
        undo: takes the change back, None once it is stored or taken back.
    """

    room: Room
    actor: Session | None
    done: Deferred[Ack] = attrs.field(factory=Deferred)
    undo: Undo | None = None


@attrs.define(eq=False, kw_only=True)
class QueuedMessageChange(PendingMessageChange):
    """A change of a message that is queued in the store.

    Attributes:
        room: the room, or the direct conversation.
        session: the session that asked for it.
        done: fires with the ack.
    """

    room: Place
    session: Session
    done: Deferred[Ack] = attrs.field(factory=Deferred)


def text_of(entry: Entry) -> str:
    """Return the text that a user wrote in a change of a room or a message, "" if it has none."""
    if isinstance(entry, RoomCreated | RoomChanged):
        return entry.topic
    if isinstance(entry, Edited):
        return entry.msg
    return entry.reason if isinstance(entry, Deleted | Muted | UserBanned) else ""
