"""What the server says: replies to requests, and the pushes that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from gtchat.chat import events
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack
from gtchat.chat.rooms import Room
from gtchat.protocols.base.text import rfc3339


class Reply(msgspec.Struct, kw_only=True):
    """The answer to one request; what else it has depends on the command."""

    cmd: str = "c_response"
    status: str = "ok"
    last_cmd: str = ""
    tracker: str = "0"
    msg: str = ""


class ErrorReply(Reply, kw_only=True):
    """Why a request was refused; `code` is for programs."""

    status: str = "error"
    code: str
    retry_after: float | UnsetType = UNSET
    incident: str | UnsetType = UNSET


class RoomInfo(msgspec.Struct):
    """A room in a list."""

    room_name: str
    public: bool
    topic: str
    owner: str
    members: int
    last_seq: int
    joined: bool
    unread: int
    read_seq: int


class RoomDetails(msgspec.Struct):
    """A room as somebody gets it who is in it."""

    room_name: str
    public: bool
    topic: str
    owner: str
    max: int
    members: int
    last_seq: int
    users: list[str]
    users_total: int


class LoginReply(Reply, kw_only=True):
    """Somebody is in."""

    session_id: str
    epoch: str
    usr: str
    users: list[str]
    users_total: int
    rooms: list[RoomInfo | msgspec.Raw]
    rooms_total: int
    blocked: list[str]


class Resumption(msgspec.Struct):
    """What became of a room since a session's connection was lost."""

    room_name: str
    state: str
    last_seq: int
    entries: list[msgspec.Raw]


class ResumeReply(LoginReply, kw_only=True):
    """Somebody is back."""

    resumed: list[Resumption]


class HelloReply(Reply, kw_only=True):
    """What the server is."""

    server: str
    version: str
    epoch: str
    limits: dict[str, float]
    features: list[str]
    ping_interval: float


class RoomListReply(Reply, kw_only=True):
    """A page of rooms."""

    rooms: list[RoomInfo | msgspec.Raw]
    rooms_total: int


class UserListReply(Reply, kw_only=True):
    """A page of users."""

    users: list[str]
    users_total: int


class RoomUserListReply(UserListReply, kw_only=True):
    """A page of a room's members, and who of them is here."""

    online: list[str]


class RoomReply(Reply, kw_only=True):
    """A room."""

    room: RoomDetails


class SpeakReply(Reply, kw_only=True):
    """A message is stored."""

    id: str
    seq: int
    at: str
    dup: bool | UnsetType = UNSET


class WhisperReply(Reply, kw_only=True):
    """A whisper is stored, and told if its target is here."""

    id: str
    at: str
    delivered: str
    dup: bool | UnsetType = UNSET


class HistoryReply(Reply, kw_only=True):
    """A page of a log."""

    entries: list[msgspec.Raw]
    first: int
    last: int
    more: bool


class BroadcastReply(Reply, kw_only=True):
    """How many people were told."""

    recipients: int


class BlockedReply(Reply, kw_only=True):
    """Whom one does not hear."""

    blocked: list[str]


class PingReply(Reply, kw_only=True):
    """The server answers."""

    at: str


class CSpeak(msgspec.Struct):
    """Somebody said something in a room."""

    room_name: str
    usr: str
    msg: str
    id: str
    seq: int
    at: str
    cmd: str = "c_speak"
    tracker: str = "0"


class CWhisper(msgspec.Struct):
    """Somebody said something to oneself alone."""

    usr: str
    msg: str
    id: str
    at: str
    cmd: str = "c_whisper"
    tracker: str = "0"


class CBroadcast(msgspec.Struct):
    """Somebody spoke to everybody."""

    usr: str
    msg: str
    at: str
    cmd: str = "c_broadcast"
    tracker: str = "0"


class CInvited(msgspec.Struct):
    """Somebody invites one into a room; with cmd c_invite_reply, somebody's answer."""

    room_name: str
    usr: str
    msg: str
    at: str
    cmd: str = "c_invited"
    tracker: str = "0"


