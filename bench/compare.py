"""Our server and others at the same work, one after the other, medians of several rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import report
from bench.servers import Target, servers
from bench.tools import BenchError, faults, generate
from bench.workloads import WORKLOADS, Workload

KEPT = ("cpu_us", "deliv_s", "p50_us", "p99_us", "login_s", "kib_conn")


def measure(
    start: Callable[[int], Any],
    workload: Workload,
    seconds: float,
    beside: Callable[[Target], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> dict[str, Any]:
    """One server at one work, once.

    Args:
        beside: what goes on with the server meanwhile.

    Raises:
        BenchError: the server or the load generator does not run.
    """
    with start(workload.rooms) as target, beside(target):
        words = ["--port", str(target.port), "--pid", str(target.pid), "--quiet", *target.words]
        result = generate([*words, *workload.words(seconds)], core=1)
    return {**{key: result[key] for key in KEPT}, "faults": faults(result)}


def summed(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of several runs, the best CPU time, and all that went wrong."""
    medians = {key: median(run[key] for run in runs) for key in KEPT}
    best = min(run["cpu_us"] for run in runs)
    return {**medians, "cpu_us_min": best, "faults": sum(run["faults"] for run in runs)}


def in_rounds(
    measures: Mapping[str, Callable[[Workload], dict[str, Any]]],
    workloads: Sequence[Workload],
    rounds: int,
    say: Callable[[str], None],
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure several servers in turn, several times; name -> workload -> medians.

    Args:
        measures: name -> what measures it once. One that can't be measured is left out.
    """
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in measures}
    steps = len(workloads) * rounds * len(measures)
    step = 0
    for workload in workloads:
        for turn in range(rounds):
            for name, once in measures.items():
                step += 1
                say(f"[{step}/{steps}] {workload.name} round {turn + 1}: {name} … ")
                try:
                    run = once(workload)
                except BenchError as error:
                    say(f"{error}\n")
                    continue
                say(f"{run['cpu_us']:.3f} µs, p99 {run['p99_us']:.0f} µs\n")
                runs[name].setdefault(workload.name, []).append(run)
    return {
        name: {work: summed(taken) for work, taken in by_work.items()}
        for name, by_work in runs.items()
        if by_work
    }


def went_wrong(results: report.Results) -> bool:
    """Whether anything was lost, repeated or reordered."""
    return any(run["faults"] for taken in results.values() for run in taken.values())


def compare(
    folder: Path,
    only: Sequence[str],
    works: Sequence[str],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> int:
    """Measure, and write table, JSON and plot into a folder; 1 if something was lost."""
    found, missing = servers()
    for line in missing:
        say(f"left out: {line}\n")
    if only:
        found = {name: start for name, start in found.items() if name.lower() in only}
        if not found:
            raise BenchError(f"no such server; there are: {', '.join(servers()[0])}")
    workloads = [w for w in WORKLOADS if not works or w.name.lower() in works]
    measures = {name: partial(measure, start, seconds=seconds) for name, start in found.items()}
    results = in_rounds(measures, workloads, rounds, say)
    text = report.table(results)
    document = {"machine": report.machine(), "rounds": rounds, "seconds": seconds}
    report.write(folder, "compare", {**document, "results": results}, text)
    if not report.bars(folder / "compare.png", results):
        say("no plot: pip install matplotlib\n")
    sys.stdout.write(text)
    return int(went_wrong(results))
