"""Appending to logs: an entry gets its number and its row. What it changes is in `room_changes`.

`LogWriter.write` makes rows of `entries` and `entry_of` reads them: no other place names the
columns of an entry. The writer runs in its own thread, within a transaction that nothing here
begins or ends. It remembers the ends of logs from one transaction to the next, and writes those
that moved to `heads` once, before a transaction ends: until then only the writer knows the newest
entry of a log, and what else needs it in the same transaction asks `LogWriter.position`.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

import attrs
import msgspec
from sqlalchemy import bindparam, select

from gtchat.chat.errors import NoSuchUser, NotStored, PrivateRoom, RoomExists, TxnConflict
from gtchat.chat.events import ENTRY_TYPES, Entry, MessageSent, RoomCreated
from gtchat.chat.interfaces import Ack, PendingEntry
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import schema
from gtchat.store.sql.idempotency import find_ack, fingerprint, save_ack
from gtchat.store.sql.room_changes import CHANGES, create_room, is_invited, subject_is_missing
from gtchat.store.sql.statements import BulkInsert, Statement, insert

_log = schema.entries
_heads = schema.heads
_rooms = schema.rooms
_MESSAGE = MessageSent.kind

#: Kind -> attributes of its entries that have no column of their own, with their defaults; they are
#: JSON in `extra`. The room's name is in `rooms`.
_EXTRA_FIELDS = {
    kind: tuple(
        (field.name, field.default)
        for field in attrs.fields(entry_type)
        if field.name != "room_name" and field.name not in _log.c
    )
    for kind, entry_type in ENTRY_TYPES.items()
}

#: A plain message fills only these columns, in this order.
_INSERT_MESSAGES = BulkInsert(
    insert(_log),
    ("room_id", "seq", "message_count", "kind", "at", "usr", "subject_id", "id", "msg"),
)
#: Other entries fill all columns but `row`, in the order of the table.
_INSERT_OTHERS = BulkInsert(insert(_log), [c.name for c in _log.c if c is not _log.c.row])

_new_head = insert(_heads)
#: The lowest seq that is kept changes only where entries are deleted.
_SET_HEADS = BulkInsert(
    _new_head.on_conflict_do_update(
        index_elements=["room_id"],
        set_={"seq": _new_head.excluded.seq, "messages": _new_head.excluded.messages},
    ),
    ("room_id", "seq", "messages", "first"),
)
_POSITION = Statement(
    select(_heads.c.seq, _heads.c.messages)
    .select_from(_rooms.outerjoin(_heads, _heads.c.room_id == _rooms.c.id))
    .where(_rooms.c.id == bindparam("room_id"))
)
_LOBBY = Statement(select(_rooms.c.id).where(_rooms.c.key == LOBBY))


@attrs.define(eq=False)
class LogPosition:
    """The end of a log: its newest seq, and how many messages it has."""

    seq: int
    message_count: int


class LogWriter:
    """Appends to the logs of all rooms."""

    def __init__(self) -> None:
        self._positions: dict[int, LogPosition] = {}
        #: Rooms whose logs have got entries that `heads` does not know.
        self._appended: set[int] = set()

    def invalidate(self, room_id: int | None = None) -> None:
        """Drop what is remembered of a room's log, or of all logs."""
        if room_id is None:
            self._positions.clear()
            self._appended.clear()
        else:
            self._positions.pop(room_id, None)
            self._appended.discard(room_id)

    def position(self, db: Connection, room_id: int) -> LogPosition | None:
        """Return the position of a room's log, None if there is no such room."""
        position = self._positions.get(room_id)
        if position is None:
            row = _POSITION(db, room_id=room_id).fetchone()
            if row is None:
                return None
            position = self._positions[room_id] = LogPosition(row[0] or 0, row[1] or 0)
        return position

    def lobby_seq(self, db: Connection) -> int:
        """Return the seq of the newest entry in the lobby, 0 if there is none."""
        room_id = _LOBBY.scalar(db)
        position = None if room_id is None else self.position(db, room_id)
        return 0 if position is None else position.seq

    def write_heads(self, db: Connection) -> None:
        """Write the ends of the logs that have got entries since the last call to `heads`.

        Called before the end of each transaction, and of each part that can be rolled back alone.
        """
        if not self._appended:
            return
        values: list[Any] = []
        for room_id in sorted(self._appended):
            position = self._positions[room_id]
            values += (room_id, position.seq, position.message_count, 1)
        self._appended.clear()
        _SET_HEADS(db, values)

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
        messages: list[Any] = []
        others: list[Any] = []
        positions = self._positions
        for pending in run:
            content = b""
            if pending.txn is not None:
                content = fingerprint(pending)
                if _was_used(db, pending, content):
                    continue
            entry = pending.entry
            is_message = type(entry) is MessageSent
            if not is_message and subject_is_missing(db, pending):
                pending.error = NoSuchUser()
                continue
            room_id = pending.room_id
            position = positions.get(room_id)
            if position is None:
                position = self._find_log(db, pending)
                if position is None:
                    continue
                room_id = pending.room_id
            if pending.needs_invitation and not is_invited(db, pending):
                pending.error = PrivateRoom()
                continue
            position.seq = seq = entry.seq = position.seq + 1
            if isinstance(entry, MessageSent):
                if others:  # rows lie in the order of the queue
                    others = self._insert(db, _INSERT_OTHERS, others)
                position.message_count = message_count = position.message_count + 1
                messages += (
                    room_id,
                    seq,
                    message_count,
                    _MESSAGE,
                    entry.at,
                    entry.usr,
                    entry.subject_id,
                    entry.id,
                    entry.msg,
                )
            else:
                if messages:
                    messages = self._insert(db, _INSERT_MESSAGES, messages)
                others += _row(pending, position.message_count)
                change = CHANGES.get(entry.kind)
                if change is not None:
                    change(db, pending)
            if pending.txn is not None:
                _save_ack(db, pending, content)
        self._insert(db, _INSERT_MESSAGES, messages)
        self._insert(db, _INSERT_OTHERS, others)

    def _insert(self, db: Connection, statement: BulkInsert, values: list[Any]) -> list[Any]:
        """Insert rows, of which the first column is the room; return an empty list for the next."""
        self._appended.update(values[:: statement.width])
        statement(db, values)
        return []

    def _find_log(self, db: Connection, pending: PendingEntry) -> LogPosition | None:
        """Return the position of the entry's log, which begins now if the entry creates the room.

        Returns None, and fills in the error, if there is no such room, or one that looks like it.
        """
        if isinstance(pending.entry, RoomCreated):
            try:
                pending.room_id = create_room(db, pending.room_key, pending.entry)
            except RoomExists as error:
                pending.error = error
                return None
            self._positions[pending.room_id] = LogPosition(0, 0)
        position = self.position(db, pending.room_id)
        if position is None:
            pending.error = NotStored("The room was deleted.")
        return position


