"""Rooms in memory, their logs and their rows on disk agree, whatever fails; see `room_world`."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.fold import RoomState
from gtchat.chat.interfaces import PendingEntry, RoomRecord
from gtchat.chat.rooms import LOBBY
from gtchat.store.jobs import Job
from gtchat.store.sql import room_records, snapshots
from gtchat.store.sql.store import SQLStore
from tests.chat.room_world import LoneRoomRequests, World, spoil
from tests.databases import create_empty
from tests.store.sql.flaky import Disk


class Calls:
    """A reactor whose calls from threads wait until the test takes them."""

    def __init__(self, clock: Clock) -> None:
        self.callLater, self.seconds = clock.callLater, clock.seconds
        self.waiting: SimpleQueue[tuple[Any, tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, function: Any, *args: Any) -> None:
        self.waiting.put((function, args))

    def take(self) -> tuple[Any, ...]:
        """Wait for a call, make it, and return its arguments."""
        function, args = self.waiting.get(timeout=60)
        function(*args)
        return args


class HeldSQLStore(SQLStore):
    """A store on disk that holds its jobs; see `HeldMemoryStore`. Its writer is a thread."""

    disk: Disk

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.held: list[Job] = []
        self.failing: list[bool] = []
        self._writer.put = lambda job: self.held.append(job)  # type: ignore[method-assign]
        self._reads.run = self._read_later  # type: ignore[method-assign]

    def _read_later(self, query: Any) -> Deferred[Any]:
        """Read in the next turn, in this thread."""
        result: Deferred[Any] = Deferred()
        result.addCallback(lambda _: self._reads._run(query))
        self._reactor.callLater(0, result.callback, None)
        return result

    def append(self, entry: PendingEntry) -> None:
        spoil(entry, self.failing)
        super().append(entry)

    def do_batch(self, batch: list[Job], failing: bool) -> None:
        if failing:
            self.disk.fail("COMMIT", "disk I/O error")
        self._writer._queue.put(batch)
        while self._reactor.take()[0] is not batch:
            pass  # a report on the clean-up
        self.disk.faults.clear()

    def end(self) -> None:
        """Close the store, and wait for its thread."""
        closed = self.close()
        while not closed.called:
            self._reactor.take()


def read_rooms(store: HeldSQLStore) -> list[RoomRecord]:
    """Return all rooms of a store, in this thread."""
    return store._reads._run(lambda db: [*room_records.records(db)])


def read_base(store: HeldSQLStore, room_id: int) -> RoomState:
    """Return what a room was before the first entry that is kept, in this thread."""
    sql = "SELECT base_seq, base_state, key FROM rooms WHERE id = ?"
    row = store._reads._run(lambda db: db.execute(sql, (room_id,)).fetchone())
    state = snapshots.decode(*row[:2], row[2] == LOBBY)
    assert state is not None
    return state


class Requests(SynchronousTestCase):
    def test_memory_log_and_disk_agree_whatever_fails(self) -> None:  # H38
        folder = Path(self.mktemp())
        folder.mkdir()
        numbers = count(1)

        def new_world() -> World:
            path = folder / f"{next(numbers)}.sqlite"
            create_empty(path)
            clock, disk = Clock(), Disk(path)
            store = HeldSQLStore.open(path, Calls(clock), connect=disk.connect)
            self.addCleanup(store.close)  # also of an example that fails
            assert isinstance(store, HeldSQLStore)
            store.disk = disk
            return World(store, clock, read_rooms, read_base)

        class Machine(LoneRoomRequests):
            outcomes: Counter[tuple[str, str]] = Counter()

            def teardown(self) -> None:
                super().teardown()
                self.world.store.end()

        Machine.new_world = staticmethod(new_world)  # type: ignore[assignment]
        options = settings(max_examples=12, stateful_step_count=40, deadline=None, derandomize=True)
        run_state_machine_as_test(Machine, settings=options)
        self.assertLessEqual({"ok", "not_stored"}, {code for _, code in Machine.outcomes})
