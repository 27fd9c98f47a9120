"""`compare`: GTChat and other servers under the same workloads, in turns, medians of the rounds.

`measure_once`, `measure_in_rounds` and `has_faults` serve idle.py too, the first also against.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median

from bench import report
from bench.servers import LOAD_CORE, Start, Target, available_servers
from bench.tools import BenchError, count_faults, generate_load
from bench.workloads import WORKLOADS, Workload, select_workloads

#: What is kept of a result of the load generator.
KEPT = ("cpu_us", "deliv_s", "p50_us", "p99_us", "login_s", "kib_conn")

#: Shows progress. The text ends with a newline where the line is complete.
Say = Callable[[str], None]


def measure_once(
    start: Start,
    workload: Workload,
    seconds: float,
    beside: Callable[[Target], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> dict[str, float]:
    """Start a server, put it under a workload once, and stop it.

    Args:
        start: What starts it.
        workload: The load.
        seconds: How long to measure.
        beside: Makes what surrounds the measurement, such as other connections.

    Returns:
        The values of `KEPT`, and `faults`.

    Raises:
        BenchError: The server or the load generator does not run.
    """
    with start(workload.rooms) as target, beside(target):
        options = ["--port", str(target.port), "--pid", str(target.pid), "--quiet"]
        result = generate_load(
            [*options, *target.arguments, *workload.arguments(seconds)], core=LOAD_CORE
        )
    return {**{key: result[key] for key in KEPT}, "faults": count_faults(result)}


def summarize(runs: Sequence[report.Measurement]) -> dict[str, float]:
    """Return the medians of `KEPT`, the least CPU time (`cpu_us_min`) and the sum of faults."""
    medians = {key: median(run[key] for run in runs) for key in KEPT}
    best = min(run["cpu_us"] for run in runs)
    return {**medians, "cpu_us_min": best, "faults": sum(run["faults"] for run in runs)}


def measure_in_rounds(
    measures: Mapping[str, Callable[[Workload], report.Measurement]],
    workloads: Sequence[Workload],
    rounds: int,
    say: Say,
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure several servers in turns.

    Args:
        measures: Server -> what measures it once. One that raises `BenchError` is left out.
        workloads: The loads.
        rounds: How often each server gets each workload.
        say: Shows progress.

    Returns:
        Server -> workload -> summary of its rounds.
    """
    runs: dict[str, dict[str, list[report.Measurement]]] = {name: {} for name in measures}
    steps = len(workloads) * rounds * len(measures)
    step = 0
    for workload in workloads:
        for turn in range(rounds):
            for name, measure in measures.items():
                step += 1
                say(f"[{step}/{steps}] {workload.name} round {turn + 1}: {name} … ")
                try:
                    run = measure(workload)
                except BenchError as error:
                    say(f"{error}\n")
                    continue
                say(f"{run['cpu_us']:.3f} µs, p99 {run['p99_us']:.0f} µs\n")
                runs[name].setdefault(workload.name, []).append(run)
    return {
        name: {work: summarize(taken) for work, taken in by_work.items()}
        for name, by_work in runs.items()
        if by_work
    }


def has_faults(results: report.Results) -> bool:
    """Return whether anything was lost, repeated or reordered."""
    return any(run["faults"] for measured in results.values() for run in measured.values())


def compare(
    folder: Path,
    only: Sequence[str],
    works: Sequence[str],
    rounds: int,
    seconds: float,
    say: Say,
) -> int:
    """Measure all servers, print the table, write table, JSON and plot.

    Args:
        folder: Where to write.
        only: Names of servers in any case; none for all.
        works: Names of workloads in any case; none for all.
        rounds: How often each server gets each workload.
        seconds: How long each measurement takes.
        say: Shows progress.

    Returns:
        The exit status: 1 if anything was lost, else 0.

    Raises:
        BenchError: There is no such server or workload.
    """
    found, missing = available_servers()
    for line in missing:
        say(f"left out: {line}\n")
    wanted = {name.lower() for name in only}
    chosen = {name: start for name, start in found.items() if not only or name.lower() in wanted}
    if not chosen:
        raise BenchError(f"no such server; there are: {', '.join(found)}")
    workloads = select_workloads(works, WORKLOADS)
    measures = {
        name: partial(measure_once, start, seconds=seconds) for name, start in chosen.items()
    }
    results = measure_in_rounds(measures, workloads, rounds, say)
    text = report.results_table(results)
    document = {"machine": report.describe_machine(), "rounds": rounds, "seconds": seconds}
    report.write_results(folder, "compare", {**document, "results": results}, text)
    if not report.plot_bars(folder / "compare.png", results):
        say("no plot: pip install matplotlib\n")
    sys.stdout.write(text)
    return int(has_faults(results))
