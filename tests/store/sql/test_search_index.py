"""The index of messages on disk: when it is written, what leaves its files, kills, reindex."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.interfaces import MessageSearch
from gtchat.chat.search_query import parse
from gtchat.store import SQLStore, reindex
from gtchat.store.sql import search, search_index
from gtchat.store.sql.health import StoreHealth
from gtchat.store.sql.search_horizon import Horizon, Rest
from gtchat.store.sql.search_index import (
    DELAY_S,
    MERGE_DELAY_S,
    Indexer,
    add_slice,
    begin_again,
    read_state,
)
from gtchat.store.sql.sqlite import configure_writer, connect
from tests.databases import create_empty
from tests.e2e import fork_server
from tests.store.changes_contract import deleted, edited
from tests.store.contract import message
from tests.store.search_contract import SearchCase
from tests.store.sql.test_store import OnDisk

INSERT = (
    "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg)"
    " VALUES (?, ?, 0, ?, 0, 'Ann', ?)"
)


def rows(path: Path, sql: str, *values: Any) -> list[Any]:
    """Return the rows of a query on a database."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql, values).fetchall()


def indexed(path: Path, words: str = "tea") -> list[int]:
    """Return the rows of the messages that the index has for some words."""
    return [row for (row,) in rows(path, "SELECT rowid FROM message_index(?) ORDER BY 1", words)]


