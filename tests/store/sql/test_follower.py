"""Two nodes on one database: what each hears of the other, and when."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.errors import NotInRoom, NotStored, Stale, TxnConflict
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import HistoryQuery, PendingEntry
from gtchat.chat.look_alikes import rivals, skeleton
from gtchat.chat.node_records import SYSTEM_ID, AccountEnded, Foreign, Online, RoomAdded
from gtchat.chat.retention import Keep, Retention
from gtchat.store import SQLStore
from gtchat.store.jobs import CatchUp, Locks, Plan, StoreCall
from gtchat.store.sql import batch_locks, catch_ups, follower, foreign_reader
from gtchat.store.sql.batch_locks import BatchLocks, bucket_of
from gtchat.store.sql.database import UncertainCommit
from gtchat.store.sql.follower import Follower
from gtchat.store.sql.retention import cut
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.sqlite import SQLiteDatabase
from tests import postgres
from tests.databases import create_empty
from tests.store.contract import joined, left, message, pending_entry, room_created

#: A call that may tell something, and one of a session that begins.
TELLING = Locks(system=True)


class Node:
    """A store, and what it has delivered.

    Attributes:
        store: the store.
        heard: in the order of delivery, ("foreign", `Foreign`), ("own", entry) and others that
            tests add.
    """

    def __init__(self, database: Any) -> None:
        self.store = SQLStore(database, reactor)
        self.heard: list[tuple[str, Any]] = []
        self.store.foreign = lambda foreign: self.heard.append(("foreign", foreign))
        self.store.committed = lambda entries: self.heard.extend(("own", one) for one in entries)

    @property
    def writer(self) -> Any:
        return self.store._writer

    @property
    def follower(self) -> Follower:
        found = self.writer._follower
        assert found is not None
        return found

    def load(self) -> None:
        self.lobby = self.store.load().rooms[0].id

    def append(
        self, room_id: int, entry: Entry, subject: int | None = None, **options: Any
    ) -> PendingEntry:
        """Queue an entry about an account; return it."""
        entry.subject_id = subject
        sender = subject if options.get("txn") else None
        pending = pending_entry(room_id, entry, sender_id=sender, **options)
        self.store.append(pending)
        return pending

    async def stored(self, *args: Any, **options: Any) -> PendingEntry:
        """Store an entry with the arguments of `append`; return it."""
        pending = self.append(*args, **options)
        await self.store.flush()
        assert pending.error is None, pending.error
        return pending

    async def account(self, name: str) -> int:
        return await self.store.register(name, name.lower(), "hash", None, 100)

    async def room(self, owner: int | None, name: str = "Garden") -> int:
        return (await self.stored(0, room_created(name), owner, room_key=name.lower())).room_id

    def call(self, function: Callable[..., Any], plan: Plan) -> Deferred[Any]:
        return self.store._write(function, plan=plan)

    def catch_up(self, heads: dict[int, int] | None = None) -> Deferred[None]:
        """Read what the other node wrote."""
        done = Deferred[None]()
        self.writer.put(CatchUp(heads or {}, done))
        return done

    def log(self, room_id: int) -> list[int]:
        """Return the seqs of a room in the order of their delivery."""
        found: list[int] = []
        for kind, one in self.heard:
            if kind == "own" and one.room_id == room_id:
                found.append(one.entry.seq)
            elif kind == "foreign":
                found += (entry.seq for entry in one.entries.get(room_id, ()))
        return found

    def foreign(self) -> list[Foreign]:
        return [one for kind, one in self.heard if kind == "foreign"]

    def system(self) -> list[Any]:
        """Return the entries of the system log that were delivered."""
        return [entry for one in self.foreign() for _, entry in one.system]


class NodesCase(TestCase):
    """Two stores on one database."""

    timeout = 60
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.patch(Indexer, "wait", lambda _: None)  # no commits but those of the tests
        self.patch(Cleanup, "has_work", lambda _: False)
        self.patch(catch_ups, "LOOK_S", 3600)  # tests say when a node catches up
        self.database = postgres.QuickDatabase(node="a")
        self.a = Node(self.database)
        self.addCleanup(self.a.store.close)
        self.a.load()
        self.b = Node(postgres.QuickDatabase(node="b", beside=self.database))
        self.addCleanup(self.b.store.close)
        self.b.load()
        self.lobby = self.a.lobby

    async def shared_room(self, members: Sequence[int] = ()) -> int:
        """Create a room at node a that is in the memory of both; return its id."""
        room = await self.a.room(None)
        for account in members:
            await self.a.stored(room, joined("Ann"), account)
        await self.b.store.load_rooms([room])
        return room

    async def seqs(self, room_id: int) -> list[int]:
        page = await self.a.store.history(room_id, HistoryQuery(limit=200))
        return [entry.seq for entry in page.entries]


class OrderTests(NodesCase):
    async def test_two_batches_of_a_room_have_no_gap(self) -> None:
        for number in range(20):
            for node in (self.a, self.b):
                node.append(self.lobby, message(f"{number}"))
            if number % 5 == 4:
                await self.a.store.flush()
        await self.a.store.flush()
        await self.b.store.flush()
        numbers = list(range(1, 41))
        self.assertEqual(await self.seqs(self.lobby), numbers)
        await self.a.catch_up()
        await self.b.catch_up()
        self.assertEqual(self.a.log(self.lobby), numbers)
        self.assertEqual(self.b.log(self.lobby), numbers)

    async def test_foreign_entries_come_before_own_results(self) -> None:
        await self.a.stored(self.lobby, message("one"))
        own = await self.b.stored(self.lobby, message("two"))
        (kind, foreign), last = self.b.heard
        self.assertEqual((kind, last), ("foreign", ("own", own)))
        self.assertEqual([entry.msg for entry in foreign.entries[self.lobby]], ["one"])
        self.assertEqual(own.entry.seq, 2)

    async def test_a_call_that_names_a_room_hears_of_it_and_of_new_rooms(self) -> None:
        old, other = await self.shared_room(), await self.a.room(None, "Other")
        await self.b.store.load_rooms([other])
        self.b.heard.clear()
        for room in (old, other):
            await self.a.stored(room, message("hi"))
        new = await self.a.room(None, "New")
        self.patch(foreign_reader, "_news", lambda *_: self.fail("it has looked at all rooms"))
        await self.b.store.catch_up((old, 999))
        logs = {room: self.b.log(room) for room in (old, other, new)}
        self.assertEqual(logs, {old: [2], other: [], new: []})
        self.assertEqual([one.room_id for one in self.b.system()], [new])

    async def test_a_node_that_catches_up_hears_all_rooms_once(self) -> None:
        ann = await self.a.account("Ann")
        room = await self.shared_room()
        self.b.heard.clear()
        other = await self.a.room(ann, "Other")
        await self.a.stored(room, message("in"))
        await self.a.stored(self.lobby, message("out"))
        await self.b.catch_up()
        (first, second) = self.b.foreign()
        [added] = self.b.system()
        self.assertEqual((type(added), added.room_id), (RoomAdded, other))
        self.assertEqual((first.entries, first.loaded), ({}, ()))
        self.assertEqual([entry.seq for entry in second.entries[room]], [2])
        self.assertEqual(second.entries[room][0].room_name, "Garden")
        self.assertEqual(set(second.entries), {self.lobby, room})
        await self.b.catch_up()
        await self.a.catch_up()
        self.assertEqual(len(self.b.foreign()), 2)
        self.assertEqual(self.a.foreign(), [])
        self.assertEqual(self.b.follower.known.rooms.keys(), {self.lobby, room})

    async def test_only_the_rooms_that_are_named_are_read(self) -> None:
        room = await self.shared_room()
        await self.a.stored(room, message("in"))
        await self.a.stored(self.lobby, message("out"))
        self.b.heard.clear()
        await self.b.catch_up({room: 2, 999: 5})
        (heard,) = self.b.foreign()
        self.assertEqual(list(heard.entries), [room])

    async def test_what_a_node_is_told_to_read_is_what_was_stored(self) -> None:
        told: list[dict[int, int]] = []
        self.a.writer._notify = lambda heads, rows=None: told.append(dict(heads))
        room = await self.a.room(None)
        await self.a.stored(self.lobby, message("one"))
        await self.a.store.flush()
        self.assertEqual(
            [each for each in told if each], [{room: 1, SYSTEM_ID: 1}, {self.lobby: 1}]
        )

    async def test_parts_are_fair_between_rooms(self) -> None:
        room = await self.shared_room()
        self.b.heard.clear()
        self.patch(foreign_reader, "READ_AT_ONCE", 5)
        self.patch(foreign_reader, "OF_ONE_ROOM", 3)
        for number in range(7):
            self.a.append(self.lobby, message(f"{number}"))
        self.a.append(room, message("in"))
        await self.a.store.flush()
        await self.b.catch_up()
        parts = [
            {room_id: len(entries) for room_id, entries in one.entries.items()}
            for one in self.b.foreign()
        ]
        self.assertEqual(parts, [{self.lobby: 3, room: 1}, {self.lobby: 3}, {self.lobby: 1}])

    async def test_more_than_a_batch_reads_is_caught_up_first(self) -> None:
        self.patch(follower, "READ_IN_BATCH", 3)
        for number in range(4):
            self.a.append(self.lobby, message(f"{number}"))
        await self.a.store.flush()
        await self.b.stored(self.lobby, message("own"))
        self.assertEqual(self.b.log(self.lobby), [1, 2, 3, 4, 5])

    async def test_a_batch_that_is_always_behind_reads_all(self) -> None:
        self.patch(follower, "READ_IN_BATCH", 0)
        self.patch(Follower, "catch_up", lambda *_: iter(()))
        for number in range(4):
            self.a.append(self.lobby, message(f"{number}"))
        await self.a.store.flush()
        await self.b.stored(self.lobby, message("own"))
        self.assertEqual(self.b.log(self.lobby), [1, 2, 3, 4, 5])

    async def test_a_look_finds_what_is_behind(self) -> None:
        room = await self.shared_room()
        await self.a.stored(room, message("in"))
        await self.a.room(None, "Other")
        found = await self.b.store._reads.run(self.b.follower.look)
        self.assertEqual(found, {room: 2, SYSTEM_ID: 2})
        await self.b.catch_up(found)
        self.assertEqual(await self.b.store._reads.run(self.b.follower.look), {})

    async def test_looks_go_round(self) -> None:
        self.patch(foreign_reader, "LOOK_ROOMS", 1)
        self.patch(foreign_reader, "LOOK_STATEMENTS", 1)
        room = await self.shared_room()
        for each in (room, self.lobby):
            await self.a.stored(each, message("in"))
        found = [dict(await self.b.store._reads.run(self.b.follower.look)) for _ in range(3)]
        self.assertEqual(found, [{self.lobby: 1}, {room: 2}, {self.lobby: 1}])


class StaleTests(NodesCase):
    async def test_a_change_on_a_stale_room_is_refused(self) -> None:
        ann, bob = [await self.a.account(name) for name in ("Ann", "Bob")]
        room = await self.shared_room()
        checked = self.b.follower.known.rooms[room].foreign
        self.assertEqual(checked, 0)
        await self.a.stored(room, joined("Ann"), ann)
        refused = self.b.append(room, joined("Bob"), bob, checked=checked)
        call = self.b.call(lambda db: "done", Plan(Locks(rooms=(room,)), checked=(room, checked)))
        await self.assertFailure(call, Stale)
        self.assertIsInstance(refused.error, Stale)
        self.assertEqual(self.b.log(room), [2, 0])
        # The foreign change counts, and that the own one was not stored.
        again = await self.b.stored(room, joined("Bob"), bob, checked=checked + 2)
        self.assertEqual(again.entry.seq, 3)

    async def test_messages_make_nothing_stale(self) -> None:
        ann = await self.a.account("Ann")
        room = await self.shared_room()
        await self.a.stored(room, message("one"))
        own = await self.b.stored(room, joined("Ann"), ann, checked=0)
        self.assertEqual(own.entry.seq, 3)

    async def test_a_message_of_a_former_member_is_refused(self) -> None:
        ann, bob = [await self.a.account(name) for name in ("Ann", "Bob")]
        room = await self.shared_room([ann, bob])
        await self.a.stored(room, left("Ann"), ann)
        refused = self.b.append(room, message("one"), ann, checked=0)
        own = self.b.append(room, message("two"), bob, checked=0)
        await self.b.store.flush()
        self.assertIsInstance(refused.error, NotInRoom)
        self.assertEqual((own.error, own.entry.seq), (None, 5))

    async def test_a_stale_change_that_was_made_gets_its_ack(self) -> None:
        ann, bob = [await self.a.account(name) for name in ("Ann", "Bob")]
        room = await self.shared_room()
        made = await self.a.stored(room, joined("Ann"), ann, txn="t", content="join")
        again = self.b.append(room, joined("Ann"), ann, txn="t", content="join", checked=0)
        other = self.b.append(room, joined("Ann"), ann, txn="t", content="else", checked=0)
        new = self.b.append(room, left("Bob"), bob, txn="t", content="leave", checked=0)
        await self.b.store.flush()
        assert again.earlier is not None
        self.assertEqual(again.earlier.seq, made.entry.seq)
        self.assertIsInstance(other.error, TxnConflict)
        self.assertIsInstance(new.error, Stale)

    async def test_same_txn_at_two_nodes(self) -> None:
        ann = await self.a.account("Ann")
        table = (("one", "one"), ("two", "three"))
        for number, texts in enumerate(table):
            sent = [
                node.append(self.lobby, message(text), ann, txn=f"t{number}")
                for node, text in zip((self.a, self.b), texts, strict=True)
            ]
            await self.a.store.flush()
            await self.b.store.flush()
            self.assertEqual(sum(one.entry.seq > 0 for one in sent), 1)
            (late,) = [one for one in sent if not one.entry.seq]
            if texts[0] == texts[1]:
                assert late.earlier is not None
            else:
                self.assertIsInstance(late.error, TxnConflict)
            self.assertEqual(len(await self.seqs(self.lobby)), number + 1)

    async def test_a_message_to_a_room_that_another_node_deleted(self) -> None:
        room = await self.shared_room()
        await self.a.store.delete_room(room, 1)
        late = self.b.append(room, message("late"), checked=0)
        await self.b.store.flush()
        self.assertIsInstance(late.error, NotStored)


class SystemTests(NodesCase):
    async def tell(self, node: Node, *entries: Any) -> None:
        await node.call(lambda db: None, Plan(TELLING, lambda _: entries))

    async def test_what_is_told_comes_in_order_and_once(self) -> None:
        await self.tell(self.a, AccountEnded(1), AccountEnded(2))
        await self.tell(self.b, AccountEnded(3))
        await self.tell(self.a, AccountEnded(4))
        await self.b.catch_up()
        self.assertEqual(self.a.system(), [AccountEnded(3)])
        self.assertEqual(self.b.system(), [AccountEnded(each) for each in (1, 2, 4)])

    async def test_who_is_online_is_kept(self) -> None:
        ann = await self.a.account("Ann")
        await self.tell(self.a, Online({ann: "Ann", ann + 1: "no account"}))
        rows = await self.rows("SELECT account_id FROM online")
        self.assertEqual(rows, [(ann,)])
        await self.tell(self.a, Online({}, (ann,)))
        self.assertEqual(await self.rows("SELECT account_id FROM online"), [])

    async def rows(self, sql: str) -> list[Any]:
        return await self.a.store._reads.run(lambda db: db.execute(sql).fetchall())

    async def test_job_by_job_tells_only_what_is_stored(self) -> None:
        def fail(db: Any) -> None:
            db.execute("SELECT 1 / 0")

        failing = self.a.call(fail, Plan(TELLING, lambda _: [AccountEnded(1)]))
        told = self.a.call(lambda db: None, Plan(TELLING, lambda _: [AccountEnded(2)]))
        room = self.a.append(0, room_created(), room_key="garden")
        await self.assertFailure(failing, NotStored)
        await told
        await self.a.store.flush()
        await self.b.catch_up()
        ended, added = self.b.system()
        self.assertEqual((ended, added.room_id), (AccountEnded(2), room.room_id))
        self.flushLoggedErrors()

    async def test_what_is_told_needs_the_lock_of_the_log(self) -> None:
        untold = self.a.call(lambda db: None, Plan(tells=lambda _: [AccountEnded(1)]))
        await self.assertFailure(untold, NotStored)
        self.flushLoggedErrors()

    async def test_only_locked_logs_are_written_to(self) -> None:
        self.patch(batch_locks, "locks_of", lambda job: Locks())
        refused = self.a.append(self.lobby, message("one"))
        await self.a.store.flush()
        self.assertIsInstance(refused.error, NotStored)
        self.assertEqual(await self.seqs(self.lobby), [])
        self.flushLoggedErrors()


class SessionTests(NodesCase):
    async def test_a_login_sees_what_was_committed_before_it(self) -> None:
        ann = await self.a.account("Ann")
        room = await self.shared_room([ann])
        other = await self.a.room(None, "Other")
        self.b.heard.clear()
        for each in (room, other, self.lobby):
            await self.a.stored(each, message("one"))
        locks = Locks(accounts=(ann,), begins=True, held=frozenset([room]), system=True)
        plan = Plan(locks)
        ends = await self.b.call(self.ends_of(self.b, room, self.lobby, other), plan)
        self.assertEqual(ends, [3, 1, 2])  # the other room is not followed
        (heard,) = self.b.foreign()
        self.assertEqual(set(heard.entries), {room, self.lobby})

    def ends_of(self, node: Node, *rooms: int) -> Callable[[Any], list[int]]:
        """Return a call that returns the ends of logs as a login or a resume sees them."""
        log_writer = node.store._log_writer
        return lambda db: [log_writer.position(db, each).seq for each in rooms]  # type: ignore[union-attr]

    async def test_resume_ends_where_the_pushes_begin(self) -> None:
        ann = await self.a.account("Ann")
        room = await self.shared_room([ann])
        token = b"t" * 32
        await self.a.call(
            lambda db: db.execute(
                "INSERT INTO sessions (token_hash, account_id, began_at, marks_read, protocol,"
                " address, created_at) VALUES (%s, %s, 0, true, '', '', 0)",
                (token, ann),
            ),
            Plan(begun=(token,)),
        )
        await self.a.stored(room, message("before"))
        locks = Locks(tokens=(token,), begins=True, held=frozenset([room]), system=True)
        plan = Plan(locks, begun=(token,))

        def resume(db: Any) -> list[int]:
            # Another node writes while the batch runs, to a room that is not locked.
            other = self.database.open_reader()
            other.execute("SET default_transaction_read_only = off")
            other.execute(
                "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, id, msg)"
                f" VALUES ({room}, 4, 2, 'speak', 1, 'Ann', 'i', 'late')"
            )
            other.execute(f"UPDATE heads SET seq = 4, messages = 2 WHERE room_id = {room}")
            other.execute("SET default_transaction_read_only = on")
            other.close()
            return self.ends_of(self.b, room)(db)

        self.assertEqual(await self.b.call(resume, plan), [3])
        await self.b.catch_up()
        self.assertEqual(self.b.log(room), [3, 4])
        found = await self.a.store._reads.run(
            lambda db: db.execute("SELECT node_id FROM sessions").fetchall()
        )
        self.assertEqual(found, [(self.b.follower._node_id,)])


class FaultTests(NodesCase):
    async def test_a_batch_that_is_rolled_back_delivers_nothing_foreign(self) -> None:
        await self.a.stored(self.lobby, message("one"))
        room = await self.a.room(None)
        known = self.b.follower.known
        before = copy.deepcopy((known.system, known.rooms))
        with mock.patch.object(self.b.store._database, "commit", side_effect=self.full()):
            lost = self.b.append(0, room_created("Other"), room_key="other")
            also = self.b.append(self.lobby, message("two"))
            await self.b.store.flush()
        self.assertIsInstance(lost.error, NotStored)
        self.assertIsInstance(also.error, NotStored)
        self.assertEqual(self.b.foreign(), [])
        self.assertEqual((known.system, known.rooms), before)
        await self.b.stored(0, room_created("Other"), room_key="other")
        await self.b.stored(self.lobby, message("two"))
        self.assertIn(room, [one.room_id for one in self.b.system()])
        self.assertEqual([seq for seq in self.b.log(self.lobby) if seq], [1, 2])
        self.flushLoggedErrors()

    def full(self) -> Exception:
        import psycopg

        return psycopg.errors.DiskFull("no space left")

    async def test_uncertain_commit_with_foreign_entries(self) -> None:
        database = self.b.store._database
        commit = database.commit
        for number, stored in enumerate((True, False)):
            await self.a.stored(self.lobby, message("foreign"))

            def uncertain(db: Any, stored: bool = stored) -> None:
                commit(db) if stored else db.execute("ROLLBACK")
                database.commit = commit  # type: ignore[method-assign]
                raise UncertainCommit("no answer")

            database.commit = uncertain  # type: ignore[method-assign]
            with mock.patch.object(database, "was_committed", lambda stored=stored: stored):
                own = self.b.append(self.lobby, message("own"))
                await self.b.store.flush()
            self.assertEqual((own.error is None, own.entry.seq), (stored, 2 if stored else 0))
            await self.b.catch_up()
            numbers = [seq for seq in self.b.log(self.lobby) if seq]
            self.assertEqual(numbers, list(range(1, 3 + number)))
        self.flushLoggedErrors()

    async def test_outrun(self) -> None:
        expired = Deferred[None]()
        self.b.writer._expired = lambda: expired.callback(None)
        await self.a.room(None)
        self.database.execute("DELETE FROM system_log")
        self.b.catch_up()
        await expired
        job = StoreCall(lambda db: None)
        catch_up = CatchUp({})
        for each in (job, catch_up):
            self.b.writer.put(each)
        kept = await self.b.writer.abandon()
        self.assertIn(job, kept)
        self.assertIn(catch_up, kept)
        self.assertFalse(job.deferred.called)
        # As another node it works again.
        await self.use_again()

    async def test_outrun_by_a_log_whose_beginning_was_removed(self) -> None:
        expired = Deferred[None]()
        self.b.writer._expired = lambda: expired.callback(None)
        room = await self.shared_room()
        for text in "abc":
            await self.a.stored(room, message(text))
        retention = Retention(2**60, Keep(messages=2))
        await self.a.call(lambda db: cut(db, room, retention), Plan())
        self.b.catch_up()
        await expired
        await self.b.writer.abandon()
        self.assertEqual(self.b.log(room), [])
        await self.use_again()

    async def use_again(self) -> None:
        """Let node b load anew, as one that was given up does."""
        self.b.store.load()
        await self.b.stored(self.lobby, message("again"))

    async def test_a_node_that_was_given_up_delivers_nothing(self) -> None:
        await self.a.stored(self.lobby, message("one"))
        own = self.b.append(self.lobby, message("two"))
        kept = await self.b.writer.abandon()
        self.assertEqual(kept, [own])
        self.assertEqual(self.b.heard, [])
        await self.use_again()
        self.assertEqual([each.entry.msg for _, each in self.b.heard], ["again"])

    async def test_a_store_that_was_given_up_can_be_closed(self) -> None:
        await self.b.writer.abandon()
        late = self.b.append(self.lobby, message("late"))
        caught = self.b.catch_up()
        await self.b.store.close()
        self.assertIsInstance(late.error, NotStored)
        await self.assertFailure(caught, NotStored)
        self.flushLoggedErrors()

    async def test_a_lost_connection_is_replaced_to_catch_up(self) -> None:
        await self.a.stored(self.lobby, message("one"))
        backend = self.b.writer._db.info.backend_pid
        postgres.server().execute(f"SELECT pg_terminate_backend({backend}, 60000)")
        await self.b.catch_up()
        self.assertEqual(self.b.log(self.lobby), [1])
        self.flushLoggedErrors()


class OneNodeTests(TestCase):
    """A store in SQLite, which one server uses."""

    async def test_one_node_takes_no_locks(self) -> None:
        self.patch(Indexer, "wait", lambda _: None)
        self.patch(Cleanup, "has_work", lambda _: False)
        path = Path(self.mktemp())
        create_empty(path)
        store = SQLStore(SQLiteDatabase(path), reactor)
        self.addCleanup(store.close)
        lobby = store.load().rooms[0].id
        executed: list[str] = []
        db: Any = store._writer._db
        db.set_trace_callback(executed.append)
        for number in range(3):
            store.append(pending_entry(lobby, message(str(number))))
        await store.flush()
        db.set_trace_callback(None)
        # The position of the log is read once, and remembered for later batches.
        words = [" ".join(sql.split()[:3]) for sql in executed]
        self.assertEqual(
            words,
            ["BEGIN IMMEDIATE", "SELECT heads.seq, heads.messages", "INSERT INTO entries"]
            + ["INSERT INTO heads", "COMMIT"],
        )
        self.assertIsNone(store._follower)


class _Statements:
    """A connection that notes statements; it finds nothing."""

    def __init__(self) -> None:
        self.executed: list[tuple[str, tuple[Any, ...]]] = []

    def execute(self, sql: str, parameters: Any) -> list[Any]:
        self.executed.append((sql, parameters))
        return [(b"t", 7)] if "FROM sessions" in sql else []


class _Database:
    """Notes what is sent with the begin of a transaction."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, db: _Statements, then: str = "") -> list[Any] | None:
        self.begun.append(then)
        return [(2, 5, 4)] if then else None


