"""Appending to logs: an entry gets its number and its row, and its changes to room and members.

`LogWriter.write` makes rows of `entries` and `entry_of` reads them: no other place names the
columns of an entry. The writer runs in its own thread, within a transaction that nothing here
begins or ends. It remembers the ends of logs from one transaction to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sqlite3 import Connection
from typing import Any

import attrs
import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import NoSuchUser, NotStored, PrivateRoom, RoomExists, TxnConflict
from gtchat.chat.events import (
    ENTRY_TYPES,
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Removed,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.interfaces import Ack, PendingEntry
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.store.sql import schema
from gtchat.store.sql.idempotency import find_ack, fingerprint, save_ack
from gtchat.store.sql.statements import BulkInsert, Statement

_log = schema.entries
_rooms = schema.rooms
_members = schema.members
_invitations = schema.invitations
_in_room = _members.c.room_id == bindparam("room_id")
_is_account = _members.c.account_id == bindparam("account_id")

_MESSAGE = MessageSent.kind

#: Kind -> attributes of its entries that have no column of their own; they are JSON in `extra`. The
#: room's name is in `rooms`; the subject is not stored.
_EXTRA_FIELDS = {
    kind: tuple(
        field.name
        for field in attrs.fields(entry_type)
        if field.name not in ("room_name", "subject_id") and field.name not in _log.c
    )
    for kind, entry_type in ENTRY_TYPES.items()
}

_INSERT = BulkInsert(_log)

_POSITION = Statement(
    select(_log.c.seq, _log.c.message_count)
    .select_from(_rooms.outerjoin(_log, _log.c.room_id == _rooms.c.id))
    .where(_rooms.c.id == bindparam("room_id"))
    .order_by(_log.c.seq.desc())
    .limit(1)
)
_ACCOUNT = Statement(
    select(schema.accounts.c.id).where(schema.accounts.c.id == bindparam("account_id"))
)
_CREATE_ROOM = Statement(
    insert(_rooms),
    columns=(
        "key",
        "name",
        "public",
        "topic",
        "max",
        "owner_id",
        "owner",
        "creator_id",
        "skeleton",
    ),
)
_FIND_RIVAL = Statement(
    select(_rooms.c.id)
    .where(_rooms.c.skeleton.in_((bindparam("rival"), bindparam("other_rival"))))
    .limit(1)
)
_CHANGE_ROOM = Statement(
    update(_rooms)
    .where(_rooms.c.id == bindparam("room_id"))
    .values(
        public=bindparam("is_public"),
        topic=bindparam("new_topic"),
        max=bindparam("new_max"),
        owner_id=bindparam("new_owner_id"),
        owner=bindparam("new_owner"),
    )
)
_ADD_MEMBER = Statement(
    insert(_members).on_conflict_do_nothing(),
    columns=("room_id", "account_id", "joined_seq", "read_seq"),
)
_REMOVE_MEMBER = Statement(delete(_members).where(_in_room, _is_account))
_is_invited_to = (
    _invitations.c.room_id == bindparam("room_id"),
    _invitations.c.account_id == bindparam("account_id"),
)
_DELETE_INVITATIONS = Statement(delete(_invitations).where(*_is_invited_to))
_IS_INVITED = Statement(select(_invitations.c.room_id).where(*_is_invited_to).limit(1))
_DELETE_SENT_INVITATIONS = Statement(
    delete(_invitations).where(
        _invitations.c.room_id == bindparam("room_id"),
        _invitations.c.inviter_id == bindparam("account_id"),
    )
)


@attrs.define(eq=False)
class LogPosition:
    """The end of a log: its newest seq, and how many messages it has."""

    seq: int
    message_count: int


class LogWriter:
    """Appends to the logs of all rooms."""

    def __init__(self) -> None:
        self._positions: dict[int, LogPosition] = {}

    def invalidate(self, room_id: int | None = None) -> None:
        """Drop the remembered position of a room's log, or of all logs."""
        if room_id is None:
            self._positions.clear()
        else:
            self._positions.pop(room_id, None)

    def position(self, db: Connection, room_id: int) -> LogPosition | None:
        """Return the position of a room's log, None if there is no such room."""
        position = self._positions.get(room_id)
        if position is None:
            row = _POSITION(db, room_id=room_id).fetchone()
            if row is None:
                return None
            position = self._positions[room_id] = LogPosition(row[0] or 0, row[1] or 0)
        return position

    def write(self, db: Connection, run: Sequence[PendingEntry]) -> None:
        """Store entries in order, and fill in the result of each.

        A row is built here and not in a function of its own: for a message, which has to be cheap,
        the call would add 5 % to the time of this method.

        Args:
            db: the writer's connection, within a transaction.
            run: the entries.

        Raises:
            sqlite3.Error, ValueError: one of them cannot be stored; the caller has to roll back.
        """
        values: list[Any] = []
        positions = self._positions
        for pending in run:
            content = b""
            if pending.txn is not None:
                content = fingerprint(pending)
                if _was_used(db, pending, content):
                    continue
            entry = pending.entry
            is_message = type(entry) is MessageSent
            if not is_message and _subject_is_missing(db, pending):
                pending.error = NoSuchUser()
                continue
            position = positions.get(pending.room_id)
            if position is None:
                position = self._find_log(db, pending)
                if position is None:
                    continue
            if pending.needs_invitation and not _is_invited(db, pending):
                pending.error = PrivateRoom()
                continue
            position.seq = seq = entry.seq = position.seq + 1
            if isinstance(entry, MessageSent):
                kind = _MESSAGE
                position.message_count = message_count = position.message_count + 1
                id_, msg, extra = entry.id, entry.msg, None
            else:
                kind = entry.kind
                message_count = position.message_count
                id_, msg, extra = None, None, _encode_extra(entry)
                fold = _FOLDS.get(kind)
                if fold is not None:
                    fold(db, pending)
            values += (
                pending.room_id,
                seq,
                message_count,
                kind,
                entry.at,
                entry.usr,
                id_,
                msg,
                extra,
            )
            if pending.txn is not None:
                _save_ack(db, pending, content)
        _INSERT(db, values)

    def _find_log(self, db: Connection, pending: PendingEntry) -> LogPosition | None:
        """Return the position of the entry's log, which begins now if the entry creates the room.

        Returns None, and fills in the error, if there is no such room, or one that looks like it.
        """
        if isinstance(pending.entry, RoomCreated):
            rival, other = rivals(skeleton(pending.entry.room_name))
            if _FIND_RIVAL(db, rival=rival, other_rival=other).fetchone() is not None:
                pending.error = RoomExists()
                return None
            self._create_room(db, pending, pending.entry)
        position = self.position(db, pending.room_id)
        if position is None:
            pending.error = NotStored("The room was deleted.")
        return position

    def _create_room(self, db: Connection, pending: PendingEntry, entry: RoomCreated) -> None:
        inserted = _CREATE_ROOM(
            db,
            key=pending.room_key,
            name=entry.room_name,
            public=entry.public,
            topic=entry.topic,
            max=entry.max,
            owner_id=pending.subject_id,
            owner=entry.owner,
            creator_id=pending.subject_id,
            skeleton=skeleton(entry.room_name),
        )
        assert inserted.lastrowid is not None
        pending.room_id = inserted.lastrowid
        self._positions[pending.room_id] = LogPosition(0, 0)


