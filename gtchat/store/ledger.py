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
from gtchat.chat.events import Joined, Kicked, Left, Removed, RoomChanged, RoomCreated, Spoke
from gtchat.chat.interfaces import Append, Receipt
from gtchat.store import schema
from gtchat.store.doubles import content_of, find_double, remember
from gtchat.store.entries import row_of
from gtchat.store.statements import BulkInsert, Statement

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
_ENROLL = Statement(
    insert(_members).on_conflict_do_nothing(),
    columns=("room_id", "account_id", "joined", "read_seq"),
)
_STRIKE = Statement(delete(_members).where(_in_room, _is_account))
_UNINVITE = Statement(
    delete(_invitations).where(
        _invitations.c.room_id == bindparam("room_id"),
        _invitations.c.account_id == bindparam("account_id"),
    )
)


@attrs.define(eq=False)
class Head:
    """Where a log has got to: its newest seq, and how many messages it has."""

    seq: int
    spoken: int


class Ledger:
    """All logs, as the writer sees them."""

    def __init__(self) -> None:
        self._heads: dict[int, Head] = {}

    def forget(self, room_id: int | None = None) -> None:
        """What was remembered of a room, or of all, may not be so any more."""
        if room_id is None:
            self._heads.clear()
        else:
            self._heads.pop(room_id, None)

    def head(self, db: Connection, room_id: int) -> Head | None:
        """Where a room's log has got to; None if there is no such room."""
        head = self._heads.get(room_id)
        if head is None:
            row = _HEAD(db, room_id=room_id).fetchone()
            if row is None:
                return None
            head = self._heads[room_id] = Head(row[0] or 0, row[1] or 0)
        return head

    def write(self, db: Connection, run: Sequence[Append]) -> None:
        """Store entries, in order; what became of each is filled in.

        Raises:
            sqlite3.Error, ValueError: one of them can't be stored; nothing may be kept of any.
        """
        values: list[Any] = []
        heads = self._heads
        for append in run:
            content = b""
            if append.txn is not None:
                content = content_of(append)
                if _is_double(db, append, content):
                    continue
            entry = append.entry
            head = heads.get(append.room_id)
            if type(entry) is Spoke and head is not None:
                head.seq = seq = head.seq + 1
                head.spoken = spoken = head.spoken + 1
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
                receipt = Receipt(getattr(entry, "id", ""), entry.seq, entry.at)
                remember(db, append.subject, append.txn, content, receipt)
        _INSERT(db, values)

    def _number(self, db: Connection, append: Append) -> tuple[Any, ...]:
        """Any entry: its number, its meaning for the room, its row (none if it can't be)."""
        if isinstance(append.entry, RoomCreated):
            self._create(db, append)
        head = self.head(db, append.room_id)
        if head is None:
            append.error = NotStored("The room is gone.")
            return ()
        head.seq += 1
        head.spoken += append.entry.kind == Spoke.kind
        append.entry.seq = head.seq
        fold = _FOLDS.get(append.entry.kind)
        if fold is not None:
            fold(db, append, head)
        return row_of(append.room_id, head.seq, head.spoken, append.entry)

    def _create(self, db: Connection, append: Append) -> None:
        entry = append.entry
        assert isinstance(entry, RoomCreated)
        made = _CREATE(
            db,
            key=append.room_key,
            name=entry.room_name,
            public=entry.public,
            topic=entry.topic,
            max=entry.max,
            owner_id=append.subject,
            owner=entry.owner,
        )
        assert made.lastrowid is not None
        append.room_id = made.lastrowid
        self._heads[append.room_id] = Head(0, 0)


def _is_double(db: Connection, append: Append, content: bytes) -> bool:
    """Whether this txn was used before; then that is what became of it."""
    try:
        append.earlier = find_double(db, append.subject, append.txn, content)
    except TxnConflict as conflict:
        append.error = conflict
    return append.error is not None or append.earlier is not None


def _enroll(db: Connection, append: Append, head: Head) -> None:
    """The subject is a member from here on, and has read everything."""
    where = {"room_id": append.room_id, "account_id": append.subject}
    _ENROLL(db, **where, joined=head.seq, read_seq=head.seq)
    _UNINVITE(db, **where)


def _create_member(db: Connection, append: Append, head: Head) -> None:
    """A room's creator is its first member, where it has one."""
    if append.subject is not None:
        _enroll(db, append, head)


def _strike(db: Connection, append: Append, head: Head) -> None:
    """The subject is no member any more."""
    _STRIKE(db, room_id=append.room_id, account_id=append.subject)


def _change(db: Connection, append: Append, head: Head) -> None:
    """The room has other settings from here on."""
    entry = append.entry
    assert isinstance(entry, RoomChanged)
    _CHANGE(
        db,
        room_id=append.room_id,
        is_public=entry.public,
        new_topic=entry.topic,
        new_max=entry.max,
        new_owner_id=append.subject,
        new_owner=entry.owner,
    )


#: What each kind of entry means for its room, besides being in its log.
_FOLDS: dict[str, Callable[[Connection, Append, Head], None]] = {
    RoomCreated.kind: _create_member,
    RoomChanged.kind: _change,
    Joined.kind: _enroll,
    Left.kind: _strike,
    Kicked.kind: _strike,
    Removed.kind: _strike,
}
