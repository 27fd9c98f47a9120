"""The heads of logs: equal to the logs after any batch, written once for each room and batch."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import Entry, WhisperSent
from gtchat.chat.interfaces import PendingEntry, PendingWhisper, WhisperLimits
from gtchat.store import SQLStore
from gtchat.store.sql import log_writer, room_records
from tests import example_count
from tests.databases import create_empty
from tests.store.contract import joined, left, message, pending_entry, room_created
from tests.store.sql.flaky import Disk

LOBBY = 1
#: An account that exists, and one that does not.
ANN, MISSING = 1, 999
#: A text that cannot be stored: SQLite has no surrogates.
BAD = "\ud800"

_rooms = st.integers(0, 4)
_texts = st.sampled_from(["x", "y", BAD])
JOBS = st.one_of(
    st.tuples(st.just("say"), _rooms, _texts),
    st.tuples(st.just("join"), _rooms, st.sampled_from([ANN, MISSING])),
    st.tuples(st.just("leave"), _rooms, st.just(ANN)),
    st.tuples(st.just("create"), st.sampled_from(["Garden", "Meadow", "Hall", BAD]), st.just(0)),
    st.tuples(st.just("delete"), _rooms, st.just(0)),
    st.tuples(st.just("whisper"), st.sampled_from([ANN, 2, MISSING]), _texts),
    st.tuples(st.just("register"), st.sampled_from(["Bob", "Cid", "Dan", BAD]), st.just(0)),
)
#: Statements that fail while a batch is written; most batches have none of these.
FAULTS = st.sampled_from([None, None, None, "COMMIT", "INSERT INTO heads", "INSERT INTO entries"])
BATCHES = st.lists(st.tuples(st.lists(JOBS, min_size=1, max_size=8), FAULTS), max_size=8)


class QueueClock(Clock):
    """A reactor whose thread is the test: it does the calls of other threads when it waits."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[tuple[Any, Any]] = SimpleQueue()

    def callFromThread(self, function: Any, *args: Any) -> None:
        self._calls.put((function, args))

    def wait_for(self, done: Deferred[Any]) -> None:
        """Do the calls of other threads until a Deferred has fired."""
        self.advance(0)
        while not done.called:
            function, args = self._calls.get(timeout=60)
            function(*args)


