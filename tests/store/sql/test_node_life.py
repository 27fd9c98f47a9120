"""A node that is lost: what fails and when, and how it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import PendingEntry, PendingRoomChange, StoredState
from gtchat.chat.node_records import Foreign, NodeGone
from gtchat.store import SQLStore, StoreUnavailable
from gtchat.store.jobs import CatchUp, StoreCall
from tests import postgres
from tests.store.contract import message
from tests.store.sql.test_uncertain_commits import LossCase, terminate

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql import catch_ups, heartbeat, node_calls, node_life, system_log
    from gtchat.store.sql.database import UncertainCommit
    from gtchat.store.sql.node_life import LOOK_S, RELOAD_S, NodeLife
    from gtchat.store.sql.postgres import PostgresDatabase

    class ForgottenDatabase(PostgresDatabase):
        """A database that loses the answer of a commit, and gives this node up meanwhile.

        Attributes:
            text: the message whose commit that is, None for none.
        """

        text: str | None = None

        def commit(self, db: Any) -> None:
            found = db.execute("SELECT FROM entries WHERE msg = %s", (self.text,)).fetchone()
            super().commit(db)
            if found is not None:
                self.text = None
                with psycopg.connect(self._address.conninfo) as other:
                    other.execute("DELETE FROM nodes")
                terminate(db)
                raise UncertainCommit("no answer")


STATE = StoredState(epoch="e", rooms=(), guests=())


class FakeReactor(Clock):
    def callFromThread(self, function: Any, *args: Any) -> None:  # noqa: N802
        function(*args)


class FakeThread:
    """A thread that ends before `start` returns."""

    def __init__(self, target: Any, name: str, daemon: bool) -> None:
        self.start = target


class FakeHeartbeat:
    """The last one that was made is `newest`."""

    newest: FakeHeartbeat

    def __init__(self, database: Any, node_id: int, lost: Any, told: Any) -> None:
        self.lost, self.told = lost, told
        self.events = database.events
        self.overdue = False
        FakeHeartbeat.newest = self

    def start(self) -> None:
        self.events.append("heart starts")

    def stop(self) -> None:
        self.events.append("heart stops")

    def is_overdue(self) -> bool:
        return self.overdue


class FakeNode:
    """Database and store in one, which note what is done.

    Attributes:
        events: what was done, in order.
        ended: fires when the writer is idle.
        failures: how often the database does not answer when the node comes back.
        bugs: how often something else fails then.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.ended = Deferred[list[Any]]()
        self.failures = self.bugs = 0
        self.node_id = 1
        self.is_lost = False
        self.lost = lambda: self.events.append("lost")
        self.restored = lambda state: self.events.append(("restored", state, self.is_lost))

    def abandon(self) -> Deferred[list[Any]]:
        self.events.append("abandon")
        return self.ended

    def cut_off(self) -> None:
        self.events.append("cut off")

    def committed(self, entries: Sequence[PendingEntry]) -> None:
        self.events += [type(one.error) for one in entries]

    def failed(self, changes: Sequence[PendingRoomChange]) -> None:
        self.events += ["taken back" for _ in changes]

    def renew(self) -> None:
        self.events.append("renew")

    def reload(self) -> StoredState:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("no answer")
        if self.bugs:
            self.bugs -= 1
            raise ZeroDivisionError
        self.node_id += 1
        self.events.append("reload")
        return STATE

    def told(self, heads: Any) -> None:
        self.events.append(dict(heads))


#: What happens when a node is lost, and when it comes back.
LOSS = ["heart stops", "abandon", "cut off", "lost"]
RETURN = ["renew", "reload", "heart starts", ("restored", STATE, False)]


