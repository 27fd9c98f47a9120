"""Appending to logs: numbers, rows, and what an entry means for its room. Runs in the writer.

Nothing here begins or ends a transaction. What is remembered from one transaction to the next is
forgotten with `forget` when one is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sqlite3 import Connection
from typing import Any

import attrs
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.errors import NotStored, TxnConflict
from gtchat.chat.events import Joined, Kicked, Left, MessageSent, Removed, RoomChanged, RoomCreated
from gtchat.chat.interfaces import Ack, PendingEntry
from gtchat.store.sql import schema
from gtchat.store.sql.history import row_of
from gtchat.store.sql.idempotency import find_ack, fingerprint, save_ack
from gtchat.store.sql.statements import BulkInsert, Statement

_log = schema.entries
_rooms = schema.rooms
_members = schema.members
_invitations = schema.invitations
_in_room = _members.c.room_id == bindparam("room_id")
_is_account = _members.c.account_id == bindparam("account_id")

_INSERT = BulkInsert(_log)

_HEAD = Statement(
    select(_log.c.seq, _log.c.spoken)
    .select_from(_rooms.outerjoin(_log, _log.c.room_id == _rooms.c.id))
    .where(_rooms.c.id == bindparam("room_id"))
    .order_by(_log.c.seq.desc())
    .limit(1)
)
_CREATE = Statement(
    insert(_rooms), columns=("key", "name", "public", "topic", "max", "owner_id", "owner")
)
_CHANGE = Statement(
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
    columns=("room_id", "account_id", "joined", "read_seq"),
)
_REMOVE_MEMBER = Statement(delete(_members).where(_in_room, _is_account))
_UNINVITE = Statement(
    delete(_invitations).where(
        _invitations.c.room_id == bindparam("room_id"),
        _invitations.c.account_id == bindparam("account_id"),
    )
)


@attrs.define(eq=False)
class LogPosition:
    """Where a log has got to: its newest seq, and how many messages it has."""

    seq: int
    message_count: int


class LogWriter:
    """All logs, as the writer sees them."""

    def __init__(self) -> None:
        self._positions: dict[int, LogPosition] = {}

    def invalidate(self, room_id: int | None = None) -> None:
        """What was remembered of a room, or of all, may not be so any more."""
        if room_id is None:
            self._positions.clear()
        else:
            self._positions.pop(room_id, None)

    def position(self, db: Connection, room_id: int) -> LogPosition | None:
        """Where a room's log has got to; None if there is no such room."""
        head = self._positions.get(room_id)
        if head is None:
            row = _HEAD(db, room_id=room_id).fetchone()
            if row is None:
                return None
            head = self._positions[room_id] = LogPosition(row[0] or 0, row[1] or 0)
        return head

    def write(self, db: Connection, run: Sequence[PendingEntry]) -> None:
        """Store entries, in order; what became of each is filled in.

        Raises:
            sqlite3.Error, ValueError: one of them can't be stored; nothing may be kept of any.
        """
        values: list[Any] = []
        positions = self._positions
        for append in run:
            content = b""
            if append.txn is not None:
                content = fingerprint(append)
                if _is_double(db, append, content):
                    continue
            entry = append.entry
            head = positions.get(append.room_id)
            if type(entry) is MessageSent and head is not None:
                head.seq = seq = head.seq + 1
                head.message_count = spoken = head.message_count + 1
                values += (
                    append.room_id,
                    seq,
                    spoken,
                    "speak",
                    entry.at,
                    entry.usr,
                    entry.id,
                    entry.msg,
                    None,
                )
                entry.seq = seq
            else:
                values += self._number(db, append)
            if append.txn is not None and append.error is None:
                receipt = Ack(getattr(entry, "id", ""), entry.seq, entry.at)
                save_ack(db, append.subject_id, append.txn, content, receipt)
        _INSERT(db, values)

    def _number(self, db: Connection, append: PendingEntry) -> tuple[Any, ...]:
        """Any entry: its number, its meaning for the room, its row (none if it can't be)."""
        if isinstance(append.entry, RoomCreated):
            self._create(db, append)
        head = self.position(db, append.room_id)
        if head is None:
            append.error = NotStored("The room is gone.")
            return ()
        head.seq += 1
        head.message_count += append.entry.kind == MessageSent.kind
        append.entry.seq = head.seq
        fold = _FOLDS.get(append.entry.kind)
        if fold is not None:
            fold(db, append, head)
        return row_of(append.room_id, head.seq, head.message_count, append.entry)

    def _create(self, db: Connection, append: PendingEntry) -> None:
        entry = append.entry
        assert isinstance(entry, RoomCreated)
        made = _CREATE(
            db,
            key=append.room_key,
            name=entry.room_name,
            public=entry.public,
            topic=entry.topic,
            max=entry.max,
            owner_id=append.subject_id,
            owner=entry.owner,
        )
        assert made.lastrowid is not None
        append.room_id = made.lastrowid
        self._positions[append.room_id] = LogPosition(0, 0)


def _is_double(db: Connection, append: PendingEntry, content: bytes) -> bool:
    """Whether this txn was used before; then that is what became of it."""
    try:
        append.earlier = find_ack(db, append.subject_id, append.txn, content)
    except TxnConflict as conflict:
        append.error = conflict
    return append.error is not None or append.earlier is not None


def _add_member(db: Connection, append: PendingEntry, head: LogPosition) -> None:
    """The subject is a member from here on, and has read everything."""
    where = {"room_id": append.room_id, "account_id": append.subject_id}
    _ADD_MEMBER(db, **where, joined=head.seq, read_seq=head.seq)
    _UNINVITE(db, **where)


def _create_member(db: Connection, append: PendingEntry, head: LogPosition) -> None:
    """A room's creator is its first member, where it has one."""
    if append.subject_id is not None:
        _add_member(db, append, head)


def _remove_member(db: Connection, append: PendingEntry, head: LogPosition) -> None:
    """The subject is no member any more."""
    _REMOVE_MEMBER(db, room_id=append.room_id, account_id=append.subject_id)


def _change(db: Connection, append: PendingEntry, head: LogPosition) -> None:
    """The room has other settings from here on."""
    entry = append.entry
    assert isinstance(entry, RoomChanged)
    _CHANGE(
        db,
        room_id=append.room_id,
        is_public=entry.public,
        new_topic=entry.topic,
        new_max=entry.max,
        new_owner_id=append.subject_id,
        new_owner=entry.owner,
    )


#: What each kind of entry means for its room, besides being in its log.
_FOLDS: dict[str, Callable[[Connection, PendingEntry, LogPosition], None]] = {
    RoomCreated.kind: _create_member,
    RoomChanged.kind: _change,
    Joined.kind: _add_member,
    Left.kind: _remove_member,
    Kicked.kind: _remove_member,
    Removed.kind: _remove_member,
}
