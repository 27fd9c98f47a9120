"""What happens, as frozen classes that programs match by class.

    Event
      Entry                      an entry of the log of a room or of a direct conversation
        ChatMessage              Message, Whisper
        Change                   Edited, Deleted, Reacted, Pinned, Unpinned
        RoomEvent                joins, leaves, settings …
        Other                    what this version of the library has no class for
      Broadcast, Invitation, InvitationAnswer, Presence, Typing, ReadUpTo, Reported, ReportAnswered
      ConnectionLost, ConnectionRestored, RoomReset      from the library, not from the server

`raw` is the message of the server as it was decoded; it is empty in events of the library, and is
not compared. A value that a message does not have is None; a mark that it does not have is False.
They are made from pushes in `event_decoder`; names of fields with a space are none of the protocol.
Source: docs/protocol.md, "Pushes" and "Changes of messages".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import field
from msgspec.structs import force_setattr

#: A position in the log of a room, to be stored: epoch and seq. Made by `Entry.cursor`.
Cursor: TypeAlias = str
ResetReason: TypeAlias = Literal["epoch", "recreated", "unknown", "left"]


class Direct(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A direct conversation; also how to name one: by `user`, or by `id` where that is known.

    Attributes:
        id: the id of the conversation.
        user: the other user.
        last_seq: number of the newest entry of its log.
        read_seq: the last entry that counts as read.
        unread: messages after `read_seq`.
        mentions: how many of them mention the user.
        notify: of which messages the user is notified: all, mentions or none.
        at: when the newest message was sent, aware.
        guest: whether the other user is temporary.
        ended: whether the account of the other user has ended: it can only be read.
    """

    id: int | None = None
    user: str = field(name="usr", default="")
    last_seq: int = 0
    read_seq: int = 0
    unread: int = 0
    mentions: int = 0
    notify: str = "all"
    at: datetime | None = None
    guest: bool = False
    ended: bool = False

    @property
    def target(self) -> dict[str, int | str]:
        """The fields of a request about it."""
        return {"target_user": self.user} if self.id is None else {"direct": self.id}


class OfReporter:
    """What is told of a report; `by` has made it."""

    __slots__ = ()
    by: str

    @property
    def by_filter(self) -> bool:
        """Whether it is the word filter that has reported it, not a user."""
        return self.by == "word filter"  # no user has such a name


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """Who deleted a message, and why."""

    by: str = ""
    reason: str | None = None


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
    user: str = field(name="usr", default="")


