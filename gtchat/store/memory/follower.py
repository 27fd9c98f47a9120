"""One of several nodes over the same `MemoryTables`: what it has delivered, and what it misses.

It does what the follower of the store on disk does, with the same `Known` and `Locks`. A batch is
one instant here, so that nothing is locked: what would be locked is brought up to date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import attrs

from gtchat.chat.errors import NotInRoom, Stale
from gtchat.chat.events import Entry, MessageSent
from gtchat.chat.interfaces import PendingEntry, PendingRoomChange, StoredState
from gtchat.chat.node_records import (
    DirectEntry,
    Foreign,
    NodeGone,
    RoomAdded,
    RoomGone,
    SystemEntry,
)
from gtchat.store.following import Known
from gtchat.store.jobs import Job, Locks, locks_of, told_by
from gtchat.store.memory.tables import MemoryTables


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
        return self._read(list(self.known.rooms), True)

    def prepare(self, batch: Sequence[Job]) -> tuple[Foreign, list[Job]]:
        """Bring up to date what a batch needs, and refuse what is stale.

        Returns:
            What has to be delivered before the results of the batch, and those of its jobs that
            are to be done: the others have their error.
        """
        locks = [locks_of(job) for job in batch]
        rooms = {room_id for one in locks for room_id in one.rooms}
        for one in locks:
            if one.begins:
                rooms |= self._rooms_of(one)
        foreign = self._read(rooms, any(one.system for one in locks))
        refused: set[int] = set()
        return foreign, [job for job in batch if not self._refuse(job, refused)]

    def _rooms_of(self, locks: Locks) -> set[int]:
        """Return the rooms of the accounts whose sessions begin, and the lobby."""
        accounts = self._tables.accounts
        rows = [accounts.row_of(one, None) for one in locks.accounts]
        rows += [accounts.row_of(None, one) for one in locks.tokens]
        found = {self._tables.rooms.lobby.id}
        return found.union(*(row.rooms for row in rows if row is not None))

    def _read(self, rooms: Collection[int], system: bool) -> Foreign:
        """Return what is missing of some rooms, and of the system log if `system`."""
        told = list(self._read_system()) if system else []
        added = tuple(entry for _, entry in told if isinstance(entry, RoomAdded))
        self.known.took(Foreign(added))
        logs = self._tables.rooms.rooms
        wanted = {*rooms, *(one.room_id for one in added)}
        heads = {room_id: logs[room_id].last for room_id in wanted if room_id in logs}
        behind = sorted(self.known.behind(heads).items())
        foreign = Foreign(
            added,
            {room_id: tuple(logs[room_id].after(*part)) for room_id, part in behind},
            tuple(one for one in told if not isinstance(one[1], RoomAdded)),
            dict(self._read_directs(entry for _, entry in told)),
        )
        self.known.took(foreign, len(self._tables.system) if system else None)
        return foreign

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

    def _refuse(self, job: Job, refused: set[int]) -> bool:
        """Give a job its error if its rules saw another state than there is now.

        A job whose txn was used before is done for its earlier ack.

        Args:
            job: the job.
            refused: the rooms of which changes before it are refused: its rules have seen those.
        """
        if isinstance(job, PendingEntry):
            checked = job.checked
            room_id, txn = job.room_id, (job.sender_id or 0, job.txn or "")
        else:
            room_id, checked = job.plan.checked or (0, None)
            txn = job.plan.txn or (0, "")
        is_stale = checked is not None and room_id in refused
        if not is_stale and not self.known.is_stale(room_id, checked):
            return False
        if self._tables.rooms.txns.has(*txn):
            return False
        if isinstance(job, PendingRoomChange):
            refused.add(room_id)
        if not (isinstance(job, PendingEntry) and isinstance(job.entry, MessageSent)):
            job.error = Stale()
        elif not self._is_member(room_id, job.subject_id):
            job.error = NotInRoom()
        return job.error is not None

    def _is_member(self, room_id: int, account_id: int | None) -> bool:
        """Return whether an account is a member of a room by what is stored."""
        room = self._tables.rooms.rooms.get(room_id)
        return room is not None and (room is self._tables.rooms.lobby or account_id in room.read)

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
            for token_hash in job.plan.begun:
                self._tables.move(token_hash, self._node_id)
