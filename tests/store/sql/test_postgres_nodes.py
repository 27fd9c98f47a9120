"""The contract of several nodes, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gtchat.chat.node_records import AddressAsked
from gtchat.store import SQLStore
from gtchat.store.sql import catch_ups, heartbeat
from tests import postgres
from tests.store.contract import message
from tests.store.nodes_contract import MovingContract, NodesContract, SeveralNodesContract
from tests.store.nodes_mail_contract import NodesMailContract
from tests.store.sql.test_look import wired
from tests.store.stale_contract import StaleContract

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.postgres import PostgresDatabase


class QuickNodes:
    """Opens two nodes without lives on one database."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def open_nodes(self) -> list[SQLStore]:
        self.patch(catch_ups, "LOOK_S", 3600)  # tests say when a node catches up
        first = postgres.QuickDatabase(node="first")
        second = postgres.QuickDatabase(node="second", beside=first)
        return [SQLStore(each, reactor) for each in (first, second)]


class OneNodeTests(NodesContract, TestCase):
    """See `NodesContract`; a node does not know that it is alone."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        return SQLStore(postgres.QuickDatabase(), reactor)

    async def test_catch_up_of_one_node_fires_at_once(self) -> None:
        """Catch up, before what waits in the queue is done."""
        self.append(self.lobby, message())
        await self.store.catch_up()
        await self.store.flush()
        self.assertEqual(len(self.calls), 1)

    async def test_what_one_node_tells_waits_for_nothing(self) -> None:
        """Tell it: there may be other nodes."""
        await self.store.tell(AddressAsked(1, "Ann", b"t" * 32, 2, 3))


class CarryingNodes(QuickNodes):
    """Opens two nodes whose bus carries rows, and reads nothing that it has carried."""

    def open_nodes(self) -> list[SQLStore]:
        self.patch(catch_ups, "LOOK_S", 3600)
        first = postgres.QuickDatabase(node="first")
        second = postgres.QuickDatabase(node="second", beside=first)
        wires = wired(carries_rows=True)
        return [
            SQLStore(each, reactor, notifier=wire)
            for each, wire in zip((first, second), wires, strict=True)
        ]


class SeveralCarryingNodesTests(CarryingNodes, SeveralNodesContract, TestCase):
    """See `SeveralNodesContract`."""


class CarryingNodesMailTests(CarryingNodes, NodesMailContract, TestCase):
    """See `NodesMailContract`."""


class SeveralNodesTests(QuickNodes, SeveralNodesContract, TestCase):
    """See `SeveralNodesContract`."""


class StaleTests(QuickNodes, StaleContract, TestCase):
    """See `StaleContract`."""


class NodesMailTests(QuickNodes, NodesMailContract, TestCase):
    """See `NodesMailContract`."""


class MovingTests(MovingContract, TestCase):
    """See `MovingContract`; with nodes that live."""

    timeout = 60
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_nodes(self) -> list[SQLStore]:
        self.patch(heartbeat, "BEAT_S", 0.05)
        self.url = postgres.empty()
        return [SQLStore(PostgresDatabase(self.url, each), reactor) for each in ("first", "second")]

    async def expire(self, by: Any, gone: Any) -> None:
        """Let a node expire, and wait until another one has noticed."""
        node_id = gone._database.node_id
        await deferToThread(self._expire, node_id)

    def _expire(self, node_id: int) -> None:
        with psycopg.connect(self.url, autocommit=True) as db:
            # A row that has expired is not prolonged any more.
            db.execute(
                "UPDATE nodes SET expires = clock_timestamp() - interval '1 s' WHERE id = %s",
                (node_id,),
            )
            while db.execute("SELECT 1 FROM nodes WHERE id = %s", (node_id,)).fetchone():
                db.execute("SELECT pg_sleep(0.01)")
