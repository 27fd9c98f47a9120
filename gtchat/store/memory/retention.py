"""Removing the oldest entries of logs, as `MemoryStore` does it; see `store.sql.retention`."""

from __future__ import annotations

from gtchat.chat.events import MessageSent
from gtchat.chat.retention import Retention
from gtchat.store.memory.direct import DirectTable
from gtchat.store.memory.room_log import RoomLog
from gtchat.store.memory.rooms import RoomTable


def remove_oldest(rooms: RoomTable, directs: DirectTable, retention: Retention) -> None:
    """Remove what is too much of all logs; see `IStore.prune`."""
    for room in rooms.rooms.values() if retention.at else ():
        count = _count(room, retention, directs.last_delivered(room.id))
        if count:
            _remove(room, count)
            directs.removed(room.id, room.first)


def _count(room: RoomLog, retention: Retention, last: int) -> int:
    """Return how many of the oldest entries of a log are too much, up to an entry."""
    keep, count = retention.keep.narrowed(room.keep), 0
    later = sum(isinstance(entry, MessageSent) for entry in room.log)
    for entry in room.log:
        later -= isinstance(entry, MessageSent)
        if entry.seq > last or not retention.removes(keep, entry.at, later):
            break
        count += 1
    return count


def _remove(room: RoomLog, count: int) -> None:
    """Remove entries with all that belongs to them, and keep what the room was behind them."""
    for entry in room.log[:count]:
        room.base.fold(entry)
        if isinstance(entry, MessageSent):
            room.messages.erase(entry)
        del room.rows[entry.seq]
    del room.log[:count]
    room.first += count
