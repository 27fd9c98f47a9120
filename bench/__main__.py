"""The command line: python -m bench [compare | filter | growth | idle | memory | nodes | …]."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.against import against
from bench.compare import compare
from bench.growth import growth
from bench.idle import idle
from bench.memory import memory
from bench.nodes import nodes
from bench.rooms import rooms
from bench.search import search
from bench.storm import storm
from bench.tls import tls
from bench.tools import HERE, BenchError
from bench.words import words

RESULTS = HERE.parent / "docs" / "performance"
OTHERS = {
    "filter": words,
    "growth": growth,
    "idle": idle,
    "memory": memory,
    "rooms": rooms,
    "search": search,
    "storm": storm,
    "tls": tls,
}


#: Option -> the commands that take it; all others are for all.
TAKEN_BY = {
    "against": ("compare",),
    "rounds": ("compare", "nodes"),
    "only": ("compare", "nodes"),
    "works": ("compare", "nodes"),
    "seconds": ("nodes",),
    "json": ("nodes",),
}


def say(text: str) -> None:
    """Write to the terminal, apart from the results."""
    sys.stderr.write(text)
    sys.stderr.flush()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the server.")
    parser.add_argument(
        "what",
        nargs="?",
        default="compare",
        choices=("compare", "nodes", *OTHERS),
        help="compare: beside other servers (default), or, with --against, beside another version "
        "of this one; growth: cost as the work grows; idle: cost of 5,000 idle connections; "
        "memory: bytes of a connection, room, member, account; nodes: several servers on "
        "PostgreSQL beside one; rooms: a chat with a million rooms; search: among a million "
        "messages; storm: 2,000 clients that reconnect at the same time; tls: TLS beside plain "
        "connections",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="compare this checkout (new) with another one (old), in turns; prints the ratio",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="compare: how often to measure each (3; with --against: 9 pairs); nodes: (2)",
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="nodes: how long each measurement takes (4)"
    )
    parser.add_argument(
        "--json", action="store_true", help="nodes: print JSON in place of the table"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, and short ones")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="SERVER",
        help="compare: only these servers; nodes: only these of 1-sqlite, 1-postgres, 2-postgres, "
        "2-nats, 3-postgres, 3-nats",
    )
    parser.add_argument(
        "--works",
        nargs="+",
        default=[],
        metavar="WORKLOAD",
        help="compare, nodes: only these workloads",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for the results (docs/performance; with --against: none are written)",
    )
    return parser


def run(options: argparse.Namespace) -> int:
    """Measure what the options say.

    Returns:
        The exit status.

    Raises:
        BenchError: The options cannot be used, or nothing can be measured.
    """
    if options.rounds is not None and options.rounds < 1:
        raise BenchError("--rounds must be at least 1")
    if options.seconds is not None and not options.seconds > 0:
        raise BenchError("--seconds must be more than 0")
    folder = options.out or RESULTS
    seconds = options.seconds or (1.5 if options.quick else 4.0)
    for name, takers in TAKEN_BY.items():
        if getattr(options, name) and options.what not in takers:
            raise BenchError(f"--{name} is for {' and '.join(takers)} only")
    if options.what == "nodes":
        rounds = options.rounds or (1 if options.quick else 2)
        return nodes(folder, options.only, options.works, rounds, seconds, options.json, say)
    if options.what != "compare":
        return OTHERS[options.what](folder, options.quick, say)
    if options.against is None:
        rounds = options.rounds or (1 if options.quick else 3)
        return compare(folder, options.only, options.works, rounds, seconds, say)
    if options.only:
        raise BenchError("--only cannot be used with --against")
    # Two at least, so that each side comes first as often as the other.
    rounds = options.rounds or (2 if options.quick else 9)
    return against(options.against, options.works, rounds, seconds, options.out, say)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Its words; None for those of the process.

    Returns:
        The exit status: 0, 1 if anything was lost, 2 if nothing could be measured, 130 if stopped.
    """
    try:
        return run(make_parser().parse_args(arguments))
    except BenchError as error:
        say(f"bench: {error}\n")
        return 2
    except KeyboardInterrupt:
        say("\nstopped\n")
        return 130


def interrupt(*_: object) -> None:
    """End as Ctrl-C does, so that what was started is stopped."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    raise SystemExit(main())