def entry_of(row: Sequence[Any], room_name: str) -> Entry:
    """Return the entry of a row.

    Args:
        row: all columns of `entries`, in their order.
        room_name: the room's name as it is displayed.
    """
    _, _, seq, _, kind, at, usr, subject_id, id_, msg, _, _, _, extra = row
    if kind == _MESSAGE:
        return MessageSent(
            room_name=room_name, usr=usr, msg=msg, id=id_, at=at, seq=seq, subject_id=subject_id
        )
    fields: dict[str, Any] = msgspec.json.decode(extra) if extra else {}
    return ENTRY_TYPES[kind](
        room_name=room_name, usr=usr, at=at, seq=seq, subject_id=subject_id, **fields
    )


def _row(pending: PendingEntry, message_count: int) -> tuple[Any, ...]:
    """Return the row of an entry that is no plain message, for `_INSERT_OTHERS`."""
    entry = pending.entry
    return (
        pending.room_id,
        entry.seq,
        message_count,
        entry.kind,
        entry.at,
        entry.usr,
        entry.subject_id,
        None,  # id
        None,  # msg
        None,  # of
        None,  # root
        None,  # changed
        _encode_extra(entry),
    )


def _encode_extra(entry: Entry) -> str | None:
    values = ((name, getattr(entry, name), default) for name, default in _EXTRA_FIELDS[entry.kind])
    extra = {name: value for name, value, default in values if value != default}
    return msgspec.json.encode(extra).decode() if extra else None


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
