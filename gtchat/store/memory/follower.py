"""One of several nodes over the same `MemoryTables`: what it has delivered, and what it misses.

It does what the follower of the store on disk does, with the same `Known` and `Locks`. A batch is
one instant here, so that nothing is locked: what would be locked is brought up to date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import attrs

from gtchat.chat.events import Entry
from gtchat.chat.interfaces import PendingEntry, StoredState
from gtchat.chat.node_records import (
    DirectEntry,
    Foreign,
    NodeGone,
    RoomGone,
    SystemEntry,
)
from gtchat.store.following import Known
from gtchat.store.job_tells import locks_of, told_by
from gtchat.store.jobs import Job, Locks
from gtchat.store.memory.tables import MemoryTables
from gtchat.store.stale_check import RoomAccess, StaleCheck


class MemoryFollower:
    """Reads what other nodes wrote, and tells them what this one does.

    Args:
        tables: what all nodes share.
        node_id: this node.
        state: what it has loaded.

    Attributes:
        known: up to where it has delivered all logs.
        wrote: whether it has written something that other nodes have to be woken for.
    """

    def __init__(self, tables: MemoryTables, node_id: int, state: StoredState) -> None:
        self._tables = tables
        self._node_id = node_id
        self.known = Known()
        self.known.begin(state.rooms, len(tables.system))
        self.wrote = False

    def catch_up(self) -> Foreign:
        """Return all that this node has not delivered; it must be delivered then."""
        return self._read(list(self.known.rooms), True, ())

    def prepare(self, batch: Sequence[Job]) -> tuple[Foreign, list[Job]]:
        """Bring up to date what a batch needs, and refuse what is stale.

        Returns:
            What has to be delivered before the results of the batch, and those of its jobs that
            are to be done: the others have their error.
        """
        locks = [locks_of(job) for job in batch]
        rooms = {room_id for one in locks for room_id in one.rooms}
        loads: set[int] = set()
        for one in locks:
            loads |= {*one.loads, *self._rooms_with(one.load_key)}
            if one.begins:
                own = self._rooms_of(one)
                rooms |= own | {self._tables.rooms.lobby.id}
                loads |= own - one.held
        foreign = self._read(rooms | loads, any(one.system for one in locks), sorted(loads))
        check = StaleCheck(self.known, self)
        return foreign, [job for job in batch if not check.refuses(job)]

    def _rooms_of(self, locks: Locks) -> set[int]:
        """Return the rooms of the accounts whose sessions begin."""
        accounts = self._tables.accounts
        rows = [accounts.row_of(one, None) for one in locks.accounts]
        rows += [accounts.row_of(None, one) for one in locks.tokens]
        found = (accounts.rooms_of(row) for row in rows if row is not None)
        return {room.id for rooms in found for room in rooms}

    def _rooms_with(self, key: str | None) -> set[int]:
        """Return the id of the room with a key, if there is one."""
        room = self._tables.rooms.keys.get(key) if key is not None else None
        return set() if room is None else {room.id}

    def _read(self, rooms: Collection[int], system: bool, loads: Collection[int]) -> Foreign:
        """Return what is missing of some rooms, and of the system log if `system`.

        Args:
            rooms: the rooms, with those of `loads`.
            system: whether to read the system log.
            loads: the rooms that come into memory.
        """
        told = tuple(self._read_system()) if system else ()
        logs = self._tables.rooms.rooms
        heads = {room_id: logs[room_id].last for room_id in rooms if room_id in logs}
        behind = sorted(self.known.behind(heads).items())
        foreign = Foreign(
            {room_id: tuple(logs[room_id].after(*part)) for room_id, part in behind},
            system=told,
            directs=dict(self._read_directs(entry for _, entry in told)),
        )
        self.known.took(foreign, len(self._tables.system) if system else None)
        records = self._tables.room_lists.some(loads) if loads else ()
        return attrs.evolve(foreign, loaded=tuple(map(self.known.hand_out, records)))

    def _read_system(self) -> Iterable[tuple[int, SystemEntry]]:
        """Yield what is missing of the system log, without what this node wrote."""
        for node_id, entry in self._tables.system[self.known.system :]:
            if isinstance(entry, NodeGone):
                guests = entry.guests if node_id == self._node_id else ()
                yield node_id, attrs.evolve(entry, guests=guests)
            elif node_id != self._node_id:
                yield node_id, entry

    def _read_directs(self, told: Iterable[SystemEntry]) -> Iterable[tuple[tuple[int, int], Entry]]:
        """Yield the entries of direct conversations that system entries name."""
        logs = self._tables.rooms.rooms
        for one in told:
            if isinstance(one, DirectEntry) and one.room_id in logs:
                yield (one.room_id, one.seq), logs[one.room_id].messages.entry(one.seq)

    # What `StaleCheck` asks for.

    def was_used(self, account_id: int, txn: str) -> bool:
        """See `StoredRooms.was_used`."""
        return self._tables.rooms.txns.has(account_id, txn)

    def find_access(self, room_id: int) -> RoomAccess | None:
        """See `StoredRooms.find_access`."""
        room = self._tables.rooms.rooms.get(room_id)
        if room is None:
            return None
        return RoomAccess(room.public, room.max, room.owner_id, room.moderation)

    def is_member(self, room_id: int, account_id: int | None) -> bool:
        """See `StoredRooms.is_member`."""
        room = self._tables.rooms.rooms.get(room_id)
        return room is not None and (room is self._tables.rooms.lobby or account_id in room.read)

    def has_members(self, room_id: int, count: int) -> bool:
        """See `StoredRooms.has_members`."""
        return len(self._tables.rooms.rooms[room_id].read) >= count

    def finish(self, job: Job) -> None:
        """Take note of a job that is done, and tell the other nodes of it."""
        for entry in told_by(job):
            assert locks_of(job).system, job
            self._tables.system.append((self._node_id, entry))
            self.known.system = len(self._tables.system)
            if isinstance(entry, RoomGone):
                self.known.forget(entry.room_id)
            self.wrote = True
        if isinstance(job, PendingEntry):
            self.known.wrote(job)
            self.wrote |= bool(job.entry.seq)
        elif job.error is None:
            self.known.release(job.plan.releases)
            for token_hash in job.plan.begun:
                self._tables.move(token_hash, self._node_id)
