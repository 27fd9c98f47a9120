"""What lets several nodes write to one database: a node follows what the others store.

A batch locks what it needs (`batch_locks`). What other nodes have stored there since this node last
read it is read under the locks, and delivered before the results of the batch. Between batches the
node catches up with all that it misses (`foreign_reader`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import attrs

from gtchat.chat.interfaces import PendingEntry, RoomRecord, StoredState
from gtchat.chat.node_records import (
    SYSTEM_ID,
    Foreign,
    Online,
    RoomGone,
    SystemEntry,
)
from gtchat.chat.rooms import LOBBY
from gtchat.store.following import Followed
from gtchat.store.job_tells import locks_of, told_by
from gtchat.store.jobs import Job, StoreCall
from gtchat.store.sql import carried_rows, room_records, system_log
from gtchat.store.sql.batch_locks import BatchLocks
from gtchat.store.sql.database import Connection, Database, PostgresSQL
from gtchat.store.sql.foreign_reader import NOTHING, ForeignReader
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.moderation import decode
from gtchat.store.sql.system_log import Outrun
from gtchat.store.stale_check import RoomAccess, StaleCheck

#: Entries that a batch reads under its locks; for more of them it catches up first, so often: from
#: then on it reads all, since another node may write faster than this one catches up.
READ_IN_BATCH = 1_000
CATCH_UPS = 3

_ROOMS_OF_ACCOUNTS = (
    "SELECT 0, room_id, seq FROM heads WHERE room_id = %(lobby)s"
    " UNION ALL SELECT own.account_id, own.room_id, h.seq FROM ("
    "SELECT account_id, room_id FROM members WHERE account_id = ANY(%(ids)s)"
    " UNION SELECT owner_id, id FROM rooms WHERE owner_id = ANY(%(ids)s)"
    ") AS own JOIN heads h ON h.room_id = own.room_id"
)
_IS_MEMBER = "SELECT 1 FROM members WHERE room_id = %s AND account_id = %s"
_HAS_MEMBERS = "SELECT 1 FROM members WHERE room_id = %s LIMIT 1 OFFSET %s"
_ACCESS = "SELECT public, max, owner_id, moderation FROM rooms WHERE id = %s"
_IS_USED = "SELECT 1 FROM txns WHERE account_id = %s AND txn = %s"
_SESSIONS_HERE = "UPDATE sessions SET node_id = %s WHERE token_hash = ANY(%s)"


class Behind(Exception):
    """Other nodes have written more than a batch reads: catch up first."""


@attrs.define(eq=False)
class _Transaction:
    """What a follower remembers of a transaction until its end.

    Attributes:
        locked: logs whose ends no other node moves meanwhile.
        rooms: what was known of rooms before, None of those that were not known.
        system: the same of the system log, None if it was not read.
        head: end of the system log if it is locked, None otherwise.
        told: the entries of the system log that it has written.
    """

    locked: set[int] = attrs.field(factory=set)
    rooms: dict[int, Followed | None] = attrs.field(factory=dict)
    system: int | None = None
    head: int | None = None
    told: list[SystemEntry] = attrs.field(factory=list)


@attrs.frozen
class SQLStoredRooms:
    """What `StaleCheck` asks for.

    Attributes:
        db: the writer's connection, within a transaction that has locked the ends of the logs.
        lobby: id of the lobby.
    """

    db: Connection
    lobby: int

    def was_used(self, account_id: int, txn: str) -> bool:
        """See `StoredRooms.was_used`."""
        return self.db.execute(_IS_USED, (account_id, txn)).fetchone() is not None

    def find_access(self, room_id: int) -> RoomAccess | None:
        """See `StoredRooms.find_access`."""
        row = self.db.execute(_ACCESS, (room_id,)).fetchone()
        return None if row is None else RoomAccess(row[0], row[1], row[2], decode(row[3]))

    def is_member(self, room_id: int, account_id: int | None) -> bool:
        """See `StoredRooms.is_member`."""
        if room_id == self.lobby:
            return True
        return self.db.execute(_IS_MEMBER, (room_id, account_id)).fetchone() is not None

    def has_members(self, room_id: int, count: int) -> bool:
        """See `StoredRooms.has_members`."""
        return self.db.execute(_HAS_MEMBERS, (room_id, count - 1)).fetchone() is not None


class Follower(ForeignReader):
    """Locks, foreign entries and system entries of the writer's transactions.

    Args:
        database: knows this node; it has another id when it becomes another one.
        log_writer: gets the ends of the logs that are locked.
        wall: returns the time in seconds since 1970, UTC.

    Attributes:
        carries_rows: whether other nodes are sent rows.
    """

    def __init__(
        self, database: Database, log_writer: LogWriter, wall: Callable[[], float] = time.time
    ) -> None:
        super().__init__(database)
        self._log_writer = log_writer
        self._wall = wall
        self.carries_rows = False
        self._lobby = 0
        self._now = _Transaction()
        #: How often the batch was too far behind.
        self._behind = 0
        log_writer.locked = self

    def begin(self, state: StoredState, system: int) -> None:
        """Begin to follow.

        Args:
            state: what was loaded.
            system: the end of the system log at that moment.
        """
        self.known.begin(state.rooms, system)
        self._lobby = next(room.id for room in state.rooms if room.key == LOBBY)
        self._now = _Transaction()
        self._behind = 0

    # `LockedLogs`

    def is_locked(self, room_id: int) -> bool:
        """See `LockedLogs.is_locked`."""
        return room_id in self._now.locked

    def begins(self, room_id: int) -> None:
        """See `LockedLogs.begins`."""
        self._now.locked.add(room_id)

    def delivered(self, room_id: int) -> int | None:
        """See `LockedLogs.delivered`."""
        followed = self.known.rooms.get(room_id)
        return None if followed is None or self.is_locked(room_id) else followed.seq

    # Batches

    def prepare(self, db: Connection, batch: Sequence[Job]) -> tuple[Foreign | None, list[Job]]:
        """Begin a transaction, lock what a batch needs, read what is missing, refuse what is stale.

        Args:
            db: the writer's connection.
            batch: the jobs.

        Returns:
            What has to be delivered before the batch, None for nothing, and those of its jobs that
            are to be done: the others have their error.

        Raises:
            Behind: too many entries are missing.
            Outrun: what is missing is not kept.
        """
        wanted = BatchLocks.of(batch)
        heads = dict(wanted.begin(self._database, db))
        head = heads.pop(SYSTEM_ID)[0] if wanted.system else None
        self._now = _Transaction(wanted.rooms | heads.keys())
        self._log_writer.begin(heads)
        seqs, records = self._find_rooms(db, wanted)
        seqs |= {room_id: seq for room_id, (seq, _) in heads.items()}
        foreign = self._read(db, seqs, head, records)
        self._now.head = head
        check = StaleCheck(self.known, SQLStoredRooms(db, self._lobby))
        return foreign, [job for job in batch if not check.refuses(job)]

    def _find_rooms(
        self, db: Connection, wanted: BatchLocks
    ) -> tuple[dict[int, int], Sequence[RoomRecord]]:
        """Return the ends of logs that sessions which begin need, and what comes into memory.

        Meanwhile no other node changes the settings or members of a room. So a record is of one
        moment, though it is read by two statements: its `last_seq` is read by the first one.
        """
        seqs: dict[int, int] = {}
        loads = set(wanted.loads)
        loads.update(filter(None, (room_records.find_id(db, key) for key in wanted.load_keys)))
        if wanted.beginnings:
            accounts = {account_id for one in wanted.beginnings for account_id in one.accounts}
            values = {"lobby": self._lobby, "ids": list(accounts)}
            for account_id, room_id, seq in db.execute(_ROOMS_OF_ACCOUNTS, values):
                seqs[room_id] = seq
                for one in wanted.beginnings:
                    if account_id in one.accounts and room_id not in one.held:
                        loads.add(room_id)
        records = room_records.some(db, sorted(loads)) if loads else ()
        return seqs | {record.id: record.last_seq for record in records}, records

    def _read(
        self,
        db: Connection,
        seqs: Mapping[int, int],
        head: int | None,
        records: Sequence[RoomRecord] = (),
    ) -> Foreign | None:
        """Read what is missing of logs, and take note of it; return None if that is nothing.

        Args:
            db: the writer's connection.
            seqs: room id -> end of its log.
            head: end of the system log, None not to read it.
            records: the rooms that come into memory.

        Raises:
            Behind: it is too much.
            Outrun: not all of it is kept, though the log is locked.
        """
        gaps = self.known.behind(seqs)
        told: Sequence[tuple[int, SystemEntry]] = ()
        missing = 0
        if head is not None and head > self.known.system:
            missing = head - self.known.system
            self._check(missing)
            told = system_log.read(db, self._node_id, self.known.system, head)
        elif not gaps and not records:
            return None
        self._check(missing + sum(last - first for first, last in gaps.values()))
        foreign = self.read_foreign(db, told, gaps)
        needed = self._now.locked | {record.id for record in records}
        lacking = needed & gaps.keys() - foreign.entries.keys()
        if lacking:
            raise Outrun(f"not all entries of the rooms {sorted(lacking)} are there")
        foreign = self._take(foreign, head, records)
        return None if foreign == NOTHING else foreign

    def _check(self, missing: int) -> None:
        """Raise Behind if so many entries are more than a batch may read."""
        if missing > READ_IN_BATCH and self._behind < CATCH_UPS:
            self._behind += 1
            raise Behind()

    def _take(self, foreign: Foreign, head: int | None, records: Sequence[RoomRecord]) -> Foreign:
        """Take note of what will be delivered, and of what was known before; return it."""
        deleted = [one.room_id for _, one in foreign.system if isinstance(one, RoomGone)]
        for room_id in (*foreign.entries, *deleted, *(record.id for record in records)):
            followed = self.known.rooms.get(room_id)
            self._now.rooms[room_id] = None if followed is None else attrs.evolve(followed)
        self._now.system = self.known.system
        self.known.took(foreign, head)
        return attrs.evolve(foreign, loaded=tuple(map(self.known.hand_out, records)))

    def begin_sessions(self, db: Connection, calls: Sequence[StoreCall]) -> None:
        """Store that the sessions which calls have begun, or resumed, are at this node.

        Args:
            db: the writer's connection.
            calls: calls that are done.
        """
        begun = [token for call in calls if call.error is None for token in call.plan.begun]
        if begun:
            assert isinstance(db, PostgresSQL)
            db.send(_SESSIONS_HERE, (self._node_id, begun))

    def finish(self, db: Connection, batch: Sequence[Job]) -> None:
        """Write what the other nodes are told.

        Args:
            db: the writer's connection, within the transaction that has done the jobs.
            batch: those that `prepare` returned.
        """
        told: list[SystemEntry] = []
        for job in batch:
            of_job = list(told_by(job))
            assert not of_job or locks_of(job).system, job
            told += of_job
        if told:
            self._tell(db, told)

    def _tell(self, db: Connection, told: Sequence[SystemEntry]) -> None:
        now = self._now
        now.told = system_log.merge_presence(told)
        for entry in now.told:
            if isinstance(entry, Online):
                system_log.store_presence(db, self._node_id, entry)
        at = int(self._wall() * 1000)
        now.head = system_log.append_system(db, self._node_id, now.told, at, now.head)

    def carried(self, batch: Sequence[Job]) -> bytes | None:
        """Return the rows of a transaction that is committed; see `carried_rows.encode`.

        Returns None if other nodes are not sent them, or if there are too many.
        """
        if not self.carries_rows:
            return None
        now = self._now
        return carried_rows.encode(self._node_id, batch, now.told, now.head or 0)

    def committed(self, batch: Sequence[Job]) -> dict[int, int]:
        """Take note of what is committed; return room id -> seq of what other nodes have to read.

        Args:
            batch: the jobs of the transaction.
        """
        known, now = self.known, self._now
        heads: dict[int, int] = {}
        for job in batch:
            if isinstance(job, PendingEntry):
                known.wrote(job)
                if job.entry.seq and job.room_id in known.rooms:
                    heads[job.room_id] = job.entry.seq
            elif job.error is None and job.plan.releases:
                known.release(job.plan.releases)
        for entry in now.told:
            if isinstance(entry, RoomGone):
                known.forget(entry.room_id)
        if now.told and now.head is not None:
            known.system = heads[SYSTEM_ID] = now.head
        self._end()
        self._behind = 0
        return heads

    def rolled_back(self) -> None:
        """Know what was known before the transaction: nothing of it will be delivered."""
        for room_id, followed in self._now.rooms.items():
            if followed is None:
                self.known.rooms.pop(room_id, None)
            else:
                self.known.rooms[room_id] = followed
        if self._now.system is not None:
            self.known.system = self._now.system
        self._end()

    def _end(self) -> None:
        self._now = _Transaction()
        self._log_writer.invalidate()
