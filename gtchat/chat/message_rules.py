"""Rules for changes of messages: who may make which, when one changes nothing, what it changes.

A store calls `check` and `apply` within the transaction that stores the change, with the message as
it is there. So the rules see every earlier entry, and no later one comes between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import attrs

from gtchat.chat.annotations import REACTION_USERS, Deletion, Reaction, ReplyTo
from gtchat.chat.errors import (
    MessageDeleted,
    NoSuchMessage,
    NotAuthor,
    StorageFull,
    TooLate,
    TooMany,
)
from gtchat.chat.events import (
    AnnotatedMessage,
    Deleted,
    Edited,
    Entry,
    GuestMessage,
    MessageChange,
    MessageSent,
    Pinned,
    Reacted,
    Unpinned,
    WhisperSent,
)
from gtchat.chat.message_records import PendingMessageChange
from gtchat.chat.storage_store import utf8_size


@attrs.frozen
class OwnReaction:
    """An emoji with which an account has reacted to a message.

    Attributes:
        on: whether it still does.
        changes: how often the account has changed that.
    """

    on: bool
    changes: int


class MessageRows(Protocol):
    """The messages of a room, as a store keeps them; `seq` names a message."""

    def find(self, seq: int) -> MessageSent | None:
        """Return the message as it is now, None if there is none with that number."""

    def save(self, message: AnnotatedMessage) -> None:
        """Replace a message."""

    def reactions_of(self, seq: int, account_id: int) -> Mapping[str, OwnReaction]:
        """Return the reactions of an account to a message, by emoji."""

    def set_reaction(self, seq: int, reacted: Reacted) -> None:
        """Store the reaction of an account, and that it has changed once more."""

    def reaction_users(self, seq: int, emoji: str, limit: int) -> Sequence[str]:
        """Return the names of the first users who react with an emoji."""

    def pin_count(self) -> int:
        """Return the number of pinned messages of the room."""

    def set_pin(self, seq: int, on: bool) -> None:
        """Pin a message, or unpin it."""

    def add_version(self, seq: int, version_seq: int, msg: str) -> None:
        """Keep a text of a message; `version_seq` is the entry that gave it that text."""

    def set_mentions(self, message: MessageSent, msg: str) -> None:
        """Store what a message mentions after it has got another text."""

    def erase(self, message: MessageSent) -> None:
        """Delete the versions, reactions and mentions of a message, its pin, copies of its text."""


def annotated(message: MessageSent) -> AnnotatedMessage:
    """Return a message as one that can have annotations."""
    if isinstance(message, AnnotatedMessage):
        return message
    fields = {field.name: getattr(message, field.name) for field in attrs.fields(MessageSent)}
    return AnnotatedMessage(**fields, guest=isinstance(message, GuestMessage))


def whisper_of(message: MessageSent, to: str = "") -> WhisperSent:
    """Return a message of a log as a direct message; `to` is that of `WhisperSent`."""
    full = annotated(message)
    fields = {field.name: getattr(full, field.name) for field in attrs.fields(AnnotatedMessage)}
    return WhisperSent(**{**fields, "to": to})


def without_text(message: AnnotatedMessage, deletion: Deletion) -> AnnotatedMessage:
    """Return a message as it is once it was deleted, but for `changed`."""
    return AnnotatedMessage(
        room_name=message.room_name,
        usr=message.usr,
        seq=message.seq,
        subject_id=message.subject_id,
        at=message.at,
        id=message.id,
        msg="",
        changed=message.changed,
        deleted=deletion,
        guest=message.guest,
        root=message.root,
    )


def prepare_reply(message: Entry, rows: MessageRows) -> None:
    """Fill in what a message that is about to be stored replies to, if it is a reply.

    Raises:
        NoSuchMessage, MessageDeleted.
    """
    if isinstance(message, AnnotatedMessage) and message.reply is not None:
        target = _find(message.reply.seq, rows)
        if target.deleted is not None:
            raise MessageDeleted()
        message.reply = ReplyTo(target.seq, target.usr)
        message.root = target.root or target.seq


def check(pending: PendingMessageChange, rows: MessageRows) -> AnnotatedMessage | None:
    """Check a change that is about to be stored.

    Args:
        pending: the change.
        rows: the messages of its room.

    Returns:
        The message as it is, None if the change changes nothing.

    Raises:
        NoSuchMessage, NotAuthor, MessageDeleted, StorageFull, TooLate, TooMany.
    """
    message = _find(pending.entry.of, rows)
    needed = _CHECKS[type(pending.entry)](pending.entry, message, pending, rows)
    return message if needed else None


def apply(pending: PendingMessageChange, message: AnnotatedMessage, rows: MessageRows) -> None:
    """Change a message.

    Args:
        pending: a change that was checked; its entry has its `seq`.
        message: what `check` returned.
        rows: the messages of its room.
    """
    changed = _APPLY[type(pending.entry)](pending.entry, message, pending, rows)
    rows.save(attrs.evolve(changed, changed=pending.entry.seq))


def _find(seq: int, rows: MessageRows) -> AnnotatedMessage:
    """Return a message. Raises NoSuchMessage."""
    message = rows.find(seq)
    if message is None:
        raise NoSuchMessage()
    return annotated(message)


def _is_author(message: MessageSent, account_id: int | None) -> bool:
    """Return whether an account wrote a message; unknown authors wrote none."""
    return message.subject_id is not None and message.subject_id == account_id


def _check_edit(
    entry: Edited, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> bool:
    if not _is_author(message, pending.sender_id):
        raise NotAuthor()
    if message.deleted is not None:
        raise MessageDeleted()
    if message.msg == entry.msg:
        return False
    full = pending.limits.full
    if full is not None and utf8_size(entry.msg) > utf8_size(message.msg):
        raise StorageFull("This room has", *full)
    window = pending.limits.edit_window
    if window and entry.at - message.at > window * 1000:
        raise TooLate(window)
    return True


def _edit(
    entry: Edited, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> AnnotatedMessage:
    if pending.limits.keep_versions:
        rows.add_version(message.seq, message.edited or message.seq, message.msg)
    if "@" in message.msg or "@" in entry.msg:
        rows.set_mentions(message, entry.msg)
    return attrs.evolve(message, msg=entry.msg, edited=entry.seq)


def _check_deletion(
    entry: Deleted, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> bool:
    if not (pending.is_moderator or _is_author(message, pending.sender_id)):
        raise NotAuthor()
    return message.deleted is None


def _delete(
    entry: Deleted, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> AnnotatedMessage:
    entry.usr, entry.subject_id = message.usr, message.subject_id
    rows.erase(message)
    return without_text(message, Deletion(entry.by, entry.reason))


def _check_reaction(
    entry: Reacted, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> bool:
    own = rows.reactions_of(message.seq, pending.sender_id)
    if entry.on == (entry.emoji in own and own[entry.emoji].on):
        return False
    if message.deleted is not None:
        raise MessageDeleted()
    limits = pending.limits
    changes = sum(reaction.changes for reaction in own.values())
    if limits.reaction_changes and changes >= limits.reaction_changes:
        raise TooMany("You have changed your reactions to this message too often.")
    used = [reaction.emoji for reaction in message.reactions]
    if entry.on and entry.emoji not in used and 0 < limits.emoji <= len(used):
        raise TooMany(f"A message can have at most {limits.emoji} different reactions.")
    return True


def _react(
    entry: Reacted, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> AnnotatedMessage:
    rows.set_reaction(message.seq, entry)
    users = tuple(rows.reaction_users(message.seq, entry.emoji, REACTION_USERS))
    return attrs.evolve(message, reactions=with_reaction(message.reactions, entry, users))


def with_reaction(
    reactions: Sequence[Reaction], entry: Reacted, users: tuple[str, ...]
) -> tuple[Reaction, ...]:
    """Return the reactions to a message after one of them has changed.

    Args:
        reactions: those before.
        entry: the change.
        users: the first users who react with the emoji now; empty for none.
    """
    counts = {reaction.emoji: reaction.count for reaction in reactions}
    count = counts.get(entry.emoji, 0) + (1 if entry.on else -1)
    changed = Reaction(entry.emoji, count, users)
    if entry.emoji not in counts:
        return (*reactions, changed)
    replaced = (changed if one.emoji == entry.emoji else one for one in reactions)
    return tuple(reaction for reaction in replaced if reaction.count)


def _check_pin(
    entry: Pinned, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> bool:
    if message.deleted is not None:
        raise MessageDeleted()
    if not message.pinned and 0 < pending.limits.pins <= rows.pin_count():
        raise TooMany(f"A room can have at most {pending.limits.pins} pinned messages.")
    return not message.pinned


def _check_unpin(
    entry: Unpinned, message: AnnotatedMessage, pending: PendingMessageChange, rows: MessageRows
) -> bool:
    return message.pinned


def _pin(
    entry: Pinned | Unpinned,
    message: AnnotatedMessage,
    pending: PendingMessageChange,
    rows: MessageRows,
) -> AnnotatedMessage:
    on = isinstance(entry, Pinned)
    rows.set_pin(message.seq, on)
    return attrs.evolve(message, pinned=on)


_CHECKS: dict[type[MessageChange], Callable[..., bool]] = {
    Edited: _check_edit,
    Deleted: _check_deletion,
    Reacted: _check_reaction,
    Pinned: _check_pin,
    Unpinned: _check_unpin,
}
_APPLY: dict[type[MessageChange], Callable[..., AnnotatedMessage]] = {
    Edited: _edit,
    Deleted: _delete,
    Reacted: _react,
    Pinned: _pin,
    Unpinned: _pin,
}


def as_seen_by(
    message: AnnotatedMessage, own: Collection[str], hidden: Sequence[tuple[str, str]]
) -> AnnotatedMessage:
    """Return a message with the reactions to it as one account sees them.

    Args:
        message: the message.
        own: the emoji with which the account itself reacts.
        hidden: emoji and name of each reaction of a user who is blocked by the account.
    """
    counts = {reaction.emoji: reaction.count for reaction in message.reactions}
    for emoji, _ in hidden:
        counts[emoji] -= 1
    hidden_users = frozenset(hidden)
    return attrs.evolve(
        message,
        reactions=tuple(
            Reaction(
                one.emoji,
                counts[one.emoji],
                tuple(usr for usr in one.users if (one.emoji, usr) not in hidden_users),
                one.emoji in own,
            )
            for one in message.reactions
            if counts[one.emoji]
        ),
    )
