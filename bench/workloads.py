"""What is measured: the workloads, and how each server is spoken to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """Work for a server.

    Attributes:
        connections, room: how many connections, and how many of them share a room.
        senders: how many of them speak.
        pace: messages in flight of each sender, or, with `rate`, messages a second in all.
        bound_memory, bound_disk: CPU µs a delivery that we mean to reach, on the machine of the
            figures; None where latency is what counts.
    """

    name: str
    about: str
    connections: int
    room: int
    senders: int
    window: int = 1
    rate: int = 0
    bound_memory: float | None = None
    bound_disk: float | None = None

    def words(self, seconds: float) -> list[str]:
        """Options of the load generator. seconds: how long to measure."""
        pace = ["--rate", str(self.rate)] if self.rate else ["-w", str(self.window)]
        numbers = {"-n": self.connections, "-r": self.room, "-s": self.senders, "--dur": seconds}
        return [*(str(word) for pair in numbers.items() for word in pair), *pace]

    @property
    def rooms(self) -> int:
        """How many rooms there are."""
        return -(-self.connections // self.room)


WORKLOADS = (
    Workload("W1w1", "a room of 1,000, one speaks, 1 in flight", 1000, 1000, 1, 1, 0, 4.5, 5.0),
    Workload(
        "W1w16", "a room of 1,000, one speaks, 16 in flight", 1000, 1000, 1, 16, 0, 0.40, 0.45
    ),
    Workload(
        "W2w4", "100 rooms of 10, one speaks in each, 4 in flight", 1000, 10, 100, 4, 0, 2.2, 3.5
    ),
    Workload("W3w1", "a room of 100, all speak, 1 in flight", 100, 100, 100, 1, 0, 0.25, 0.35),
    Workload("W4", "5,000 in 500 rooms, 200 messages a second", 5000, 10, 500, 1, 200),
)

#: How our server is spoken to.
GTCHAT = (
    "--noecho",
    *("--step", '{"cmd":"login","type":"tmp","usr":"u%u"}', '"ok"'),
    *("--step", '{"cmd":"join_room","room_name":"r%r"}', '"ok"'),
    *("--msg", '{"cmd":"speak","room_name":"r%r","msg":"%m"}'),
)
