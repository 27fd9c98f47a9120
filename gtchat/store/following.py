"""Up to where a node has delivered the logs that all nodes write. Both stores use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

import attrs

from gtchat.chat.events import RoomCreated, RoomSettingsEntry
from gtchat.chat.interfaces import PendingEntry, PendingRoomChange, RoomRecord
from gtchat.chat.node_records import ROOM_CHANGES, Foreign, RoomGone


@attrs.define
class Followed:
    """A room that is followed.

    Attributes:
        name: its name as displayed.
        seq: the last entry that was delivered.
        foreign: how often its state has become another than rules here could foresee: changes that
            other nodes have stored, and batches in which own changes were not stored.
        settings: what `foreign` was when that last was true of its settings.
        loads: number of the last record of it that was handed out; 0 for none.
    """

    name: str
    seq: int
    foreign: int = 0
    settings: int = 0
    loads: int = 0


class Known:
    """Up to where a node has delivered the logs that it follows: of the rooms in its memory.

    The chat has the same rooms in memory, as far as it has come in the order of the queue. Not
    thread-safe: of the queue's thread.

    Attributes:
        rooms: room id -> what is known of it. Direct conversations are not among them.
        system: seq of the last entry of the system log that was read.
    """

    def __init__(self) -> None:
        self.rooms: dict[int, Followed] = {}
        self.system = 0
        self._loads = count(1)

    def begin(self, rooms: Iterable[RoomRecord], system: int) -> None:
        """Begin with a loaded state.

        Args:
            rooms: the rooms in memory.
            system: seq of the last entry of the system log.
        """
        self.rooms = {room.id: Followed(room.name, room.last_seq) for room in rooms}
        self.system = system

    def behind(self, heads: Mapping[int, int]) -> dict[int, tuple[int, int]]:
        """Return which of the followed rooms are behind.

        Args:
            heads: room id -> seq of the newest entry of its log.

        Returns:
            Room id -> (known seq, seq of the newest entry).
        """
        found: dict[int, tuple[int, int]] = {}
        for room_id, head in heads.items():
            followed = self.rooms.get(room_id)
            if followed is not None and followed.seq < head:
                found[room_id] = (followed.seq, head)
        return found

    def took(self, foreign: Foreign, system: int | None = None) -> None:
        """Take note that something foreign is, or will certainly be, delivered.

        Args:
            foreign: what is delivered.
            system: seq of the last entry of the system log that was read for it, also one of this
                node; None if none was read.
        """
        for room_id, entries in foreign.entries.items():
            followed = self.rooms[room_id]
            followed.seq = entries[-1].seq
            for entry in entries:
                followed.foreign += isinstance(entry, ROOM_CHANGES)
                if isinstance(entry, RoomSettingsEntry):
                    followed.settings = followed.foreign
        for _, told in foreign.system:
            if isinstance(told, RoomGone):
                self.forget(told.room_id)
        if system is not None:
            self.system = system

    def hand_out(self, record: RoomRecord) -> RoomRecord:
        """Follow a room from the state of a record on; return the record as the chat gets it.

        Args:
            record: the room; one that is followed already has been delivered up to there.
        """
        followed = self.rooms.get(record.id)
        if followed is None:
            followed = self.rooms[record.id] = Followed(record.name, record.last_seq)
        assert followed.seq == record.last_seq, record
        followed.loads = next(self._loads)
        return attrs.evolve(record, foreign=followed.foreign, loads=followed.loads)

    def release(self, rooms: Mapping[int, int]) -> None:
        """Follow rooms no more that have left the memory of the chat.

        Args:
            rooms: room id -> `RoomRecord.loads` of the last record that the chat had then. A room
                of which another one was handed out since is in memory again.
        """
        for room_id, loads in rooms.items():
            followed = self.rooms.get(room_id)
            if followed is not None and followed.loads == loads:
                del self.rooms[room_id]

    def wrote(self, job: PendingEntry) -> None:
        """Take note of an entry of this node that is committed; one that was not stored is none.

        A room is followed from its `RoomCreated` on.
        """
        entry = job.entry
        if not entry.seq:
            return
        if isinstance(entry, RoomCreated):
            self.rooms[job.room_id] = Followed(entry.room_name, entry.seq)
            return
        followed = self.rooms.get(job.room_id)
        if followed is not None:
            followed.seq = entry.seq

    def failed(self, batch: Iterable[object]) -> None:
        """Take note of a batch: of changes of rooms in it that were not stored."""
        changes = [job for job in batch if isinstance(job, PendingRoomChange)]
        failed = [change for change in changes if not change.entry.seq]
        for room_id in {change.room_id for change in failed} & self.rooms.keys():
            self.rooms[room_id].foreign += 1
        for change in failed:
            if isinstance(change.entry, RoomSettingsEntry) and change.room_id in self.rooms:
                self.rooms[change.room_id].settings = self.rooms[change.room_id].foreign

    def forget(self, room_id: int) -> None:
        """Follow a room no more, because it is deleted."""
        self.rooms.pop(room_id, None)

    def is_stale(self, room_id: int, checked: int | None) -> bool:
        """Return whether rules have seen another state of a room than the queue has come to.

        Args:
            room_id: the room; one that is deleted has no state.
            checked: `Room.foreign` that the rules saw, None if there is nothing to check.
        """
        if checked is None:
            return False
        followed = self.rooms.get(room_id)
        return followed is None or followed.foreign != checked

    def has_seen_settings(self, room_id: int, checked: int | None) -> bool:
        """Return whether the settings of a room are those that rules have seen.

        Args:
            room_id: the room, which is followed.
            checked: as of `is_stale`.
        """
        return checked is not None and checked >= self.rooms[room_id].settings
