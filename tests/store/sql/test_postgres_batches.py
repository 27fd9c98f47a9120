"""Statements of a batch whose results are not read: they wait for the next one that is."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.store import SQLStore
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.search_index import Indexer
from tests import postgres
from tests.store.contract import GuestsTogether, message

if postgres.MISSING is None:
    import psycopg

#: A statement that fails whatever is stored.
FAILS = ("SELECT 1 / %s", (0,))


class SendTests(SynchronousTestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        database = postgres.QuickDatabase()
        self.db: Any = database.open_writer()
        self.addCleanup(self.db.close)
        database.begin(self.db)

    def put(self, key: str) -> None:
        self.db.send("INSERT INTO meta VALUES (%s, '')", (key,))

    def keys(self) -> list[str]:
        return [key for (key,) in self.db.execute("SELECT key FROM meta ORDER BY key")]

    def test_they_are_executed_in_order_before_the_next_one(self) -> None:
        self.put("a")
        self.db.send("UPDATE meta SET key = %s", ("b",))
        self.put("a")
        self.assertEqual(self.keys(), ["a", "b"])
        self.assertEqual(self.keys(), ["a", "b"])

    def test_the_next_one_raises_their_error_and_is_not_executed(self) -> None:
        self.put("a")
        self.db.send(*FAILS)
        self.assertRaises(psycopg.errors.DivisionByZero, self.db.execute, "COMMIT")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.keys(), [])

    def test_a_rollback_drops_them(self) -> None:
        self.put("a")
        self.db.execute("SAVEPOINT job")
        self.put("b")
        self.db.send(*FAILS)
        self.db.execute("ROLLBACK TO job")
        self.assertEqual(self.keys(), ["a"])
        self.db.send(*FAILS)
        self.db.execute("ROLLBACK")
        self.assertEqual(self.keys(), [])


class BatchTests(GuestsTogether, TestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.patch(Indexer, "wait", lambda _: None)
        self.patch(Cleanup, "has_work", lambda _: False)
        self.database = postgres.QuickDatabase()
        return SQLStore(self.database, reactor)

    async def test_messages_wait_for_the_answers_of_two_calls(self) -> None:
        ann = await self.account("Ann")
        await self.stored(self.lobby, message("first"), ann)
        before = self.store._writer._db.calls
        sent = [self.append(self.lobby, message(str(number)), ann) for number in range(255)]
        await self.store.flush()
        self.assertEqual([pending.entry.seq for pending in sent], list(range(2, 257)))
        self.assertEqual(self.store._writer._db.calls - before, 2 * 2)

    async def test_a_store_that_is_closed_has_left(self) -> None:
        with psycopg.connect(postgres.shared()) as db:
            nodes = "SELECT count(*) FROM nodes"
            self.assertEqual(db.execute(nodes).fetchone(), (1,))
            await self.store.close()
            self.assertEqual(db.execute(nodes).fetchone(), (0,))
