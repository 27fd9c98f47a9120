"""The contract of several nodes, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.interfaces import PendingRoomChange
from gtchat.chat.moderation_events import Muted
from gtchat.chat.node_records import AddressAsked
from gtchat.store import SQLStore
from gtchat.store.sql import catch_ups, heartbeat, moderation
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


class RenamedTests(SynchronousTestCase):
    """The moderation of a room that two nodes change at once, each in its transaction."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        database = postgres.QuickDatabase(node="first")
        second = postgres.QuickDatabase(node="second", beside=database)
        self.dbs: list[Any] = [each.open_writer() for each in (database, second)]
        for db in self.dbs:
            self.addCleanup(db.close)
        self.dbs[0].execute(
            "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
            " VALUES (5, 'garden', 'Garden', true, '', 0, '')"
        )
        self.mute("Ann", 7)(self.dbs[0])

    def mute(self, name: str, account_id: int) -> Callable[[Any], None]:
        entry = Muted(room_name="Garden", usr=name, subject_id=account_id, at=1, by="Bo", until=0)
        return lambda db: moderation.fold(db, PendingRoomChange(room_id=5, entry=entry))

    def change(self, *changes: Callable[[Any], None]) -> list[str]:
        """Make two changes at once; return the names that are muted then."""
        first, second = self.dbs
        for db in self.dbs:
            db.execute("BEGIN")
        changes[0](first)
        # It waits for a lock that the first has.
        pid = second.execute("SELECT pg_backend_pid()").fetchone()[0]
        waiting = Thread(target=lambda: (changes[1](second), second.execute("COMMIT")))
        waiting.start()
        self.addCleanup(waiting.join)
        waits = "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted"
        while waiting.is_alive() and not first.execute(waits, (pid,)).fetchone():
            first.execute("SELECT pg_sleep(0.01)")
        first.execute("COMMIT")
        waiting.join()
        stored = first.execute("SELECT moderation FROM rooms WHERE id = 5").fetchone()[0]
        found = moderation.decode(stored)
        return sorted(one.name for one in found.mutes.values())

    def test_a_name_is_changed_in_what_another_node_stores_meanwhile(self) -> None:
        muted = self.change(self.mute("Bob", 8), lambda db: moderation.rename(db, 7, "Anna"))
        self.assertEqual(muted, ["Anna", "Bob"])

    def test_what_is_stored_meanwhile_does_not_bring_a_former_name_back(self) -> None:
        muted = self.change(lambda db: moderation.rename(db, 7, "Anna"), self.mute("Bob", 8))
        self.assertEqual(muted, ["Anna", "Bob"])
