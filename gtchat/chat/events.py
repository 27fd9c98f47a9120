"""Events that the chat sends to protocols, and the entries among them that are stored.

An `Entry` is part of the log of a room: a message, or a change of the room's members or settings.
`seq` numbers the entries of a room from 1 without gaps, and gives their order. The state of a room
is the fold of its entries. All other events go to the sessions that are online and are not stored.
"""

from __future__ import annotations

from typing import ClassVar

import attrs


@attrs.define(kw_only=True)
class Event:
    """An event. Receivers do not change it.

    Attributes:
        at: time of day in milliseconds since 1970, UTC; for display, not for ordering.
    """

    at: int


@attrs.define(kw_only=True)
class Entry(Event):
    """An entry of the log of a room.

    The store sets `seq` in place, before the event is sent: a copy of each message, or a frozen
    class, would cost more than all of the rules.

    Attributes:
        kind: the stable name of the class.
        room_name: name of the room as displayed.
        usr: name, as displayed, of the user that the entry is about.
        seq: number in the log; 0 until it is stored.
        subject_id: the account that the entry is about: the author of a message, the user who
            joins, leaves, is kicked or removed, the owner that the room has from here on; None for
            no owner, and where the account is not known. Clients are not told.
    """

    kind: ClassVar[str]
    room_name: str
    usr: str
    seq: int = 0
    subject_id: int | None = None


@attrs.define(kw_only=True)
class MessageSent(Entry):
    """A user sent a message to a room; `id` is unique forever."""

    kind = "speak"
    msg: str
    id: str


@attrs.define(kw_only=True)
class RoomSettingsEntry(Entry):
    """The settings of a room from here on; `usr` set them, `owner` is "" for no owner."""

    public: bool
    topic: str
    max: int
    owner: str


@attrs.define(kw_only=True)
class RoomCreated(RoomSettingsEntry):
    """The first entry of a room; the creator is the first member.

    Attributes:
        guest: whether the creator is temporary; never sent.
    """

    kind = "room_created"
    guest: bool = False


@attrs.define(kw_only=True)
class RoomChanged(RoomSettingsEntry):
    """The owner changed the settings, or the room got another owner."""

    kind = "room_changed"


@attrs.define(kw_only=True)
class Joined(Entry):
    """A user became a member.

    Attributes:
        guest: whether the user is temporary; never sent.
    """

    kind = "join_room"
    guest: bool = False


@attrs.define(kw_only=True)
class Left(Entry):
    """A member left."""

    kind = "leave_room"


@attrs.define(kw_only=True)
class Kicked(Entry):
    """A member was kicked by `by`."""

    kind = "kicked"
    by: str


@attrs.define(kw_only=True)
class Removed(Entry):
    """A member was removed by `by`."""

    kind = "removed"
    by: str


#: Kind -> class of each entry.
ENTRY_TYPES: dict[str, type[Entry]] = {
    entry.kind: entry
    for entry in (MessageSent, RoomCreated, RoomChanged, Joined, Left, Kicked, Removed)
}


@attrs.frozen(kw_only=True)
class LoggedIn(Event):
    """A user logged in."""

    usr: str


@attrs.frozen(kw_only=True)
class LoggedOut(Event):
    """A user logged out, or lost the last connection."""

    usr: str


@attrs.frozen(kw_only=True)
class PresenceChanged(Event):
    """Several users logged in or out within a second."""

    logins: tuple[str, ...]
    logouts: tuple[str, ...]


@attrs.frozen(kw_only=True)
class UserTyping(Event):
    """A user is typing in a room."""

    usr: str
    room_name: str


@attrs.frozen(kw_only=True)
class ReadMarked(Event):
    """The receiver has read a room up to an entry, on another session."""

    room_name: str
    seq: int


@attrs.frozen(kw_only=True)
class RoomListed(Event):
    """A public room was created; sent to every user. `seq` is that of `RoomCreated`."""

    room_name: str
    usr: str
    seq: int


@attrs.frozen(kw_only=True)
class RoomDeleted(Event):
    """A room was deleted with its log; `members` are those that it had."""

    room_name: str
    usr: str
    members: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class WhisperSent(Event):
    """A user sent the receiver a direct message; `id` is unique forever."""

    usr: str
    msg: str
    id: str


@attrs.frozen(kw_only=True)
class BroadcastSent(Event):
    """A user who has the broadcast key sent a message to every user."""

    usr: str
    msg: str


@attrs.frozen(kw_only=True)
class Invited(Event):
    """`usr` invites the receiver to a room; `msg` is the text that users read."""

    room_name: str
    usr: str
    msg: str


@attrs.frozen(kw_only=True)
class InviteAnswered(Event):
    """`usr` answers an invitation of the receiver: Y, N or L (later)."""

    room_name: str
    usr: str
    reply: str


@attrs.frozen(kw_only=True)
class SessionReplaced(Event):
    """The receiving session has ended because its user logged in from `address`."""

    usr: str
    address: str


@attrs.frozen(kw_only=True)
class ConnectionLagged(Event):
    """The receiving session reads too slowly; what was not sent yet is dropped."""


@attrs.frozen(kw_only=True)
class AddressRequested(Event):
    """`usr` asks for the peer address of the receiver."""

    usr: str


@attrs.frozen(kw_only=True)
class AddressGranted(Event):
    """The client of `usr` accepts direct connections at `host`, `port`."""

    usr: str
    host: str
    port: int


@attrs.frozen(kw_only=True)
class AddressDenied(Event):
    """`usr` refuses the peer address."""

    usr: str
