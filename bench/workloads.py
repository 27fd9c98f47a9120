"""The workloads, and how the load generator talks to GTChat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.tools import BenchError


@dataclass(frozen=True)
class Workload:
    """A load for a server.

    Attributes:
        name: As in the tables and after `--works`.
        description: What it does, for the tables.
        connections: How many connections there are in all.
        room: How many connections share a room.
        senders: How many of the connections send.
        window: Messages in flight per sender, if `rate` is 0.
        rate: Messages per second in all; 0 for as many as the window allows.
        target_memory: The CPU µs per delivery that we want to stay below with the store in memory,
            on the reference machine of docs/performance.md; None where latency is what counts.
        target_disk: The same with the store on disk.
    """

    name: str
    description: str
    connections: int
    room: int
    senders: int
    window: int = 1
    rate: int = 0
    target_memory: float | None = None
    target_disk: float | None = None

    def arguments(self, seconds: float) -> list[str]:
        """Return the options of the load generator.

        Args:
            seconds: How long to measure.
        """
        pace = ["--rate", str(self.rate)] if self.rate else ["-w", str(self.window)]
        numbers = {"-n": self.connections, "-r": self.room, "-s": self.senders, "--dur": seconds}
        return [*(str(part) for pair in numbers.items() for part in pair), *pace]

    @property
    def rooms(self) -> int:
        """The number of rooms."""
        return -(-self.connections // self.room)


WORKLOADS = (
    Workload("W1w1", "1 room of 1,000, 1 sender, 1 in flight", 1000, 1000, 1, 1, 0, 4.5, 5.0),
    Workload("W1w16", "1 room of 1,000, 1 sender, 16 in flight", 1000, 1000, 1, 16, 0, 0.40, 0.45),
    Workload("W2w4", "100 rooms of 10, 1 sender each, 4 in flight", 1000, 10, 100, 4, 0, 2.2, 3.5),
    Workload("W3w1", "1 room of 100, all send, 1 in flight each", 100, 100, 100, 1, 0, 0.25, 0.35),
    Workload("W4", "500 rooms of 10, 200 messages per second in all", 5000, 10, 500, 1, 200),
)


def gtchat_arguments(user: str = "u%u") -> tuple[str, ...]:
    """Return options of the load generator for GTChat's JSON API: log in, join the room, send.

    Args:
        user: The names of the guests; `%u` is their number.
    """
    return (
        "--noecho",
        *("--step", f'{{"cmd":"login","type":"tmp","usr":"{user}"}}', '"ok"'),
        *("--step", '{"cmd":"join_room","room_name":"r%r"}', '"ok"'),
        *("--msg", '{"cmd":"speak","room_name":"r%r","msg":"%m"}'),
    )


GTCHAT = gtchat_arguments()


def select_workloads(
    names: Sequence[str],
    default: Sequence[Workload],
    workloads: Sequence[Workload] = WORKLOADS,
) -> Sequence[Workload]:
    """Return the workloads with these names, in the order in which they are listed.

    Args:
        names: In any case; none for the default.
        default: What to return without names.
        workloads: All that there are.

    Raises:
        BenchError: There is no workload of that name.
    """
    wanted = {name.lower() for name in names}
    unknown = wanted - {workload.name.lower() for workload in workloads}
    if unknown:
        available = ", ".join(workload.name for workload in workloads)
        raise BenchError(f"no such workload: {min(unknown)}; there are {available}")
    return [w for w in workloads if w.name.lower() in wanted] if wanted else default
