"""When a node reads what others have written: woken by the bus, or by a look each second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.node_records import SYSTEM_ID, Foreign, NodeGone, Online
from gtchat.store import SQLStore
from gtchat.store.jobs import CatchUp, Job, StoreCall
from gtchat.store.notifying import CarriedRows, INotifier, TakeHeads
from gtchat.store.paging import MAX_SEQ
from gtchat.store.sql import carried_rows, catch_ups
from gtchat.store.sql.batch_writer import Outcome
from gtchat.store.sql.catch_ups import LOOK_S, CatchUps
from gtchat.store.sql.foreign_reader import ForeignReader
from gtchat.store.sql.node_standing import NodeStanding
from gtchat.store.sql.writer import merged
from tests import postgres
from tests.store.contract import message, pending_entry


class Notifier:
    """An `INotifier` that is driven by a test."""

    received: TakeHeads

    def __init__(self, carries_rows: bool = False) -> None:
        self.carries_rows = carries_rows
        self.chats: list[str] = []
        self.sent: list[Mapping[int, int]] = []
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1

    def join(self, chat: str) -> None:
        self.chats.append(chat)

    def notify(self, heads: Mapping[int, int], rows: bytes | None = None) -> None:
        self.sent.append(heads)

    def stop(self) -> Deferred[None]:
        self.stopped += 1
        return succeed(None)


class CatchUpsTests(SynchronousTestCase):
    """Which catch-ups are in the queue of the writer, and when."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue: list[CatchUp] = []
        self.notifier = Notifier()
        self.looks: list[Deferred[dict[int, int]]] = []
        self.standing = NodeStanding(self.clock.seconds)
        self.node = CatchUps(self.clock, self.queue.append, self.look, self.notifier, self.standing)
        self.node.start()

    def look(self) -> Deferred[dict[int, int]]:
        self.looks.append(Deferred())
        return self.looks[-1]

    def done(self, error: Exception | None = None) -> dict[int, int]:
        """Let the writer do the first catch-up of its queue; return its rooms."""
        job = self.queue.pop(0)
        assert job.deferred is not None
        if error is None:
            job.deferred.callback(None)
        else:
            job.deferred.errback(error)
        return job.heads

    def test_what_comes_while_one_waits_is_read_by_the_next(self) -> None:
        for heads in ({1: 2}, {1: 3}, {2: 5}):
            self.notifier.received(heads)
        self.assertEqual(len(self.queue), 1)
        self.assertEqual((self.done(), len(self.queue)), ({1: 2}, 1))
        self.assertEqual((self.done(), self.queue), ({1: 3, 2: 5}, []))

    def test_how_long_it_has_missed_something(self) -> None:
        lag = self.standing.lag
        self.assertEqual(lag(), 0.0)
        for seq, seconds in ((2, 0.25), (3, 0.5)):
            self.notifier.received({1: seq})
            self.clock.advance(0.25)
            self.assertEqual(lag(), seconds)
        self.done()
        self.assertEqual(lag(), 0.25)  # since what came meanwhile
        self.done()
        self.assertEqual(lag(), 0.0)

    def test_it_misses_something_until_a_look_finds_nothing(self) -> None:
        lag = self.standing.lag
        self.notifier.received({1: 2})
        self.clock.advance(LOOK_S)
        self.looks[0].callback({})  # the catch-up is under way
        self.done(NotStored())
        self.clock.advance(LOOK_S)
        self.assertEqual(lag(), 2 * LOOK_S)
        self.looks[1].callback({})
        self.assertEqual(lag(), 0.0)
        self.clock.advance(LOOK_S)
        self.looks[2].errback(NotStored())
        self.clock.advance(LOOK_S)
        self.assertEqual(lag(), LOOK_S)
        self.looks[3].callback({})
        self.assertEqual(lag(), 0.0)

    def test_any_room_is_all_rooms(self) -> None:
        self.notifier.received({1: 2})
        self.notifier.received({2: 2})
        self.notifier.received(None)
        self.notifier.received({3: 2})
        self.assertEqual((self.done(), self.done(), self.queue), ({1: 2}, {}, []))
        self.notifier.received({1: 3})
        self.assertEqual(self.done(), {1: 3})

    def test_rows_are_taken_to_the_queue_in_their_order(self) -> None:
        sent = [CarriedRows(1, {}, (("online", "{}"),), seq) for seq in range(4)]
        self.notifier.received({5: 1})
        for rows in sent[:3]:
            self.notifier.received(rows.heads, rows)
        self.notifier.received({5: 2})
        self.assertEqual(self.done(), {5: 1})
        [job] = self.queue
        self.assertEqual((job.heads, list(job.rows), job.is_of_all), ({5: 2}, sent[:3], False))
        self.done()
        self.notifier.received(sent[3].heads, sent[3])
        [job] = self.queue
        self.assertEqual((job.heads, list(job.rows), job.is_of_all), ({}, sent[3:], False))

    def test_rows_of_more_transactions_than_may_wait_are_read(self) -> None:
        self.notifier.received({5: 1})
        for seq in range(catch_ups.MAX_ROWS + 2):
            rows = CarriedRows(1, {}, (("online", "{}"),), seq)
            self.notifier.received(rows.heads, rows)
        self.done()
        [job] = self.queue
        self.assertEqual(len(job.rows), catch_ups.MAX_ROWS)
        self.assertEqual(job.heads, {SYSTEM_ID: catch_ups.MAX_ROWS + 1})

    def test_all_that_waits_is_one_job(self) -> None:
        rows = CarriedRows(1, {}, (("online", "{}"),), 1)
        waiting = [CatchUp({1: 5}), CatchUp({}, rows=[rows]), CatchUp({1: 4, 2: 1}, rows=[rows])]
        found = merged(waiting)
        self.assertEqual((found.heads, found.rows), ({1: 5, 2: 1}, [rows, rows]))
        self.assertTrue(merged([*waiting, CatchUp({})]).is_of_all)

    def test_it_looks_each_second_but_not_twice_at_once(self) -> None:  # H25
        self.assertEqual(self.looks, [])
        self.clock.advance(LOOK_S)
        self.clock.pump([LOOK_S] * 3)
        self.assertEqual(len(self.looks), 1)
        self.looks[0].callback({})
        self.assertEqual(self.queue, [])
        self.clock.advance(LOOK_S)
        self.looks[1].callback({7: 8})
        self.assertEqual(self.done(), {7: 8})

    def test_a_look_that_fails_is_not_the_last(self) -> None:
        for number, error in enumerate((NotStored(), ZeroDivisionError())):
            self.clock.advance(LOOK_S)
            self.looks[number].errback(error)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        look, self.node._look = self.node._look, lambda: 1 / 0  # type: ignore[assignment,return-value]
        self.clock.advance(LOOK_S)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.node._look = look
        self.clock.advance(LOOK_S)
        self.assertEqual(len(self.looks), 3)

    def test_what_was_not_read_is_left_to_the_next_look(self) -> None:
        self.notifier.received({1: 2})
        self.notifier.received({2: 2})
        self.done(NotStored())
        self.assertEqual(self.queue, [])
        self.notifier.received({3: 2})
        self.assertEqual(self.done(), {3: 2})

    def test_a_writer_that_refuses_is_not_asked_again_at_once(self) -> None:
        asked: list[CatchUp] = []

        def refuse(job: CatchUp) -> None:
            asked.append(job)
            assert job.deferred is not None
            job.deferred.errback(NotStored())

        node = CatchUps(self.clock, refuse, lambda: fail(NotStored()))
        node.received({1: 2})
        node.received({1: 3})
        self.assertEqual([job.heads for job in asked], [{1: 2}, {1: 3}])

    def test_a_call_waits_for_a_catch_up_of_its_own(self) -> None:
        self.notifier.received({1: 2})
        called = self.node.catch_up((7,))
        self.assertEqual(self.done(), {1: 2})
        self.assertNoResult(called)
        self.assertEqual(self.done(), {SYSTEM_ID: MAX_SEQ, 7: MAX_SEQ})
        self.successResultOf(called)
        failed = self.node.catch_up(())
        self.done(NotStored())
        self.failureResultOf(failed, NotStored)

    def test_it_looks_and_listens_no_more_when_it_stops(self) -> None:
        self.node.notify({1: 1})
        self.successResultOf(self.node.stop())
        self.clock.advance(LOOK_S)
        self.assertEqual(self.looks, [])
        seen = (self.notifier.started, self.notifier.sent, self.notifier.stopped)
        self.assertEqual(seen, (1, [{1: 1}], 1))

    def test_a_node_without_a_bus_looks(self) -> None:
        node = CatchUps(self.clock, self.queue.append, self.look)
        node.notify({1: 1})
        self.successResultOf(node.stop())
        node.start()
        self.clock.advance(LOOK_S)
        self.looks[-1].callback({1: 2})
        self.assertEqual(self.done(), {1: 2})
        self.successResultOf(node.stop())


