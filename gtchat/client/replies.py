"""The replies of a server and their parts, as frozen structs.

The fields of a `Reply` have the names of the protocol page; its parts have the names that events
have. Unknown fields are ignored, so that a newer server can send more; `Reply.raw` has them.
Source: docs/protocol.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import field
from msgspec.structs import force_setattr

from gtchat.client.errors import ERROR_CLASSES, CommandFailed
from gtchat.client.event_decoder import EventDecoder
from gtchat.client.events import Direct, Event, OfReporter


class Room(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A room.

    Attributes:
        members: number of members.
        last_seq: number of the newest entry of its log.
        joined: whether the user is a member.
        unread: messages after `read_seq`.
        read_seq: the last entry that counts as read.
        mentions: how many of the unread messages mention the user.
        notify: of which messages the user wants to be notified: all, mentions or none.
        preview: whether users who are not members can read its newest messages while it is public.
        max: maximum number of members; 0: no limit.
        role: that of the user, `moderator` or `voice`; "" for none.
        moderated: whether members need a role to speak.
        slow: seconds between two messages of a member; 0: none.
        keep_messages, keep_days: how many of its newest messages, and for how many days they are
            kept; 0: as the server keeps them.
        users: names of members, in the reply of a command that enters the room.
        users_total: number of members, where `users` is only a part.
    """

    name: str = field(name="room_name")
    public: bool = True
    topic: str = ""
    owner: str | None = None
    members: int = 0
    last_seq: int = 0
    joined: bool = False
    unread: int = 0
    read_seq: int = 0
    mentions: int = 0
    notify: str = "all"
    preview: bool = False
    max: int = 0
    role: str = ""
    moderated: bool = False
    slow: int = 0
    keep_messages: int = 0
    keep_days: int = 0
    users: tuple[str, ...] = ()
    users_total: int = 0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a message had from the entry `seq` on."""

    seq: int
    at: datetime | None = None
    text: str = field(name="msg", default="")


class Report(OfReporter, msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A report of a message, with a copy of it.

    Attributes:
        id: names it in `answer_report`.
        room: the room, None for a direct message.
        seq: number of the message.
        user: its author.
        text: its text.
        sent: when it was sent, aware.
        by: who has reported it.
        reason: why, "" for no reason.
        rule: of the word filter: the rule that it matches; only operators see it.
        at: when it was reported, aware.
        outcome: `accepted` or `dismissed`, None if it is not answered; then the next three, too.
        answer: what the user who reported was told.
        answered_by: who has answered.
        answered: when, aware.
    """

    id: int = field(name="report_id")
    room: str | None = field(name="room_name", default=None)
    seq: int
    user: str = field(name="usr")
    text: str = field(name="msg")
    sent: datetime | None = None
    by: str = ""
    reason: str = ""
    rule: str | None = None
    at: datetime | None = None
    outcome: str | None = None
    answer: str | None = None
    answered_by: str | None = None
    answered: datetime | None = None


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A session of the user, or a device that can begin one.

    Attributes:
        id: names it in `end_session`.
        device: names its device; sessions with the same one are on the same device.
        device_name: the name of its device, for users.
        protocol: the protocol of its client, None for a device without a session.
        began: when it began, aware.
        last_seen: when it was connected last, aware.
        online: whether it is connected.
        current: whether it is the session that asks.
        remembered: whether its device can log in without the password.
    """

    id: str
    device: str | None = None
    device_name: str | None = None
    protocol: str | None = None
    address: str | None = None
    began: datetime | None = None
    last_seen: datetime | None = None
    online: bool = False
    current: bool = False
    remembered: bool = False


class PendingInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation to a room that is not answered yet. user: who invites."""

    room: str = field(name="room_name")
    user: str = field(name="usr")
    at: datetime | None = None


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a room or a direct conversation while the connection was lost.

    Attributes:
        room: the room, None for a direct conversation.
        direct: id of the conversation, None for a room.
        state: `resumed`, `behind` or `reset`, see docs/protocol.md.
        reason: why it was reset.
        last_seq: number of the newest entry of its log.
        entries: all that were missed, if the state is `resumed`, as the server sent them.
    """

    room: str | None = field(name="room_name", default=None)
    direct: int | None = None
    state: str
    reason: str | None = None
    last_seq: int = 0
    entries: tuple[dict[str, Any], ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """The reply to a command; which fields it has depends on the command.

    Attributes:
        raw: the reply as it was decoded.
        entries: entries of a log, or messages that were found.
        whispers: direct messages that waited.
        others: see docs/protocol.md.
    """

    status: str = "ok"
    last_cmd: str = ""
    tracker: str = "0"
    msg: str = ""
    code: str = ""
    retry_after: float | None = None
    window: float | None = None
    used: int | None = None
    allowed: int | None = None
    incident: str | None = None
    logged_out: str | None = None
    session_id: str = ""
    device_token: str = ""
    sessions: tuple[SessionInfo, ...] = ()
    sessions_total: int = 0
    epoch: str | None = None
    usr: str = ""
    users: tuple[str, ...] = ()
    users_total: int = 0
    online: tuple[str, ...] = ()
    rooms: tuple[Room, ...] = ()
    rooms_total: int = 0
    rooms_next: str = ""
    resumed: tuple[Resumption, ...] = ()
    directs: tuple[Direct, ...] = ()
    invitations: tuple[PendingInvitation, ...] = ()
    room: Room | None = None
    id: str | None = None
    seq: int | None = None
    at: datetime | None = None
    dup: bool = False
    delivered: str = ""
    recipients: int = 0
    blocked: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    report_id: int = 0
    reports: tuple[Report, ...] = ()
    log_first: int = 0
    log_last: int = 0
    more: bool = False
    next: str = ""
    incomplete: bool = False
    read_seq: int = 0
    server: str = ""
    version: str = ""
    limits: dict[str, float] = {}
    features: tuple[str, ...] = ()
    ping_interval: float = 0
    entries: tuple[Event, ...] = field(name=" entries", default=())
    whispers: tuple[Event, ...] = field(name=" whispers", default=())
    raw: dict[str, Any] = field(name=" raw", default_factory=dict)

    def checked(self) -> Reply:
        """Return the reply if its status is `ok`; raise CommandFailed otherwise."""
        if self.status == "ok":
            return self
        cls = ERROR_CLASSES.get(self.code, CommandFailed)
        raise cls(self.code, self.msg, self.retry_after, self.last_cmd or None, self.incident)


def decode_message(payload: bytes, decoder: EventDecoder) -> Reply | Event:
    """Decode a message of the server.

    Args:
        payload: UTF-8 JSON.
        decoder: makes events of what is in it.

    Raises:
        msgspec.MsgspecError: it is not JSON, or a field is missing or has a wrong type.
        UnicodeDecodeError: it is not UTF-8.
    """
    raw = msgspec.json.decode(payload, type=dict[str, Any])
    if not isinstance(raw.get("cmd"), str):
        raise msgspec.ValidationError("a message without `cmd`")
    return decode_reply(raw, decoder) if raw["cmd"] == "c_response" else decoder.event(raw)


def decode_reply(raw: dict[str, Any], decoder: EventDecoder) -> Reply:
    """Return a reply. raw: as decoded. Raises msgspec.ValidationError: see `decode_message`."""
    reply = msgspec.convert(raw, Reply)
    for name in ("entries", "whispers"):
        if raw.get(name):
            force_setattr(reply, name, tuple(decoder.event(one) for one in raw[name]))
    force_setattr(reply, "raw", raw)
    return reply
