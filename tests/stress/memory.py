"""Clients that disconnect leave nothing behind: the server's memory over very many connections.

In groups of a hundred, users connect as guests and leave: some log out, some do the closing
handshake, some only drop the connection. Half of the connections never log in. No messages are
sent, because messages are kept, and SQLite caches part of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.e2e.server import Server
from tests.stress.websocket import DISCONNECTED, WebSocket

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--connections-per-address", "0"),
)
GROUP = 100
#: KiB per thousand connections that may remain, by the slope of the second half of a run.
ALLOWED_SLOPE = 20.0


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        memory: resident memory in KiB after each thousand connections.
        descriptors: open file descriptors, likewise.
        violations: one line each.
    """

    memory: list[int]
    descriptors: list[int]
    violations: list[str] = attrs.field(factory=list)

    def slope(self) -> float:
        """Return KiB per thousand connections, by least squares over the second half."""
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
    """Let clients connect and leave.

    Args:
        server: not started yet.
        thousands: of connections.
        progress: called with the thousands done.
    """
    server.start()
    result = Result([], [])
    try:
        assert server.process is not None
        process = Path("/proc", str(server.process.pid))
        for thousand in range(thousands):
            for group in range(1000 // GROUP):
                await asyncio.gather(
                    *(_visit(server.ws_port, f"u{group}-{n}", n) for n in range(GROUP))
                )
            await _wait_until_empty(server.ws_port)
            pages = int((process / "statm").read_text().split()[1])
            result.memory.append(pages * os.sysconf("SC_PAGE_SIZE") // 1024)
            result.descriptors.append(len(list((process / "fd").iterdir())))
            progress(thousand + 1)
    finally:
        server.kill()
    if result.slope() > ALLOWED_SLOPE:
        result.violations.append(f"more than {ALLOWED_SLOPE} KiB per thousand connections remain")
    if result.descriptors[-1] > result.descriptors[0] + 10:
        result.violations.append("descriptors stay open")
    result.violations += [line.strip() for line in server.lines if "Traceback" in line]
    return result


async def _visit(port: int, name: str, number: int) -> None:
    """Connect, log in or not, and leave in one of several ways, chosen by the number."""
    with contextlib.suppress(*DISCONNECTED):
        ws = await WebSocket.connect(port)
        if number % 2:
            await ws.call(cmd="login", type="tmp", usr=name)
            if number % 5:
                await ws.call(cmd="logout")
        if number % 3 == 0:
            ws.send_close()
            while True:
                await ws.read()
        ws.close()


async def _wait_until_empty(port: int) -> None:
    """Wait until no other user is online."""
    ws = await WebSocket.connect(port)
    reply = await ws.call(cmd="login", type="tmp", usr="watcher")
    while reply["users_total"] > 1:
        await asyncio.sleep(0.1)
        reply = await ws.call(cmd="get_user_list")
    await ws.call(cmd="logout")
    ws.close()