class IndexCase(SynchronousTestCase):
    """An empty database, and a connection that writes."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        create_empty(self.path)
        self.db = connect(self.path, "rw")
        self.addCleanup(self.db.close)
        configure_writer(self.db)
        self.now = 100.0

    def say(self, *texts: str, kind: str = "speak") -> None:
        [(last,)] = self.db.execute("SELECT coalesce(max(seq), 0) FROM entries")
        for number, text in enumerate(texts):
            self.db.execute(INSERT, (1, last + 1 + number, kind, text))

    def matches(self, words: str = "tea") -> list[int]:
        found = self.db.execute("SELECT rowid FROM message_index(?) ORDER BY 1", (words,))
        return [row for (row,) in found]

    def bytes_of(self, word: str) -> bool:
        """Return whether the files of the index have a word."""
        blocks = self.db.execute("SELECT block FROM message_index_data")
        return any(word.encode() in block for (block,) in blocks)


class IndexerTests(IndexCase):
    """When an indexer has something to do."""

    def indexer(self) -> Indexer:
        indexer = Indexer(lambda: self.now)
        self.assertIsNone(indexer.wait())
        indexer.begin()
        return indexer

    def run_slice(self, indexer: Indexer) -> None:
        self.assertTrue(indexer.is_due())
        self.db.execute("BEGIN IMMEDIATE")
        indexer.do_slice(self.db)
        self.db.execute("COMMIT")

    def test_it_begins_with_what_the_last_run_has_left(self) -> None:
        self.say("tea", "coffee", "tea")
        indexer = self.indexer()
        self.run_slice(indexer)
        self.assertEqual(self.matches(), [1, 3])
        self.assertEqual((indexer.wait(), read_state(self.db).row), (None, 3))

    def test_messages_wait_for_a_pause_but_not_long(self) -> None:
        indexer = self.indexer()
        self.run_slice(indexer)
        self.assertFalse(indexer.has_waiting())
        indexer.entries_stored(1)
        self.assertTrue(indexer.has_waiting())
        self.now += DELAY_S / 2
        indexer.entries_stored(1)
        self.assertAlmostEqual(indexer.wait() or 0.0, DELAY_S)
        self.now += DELAY_S
        self.run_slice(indexer)
        self.assertIsNone(indexer.wait())
        indexer.entries_stored(1)
        ends = self.now + search_index.MAX_DELAY_S
        while self.now < ends:
            self.assertFalse(indexer.is_due())
            self.now += DELAY_S / 2
            indexer.entries_stored(1)
        self.run_slice(indexer)
        indexer.entries_stored(search_index.MAX_WAITING - 1)
        self.assertFalse(indexer.is_due())
        indexer.entries_stored(1)
        self.assertTrue(indexer.is_due())

    def test_many_messages_are_indexed_in_slices(self) -> None:
        self.patch(search_index, "SLICE", 4)
        self.say(*["tea"] * 9, kind="speak")
        indexer = self.indexer()
        for count in (4, 8, 9):
            self.run_slice(indexer)
            self.assertEqual(len(self.matches()), count)
        self.assertIsNone(indexer.wait())

    def test_a_slice_is_one_statement(self) -> None:
        """Each one of several rows makes FTS5 write a segment, which has to be merged later."""
        statements: list[str] = []
        indexer = self.indexer()
        last = 0
        for count in (1, 3, 64, search_index.SLICE - 1):
            indexer.entries_stored(1)
            self.now += DELAY_S
            self.say(*["tea"] * count)
            self.db.set_trace_callback(statements.append)
            self.run_slice(indexer)
            self.db.set_trace_callback(None)
            last += count
            self.assertEqual(self.matches(), list(range(1, last + 1)))
            written = [one for one in statements if one.startswith("INSERT INTO message_index (")]
            self.assertEqual(len(written), 1, count)
            statements.clear()

    def test_only_messages_with_a_text_are_indexed(self) -> None:
        self.say("tea", "")
        self.say("tea", kind="edited")
        self.run_slice(self.indexer())
        self.assertEqual((self.matches(), self.matches("tags : r1")), ([1], [1]))
        self.assertEqual(read_state(self.db).row, 3)

    def test_an_index_of_another_version_is_made_again(self) -> None:
        self.say("tea", "tea")
        self.run_slice(self.indexer())
        self.patch(search_index, "SEARCH_FORM", "another version")
        self.run_slice(self.indexer())
        self.assertEqual(self.matches(), [1, 2])
        self.assertEqual(read_state(self.db).version, "another version")

    def test_what_was_taken_out_leaves_the_files_within_an_hour(self) -> None:
        self.say("tea", "secretword", "tea")
        indexer = self.indexer()
        self.run_slice(indexer)
        search_index.replace_text(self.db, 1, 2, "")
        self.db.execute("UPDATE entries SET msg = '' WHERE seq = 2")
        self.assertEqual(self.matches("secretword"), [])
        self.assertTrue(self.bytes_of("secretword"))
        indexer.entries_stored(1)
        self.now += DELAY_S
        self.run_slice(indexer)
        self.assertEqual(indexer.wait(), MERGE_DELAY_S)
        self.assertLess(MERGE_DELAY_S, 3500)
        self.now += MERGE_DELAY_S
        while indexer.is_due():
            self.run_slice(indexer)
        self.assertFalse(self.bytes_of("secretword"))
        self.assertEqual((self.matches(), read_state(self.db).erased), ([1, 3], 0))
        self.assertIsNone(indexer.wait())

    def test_what_is_taken_out_while_it_merges_leaves_with_the_next_merge(self) -> None:
        self.say("one", "two", "three")
        indexer = self.indexer()
        self.run_slice(indexer)
        search_index.replace_text(self.db, 1, 1, "")
        indexer = self.indexer()  # after a restart it merges at once
        self.run_slice(indexer)
        self.run_slice(indexer)
        self.db.execute("UPDATE entries SET msg = '' WHERE seq = 1")
        search_index.replace_text(self.db, 1, 2, "")
        while indexer.is_due():
            self.run_slice(indexer)
        self.assertEqual(read_state(self.db).erased, 1)
        self.assertEqual(indexer.wait(), MERGE_DELAY_S)

    def test_an_edit_replaces_what_is_indexed(self) -> None:
        self.say("green tea", "later tea")
        self.run_slice(self.indexer())
        self.db.execute("UPDATE index_state SET row = 1")
        for seq, text in ((1, "black coffee"), (2, "late coffee")):
            search_index.replace_text(self.db, 1, seq, text)
        self.assertEqual((self.matches("tea"), self.matches("coffee")), ([2], [1]))

    def test_a_slice_of_a_deleted_room_is_taken_out(self) -> None:
        self.say("tea", "tea", "tea", "tea", "tea")
        self.db.execute(INSERT, (2, 1, "speak", "tea"))
        self.run_slice(self.indexer())
        self.db.execute("DELETE FROM entries WHERE seq = 3 AND room_id = 1")
        self.say("tea")  # not indexed yet
        search_index.delete_oldest(self.db, 1, 4)
        self.assertEqual(self.matches(), [3, 5, 6])  # 3 was deleted without the index

    def test_a_merge_of_an_index_without_messages_ends(self) -> None:
        indexer = self.indexer()
        self.db.execute("BEGIN IMMEDIATE")
        indexer.merge(self.db)
        self.db.execute("COMMIT")
        self.assertEqual(read_state(self.db).erased, 0)


class WindowTests(IndexCase):
    """Searches window by window, and their time."""

    def find(self, q: str, **options: Any) -> Any:
        options = {"account_id": 1, "limit": 50, "seconds": 60.0} | options
        return search.search(self.db, MessageSearch(query=parse(q), **options))

    def add_room(self, room_id: int, key: str) -> None:
        self.db.execute(
            "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
            " VALUES (?, ?, ?, 1, '', 0, '')",
            (room_id, key, key),
        )

    def prepare_rows(self) -> None:
        self.add_room(1, "lobby")
        self.say(*(f"{'tea' if number % 10 == 0 else 'no'} {number}" for number in range(100)))
        self.db.execute("UPDATE entries SET id = 'i'")
        add_slice(self.db, Horizon())

    def test_windows_find_everything_once_in_order(self) -> None:
        self.prepare_rows()
        expected = list(range(91, 0, -10))
        for window, growth in ((1, 1), (1, 2), (3, 2), (7, 8), (1000, 8)):
            self.patch(search, "WINDOW", window)
            self.patch(search, "GROWTH", growth)
            for limit in (3, 10, 50):
                page = self.find("tea", limit=limit)
                self.assertEqual([one.position for one in page.found], expected[:limit])
                self.assertEqual(page.before, expected[2] if limit == 3 else None)
                self.assertFalse(page.incomplete)

    def test_a_search_goes_on_where_its_time_has_ended(self) -> None:
        """The time ends after any number of looks at it."""
        self.prepare_rows()
        self.patch(search, "WINDOW", 45)
        self.patch(search, "GROWTH", 1)
        self.patch(search, "_STEPS", 10)
        partial = 0
        for looks in range(1, 80):
            left = [looks]

            def monotonic(left: list[int] = left) -> float:
                left[0] -= 1
                return 0.0 if left[0] > 0 else 1.0

            with_clock = self.patch(search, "time", type("Time", (), {"monotonic": monotonic}))
            first = self.find("tea", seconds=0.5)
            with_clock.restore()
            rest = self.find("tea", before=first.before) if first.before is not None else None
            rows = [one.position for one in (*first.found, *(rest.found if rest else ()))]
            self.assertEqual(rows, list(range(91, 0, -10)), looks)
            self.assertEqual(first.incomplete, first.before is not None)
            partial += bool(first.found) and first.incomplete
        self.assertGreater(partial, 3)

    def test_rooms_are_named_where_others_have_much_that_matches(self) -> None:
        self.prepare_rows()
        self.add_room(2, "r")
        for number in range(3000):
            self.db.execute(INSERT, (2, 1 + number, "speak", "tea"))
        while add_slice(self.db, Horizon()) is Rest.MORE:
            pass
        found = []
        for at_once, looks in ((0, 1), (0, 10), (0, 10**6), (3, 10**6)):
            self.patch(search, "NAMED_AT_ONCE", at_once)
            self.patch(search, "_UNNAMED_LOOKS", looks)
            used: list[str] = []
            self.db.set_trace_callback(used.append)
            found.append([one.position for one in self.find("tea").found])
            self.db.set_trace_callback(None)
            named = [" AND tags : (r1)" in sql for sql in used if "BETWEEN" in sql]
            self.assertEqual((any(named), all(named)), (looks < 100 or at_once == 3, at_once == 3))
        self.assertEqual(found, [list(range(91, 0, -10))] * 4)

    def test_an_error_that_is_not_the_time_is_an_error(self) -> None:
        self.prepare_rows()
        self.db.execute("DROP TABLE message_index")
        self.assertRaises(sqlite3.OperationalError, self.find, "tea")

    def test_found_rows_are_not_sorted(self) -> None:
        values = {"words": "tea", "low": 1, "high": 9, "after": 0, "before": 9}
        values |= {"lobby": "lobby", "account": 1}
        plan = self.db.execute("EXPLAIN QUERY PLAN " + search._FIND, values).fetchall()
        self.assertNotIn("ORDER BY", str(plan))
        self.assertIn("SEARCH entries USING INTEGER PRIMARY KEY", str(plan))


class IdleTests(OnDisk, SearchCase, TestCase):
    """What the writer does by itself."""

    async def wait_for(self, words: str, count: int) -> float:
        """Wait until so many messages are found; return the seconds."""
        began = time.monotonic()
        while len(indexed(self.path, words)) != count:
            waiting: Deferred[None] = Deferred()
            reactor.callLater(0.02, waiting.callback, None)  # type: ignore[attr-defined]
            await waiting
        return time.monotonic() - began

    async def test_messages_are_indexed_in_a_pause(self) -> None:
        await self.prepare()
        await self.say("tea 1")
        await self.wait_for("tea", 1)
        for number in range(2, 4):
            await self.say(f"tea {number}")
        await self.wait_for("tea", 3)

    async def test_a_search_finds_what_was_stored_before_it(self) -> None:
        self.patch(search_index, "DELAY_S", 1e6)
        self.patch(search_index, "MAX_DELAY_S", 1e6)
        self.patch(search_index, "SLICE", 2)
        await self.prepare()
        for number in range(5):
            await self.say(f"tea {number}")
            found = await self.store.search(
                MessageSearch(account_id=self.ann, query=parse("tea"), limit=9, seconds=9)
            )
            self.assertEqual(len(found.found), number + 1)

    async def test_commits_of_messages_still_wait_for_the_disk(self) -> None:
        await self.prepare()
        await self.say("tea 1")
        await self.wait_for("tea", 1)
        levels = await self.store._write(lambda db: db.execute("PRAGMA synchronous").fetchone())
        self.assertEqual(levels, (2,))

    async def test_a_failure_of_the_index_is_logged_and_messages_are_stored(self) -> None:  # H41
        await self.prepare()
        await self.store._write(lambda db: db.execute("DROP TABLE message_index"))
        await self.say("tea")
        while not (logged := self.flush_errors()):
            waiting: Deferred[None] = Deferred()
            reactor.callLater(0.02, waiting.callback, None)  # type: ignore[attr-defined]
            await waiting
        self.assertIn("message_index", logged[0])
        await self.say("more")
        self.assertTrue(self.store.healthy())

    def setUp(self) -> None:
        super().setUp()
        self.errors: list[str] = []
        self.patch(
            StoreHealth, "_report", lambda health, text, reason: self.errors.append(str(reason))
        )

    def flush_errors(self) -> list[str]:
        errors, self.errors[:] = list(self.errors), []
        return errors

    async def test_what_is_deleted_leaves_the_file(self) -> None:
        await self.prepare()
        said = message("secretword")
        said.id = "i"
        await self.stored(self.room_id, said, self.ann)
        await self.say("other")
        await self.index()
        await self.changed(edited(said.seq, "otherword"), self.ann)
        await self.changed(deleted(said.seq), self.ann)
        await self.store.index_now(merge=True)
        await self.store.close()
        content = self.path.read_bytes()
        found = [word for word in (b"secretword", b"otherword", b"other") if word in content]
        self.assertEqual(found, [b"other"])

    async def test_a_deleted_room_leaves_the_index(self) -> None:
        await self.prepare()
        for number in range(3):
            await self.say(f"tea {number}")
        await self.index()
        await self.store.delete_room(self.room_id, 1)
        await self.wait_for("tea", 0)
        self.assertEqual(rows(self.path, "SELECT count(*) FROM entries WHERE msg = 'x'"), [(0,)])

    async def test_searches_do_not_wait_for_other_reads(self) -> None:
        self.assertIsNot(self.store._searches._pool, self.store._reads._pool)
        self.assertEqual(self.store._searches._pool.max, 1)

    async def test_reindex_finds_the_same(self) -> None:
        await self.prepare()
        for number in range(30):
            await self.say(f"tea {number}")
        await self.changed(deleted(10), self.ann)
        expected = await self.find("tea")
        await self.store.close()
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("INSERT INTO message_index (message_index) VALUES ('delete-all')")
        reports: list[tuple[int, int]] = []
        reindex(self.path, lambda done, total: reports.append((done, total)))
        self.assertEqual(reports, [(35, 35)])
        self.store = SQLStore.open(self.path, reactor)
        self.store.load()
        self.assertEqual(await self.find("tea"), expected)


#: Stores messages and changes until it is killed; prints each that is stored.
PROGRAM = """
import random, sys
from pathlib import Path
from twisted.internet import reactor, task
from gtchat.chat.interfaces import PendingEntry
from gtchat.store import SQLStore
from gtchat.store.sql import search_index
from tests.store.contract import message
search_index.DELAY_S, search_index.SLICE = 0.01, 20
store = SQLStore.open(Path(sys.argv[1]), reactor)
lobby = store.load().rooms[0].id
def put():
    for _ in range(random.randrange(30)):
        store.append(PendingEntry(lobby, message("tea")))
