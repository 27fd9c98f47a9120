"""Events that the chat sends to protocols, and the entries among them that are stored.

An `Entry` is part of the log of a room, and the state of a room is the fold of its entries. `seq`
numbers them from 1 without gaps. All other events go to those who are online and are not stored.
"""

from __future__ import annotations

import attrs

from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.entries import Entry as Entry
from gtchat.chat.entries import Event as Event
from gtchat.chat.moderation_events import MODERATION_ENTRIES


@attrs.define(kw_only=True)
class MessageSent(Entry):
    """A user sent a message to a room; `id` is unique forever."""

    kind = "speak"
    msg: str
    id: str


@attrs.define(kw_only=True)
class GuestMessage(MessageSent):
    """A message of a temporary user; it differs from other messages in nothing else."""


@attrs.define(kw_only=True)
class AnnotatedMessage(MessageSent):
    """A message of which there is more to say than its text; other messages stay cheap.

    Attributes:
        changed: seq of the last entry that changed it, None for none.
        edited: seq of the last entry that changed its text, None for none.
        deleted: who deleted it; its text is "" then, and it has no reactions.
        reactions: in the order in which each emoji came.
        reply: the message that it replies to.
        style: "action" for what its author does, "" for what its author says.
        pinned: whether it is pinned.
        guest: whether its author is a temporary user.
        root: seq of the first message of the thread that its reply belongs to; not sent.
    """

    changed: int | None = None
    edited: int | None = None
    deleted: Deletion | None = None
    reactions: tuple[Reaction, ...] = ()
    reply: ReplyTo | None = None
    style: str = ""
    pinned: bool = False
    guest: bool = False
    root: int | None = None


@attrs.define(kw_only=True)
class WhisperSent(AnnotatedMessage):
    """A direct message: an entry of the log of two accounts.

    Attributes:
        to: name of the user who gets it, "" where the receiver of the event is that user.
    """

    room_name: str = ""
    to: str = ""


@attrs.define(kw_only=True)
class MessageChange(Entry):
    """A change of a message of the same log.

    Attributes:
        of: the seq of the message.
        target_user: of a direct message: the other user, as the receiver of the event has it.
        log_id: of a direct message: the id of the conversation; JSON clients are not told.
    """

    of: int
    target_user: str = ""
    log_id: int = 0


@attrs.define(kw_only=True)
class Edited(MessageChange):
    """The author gave a message another text.

    `msg` is that text when the change is made, and the text that the message has by then when the
    entry is read later: no earlier text is kept.
    """

    kind = "edited"
    msg: str


@attrs.define(kw_only=True)
class Deleted(MessageChange):
    """`by` deleted a message of `usr`, which the store fills in."""

    kind = "deleted"
    by: str
    reason: str


@attrs.define(kw_only=True)
class Reacted(MessageChange):
    """A user reacted to a message with an emoji, or took that back if `on` is false."""

    kind = "reacted"
    emoji: str
    on: bool


@attrs.define(kw_only=True)
class Pinned(MessageChange):
    """`usr` pinned a message."""

    kind = "pinned"


@attrs.define(kw_only=True)
class Unpinned(MessageChange):
    """`usr` unpinned a message."""

    kind = "unpinned"


@attrs.define(kw_only=True)
class RoomSettingsEntry(Entry):
    """The settings of a room from here on; `usr` set them, `owner` is "" for no owner.

    `moderated`, `slow`: as of `Moderation`. `keep_messages`, `keep_days`: of the room's `Keep`.
    """

    public: bool
    topic: str
    max: int
    owner: str
    preview: bool = False
    moderated: bool = False
    slow: int = 0
    keep_messages: int = 0
    keep_days: int = 0


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
    """A member was kicked by `by`.

    Attributes:
        reason: why, "" for no reason.
        banned: whether the member is banned from here on; `until` is as of `Banned`.
        guest: whether the member is temporary: then the name is banned; never sent.
    """

    kind = "kicked"
    by: str
    reason: str = ""
    banned: bool = False
    until: int = 0
    guest: bool = False


@attrs.define(kw_only=True)
class Removed(Entry):
    """A member was removed by `by`."""

    kind = "removed"
    by: str


#: The classes of entries that change a message.
MESSAGE_CHANGES: tuple[type[MessageChange], ...] = (Edited, Deleted, Reacted, Pinned, Unpinned)
_ROOM_ENTRIES: tuple[type[Entry], ...] = (
    *(MessageSent, RoomCreated, RoomChanged, Joined, Left, Kicked, Removed),
    *MODERATION_ENTRIES,
)
#: Kind -> class of each entry; messages of the other two classes have the same kind.
ENTRY_TYPES: dict[str, type[Entry]] = {
    entry.kind: entry for entry in (*_ROOM_ENTRIES, *MESSAGE_CHANGES)
}
#: Kinds that a page of history has unless others are asked for: changes of messages are in them.
PAGE_KINDS = frozenset(ENTRY_TYPES) - {change.kind for change in MESSAGE_CHANGES}


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
    """A user is typing in a room, or to `target_user`, who the receiver of the event writes to."""

    usr: str
    room_name: str = ""
    target_user: str = ""


@attrs.frozen(kw_only=True)
class ReadMarked(Event):
    """Another session of the receiver says that a log is read up to an entry, and no further.

    Attributes:
        target_user: of a direct conversation: the other user, in place of `room_name`.
        direct: the id of a conversation in place of both, if the other account has ended: its name
            may be that of another account now.
        read_seq: the entry.
    """

    room_name: str = ""
    target_user: str = ""
    direct: int = 0
    read_seq: int


@attrs.frozen(kw_only=True)
class NotifySet(Event):
    """The receiver wants to be notified of these messages; set on another session.

    Attributes:
        target_user, direct: as of `ReadMarked`.
        level: one of `read_state.LEVELS`.
    """

    room_name: str = ""
    target_user: str = ""
    direct: int = 0
    level: str


@attrs.frozen(kw_only=True)
class RoomListed(Event):
    """A public room was created; sent to every user. `seq` is that of `RoomCreated`."""

    room_name: str
    usr: str
    seq: int
    preview: bool = False


@attrs.frozen(kw_only=True)
class RoomDeleted(Event):
    """A room was deleted with its log; `members` are those that it had."""

    room_name: str
    usr: str
    members: tuple[str, ...] = ()


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
class InvitationEnded(Event):
    """The invitation of `usr` to a room is not pending any more.

    The receiver has answered it on another session, or it has ended without an answer.
    """

    room_name: str
    usr: str


@attrs.frozen(kw_only=True)
class SessionReplaced(Event):
    """The receiving session has ended because its user logged in from `address`."""

    usr: str
    address: str


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
