"""Appending to logs: an entry gets its number and its row.

What an entry changes besides the log is in `room_changes` and `message_changes`. The writer runs in
its own thread, within a transaction that nothing here begins or ends. It remembers the ends of logs
from one transaction to the next, and writes those that moved to `heads` once, before a transaction
ends: until then only the writer knows the newest entry of a log, and what else needs it in the same
transaction asks `LogWriter.position`. Where several nodes write, the follower puts the ends of the
logs that are locked here at the start of each transaction, and they are forgotten at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
from sqlalchemy import bindparam, select

from gtchat.chat.errors import (
    ChatError,
    NoSuchUser,
    NotStored,
    TxnConflict,
)
from gtchat.chat.events import AnnotatedMessage, GuestMessage, MessageSent, RoomCreated
from gtchat.chat.interfaces import PendingEntry, PendingMessageChange, PendingRoomChange
from gtchat.chat.mentions import MentionLimits
from gtchat.chat.message_rules import apply, check, prepare_reply
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import mentions, moderation, schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import WRITTEN, WRITTEN_OF_MESSAGE, row_of
from gtchat.store.sql.idempotency import find_ack, fingerprint, save_ack
from gtchat.store.sql.message_changes import SQLMessages
from gtchat.store.sql.room_changes import CHANGES, check_subject, create_room, subject_is_missing
from gtchat.store.sql.statements import BulkInsert, Statement, insert

_log = schema.entries
_heads = schema.heads
_rooms = schema.rooms
_MESSAGE = MessageSent.kind

#: A plain message fills only some columns, in the order in which `LogWriter.write` has them.
_INSERT_MESSAGES = BulkInsert(insert(_log), WRITTEN_OF_MESSAGE)
_INSERT_OTHERS = BulkInsert(insert(_log), WRITTEN)

#: Ends of logs that are remembered from one transaction to the next. Direct conversations have no
#: bound.
MAX_POSITIONS = 10_000

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


class LockedLogs(Protocol):
    """Which logs a transaction may append to, where several nodes write."""

    def is_locked(self, room_id: int) -> bool:
        """Return whether the end of a log stays where it is for others."""

    def begins(self, room_id: int) -> None:
        """Take note of a log that begins in this transaction: no other one sees it."""

    def delivered(self, room_id: int) -> int | None:
        """Return up to where a log that is not locked was delivered; None if that is not known."""


class LogWriter:
    """Appends to the logs of all rooms.

    Attributes:
        mention_limits: see `IMentionStore`.
        locked: which logs may be appended to, None for all.
    """

    def __init__(self) -> None:
        self.mention_limits = MentionLimits()
        self.locked: LockedLogs | None = None
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

    def begin(self, heads: Mapping[int, tuple[int, int]]) -> None:
        """Begin a transaction in which some logs are locked, and no others are appended to.

        Args:
            heads: room id -> seq of its newest entry, and number of its messages.
        """
        self.invalidate()
        self._positions.update((room_id, LogPosition(*head)) for room_id, head in heads.items())

    def position(self, db: Connection, room_id: int) -> LogPosition | None:
        """Return the position of a room's log, None if there is no such room.

        A log that is not locked ends where this node has delivered it: the number of its messages
        is not told then.
        """
        position = self._positions.get(room_id)
        if position is not None:
            return position
        delivered = None if self.locked is None else self.locked.delivered(room_id)
        if delivered is not None:
            return LogPosition(delivered, 0)
        row = _POSITION(db, room_id=room_id).fetchone()
        if row is None:
            return None
        position = LogPosition(row[0] or 0, row[1] or 0)
        if self.locked is not None and row[0] is None:
            self.locked.begins(room_id)
        if self.locked is None or self.locked.is_locked(room_id):
            self._positions[room_id] = position
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
        if self._appended:
            values: list[Any] = []
            for room_id in sorted(self._appended):
                position = self._positions[room_id]
                values += (room_id, position.seq, position.message_count, 1)
            self._appended.clear()
            _SET_HEADS(db, values)
        if len(self._positions) > MAX_POSITIONS:
            self._positions.clear()  # `heads` has them all now

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
        mentioning: list[tuple[int, MessageSent]] = []
        positions = self._positions
        for pending in run:
            content = b""
            if pending.txn is not None:
                content = fingerprint(pending)
                if _was_used(db, pending, content):
                    continue
                if pending.refusal is not None:
                    pending.error = pending.refusal
                    continue
            entry = pending.entry
            entry_type = type(entry)
            is_plain = entry_type is MessageSent or entry_type is GuestMessage
            if pending.slow:
                is_plain = False
            if not is_plain:
                # Rows lie in the order of the queue, and what follows may read earlier ones.
                messages = self._insert(db, _INSERT_MESSAGES, messages)
                mentioning = self._add_mentions(db, mentioning)
                if isinstance(pending, PendingMessageChange) or entry_type is AnnotatedMessage:
                    others = self._insert(db, _INSERT_OTHERS, others)
                if subject_is_missing(db, pending):
                    pending.error = NoSuchUser()
                    continue
            room_id = pending.room_id
            position = positions.get(room_id)
            if position is None:
                position = self._find_log(db, pending)
                if position is None:
                    continue
                room_id = pending.room_id
            if is_plain:
                if others:
                    others = self._insert(db, _INSERT_OTHERS, others)
                position.seq = seq = entry.seq = position.seq + 1
                position.message_count = message_count = position.message_count + 1
                messages += (
                    room_id,
                    seq,
                    message_count,
                    _MESSAGE,
                    entry.at,
                    entry.usr,
                    entry.subject_id,
                    entry.id,  # type: ignore[attr-defined]
                    entry.msg,  # type: ignore[attr-defined]
                )
                if "@" in entry.msg:  # type: ignore[attr-defined]
                    mentioning.append((room_id, entry))  # type: ignore[arg-type]
            elif self._number(db, pending, position):
                others += row_of(room_id, entry, position.message_count)
            if pending.txn is not None and pending.error is None:
                _save_ack(db, pending, content)
        self._insert(db, _INSERT_MESSAGES, messages)
        self._insert(db, _INSERT_OTHERS, others)
        self._add_mentions(db, mentioning)

    def _insert(self, db: Connection, statement: BulkInsert, values: list[Any]) -> list[Any]:
        """Insert rows, of which the first column is the room; return an empty list for the next."""
        self._appended.update(values[:: statement.width])
        statement(db, values)
        return []

    def _add_mentions(
        self, db: Connection, messages: list[tuple[int, MessageSent]]
    ) -> list[tuple[int, MessageSent]]:
        """Store what messages with an `@` mention; return an empty list for the next."""
        if messages:
            mentions.add(db, messages, self.mention_limits)
        return []

    def _find_log(self, db: Connection, pending: PendingEntry) -> LogPosition | None:
        """Return the position of the entry's log, which begins now if the entry creates the room.

        Returns None, and fills in the error, if there is no such room, or one that looks like it.
        """
        if isinstance(pending.entry, RoomCreated):
            assert isinstance(pending, PendingRoomChange)
            try:
                pending.room_id = create_room(db, pending)
            except ChatError as error:
                pending.error = error
                return None
            self._positions[pending.room_id] = LogPosition(0, 0)
            if self.locked is not None:
                self.locked.begins(pending.room_id)
        position = self.position(db, pending.room_id)
        if position is None:
            pending.error = NotStored("The room was deleted.")
        elif self.locked is not None:
            assert self.locked.is_locked(pending.room_id), pending
        return position

    def _number(self, db: Connection, pending: PendingEntry, position: LogPosition) -> bool:
        """Give an entry that is no plain message its number, and make the changes that it means.

        Args:
            db: the writer's connection.
            pending: the entry; its error is filled in if it is refused.
            position: the end of the log, which moves.

        Returns:
            Whether it is an entry: it is neither refused, nor a change that changes nothing.
        """
        entry = pending.entry
        try:
            if isinstance(pending, PendingRoomChange):
                check_subject(db, pending)
            rows = SQLMessages(db, pending.room_id, entry.room_name, self.mention_limits)
            message = None
            if isinstance(pending, PendingMessageChange):
                message = check(pending, rows)
                if message is None:
                    return False
            elif isinstance(entry, MessageSent):
                prepare_reply(entry, rows)
                if pending.slow:
                    moderation.check_last(db, pending)
                position.message_count += 1
        except ChatError as error:
            pending.error = error
            return False
        position.seq = entry.seq = position.seq + 1
        if isinstance(pending, PendingMessageChange) and message is not None:
            apply(pending, message, rows)
        elif isinstance(pending, PendingRoomChange):
            if change := CHANGES.get(entry.kind):
                change(db, pending)
            moderation.fold(db, pending)
        elif isinstance(entry, MessageSent) and "@" in entry.msg:
            mentions.add(db, [(pending.room_id, entry)], self.mention_limits)
        return True


def _was_used(db: Connection, pending: PendingEntry, content: bytes) -> bool:
    """Return whether the entry's txn was used before; fill in the earlier ack or the error."""
    try:
        pending.earlier = find_ack(db, pending.sender_id, pending.txn, content)
    except TxnConflict as conflict:
        pending.error = conflict
    return pending.error is not None or pending.earlier is not None


def _save_ack(db: Connection, pending: PendingEntry, content: bytes) -> None:
    assert pending.txn is not None
    save_ack(db, pending.sender_id, pending.txn, content, pending.ack)
