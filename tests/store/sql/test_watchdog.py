"""Calls that get no answer from PostgreSQL: when they are given up, and what becomes of them."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.errors import NotStored
from gtchat.store import SQLStore
from tests import postgres
from tests.store.contract import message
from tests.store.sql.stalling import Proxy
from tests.store.sql.test_uncertain_commits import LossCase

if postgres.MISSING is None:
    from gtchat.store.sql.postgres import PostgresDatabase
    from gtchat.store.sql.watchdog import GRACE_S, Watchdog

    class WatchedDatabase(PostgresDatabase):
        """A database that is watched by a clock of the test.

        Attributes:
            before_commit: called before the next commit, None for nothing.
        """

        before_commit: Any = None

        def __init__(self, url: str) -> None:
            super().__init__(url)
            self.clock = Clock()

        def start_watching(self, clock: IReactorTime) -> None:
            super().start_watching(self.clock)

        def commit(self, db: Any) -> None:
            if self.before_commit is not None:
                before, self.before_commit = self.before_commit, None
                before()
            super().commit(db)


@attrs.define(eq=False)
class FakeConnection:
    patience: float | None = 5.0
    calls: int = 0
    closed: bool = False
    ended: int = 0

    def shut_down(self) -> None:
        self.ended += 1


class RuleTests(SynchronousTestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.clock = Clock()
        self.db: Any = FakeConnection()
        self.watchdog = Watchdog()
        self.watchdog.add(self.db)
        self.watchdog.start(self.clock)

    def ended_after(self, seconds: int) -> int:
        """Let time pass; return how often the socket was shut down."""
        self.clock.pump([1] * seconds)
        return self.db.ended

    def test_a_call_is_ended_when_patience_is_over(self) -> None:
        self.db.calls = 1
        self.assertEqual([self.ended_after(6), self.ended_after(1)], [0, 1])

    def test_calls_that_are_answered_and_pauses_are_left_alone(self) -> None:
        for self.db.calls in (0, 1, 3, 4, 5):
            self.assertEqual(self.ended_after(6), 0)
        self.db.calls = 6
        self.assertEqual(self.ended_after(60), 0)

    def test_a_call_without_a_limit_takes_any_time(self) -> None:
        self.db.calls, self.db.patience = 1, None
        self.assertEqual(self.ended_after(100), 0)

    def test_closed_connections_and_a_stopped_watchdog_do_nothing(self) -> None:
        self.db.calls, self.db.closed = 1, True
        self.assertEqual(self.ended_after(20), 0)
        self.assertEqual(self.watchdog._connections, set())
        self.watchdog.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StalledTests(LossCase, TestCase):
    """A server behind a proxy that stops forwarding."""

    timeout = 60
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.commit_batches_only()
        server = postgres.server()
        self.proxy = Proxy(server.folder)
        self.addCleanup(self.proxy.close)
        url = postgres.empty().replace(str(server.folder), str(self.proxy.folder))
        self.database = WatchedDatabase(url)
        return SQLStore(self.database, reactor)

    def swallowed(self) -> tuple[Deferred[None], Any]:
        """Return what fires when the proxy has swallowed something, and what to tell it then."""
        fired = Deferred[None]()

        def told() -> None:
            reactor.callFromThread(lambda: fired.called or fired.callback(None))

        return fired, told

    async def time_out(self, fired: Deferred[None], limit: float) -> None:
        """Wait until something was swallowed, then let the time pass."""
        await fired
        self.proxy.resume()
        self.database.clock.pump([1.0] * int(limit + GRACE_S + 2))

    async def test_a_batch_that_was_swallowed_is_done_again(self) -> None:  # H43
        ann = await self.account("Ann")
        fired, told = self.swallowed()
        self.proxy.stall(told)
        pending = self.append(self.lobby, message("one"), ann)
        await self.time_out(fired, 10)
        await self.store.flush()
        self.assertIsNone(pending.error)
        self.assertEqual(await self.texts(), ["one"])

    async def test_a_commit_that_was_swallowed_is_found_out(self) -> None:  # H43
        ann = await self.account("Ann")
        for text, answers in (("request", False), ("answer", True)):
            await self.store.flush()
            fired, told = self.swallowed()
            self.database.before_commit = partial(self.proxy.stall, told, answers=answers)
            pending = self.append(self.lobby, message(text), ann)
            known = self.store.register(text, text, None, None, 1)
            await self.time_out(fired, 10)
            if answers:
                await known
                self.assertIsNone(pending.error)
            else:
                await self.assertFailure(known, NotStored)
                self.assertIsInstance(pending.error, NotStored)
        self.assertEqual(await self.texts(), ["answer"])

    async def test_a_read_that_was_swallowed_is_done_again(self) -> None:  # H43
        ann = await self.account("Ann")
        self.assertIsNone((await self.send("one", ann)).error)
        fired, told = self.swallowed()
        self.proxy.stall(told)
        texts = Deferred.fromCoroutine(self.texts())
        await self.time_out(fired, 5)
        self.assertEqual(await texts, ["one"])

    def test_the_time_limit_is_that_of_the_session(self) -> None:
        for options, patience in (("", 10 + GRACE_S), ("1500ms", 1.5 + GRACE_S), ("0", None)):
            url = postgres.shared() + (options and f"&options=-cstatement_timeout%3D{options}")
            db: Any = PostgresDatabase(url)._connect({"statement_timeout": "10s"})
            self.assertEqual((db.patience, db.calls % 2), (patience, 0))
            before = len(os.listdir("/proc/self/fd"))
            db.close()
            self.assertEqual(before - len(os.listdir("/proc/self/fd")), 2)