class LockTests(SynchronousTestCase):
    def test_locks_are_taken_in_order(self) -> None:
        jobs = [
            pending_entry(9, message()),
            StoreCall(None, plan=Plan(Locks(system=True, accounts=(5, 3), begins=True))),
            StoreCall(None, plan=Plan(Locks(directs=((5, 3),), tokens=(b"t",), begins=True))),
            StoreCall(None, plan=Plan(Locks(names=("Ann", "room Garden"), accounts=(4,)))),
            pending_entry(2, message()),
        ]
        db = _Statements()
        wanted = BatchLocks.of(jobs)
        wanted.take(db)  # type: ignore[arg-type]
        buckets = sorted({bucket_of("Ann"), bucket_of("room Garden")})
        self.assertEqual(
            db.executed,
            [
                (batch_locks._LOCK_NAMES, (buckets,)),
                (batch_locks._ACCOUNTS_OF, ([b"t"],)),
                (batch_locks._LOCK_ACCOUNTS, ([3, 4, 5, 7],)),
                (batch_locks._CONVERSATIONS, ([5], [3])),
                (batch_locks._LOCK_HEADS, ([2, 9, SYSTEM_ID],)),
            ],
        )
        self.assertEqual([one.accounts for one in wanted.beginnings], [{3, 5}, {7}])
        for sql in (batch_locks._LOCK_ACCOUNTS, batch_locks._LOCK_HEADS):
            self.assertRegex(sql, "ORDER BY .* FOR NO KEY UPDATE$")

    def test_messages_lock_their_rooms_only(self) -> None:
        db = _Statements()
        BatchLocks.of([pending_entry(9, message())]).take(db)  # type: ignore[arg-type]
        self.assertEqual(db.executed, [(batch_locks._LOCK_HEADS, ([9],))])
        db.executed.clear()
        BatchLocks.of([StoreCall(None)]).take(db)  # type: ignore[arg-type]
        self.assertEqual(db.executed, [])

    def test_ends_of_logs_are_locked_by_the_message_that_begins(self) -> None:
        jobs = [
            pending_entry(9, message()),
            StoreCall(None, plan=Plan(Locks(system=True))),
            pending_entry(2, message()),
        ]
        database, db = _Database(), _Statements()
        self.assertEqual(BatchLocks.of(jobs).begin(database, db), {2: (5, 4)})  # type: ignore[arg-type]
        sql = batch_locks._LOCK_HEADS.replace("%s", f"'{{2,9,{SYSTEM_ID}}}'")
        self.assertEqual((database.begun, db.executed), ([sql], []))

    def test_other_locks_come_before_those(self) -> None:
        jobs = [
            pending_entry(9, message()),
            StoreCall(None, plan=Plan(Locks(accounts=(3,)))),
        ]
        database, db = _Database(), _Statements()
        BatchLocks.of(jobs).begin(database, db)  # type: ignore[arg-type]
        self.assertEqual(database.begun, [""])
        self.assertEqual(
            [sql for sql, _ in db.executed], [batch_locks._LOCK_ACCOUNTS, batch_locks._LOCK_HEADS]
        )

    @given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
    def test_names_that_look_alike_have_one_lock(self, name: str) -> None:
        for prefix in ("", "room "):
            twin = name.replace("o", "\u043e").replace("a", "\u0430")
            self.assertEqual(rivals(skeleton(name))[0], rivals(skeleton(twin))[0])
            self.assertEqual(bucket_of(prefix + name), bucket_of(prefix + twin))
