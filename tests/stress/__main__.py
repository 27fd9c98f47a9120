"""The long runs of the stress tests: see README.md, or --help of each command."""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.server import Server
from tests.stress.node_mutants import NODE_MUTANTS

#: The names of `fuzz.targets.TARGETS`, which takes long to import.
FUZZ_TARGETS = (
    *("json", "randomchat", "message_center", "pa1", "livechat"),
    *("frames", "handshake", "site", "config"),
)


def _progress(total: int) -> Callable[[int], None]:
    """Return a function that shows the progress on standard error, at most once a second."""
    began = time.monotonic()
    shown = 0.0

    def show(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= 1 or done >= total:
            shown = now
            left = (now - began) / max(done, 1) * (total - done)
            print(f"\r{done} of {total}, {left:.0f} s left   ", end="", file=sys.stderr)

    return show


def _report(result: Any) -> int:
    """Print a result and its violations; return the exit status."""
    print(f"\n{result}")
    for violation in result.violations[:50]:
        print("  " + violation)
    return bool(result.violations)


def crash(options: argparse.Namespace) -> int:
    """Kill the server at random moments while users of five protocols talk."""
    from tests.stress.crash import OPTIONS, Crash
    from tests.stress.mutants import MutantServer

    mutant = options.mutant
    server = MutantServer(mutant, *OPTIONS) if mutant else Server(*OPTIONS)
    print(f"seed {options.seed}; data in {server.folder}")
    run = Crash(server, options.seed).run(options.runs, _progress(options.runs))
    return _report(asyncio.run(run))


def commands(options: argparse.Namespace) -> int:
    """Let users of five protocols send random commands, and kill the server now and then."""
    from tests.stress.commands import OPTIONS, Commands

    server = Server(*OPTIONS)
    print(f"seed {options.seed}; data in {server.folder}")
    run = Commands(server, options.seed)
    return _report(run.run(options.seconds, _progress(options.seconds)))


def schema(options: argparse.Namespace) -> int:
    """Kill the server's process while a database is created, and while one is migrated."""
    from tests.stress.schema import run

    return _report(run(options.moments, _progress(2 * options.moments)))


def order(options: argparse.Namespace) -> int:
    """Let 8 clients write and 8 read over bad networks, and kill the server now and then."""
    from tests.stress.order import OPTIONS, Order

    run = Order(Server(*OPTIONS), options.messages, options.kills, options.seed)
    return _report(asyncio.run(run.run(_progress(options.messages))))


def follow(options: argparse.Namespace) -> int:
    """Copy 300 rooms with the client library, and kill the server 1,000 times meanwhile."""
    from tests.stress.follow import OPTIONS, Follow

    async def run() -> Any:
        run = Follow(Server(*OPTIONS), options.messages, options.kills, options.rooms, options.seed)
        return await run.run(_progress(options.messages))

    return _report(asyncio.run(run()))


def nodes(options: argparse.Namespace) -> int:
    """Kill, stop and cut off nodes and their PostgreSQL while users talk on all nodes."""
    from tests.stress.nodes import MOST_NODES, Nodes

    if options.nodes > MOST_NODES:
        print(f"At most {MOST_NODES} nodes.")
        return 2
    print(f"seed {options.seed}")
    run = Nodes(
        options.nodes,
        options.kills,
        options.seed,
        only=options.only,
        mutant=options.mutant,
        seconds=options.seconds,
        bus=options.bus,
        old=True,
    )
    if unknown := set(options.only).difference(run.fault_names):
        print(f"No such fault: {', '.join(unknown)}. There are: {', '.join(run.fault_names)}.")
        return 2
    return _report(asyncio.run(run.run(_progress(options.kills))))


def rolling(options: argparse.Namespace) -> int:
    """Restart servers on one PostgreSQL one after the other, behind HAProxy, under load."""
    from tests.stress.rolling import Rolling

    given = ("--notify", options.notify, "--drain-seconds", str(options.drain))
    run = Rolling(options.servers, options.clients, options.rounds, options.pause, given)
    return _report(asyncio.run(run.run(_progress(options.servers * options.rounds))))


def migrate(options: argparse.Namespace) -> int:
    """Copy a large chat from SQLite to PostgreSQL, and kill further copies."""
    from tests.stress.migrate import Migrate, Size

    size = Size(options.accounts, options.rooms, options.members, options.messages)
    return _report(Migrate(size, options.kills).run(_progress(options.kills)))


def backups(options: argparse.Namespace) -> int:
    """Copy, export, restore and import a large chat, and kill further restores and imports."""
    from tests.stress.backups import Backups, Size

    size = Size(options.accounts, options.rooms, options.members, options.messages)
    return _report(Backups(size, options.kills).run(_progress(2 * options.kills)))


def reload(options: argparse.Namespace) -> int:
    """Read settings and certificates again while many clients are connected."""
    from tests.stress.reload import Reload

    with tempfile.TemporaryDirectory() as folder:
        run = Reload(Path(folder), options.clients)
        return _report(run.run(options.rounds, _progress(options.rounds)))


def raid(options: argparse.Namespace) -> int:
    """Let bots raid the lobby over four protocols, and turn the panic switch on."""
    from tests.stress.raid import Raid

    parts = [options.seconds * part for part in (0.1, 0.5, 0.4)]
    run = Raid(options.bots, options.users, (options.pace, 10.0), options.seed)
    return _report(run.run(*parts, _progress(options.seconds)))


def network(options: argparse.Namespace) -> int:
    """Let 4 clients write and 4 read over a network that loses packets; needs root, iptables."""
    from tests.stress.network import SCENARIOS, run

    status = 0
    for scenario in SCENARIOS:
        print(f"{scenario.title}:", file=sys.stderr)
        result = asyncio.run(run(scenario, options.seed, _progress(scenario.messages)))
        print(f"\n{scenario.title}:", end="")
        status |= _report(result)
    return status


def pythons(options: argparse.Namespace) -> int:
    """Run the examples in fresh environments of several versions of Python; needs pip's index."""
    from tests.stress.pythons import run

    return _report(run(options.python))


def memory(options: argparse.Namespace) -> int:
    """Open and close very many connections, and measure the server's memory."""
    from tests.stress.memory import OPTIONS, run

    thousands = options.thousands
    return _report(asyncio.run(run(Server(*OPTIONS), thousands, _progress(thousands))))


def fuzz(options: argparse.Namespace) -> int:
    """Feed one parser with mutated input, or all of them one after the other; needs atheris."""
    from tests.stress.fuzz.run import run
    from tests.stress.fuzz.targets import TARGETS

    status = 0
    for target in TARGETS if options.target == "all" else [options.target]:
        print(f"{target} for {options.seconds} s, seed {options.seed} ...", file=sys.stderr)
        status |= _report(run(target, options.seconds, options.seed))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress",
        description="Stress tests. Each command starts its own servers on free ports, prints the "
        "result, and fails if a requirement is violated.",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="repeat the choices of a run"
    )
    subparsers = parser.add_subparsers(dest="command", required=True)

    def command(function: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = subparsers.add_parser(
            function.__name__, help=function.__doc__, description=function.__doc__
        )
        added.set_defaults(function=function)
        return added

    def mutant(added: argparse.ArgumentParser, *others: str) -> None:
        added.add_argument(
            "--mutant",
            choices=("early-ack", "early-delivery", "no-dedup", "lost-commit", *others),
            help="a server with a deliberate bug, to see that it is detected (see mutants.py)",
        )

    added = command(crash)
    added.add_argument("--runs", type=int, default=200, help="number of cycles (200)")
    mutant(added)
    added = command(commands)
    added.add_argument("--seconds", type=int, default=600, help="seconds (600)")
    added = command(schema)
    added.add_argument("--moments", type=int, default=100, help="kills of each kind (100)")
    added = command(order)
    added.add_argument("--messages", type=int, default=100_000, help="messages in all (100,000)")
    added.add_argument("--kills", type=int, default=20, help="kills of the server (20)")
    added = command(follow)
    added.add_argument("--messages", type=int, default=100_000, help="messages in all (100,000)")
    added.add_argument("--kills", type=int, default=1_000, help="kills of the server (1,000)")
    added.add_argument("--rooms", type=int, default=300, help="rooms (300)")
    added = command(nodes)
    added.add_argument("--nodes", type=int, default=2, help="number of nodes (2)")
    added.add_argument("--kills", type=int, default=60, help="number of faults (60)")
    added.add_argument("--only", nargs="+", default=[], help="faults to do, by name (all)")
    added.add_argument(
        "--seconds", type=float, default=math.inf, help="end after these, if not before"
    )
    added.add_argument(
        "--bus", choices=("postgres", "nats"), default="postgres", help="wakes nodes (postgres)"
    )
    mutant(added, *NODE_MUTANTS)
    added = command(rolling)
    added.add_argument("--servers", type=int, default=3, help="number of servers (3)")
    added.add_argument("--clients", type=int, default=300, help="number of clients (300)")
    added.add_argument("--rounds", type=int, default=3, help="restarts of each server (3)")
    added.add_argument(
        "--pause", type=float, default=3.0, help="mean seconds between messages of a client (3)"
    )
    added.add_argument("--notify", default="postgres", help="as the setting of the servers")
    added.add_argument("--drain", type=float, default=5.0, help="drain_seconds of the servers (5)")
    for function, killed in ((migrate, "copies"), (backups, "restores, and imports,")):
        added = command(function)
        added.add_argument("--accounts", type=int, default=1_000, help="accounts (1,000)")
        added.add_argument("--rooms", type=int, default=200, help="rooms (200)")
        added.add_argument("--members", type=int, default=20, help="members of each room (20)")
        added.add_argument("--messages", type=int, default=1_000_000, help="messages (1,000,000)")
        added.add_argument("--kills", type=int, default=10, help=f"{killed} that are killed (10)")
    added = command(reload)
    added.add_argument("--clients", type=int, default=1_000, help="connected clients (1,000)")
    added.add_argument("--rounds", type=int, default=10, help="rounds of two reloads (10)")
    added = command(raid)
    added.add_argument("--bots", type=int, default=200, help="bots (200)")
    added.add_argument("--users", type=int, default=20, help="ordinary users (20)")
    added.add_argument(
        "--pace", type=float, default=3, help="seconds between messages of a bot (3)"
    )
    added.add_argument("--seconds", type=int, default=240, help="seconds of the run (240)")
    command(network)
    added = command(pythons)
    added.add_argument(
        "--python",
        nargs="+",
        default=["python3.10", "python3.11", "python3.12", "python3.13"],
        help="names on the path (python3.10 to python3.13)",
    )
    added = command(memory)
    added.add_argument("--thousands", type=int, default=20, help="connections, in thousands (20)")
    added = command(fuzz)
    added.add_argument("target", help="all, or one of: " + ", ".join(FUZZ_TARGETS))
    added.add_argument("--seconds", type=int, default=600, help="seconds per target (600)")
    return parser


if __name__ == "__main__":
    arguments = _parser().parse_args()
    sys.exit(arguments.function(arguments))
