"""What the server sends without a request: one Struct for each kind of message and invitation.

All other events are one Struct with a `type` (`event_pushes`).

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

from gtchat.chat import events
from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder
from gtchat.chat.message_rules import annotated
from gtchat.chat.search_query import FoundMessage
from gtchat.protocols.base.outbox import HasOutbox, WriteBatcher
from gtchat.protocols.base.request_log import RequestLines
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.base.unsent import PIECE_BYTES, join_frames
from gtchat.protocols.gtchat_json.event_pushes import CEvent, event_push

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
    return _STRUCTS.get(type(event), event_push)(event)


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
