"""A short run of nodes.py, for the runs of the tests on PostgreSQL: it takes seconds of a core."""

from __future__ import annotations

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from tests import nats_server, postgres
from tests.e2e.server import ON_POSTGRES
from tests.stress import node_faults, truth
from tests.stress.nodes import Nodes


class OneNode(SynchronousTestCase):
    skip = postgres.MISSING or (None if ON_POSTGRES else "only with TESTS_POSTGRES=1")

    def test_killed_processes_and_connections_lose_nothing(self) -> None:
        only = ("both", "backend", "cut")
        result = asyncio.run(Nodes(nodes=1, kills=3, seed=7, only=only).run())
        self.assertEqual(result.violations, [])
        self.assertEqual(
            {name: kind.count for name, kind in result.faults.items()}, dict.fromkeys(only, 1)
        )
        self.assertGreater(result.acknowledged, 10)


class TwoNodes(SynchronousTestCase):
    skip = postgres.MISSING or (None if ON_POSTGRES else "only with TESTS_POSTGRES=1")

    def test_users_go_on_at_the_other_node_and_lose_nothing(self) -> None:
        only = ("node", "both", "backend", "expire", "bus")
        result = asyncio.run(Nodes(nodes=2, kills=5, seed=7, only=only).run())
        self.assertEqual(result.violations, [])
        self.assertEqual(
            {name: kind.count for name, kind in result.faults.items()}, dict.fromkeys(only, 1)
        )
        self.assertGreater(result.acknowledged, 10)

    def test_entries_of_the_other_node_that_come_late_are_noticed(self) -> None:
        run = Nodes(nodes=2, kills=3, seed=7, only=("cut",), mutant="no-foreign-first")
        found = " ".join(asyncio.run(run.run()).violations)
        self.assertRegex(found, r"received \d+ of [a-z0-9 ]+ after \d+")

    def test_a_session_of_a_node_that_was_given_up_is_not_one_of_a_connected_user(self) -> None:
        run = Nodes(nodes=2, kills=0, seed=7)
        found: list[str] = []
        find_lost = truth.find_lost

        def find_later(database: str, users: list[str]) -> list[str]:
            run._faults._query(node_faults._EXPIRE, "node1")
            while not found:
                found.extend(find_lost(database, users))
            return found

        self.patch(truth, "find_lost", find_later)
        self.assertEqual(asyncio.run(run.run()).violations, [])
        self.assertTrue(found)

    def test_a_session_that_is_lost_by_the_node_that_it_left_is_noticed(self) -> None:
        run = Nodes(nodes=2, kills=1, seed=2, only=("bus",), mutant="session-lost-anyway")
        found = " ".join(asyncio.run(run.run()).violations)
        self.assertRegex(found, r"user\d is connected, and the session lost")


class TwoNodesOnNats(SynchronousTestCase):
    skip = postgres.MISSING or nats_server.MISSING
    if not ON_POSTGRES:
        skip = "only with TESTS_POSTGRES=1"

    def test_a_server_of_nats_that_is_killed_or_stopped_loses_nothing(self) -> None:
        only = ("nats", "nats, stop")
        result = asyncio.run(Nodes(nodes=2, kills=2, seed=7, only=only, bus="nats").run())
        self.assertEqual(result.violations, [])
        self.assertGreater(result.acknowledged, 10)

    def test_rows_that_do_not_follow_are_noticed(self) -> None:
        run = Nodes(2, 1, 7, only=("nats",), mutant="rows-anyhow", bus="nats")
        found = " ".join(asyncio.run(run.run()).violations)
        self.assertRegex(found, r"received \d+ of [a-z0-9 ]+ after \d+")
