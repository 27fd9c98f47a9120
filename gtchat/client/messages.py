"""What a server sends, as frozen structs: replies, pushes and their parts; events and errors.

A field that a message does not have is empty. Unknown fields are ignored, so that a newer server
can send more. Source: docs/protocol.md.
"""

from __future__ import annotations

import attrs
import msgspec


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
        users: names of members, in the reply of a command that enters the room.
        users_total: number of members, where `users` is only a part.
    """

    room_name: str
    public: bool = True
    topic: str = ""
    owner: str = ""
    members: int = 0
    last_seq: int = 0
    joined: bool = False
    unread: int = 0
    read_seq: int = 0
    mentions: int = 0
    notify: str = "all"
    preview: bool = False
    max: int = 0
    users: tuple[str, ...] = ()
    users_total: int = 0


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """Who deleted a message, and why."""

    by: str = ""
    reason: str = ""


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji with which users have reacted to a message.

    Attributes:
        count: number of the users.
        users: the first of them.
        me: whether the user is one of them.
    """

    emoji: str
    count: int = 0
    users: tuple[str, ...] = ()
    me: bool = False


class ReplyTo(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a message replies to."""

    seq: int
    usr: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a message had from the entry `seq` on."""

    seq: int
    at: str = ""
    msg: str = ""


class Push(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A message that the server sends without a request; also an entry of a room's log.

    Attributes:
        cmd: `c_speak`, `c_whisper`, `c_broadcast`, `c_invited`, `c_invite_reply` or `c_event`.
        type: kind of a `c_event`, such as `join_room`.
        usr: the sender, or the user that it is about.
        to: of a direct message: the user who gets it, "" if that is the receiver.
        target_user: of a change of a direct message: the other user.
        direct: id of a direct conversation: of a message that a search has found, or of a
            `marked_read` or `notify` where the other account has ended.
        msg: the text; in a `c_invite_reply` Y, N or L.
        seq: its number in its log; 0: it is not an entry. A `marked_read` is none.
        read_seq: in a `marked_read`, the last entry that the user has read; it can be less than
            before.
        at: time in UTC, RFC 3339.
        by: the user who kicked or removed `usr`, or deleted a message of `usr`.
        blocked: in a history, whether the user blocks the sender.
        of: seq of the message that a change changes.
        emoji, on: the reaction, and whether it was made or taken back.
        reason: why a message was deleted.
        level: in a `notify`, of which messages the user wants to be notified.
        public, topic, max, owner, preview: the settings of a room.
        changed: seq of the last entry that changed a message.
        marks: in what a search has found, where the text has what was looked for: starts and ends
            in characters.
        edited, deleted, reactions, reply, style, pinned, guest: those of a message, see
            docs/protocol.md.
    """

    cmd: str
    type: str = ""
    usr: str = ""
    room_name: str = ""
    target_user: str = ""
    direct: int = 0
    to: str = ""
    msg: str = ""
    id: str = ""
    seq: int = 0
    read_seq: int = 0
    at: str = ""
    by: str = ""
    blocked: bool = False
    public: bool = True
    topic: str = ""
    max: int = 0
    owner: str = ""
    preview: bool = False
    address: str = ""
    host: str = ""
    port: int = 0
    logins: tuple[str, ...] = ()
    logouts: tuple[str, ...] = ()
    of: int = 0
    emoji: str = ""
    on: bool = True
    reason: str = ""
    level: str = ""
    changed: int = 0
    edited: bool = False
    deleted: Deletion | None = None
    reactions: tuple[Reaction, ...] = ()
    reply: ReplyTo | None = None
    style: str = ""
    pinned: bool = False
    guest: bool = False
    marks: tuple[tuple[int, int], ...] = ()


class PendingInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation to a room that is not answered yet.

    Attributes:
        usr: the user who invites.
        at: time in UTC, RFC 3339.
    """

    room_name: str
    usr: str
    at: str = ""


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A session of the user, or a device that can begin one.

    Attributes:
        id: names it in `end_session`.
        device: names its device; sessions with the same one are on the same device.
        device_name: the name of its device, for users.
        protocol: the protocol of its client, empty for a device without a session.
        began: when it began, RFC 3339 in UTC.
        last_seen: when it was connected last.
        online: whether it is connected.
        current: whether it is the session that asks.
        remembered: whether its device can log in without the password.
    """

    id: str
    device: str = ""
    device_name: str = ""
    protocol: str = ""
    address: str = ""
    began: str = ""
    last_seen: str = ""
    online: bool = False
    current: bool = False
    remembered: bool = False


class Direct(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A direct conversation; also how to name one: by `usr`, or by `id` where that is known.

    Attributes:
        id: the id of the conversation.
        usr: the other user.
        last_seq: number of the newest entry of its log.
        read_seq: the last entry that counts as read.
        unread: messages after `read_seq`.
        mentions: how many of them mention the user.
        notify: of which messages the user is notified: all, mentions or none.
        at: when the newest message was sent, in UTC, RFC 3339.
        guest: whether the other user is temporary.
        ended: whether the account of the other user has ended: it can only be read.
    """

    id: int = 0
    usr: str = ""
    last_seq: int = 0
    read_seq: int = 0
    unread: int = 0
    mentions: int = 0
    notify: str = "all"
    at: str = ""
    guest: bool = False
    ended: bool = False

    @property
    def target(self) -> dict[str, int | str]:
        """The fields of a request about it."""
        return {"direct": self.id} if self.id else {"target_user": self.usr}


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a room or a direct conversation while the connection was lost.

    Attributes:
        direct: id of the conversation, 0 for a room.
        state: `resumed`, `behind` or `reset`, see docs/protocol.md.
        last_seq: number of the newest entry of its log.
        entries: all that were missed, if the state is `resumed`.
    """

    room_name: str = ""
    direct: int = 0
    state: str
    last_seq: int = 0
    entries: tuple[Push, ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """The reply to a command; which fields it has depends on the command."""

    status: str
    last_cmd: str = ""
    tracker: str = "0"
    msg: str = ""
    code: str = ""
    retry_after: float | None = None
    window: float | None = None
    incident: str = ""
    session_id: str = ""
    device_token: str = ""
    sessions: tuple[SessionInfo, ...] = ()
    sessions_total: int = 0
    epoch: str = ""
    usr: str = ""
    users: tuple[str, ...] = ()
    users_total: int = 0
    online: tuple[str, ...] = ()
    rooms: tuple[Room, ...] = ()
    rooms_total: int = 0
    rooms_next: str = ""
    resumed: tuple[Resumption, ...] = ()
    whispers: tuple[Push, ...] = ()
    directs: tuple[Direct, ...] = ()
    invitations: tuple[PendingInvitation, ...] = ()
    room: Room | None = None
    id: str = ""
    seq: int = 0
    at: str = ""
    dup: bool = False
    delivered: str = ""
    recipients: int = 0
    blocked: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    entries: tuple[Push, ...] = ()
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


@attrs.frozen
class ConnectionLost:
    """The connection was lost; it is reported once, however many attempts follow.

    Attributes:
        reason: one clause, such as `Connection refused`.
        retry_in: seconds until the next attempt.
    """

    reason: str
    retry_in: float


@attrs.frozen
class ConnectionRestored:
    """The connection is up again; what was missed follows."""


@attrs.frozen
class RoomReset:
    """What the client knows of a room is outdated: load it again.

    Attributes:
        room_name: the room.
        last_seq: number of the newest entry of its log.
        gone: whether the user is no longer in it, or it was deleted.
    """

    room_name: str
    last_seq: int
    gone: bool


#: What `Connection.events` yields.
Event = Push | ConnectionLost | ConnectionRestored | RoomReset


class CommandFailed(Exception):
    """The server replied to a command with an error.

    Args:
        code: the error code, for programs.
        text: one sentence, for users.
        retry_after: seconds after which a retry makes sense, or None.
    """

    def __init__(self, code: str, text: str, retry_after: float | None = None) -> None:
        self.code, self.text, self.retry_after = code, text, retry_after
        super().__init__(f"{text} ({code})")


class Unanswered(Exception):
    """The connection was lost before the reply: the command may have been executed."""


class CannotConnect(Exception):
    """The first connection attempt failed; the text says why."""


class ConnectionClosed(Exception):
    """The connection is closed and does not reconnect.

    Args:
        code: the server's close code; 1000 after `Connection.close`; 0 if the session could not
            be resumed.
        text: the reason, one clause.
    """

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class _Envelope(msgspec.Struct, frozen=True):
    cmd: str


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_reply = msgspec.json.Decoder(Reply).decode
_decode_push = msgspec.json.Decoder(Push).decode


def parse(payload: bytes) -> Reply | Push:
    """Decode a message of the server. payload: UTF-8 JSON.

    Raises:
        msgspec.MsgspecError: it is not JSON, or a field has a wrong type.
        UnicodeDecodeError: it is not UTF-8.
    """
    if _decode_envelope(payload).cmd == "c_response":
        return _decode_reply(payload)
    return _decode_push(payload)