class DiskStore:
    """A store on a disk that can fail, driven batch by batch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = QueueClock()
        self.disk = Disk(path)
        self.store = SQLStore.open(path, self.clock, connect=self.disk.connect)
        self.store.load()

    def append(self, room_id: int, entry: Entry, subject: int | None, key: str = "") -> Any:
        entry.subject_id = subject
        options = {"room_key": key} if key else {}
        pending = pending_entry(room_id, entry, **options)
        self.store.append(pending)
        return pending

    def write(self) -> None:
        """Let the store write its queue as one batch, and take the results."""
        self.clock.wait_for(self.store.flush())

    def close(self) -> None:
        self.clock.wait_for(self.store.close())

    def rows(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql).fetchall()


class HeadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.template = self.folder / "template.sqlite"
        create_empty(self.template)
        new = self.new_store("first.sqlite")
        registered = new.store.register("Ann", "ann", "hash", None, 1)
        new.write()
        self.assertEqual(self.successResultOf(registered), ANN)
        new.close()
        shutil.copy(new.path, self.template)

    def new_store(self, name: str = "gtchat.sqlite") -> DiskStore:
        path = self.folder / name
        path.unlink(missing_ok=True)
        shutil.copy(self.template, path)
        store = DiskStore(path)
        self.addCleanup(store.close)
        return store

    def check_heads(self, store: DiskStore) -> None:
        """Check that heads are what the logs say, and that no seq is missing."""
        logs = store.rows(
            "SELECT room_id, max(seq), sum(kind = 'speak'), min(seq), max(message_count), count(*)"
            " FROM entries WHERE room_id IN (SELECT id FROM rooms) GROUP BY room_id"
        )
        heads = store.rows("SELECT room_id, seq, messages, first FROM heads ORDER BY room_id")
        self.assertEqual(heads, [row[:4] for row in logs])
        for _, last, messages, first, counted, count in logs:
            self.assertEqual((first, count, counted), (1, last, messages))

    @settings(deadline=None, max_examples=example_count(100))
    @given(BATCHES)
    def test_heads_equal_the_logs_after_random_batches_with_failures(self, batches: Any) -> None:
        self.patch(log_writer, "MAX_POSITIONS", 2)
        store = self.new_store()
        rooms = [LOBBY, 777]
        try:
            for jobs, fault in batches:
                if fault:
                    store.disk.fail(fault, "disk I/O error")
                queued = [self.queue(store, rooms, *job) for job in jobs]
                lobby_seq = store.rows("SELECT max(seq) FROM entries WHERE room_id = 1")[0][0] or 0
                store.write()
                store.disk.faults.clear()
                self.check_heads(store)
                self.check_results(store, queued, lobby_seq)
                rooms += [
                    each.room_id
                    for each in queued
                    if isinstance(each, PendingEntry) and each.room_id not in rooms
                ]
            found = store.rows("SELECT room_id, seq, messages FROM heads")
            heads = {id_: rest for id_, *rest in found}
            for room in store.store._reads._run(lambda db: [*room_records.records(db)]):
                expected = heads.get(room.id, [0, 0])
                self.assertEqual([room.last_seq, room.message_count], expected)
        finally:
            store.close()

    def queue(self, store: DiskStore, rooms: list[int], kind: str, which: Any, what: Any) -> Any:
        """Queue a job; return its entry or its Deferred."""
        if kind == "create":
            key = "garden" if which == BAD else which.lower()
            return store.append(0, room_created(which), ANN, key)
        if kind == "register":
            key = "bad" if which == BAD else which.lower()
            return store.store.register(which, key, None, None, 1)
        if kind == "whisper":
            entry = WhisperSent(usr="Ann", subject_id=ANN, msg=what, id="i", at=1)
            pending = PendingWhisper(entry=entry, sender_id=ANN, target_id=which)
            return store.store.whisper(pending, WhisperLimits())
        room = rooms[which % len(rooms)]
        if kind == "delete":
            return store.store.delete_room(room if room != LOBBY else 777, 1)
        if kind == "say":
            return store.append(room, message(what), ANN)
        return store.append(room, (joined if kind == "join" else left)("Ann"), what)

    def check_results(self, store: DiskStore, queued: list[Any], lobby_seq: int) -> None:
        """Check that what succeeded is stored, and that new accounts have read the lobby."""
        stored = set(store.rows("SELECT room_id, seq, kind FROM entries"))
        read_seqs = dict(store.rows("SELECT id, lobby_read_seq FROM accounts"))
        rooms = {row[0] for row in store.rows("SELECT id FROM rooms")}
        for each in queued:
            if isinstance(each, Deferred):
                results: list[Any] = []
                each.addBoth(results.append)
                if isinstance(results[0], int):
                    self.assertEqual(read_seqs[results[0]], lobby_seq)
                continue
            entry = each.entry
            if each.error is not None:
                self.assertEqual(entry.seq, 0)
            elif each.room_id in rooms:
                self.assertIn((each.room_id, entry.seq, entry.kind), stored)
            if each.room_id == LOBBY and each.error is None:
                lobby_seq += 1
                self.assertEqual(entry.seq, lobby_seq)

    def test_heads_are_written_once_for_all_rooms_of_a_batch(self) -> None:
        store = self.new_store()
        garden = store.append(0, room_created("Garden"), ANN, "garden")
        meadow = store.append(0, room_created("Meadow"), ANN, "meadow")
        store.write()
        traced: list[str] = []
        store.disk.writer.set_trace_callback(traced.append)
        for number in range(20):
            for room in (LOBBY, garden.room_id, meadow.room_id):
                store.append(room, message(str(number)), ANN)
            store.append(LOBBY, left("Ann"), ANN)
            store.store.set_read({(ANN, LOBBY): number})
        store.write()
        # Behind the batch there may be statements of the writer's idle time.
        last = next(at for at, sql in enumerate(traced) if sql.startswith("INSERT INTO heads"))
        self.assertEqual(traced[last + 1], "COMMIT")
        self.assertFalse([sql for sql in traced[last + 1 :] if sql.startswith("INSERT INTO heads")])
        self.check_heads(store)
        store.close()

    def test_a_batch_without_entries_writes_no_head(self) -> None:
        store = self.new_store()
        traced: list[str] = []
        store.store.set_read({(ANN, LOBBY): 1})
        store.write()
        store.disk.writer.set_trace_callback(traced.append)
        store.store.set_read({(ANN, LOBBY): 2})
        store.write()
        self.assertFalse([sql for sql in traced if "heads" in sql])
        store.close()

    def test_the_ends_of_few_logs_are_remembered(self) -> None:
        self.patch(log_writer, "MAX_POSITIONS", 5)
        store = self.new_store()
        for name in ("Garden", "Meadow", "Hall", "Attic", "Yard", "Roof", "Loft"):
            store.append(0, room_created(name), ANN, name.lower())
            store.write()
            self.assertLessEqual(len(store.store._log_writer._positions), 5)
        self.check_heads(store)
        store.close()

    def test_a_deleted_room_has_no_head(self) -> None:
        store = self.new_store()
        garden = store.append(0, room_created("Garden"), ANN, "garden")
        store.write()
        store.append(garden.room_id, message(), ANN)
        store.store.delete_room(garden.room_id, 1)
        store.write()
        self.assertEqual(store.rows("SELECT * FROM heads"), [])
        store.close()
