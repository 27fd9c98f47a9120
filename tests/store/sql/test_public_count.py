"""The count of the public rooms, which goes on behind the start."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import NotStored
from gtchat.store import SQLStore
from gtchat.store.sql import room_records
from tests import postgres
from tests.store.contract import StoreCase, room_created

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.postgres import _MOMENT_S


class FakeLife:
    """Notes that the node was given up."""

    losses = 0

    def lose(self) -> None:
        self.losses += 1

    def close(self) -> None: ...

    def stop(self) -> None: ...


class CountTests(StoreCase, TestCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        return SQLStore(postgres.QuickDatabase(), reactor)

    async def test_what_is_stored_after_the_load_is_not_counted(self) -> None:
        ann = await self.account("Ann")
        for name in ("a", "b"):
            await self.room(ann, name)
        await self.stored(0, room_created("c", public=False), ann, key="c")
        self.store.load()
        await self.room(ann, "d")
        self.assertEqual(await self.store.count_public(), 2)
        self.store.load()
        self.assertEqual(await self.store.count_public(), 3)

    async def test_the_lobby_of_a_new_chat_is_not_counted(self) -> None:
        self.assertEqual(await self.store.count_public(), 0)

    def test_a_count_that_gets_no_answer_is_cut_off_at_some_time(self) -> None:
        moment: Any = self.store._public_count._moment
        self.assertEqual(moment.patience, _MOMENT_S)

    async def fail(self, life: FakeLife) -> None:
        def count(db: Any) -> int:
            raise psycopg.OperationalError("no connection")

        self.patch(room_records, "public_total", count)
        self.patch(self.store, "_life", life)
        with self.assertRaises(NotStored):
            await self.store.count_public()

    async def test_a_count_that_fails_costs_the_node(self) -> None:
        life = FakeLife()
        await self.fail(life)
        self.assertEqual(life.losses, 1)
        self.assertEqual(len(self.flushLoggedErrors(psycopg.OperationalError)), 1)

    async def test_a_count_that_fails_as_the_node_is_lost_costs_no_other(self) -> None:
        life, self.store.is_lost = FakeLife(), True
        await self.fail(life)
        self.assertEqual(life.losses, 0)
