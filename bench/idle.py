"""`idle`: what 5,000 idle connections cost the active ones, beside none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import report
from bench.compare import Say, has_faults, measure_in_rounds, measure_once
from bench.servers import LOAD_CORE, Target, available_servers
from bench.tools import BenchError, background_load
from bench.workloads import WORKLOADS

IDLE = 5_000
SERVERS = ("GTChat", "GTChat, in memory")
#: Seconds until all idle connections are open, at most.
CONNECT_TIMEOUT_S = 60
#: Seconds until the presence events of their logins are delivered.
PRESENCE_SETTLE_S = 3


@contextmanager
def idle_connections(target: Target, count: int) -> Iterator[None]:
    """Keep idle users logged in; one of them pings once a second.

    Args:
        target: The server.
        count: How many.

    Raises:
        BenchError: They are not all connected within `CONNECT_TIMEOUT_S`.
    """
    if not count:
        yield
        return
    login = ("--step", '{"cmd":"login","type":"tmp","usr":"idle%u"}', '"ok"')
    options = ["--port", str(target.port), "--quiet", "--noecho", *login]
    options += ["--msg", '{"cmd":"ping"}', "-n", str(count), "-r", str(count), "-s", "1"]
    descriptors = Path(f"/proc/{target.pid}/fd")
    with background_load([*options, "--rate", "1", "--dur", "3600"], core=LOAD_CORE):
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while len(list(descriptors.iterdir())) < count:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{count} idle connections did not open within {CONNECT_TIMEOUT_S} s"
                )
            time.sleep(0.2)
        time.sleep(PRESENCE_SETTLE_S)
        yield


def idle(folder: Path, quick: bool, say: Say) -> int:
    """Measure, print the table, write table and JSON.

    Args:
        folder: Where to write.
        quick: Whether to measure once and for a short time, with fewer connections.
        say: Shows progress.

    Returns:
        The exit status: 1 if anything was lost, else 0.
    """
    count, rounds, seconds = (1_000, 1, 1.5) if quick else (IDLE, 3, 3.0)
    found, _ = available_servers()
    measures = {
        f"{name}, {number} idle" if number else name: partial(
            measure_once,
            found[name],
            seconds=seconds,
            beside=partial(idle_connections, count=number),
        )
        for name in SERVERS
        for number in (0, count)
    }
    workloads = [workload for workload in WORKLOADS if not workload.rate]
    results = measure_in_rounds(measures, workloads, rounds, say)
    text = report.results_table(results)
    document = {
        "machine": report.describe_machine(),
        "rounds": rounds,
        "idle": count,
        "results": results,
    }
    report.write_results(folder, "idle", document, text)
    sys.stdout.write(text)
    return int(has_faults(results))
