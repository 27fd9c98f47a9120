"""Batches that meet another transaction: they are done again, and nothing is told meanwhile."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Thread
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import NotStored
from gtchat.store import SQLStore
from gtchat.store.sql import batch_writer
from gtchat.store.sql.database import Connection, Cursor
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.sqlite import SQLiteDatabase
from tests import postgres
from tests.databases import create_empty
from tests.store.contract import StoreCase, message

if postgres.MISSING is None:
    import psycopg


class Conflict(sqlite3.OperationalError):
    """A transaction met another one."""


class Conflicting(SQLiteDatabase):
    """A database in which the next `conflicts` transactions cannot be committed.

    Attributes:
        begun: number of transactions.
    """

    conflicts = begun = 0

    def begin(self, db: Connection, then: str = "") -> Cursor | None:
        self.begun += 1
        return super().begin(db, then)

    def commit(self, db: Connection) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("deadlock detected")
        super().commit(db)

    def is_conflict(self, error: Exception) -> bool:
        return isinstance(error, Conflict)


class RepetitionTests(StoreCase, TestCase):
    """The rules of the writer, with a database that has conflicts."""

    def open_store(self) -> SQLStore:
        self.patch(batch_writer, "REPEAT_S", 0)
        self.patch(Cleanup, "has_work", lambda _: False)  # it would meet the conflicts
        path = Path(self.mktemp())
        create_empty(path)
        self.database = Conflicting(path)
        return SQLStore(self.database, reactor)

    async def write(self, conflicts: int, *calls: Any) -> list[Any]:
        """Queue a message and calls in one batch that has conflicts; return what becomes of it."""
        await self.store.flush()
        self.calls.clear()
        self.database.conflicts, self.database.begun = conflicts, 0
        pending = self.append(self.lobby, message("one"), self.ann, "t1")
        queued = [self.store._write(call) for call in calls]
        for call in queued:
            call.addErrback(lambda failure: failure.value)
        await self.store.flush()
        return [pending, *[await call for call in queued]]

    async def test_a_batch_is_done_again(self) -> None:
        self.ann = await self.account("Ann")
        pending, again = await self.write(batch_writer.MAX_REPEATS, lambda db: self.database.begun)
        self.assertEqual((pending.error, pending.entry.seq, pending.earlier), (None, 1, None))
        self.assertEqual(again, batch_writer.MAX_REPEATS + 1)
        self.assertEqual(self.calls, [[pending]])
        self.assertTrue(self.store.healthy())

    async def test_a_batch_that_always_has_conflicts_is_refused_as_a_whole(self) -> None:
        self.ann = await self.account("Ann")
        pending, answer = await self.write(batch_writer.MAX_REPEATS + 1, lambda db: None)
        self.assertIsInstance(pending.error, NotStored)
        self.assertIsInstance(answer, NotStored)
        pending, answer = await self.write(0, lambda db: 7)
        self.assertEqual((pending.error, pending.entry.seq, answer), (None, 1, 7))

    async def test_jobs_that_are_done_one_by_one_are_done_again(self) -> None:
        self.ann = await self.account("Ann")
        runs: list[str] = []

        def refused(db: Connection) -> None:
            raise sqlite3.IntegrityError("no such row")

        def meets_another(db: Connection) -> str:
            runs.append("run")
            if len(runs) < 3:
                raise Conflict("deadlock detected")
            return "stored"

        pending, *answers = await self.write(0, refused, meets_another)
        self.assertEqual((pending.error, pending.entry.seq), (None, 1))
        self.assertIsInstance(answers[0], NotStored)
        self.assertEqual((answers[1], len(runs)), ("stored", 3))


class PostgresRepetitionTests(StoreCase, TestCase):
    """What PostgreSQL says, and what it means."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.patch(batch_writer, "REPEAT_S", 0)
        self.database = postgres.QuickDatabase()
        return SQLStore(self.database, reactor)

    def setUp(self) -> None:
        super().setUp()
        self.other: Any = psycopg.connect(self.database._address.conninfo)
        self.addCleanup(self.other.close)
        self.runs = 0

    async def test_a_lock_that_is_held_too_long(self) -> None:
        ann = await self.account("Ann")
        self.other.execute("SELECT 1 FROM accounts FOR UPDATE")

        def write(db: Any) -> int:
            self.runs += 1
            if self.runs == 3:
                self.other.rollback()
            db.execute("SET LOCAL lock_timeout = '1ms'")
            db.execute("UPDATE accounts SET name = 'Anna'")
            return self.runs

        pending = self.append(self.lobby, message("one"), ann)
        self.assertEqual(await self.store._write(write), 3)
        self.assertEqual((pending.error, pending.entry.seq), (None, 1))

    async def test_a_deadlock(self) -> None:
        await self.account("Ann")
        await self.account("Bob")
        lock = "SELECT 1 FROM accounts WHERE key = '{}' FOR UPDATE"
        self.other.execute(lock.format("bob"))

        def meet() -> None:
            self.other.execute(lock.format("ann"))
            self.other.commit()

        def write(db: Any) -> int:
            self.runs += 1
            if self.runs == 2:
                thread.join()  # else it may find the row locked again before it runs
            db.execute("SET LOCAL deadlock_timeout = '10ms'")
            db.execute(lock.format("ann"))
            if self.runs == 1:
                thread.start()
                waits = f"SELECT 1 WHERE pg_blocking_pids({self.other.info.backend_pid}) <> '{{}}'"
                while db.execute(waits).fetchone() is None:
                    pass
            db.execute(lock.format("bob"))
            return self.runs

        thread = Thread(target=meet)
        self.assertEqual(await self.store._write(write), 2)

    async def test_a_statement_that_takes_too_long_is_not_done_again(self) -> None:
        ann = await self.account("Ann")

        def write(db: Any) -> None:
            self.runs += 1
            db.execute("SET LOCAL statement_timeout = '1ms'")
            db.execute("SELECT pg_sleep(10)")

        pending = self.append(self.lobby, message("one"), ann)
        await self.assertFails(self.store._write(write), NotStored)
        self.assertIsInstance(pending.error, NotStored)
        self.assertEqual(self.runs, 1)
        self.flushLoggedErrors()
