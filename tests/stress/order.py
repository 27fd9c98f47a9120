"""Order under faults: writers and readers on bad networks, and a server that is killed.

At the end all have the same history: the messages of each sender are in the order in which they
were sent, nothing else is in it, nothing acknowledged is missing, and each client received every
seq once, in order, over any number of connections.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import attrs

from tests.e2e.server import NO_QUOTA, SECONDS, Server
from tests.stress.clients import ROOM, JSONClient
from tests.stress.judge import find_violations
from tests.stress.network_conditions import PERFECT, NetworkConditions, Proxy
from tests.stress.oracle import Oracle

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *("--connections-per-address", "0"),
    *NO_QUOTA,
)
#: Seconds without an acknowledgement that end a run; a network may be partitioned for a minute.
STALL_SECONDS = 150
#: Seconds without a byte, pings included, after which a client gives a connection up.
IDLE_SECONDS = 45.0
#: Seconds between two attempts to reconnect.
RECONNECT_SECONDS = 0.05
#: Seconds between two looks at the progress of a run.
POLL_SECONDS = 0.05


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        messages: acknowledged messages.
        delivered: entries that clients received, all together.
        connections: connections through the proxy.
        kills: of the server.
        violations: one line each.
    """

    messages: int
    delivered: int
    connections: int
    kills: int
    violations: list[str]

    def __str__(self) -> str:
        return (
            f"{self.messages} messages, {self.delivered} deliveries over {self.connections} "
            f"connections, {self.kills} kills; {len(self.violations)} violations"
        )


def random_conditions(rng: random.Random) -> NetworkConditions:
    """Choose the conditions of one connection."""
    size = rng.randrange(500, 200_000)
    return rng.choice(
        (
            PERFECT,
            NetworkConditions(delay=(0.0, 0.02)),
            NetworkConditions(ends_after=size // 4),
            NetworkConditions(ends_after=size // 4, resets=True),
            NetworkConditions(stalls_after=size, stall=0.3),
            NetworkConditions(piece=rng.randrange(1, 40), ends_after=3000),
        )
    )


class Order:
    """One run.

    Args:
        server: not started yet.
        messages: to be sent, all writers together.
        kills: of the server, evenly over the messages.
        seed: of everything random.
        writers, readers: numbers of clients.
        conditions: chooses those of a connection.
        host: the address of the server.

    Attributes:
        on_begin: called when all clients have registered.
        on_end: called when all messages are acknowledged.
    """

    def __init__(
        self,
        server: Server,
        messages: int,
        kills: int,
        seed: int,
        writers: int = 8,
        readers: int = 8,
        conditions: Callable[[random.Random], NetworkConditions] = random_conditions,
        host: str = "127.0.0.1",
    ) -> None:
        self.conditions = conditions
        self.host = host
        self.on_begin: Callable[[], object] = lambda: None
        self.on_end: Callable[[], object] = lambda: None
        self.server = server
        self.messages = messages
        self.kills = kills
        self.random = random.Random(seed)
        self.oracle = Oracle()
        self.clients = [
            JSONClient(f"w{number}", self.oracle, rooms=(ROOM,), limit=messages // writers)
            for number in range(writers)
        ] + [
            JSONClient(f"r{number}", self.oracle, rooms=(ROOM,), sends=False)
            for number in range(readers)
        ]
        self._done = False

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Send all messages and check the result.

        Args:
            progress: called with the number of acknowledged messages.
        """
        self.server.start()
        port = self.server.ws_port
        proxy = Proxy(port, lambda: self.conditions(self.random), seed=7, host=self.host)
        perfect = Proxy(port, lambda: PERFECT, host=self.host)
        await proxy.start()
        await perfect.start()
        try:
            direct = {"ws": perfect.port}
            for client in self.clients:
                client.idle_timeout = IDLE_SECONDS
                await client.register(direct, creates=client is self.clients[0])
                client.disconnect()
            self.on_begin()
            tasks = [asyncio.create_task(self._keep_running(c, proxy.port)) for c in self.clients]
            kills = await self._wait_and_kill(progress)
            self._done = True
            self.on_end()
            for client in self.clients:
                client.disconnect()
            await asyncio.gather(*tasks)
            violations = await self._check(direct)
        finally:
            await proxy.stop()
            await perfect.stop()
            self.server.kill()
        delivered = self.oracle.entries_received()
        messages = len(self.oracle.acknowledged)
        return Result(messages, delivered, proxy.connections, kills, violations)

    async def _keep_running(self, client: JSONClient, port: int) -> None:
        """Reconnect a client until all messages are acknowledged."""
        while not self._done:
            await client.run({"ws": port})
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _wait_and_kill(self, progress: Callable[[int], None]) -> int:
        """Wait until all messages are acknowledged; kill the server at its times.

        Returns:
            the number of kills.
        """
        goal = self.messages // 8 * 8
        times = [goal * (number + 1) // (self.kills + 1) for number in range(self.kills)]
        kills, stalled, before = 0, 0, -1
        while (done := len(self.oracle.acknowledged)) < goal and not self.oracle.violations:
            progress(done)
            stalled = stalled + 1 if done == before else 0
            if stalled * POLL_SECONDS > STALL_SECONDS:
                self.oracle.violations.append(f"nothing is acknowledged after {done} messages")
            before = done
            if times and done >= times[0]:
                times.pop(0)
                self.server.kill()
                kills += 1
                await asyncio.to_thread(self.server.start)
            await asyncio.sleep(POLL_SECONDS)
        progress(done)
        return kills

    async def _check(self, direct: dict[str, int]) -> list[str]:
        """Let all clients receive the rest on a perfect network; return the violations."""
        logs = {}
        for client in self.clients:
            await client.connect(direct)
            logs = await asyncio.wait_for(client.finish(), 3 * SECONDS)
            client.disconnect()
        violations = find_violations(self.oracle, logs)
        violations += [line.strip() for line in self.server.lines if "Traceback" in line]
        return violations
