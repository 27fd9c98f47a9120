"""`bench compare --against`: statistics, order of turns, unusable arguments. Starts no server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import __main__ as command_line
from bench import against
from bench.against import (
    DEFAULT_WORKLOADS,
    Checkout,
    Pairs,
    measure_pairs,
    open_checkout,
    pairs_table,
    summarize_pairs,
    turn_order,
)
from bench.report import Measurement
from bench.tools import BenchError
from bench.workloads import WORKLOADS, Workload, select_workloads

W1W1, W1W16 = WORKLOADS[:2]


def costs(new: float, old: float, faults: int = 0) -> dict[str, Measurement]:
    """Return a round: the CPU µs of both sides, and the faults of the new one."""
    return {"new": {"cpu_us": new, "faults": faults}, "old": {"cpu_us": old, "faults": 0}}


def pairs_of(*rounds: dict[str, Measurement]) -> Pairs:
    """Return these rounds."""
    pairs = Pairs()
    for measured in rounds:
        pairs.add(measured)
    return pairs


class Statistics(SynchronousTestCase):
    def test_ratios_are_taken_pair_by_pair(self) -> None:
        pairs = pairs_of(costs(5, 4), costs(10, 8), costs(3, 4))
        self.assertEqual(pairs.ratios(), [1.25, 1.25, 0.75])

    def test_drift_of_the_machine_cancels(self) -> None:
        pairs = pairs_of(*(costs(1.1 * speed, speed) for speed in (4.0, 5.0, 8.0, 20.0)))
        summary = summarize_pairs(pairs)
        assert summary is not None
        for ratio in (summary.ratio, summary.low, summary.high, summary.least, summary.most):
            self.assertAlmostEqual(ratio, 1.1)

    def test_median_and_spread(self) -> None:
        summary = summarize_pairs(pairs_of(*(costs(cost, 10) for cost in (12, 8, 9, 11, 10))))
        assert summary is not None
        self.assertEqual((summary.new_us, summary.old_us), (10, 10))
        self.assertAlmostEqual(summary.ratio, 1.0)
        self.assertAlmostEqual(summary.low, 0.9)
        self.assertAlmostEqual(summary.high, 1.1)
        self.assertAlmostEqual(summary.least, 0.8)
        self.assertAlmostEqual(summary.most, 1.2)
        self.assertEqual(summary.pairs, 5)

    def test_one_outlier_does_not_move_the_median(self) -> None:
        summary = summarize_pairs(pairs_of(costs(4, 4), costs(40, 4), costs(4, 4)))
        assert summary is not None
        self.assertEqual((summary.ratio, summary.most), (1.0, 10.0))

    def test_one_pair_has_no_spread(self) -> None:
        summary = summarize_pairs(pairs_of(costs(6, 4)))
        assert summary is not None
        self.assertEqual({summary.ratio, summary.low, summary.high}, {1.5})

    def test_a_round_with_one_side_only_counts_as_failed(self) -> None:
        whole = costs(4, 4)
        pairs = pairs_of(whole, {"new": whole["new"]}, {})
        self.assertEqual((pairs.ratios(), pairs.failures), ([1.0], 2))

    def test_a_round_without_deliveries_counts_as_failed(self) -> None:
        self.assertEqual(pairs_of(costs(4, 0)).failures, 1)

    def test_no_pair_no_summary(self) -> None:
        self.assertIsNone(summarize_pairs(Pairs()))

    def test_faults_of_all_rounds_are_added(self) -> None:
        self.assertEqual(pairs_of(costs(4, 4, 2), costs(4, 4, 3)).faults, 5)


class Turns(SynchronousTestCase):
    def measure(self, side: str, store: str, workload: Workload) -> Measurement:
        """Note the call; the new checkout costs 2 µs, the old one 4."""
        self.calls.append((store, workload.name, side))
        if (store, side) == self.failing:
            raise BenchError("it does not start")
        return {"cpu_us": 2.0 if side == "new" else 4.0, "faults": 0}

    def setUp(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.failing = ("", "")
        self.progress: list[str] = []
        self.said: list[str] = []

    def run_rounds(self, rounds: int, *workloads: Workload) -> dict[tuple[str, str], Pairs]:
        return measure_pairs(
            self.measure, workloads, rounds, self.progress.append, self.said.append
        )

    def test_the_order_alternates(self) -> None:
        self.assertEqual(turn_order(0), ("new", "old"))
        self.assertEqual(turn_order(1), ("old", "new"))
        self.assertEqual(turn_order(8), ("new", "old"))

    def test_the_sides_of_a_pair_follow_each_other(self) -> None:
        self.run_rounds(4, W1W1)
        for store in ("disk", "memory"):
            order = [side for at, _, side in self.calls if at == store]
            self.assertEqual(order, ["new", "old", "old", "new"] * 2)
        for first, second in zip(self.calls[::2], self.calls[1::2], strict=True):
            self.assertEqual(first[:2], second[:2])
            self.assertNotEqual(first[2], second[2])

    def test_a_round_covers_all_stores_and_workloads(self) -> None:
        self.run_rounds(2, W1W1, W1W16)
        half = len(self.calls) // 2
        covered = {(store, work) for store in ("disk", "memory") for work in ("W1w1", "W1w16")}
        self.assertEqual({call[:2] for call in self.calls[:half]}, covered)
        self.assertEqual({call[:2] for call in self.calls[half:]}, covered)

    def test_all_pairs_are_kept(self) -> None:
        found = self.run_rounds(3, W1W1)
        self.assertEqual(set(found), {("disk", "W1w1"), ("memory", "W1w1")})
        for pairs in found.values():
            self.assertEqual(pairs.ratios(), [0.5] * 3)
        self.assertEqual(self.said, [])

    def test_progress_names_round_store_workload_and_side(self) -> None:
        self.run_rounds(1, W1W1)
        self.assertEqual(self.progress[:2], ["[1/4] round 1, disk, W1w1, new: ", "2.000 µs\n"])

    def test_a_side_that_cannot_be_measured_is_told_and_the_rest_goes_on(self) -> None:
        self.failing = ("disk", "old")
        found = self.run_rounds(2, W1W1)
        self.assertEqual(found["disk", "W1w1"].failures, 2)
        self.assertEqual(found["memory", "W1w1"].ratios(), [0.5] * 2)
        self.assertEqual(len(self.said), 2)
        self.assertIn("disk, W1w1, old: failed: it does not start", self.said[0])


class Table(SynchronousTestCase):
    def test_a_row_for_each_store_and_workload(self) -> None:
        text = pairs_table(
            {
                ("disk", "W1w1"): pairs_of(costs(5, 4), costs(5, 5), costs(3, 4)),
                ("memory", "W1w1"): pairs_of({}),
            }
        )
        lines = text.splitlines()
        self.assertEqual(
            lines[2:],
            [
                "| disk | W1w1 | 5.00 | 4.00 | 1.000 | 0.875..1.125 | 0.750..1.250 | 3 | 0 |",
                "| memory | W1w1 | – | – | – | – | – | 0, 1 failed | 0 |",
            ],
        )
        self.assertEqual({line.count("|") for line in lines}, {10})


class Checkouts(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def add(self, path: str, text: str = "") -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def refusal(self, folder: Path) -> str:
        """Return why a folder is not accepted."""
        return str(self.assertRaises(BenchError, open_checkout, folder))

    def add_server(self, code: str) -> None:
        self.add("gtchat/__init__.py")
        self.add("gtchat/tap.py", code)
        self.add("twisted/plugins/gtchat_plugin.py", 'ServiceMaker("x", "gtchat.tap", "", "x")\n')

    def test_no_folder(self) -> None:
        self.assertIn("is not a folder", self.refusal(self.folder / "missing"))
        self.add("file")
        self.assertIn("is not a folder", self.refusal(self.folder / "file"))

    def test_another_project(self) -> None:
        self.add("setup.py")
        self.assertIn("is not a checkout of this project", self.refusal(self.folder))

    def test_no_server_in_it(self) -> None:
        self.add("gtchat/__init__.py")
        self.assertIn("has no server", self.refusal(self.folder))
        self.add("twisted/plugins/other.py", 'ServiceMaker("x", "other.tap", "", "x")\n')
        self.assertIn("has no server", self.refusal(self.folder))

    def test_a_server_that_cannot_be_imported(self) -> None:
        self.add_server("import a_package_that_is_missing\n")
        refusal = self.refusal(self.folder)
        self.assertIn("No module named 'a_package_that_is_missing'", refusal)
        self.assertNotIn("\n", refusal)

    def test_without_a_virtual_environment_ours_is_used(self) -> None:
        self.add_server("")
        self.assertEqual(open_checkout(self.folder).python, sys.executable)

    def test_its_own_virtual_environment_is_used(self) -> None:
        self.add_server("")
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        checkout = open_checkout(self.folder)
        self.assertEqual(checkout.python, str(python))
        self.assertTrue(checkout.version.startswith(f"3.{sys.version_info.minor}."))

    def test_options_that_an_older_version_lacks_are_left_out(self) -> None:
        self.add("gtchat/__init__.py")
        self.add("gtchat/chat/limits.py", "class Limits:\n    ping_interval: float = 20.0\n")
        checkout = Checkout(self.folder, "python", "3")
        options = ("--ping-interval", "0", "--daily-bytes-account", "0")
        self.assertEqual(checkout.known(options), ["--ping-interval", "0"])

    def test_its_own_code_is_imported(self) -> None:
        self.add_server("raise ImportError(__file__)\n")
        self.assertIn(str(self.folder / "gtchat" / "tap.py"), self.refusal(self.folder))


class Arguments(SynchronousTestCase):
    def setUp(self) -> None:
        self.terminal = io.StringIO()
        self.output = io.StringIO()
        self.patch(sys, "stderr", self.terminal)
        self.patch(sys, "stdout", self.output)

    def refusal(self, *arguments: str) -> str:
        """Return the one line with which the arguments are refused."""
        self.assertEqual(command_line.main(arguments), 2)
        text = self.terminal.getvalue()
        self.assertEqual(text.count("\n"), 1, text)
        return text

    def run_with(self, *arguments: str) -> dict[str, object]:
        """Return what the command line makes of these arguments, without measuring."""
        taken: dict[str, object] = {}

        def note(
            old: Path, works: list[str], rounds: int, seconds: float, out: object, _: object
        ) -> int:
            taken.update(old=old, works=works, rounds=rounds, seconds=seconds, out=out)
            return 0

        self.patch(command_line, "against", note)
        self.assertEqual(command_line.main(arguments), 0)
        return taken

    def test_a_missing_checkout(self) -> None:
        self.assertIn("is not a folder", self.refusal("compare", "--against", "/missing/checkout"))

    def test_an_unknown_workload(self) -> None:
        self.assertIn("no such workload: w9", self.refusal("--against", ".", "--works", "W9"))

    def test_no_rounds(self) -> None:
        self.assertIn("--rounds", self.refusal("--against", ".", "--rounds", "0"))

    def test_what_belongs_to_compare(self) -> None:
        self.assertIn("for compare only", self.refusal("growth", "--against", "."))

    def test_only_has_no_meaning_beside_against(self) -> None:
        self.assertIn("--only", self.refusal("--against", ".", "--only", "GTChat"))

    def test_defaults(self) -> None:
        taken = self.run_with("compare", "--against", "other")
        self.assertEqual(
            taken, {"old": Path("other"), "works": [], "rounds": 9, "seconds": 4.0, "out": None}
        )

    def test_quick(self) -> None:
        taken = self.run_with("--against", "other", "--quick", "--works", "W1w1", "--out", "here")
        self.assertEqual((taken["rounds"], taken["seconds"]), (2, 1.5))
        self.assertEqual((taken["works"], taken["out"]), (["W1w1"], Path("here")))

    def test_default_workloads(self) -> None:
        names = [w.name for w in select_workloads([], DEFAULT_WORKLOADS)]
        self.assertEqual(names, ["W1w1", "W1w16", "W2w4", "W3w1"])
        self.assertEqual([w.name for w in select_workloads(["w4"], DEFAULT_WORKLOADS)], ["W4"])


class Results(SynchronousTestCase):
    """`against` with measurements that are made up."""

    def setUp(self) -> None:
        self.output = io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.faults = 0
        self.said: list[str] = []
        checkout = against.Checkout(Path("folder"), sys.executable, "3.11.2")
        self.patch(against, "open_checkout", lambda folder: checkout)
        self.patch(
            against,
            "measure_once",
            lambda *_: {"cpu_us": 4.0, "p99_us": 1.0, "faults": self.faults},
        )

    def run_against(self, out: Path | None = None) -> int:
        return against.against(Path("other"), ["W1w1"], 2, 1.0, out, self.said.append)

    def test_status_0_and_a_table(self) -> None:
        self.assertEqual(self.run_against(), 0)
        self.assertIn("| disk | W1w1 | 4.00 | 4.00 | 1.000 |", self.output.getvalue())

    def test_status_1_if_anything_was_lost(self) -> None:
        self.faults = 1
        self.assertEqual(self.run_against(), 1)
        self.assertIn("| 2 | 4 |", self.output.getvalue())

    def test_progress_is_shown_on_a_terminal_only(self) -> None:
        terminal = io.StringIO()
        self.patch(sys, "stderr", terminal)
        self.run_against()
        self.assertEqual(len(self.said), 2)
        self.patch(terminal, "isatty", lambda: True)
        self.run_against()
        self.assertIn("[8/8] round 2, memory, W1w1, new: ", self.said)

    def test_json_is_written_where_out_says(self) -> None:
        folder = Path(self.mktemp())
        self.run_against(folder)
        self.assertEqual([file.name for file in folder.iterdir()], ["against.json"])
        document = json.loads((folder / "against.json").read_text())
        self.assertEqual(document["results"]["disk"]["W1w1"]["new"], [4.0, 4.0])
        self.assertEqual(document["results"]["memory"]["W1w1"]["summary"]["ratio"], 1.0)