def entry_of(row: Sequence[Any], room_name: str) -> Entry:
    """Return the entry of a row.

    Args:
        row: all columns of `entries`, in their order.
        room_name: the room's name as it is displayed.
    """
    _room_id, seq, _message_count, kind, at, usr, id_, msg, extra = row
    if kind == _MESSAGE:
        return MessageSent(room_name=room_name, usr=usr, msg=msg, id=id_, at=at, seq=seq)
    fields: dict[str, Any] = msgspec.json.decode(extra) if extra else {}
    return ENTRY_TYPES[kind](room_name=room_name, usr=usr, at=at, seq=seq, **fields)


def _encode_extra(entry: Entry) -> str | None:
    names = _EXTRA_FIELDS[entry.kind]
    if not names:
        return None
    return msgspec.json.encode({name: getattr(entry, name) for name in names}).decode()


def _was_used(db: Connection, pending: PendingEntry, content: bytes) -> bool:
    """Return whether the entry's txn was used before; fill in the earlier ack or the error."""
    try:
        pending.earlier = find_ack(db, pending.sender_id, pending.txn, content)
    except TxnConflict as conflict:
        pending.error = conflict
    return pending.error is not None or pending.earlier is not None


def _save_ack(db: Connection, pending: PendingEntry, content: bytes) -> None:
    entry = pending.entry
    assert pending.txn is not None
    ack = Ack(getattr(entry, "id", ""), entry.seq, entry.at)
    save_ack(db, pending.sender_id, pending.txn, content, ack)


def _subject_is_missing(db: Connection, pending: PendingEntry) -> bool:
    """Return whether an entry would make an account that does not exist a member or an owner."""
    subject = pending.subject_id
    return (
        subject is not None
        and isinstance(pending.entry, RoomCreated | RoomChanged | Joined)
        and _ACCOUNT(db, account_id=subject).fetchone() is None
    )


def _add_member(db: Connection, pending: PendingEntry) -> None:
    """Make the subject a member who has read everything up to this entry."""
    member = {"room_id": pending.room_id, "account_id": pending.subject_id}
    _ADD_MEMBER(db, **member, joined_seq=pending.entry.seq, read_seq=pending.entry.seq)
    _DELETE_INVITATIONS(db, **member)


def _add_creator(db: Connection, pending: PendingEntry) -> None:
    """Make the creator of a room its first member, if the room has a creator."""
    if pending.subject_id is not None:
        _add_member(db, pending)


def _is_invited(db: Connection, pending: PendingEntry) -> bool:
    found = _IS_INVITED(db, room_id=pending.room_id, account_id=pending.subject_id)
    return found.fetchone() is not None


def _remove_member(db: Connection, pending: PendingEntry) -> None:
    """End the membership of the subject, and the invitations that the subject sent."""
    member = {"room_id": pending.room_id, "account_id": pending.subject_id}
    _REMOVE_MEMBER(db, **member)
    _DELETE_SENT_INVITATIONS(db, **member)


def _change_room(db: Connection, pending: PendingEntry) -> None:
    """Set the room's settings and owner."""
    entry = pending.entry
    assert isinstance(entry, RoomChanged)
    _CHANGE_ROOM(
        db,
        room_id=pending.room_id,
        is_public=entry.public,
        new_topic=entry.topic,
        new_max=entry.max,
        new_owner_id=pending.subject_id,
        new_owner=entry.owner,
    )


#: Kind of entry -> the change that it means for the room and its members.
_FOLDS: dict[str, Callable[[Connection, PendingEntry], None]] = {
    RoomCreated.kind: _add_creator,
    RoomChanged.kind: _change_room,
    Joined.kind: _add_member,
    Left.kind: _remove_member,
    Kicked.kind: _remove_member,
    Removed.kind: _remove_member,
}
