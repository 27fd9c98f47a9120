"""python -m bench: compare, growth, idle, memory, storm, tls."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.compare import compare
from bench.growth import growth
from bench.idle import idle
from bench.memory import memory
from bench.storm import storm
from bench.tls import tls
from bench.tools import BenchError


def say(text: str) -> None:
    """Show progress."""
    sys.stderr.write(text)
    sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    """The words that there are."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument(
        "what",
        nargs="?",
        default="compare",
        choices=("compare", "growth", "idle", "memory", "storm", "tls"),
        help="compare with other servers (default); cost as the work grows; work beside 5,000 idle "
        "connections; memory; 2,000 clients that come back at once; TLS beside plain connections",
    )
    made.add_argument("--quick", action="store_true", help="once, and for a short time")
    made.add_argument("--only", nargs="+", default=[], metavar="SERVER", help="these servers")
    made.add_argument("--works", nargs="+", default=[], metavar="WORK", help="these workloads")
    made.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).resolve().parents[1] / "docs" / "performance",
        help="folder for the results (docs/performance)",
    )
    return made


def main() -> int:
    """Measure; the exit status."""
    chosen = parser().parse_args()
    try:
        if chosen.what == "compare":
            rounds, seconds = (1, 1.5) if chosen.quick else (3, 4.0)
            only = [name.lower() for name in chosen.only]
            works = [name.lower() for name in chosen.works]
            return compare(chosen.out, only, works, rounds, seconds, say)
        others = {"growth": growth, "idle": idle, "memory": memory, "storm": storm, "tls": tls}
        return others[chosen.what](chosen.out, chosen.quick, say)
    except BenchError as error:
        say(f"bench: {error}\n")
        return 2
    except KeyboardInterrupt:
        say("\nstopped\n")
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
