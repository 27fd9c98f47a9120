"""The long runs: see README.md, or --help of each."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.server import Server

#: The names of `fuzz.targets.TARGETS`, which takes long to import.
FUZZED = (
    *("json", "randomchat", "message_center", "pa1", "livechat"),
    *("frames", "handshake", "site", "config"),
)


def _progress(total: int) -> Callable[[int], None]:
    """Shows on standard error how far a run is, at most once a second."""
    began = time.monotonic()
    shown = 0.0

    def show(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= 1 or done >= total:
            shown = now
            left = (now - began) / max(done, 1) * (total - done)
            print(f"\r{done} of {total}, {left:.0f} s to go   ", end="", file=sys.stderr)

    return show


def _tell(result: Any) -> int:
    """Say how a run went; the exit status."""
    print(f"\n{result}")
    for fault in result.faults[:50]:
        print("  " + fault)
    return bool(result.faults)


def crash(given: argparse.Namespace) -> int:
    """Kill the server at random moments while people of five protocols talk."""
    from tests.stress.crash import OPTIONS, Crash
    from tests.stress.mutants import BrokenServer

    server = BrokenServer(given.broken, *OPTIONS) if given.broken else Server(*OPTIONS)
    print(f"seed {given.seed}; data in {server.folder}")
    run = Crash(server, given.seed).run(given.runs, _progress(given.runs))
    return _tell(asyncio.run(run))


def schema(given: argparse.Namespace) -> int:
    """Kill while a database is made, and while one is brought to the newest version."""
    from tests.stress.schema import run

    return _tell(run(given.moments, _progress(2 * given.moments)))


def order(given: argparse.Namespace) -> int:
    """Let 8 write and 8 read through bad weather, and kill the server now and then."""
    from tests.stress.order import OPTIONS, Order

    run = Order(Server(*OPTIONS), given.messages, given.kills, given.seed)
    return _tell(asyncio.run(run.run(_progress(given.messages))))


def network(given: argparse.Namespace) -> int:
    """Let 4 write and 4 read over a network that loses packets; needs root and iptables."""
    from tests.stress.network import TROUBLES, run

    status = 0
    for trouble in TROUBLES:
        print(f"{trouble.words}:", file=sys.stderr)
        result = asyncio.run(run(trouble, given.seed, _progress(trouble.messages)))
        print(f"\n{trouble.words}:", end="")
        status |= _tell(result)
    return status


def memory(given: argparse.Namespace) -> int:
    """Let very many come and go, and see what stays in the server's memory."""
    from tests.stress.memory import OPTIONS, run

    return _tell(asyncio.run(run(Server(*OPTIONS), given.thousands, _progress(given.thousands))))


def fuzz(given: argparse.Namespace) -> int:
    """Feed a parser with junk, or all of them one after the other; needs atheris."""
    from tests.stress.fuzz.run import run
    from tests.stress.fuzz.targets import TARGETS

    status = 0
    for target in TARGETS if given.target == "all" else [given.target]:
        print(f"{target} for {given.seconds} s, seed {given.seed} ...", file=sys.stderr)
        status |= _tell(run(target, given.seconds, given.seed))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress",
        description="Proofs that the server stands. Each command starts servers of its own on free "
        "ports, tells what it found, and fails if that is not all right.",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="repeats what a run chose"
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = commands.add_parser(do.__name__, help=do.__doc__, description=do.__doc__)
        made.set_defaults(do=do)
        return made

    made = command(crash)
    made.add_argument("--runs", type=int, default=200, help="kills, at least (200)")
    made.add_argument(
        "--broken",
        choices=("promises", "tells", "forgets"),
        help="a build that is wrong on purpose, to see that it is caught (see broken.py)",
    )
    made = command(schema)
    made.add_argument("--moments", type=int, default=100, help="of each of the two (100)")
    made = command(order)
    made.add_argument("--messages", type=int, default=100_000, help="in all (100,000)")
    made.add_argument("--kills", type=int, default=20, help="of the server (20)")
    command(network)
    made = command(memory)
    made.add_argument("--thousands", type=int, default=20, help="connections, in thousands (20)")
    made = command(fuzz)
    made.add_argument("target", help="all, or one of: " + ", ".join(FUZZED))
    made.add_argument("--seconds", type=int, default=600, help="for each target (600)")
    return parser


if __name__ == "__main__":
    arguments = _parser().parse_args()
    sys.exit(arguments.do(arguments))
