"""`compare --against`: two checkouts of this project in turns, and the ratio of their CPU times.

A round measures both checkouts once, one directly after the other, and the order alternates: new
old, old new, … A drift of the machine changes both halves of a pair alike, so that it cancels in
their ratio. Each checkout runs its own code with its own virtual environment; it is started only
with options of `twistd gtchat` and found by its port, so that its layout and its log do not matter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles

from bench import report
from bench.compare import Say, measure_once
from bench.servers import NO_LIMITS, Target, create_rooms, free_port, run_server
from bench.tools import HERE, BenchError, compile_program
from bench.workloads import GTCHAT, WORKLOADS, Workload, select_workloads

#: Store -> options of `twistd gtchat`.
STORES: Mapping[str, tuple[str, ...]] = {"disk": (), "memory": ("--store", "memory")}
DEFAULT_WORKLOADS = tuple(workload for workload in WORKLOADS if not workload.rate)
SIDES = ("new", "old")
TWISTD = "from twisted.scripts.twistd import run; run()"

#: Measures one side under a workload: side, store, workload -> `cpu_us`, `faults` and more.
Measure = Callable[[str, str, Workload], report.Measurement]


@dataclass(frozen=True)
class Checkout:
    """A checkout of this project.

    Attributes:
        folder: Its top level.
        python: The interpreter to run it with.
        version: The version of that interpreter.
    """

    folder: Path
    python: str
    version: str

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make Python import this checkout's code."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    def known(self, options: Sequence[str]) -> list[str]:
        """Return those of some options, each with a value, whose setting this version has."""
        limits = (self.folder / "gtchat" / "chat" / "limits.py").read_text(encoding="utf-8")
        pairs = zip(options[::2], options[1::2], strict=True)
        return [
            word
            for option, value in pairs
            if f"    {option[2:].replace('-', '_')}:" in limits
            for word in (option, value)
        ]

    @contextmanager
    def run(self, rooms: int, *options: str) -> Iterator[Target]:
        """Start its server, with rooms r0, r1 …, on an empty data folder; stop it at the end.

        Args:
            rooms: How many rooms to create.
            options: Options of `twistd gtchat`, in addition to `NO_LIMITS`.

        Raises:
            BenchError: It does not start, or the rooms cannot be created.
        """
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as data:
            command = [self.python, "-c", TWISTD, "-n", "--pidfile=", "gtchat", "--data", data]
            command += ["--ws", f"tcp:{port}:interface=127.0.0.1"]
            command += ["--web", "tcp:0:interface=127.0.0.1", *self.known(NO_LIMITS), *options]
            environment = self.environment()
            with run_server(command, port, GTCHAT, folder=data, environment=environment) as target:
                create_rooms(port, rooms)
                yield target


def open_checkout(folder: Path) -> Checkout:
    """Check that a folder is a checkout whose server can be imported.

    Args:
        folder: Its top level. Its `.venv` is used if it has one, else our own interpreter.

    Raises:
        BenchError: It is not, or the server cannot be imported.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise BenchError(f"{folder} is not a folder")
    if not (folder / "gtchat" / "__init__.py").exists():
        raise BenchError(f"{folder} is not a checkout of this project: it has no gtchat/")
    plugins = [path.read_text() for path in (folder / "twisted" / "plugins").glob("*.py")]
    if not any("gtchat.tap" in text for text in plugins):
        raise BenchError(f"{folder} has no server: nothing in twisted/plugins/ offers one")
    virtual = folder / ".venv" / "bin" / "python"
    python = str(virtual) if virtual.exists() else sys.executable
    return Checkout(folder, python, _import_server(folder, python))


