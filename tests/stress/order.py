"""Order under fault: writers and readers behind bad weather, and a server that is killed.

All have the same history at the end: what each said is in his order, nothing that nobody said is in
it, nothing acknowledged is missing, and everybody was told each number once, in order, over however
many connections it took.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import attrs

from tests.e2e.server import SECONDS, Server
from tests.stress.clients import NEST, Web
from tests.stress.network_conditions import CLEAR, NetworkConditions, Proxy
from tests.stress.oracle import Oracle, judge

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *("--connections-per-address", "0"),
)
#: Seconds without an acknowledgement that are too many; a network may be silent for a minute.
STILL = 150
#: Seconds in which at least a ping has to come, as any client wants it.
PATIENCE = 45.0
#: Seconds between two tries to come back.
AGAIN = 0.05


@attrs.define
class Result:
    """How it went."""

    messages: int
    told: int
    connections: int
    kills: int
    faults: list[str]

    def __str__(self) -> str:
        return (
            f"{self.messages} messages, told {self.told} times over {self.connections} "
            f"connections, {self.kills} kills; {len(self.faults)} faults"
        )


def storm(chance: random.Random) -> NetworkConditions:
    """The weather of one connection."""
    bytes_to_end = chance.randrange(500, 200_000)
    return chance.choice(
        (
            CLEAR,
            NetworkConditions(delay=(0.0, 0.02)),
            NetworkConditions(ends_after=bytes_to_end // 4),
            NetworkConditions(ends_after=bytes_to_end // 4, resets=True),
            NetworkConditions(stalls_after=bytes_to_end, stall=0.3),
            NetworkConditions(piece=chance.randrange(1, 40), ends_after=3000),
        )
    )


class Order:
    """One run.

    Args:
        server: not started yet. messages: how many are said in all. writers, readers: how many.
        kills: how often the server is killed, evenly over the messages. seed: of all chance.
        weather: makes that of a connection. host: where the server listens.

    Attributes:
        begun: called when all are known to the server. ended: called when all is said.
    """

    def __init__(
        self,
        server: Server,
        messages: int,
        kills: int,
        seed: int,
        writers: int = 8,
        readers: int = 8,
        weather: Callable[[random.Random], NetworkConditions] = storm,
        host: str = "127.0.0.1",
    ) -> None:
        self.weather = weather
        self.host = host
        self.begun: Callable[[], object] = lambda: None
        self.ended: Callable[[], object] = lambda: None
        self.server = server
        self.messages = messages
        self.kills = kills
        self.random = random.Random(seed)
        self.book = Oracle()
        self.people = [
            Web(f"w{number}", self.book, rooms=(NEST,), most=messages // writers)
            for number in range(writers)
        ] + [Web(f"r{number}", self.book, rooms=(NEST,), speaks=False) for number in range(readers)]
        self._done = False

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Do it, and judge."""
        self.server.start()
        port = self.server.ws_port
        proxy = Proxy(port, lambda: self.weather(self.random), seed=7, host=self.host)
        fair = Proxy(port, lambda: CLEAR, host=self.host)
        await proxy.start()
        await fair.start()
        try:
            direct = {"ws": fair.port}
            for person in self.people:
                person.patience = PATIENCE
                await person.begin(direct, creates=person is self.people[0])
                person.part()
            self.begun()
            lives = [asyncio.create_task(self._live(one, proxy.port)) for one in self.people]
            killed = await self._kill_now_and_then(progress)
            self._done = True
            self.ended()
            for person in self.people:
                person.part()
            await asyncio.gather(*lives)
            faults = await self._judge(direct)
        finally:
            await proxy.stop()
            await fair.stop()
            self.server.kill()
        told = sum(map(len, self.book.numbered.values()))
        return Result(len(self.book.promised), told, proxy.connections, killed, faults)

    async def _live(self, person: Web, port: int) -> None:
        """Come back until all is said."""
        while not self._done:
            await person.live({"ws": port})
            await asyncio.sleep(AGAIN)

    async def _kill_now_and_then(self, progress: Callable[[int], None]) -> int:
        """Kill the server at its times, until everything is said; how often it was."""
        goal = self.messages // 8 * 8
        times = [goal * (number + 1) // (self.kills + 1) for number in range(self.kills)]
        killed, still, before = 0, 0, -1
        while (done := len(self.book.promised)) < goal and not self.book.faults:
            progress(done)
            still = still + 1 if done == before else 0
            if still > STILL * 20:
                self.book.faults.append(f"nothing was acknowledged for long; {done} were before")
            before = done
            if times and done >= times[0]:
                times.pop(0)
                self.server.kill()
                killed += 1
                await asyncio.to_thread(self.server.start)
            await asyncio.sleep(0.05)
        progress(done)
        return killed

    async def _judge(self, direct: dict[str, int]) -> list[str]:
        """In fair weather everybody gets the rest."""
        logs = {}
        for person in self.people:
            await person.come(direct)
            logs = await asyncio.wait_for(person.run_pending(), 3 * SECONDS)
            person.part()
        faults = judge(self.book, logs)
        faults += [line.strip() for line in self.server.lines if "Traceback" in line]
        return faults
