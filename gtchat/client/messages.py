"""What a server says, as frozen structs: replies, pushes, and what they are made of.

A field that a message does not have is empty. Fields that are not named here are ignored, so that
a newer server can say more. Source: the protocol page.
"""

from __future__ import annotations

import attrs
import msgspec


class Room(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A room, as lists have it, or with `users` and `max` as somebody gets it who enters."""

    room_name: str
    public: bool = True
    topic: str = ""
    owner: str = ""
    members: int = 0
    last_seq: int = 0
    joined: bool = False
    unread: int = 0
    read_seq: int = 0
    max: int = 0
    users: tuple[str, ...] = ()
    users_total: int = 0


class Push(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Something that the server tells unasked; also an entry of a room's log.

    Attributes:
        cmd: `c_speak`, `c_whisper`, `c_broadcast`, `c_invited`, `c_invite_reply` or `c_event`.
        type: what kind of `c_event`, such as `join_room`.
        usr: the person that it comes from, or is about.
        msg: the text; of `c_invite_reply` Y, N or L.
        seq: its number in the log of its room; 0 where it is not an entry of one. Of a
            `marked_read`, the entry that one has read up to.
        at: RFC 3339 in UTC.
    """

    cmd: str
    type: str = ""
    usr: str = ""
    room_name: str = ""
    msg: str = ""
    id: str = ""
    seq: int = 0
    at: str = ""
    by: str = ""
    public: bool = True
    topic: str = ""
    max: int = 0
    owner: str = ""
    address: str = ""
    host: str = ""
    port: int = 0
    logins: tuple[str, ...] = ()
    logouts: tuple[str, ...] = ()


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a room while the connection was lost."""

    room_name: str
    state: str
    last_seq: int = 0
    entries: tuple[Push, ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """The answer to a command; which fields it has depends on the command."""

    status: str
    last_cmd: str = ""
    tracker: str = "0"
    msg: str = ""
    code: str = ""
    retry_after: float | None = None
    incident: str = ""
    session_id: str = ""
    epoch: str = ""
    usr: str = ""
    users: tuple[str, ...] = ()
    users_total: int = 0
    online: tuple[str, ...] = ()
    rooms: tuple[Room, ...] = ()
    rooms_total: int = 0
    resumed: tuple[Resumption, ...] = ()
    whispers: tuple[Push, ...] = ()
    invitations: tuple[Push, ...] = ()
    room: Room | None = None
    id: str = ""
    seq: int = 0
    at: str = ""
    dup: bool = False
    delivered: str = ""
    recipients: int = 0
    blocked: tuple[str, ...] = ()
    entries: tuple[Push, ...] = ()
    first: int = 0
    last: int = 0
    more: bool = False
    server: str = ""
    version: str = ""
    limits: dict[str, float] = {}
    features: tuple[str, ...] = ()
    ping_interval: float = 0


@attrs.frozen
class Lost:
    """The connection is lost; the next try is in `retry_in` seconds."""

    reason: str
    retry_in: float


@attrs.frozen
class Back:
    """The connection is there again; what was missed follows."""


@attrs.frozen
class Reset:
    """What is known of a room no longer holds: load it anew.

    Attributes:
        last_seq: the newest entry of its log. gone: one is no longer in it, or it is no more.
    """

    room_name: str
    last_seq: int
    gone: bool


#: What `pushes()` gives.
Happening = Push | Lost | Back | Reset


class CommandFailed(Exception):
    """The server answered a command with an error.

    Attributes:
        code: the stable word for it. text: one sentence for a person.
        retry_after: seconds after which to try again, where that helps.
    """

    def __init__(self, code: str, text: str, retry_after: float | None = None) -> None:
        self.code, self.text, self.retry_after = code, text, retry_after
        super().__init__(f"{text} ({code})")


class Unanswered(Exception):
    """The connection was lost before the answer: the command may have been done or not."""


class CannotConnect(Exception):
    """The first connection could not be made; the text says why."""


class Ended(Exception):
    """The connection has ended for good.

    Attributes:
        code: what the server closed with; 1000 after one's own `close()`.
    """

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class _Envelope(msgspec.Struct, frozen=True):
    cmd: str


_envelope = msgspec.json.Decoder(_Envelope).decode
_reply = msgspec.json.Decoder(Reply).decode
_push = msgspec.json.Decoder(Push).decode


def parse(payload: bytes) -> Reply | Push:
    """Understand a message of the server.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: it is not one.
    """
    return _reply(payload) if _envelope(payload).cmd == "c_response" else _push(payload)
