"""Records of changes of messages that the chat and its store exchange; others are in `records`."""

from __future__ import annotations

import attrs

from gtchat.chat.events import MessageChange, WhisperSent
from gtchat.chat.records import PendingEntry

#: (account id, name) of the two users of a direct conversation: the one who acts, then the other;
#: twice the same for notes to self.
Pair = tuple[tuple[int, str], tuple[int, str]]


@attrs.frozen(kw_only=True)
class ChangeLimits:
    """What limits changes of messages; 0 for no limit.

    Attributes:
        edit_window: seconds for which a message can be edited.
        emoji: different emoji with which a message has reactions.
        reaction_changes: changes of an account's reactions to a message.
        pins: pinned messages of a room.
        keep_versions: whether the earlier texts of edited messages are kept.
        full: bytes that the room has, and can have, if no message of it may become longer.
    """

    edit_window: float = 0
    emoji: int = 0
    reaction_changes: int = 0
    pins: int = 0
    keep_versions: bool = False
    full: tuple[int, int] | None = None


@attrs.define(eq=False, kw_only=True)
class PendingMessageChange(PendingEntry):
    """A change of a message that is queued for the log of its room.

    The store checks it against the message as it is when the change is stored, and changes the
    message in the same transaction. If it changes nothing it is no entry: its `seq` stays 0, and it
    has neither an error nor an earlier ack. It fails with the errors of `message_rules`.

    Attributes:
        entry: the change; the author of a deleted message is filled in.
        sender_id: account id of its sender, with a `txn` or without.
        is_moderator: whether its sender may change the messages of others.
        limits: the limits.
        users: of a message of a direct conversation: who changes it, and the other user.
    """

    entry: MessageChange
    sender_id: int
    is_moderator: bool
    limits: ChangeLimits
    users: Pair | None = None


@attrs.define(eq=False, kw_only=True)
class PendingWhisper(PendingEntry):
    """A direct message that is about to be stored.

    Attributes:
        room_id: filled in: the log of the two accounts, which may begin now.
        entry: the message.
        sender_id, target_id: the accounts, which are the same for notes to self.
        users: the sender and the target; None tells other nodes nothing.
    """

    room_id: int = 0
    entry: WhisperSent
    sender_id: int
    target_id: int
    users: Pair | None = None


@attrs.frozen
class MessageVersion:
    """A text that a message has, or had.

    Attributes:
        seq: the entry that gave it this text: the message itself, or the edit.
        at: when that was, in milliseconds since 1970, UTC.
        msg: the text.
    """

    seq: int
    at: int
    msg: str


@attrs.frozen
class MessageVersions:
    """The texts of a message.

    Attributes:
        author_id: account id of its author, None where it is not known.
        deleted: whether it was deleted.
        versions: its texts, oldest first, the present one last: the newest that fit in a reply.
    """

    author_id: int | None
    deleted: bool
    versions: tuple[MessageVersion, ...]
