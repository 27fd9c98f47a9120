"""Rooms as a whole: what a start loads, delete one, delete in the background what has expired."""

from __future__ import annotations

import secrets

import attrs
from sqlalchemy import (
    bindparam,
    delete,
    func,
    literal,
    select,
    update,
)

from gtchat.chat.admin_store import ALL_RECORDS, AuditLimits
from gtchat.chat.interfaces import EndedInvitations, StoredState
from gtchat.chat.look_alikes import skeleton
from gtchat.chat.retention import NOTHING_REMOVED, Retention
from gtchat.chat.room_records import ShownRoom
from gtchat.chat.room_store import FIRST_LISTED
from gtchat.chat.rooms import LOBBY
from gtchat.store.sql import (
    accounts,
    administration,
    audit_log,
    bans,
    choices,
    deletions,
    devices,
    export_links,
    failures,
    invite_links,
    joining,
    reports,
    room_records,
    schema,
)
from gtchat.store.sql.database import Connection, PostgresSQL
from gtchat.store.sql.idempotency import prune_slice
from gtchat.store.sql.message_changes import delete_slice
from gtchat.store.sql.retention import LogCuts
from gtchat.store.sql.room_changes import delete_invitations, find_shown
from gtchat.store.sql.search_index import delete_oldest
from gtchat.store.sql.statements import Statement, insert

#: Rows that are deleted in one transaction, so that no write waits long for it.
SLICE = 500

_rooms = schema.rooms
_sessions = schema.sessions
_log = schema.entries
_heads = schema.heads
_pending_deletes = schema.pending_deletes
_tombstones = schema.tombstones
_starts = schema.starts
_other = _log.alias()

_META = Statement(select(schema.meta.c.value).where(schema.meta.c.key == bindparam("key")))
_insert_meta = insert(schema.meta)
_SET_META = Statement(
    _insert_meta.on_conflict_do_update(
        index_elements=["key"], set_={"value": _insert_meta.excluded.value}
    ),
    columns=("key", "value"),
)
_LAST_START = Statement(select(func.max(_starts.c.id)))
DELETE_EPOCH = Statement(delete(schema.meta).where(schema.meta.c.key == "epoch"))
_CREATE_LOBBY = Statement(
    insert(_rooms)
    .values(key=LOBBY, name=LOBBY, public=True, topic="", max=0, owner="", skeleton=skeleton(LOBBY))
    .on_conflict_do_nothing()
)
#: Only PostgreSQL has a row for a log that has no entries: nodes lock it.
_ADD_LOBBY_HEAD = (
    "INSERT INTO heads (room_id, seq, messages, first) SELECT id, 0, 0, 1 FROM rooms"
    " WHERE key = %s ON CONFLICT DO NOTHING"
)
_BEGIN_START = Statement(
    insert(_starts).values(
        at=bindparam("now"),
        entries_mark=select(func.coalesce(func.max(_log.c.row), 0)).scalar_subquery(),
    )
)
_DELETE_STARTS = Statement(
    delete(_starts).where(
        _starts.c.at < bindparam("before"),
        _starts.c.id < select(func.max(_starts.c.id)).scalar_subquery(),
    )
)
_MARK_DISCONNECTED = Statement(
    update(_sessions).where(_sessions.c.expires_from.is_(None)).values(expires_from=bindparam("at"))
)
_insert_tombstone = insert(_tombstones)
_ADD_TOMBSTONE = Statement(
    _insert_tombstone.from_select(
        ["key", "deleted_at"],
        select(_rooms.c.key, bindparam("at")).where(_rooms.c.id == bindparam("room")),
    ).on_conflict_do_update(
        index_elements=["key"], set_={"deleted_at": _insert_tombstone.excluded.deleted_at}
    )
)
_ADD_PENDING_DELETE = Statement(
    insert(_pending_deletes).from_select(
        ["room_id"], select(_rooms.c.id).where(_rooms.c.id == bindparam("room"))
    )
)
_DELETE_HEAD = Statement(delete(_heads).where(_heads.c.room_id == bindparam("room")))
_DELETE_ROOM = Statement(delete(_rooms).where(_rooms.c.id == bindparam("room")))
_NEXT_PENDING_DELETE = Statement(
    select(_pending_deletes.c.room_id).order_by(_pending_deletes.c.room_id).limit(1)
)
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
_END_PENDING_DELETE = Statement(
    delete(_pending_deletes).where(_pending_deletes.c.room_id == bindparam("room"))
)
_DELETE_SESSIONS = Statement(
    delete(_sessions).where(_sessions.c.expires_from < bindparam("before"))
)
_DELETE_TOMBSTONES = Statement(
    delete(_tombstones).where(
        _tombstones.c.deleted_at < bindparam("before"),
        # One look at all sessions, not one for each tombstone.
        _tombstones.c.deleted_at
        < func.coalesce(select(func.min(_sessions.c.began_at)).scalar_subquery(), 2**62),
    )
)
#: The lock of the node that deletes in slices.
_TRY_CLEANUP = f"SELECT pg_try_advisory_xact_lock({0x4754436B}, hashtext(current_schema()))"
#: The log of all nodes is kept for an hour. The oldest go first: what is left has no gaps, whatever
#: the clocks of the nodes say. A slice looks at its own rows only.
_PRUNE_SYSTEM_LOG = """
DELETE FROM system_log WHERE seq <= (
    SELECT max(seq) FROM (SELECT seq, at FROM system_log ORDER BY seq LIMIT %s) AS oldest
    WHERE at < extract(epoch FROM clock_timestamp()) * 1000 - 3600000)
"""


