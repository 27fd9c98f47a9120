"""What happened: the facts that the chat tells to protocols, and that the store keeps.

An `Entry` is a line of a room's log: everything that changes a room or is said in it, numbered by
`seq` from 1 without a gap. The state of a room is the fold of its entries. All other events are
ephemeral: they are told to those who are here and never stored in a log.

Times (`at`) are milliseconds since 1970 in UTC. They are for people; order is by `seq` alone.
"""

from __future__ import annotations

from typing import ClassVar

import attrs


@attrs.define(kw_only=True)
class Event:
    """Something that happened at a time. Nobody changes what happened.

    Attributes:
        at: when, in milliseconds since 1970, UTC.
    """

    at: int


@attrs.define(kw_only=True)
class Entry(Event):
    """A line of a room's log.

    The store numbers it in place, before anybody is told: on the way of every message a copy, and
    a frozen class, would cost more than all of the rules.

    Attributes:
        kind: the stable word for this class of entries.
        room_name: the room, as it is shown.
        usr: the person whom the entry is about, as shown.
        seq: its number in the room; 0 as long as it is not stored.
    """

    kind: ClassVar[str]
    room_name: str
    usr: str
    seq: int = 0


@attrs.define(kw_only=True)
class MessageSent(Entry):
    """A person said something in a room; `id` is unique for ever."""

    kind = "speak"
    msg: str
    id: str


@attrs.define(kw_only=True)
class RoomSettingsEntry(Entry):
    """A room's settings from here on; `usr` is who made them, `owner` is "" for nobody."""

    public: bool
    topic: str
    max: int
    owner: str


@attrs.define(kw_only=True)
class RoomCreated(RoomSettingsEntry):
    """The first entry of every room; its creator is its first member."""

    kind = "room_created"


@attrs.define(kw_only=True)
class RoomChanged(RoomSettingsEntry):
    """The owner changed settings, or the ownership passed on."""

    kind = "room_changed"


@attrs.define(kw_only=True)
class Joined(Entry):
    """A person became a member."""

    kind = "join_room"


@attrs.define(kw_only=True)
class Left(Entry):
    """A member left by himself."""

    kind = "leave_room"


@attrs.define(kw_only=True)
class Kicked(Entry):
    """A member was put out by `by`."""

    kind = "kicked"
    by: str


@attrs.define(kw_only=True)
class Removed(Entry):
    """A member was taken off the list of members by `by`."""

    kind = "removed"
    by: str


#: Every kind of entry with its class: what `history` can be asked for, what the store keeps.
ENTRY_TYPES: dict[str, type[Entry]] = {
    entry.kind: entry
    for entry in (MessageSent, RoomCreated, RoomChanged, Joined, Left, Kicked, Removed)
}


@attrs.frozen(kw_only=True)
class LoggedIn(Event):
    """A person came."""

    usr: str


@attrs.frozen(kw_only=True)
class LoggedOut(Event):
    """A person went."""

    usr: str


@attrs.frozen(kw_only=True)
class PresenceChanged(Event):
    """Many people came or went within a second: their names."""

    logins: tuple[str, ...]
    logouts: tuple[str, ...]


@attrs.frozen(kw_only=True)
class UserTyping(Event):
    """A person is typing in a room; told at most every few seconds."""

    usr: str
    room_name: str


@attrs.frozen(kw_only=True)
class ReadMarked(Event):
    """The person told has read a room up to an entry, at another place of his."""

    room_name: str
    seq: int


@attrs.frozen(kw_only=True)
class RoomListed(Event):
    """A public room was created: told to everybody, beside its log's first entry."""

    room_name: str
    usr: str
    seq: int


@attrs.frozen(kw_only=True)
class RoomDeleted(Event):
    """A room and its log are no more."""

    room_name: str
    usr: str


@attrs.frozen(kw_only=True)
class WhisperSent(Event):
    """A person said something to one other alone; `id` is unique for ever."""

    usr: str
    msg: str
    id: str


@attrs.frozen(kw_only=True)
class BroadcastSent(Event):
    """Somebody who has the key spoke to all."""

    usr: str
    msg: str


@attrs.frozen(kw_only=True)
class Invited(Event):
    """`usr` invites the person told into a room."""

    room_name: str
    usr: str
    msg: str


@attrs.frozen(kw_only=True)
class InviteAnswered(Event):
    """`usr` answers an invitation of the person told: Y, N or L (later)."""

    room_name: str
    usr: str
    reply: str


@attrs.frozen(kw_only=True)
class SessionReplaced(Event):
    """The session told has ended, since its user came from `address`."""

    usr: str
    address: str


@attrs.frozen(kw_only=True)
class ConnectionLagged(Event):
    """The session told reads too slowly, and loses what it was not sent."""


@attrs.frozen(kw_only=True)
class AddressRequested(Event):
    """`usr` asks where the person told can be reached directly."""

    usr: str


@attrs.frozen(kw_only=True)
class AddressGranted(Event):
    """`usr` can be reached at `host`, `port`."""

    usr: str
    host: str
    port: int


@attrs.frozen(kw_only=True)
class AddressDenied(Event):
    """`usr` does not tell where he can be reached."""

    usr: str


#: Attribute names of an entry that are not columns of their own where it is kept.
EXTRA_FIELDS: dict[str, tuple[str, ...]] = {
    kind: tuple(
        field.name
        for field in attrs.fields(entry)
        if field.name not in {"at", "room_name", "usr", "seq", "msg", "id"}
    )
    for kind, entry in ENTRY_TYPES.items()
}
