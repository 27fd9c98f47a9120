"""Whoever comes and goes leaves nothing behind: the server's memory over very many connections.

In turns of a hundred, people come as guests and go: some log out, some close, some are just gone.
Half of the connections never get as far as that. Nobody says anything, since what is said is kept,
and SQLite keeps some of it at hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.e2e.server import Server
from tests.stress.wire import BROKEN, Wire

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--connections-per-address", "0"),
)
TOGETHER = 100
#: KiB that a thousand connections may leave behind, by the slope of the second half.
ALLOWED = 20.0


@attrs.define
class Result:
    """Memory in KiB and descriptors, after each thousand connections."""

    memory: list[int]
    descriptors: list[int]
    faults: list[str] = attrs.field(factory=list)

    def slope(self) -> float:
        """KiB that a thousand connections leave behind, by least squares over the second half."""
        half = self.memory[len(self.memory) // 2 :]
        middle, average = (len(half) - 1) / 2, sum(half) / len(half)
        weight = sum((x - middle) ** 2 for x in range(len(half)))
        return sum((x - middle) * (y - average) for x, y in enumerate(half)) / max(weight, 1)

    def __str__(self) -> str:
        return (
            f"{len(self.memory)} thousand connections: {self.memory[0]} KiB after the first "
            f"thousand, {self.memory[-1]} KiB at the end, {self.slope():.1f} KiB a thousand in the "
            f"second half; {self.descriptors[0]} and {self.descriptors[-1]} descriptors"
        )


async def run(
    server: Server, thousands: int, progress: Callable[[int], None] = lambda _: None
) -> Result:
    """Let so many thousand connections come and go."""
    server.start()
    result = Result([], [])
    try:
        assert server.process is not None
        process = Path("/proc", str(server.process.pid))
        for thousand in range(thousands):
            for turn in range(1000 // TOGETHER):
                names = range(TOGETHER)
                await asyncio.gather(*(_visit(server.ws_port, f"u{turn}-{n}", n) for n in names))
            await _settled(server.ws_port)
            pages = int((process / "statm").read_text().split()[1])
            result.memory.append(pages * os.sysconf("SC_PAGE_SIZE") // 1024)
            result.descriptors.append(len(list((process / "fd").iterdir())))
            progress(thousand + 1)
    finally:
        server.kill()
    if result.slope() > ALLOWED:
        result.faults.append(f"more than {ALLOWED} KiB a thousand stay")
    if result.descriptors[-1] > result.descriptors[0] + 10:
        result.faults.append("descriptors stay")
    result.faults += [line.strip() for line in server.lines if "Traceback" in line]
    return result


async def _visit(port: int, name: str, number: int) -> None:
    """Come, maybe log in, and go in one of several ways."""
    with contextlib.suppress(*BROKEN):
        wire = await Wire.connect(port)
        if number % 2:
            await wire.ask(cmd="login", type="tmp", usr=name)
            if number % 5:
                await wire.ask(cmd="logout")
        if number % 3 == 0:
            wire.send_close()
            while True:
                await wire.read()
        wire.close()


async def _settled(port: int) -> None:
    """Wait until the server has nobody else."""
    wire = await Wire.connect(port)
    login = await wire.ask(cmd="login", type="tmp", usr="watcher")
    while login["users_total"] > 1:
        await asyncio.sleep(0.1)
        login = await wire.ask(cmd="get_user_list")
    await wire.ask(cmd="logout")
    wire.close()