def load(db: Connection, new_epoch: str, at: int, node: int | None = None) -> StoredState:
    """Return what the chat begins with, and begin a start; create the lobby if it is missing.

    No start begins while other nodes go on: clients may have been told more than was stored before
    it, but not because of it.

    Args:
        db: a connection to write with, within a transaction.
        new_epoch: the epoch of the logs if they have none yet.
        at: now, in milliseconds since 1970, UTC; sessions that were connected when the server
            stopped expire from then on.
        node: number of this server among those that use the database, None if only one can.
    """
    epoch = _META.scalar(db, key="epoch")
    if epoch is None:
        epoch = new_epoch
        _SET_META(db, key="epoch", value=epoch)
    _CREATE_LOBBY(db)
    if node is None:
        devices.connected_seen(db, at)
        _MARK_DISCONNECTED(db, at=at)
        guests, alone = accounts.guests(db), True
    else:
        db.execute(_ADD_LOBBY_HEAD, (LOBBY,))
        alone = joining.join(db, node, at)
        guests = joining.guests(db, node, at, alone)
    if alone:
        _BEGIN_START(db, now=at)
    state = StoredState(
        epoch=epoch,
        rooms=room_records.lobby(db),
        guests=guests,
        online=() if node is None else joining.online(db, node),
        public=room_records.listed(db, None, None, FIRST_LISTED),
        ownerless=room_records.ownerless(db),
        choices=choices.load(db),
        bans=bans.stored(db, at),
    )
    if node is not None:
        joining.prolong(db, node)
    return state


def chat_id(db: Connection, node: int) -> str:
    """Return what names the running chat: all nodes that live know it, and no other chat has it.

    The first node begins a new one: a copy of the database may be another chat by then, and what
    was sent before a standby took over may not be stored any more.

    Args:
        db: a connection in the transaction in which a node has loaded.
        node: the node.
    """
    chat: str | None = _META.scalar(db, key="chat")
    if chat is None or joining.is_alone(db, node):
        chat = secrets.token_hex(16)
        _SET_META(db, key="chat", value=chat)
    return chat


def begin_epoch(db: Connection, epoch: str) -> bool:
    """Begin an epoch because a client was told more than the logs have.

    Args:
        db: the writer's connection.
        epoch: the new epoch.

    Returns:
        Whether it begins: not if one has begun so in this start of the server, since all clients
        have loaded their rooms again.
    """
    start = str(_LAST_START.scalar(db))
    if _META.scalar(db, key="epoch_start") == start:
        return False
    _SET_META(db, key="epoch", value=epoch)
    _SET_META(db, key="epoch_start", value=start)
    return True


def delete_room(db: Connection, room_id: int, at: int) -> tuple[EndedInvitations, ShownRoom | None]:
    """Delete a room; `Cleanup` deletes its entries later.

    Args:
        db: the writer's connection.
        room_id: the room.
        at: now, in milliseconds since 1970, UTC.

    Returns:
        The invitations to it, and what lists showed of it; None if there is no such room.
    """
    shown = find_shown(db, room_id)
    ended = delete_invitations(db, room_id)
    _ADD_TOMBSTONE(db, room=room_id, at=at)
    delete_log(db, room_id)
    return ended, shown