class Wire(Notifier):
    """A bus without a server: what one node notifies another one of arrives there."""

    other: Wire | None = None

    def notify(self, heads: Mapping[int, int], rows: bytes | None = None) -> None:
        super().notify(heads)
        if self.other is not None:
            call: Any = reactor
            carried = None if rows is None else carried_rows.decode(rows)
            call.callFromThread(self.other.received, dict(heads), carried)


def wired(carries_rows: bool = False) -> tuple[Wire, Wire]:
    """Return the two ends of a bus."""
    a, b = Wire(carries_rows), Wire(carries_rows)
    a.other, b.other = b, a
    return a, b


class StoresTests(TestCase):
    """Two stores on one database."""

    timeout = 60
    if postgres.MISSING:
        skip = postgres.MISSING

    def begin(self, look: float, a: INotifier | None = None, b: INotifier | None = None) -> None:
        """Open two stores, `a` and `b`, which look after so many seconds."""
        self.patch(catch_ups, "LOOK_S", look)
        self.database = postgres.QuickDatabase(node="a")
        self.a = SQLStore(self.database, reactor, notifier=a)
        self.addCleanup(self.a.close)
        self.lobby = self.a.load().rooms[0].id
        self.b = self.beside("b", b)
        self.heard: list[Foreign] = []
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self.b.foreign = self._hear

    def beside(self, name: str, bus: INotifier | None) -> SQLStore:
        """Open a store beside the others."""
        database = postgres.QuickDatabase(node=name, beside=self.database)
        store = SQLStore(database, reactor, notifier=bus)
        self.addCleanup(store.close)
        store.load()
        return store

    def _hear(self, foreign: Foreign) -> None:
        self.heard.append(foreign)
        for condition, waiting in list(self._waiting):
            if condition():
                self._waiting.remove((condition, waiting))
                waiting.callback(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what node b has heard makes a condition true."""
        if not condition():
            waiting: Deferred[None] = Deferred()
            self._waiting.append((condition, waiting))
            await waiting

    def say(self, text: str) -> None:
        self.a.append(pending_entry(self.lobby, message(text)))

    def texts(self) -> list[str]:
        """Return the messages that node b has heard, in order."""
        return [
            entry.msg  # type: ignore[attr-defined]
            for foreign in self.heard
            for entry in foreign.entries.get(self.lobby, ())
        ]

    async def test_a_node_that_is_woken_hears_what_another_has_stored(self) -> None:
        self.begin(3600, *wired())
        for number in range(5):
            self.say(f"{number}")
            await self.a.flush()
        await self.until(lambda: len(self.texts()) == 5)
        self.assertEqual(self.texts(), [f"{number}" for number in range(5)])

    async def test_what_the_bus_carries_is_not_read(self) -> None:
        read = self.count_reads()
        self.begin(3600, *wired(carries_rows=True))
        await self.a.register("Ann", "ann", "hash", None, 100)
        for number in range(5):
            self.say(f"{number}")
            await self.a.flush()
        await self.until(lambda: len(self.texts()) == 5)
        self.assertEqual(self.texts(), [f"{number}" for number in range(5)])
        self.a.announce({1: "Ann"}, ())
        await self.until(lambda: len(self.told()) == 1)
        self.assertEqual(read, [])

    async def test_what_the_bus_has_lost_is_read_when_more_comes(self) -> None:
        a, b = wired(carries_rows=True)
        self.begin(3600, a, b)
        read = self.count_reads()
        a.other = None
        self.say("lost")
        await self.a.flush()
        a.other = b
        self.say("found")
        await self.until(lambda: self.texts() == ["lost", "found"])
        self.assertEqual(read, [{self.lobby: 2}])
        self.say("carried")
        await self.until(lambda: len(self.texts()) == 3)
        self.assertEqual(read, [{self.lobby: 2}])

    def count_reads(self) -> list[Mapping[int, int]]:
        """Return a list that gets what nodes read when they catch up."""
        read: list[Mapping[int, int]] = []
        read_missing = ForeignReader._read_missing

        def counted(reader: ForeignReader, db: Any, heads: Mapping[int, int]) -> Any:
            read.append(dict(heads))
            return read_missing(reader, db, heads)

        self.patch(ForeignReader, "_read_missing", counted)
        return read

    async def test_nodes_of_one_chat_have_a_name_for_it_that_no_other_has(self) -> None:
        a, b = wired()
        self.begin(3600, a, b)
        await self.a.close()
        later, alone = Wire(), Wire()
        c = self.beside("c", later)
        for store in (c, self.b):
            await store.close()
        self.beside("d", alone)
        [chat] = set(a.chats + b.chats + later.chats)
        self.assertTrue(chat.isalnum())
        self.assertEqual(len(alone.chats), 1)
        self.assertNotIn(chat, alone.chats)

    async def test_a_look_finds_what_the_bus_lost(self) -> None:
        deaf = Wire(), Wire()
        self.begin(0.02, *deaf)
        self.say("one")
        await self.until(lambda: self.texts() == ["one"])
        self.say("two")
        await self.until(lambda: self.texts() == ["one", "two"])
        await self.a.flush()  # the look may be there before the bus is told
        told = [heads for heads in deaf[0].sent if heads]
        self.assertEqual(told, [{self.lobby: 1}, {self.lobby: 2}])

    async def test_a_node_that_leaves_wakes_the_others(self) -> None:
        a, b = wired()
        self.begin(3600, a, b)
        await self.a.close()
        self.assertEqual([list(heads) for heads in a.sent if heads], [[SYSTEM_ID]])

        def gone() -> list[NodeGone]:
            found = (entry for foreign in self.heard for _, entry in foreign.system)
            return [entry for entry in found if isinstance(entry, NodeGone)]

        await self.until(lambda: len(gone()) == 1)

    async def test_a_call_that_catches_up_is_answered_behind_what_it_brings(self) -> None:
        self.begin(3600)
        self.say("one")
        await self.a.flush()
        await self.b.catch_up((self.lobby,))
        self.assertEqual(self.texts(), ["one"])

    async def test_what_another_thread_has_told_is_read_here_and_elsewhere(self) -> None:
        a, b = wired()
        self.begin(3600, a, b)
        self.say("one")
        await self.a.flush()
        await self.until(lambda: self.texts() == ["one"])
        a.other = None
        self.say("two")
        await self.a.flush()
        self.b.told({self.lobby: 2, SYSTEM_ID: 0})
        await self.until(lambda: self.texts() == ["one", "two"])
        self.assertEqual(b.sent, [{self.lobby: 2, SYSTEM_ID: 0}])

    def told(self) -> list[Online]:
        """Return what node b has heard of who is online."""
        found = (entry for foreign in self.heard for _, entry in foreign.system)
        return [entry for entry in found if isinstance(entry, Online)]

    async def test_who_is_online_is_told_also_after_a_failure(self) -> None:
        self.begin(0.02)
        ann, bob = [
            await self.a.register(name, name.lower(), "hash", None, 100) for name in ("Ann", "Bob")
        ]
        self.a.announce({ann: "Ann"}, ())
        await self.until(lambda: len(self.told()) == 1)
        # A batch fails: what it was to tell is told with the next look.
        failing = self.patch(self.a._writer, "_commit", self._refuse)
        self.a.announce({bob: "Bob"}, (ann,))
        await self.a.flush()
        failing.restore()
        await self.until(lambda: len(self.told()) == 2)
        self.assertEqual(self.told(), [Online({ann: "Ann"}), Online({bob: "Bob"}, (ann,))])

    def _refuse(self, batch: list[Job]) -> Outcome:
        """Fail a batch, as the writer does while the database does not answer."""
        for job in batch:
            if isinstance(job, StoreCall) and job.function is not None:
                job.error = NotStored()
        return Outcome(error=OSError("no answer"))

    async def test_a_node_that_is_given_up_neither_reads_nor_stores(self) -> None:
        self.begin(3600)
        self.b.is_lost = True
        self.assertFalse(self.b.healthy())
        for call in (
            lambda: self.b.phones(),
            lambda: self.b.flush(),
            lambda: self.b.catch_up(),
            lambda: self.b.search(Any),  # type: ignore[arg-type]
        ):
            await self.assertFailure(call(), NotStored)
        self.b.is_lost = False
        await self.b.phones()
        await self.b.catch_up()

    async def test_a_closed_store_has_ended_its_bus(self) -> None:
        a, b = wired()
        self.begin(3600, a, b)
        await self.a.close()
        self.assertEqual([(one.started, one.stopped) for one in (a, b)], [(1, 1), (1, 0)])
        await self.assertFailure(self.a.catch_up(), NotStored)
