"""What is left of an account that was deleted: entries without its name, messages without texts.

A store calls `forget_author` for each entry of such an account, and for each reply to one of its
messages, some time after the account has ended. Nothing is appended to the logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs

from gtchat.chat.annotations import REACTION_USERS, Deletion, ReplyTo
from gtchat.chat.events import (
    AnnotatedMessage,
    Entry,
    MessageSent,
    Reacted,
    RoomChanged,
    RoomSettingsEntry,
)
from gtchat.chat.message_rules import MessageRows, annotated, without_text

#: Stands where the name of an account was that is deleted; the name of a user has no space.
DELETED_USER = "deleted user"
#: Until when the names of a deleted account are reserved: for ever.
FOR_EVER = 2**62


@attrs.frozen
class Erasure:
    """What of an account that is deleted loses its text; the rest is kept, without its name.

    Attributes:
        rooms: the messages in rooms.
        directs: the direct messages.
    """

    rooms: bool = False
    directs: bool = False


@attrs.frozen
class AccountDeletion:
    """An account that was deleted; `name` is its name as displayed."""

    account_id: int
    name: str
    erasure: Erasure


class EntryRows(MessageRows, Protocol):
    """The entries of a log, as a store keeps them."""

    def replace(self, entry: Entry) -> None:
        """Replace an entry by one with another name, or a message by one with another text."""

    def rename_reactions(self, seq: int, account_id: int, name: str) -> None:
        """Give the reactions of an account to a message another name."""


def forget_author(
    entry: Entry, deletion: AccountDeletion, is_direct: bool, rows: EntryRows
) -> None:
    """Take the name of a deleted account from an entry, and its text if it is to be erased.

    Args:
        entry: an entry about the account, settings of a room that it has changed, or a reply to a
            message of it, or to one that was removed from the log.
        deletion: the account.
        is_direct: whether it is of a direct conversation.
        rows: the log.
    """
    before, erasure, account_id = entry, deletion.erasure, deletion.account_id
    if not isinstance(entry, MessageSent):
        rows.replace(_without_name(entry, deletion))
        if isinstance(entry, Reacted):
            _rename_reactions(entry.of, account_id, rows)
        return
    message = annotated(entry)
    if message.reply is not None and _is_own_reply(message.reply, deletion, rows):
        entry = message = attrs.evolve(message, reply=ReplyTo(message.reply.seq, DELETED_USER))
    if entry.subject_id == account_id:
        if message.deleted is None and (erasure.directs if is_direct else erasure.rooms):
            rows.erase(message)
            entry = without_text(message, Deletion(DELETED_USER, ""))
        entry = _without_name(entry, deletion)
    if entry is not before:
        rows.replace(entry)


def _is_own_reply(reply: ReplyTo, deletion: AccountDeletion, rows: MessageRows) -> bool:
    """Return whether a reply is to a message of a deleted account.

    Where the message was removed from the log, only the name that the reply has tells it.
    """
    target = rows.find(reply.seq)
    if target is None:
        return reply.usr == deletion.name
    return target.subject_id == deletion.account_id


def _without_name(entry: Entry, deletion: AccountDeletion) -> Entry:
    """Return an entry without the name of a deleted account."""
    is_subject = entry.subject_id == deletion.account_id
    values: dict[str, Any] = {}
    # Of other settings the subject is the owner, and `usr` is who has changed them.
    if entry.usr == deletion.name if isinstance(entry, RoomChanged) else is_subject:
        values["usr"] = DELETED_USER
    if is_subject and isinstance(entry, RoomSettingsEntry):
        values["owner"] = DELETED_USER
    if is_subject and getattr(entry, "by", None) == deletion.name:
        values["by"] = DELETED_USER
    was_deleted = entry.deleted if isinstance(entry, AnnotatedMessage) else None
    if was_deleted is not None and was_deleted.by == deletion.name:
        values["deleted"] = Deletion(DELETED_USER, was_deleted.reason)
    return attrs.evolve(entry, **values)


def _rename_reactions(seq: int, account_id: int, rows: EntryRows) -> None:
    """Take the name of an account from the reactions to a message."""
    rows.rename_reactions(seq, account_id, DELETED_USER)
    message = rows.find(seq)
    if not isinstance(message, AnnotatedMessage) or not message.reactions:
        return

    def users(emoji: str) -> Sequence[str]:
        return rows.reaction_users(seq, emoji, REACTION_USERS)

    reactions = (attrs.evolve(one, users=tuple(users(one.emoji))) for one in message.reactions)
    rows.replace(attrs.evolve(message, reactions=tuple(reactions)))