def delete_log(db: Connection, room_id: int) -> None:
    """Delete a room or a direct conversation; `Cleanup` deletes its entries later."""
    _ADD_PENDING_DELETE(db, room=room_id)
    _DELETE_HEAD(db, room=room_id)
    _DELETE_ROOM(db, room=room_id)


def prune_sessions(db: Connection, before: int, tokens_before: int) -> None:
    """Delete old sessions, and the devices, tombstones and starts that are needed no more.

    Args:
        db: the writer's connection.
        before: delete the sessions that expire from a time before this one, in milliseconds since
            1970, UTC.
        tokens_before: as in `IStore.prune`.
    """
    _DELETE_SESSIONS(db, before=before)
    devices.prune(db, before, tokens_before)
    _DELETE_TOMBSTONES(db, before=before)
    _DELETE_STARTS(db, before=before)


@attrs.define(eq=False)
class Cleanup:
    """Deletes in slices, between the writer's transactions, what no request waits for.

    Attributes:
        pending_deletes: whether there may be logs of deleted rooms.
        txns_before: time before which txns are deleted, in milliseconds since 1970, UTC; None if
            there are none left.
        system_log: whether there may be entries of the log of all nodes that are too old.
        failures: whether there may be counts of wrong guesses that are too old.
        audit: how much of the audit log is kept; None if no more has to be deleted.
        deletions: whether there may be entries of deleted accounts to change.
        cuts: removes the oldest entries of logs.
    """

    pending_deletes: bool = False
    txns_before: int | None = None
    system_log: bool = False
    failures: bool = False
    audit: AuditLimits | None = None
    deletions: bool = False
    cuts: LogCuts = attrs.field(factory=LogCuts)

    def prune(
        self,
        db: Connection,
        sessions_before: int,
        txns_before: int,
        tokens_before: int,
        audit: AuditLimits = ALL_RECORDS,
        retention: Retention = NOTHING_REMOVED,
    ) -> None:
        """Delete what has expired; see `IStore.prune`."""
        prune_sessions(db, sessions_before, tokens_before)
        self.prune_txns(db, txns_before)
        administration.prune(db, sessions_before)
        bans.prune(db, sessions_before)
        invite_links.prune(db, sessions_before)
        export_links.prune(db, sessions_before)
        reports.prune(db, audit.reports_before)
        self.audit = audit
        self.cuts.begin(retention)
        if isinstance(db, PostgresSQL):
            # What another node has left undone is looked for, too.
            self.pending_deletes = self.system_log = self.failures = self.deletions = True

    def prune_txns(self, db: Connection, before: int) -> None:
        """Delete the first slice of old txns now, and have the others deleted later.

        Args:
            db: the writer's connection.
            before: delete those stored before this time, in milliseconds since 1970, UTC.
        """
        self.txns_before = before if prune_slice(db, before, SLICE) else None

    def has_work(self) -> bool:
        """Return whether there may be rows to delete."""
        limited = (self.txns_before, self.audit) != (None, None)
        waiting = self.pending_deletes or self.system_log or self.failures or self.deletions
        return limited or waiting or self.cuts.has_work()

    def do_slice(self, db: Connection) -> None:
        """Delete at most `SLICE` rows, or change a few, unless another node is at it."""
        if isinstance(db, PostgresSQL) and not db.execute(_TRY_CLEANUP).fetchone()[0]:
            # It does this work, too; what it overlooks is found by the next `prune`.
            self.pending_deletes = self.system_log = self.failures = self.deletions = False
            self.txns_before = self.audit = None
            self.cuts.end()
        elif self.txns_before is not None:
            if not prune_slice(db, self.txns_before, SLICE):
                self.txns_before = None
        elif self.audit is not None:
            if not audit_log.prune(db, self.audit, SLICE):
                self.audit = None
        elif self.system_log:
            self.system_log = db.execute(_PRUNE_SYSTEM_LOG, (SLICE,)).rowcount == SLICE
        elif self.failures:
            self.failures = failures.prune(db, SLICE)
        elif self.pending_deletes:
            self._delete_log_slice(db)
        elif self.deletions:
            self.deletions = deletions.do_slice(db)
        else:
            self.cuts.do_slice(db)

    def _delete_log_slice(self, db: Connection) -> None:
        room_id = _NEXT_PENDING_DELETE.scalar(db)
        if room_id is None:
            self.pending_deletes = False
            return
        delete_oldest(db, room_id, SLICE)
        if _DELETE_SLICE(db, room=room_id).rowcount == 0 and not delete_slice(db, room_id, SLICE):
            _END_PENDING_DELETE(db, room=room_id)