task.LoopingCall(put).start(0.003)
store.committed = lambda entries: print(entries[-1].entry.seq, flush=True)
reactor.run()
"""


class KillTests(SynchronousTestCase):
    def test_kills_between_message_and_index_lose_and_repeat_nothing(self) -> None:  # H40
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / "gtchat.sqlite"
        behind = 0
        for number in range(6):
            env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            process = fork_server.start([PROGRAM, str(path)], env, os.getcwd())
            assert process.stdout is not None
            for _ in range(3 + 2 * number):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            with closing(connect(path, "rw")) as db:
                state, last = read_state(db), search_index.last_row(db)
                found = [row for (row,) in db.execute("SELECT rowid FROM message_index('tea')")]
                self.assertEqual(found, list(range(1, state.row + 1)))
                behind += state.row < last
        self.assertTrue(behind, "no kill came between a message and its index")
        with closing(connect(path, "rw")) as db:
            while add_slice(db, Horizon()) is Rest.MORE:
                pass
            found = [row for (row,) in db.execute("SELECT rowid FROM message_index('tea')")]
            self.assertEqual(found, list(range(1, last + 1)))
            db.execute("INSERT INTO message_index (message_index) VALUES ('integrity-check')")
            begin_again(db)
            self.assertEqual(db.execute("SELECT * FROM message_index('tea')").fetchall(), [])
