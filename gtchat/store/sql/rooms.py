"""Rooms as a whole: all of them at start, one that is deleted; what is forgotten with time."""

from __future__ import annotations

from collections import defaultdict
from sqlite3 import Connection
from typing import Any

import attrs
from sqlalchemy import and_, bindparam, delete, exists, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from gtchat.chat.interfaces import RoomRecord, StoredState
from gtchat.store.sql import accounts, schema
from gtchat.store.sql.idempotency import prune_slice
from gtchat.store.sql.statements import Statement

#: Rows that are taken away at once, so that nobody waits for it.
SLICE = 500

_rooms = schema.rooms
_members = schema.members
_sessions = schema.sessions
_log = schema.entries
_doomed = schema.doomed
_tombstones = schema.tombstones
_other = _log.alias()

_EPOCH = Statement(select(schema.meta.c.value).where(schema.meta.c.key == "epoch"))
_SET_EPOCH = Statement(insert(schema.meta), columns=("key", "value"))
FORGET_EPOCH = Statement(delete(schema.meta).where(schema.meta.c.key == "epoch"))
_CREATE_LOBBY = Statement(
    insert(_rooms)
    .values(key="lobby", name="lobby", public=True, topic="", max=0, owner="")
    .on_conflict_do_nothing()
)
_MARK_DISCONNECTED = Statement(
    update(_sessions).where(_sessions.c.aged.is_(None)).values(aged=bindparam("at"))
)
_ROOMS = Statement(
    select(
        _rooms.c.id,
        _rooms.c.name,
        _rooms.c.key,
        _rooms.c.public,
        _rooms.c.topic,
        _rooms.c.max,
        _rooms.c.owner_id,
        _rooms.c.owner,
        func.coalesce(_log.c.seq, 0),
        func.coalesce(_log.c.spoken, 0),
    )
    .outerjoin_from(
        _rooms,
        _log,
        and_(
            _log.c.room_id == _rooms.c.id,
            _log.c.seq
            == select(func.max(_other.c.seq))
            .where(_other.c.room_id == _rooms.c.id)
            .scalar_subquery(),
        ),
    )
    .order_by(_rooms.c.id)
)
_MEMBERS = Statement(
    select(
        _members.c.room_id,
        schema.accounts.c.id,
        schema.accounts.c.name,
        schema.accounts.c.registered,
    )
    .join_from(_members, schema.accounts, schema.accounts.c.id == _members.c.account_id)
    .order_by(_members.c.room_id, _members.c.joined)
)
_add_tombstone = insert(_tombstones)
_ADD_TOMBSTONE = Statement(
    _add_tombstone.from_select(
        ["key", "deleted_at"],
        select(_rooms.c.key, bindparam("at")).where(_rooms.c.id == bindparam("room")),
    ).on_conflict_do_update(
        index_elements=["key"], set_={"deleted_at": _add_tombstone.excluded.deleted_at}
    )
)
_ADD_PENDING_DELETE = Statement(
    insert(_doomed).from_select(
        ["room_id"], select(_rooms.c.id).where(_rooms.c.id == bindparam("room"))
    )
)
_DELETE = Statement(delete(_rooms).where(_rooms.c.id == bindparam("room")))
_NEXT_PENDING_DELETE = Statement(select(_doomed.c.room_id).order_by(_doomed.c.room_id).limit(1))
_DELETE_SLICE = Statement(
    delete(_log).where(
        _log.c.room_id == bindparam("room"),
        _log.c.seq
        < select(func.min(_other.c.seq))
        .where(_other.c.room_id == bindparam("room"))
        .scalar_subquery()
        + literal(SLICE),
    )
)
_DONE = Statement(delete(_doomed).where(_doomed.c.room_id == bindparam("room")))
_FORGET_SESSIONS = Statement(delete(_sessions).where(_sessions.c.aged < bindparam("before")))
_FORGET_TOMBSTONES = Statement(
    delete(_tombstones).where(
        _tombstones.c.deleted_at < bindparam("before"),
        ~exists().where(_sessions.c.began <= _tombstones.c.deleted_at),
    )
)


def load(db: Connection, new_epoch: str, at: int) -> StoredState:
    """Everything that a chat keeps in memory, after seeing that the lobby is there.

    Args:
        new_epoch: the log's name, if it has none. at: now; sessions that were connected when the
            server stopped grow old from here on.
    """
    epoch = _EPOCH.scalar(db)
    if epoch is None:
        epoch = new_epoch
        _SET_EPOCH(db, key="epoch", value=epoch)
    _CREATE_LOBBY(db)
    _MARK_DISCONNECTED(db, at=at)
    members: defaultdict[int, list[tuple[int, str, bool]]] = defaultdict(list)
    people: dict[int, tuple[int, str, bool]] = {}  # one object for all rooms of a person
    for room_id, account_id, name, registered in _MEMBERS(db):
        person = people.setdefault(account_id, (account_id, name, bool(registered)))
        members[room_id].append(person)
    return StoredState(
        epoch=epoch,
        rooms=tuple(_record(row, members[row[0]]) for row in _ROOMS(db)),
        guests=accounts.guests(db),
    )


def _record(row: Any, members: list[tuple[int, str, bool]]) -> RoomRecord:
    id_, name, key, public, topic, max_, owner_id, owner, last_seq, spoken = row
    return RoomRecord(
        id=id_,
        name=name,
        key=key,
        public=bool(public),
        topic=topic,
        max=max_,
        owner_id=owner_id,
        owner=owner,
        last_seq=last_seq,
        message_count=spoken,
        members=tuple(members),
    )


def delete_room(db: Connection, room_id: int, at: int) -> None:
    """Delete a room; its log is taken away by `Cleanup`."""
    _ADD_TOMBSTONE(db, room=room_id, at=at)
    _ADD_PENDING_DELETE(db, room=room_id)
    _DELETE(db, room=room_id)


def prune(db: Connection, sessions_before: int) -> None:
    """Forget sessions that grow old since before a time, and what was kept for them."""
    _FORGET_SESSIONS(db, before=sessions_before)
    _FORGET_TOMBSTONES(db, before=sessions_before)


@attrs.define(eq=False)
class Cleanup:
    """Work that nobody waits for, done in slices between transactions.

    Attributes:
        doomed: whether there may be logs to take away. txns_before: forget txns older than this.
    """

    pending_deletes: bool = False
    txns_before: int | None = None

    def prune_txns(self, db: Connection, before: int) -> None:
        """Forget txns stored before a time: the first of them now, the others in slices."""
        self.txns_before = before if prune_slice(db, before, SLICE) else None

    def has_work(self) -> bool:
        """Whether there is anything to do."""
        return self.pending_deletes or self.txns_before is not None

    def do_slice(self, db: Connection) -> None:
        """Do a little of it."""
        if self.txns_before is not None:
            if not prune_slice(db, self.txns_before, SLICE):
                self.txns_before = None
        elif self.pending_deletes:
            self._delete_slice(db)

    def _delete_slice(self, db: Connection) -> None:
        room_id = _NEXT_PENDING_DELETE.scalar(db)
        if room_id is None:
            self.pending_deletes = False
        elif _DELETE_SLICE(db, room=room_id).rowcount == 0:
            _DONE(db, room=room_id)