class CEvent(msgspec.Struct, kw_only=True):
    """Something happened."""

    cmd: str = "c_event"
    tracker: str = "0"
    type: str
    at: str
    usr: str | UnsetType = UNSET
    room_name: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    by: str | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    max: int | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    host: str | UnsetType = UNSET
    port: int | UnsetType = UNSET
    logins: tuple[str, ...] | UnsetType = UNSET
    logouts: tuple[str, ...] | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode


def speak_reply(ack: Ack, tracker: str, msg: str) -> SpeakReply:
    """Return the reply to a message that is stored.

    Args:
        ack: what the store acknowledged.
        tracker: of the request.
        msg: for people.
    """
    return SpeakReply(
        last_cmd="speak",
        tracker=tracker,
        msg=msg,
        id=ack.id,
        seq=ack.seq,
        at=rfc3339(ack.at),
        dup=ack.dup or UNSET,
    )


def _speak(event: events.MessageSent) -> CSpeak:
    return CSpeak(event.room_name, event.usr, event.msg, event.id, event.seq, rfc3339(event.at))


def _whisper(event: events.WhisperSent) -> CWhisper:
    return CWhisper(event.usr, event.msg, event.id, rfc3339(event.at))


def _broadcast(event: events.BroadcastSent) -> CBroadcast:
    return CBroadcast(event.usr, event.msg, rfc3339(event.at))


def _invited(event: events.Invited) -> CInvited:
    return CInvited(event.room_name, event.usr, event.msg, rfc3339(event.at))


def _answered(event: events.InviteAnswered) -> CInvited:
    return CInvited(
        event.room_name, event.usr, event.reply, rfc3339(event.at), cmd="c_invite_reply"
    )


#: Events that are a `c_event`, with its `type`; their attributes are its fields.
EVENT_TYPES: dict[type[Event], str] = {
    events.LoggedIn: "login",
    events.LoggedOut: "logout",
    events.PresenceChanged: "presence",
    events.RoomCreated: "room_created",
    events.RoomListed: "room_created",
    events.RoomChanged: "room_changed",
    events.RoomDeleted: "room_gone",
    events.Joined: "join_room",
    events.Left: "leave_room",
    events.Kicked: "kicked",
    events.Removed: "removed",
    events.SessionReplaced: "replaced",
    events.AddressRequested: "address_request",
    events.AddressGranted: "address_granted",
    events.AddressDenied: "address_denied",
    events.UserTyping: "typing",
    events.ReadMarked: "marked_read",
    events.ConnectionLagged: "lagged",
}

#: Events that are something else.
_OTHERS: dict[type[Event], Callable[..., msgspec.Struct]] = {
    events.MessageSent: _speak,
    events.WhisperSent: _whisper,
    events.BroadcastSent: _broadcast,
    events.Invited: _invited,
    events.InviteAnswered: _answered,
}


def push(event: Event) -> msgspec.Struct:
    """The push that tells an event."""
    kind = type(event)
    build = _OTHERS.get(kind)
    if build is not None:
        return build(event)
    fields = {name: getattr(event, name) for name in _FIELDS[kind]}
    return CEvent(type=EVENT_TYPES[kind], at=rfc3339(event.at), **fields)


_FIELDS: dict[type[Event], tuple[str, ...]] = {
    kind: tuple(field.name for field in attrs.fields(kind) if field.name != "at")
    for kind in EVENT_TYPES
}


def room_info(room: Room, members: int, joined: bool, unread: int, read_seq: int) -> RoomInfo:
    """A room in a list. joined: whether it is for one of its members; what he has read of it."""
    return RoomInfo(
        room.name,
        room.public,
        room.topic,
        room.owner,
        members,
        room.last_seq,
        joined,
        unread,
        read_seq,
    )


def outside_info(room: Room) -> RoomInfo:
    """Return the list entry of a room for users who are not members."""
    return room_info(room, len(room.members), joined=False, unread=0, read_seq=0)


def shown(room: Room) -> msgspec.Raw:
    """Return the encoded list entry of a room for users who are not members."""
    return msgspec.Raw(_encode(outside_info(room)))


def room_details(room: Room, users: list[str], total: int) -> RoomDetails:
    """A room as a member gets it. users: the first names of its members, of `total`."""
    return RoomDetails(
        room.name,
        room.public,
        room.topic,
        room.owner,
        room.max,
        total,
        room.last_seq,
        users,
        total,
    )