def _import_server(folder: Path, python: str) -> str:
    """Import the server of a checkout; return the version of Python.

    Raises:
        BenchError: It cannot be imported.
    """
    code = "import gtchat.tap, platform; print(platform.python_version())"
    try:
        done = subprocess.run(
            [python, "-c", code],
            env={**os.environ, "PYTHONPATH": str(folder)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise BenchError(f"{python} cannot be run: {error.strerror}") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise BenchError(f"{folder}: its server cannot be imported: {reason}")
    return done.stdout.strip()


def turn_order(number: int) -> tuple[str, str]:
    """Return the sides in the order of a round: new first in rounds 0, 2 …, old first in 1, 3 …"""
    first, second = SIDES if number % 2 == 0 else reversed(SIDES)
    return first, second


@dataclass
class Pairs:
    """The rounds of one store and workload.

    Attributes:
        new, old: CPU µs per delivery of the complete pairs, in the order of the rounds.
        faults: Deliveries lost, repeated or reordered, of both sides.
        failures: Rounds without a result of both sides.
    """

    new: list[float] = field(default_factory=list)
    old: list[float] = field(default_factory=list)
    faults: int = 0
    failures: int = 0

    def add(self, measured: Mapping[str, report.Measurement]) -> None:
        """Add a round.

        Args:
            measured: Side -> what was measured; without a side that failed.
        """
        self.faults += sum(int(result["faults"]) for result in measured.values())
        costs = [measured[side]["cpu_us"] for side in SIDES if side in measured]
        if len(costs) == len(SIDES) and min(costs) > 0:
            self.new.append(costs[0])
            self.old.append(costs[1])
        else:
            self.failures += 1

    def ratios(self) -> list[float]:
        """Return new/old of each pair."""
        return [new / old for new, old in zip(self.new, self.old, strict=True)]


@dataclass(frozen=True)
class Summary:
    """The result of the rounds of one store and workload.

    Attributes:
        new_us, old_us: Medians of the CPU µs per delivery.
        ratio: The median of the paired ratios new/old.
        low, high: Their quartiles.
        least, most: Their extremes.
        pairs: How many there are.
    """

    new_us: float
    old_us: float
    ratio: float
    low: float
    high: float
    least: float
    most: float
    pairs: int


def summarize_pairs(pairs: Pairs) -> Summary | None:
    """Return medians and spread of the pairs; None without any."""
    ratios = pairs.ratios()
    if not ratios:
        return None
    # `quantiles` needs two values at least.
    low, middle, high = quantiles(ratios if len(ratios) > 1 else ratios * 2, method="inclusive")
    return Summary(
        new_us=median(pairs.new),
        old_us=median(pairs.old),
        ratio=middle,
        low=low,
        high=high,
        least=min(ratios),
        most=max(ratios),
        pairs=len(ratios),
    )


def measure_pairs(
    measure: Measure, workloads: Sequence[Workload], rounds: int, progress: Say, say: Say
) -> dict[tuple[str, str], Pairs]:
    """Measure both sides in turns.

    A round covers all stores and workloads before the next begins, so that a disturbance of the
    machine falls on one or two rounds of each and not on all rounds of one.

    Args:
        measure: Measures one side once.
        workloads: The loads.
        rounds: How many pairs of each.
        progress: Shows progress.
        say: Shows why a side could not be measured.

    Returns:
        Store and workload -> its rounds.
    """
    pairs = {(store, workload.name): Pairs() for store in STORES for workload in workloads}
    steps, step = rounds * len(pairs) * len(SIDES), 0
    for number in range(rounds):
        for store in STORES:
            for workload in workloads:
                measured: dict[str, report.Measurement] = {}
                for side in turn_order(number):
                    step += 1
                    at = f"[{step}/{steps}] round {number + 1}, {store}, {workload.name}, {side}: "
                    progress(at)
                    try:
                        measured[side] = measure(side, store, workload)
                    except BenchError as error:
                        say(f"{at}failed: {error}\n")
                        continue
                    progress(f"{measured[side]['cpu_us']:.3f} µs\n")
                pairs[store, workload.name].add(measured)
    return pairs


def pairs_table(pairs: Mapping[tuple[str, str], Pairs]) -> str:
    """Return a Markdown table: medians, ratio and spread of each store and workload."""
    titles = ["store", "workload", "new, CPU µs", "old, CPU µs", "new / old"]
    titles += ["quartiles", "range", "pairs", "faults"]
    rows = []
    for (store, workload), measured in pairs.items():
        found = summarize_pairs(measured)
        cells = ["–"] * 5
        if found is not None:
            cells = [
                report.format_cost(found.new_us),
                report.format_cost(found.old_us),
                f"{found.ratio:.3f}",
                f"{found.low:.3f}..{found.high:.3f}",
                f"{found.least:.3f}..{found.most:.3f}",
            ]
        done = str(len(measured.new))
        if measured.failures:
            done += f", {measured.failures} failed"
        rows.append([store, workload, *cells, done, str(measured.faults)])
    return report.markdown_table(titles, rows)


def against(
    old_folder: Path,
    works: Sequence[str],
    rounds: int,
    seconds: float,
    out: Path | None,
    say: Say,
) -> int:
    """Compare this checkout (new) with another (old) and print the table.

    Args:
        old_folder: The other checkout.
        works: Names of workloads in any case; none for those that measure CPU time.
        rounds: How many pairs to measure of each store and workload.
        seconds: How long each measurement takes.
        out: Where to write against.json; None for nowhere.
        say: Writes to the terminal.

    Returns:
        The exit status: 1 if anything was lost or could not be measured, else 0.

    Raises:
        BenchError: An argument cannot be used, or there is no C compiler.
    """
    workloads = select_workloads(works, DEFAULT_WORKLOADS)
    compile_program("loadgen")
    old = open_checkout(old_folder)
    sides = {"new": open_checkout(HERE.parent), "old": old}
    for side, checkout in sides.items():
        say(f"{side}: {checkout.folder}, Python {checkout.version}\n")
    if sides["new"].version != sides["old"].version:
        say("warning: the versions of Python differ, which changes the ratio\n")

    def measure(side: str, store: str, workload: Workload) -> report.Measurement:
        def start(rooms: int) -> AbstractContextManager[Target]:
            return sides[side].run(rooms, *STORES[store])

        return measure_once(start, workload, seconds)

    progress = say if sys.stderr.isatty() else _ignore
    pairs = measure_pairs(measure, workloads, rounds, progress, say)
    sys.stdout.write(pairs_table(pairs))
    if out is not None:
        report.write_results(out, "against", _document(sides, pairs, rounds, seconds))
    return int(any(measured.faults or measured.failures for measured in pairs.values()))


def _ignore(text: str) -> None:
    """Show nothing."""


def _document(
    sides: Mapping[str, Checkout],
    pairs: Mapping[tuple[str, str], Pairs],
    rounds: int,
    seconds: float,
) -> dict[str, object]:
    """Return what against.json holds."""
    results: dict[str, dict[str, object]] = {store: {} for store in STORES}
    for (store, workload), measured in pairs.items():
        found = summarize_pairs(measured)
        summary = None if found is None else asdict(found)
        results[store][workload] = {**asdict(measured), "summary": summary}
    return {
        "machine": report.describe_machine(),
        "python": {side: checkout.version for side, checkout in sides.items()},
        "rounds": rounds,
        "seconds": seconds,
        "results": results,
    }
