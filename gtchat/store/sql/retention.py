"""Removing the oldest entries of logs, in slices, one log after the other.

A slice is one transaction, in which the log is whole again: what the room was behind the entries
that are removed goes into `rooms.base_state`, they are taken out of the index, what belongs to them
goes with them, and `heads.first` moves. The numbers of entries and of messages stay.
"""

from __future__ import annotations

import attrs
from sqlalchemy import ColumnElement, bindparam, delete, func, literal_column, or_, select, update
from twisted.logger import Logger

from gtchat.chat.fold import RoomState
from gtchat.chat.node_records import ROOM_CHANGES
from gtchat.chat.retention import KEEP_ALL, Keep, Retention
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import schema, search_index, snapshots
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.statements import Statement

#: Entries that are removed in one transaction, and logs that are looked at in one.
SLICE, LOGS = 500, 500

_log = schema.entries
_heads = schema.heads
_rooms = schema.rooms
_directs = schema.directs
_missed = schema.missed
_CHANGE_KINDS = frozenset(one.kind for one in ROOM_CHANGES)
_in_room = _log.c.room_id == bindparam("room")
_zero: ColumnElement[int] = literal_column("0")

#: Logs with their first entry that is kept.
_LOGS = (
    select(
        _rooms.c.id,
        _rooms.c.keep_messages,
        _rooms.c.keep_days,
        _log.c.at,
        _heads.c.messages - _log.c.message_count,
    )
    .select_from(_rooms)
    .join(_heads, _heads.c.room_id == _rooms.c.id)
    .join(_log, (_log.c.room_id == _heads.c.room_id) & (_log.c.seq == _heads.c.first))
    .where(_rooms.c.id > bindparam("after"))
    .order_by(_rooms.c.id)
    .limit(bindparam("limit"))
)
_ALL_LOGS = Statement(_LOGS)
#: The condition of the index `rooms_keep`.
_LIMITED_LOGS = Statement(
    _LOGS.with_hint(_rooms, "INDEXED BY rooms_keep", "sqlite").where(
        or_(_rooms.c.keep_messages > _zero, _rooms.c.keep_days > _zero)
    )
)
#: Nothing is appended to a log, and none of its messages changes, until the transaction ends.
_HEAD = Statement(
    select(_heads.c.first, _heads.c.messages)
    .where(_heads.c.room_id == bindparam("room"))
    .with_for_update(key_share=True)
)
_ROOM = Statement(
    select(
        _rooms.c.name,
        _rooms.c.key,
        _rooms.c.kind,
        _rooms.c.keep_messages,
        _rooms.c.keep_days,
        _rooms.c.base_seq,
        _rooms.c.base_state,
    ).where(_rooms.c.id == bindparam("room"))
)
_OLDEST = Statement(
    select(_log.c.seq, _log.c.at, _log.c.message_count, _log.c.kind)
    .where(_in_room, _log.c.seq >= bindparam("first"))
    .order_by(_log.c.seq)
    .limit(bindparam("limit"))
)
_CHANGES = Statement(
    select(*COLUMNS)
    .where(
        _in_room,
        _log.c.seq.between(bindparam("low"), bindparam("high")),
        _log.c.kind.in_([literal_column(f"'{one.kind}'") for one in ROOM_CHANGES]),
    )
    .order_by(_log.c.seq)
)
#: The last entry of a direct conversation before the first message that was not delivered.
_DELIVERED = Statement(
    select(func.min(_directs.c.delivered_seq)).where(
        _directs.c.room_id == bindparam("room"), _directs.c.pending > _zero
    )
)
_FIRST_MISSED = Statement(
    select(func.min(_missed.c.seq)).where(_missed.c.room_id == bindparam("room"))
)
_DELETES = tuple(
    Statement(
        delete(table).where(table.c.room_id == bindparam("room"), table.c.seq < bindparam("first"))
    )
    for table in (
        *(schema.mentions, schema.reactions, schema.pins, schema.versions),
        *(schema.missed, schema.entries),
    )
)
_SET_BASE = Statement(
    update(_rooms)
    .where(_rooms.c.id == bindparam("room"))
    .values(base_seq=bindparam("seq"), base_state=bindparam("state"))
)
_SET_FIRST = Statement(
    update(_heads).where(_heads.c.room_id == bindparam("room")).values(first=bindparam("lowest"))
)


