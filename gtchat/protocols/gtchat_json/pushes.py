"""What the server sends without a request: one Struct and one row for each kind of event.

A push of an entry, the same entry in `history` and in `resume` are the same JSON object. An event
is encoded and framed once for all connections of the JSON API that receive it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate

import attrs
import msgspec
from msgspec import UNSET, UnsetType
from zope.interface import implementer

from gtchat.chat import events, moderation_events
from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder
from gtchat.chat.message_rules import annotated
from gtchat.chat.search_query import FoundMessage
from gtchat.protocols.base.outbox import HasOutbox, WriteBatcher
from gtchat.protocols.base.request_log import RequestLines
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.base.unsent import PIECE_BYTES, join_frames

_encode = msgspec.json.Encoder().encode


class CSpeak(msgspec.Struct):
    """A message of a room."""

    room_name: str
    usr: str
    msg: str
    id: str
    seq: int
    at: str
    cmd: str = "c_speak"
    tracker: str = "0"


class CGuestSpeak(CSpeak):
    """A message of a temporary user. It has a class of its own: pushes stay quick."""

    guest: bool = True


class CAnnotatedSpeak(CSpeak, kw_only=True):
    """A message of which there is more to say; a field is there where it says something."""

    changed: int | UnsetType = UNSET
    edited: bool | UnsetType = UNSET
    deleted: Deletion | UnsetType = UNSET
    reactions: tuple[Reaction, ...] | UnsetType = UNSET
    reply: ReplyTo | UnsetType = UNSET
    style: str | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    guest: bool | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET
    marks: tuple[tuple[int, int], ...] | UnsetType = UNSET


class CWhisper(msgspec.Struct, kw_only=True):
    """A direct message. `to`: who gets it, where that is not the receiver of the push.

    `direct`: the id of the conversation, in what a search has found.
    """

    usr: str
    msg: str
    id: str
    seq: int | UnsetType = UNSET
    at: str
    cmd: str = "c_whisper"
    tracker: str = "0"
    to: str | UnsetType = UNSET
    direct: int | UnsetType = UNSET
    changed: int | UnsetType = UNSET
    edited: bool | UnsetType = UNSET
    deleted: Deletion | UnsetType = UNSET
    reactions: tuple[Reaction, ...] | UnsetType = UNSET
    reply: ReplyTo | UnsetType = UNSET
    style: str | UnsetType = UNSET
    guest: bool | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET
    marks: tuple[tuple[int, int], ...] | UnsetType = UNSET


class CBroadcast(msgspec.Struct):
    """A broadcast of the operator to all users."""

    usr: str
    msg: str
    at: str
    cmd: str = "c_broadcast"
    tracker: str = "0"


class CInvited(msgspec.Struct):
    """An invitation into a room; with `cmd` `c_invite_reply`, the answer to one."""

    room_name: str
    usr: str
    msg: str
    at: str
    cmd: str = "c_invited"
    tracker: str = "0"


class CEvent(msgspec.Struct, kw_only=True):
    """All other events; which fields there are depends on `type`."""

    cmd: str = "c_event"
    tracker: str = "0"
    type: str
    at: str
    usr: str | UnsetType = UNSET
    room_name: str | UnsetType = UNSET
    target_user: str | UnsetType = UNSET
    direct: int | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    read_seq: int | UnsetType = UNSET
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
    of: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    emoji: str | UnsetType = UNSET
    on: bool | UnsetType = UNSET
    level: str | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET
    moderated: bool | UnsetType = UNSET
    slow: int | UnsetType = UNSET
    keep_messages: int | UnsetType = UNSET
    keep_days: int | UnsetType = UNSET
    role: str | UnsetType = UNSET
    banned: bool | UnsetType = UNSET
    until: str | UnsetType = UNSET
    report_id: int | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    answer: str | UnsetType = UNSET


def _message(event: events.MessageSent) -> CSpeak:
    return CSpeak(event.room_name, event.usr, event.msg, event.id, event.seq, rfc3339(event.at))


def _guest_message(event: events.GuestMessage) -> CSpeak:
    return CGuestSpeak(
        event.room_name, event.usr, event.msg, event.id, event.seq, rfc3339(event.at)
    )


def _annotated_message(event: events.AnnotatedMessage) -> CAnnotatedSpeak:
    return CAnnotatedSpeak(
        event.room_name,
        event.usr,
        event.msg,
        event.id,
        event.seq,
        rfc3339(event.at),
        changed=event.changed or UNSET,
        edited=event.edited is not None or UNSET,
        deleted=event.deleted or UNSET,
        reactions=event.reactions or UNSET,
        reply=event.reply or UNSET,
        style=event.style or UNSET,
        pinned=event.pinned or UNSET,
        guest=event.guest or UNSET,
    )


def _whisper(event: events.WhisperSent) -> CWhisper:
    return CWhisper(
        usr=event.usr,
        msg=event.msg,
        id=event.id,
        seq=event.seq or UNSET,
        at=rfc3339(event.at),
        to=event.to or UNSET,
        changed=event.changed or UNSET,
        edited=event.edited is not None or UNSET,
        deleted=event.deleted or UNSET,
        reactions=event.reactions or UNSET,
        reply=event.reply or UNSET,
        style=event.style or UNSET,
        guest=event.guest or UNSET,
    )


def _broadcast(event: events.BroadcastSent) -> CBroadcast:
    return CBroadcast(event.usr, event.msg, rfc3339(event.at))


def _invited(event: events.Invited) -> CInvited:
    return CInvited(event.room_name, event.usr, event.msg, rfc3339(event.at))


def _answered(event: events.InviteAnswered) -> CInvited:
    return CInvited(
        event.room_name, event.usr, event.reply, rfc3339(event.at), cmd="c_invite_reply"
    )


#: Events that are sent as `c_event`, with its `type`; their attributes are its fields.
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
    moderation_events.RoleChanged: "role",
    moderation_events.Muted: "muted",
    moderation_events.Unmuted: "unmuted",
    moderation_events.UserBanned: "banned",
    moderation_events.UserUnbanned: "unbanned",
    moderation_events.ReportMade: "reported",
    moderation_events.ReportAnswered: "report_answered",
    events.SessionReplaced: "replaced",
    events.AddressRequested: "address_request",
    events.AddressGranted: "address_granted",
    events.AddressDenied: "address_denied",
    events.Edited: "edited",
    events.Deleted: "deleted",
    events.Reacted: "reacted",
    events.Pinned: "pinned",
    events.Unpinned: "unpinned",
    events.UserTyping: "typing",
    events.ReadMarked: "marked_read",
    events.NotifySet: "notify",
    events.InvitationEnded: "invitation_ended",
}

#: Events with a Struct of their own, and the function that makes it.
_STRUCTS: dict[type[Event], Callable[..., msgspec.Struct]] = {
    events.MessageSent: _message,
    events.GuestMessage: _guest_message,
    events.AnnotatedMessage: _annotated_message,
    events.WhisperSent: _whisper,
    events.BroadcastSent: _broadcast,
    events.Invited: _invited,
    events.InviteAnswered: _answered,
}


def push(event: Event) -> msgspec.Struct:
    """Return the push of an event."""
    kind = type(event)
    build = _STRUCTS.get(kind)
    if build is not None:
        return build(event)
    fields = {name: getattr(event, name) for name in EVENT_FIELDS[kind]}
    if "target_user" in fields:
        fields = {name: value for name, value in fields.items() if value or name not in PLACES}
    for name in optional(kind) & fields.keys():
        fields[name] = fields[name] or UNSET
    if fields.get("until"):
        fields["until"] = rfc3339(fields["until"])
    for former, name in FORMER_NAMES.get(kind, {}).items():
        fields[former] = fields[name]
    return CEvent(type=EVENT_TYPES[kind], at=rfc3339(event.at), **fields)


#: Fields that are not copied: `at` is formatted, `members` of a deleted room are for RandomChat,
#: what only `fold` uses is not told.
_OTHER_FIELDS = frozenset({"at", "members", "subject_id", "guest", "log_id", "to_operators"})
#: Fields that are told where they are true, and others that are told where they are not 0.
TRUE_ONLY = frozenset({"preview", "moderated", "banned"})
OPTIONAL = TRUE_ONLY | {"slow", "keep_messages", "keep_days", "until", "reason"}
_ABOUT_REPORTS = (moderation_events.ReportMade, moderation_events.ReportAnswered)
#: Former names of fields, which are sent too until the next release, and their present names.
FORMER_NAMES: dict[type[Event], dict[str, str]] = {events.ReadMarked: {"seq": "read_seq"}}
#: Where there is `target_user` among the fields of an event, it has one of these.
PLACES = frozenset({"room_name", "target_user", "direct"})
#: The fields of each `c_event` besides `cmd`, `tracker`, `type` and `at`.
EVENT_FIELDS: dict[type[Event], tuple[str, ...]] = {
    kind: tuple(field.name for field in attrs.fields(kind) if field.name not in _OTHER_FIELDS)
    for kind in EVENT_TYPES
}


#: Names of kinds of entries in requests (`cmd`, or `type` of a `c_event`) -> kinds in the log.
ENTRY_KINDS: dict[str, str] = {
    "c_speak": events.MessageSent.kind,
    "c_whisper": events.MessageSent.kind,
    **{EVENT_TYPES[kind]: name for name, kind in events.ENTRY_TYPES.items() if kind in EVENT_TYPES},
}


def optional(kind: type[Event]) -> frozenset[str]:
    """Return the fields of events that are left out where they say nothing."""
    if kind in _ABOUT_REPORTS:
        return OPTIONAL | {"room_name", "answer"}
    return OPTIONAL - {"reason"} if kind is events.Deleted else OPTIONAL


def encode(event: Event) -> bytes:
    """Return the JSON object of an event, UTF-8."""
    return _encode(push(event))


def encode_blocked(event: events.Entry) -> bytes:
    """Return the JSON object of what a blocked user said, UTF-8."""
    said = push(annotated(event) if isinstance(event, events.MessageSent) else event)
    assert isinstance(said, CAnnotatedSpeak | CWhisper | CEvent), "blocks hide nothing else"
    said.blocked = True
    return _encode(said)


def encode_found(one: FoundMessage, marks: tuple[tuple[int, int], ...], blocked: bool) -> bytes:
    """Return the JSON object of a message that a search has found, UTF-8.

    Args:
        one: the message.
        marks: where its text has what was looked for, in code points.
        blocked: whether the user blocks its author.
    """
    found = push(annotated(one.message))
    assert isinstance(found, CAnnotatedSpeak | CWhisper)
    if isinstance(found, CWhisper):
        found.direct = one.room_id
    found.marks = marks or UNSET
    found.blocked = blocked or UNSET
    return _encode(found)


@implementer(IEncoder)
@attrs.define(eq=False)
class JSONEncoder:
    """Encodes events for all sessions of the JSON API.

    Args:
        batcher: writes at the end of the reactor's turn.
        frame: returns the WebSocket frame of a message.
        requests: writes a line for each request, if that is set.
    """

    batcher: WriteBatcher
    frame: Callable[[bytes], bytes]
    requests: RequestLines = attrs.field(factory=RequestLines)

    def encode(self, sent: Sequence[Event]) -> JSONBatch:
        """Encode events, each once."""
        frame = self.frame
        if len(sent) == 1:  # nearly always: no list, no join
            return JSONBatch(self.batcher, (), frame(_encode(push(sent[0]))))
        return JSONBatch(self.batcher, [frame(_encode(push(event))) for event in sent])


@implementer(IEncodedBatch)
@attrs.define(eq=False)
class JSONBatch:
    """The frames of some events, in order.

    Args:
        batcher: writes at the end of the reactor's turn.
        frames: a frame for each event; empty where `joined` is the only one.
        joined: all frames in one piece; made when it is needed.
    """

    _batcher: WriteBatcher
    _frames: Sequence[bytes]
    _joined: bytes = b""
    _view: memoryview | None = None
    _starts: Sequence[int] = ()

    def send(self, connections: Collection[IConnection]) -> None:
        """Append all frames to each connection, as one piece if it is not large."""
        written: Collection[HasOutbox] = connections  # type: ignore[assignment] # of this encoder
        outboxes = [connection.outbox for connection in written]
        joined = self._joined or self._join()
        if len(joined) <= PIECE_BYTES or not self._frames:
            self._batcher.write_all(outboxes, joined)
        else:
            for piece in join_frames(self._frames):
                self._batcher.write_all(outboxes, piece)

    def send_part(self, connection: IConnection, start: int, stop: int) -> None:
        """Append the frames [start:stop] to one connection."""
        if self._view is None:
            # In a room where many users send at once each of them gets other parts, which together
            # are large: they are views of what was joined once, until each is sent.
            self._view = memoryview(self._joined or self._join())
            self._starts = list(accumulate(map(len, self._frames or (self._joined,)), initial=0))
        starts = self._starts
        part = self._view[starts[start] : starts[stop]]
        written: HasOutbox = connection  # type: ignore[assignment] # of this encoder
        if len(part) <= PIECE_BYTES:
            written.outbox.write(part)
        else:
            for piece in join_frames(self._frames[start:stop] or (part,)):
                written.outbox.write(piece)

    def _join(self) -> bytes:
        self._joined = b"".join(self._frames)
        return self._joined