class LifeTests(SynchronousTestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.patch(node_life, "Heartbeat", FakeHeartbeat)
        self.patch(node_life, "Thread", FakeThread)
        self.patch(node_life, "RETRY_S", 0)
        self.reactor = FakeReactor()
        self.node = FakeNode()
        self.life = NodeLife(self.reactor, self.node, self.node)
        self.life.start()

    def events(self) -> list[Any]:
        """Return what was done since the last call."""
        found = self.node.events[:]
        self.node.events.clear()
        return found

    def test_what_has_no_result_fails_when_the_connections_are_closed(self) -> None:
        self.events()
        entry = PendingEntry(1, message())
        call, waiting, catch_up = (
            StoreCall(lambda: None),
            StoreCall(None),
            CatchUp({}, Deferred()),
        )
        self.life.lose()
        self.assertTrue(self.node.is_lost)
        self.assertEqual(self.events(), LOSS)
        self.assertNoResult(call.deferred)
        self.node.ended.callback([catch_up, entry, call, waiting, CatchUp({})])
        self.assertEqual(self.events(), [NotStored, *RETURN])
        self.failureResultOf(call.deferred, NotStored)
        self.failureResultOf(catch_up.deferred, NotStored)  # type: ignore[arg-type]
        self.successResultOf(waiting.deferred)

    def test_what_was_committed_when_it_was_given_up_is_no_result(self) -> None:
        entry = PendingEntry(1, message())
        entry.entry.seq = 5
        self.life.lose()
        self.node.ended.callback([entry])
        self.assertEqual((entry.entry.seq, type(entry.error)), (0, NotStored))

    def test_it_comes_back_when_the_database_does(self) -> None:
        self.node.failures = 3
        self.events()
        self.life.lose()
        self.node.ended.callback([])
        self.assertEqual(self.events(), [*LOSS, *["renew"] * 3, *RETURN])

    def test_it_comes_back_after_a_bug(self) -> None:
        self.node.bugs = 1
        self.events()
        self.life.lose()
        self.node.ended.callback([])
        self.assertEqual(self.events(), [*LOSS, "renew", *RETURN])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_row_that_was_not_prolonged_for_too_long_is_lost(self) -> None:
        self.events()
        self.reactor.pump([LOOK_S] * 10)
        self.assertEqual(self.events(), [])
        FakeHeartbeat.newest.overdue = True
        self.reactor.advance(LOOK_S)
        self.assertEqual(self.events(), LOSS)
        self.reactor.pump([LOOK_S] * 10)
        self.assertEqual((self.events(), self.reactor.getDelayedCalls()), ([], []))

    def test_it_is_lost_once(self) -> None:
        heart = FakeHeartbeat.newest
        self.events()
        heart.lost()
        self.life.lose()
        heart.lost()
        self.assertEqual(self.events(), LOSS)
        self.node.ended.callback([])
        self.events()
        heart.lost()  # of the node that it was before
        self.assertEqual(self.events(), [])
        self.node.ended = Deferred()
        FakeHeartbeat.newest.lost()
        self.assertEqual(self.events(), LOSS)

    def test_what_the_chat_failed_on_is_loaded_anew_now_and_then(self) -> None:
        self.events()
        for wait in (0, RELOAD_S, RELOAD_S):
            self.life.failed()  # on the same entry, perhaps
            self.life.failed()
            self.assertEqual(self.events(), [])  # the results of the batch come first
            self.reactor.advance(wait / 2)
            self.assertEqual(self.events(), [] if wait else LOSS)
            self.reactor.advance(wait / 2)
            self.events()
            self.node.ended.callback([])
            self.assertEqual(self.events(), RETURN)
            self.node.ended = Deferred()
        self.reactor.advance(RELOAD_S)
        self.assertEqual(self.events(), [])
        self.life.failed()
        self.reactor.advance(0)
        self.assertEqual(self.events(), LOSS)

    def test_a_load_for_a_failure_is_not_needed_after_another(self) -> None:
        for end in (self.life.lose, self.life.stop):
            self.life._reloaded = self.reactor.seconds()
            self.life.failed()
            end()
            self.life.failed()
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.life.start()

    def test_the_end_of_another_node_is_read_at_once(self) -> None:
        self.events()
        FakeHeartbeat.newest.told(7)
        self.assertEqual(self.events(), [{2**63 - 1: 7}])

    def test_a_store_that_closes_does_not_come_back(self) -> None:
        self.events()
        self.life.close()
        call = StoreCall(lambda: None)
        FakeHeartbeat.newest.lost()
        self.node.ended.callback([call])
        self.assertEqual(self.events(), ["heart stops", "abandon", "cut off"])
        self.failureResultOf(call.deferred, NotStored)

    def test_a_node_that_has_left_is_not_lost(self) -> None:
        self.events()
        self.life.stop()
        FakeHeartbeat.newest.lost()
        self.life.lose()
        self.assertEqual(self.events(), ["heart stops"])


class LoadTests(TestCase):
    """A store that loads while other nodes change what it takes over."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def store(self, conflicts: int) -> SQLStore:
        """Return a store whose first loads meet another node."""
        database = postgres.QuickDatabase("one")
        begin, left = database.begin_load, iter(range(conflicts))

        def begin_load(db: Any) -> None:
            begin(db)
            for _ in left:
                raise psycopg.errors.SerializationFailure("could not serialize access")

        self.patch(database, "begin_load", begin_load)
        self.patch(node_calls, "LOAD_PAUSE_S", 0)
        store = SQLStore(database, reactor)
        self.addCleanup(store.close)
        return store

    def test_it_tries_again(self) -> None:
        self.assertEqual(len(self.store(20).load().rooms), 1)

    def test_it_gives_up_after_some_time(self) -> None:
        self.patch(node_calls, "LOAD_S", 0)
        with self.assertRaisesRegex(StoreUnavailable, "could not serialize access"):
            self.store(1).load()


class RejoinTests(LossCase, TestCase):
    """A store whose node is given up, and comes back."""

    timeout = 60
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.patch(heartbeat, "BEAT_S", 0.05)
        self.patch(heartbeat, "LIFE_S", 60.0)  # on a busy machine a beat may be late
        self.patch(heartbeat, "_PROLONG", heartbeat._PROLONG.replace("3.0 s", "60 s"))
        self.url = postgres.empty()
        self.database = ForgottenDatabase(self.url, "one")
        self.events: list[Any] = []
        return SQLStore(self.database, reactor)

    def setUp(self) -> None:
        super().setUp()
        self.restored = Deferred[StoredState]()
        self.store.lost = lambda: self.events.append("lost")
        self.store.restored = self.restored.callback
        self.store.committed = lambda entries: self.events.extend(
            [(one.entry.msg, type(one.error)) for one in entries]
        )

    def change(self, sql: str) -> None:
        with psycopg.connect(self.url) as db:
            db.execute(sql)

    async def test_a_node_that_has_expired_comes_back_as_another_one(self) -> None:  # H42
        await self.account("Ann")
        before = self.database.node_id
        self.change("UPDATE nodes SET expires = clock_timestamp()")
        state = await self.restored
        self.assertEqual(self.events, ["lost"])
        self.assertEqual(state.rooms, self.state.rooms)
        self.assertNotEqual(self.database.node_id, before)
        ann = (await self.store.find_account("ann", None)).id
        self.assertIsNone((await self.send("one", ann)).error)
        with psycopg.connect(self.url) as db:
            found = db.execute("SELECT id, loaded FROM nodes").fetchall()
        self.assertEqual(found, [(self.database.node_id, True)])

    async def test_a_node_loads_anew_what_the_chat_has_failed_on(self) -> None:
        ann = await self.account("Ann")
        other = SQLStore(PostgresDatabase(self.url, "two"), reactor)
        self.addCleanup(other.close)
        other.load()
        self.store.foreign = lambda foreign: self.events.append(1 / 0)
        entry = PendingEntry(self.lobby, message("bad"))
        entry.entry.subject_id = ann
        other.append(entry)
        state = await self.restored
        self.assertEqual([room.last_seq for room in state.rooms], [1])
        self.assertEqual(self.events, ["lost"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_node_that_may_have_expired_delivers_nothing_of_others(self) -> None:
        ann = await self.account("Ann")
        other = SQLStore(PostgresDatabase(self.url, "two"), reactor)
        self.addCleanup(other.close)
        other.load()
        self.store._life._looking.stop()
        self.patch(heartbeat, "LIFE_S", 0.0)
        self.store.foreign = lambda foreign: self.events.append("delivered")
        entry = PendingEntry(self.lobby, message("one"))
        entry.entry.subject_id = ann
        other.append(entry)
        await self.restored
        self.assertEqual(self.events, ["lost"])

    async def test_a_node_loads_anew_past_what_it_cannot_read(self) -> None:
        await self.account("Ann")
        other = SQLStore(PostgresDatabase(self.url, "two"), reactor)
        self.addCleanup(other.close)
        other.load()
        self.patch(system_log, "decode", lambda *_: {}["unknown"])
        other.announce({1: "Ann"}, ())
        self.patch(catch_ups, "LOOK_S", 0.05)
        await self.restored
        self.assertIn("lost", self.events)

    async def test_a_commit_of_a_node_that_is_given_up_has_no_answer(self) -> None:
        ann = await self.account("Ann")
        self.database.text = "one"
        self.append(self.lobby, message("one"), ann, "t1")
        failing = self.store.register("Bob", "bob", None, None, 1)
        self.append(self.lobby, message("two"), ann, "t2")
        await self.assertFailure(failing, NotStored)
        self.assertEqual(self.events[:2], ["lost", ("one", NotStored)])
        with self.assertRaises(NotStored):
            await self.store.register("Carl", "carl", None, None, 1)
        await self.restored
        again = await self.send("one", ann, "t1")
        self.assertIsNotNone(again.earlier)
        self.assertEqual(await self.texts(), ["one", "two"])
        self.assertEqual(self.events[2:], [("two", NotStored), ("one", type(None))])

    async def test_the_end_of_a_node_is_told_to_the_others(self) -> None:
        other = SQLStore(PostgresDatabase(self.url, "two"), reactor)
        self.addCleanup(other.close)
        other.load()
        mine, theirs = self.database.node_id, other._database.node_id
        heard = Deferred[Foreign]()
        self.store.foreign = heard.callback
        other._life._heartbeat.stop()
        self.change("UPDATE nodes SET expires = clock_timestamp() WHERE name = 'two'")
        self.assertEqual((await heard).system, ((mine, NodeGone(theirs)),))
        lost = Deferred[None]()
        other.lost = lambda: lost.callback(None)
        with self.assertRaises(NotStored):
            await other.register("Dora", "dora", None, None, 1)
        await lost
        self.assertEqual(self.events, [])