class Event(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Something that happened; `raw` is the message of the server, {} in events of the library."""

    raw: dict[str, Any] = field(name=" raw", default_factory=dict)

    def _values(self) -> dict[str, Any]:
        names = (name for name in self.__struct_fields__ if name not in ("raw", "epoch"))
        return {name: getattr(self, name) for name in names}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Event) and self._same_values(other)

    def _same_values(self, other: Event) -> bool:
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        said = {k: v for k, v in self._values().items() if v not in (None, False, ())}
        listed = ", ".join(f"{name}={value!r}" for name, value in said.items())
        return f"{type(self).__name__}({listed})"


class Entry(Event, frozen=True, kw_only=True, eq=False):
    """An entry of a log.

    Attributes:
        room: the room, or the direct conversation; what methods take as a room.
        seq: its number in the log; None: it is not an entry of one.
        user: who did it; of a `Deleted` the author, of a `RoomEvent` the user it is about.
        at: when, aware.
        blocked: whether the user blocks `user`; in a history.
        epoch: identifies the database; None if it is not known.
    """

    room: str | Direct | None = None
    seq: int | None = None
    user: str | None = field(name="usr", default=None)
    at: datetime | None = None
    blocked: bool = False
    epoch: str | None = field(name=" epoch", default=None)

    @property
    def cursor(self) -> Cursor | None:
        """The position after it, to be stored and given to `follow`; None: it has none."""
        return None if self.seq is None or self.epoch is None else f"{self.epoch}:{self.seq}"


class ChatMessage(Entry, frozen=True, kw_only=True, eq=False):
    """A message of a user.

    Attributes:
        id: identifies it, never used again.
        text: the text; "" if it is deleted.
        reply: the message that it replies to.
        style: "action" for what the user does.
        guest: whether the author is a temporary user.
        edited, deleted, pinned, reactions: as it is now, in a history.
        changed: seq of the last entry that changed it.
        marks: in what a search has found, where the text has what was looked for: starts and ends
            in characters.
    """

    user: str = field(name="usr")
    text: str = field(name="msg")
    id: str | None = None
    reply: ReplyTo | None = None
    style: str | None = None
    guest: bool = False
    edited: bool = False
    deleted: Deletion | None = None
    pinned: bool = False
    reactions: tuple[Reaction, ...] = ()
    changed: int | None = None
    marks: tuple[tuple[int, int], ...] = ()


class Message(ChatMessage, frozen=True, kw_only=True, eq=False):
    """A message in a room."""

    room: str


class Whisper(ChatMessage, frozen=True, kw_only=True, eq=False):
    """A direct message.

    Attributes:
        room: the direct conversation; without it that with `user`.
        to: who gets it, where that is not the user: in a history, and from another own session.
    """

    room: Direct = field(default_factory=Direct)
    to: str | None = None

    def __post_init__(self) -> None:
        if not self.room.user and self.room.id is None:
            force_setattr(self, "room", Direct(user=self.user))


class Change(Entry, frozen=True, kw_only=True, eq=False):
    """A change of a message. of: seq of the message."""

    user: str = field(name="usr")
    of: int


class Edited(Change, frozen=True, kw_only=True, eq=False):
    """The author gave a message another text."""

    text: str = field(name="msg", default="")


class Deleted(Change, frozen=True, kw_only=True, eq=False):
    """`by` deleted a message of `user`."""

    by: str | None = None
    reason: str | None = None


class Reacted(Change, frozen=True, kw_only=True, eq=False):
    """`user` reacted to a message with `emoji`; or took that back, if `on` is False."""

    emoji: str = ""
    on: bool = True


class Pinned(Change, frozen=True, kw_only=True, eq=False):
    """`user` pinned a message."""


class Unpinned(Change, frozen=True, kw_only=True, eq=False):
    """`user` unpinned a message."""


class RoomEvent(Entry, frozen=True, kw_only=True, eq=False):
    """A room, or its members, changed.

    Attributes:
        kind: `room_created`, `room_changed`, `room_gone`, `join_room`, `leave_room`, `kicked`,
            `removed`, `role`, `muted`, `unmuted`, `banned` or `unbanned`.
        by: who kicked or removed `user`, or moderates the room.
        reason: why, None for no reason.
        banned: whether `user` was banned when kicked.
        until: when a mute or a ban ends, None for no end.
        role: the role that `user` has got: `moderator`, `voice` or "".
        public, topic, max, owner, preview, moderated, slow, keep_messages, keep_days: the settings
            of the room, where the event has them.
    """

    kind: str = field(name="type")
    room: str
    by: str | None = None
    public: bool | None = None
    topic: str | None = None
    max: int | None = None
    owner: str | None = None
    preview: bool | None = None
    moderated: bool | None = None
    slow: int | None = None
    keep_messages: int | None = None
    keep_days: int | None = None
    reason: str | None = None
    banned: bool | None = None
    until: datetime | None = None
    role: str | None = None


class Other(Entry, frozen=True, kw_only=True, eq=False):
    """What has no class of its own; `raw` has its fields.

    Attributes:
        kind: its `type`, or its `cmd` if that is not `c_event`.
    """

    kind: str = field(name=" kind", default="")


class Broadcast(Event, frozen=True, kw_only=True, eq=False):
    """A message of the operator to all users."""

    user: str = field(name="usr")
    text: str = field(name="msg")
    at: datetime | None = None


class Invitation(Event, frozen=True, kw_only=True, eq=False):
    """`user` invites to a room. Those that wait for an answer come after each login, too."""

    room: str
    user: str = field(name="usr")
    at: datetime | None = None


class InvitationAnswer(Event, frozen=True, kw_only=True, eq=False):
    """`user` answered an invitation of ours. answer: Y for yes, N for no, L for later."""

    room: str
    user: str = field(name="usr")
    answer: str = field(name="msg")
    at: datetime | None = None


class Presence(Event, frozen=True, kw_only=True, eq=False):
    """Users came online, or went offline."""

    came: tuple[str, ...] = field(name="logins", default=())
    went: tuple[str, ...] = field(name="logouts", default=())
    at: datetime | None = None


class Typing(Event, frozen=True, kw_only=True, eq=False):
    """`user` is typing; that ends after some seconds."""

    room: str | Direct
    user: str = field(name="usr")
    at: datetime | None = None


class ReadUpTo(Event, frozen=True, kw_only=True, eq=False):
    """Another session of ours has marked a room as read up to an entry, and no further."""

    room: str | Direct
    read_seq: int


class Reported(OfReporter, Event, frozen=True, kw_only=True, eq=False):
    """`by` has reported the message `of` of `user`; the user may answer the report.

    room: None for a direct message, of which operators are told.
    """

    report_id: int
    room: str | None
    user: str = field(name="usr")
    of: int
    by: str
    reason: str | None = None
    at: datetime | None = None


class ReportAnswered(Event, frozen=True, kw_only=True, eq=False):
    """A report of ours was answered; `outcome` is `accepted` or `dismissed`."""

    report_id: int
    room: str | None
    user: str = field(name="usr")
    of: int
    outcome: str
    answer: str | None = None
    at: datetime | None = None


class ConnectionLost(Event, frozen=True, kw_only=True, eq=False):
    """The connection was lost; reported once, however many attempts follow.

    Attributes:
        code: the server's close code; None: it sent none.
        reason: one clause, such as `Connection refused`.
        retry_in: seconds until the next attempt.
    """

    code: int | None
    reason: str
    retry_in: float


class ConnectionRestored(Event, frozen=True, kw_only=True, eq=False):
    """The connection is up again; what was missed follows.

    Attributes:
        resumed: whether the session goes on; False: the library logged in again, or no user is
            logged in.
    """

    resumed: bool


class RoomReset(Event, frozen=True, kw_only=True, eq=False):
    """What is known of a room is outdated.

    Attributes:
        room: the room.
        reason: `epoch`: an older copy of the database was put back; `recreated`: it is another room
            of the same name; `unknown`: the server does not know what was seen of it, as of a room
            that another session has joined; `left`: the user is no longer in it, or it is gone.
        epoch: identifies the database now.
        last_seq: number of the newest entry of its log.
    """

    room: str
    reason: ResetReason
    epoch: str | None = None
    last_seq: int = 0