@attrs.define(eq=False)
class LogCuts:
    """Looks at all logs once after each `begin`, and removes what is too much of each.

    What was not done before the next `begin` comes first: if all logs take longer than that, each
    has its turn. All methods are called in the writer's thread.
    """

    _retention: Retention | None = None
    #: The last log that was looked at, and those of which something has to be removed.
    _after: int = 0
    _waiting: list[int] = attrs.field(factory=list)
    #: The log behind which `begin` went on, and whether those up to it are looked at now.
    _begun_after: int = 0
    _is_second_part: bool = False
    #: How many entries were removed since `begin`.
    _removed: int = 0
    _logger = Logger()

    def begin(self, retention: Retention) -> None:
        """Begin to look at all logs, from where the last look has ended.

        Args:
            retention: how much is kept.
        """
        self._retention = retention if retention.at else None
        self._begun_after, self._is_second_part, self._removed = self._after, False, 0

    def end(self) -> None:
        """Leave what is left to another node, or to the next time."""
        self._retention = None

    def has_work(self) -> bool:
        """Return whether there may be something to remove."""
        return self._retention is not None

    def do_slice(self, db: Connection) -> None:
        """Look at some logs, or remove a slice of one.

        Args:
            db: the writer's connection, in a transaction of its own.
        """
        retention = self._retention
        if retention is None:
            return
        if self._waiting:
            count = cut(db, self._waiting[0], retention)
            self._removed += count
            if count < SLICE:
                del self._waiting[0]
            return
        statement = _LIMITED_LOGS if retention.keep == KEEP_ALL else _ALL_LOGS
        rows = statement(db, after=self._after, limit=LOGS).fetchall()
        for room_id, keep_messages, keep_days, at, later in rows:
            self._after = room_id
            keep = retention.keep.narrowed(Keep(keep_messages, keep_days))
            if retention.removes(keep, at, later):
                self._waiting.append(room_id)
        if not self._waiting:
            self._end_part(is_last=len(rows) < LOGS)

    def _end_part(self, is_last: bool) -> None:
        """Go on with the first logs, or end if all were looked at. is_last: whether no log is left.

        Where the last look had ended in the middle, the logs before that come last.
        """
        if is_last and self._begun_after and not self._is_second_part:
            self._after, self._is_second_part = 0, True
        elif is_last or (self._is_second_part and self._after >= self._begun_after):
            if self._removed:
                self._logger.info("removed {count} old entries of logs", count=self._removed)
            self._retention, self._after = None, 0


def cut(db: Connection, room_id: int, retention: Retention) -> int:
    """Remove the oldest entries of a log, at most as many as a slice has. Return their number.

    Args:
        db: the writer's connection, in a transaction of its own.
        room_id: the room or direct conversation.
        retention: how much is kept.
    """
    search_index.share_state(db)  # before the lock of the log: others wait for that
    head, room = _HEAD(db, room=room_id).fetchone(), _ROOM(db, room=room_id).fetchone()
    if head is None or room is None:
        return 0
    (first, messages), (name, key, kind, keep_messages, keep_days, base_seq, state) = head, room
    keep = retention.keep.narrowed(Keep(keep_messages, keep_days))
    rows = _OLDEST(db, room=room_id, first=first, limit=SLICE).fetchall()
    last = _last_delivered(db, room_id) if kind == "direct" else None
    count = 0
    for seq, at, message_count, _ in rows:
        is_needed = last is not None and seq > last
        if is_needed or not retention.removes(keep, at, messages - message_count):
            break
        count += 1
    if not count:
        return 0
    high = rows[count - 1][0]
    if kind != "direct" and any(row[3] in _CHANGE_KINDS for row in rows[:count]):
        before = snapshots.decode(base_seq, state, key == LOBBY)
        state = None if before is None else _fold(db, room_id, name, before, first, high)
    search_index.delete_oldest(db, room_id, count)
    for statement in _DELETES:
        statement(db, room=room_id, first=high + 1)
    _SET_BASE(db, room=room_id, seq=high, state=state)
    _SET_FIRST(db, room=room_id, lowest=high + 1)
    return count


def _last_delivered(db: Connection, room_id: int) -> int | None:
    """Return the last entry of a direct conversation that both have, None if they have all."""
    marks = [_DELIVERED.scalar(db, room=room_id)]
    missed = _FIRST_MISSED.scalar(db, room=room_id)
    if missed is not None:
        marks.append(missed - 1)
    return min((one for one in marks if one is not None), default=None)


def _fold(db: Connection, room_id: int, name: str, state: RoomState, low: int, high: int) -> str:
    """Return the snapshot of a room behind some entries.

    Args:
        db: the writer's connection.
        room_id, name: the room.
        state: what it was before, which changes.
        low, high: the first of them, and the last.
    """
    for row in _CHANGES(db, room=room_id, low=low, high=high).fetchall():
        state.fold(entry_of(row, name))
    return snapshots.encode(state)
