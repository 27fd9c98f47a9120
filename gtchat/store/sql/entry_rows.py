"""Rows of `entries`: how an entry is written to one, and read back. No other place names columns.

What has no column of its own is JSON in `extra`: the fields of some kinds of entries; of a message,
what `AnnotatedMessage` has besides its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import attrs
import msgspec
from sqlalchemy import case, exists, func, literal_column, select

from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.events import (
    ENTRY_TYPES,
    AnnotatedMessage,
    Edited,
    Entry,
    GuestMessage,
    MessageChange,
    MessageSent,
)
from gtchat.chat.names import HOST
from gtchat.store.notifying import ReadRow
from gtchat.store.sql import schema

_log = schema.entries
_target = _log.alias("target")
_author = schema.accounts
_reserved = schema.reserved_names

#: What is read of an entry. An edit has no text of its own: it is that of the message. The
#: account tells whether the author of a message is a temporary user; of a deleted one its name
#: does, which stays reserved.
COLUMNS = (
    _log.c.seq,
    _log.c.kind,
    _log.c.at,
    _log.c.usr,
    _log.c.subject_id,
    _log.c.id,
    case(
        (
            _log.c.kind == literal_column(f"'{Edited.kind}'"),
            select(_target.c.msg)
            .where(_target.c.room_id == _log.c.room_id, _target.c.seq == _log.c.of)
            .scalar_subquery(),
        ),
        else_=_log.c.msg,
    ).label("msg"),
    _log.c.of,
    _log.c.root,
    _log.c.changed,
    _log.c.extra,
    func.coalesce(
        select(_author.c.registered).where(_author.c.id == _log.c.subject_id).scalar_subquery(),
        exists().where(_reserved.c.account_id == _log.c.subject_id),
    ).label("registered"),
)

#: The columns that an entry which is no plain message fills, in the order of `row_of`.
WRITTEN = tuple(column.name for column in _log.c if column is not _log.c.row)
#: Those that a plain message fills.
WRITTEN_OF_MESSAGE = (
    *("room_id", "seq", "message_count", "kind", "at", "usr", "subject_id", "id", "msg"),
)

#: Kind -> attributes of its entries that have no column of their own, with their defaults. The
#: room's name is in `rooms`.
_EXTRA_FIELDS = {
    kind: tuple(
        (field.name, field.default)
        for field in attrs.fields(entry_type)
        if field.name != "room_name" and field.name not in _log.c
    )
    for kind, entry_type in ENTRY_TYPES.items()
}


class MessageNotes(msgspec.Struct, omit_defaults=True):
    """What `extra` says of a message; see `AnnotatedMessage`.

    Attributes:
        reply: name of the author of the message that it replies to, which the column `of` names.
        reactions: emoji, number of users, names of the first of them.
    """

    reply: str = ""
    style: str = ""
    edited: int | None = None
    deleted: tuple[str, str] | None = None
    reactions: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    pinned: bool = False


_decode_notes = msgspec.json.Decoder(MessageNotes).decode


def row_of(room_id: int, entry: Entry, message_count: int) -> tuple[Any, ...]:
    """Return the values of the columns `WRITTEN` of an entry.

    Args:
        room_id: the room.
        entry: the entry, with its `seq`.
        message_count: number of messages up to and including the entry.
    """
    head = (
        *(room_id, entry.seq, message_count, entry.kind, entry.at),
        *(entry.usr, entry.subject_id),
    )
    if isinstance(entry, MessageSent):
        values = message_values(entry)
        return (
            *(*head, entry.id, entry.msg, values["of"], values["root"]),
            *(values["changed"], values["extra"]),
        )
    of = entry.of if isinstance(entry, MessageChange) else None
    return (*head, None, None, of, None, None, _encode_extra(entry))


def read_row_of(entry: Entry) -> ReadRow:
    """Return the columns `COLUMNS` of an entry, as they are right after it is stored."""
    _, seq, _, *head, msg, of, root, changed, extra = row_of(0, entry, 0)
    if isinstance(entry, Edited):
        msg = entry.msg
    guest = isinstance(entry, GuestMessage) or getattr(entry, "guest", False)
    return cast(ReadRow, (seq, *head, msg, of, root, changed, extra, not guest))


def _encode_extra(entry: Entry) -> str | None:
    values = ((name, getattr(entry, name), default) for name, default in _EXTRA_FIELDS[entry.kind])
    extra = {name: value for name, value, default in values if value != default}
    return msgspec.json.encode(extra).decode() if extra else None


def message_values(message: MessageSent) -> dict[str, Any]:
    """Return the columns of a message that a change of it can change, by name."""
    values: dict[str, Any] = {
        "msg": message.msg,
        "of": None,
        "root": None,
        "changed": None,
        "extra": None,
    }
    if not isinstance(message, AnnotatedMessage):
        return values
    reply, deleted = message.reply, message.deleted
    notes = MessageNotes(
        reply=reply.usr if reply is not None else "",
        style=message.style,
        edited=message.edited,
        deleted=None if deleted is None else (deleted.by, deleted.reason),
        reactions=tuple((one.emoji, one.count, one.users) for one in message.reactions),
        pinned=message.pinned,
    )
    return values | {
        "of": reply.seq if reply is not None else None,
        "root": message.root,
        "changed": message.changed,
        "extra": msgspec.json.encode(notes).decode() if notes != MessageNotes() else None,
    }


def entry_of(row: Sequence[Any], room_name: str) -> Entry:
    """Return the entry of a row.

    Args:
        row: the columns `COLUMNS`.
        room_name: the room's name as it is displayed.
    """
    seq, kind, at, usr, subject_id, id_, msg, of, root, changed, extra, registered = row
    if kind != MessageSent.kind:
        fields: dict[str, Any] = msgspec.json.decode(extra) if extra else {}
        if of is not None:
            fields["of"] = of
        if kind == Edited.kind:
            fields["msg"] = msg or ""
        return ENTRY_TYPES[kind](
            room_name=room_name, usr=usr, at=at, seq=seq, subject_id=subject_id, **fields
        )
    guest = subject_id is not None and not registered and usr != HOST.display
    if extra is None and changed is None:
        return (GuestMessage if guest else MessageSent)(
            room_name=room_name, usr=usr, msg=msg, id=id_, at=at, seq=seq, subject_id=subject_id
        )
    notes = _decode_notes(extra) if extra else MessageNotes()
    return AnnotatedMessage(
        room_name=room_name,
        usr=usr,
        msg=msg,
        id=id_,
        at=at,
        seq=seq,
        subject_id=subject_id,
        changed=changed,
        edited=notes.edited,
        deleted=None if notes.deleted is None else Deletion(*notes.deleted),
        reactions=tuple(Reaction(*one) for one in notes.reactions),
        reply=ReplyTo(of, notes.reply) if notes.reply else None,
        style=notes.style,
        pinned=notes.pinned,
        guest=guest,
        root=root,
    )
