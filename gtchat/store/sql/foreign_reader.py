"""Reading what other nodes have stored: parts of logs, and the system log before them.

Nothing is locked here. `follower` reads what a batch needs under the locks of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from gtchat.chat.events import Entry
from gtchat.chat.node_records import (
    SYSTEM_ID,
    DirectEntry,
    Foreign,
    SystemEntry,
)
from gtchat.store.following import Followed, Known
from gtchat.store.jobs import CatchUp, raise_heads
from gtchat.store.sql import system_log
from gtchat.store.sql.carried_rows import find_fitting
from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.history import entries_of_ranges

#: Entries that are read at once, and those of one room among them.
READ_AT_ONCE, OF_ONE_ROOM = 5_000, 1_000
#: Rooms in a statement that looks for news, and statements of a look.
LOOK_ROOMS, LOOK_STATEMENTS = 2_000, 5

_HEADS = "SELECT room_id, seq FROM heads WHERE room_id = ANY(%s)"
_BEHIND = (
    "SELECT h.room_id, h.seq FROM unnest(%s::bigint[], %s::bigint[]) AS known (room_id, seq)"
    " JOIN heads h ON h.room_id = known.room_id AND h.seq > known.seq"
)

_NOT_KEPT = (
    "SELECT 1 FROM unnest(%s::bigint[], %s::bigint[]) AS known (room_id, seq)"
    " JOIN heads h ON h.room_id = known.room_id AND h.first > known.seq + 1"
)

#: Room id -> (seq before the first entry to read, seq of the last one).
Gaps = Mapping[int, tuple[int, int]]
#: Nothing is missing.
NOTHING = Foreign()


class ForeignReader:
    """Reads what a node misses. All methods but `look` are called in the writer's thread.

    Args:
        database: knows the node; it has another id when it becomes another one.

    Attributes:
        known: up to where the node has delivered all logs.
    """

    def __init__(self, database: Database) -> None:
        self.known = Known()
        self._database = database
        #: Where the next look begins, among the rooms in the order in which they became known.
        self._looked = 0

    @property
    def _node_id(self) -> int:
        node_id = self._database.node_id
        assert node_id is not None
        return node_id

    def catch_up(self, connect: Callable[[], Connection], wanted: CatchUp) -> Iterator[Foreign]:
        """Yield what is missing in parts, fair between rooms. It locks nothing.

        Each part is taken note of when the next is asked for: it has to be delivered before.

        Args:
            connect: returns the writer's connection, outside a transaction; called if something has
                to be read.
            wanted: what to catch up with.

        Raises:
            Outrun: what is missing is not kept.
        """
        heads = dict(wanted.heads)
        for carried in wanted.rows:
            fitting = find_fitting(carried, self.known, self._node_id)
            if fitting.foreign != NOTHING:
                yield fitting.foreign
            self.known.took(fitting.foreign, fitting.system)
            raise_heads(heads, fitting.missing)
        if wanted.is_of_all or self._are_news(heads):
            yield from self._read_missing(connect(), {} if wanted.is_of_all else heads)

    def _are_news(self, heads: Mapping[int, int]) -> bool:
        """Return whether a log goes on after what is known of it."""
        return heads.get(SYSTEM_ID, 0) > self.known.system or bool(self.known.behind(heads))

    def _read_missing(self, db: Connection, heads: Mapping[int, int]) -> Iterator[Foreign]:
        """Yield what is missing, see `catch_up`; without heads of all rooms."""
        if not heads or heads.get(SYSTEM_ID, 0) > self.known.system:
            yield from self._catch_up_system(db)
        gaps = self.known.behind(self._find(db, heads))
        while gaps:
            part = dict(_share(gaps))
            foreign = self.read_foreign(db, (), part)
            if foreign.entries:
                yield foreign
                self.known.took(foreign)
            self._check_kept(db, part.keys() - foreign.entries.keys())
            # Those that were not read yet come first.
            gaps = {room_id: gap for room_id, gap in gaps.items() if room_id not in part} | {
                room_id: (seq, gaps[room_id][1])
                for room_id, (_, seq) in part.items()
                if room_id in foreign.entries and seq < gaps[room_id][1]
            }

    def _check_kept(self, db: Connection, missing: Collection[int]) -> None:
        """Check that rooms of which entries are missing are deleted.

        Raises:
            Outrun: the entries were removed from the log: this node has not read it for an hour.
        """
        known = [(room_id, self.known.rooms[room_id].seq) for room_id in missing]
        if known:
            rooms, seqs = zip(*known, strict=True)
            if db.execute(_NOT_KEPT, (list(rooms), list(seqs))).fetchone() is not None:
                raise system_log.Outrun("other nodes have removed what this one has not read")

    def _catch_up_system(self, db: Connection) -> Iterator[Foreign]:
        """Yield what is missing of the system log."""
        head = system_log.head(db)
        while self.known.system < head:
            last = min(head, self.known.system + OF_ONE_ROOM)
            told = system_log.read(db, self._node_id, self.known.system, last)
            foreign = self.read_foreign(db, told, {})
            if foreign != NOTHING:
                yield foreign
            self.known.took(foreign, last)

    def _find(self, db: Connection, heads: Mapping[int, int]) -> dict[int, int]:
        """Return the ends of logs: of those named, or of all that are behind."""
        if heads:
            followed = [room_id for room_id in heads if room_id in self.known.rooms]
            return dict(db.execute(_HEADS, (followed,)).fetchall()) if followed else {}
        return dict(_news(db, iter(self.known.rooms.items())))

    def look(self, db: Connection) -> dict[int, int]:
        """Return the ends of logs that other nodes have written to; not of all logs each time.

        Called in the thread of a reader.

        Args:
            db: its connection.
        """
        rooms = dict(self.known.rooms)  # the writer's thread may change it meanwhile
        start = self._looked if self._looked < len(rooms) else 0
        found = dict(_ahead(db, [(SYSTEM_ID, self.known.system)]))
        looked = islice(rooms.items(), start, start + LOOK_ROOMS * LOOK_STATEMENTS)
        found.update(_news(db, looked))
        self._looked = start + LOOK_ROOMS * LOOK_STATEMENTS
        return found

    def read_foreign(
        self, db: Connection, told: Sequence[tuple[int, SystemEntry]], gaps: Gaps
    ) -> Foreign:
        """Read entries of rooms, and those that entries of the system log are about.

        Rooms of which not all entries are there are left out: they are deleted by now, and the
        system log will say so.
        """
        names = {room_id: self.known.rooms[room_id].name for room_id in gaps}
        directs = {(one.room_id, one.seq) for _, one in told if isinstance(one, DirectEntry)}
        ranges = [(room_id, first + 1, last) for room_id, (first, last) in gaps.items()]
        ranges += ((room_id, seq, seq) for room_id, seq in directs)
        found = entries_of_ranges(db, ranges, names)
        entries = {
            room_id: tuple(found[room_id])
            for room_id, (first, last) in gaps.items()
            if len(found[room_id]) == last - first
        }
        return Foreign(entries, system=tuple(told), directs=_by_seq(found, directs))


def _news(db: Connection, rooms: Iterator[tuple[int, Followed]]) -> Iterator[tuple[int, int]]:
    """Yield (room id, end of its log) of the rooms in which there is something new."""
    while part := list(islice(rooms, LOOK_ROOMS)):
        yield from _ahead(db, [(room_id, known.seq) for room_id, known in part])


def _ahead(db: Connection, known: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (room id, end of its log) where that is after a known seq.

    Args:
        db: a connection.
        known: (room id, seq), at least one.
    """
    rooms, seqs = zip(*known, strict=True)
    return db.execute(_BEHIND, (list(rooms), list(seqs))).fetchall()


def _share(gaps: Gaps) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield as much of what is missing as is read at once: something of as many rooms as fit."""
    left = READ_AT_ONCE
    for room_id, (first, last) in gaps.items():
        count = min(last - first, OF_ONE_ROOM, left)
        if not count:
            return
        yield room_id, (first, first + count)
        left -= count


def _by_seq(
    found: Mapping[int, Sequence[Entry]], wanted: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Entry]:
    """Return (room id, seq) -> the entry, of those that are wanted and there."""
    rooms = {room_id for room_id, _ in wanted}
    return {(room_id, entry.seq): entry for room_id in rooms for entry in found.get(room_id, ())}
