"""Whether the rooms that are stored are what their logs say.

The ends of a log are in `heads`, settings and members are in `rooms` and `members`: all of it
follows from `entries`, and from what the room was before its first entry that is kept
(`snapshots`). A copy of a database that says the same is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import attrs
from sqlalchemy import BindParameter, bindparam, func, literal_column, select, tuple_

from gtchat.chat.fold import RoomState
from gtchat.chat.interfaces import RoomRecord
from gtchat.chat.moderation import Moderation
from gtchat.chat.node_records import ROOM_CHANGES
from gtchat.chat.rooms import LOBBY, Room
from gtchat.store.sql import room_records, schema, snapshots
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import COLUMNS, entry_of
from gtchat.store.sql.statements import Statement

#: Rooms, and entries, that are read at a time.
_ROOMS_PAGE, _PAGE = 1000, 5000

_OF_ROOMS = ROOM_CHANGES
_rooms = schema.rooms
_heads = schema.heads
_log = schema.entries
_after: BindParameter[int] = bindparam("after")
_upto: BindParameter[int] = bindparam("upto")
_page = (
    select(_rooms.c.id)
    .where(_rooms.c.id > _after)
    .order_by(_rooms.c.id)
    .limit(bindparam("limit"))
    .subquery()
)
#: The last of the next rooms, which are few enough to be in memory at once.
_LAST = Statement(select(func.max(_page.c.id)))
_SAMPLE = Statement(select(_rooms.c.id).order_by(func.random()).limit(bindparam("limit")))
_ends = (
    select(
        _log.c.room_id,
        func.min(_log.c.seq).label("low"),
        func.max(_log.c.seq).label("high"),
        func.count().label("number"),
        func.max(_log.c.message_count).label("messages"),
    )
    .where(_log.c.room_id > _after, _log.c.room_id <= _upto)
    .group_by(_log.c.room_id)
    .subquery()
)
_HEADS = Statement(
    select(
        _rooms.c.id,
        _rooms.c.name,
        func.coalesce(_heads.c.first, 1),
        func.coalesce(_heads.c.seq, 0),
        func.coalesce(_heads.c.messages, 0),
        _ends.c.low,
        _ends.c.high,
        func.coalesce(_ends.c.number, 0),
        _ends.c.messages,
        _rooms.c.base_seq,
    )
    .outerjoin_from(_rooms, _heads, _heads.c.room_id == _rooms.c.id)
    .outerjoin(_ends, _ends.c.room_id == _rooms.c.id)
    .where(_rooms.c.id > _after, _rooms.c.id <= _upto)
    .order_by(_rooms.c.id)
)
_BASES = Statement(
    select(_rooms.c.id, _rooms.c.base_seq, _rooms.c.base_state).where(
        _rooms.c.id > _after, _rooms.c.id <= _upto
    )
)
#: Entries that change a room, of several rooms one after the other.
_CHANGES = Statement(
    select(_log.c.room_id, _log.c.seq, *COLUMNS)
    .where(
        _log.c.kind.in_([literal_column(f"'{one.kind}'") for one in _OF_ROOMS]),
        tuple_(_log.c.room_id, _log.c.seq) > tuple_(bindparam("room"), bindparam("seq")),
        _log.c.room_id <= _upto,
    )
    .order_by(_log.c.room_id, _log.c.seq)
    .limit(bindparam("limit"))
)


def find_contradictions(
    db: Connection, progress: Callable[[int], None] = lambda compared: None
) -> list[str]:
    """Return one line for each room that is not what its log says.

    Args:
        db: a connection within a transaction.
        progress: called repeatedly with the number of rooms and members that were compared since
            the call before.
    """
    found: list[str] = []
    after = 0
    while upto := _LAST.scalar(db, after=after, limit=_ROOMS_PAGE):
        found += _compare(db, after, upto, progress)
        after = upto
    return found


def sample_contradictions(db: Connection, count: int) -> list[str]:
    """Return the same as `find_contradictions`, of rooms that are chosen at random.

    Args:
        db: a connection within a transaction.
        count: how many rooms.
    """
    found: list[str] = []
    for (room_id,) in _SAMPLE(db, limit=count).fetchall():
        found += _compare(db, room_id - 1, room_id, lambda compared: None)
    return found


def _compare(
    db: Connection, after: int, upto: int, progress: Callable[[int], None]
) -> Iterator[str]:
    """Do that for the rooms with the ids above `after`, up to `upto`."""
    for room_id, name, first, seq, *rest in _HEADS(db, after=after, upto=upto):
        messages, low, high, number, counted, base_seq = rest
        kept = seq - first + 1
        if number != kept or (kept and (low, high, counted) != (first, seq, messages)):
            yield f"the log of the room {name!r} ({room_id}) has other entries than it says"
        elif base_seq != first - 1:
            yield f"the log of the room {name!r} ({room_id}) begins elsewhere than it says"
    compared = 0
    for record, state in _states(db, after, upto):
        compared += 1 + len(record.members)
        name, facts = record.name, _rules_alone if record.key == LOBBY else _facts
        if state is not None and facts(Room.from_record(record)) != facts(state):
            yield f"the room {name!r} ({record.id}) has not the members and settings of its log"
    progress(compared)


def _states(db: Connection, after: int, upto: int) -> Iterator[tuple[RoomRecord, RoomState | None]]:
    """Yield those rooms, each with the state that its log gives.

    That is None where it is not known what the room was before the log; see `snapshots.decode`.
    """
    bases = {
        room_id: (base_seq, base_state)
        for room_id, base_seq, base_state in _BASES(db, after=after, upto=upto)
    }
    records = {one.id: one for one in room_records.records(db, after, upto)}
    for room_id, rows in groupby(_changes(db, after, upto), key=itemgetter(0)):
        record = records.pop(room_id, None)
        if record is not None:
            state = snapshots.decode(*bases[room_id], record.key == LOBBY)
            if state is not None:
                for row in rows:
                    state.fold(entry_of(row[2:], record.name))
            yield record, state
    for record in records.values():
        yield record, snapshots.decode(*bases[record.id], record.key == LOBBY)


def _changes(db: Connection, after: int, upto: int) -> Iterator[Any]:
    """Yield the rows of `_CHANGES` of those rooms."""
    room, seq = after + 1, 0
    while True:
        rows = _CHANGES(db, room=room, seq=seq, upto=upto, limit=_PAGE).fetchall()
        yield from rows
        if len(rows) < _PAGE:
            return
        room, seq = rows[-1][:2]


def _facts(state: RoomState) -> tuple[object, ...]:
    """Return what a log says of a room, with the order of its members.

    Names are those of the accounts, which may have been renamed since; only temporary accounts that
    the log does not name have nothing but their name.
    """
    settings = attrs.evolve(state.settings, owner="" if state.owner_id else state.owner)
    members = [(id_, name if id_ < 0 else "") for id_, name in state.members.items()]
    return settings, state.creator_id, members, state.guests, _rules(state.moderation)


def _rules_alone(state: RoomState) -> tuple[object, ...]:
    """Return what the log of the lobby says: it has no members and settings of its own."""
    return _rules(state.moderation)


def _rules(moderation: Moderation) -> tuple[object, ...]:
    """Return what a log says of the moderation, without the names."""
    tables = (moderation.roles, moderation.mutes, moderation.bans)
    return *(moderation.moderated, moderation.slow), *(
        {key: attrs.evolve(one, name="") for key, one in table.items()} for table in tables
    )
