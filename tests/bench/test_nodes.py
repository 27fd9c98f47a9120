"""`bench nodes`: choice of rows and loads, medians, table, and one run of two servers."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import __main__ as command_line
from bench import nodes
from bench.nodes import (
    KEPT,
    LOADS,
    ROWS,
    Row,
    Services,
    figures,
    measure_load,
    measure_rows,
    results_table,
    running,
    select_rows,
)
from bench.tools import FAULTS, BenchError, compile_program
from bench.workloads import Workload, select_workloads
from tests import postgres

ONE, TWO = ROWS[0], Row("2-postgres", 2)
R200 = LOADS[0]


def run_of(**values: float) -> dict[str, float]:
    """Return a run with some values; the others are 1, and there are no faults."""
    return {**dict.fromkeys(KEPT, 1.0), "faults": 0, **values}


class Figures(SynchronousTestCase):
    result = dict.fromkeys(FAULTS, 0.0) | {
        "deliv_s": 1800.0,
        "cpu_us": 5.0,
        "beside1_us": 2.0,
        "p50_us": 1000.0,
        "p99_us": 2000.0,
        "cross_p50_us": 3000.0,
        "cross_p99_us": 4000.0,
        "rss2_mb": 210.0,
        "cpu_pct": 60.0,
        "lg_cpu_pct": 9.0,
        "login_s": 500.0,
        "refusals": 3.0,
    }

    def test_several_servers(self) -> None:
        found = figures(TWO, R200, {**self.result, "lost": 2, "beside2_us": 0.5})
        self.assertEqual(set(found), {*KEPT, "faults"})
        self.assertEqual((found["msgs_s"], found["faults"]), (200.0, 2))
        self.assertEqual((found["store_us"], found["bus_us"]), (2.0, 0.5))
        self.assertEqual((found["p50_ms"], found["p99_ms"]), (3.0, 4.0))
        self.assertEqual(found["mib_node"], 105.0)

    def test_one_server_delivers_all_itself(self) -> None:
        found = figures(ONE, R200, self.result)
        self.assertEqual((found["p50_ms"], found["p99_ms"]), (1.0, 2.0))
        self.assertEqual((found["mib_node"], found["bus_us"]), (210.0, 0.0))


class Rounds(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[str] = []
        self.order: list[str] = []

    def measure(self, *costs: float | None) -> Callable[..., None]:
        """Return what measures these CPU times one after the other, and fails for None."""
        left = iter(costs)

        def measure(row: Row, begin: Callable[..., None], end: Callable[..., None]) -> None:
            begin(R200)
            self.order.append(row.name)
            cost = next(left)
            if cost is None:
                raise BenchError("no reason")
            end(R200, run_of(cpu_us=cost, faults=1))

        return measure

    def test_rows_are_measured_in_turns(self) -> None:
        measure = self.measure(1, 10, 2, 20, 9, 60)
        results, failed = measure_rows([ONE, TWO], [R200], 3, measure, self.said.append)
        self.assertEqual(self.order, ["1-sqlite", "2-postgres"] * 3)
        self.assertEqual(results["1-sqlite"]["R200"]["cpu_us"], 2)
        self.assertEqual(results["2-postgres"]["R200"]["cpu_us"], 20)
        self.assertEqual((results["2-postgres"]["R200"]["faults"], failed), (3, 0))
        self.assertEqual(self.said[2], "[2/6] round 1, 2-postgres, R200: ")

    def test_a_failure_is_told_and_the_rest_goes_on(self) -> None:
        measure = self.measure(None, 10, 2, None)
        results, failed = measure_rows([ONE, TWO], [R200], 2, measure, self.said.append)
        self.assertEqual(results["1-sqlite"]["R200"]["cpu_us"], 2)
        self.assertEqual(results["2-postgres"]["R200"]["cpu_us"], 10)
        self.assertEqual(failed, 2)
        self.assertIn("1-sqlite failed: no reason\n", self.said)


class Table(SynchronousTestCase):
    def test_a_line_for_each_load_and_row(self) -> None:
        fast = run_of(msgs_s=200.4, cpu_us=5.5, store_us=0, bus_us=0, p99_ms=2.26)
        slow = run_of(msgs_s=4321.0, store_us=0.5, faults=7)
        results = {"1-sqlite": {"R200": fast, "R5000": fast}, "3-nats": {"R5000": slow}}
        lines = results_table(results, LOADS[:2]).splitlines()
        self.assertEqual({line.count("|") for line in lines[:5]}, {13})
        cells = [line.strip("| ").split(" | ") for line in lines[2:5]]
        self.assertEqual(
            [line[:3] for line in cells],
            [
                ["R200", "1-sqlite", "200"],
                ["R5000", "1-sqlite", "200 of 5,000"],
                ["R5000", "3-nats", "4,321 of 5,000"],
            ],
        )
        self.assertEqual(cells[0][3:8], ["5.50", "–", "–", "1.0", "2.3"])
        self.assertEqual((cells[2][4], cells[2][-1]), ("0.500", "7"))
        self.assertEqual(lines[-2:], [f"* {load.name}: {load.description}" for load in LOADS[:2]])


class Choice(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[str] = []
        self.lacking = ""
        self.patch(
            Services, "missing", staticmethod(lambda row: self.lacking if row.bus == "nats" else "")
        )

    def test_all(self) -> None:
        self.assertEqual(select_rows([], self.said.append), list(ROWS))
        self.assertEqual(self.said, [])

    def test_by_name(self) -> None:
        chosen = select_rows(["3-NATS", "1-sqlite"], self.said.append)
        self.assertEqual([row.name for row in chosen], ["1-sqlite", "3-nats"])

    def test_what_is_not_installed_is_told_and_left_out(self) -> None:
        self.lacking = "pip install something"
        self.assertEqual(len(select_rows([], self.said.append)), 4)
        self.assertEqual(self.said[0], "left out: 2-nats: pip install something\n")
        self.assertRaises(BenchError, select_rows, ["2-nats"], self.said.append)

    def test_an_unknown_name(self) -> None:
        error = self.assertRaises(BenchError, select_rows, ["4-nats"], self.said.append)
        self.assertIn("no such servers: 4-nats; there are 1-sqlite, ", str(error))

    def test_loads(self) -> None:
        names = [load.name for load in select_workloads([], LOADS, LOADS)]
        self.assertEqual(names, ["R200", "R5000", "W2w4", "W3w1"])
        self.assertRaises(BenchError, select_workloads, ["W4"], LOADS, LOADS)


class Arguments(SynchronousTestCase):
    def setUp(self) -> None:
        self.terminal, self.output = io.StringIO(), io.StringIO()
        self.patch(sys, "stderr", self.terminal)
        self.patch(sys, "stdout", self.output)
        self.folder = Path(self.mktemp())
        self.faults = 0

        def measure_rows(*arguments: object) -> tuple[nodes.Results, int]:
            self.taken = arguments
            return {"1-sqlite": {"R200": run_of(faults=self.faults)}}, 0

        self.patch(nodes, "measure_rows", measure_rows)

    def run_nodes(self, *arguments: str) -> int:
        only = ("nodes", "--only", "1-sqlite", "--works", "R200", "--out", str(self.folder))
        return command_line.main([*only, *arguments])

    def test_defaults(self) -> None:
        self.assertEqual(self.run_nodes(), 0)
        rows, loads, rounds = self.taken[:3]
        self.assertEqual((rows, list(loads), rounds), ([ONE], [R200], 2))
        self.assertIn("| R200 | 1-sqlite | 1 of 200 |", self.output.getvalue())
        names = sorted(file.name for file in self.folder.iterdir())
        self.assertEqual(names, ["nodes.json", "nodes.md"])

    def test_json(self) -> None:
        self.assertEqual(self.run_nodes("--json", "--rounds", "3", "--seconds", "0.5"), 0)
        document = json.loads(self.output.getvalue())
        self.assertEqual((document["rounds"], document["seconds"]), (3, 0.5))
        self.assertEqual(document["results"]["1-sqlite"]["R200"]["cpu_us"], 1.0)

    def test_status_1_for_faults(self) -> None:
        self.faults = 1
        self.assertEqual(self.run_nodes(), 1)

    def test_what_cannot_be_used(self) -> None:
        for arguments in (
            ("nodes", "--seconds", "0"),
            ("nodes", "--against", "."),
            ("idle", "--seconds", "1"),
            ("compare", "--json"),
            ("storm", "--only", "1-sqlite"),
        ):
            self.assertEqual(command_line.main(arguments), 2, arguments)


class Run(SynchronousTestCase):
    skip = postgres.MISSING

    def test_two_servers_on_postgresql(self) -> None:
        try:
            compile_program("loadgen")
        except BenchError as error:
            self.skipTest(str(error))
        load = Workload("R50", "2 rooms of 2", 4, 2, 2, 1, 50)
        with ExitStack() as stack:
            services = Services(stack, postgres.server())
            where = stack.enter_context(running(TWO, services, load.rooms))
            found = measure_load(TWO, where, load, 0.2)
        self.assertEqual(found["faults"], 0)
        for key in ("msgs_s", "cpu_us", "store_us", "p50_ms", "mib_node"):
            self.assertGreater(found[key], 0, key)
