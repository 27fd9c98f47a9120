"""Nodes on one PostgreSQL: users speak, join, create and leave on all of them, while nodes and
processes of PostgreSQL are killed or stopped and the connections between them stall and break.

A fault ends when all users have been answered again. Then comes the next one, each kind as often as
the others. At the end the table is the truth, and `judge` compares all that users recorded with it.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs

from tests.e2e.server import NO_QUOTA, SECONDS, Server
from tests.postgres import PostgresServer
from tests.stress import truth
from tests.stress.judge import Limits, find_contradictions, find_violations
from tests.stress.mutants import MutantServer
from tests.stress.network_conditions import PERFECT, Proxy
from tests.stress.oracle import Oracle
from tests.stress.roaming import ROOMS_PER_USER, RoamingClient

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *("--connections-per-address", "0"),
    *("--rooms-per-user", str(ROOMS_PER_USER)),
    *NO_QUOTA,
)
#: Nodes that may share a database.
MOST_NODES = 1
#: Users, rooms of all of them, and members that those have room for.
USERS, HALLS, HALL_SIZE = 6, 3, 4
#: Seconds between two attempts to reconnect.
RECONNECT_SECONDS = 0.1
#: Seconds between the end of a fault and the next one: minimum and maximum.
REST = (0.1, 1.0)
#: Seconds that a node is stopped, that a connection stalls, and that each piece is delayed.
STOPPED, STALLED, DELAYED = 2.0, 5.0, 0.03
#: The name of the database, and of its file in the folder of a proxy.
DATABASE, SOCKET = "chat", ".s.PGSQL.5432"


@attrs.define
class Kind:
    """What happened with one kind of fault.

    Attributes:
        count: how often it was done.
        silence: the longest time in seconds in which a user got no acknowledgement.
    """

    count: int = 0
    silence: float = 0.0


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        nodes: how many.
        faults: by name.
        entries: in all logs.
        sent, acknowledged, refused: requests that are messages; `refused` has all requests.
        seconds: from the first fault to the end of the last.
        violations: one line each.
    """

    nodes: int
    faults: dict[str, Kind] = attrs.field(factory=dict)
    entries: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    seconds: float = 0.0
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        count = sum(kind.count for kind in self.faults.values())
        lines = [
            f"{count} faults of {self.nodes} node(s) in {self.seconds:.0f} s: {self.sent} messages "
            f"sent, {self.acknowledged} acknowledged, {self.refused} requests refused, "
            f"{self.entries} entries; {len(self.violations)} violations",
            "fault      times  longest silence",
            *(f"{n:10} {k.count:5}  {k.silence:5.1f} s" for n, k in sorted(self.faults.items())),
        ]
        return "\n".join(lines)


class Node:
    """A server, and the proxy between it and PostgreSQL.

    Args:
        postgres: the server of databases, stopped or not.
        mutant: see `Nodes`.

    Attributes:
        proxy: its server is PostgreSQL.
        server: the process.
    """

    def __init__(self, postgres: PostgresServer, mutant: str | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-node-"))
        self.proxy = Proxy(str(postgres.folder / SOCKET), lambda: PERFECT)
        options = (*OPTIONS, "--store", f"postgresql://gtchat@/{DATABASE}?host={self._folder}")
        self.server = MutantServer(mutant, *options) if mutant else Server(*options)

    async def start(self) -> None:
        """Start both."""
        await self.proxy.start(str(self._folder / SOCKET))
        await self.start_server()

    async def start_server(self) -> None:
        """Start the server, for the first time or after it was killed."""
        await asyncio.to_thread(self.server.start)

    async def stop(self) -> None:
        """End both."""
        self.server.kill()
        await self.proxy.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the server."""
        assert self.server.process is not None
        self.server.process.send_signal(number)


class Nodes:
    """One run.

    Args:
        nodes: how many.
        kills: number of faults.
        seed: of everything random.
        only: names of the faults to do, all by default.
        mutant: a deliberate bug of the servers, see `mutants`.
    """

    def __init__(
        self,
        nodes: int,
        kills: int,
        seed: int,
        only: tuple[str, ...] = (),
        mutant: str | None = None,
    ) -> None:
        self.only = only
        self.kills = kills
        self.random = random.Random(seed)
        self.result = Result(nodes)
        self.oracle = Oracle()
        self.postgres = PostgresServer()
        self.nodes = [Node(self.postgres, mutant) for _ in range(nodes)]
        halls = [f"hall {number}" for number in range(HALLS)]
        self.clients = [
            RoamingClient(f"user{number}", self.oracle, seed + number, halls)
            for number in range(USERS)
        ]
        self._done = False
        self._direct = self.postgres.url(DATABASE)
        self.faults: dict[str, Callable[[Node], Awaitable[None]]] = {
            "node": self._kill_node,
            "backend": self._kill_backend,
            "postmaster": self._kill_postmaster,
            "both": self._kill_both,
            "stop": self._stop_node,
            "stall": self._stall,
            "stall, cut": self._stall_and_cut,
            "cut": self._cut,
            "delay": self._delay,
        }

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Do all faults and check the result.

        Args:
            progress: called with the number of faults done.
        """
        try:
            self.postgres.start()
            self.postgres.execute(f"CREATE DATABASE {DATABASE}")
            for node in self.nodes:
                await node.start()
            await self._register()
            tasks = [asyncio.create_task(self._keep_running(one)) for one in self.clients]
            await self._do_faults(progress)
            self._done = True
            for client in self.clients:
                client.disconnect()
            await asyncio.gather(*tasks)
            await self._check()
        finally:
            for node in self.nodes:
                await node.stop()
            self.postgres.close()
        return self.result

    # Users.

    async def _register(self) -> None:
        """Create the accounts; the first creates the halls, in which there is not room for all."""
        for client in self.clients:
            await client.register({"ws": self.nodes[0].server.ws_port})
            if client is self.clients[0]:
                for hall in client.halls:
                    reply = await client.call("create_room", room_name=hall, max=HALL_SIZE)
                    client.oracle.record_entry(client.name, hall, reply["seq"], None)
                    client.rooms = (*client.rooms, hall)
                client.created = HALLS
            client.disconnect()

    async def _keep_running(self, client: RoamingClient) -> None:
        """Let a user come back, to any node, until the run is done."""
        while not self._done:
            await client.run({"ws": self.random.choice(self.nodes).server.ws_port})
            await asyncio.sleep(RECONNECT_SECONDS)

    # Faults.

    async def _do_faults(self, progress: Callable[[int], None]) -> None:
        names: list[str] = []
        began = time.monotonic()
        await self._until_answered()
        for number in range(self.kills):
            if not names:
                names = list(self.only or self.faults)
                self.random.shuffle(names)
            await self._do_fault(names.pop())
            progress(number + 1)
            if self.oracle.violations:
                break
            await asyncio.sleep(self.random.uniform(*REST))
            self.random.choice(self.clients).disconnect()
        self.result.seconds = time.monotonic() - began

    async def _do_fault(self, name: str) -> None:
        """Do a fault, and wait until all users are answered again."""
        for client in self.clients:
            client.silence = 0.0
        await self.faults[name](self.random.choice(self.nodes))
        await self._until_answered(name)
        kind = self.result.faults.setdefault(name, Kind())
        kind.count += 1
        kind.silence = max(kind.silence, *(client.silence for client in self.clients))

    async def _until_answered(self, name: str = "start") -> None:
        """Wait until each user has had an acknowledgement from now on."""
        now = time.monotonic()
        while min(client.last_reply for client in self.clients) < now:
            if time.monotonic() > now + SECONDS:
                self.oracle.violations.append(f"no acknowledgement for {SECONDS} s after: {name}")
                return
            await asyncio.sleep(0.02)

    async def _kill_node(self, node: Node) -> None:
        """Kill a node."""
        node.server.kill()
        await node.start_server()

    async def _kill_backend(self, node: Node) -> None:
        """Kill a process of PostgreSQL that serves a node: the postmaster restarts them all."""
        pids = await asyncio.to_thread(self._backends)
        if pids:
            os.kill(self.random.choice(pids), signal.SIGKILL)

    def _backends(self) -> list[int]:
        import psycopg

        sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'gtchat'"
        with psycopg.connect(self._direct) as db:
            return [int(pid) for (pid,) in db.execute(sql)]

    async def _kill_postmaster(self, node: Node) -> None:
        """Kill the postmaster."""
        self.postgres.stop(signal.SIGKILL)
        await asyncio.sleep(self.random.uniform(0, 1))
        await asyncio.to_thread(self.postgres.start)

    async def _kill_both(self, node: Node) -> None:
        """Kill a node and the postmaster."""
        for kill in self.random.sample([node.server.kill, self._kill_server], 2):
            kill()
        await asyncio.to_thread(self.postgres.start)
        await node.start_server()

    def _kill_server(self) -> None:
        self.postgres.stop(signal.SIGKILL)

    async def _stop_node(self, node: Node) -> None:
        """Stop a node for a while, possibly within a transaction."""
        node.send_signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED)
        node.send_signal(signal.SIGCONT)

    async def _stall(self, node: Node) -> None:
        """Pass nothing on between a node and PostgreSQL, and then all of it."""
        node.proxy.partition()
        await asyncio.sleep(STALLED)
        node.proxy.heal()

    async def _stall_and_cut(self, node: Node) -> None:
        """Pass nothing on between a node and PostgreSQL, and then break the connections."""
        node.proxy.partition()
        await asyncio.sleep(STALLED)
        node.proxy.cut()
        node.proxy.heal()

    async def _cut(self, node: Node) -> None:
        """Break the connections between a node and PostgreSQL, several times."""
        for _ in range(3):
            node.proxy.cut()
            await asyncio.sleep(self.random.uniform(0, 0.2))

    async def _delay(self, node: Node) -> None:
        """Delay what a node and PostgreSQL tell each other, and break the connections."""
        node.proxy.delay = DELAYED
        await asyncio.sleep(STOPPED)
        node.proxy.cut()
        node.proxy.delay = 0.0

    # The end.

    async def _check(self) -> None:
        """Let all users receive the rest, and compare."""
        violations = self.oracle.violations
        found: Any = None
        try:
            for client in self.clients:
                await client.connect({"ws": self.random.choice(self.nodes).server.ws_port})
            await self._all(client.settle() for client in self.clients)
            found = await asyncio.to_thread(truth.read, self._direct)
            await self._all(client.receive_until(found.heads) for client in self.clients)
        except (asyncio.TimeoutError, OSError) as error:
            violations.append(f"a user waits for something that does not arrive: {error!r}")
        if found is None:
            found = await asyncio.to_thread(truth.read, self._direct)
        result = self.result
        limits = Limits(rooms_per_user=ROOMS_PER_USER)
        result.violations = find_violations(self.oracle, found.logs, limits)
        result.violations += find_contradictions(found)
        for node in self.nodes:
            lines = (line.strip() for line in node.server.lines)
            result.violations += [one for one in lines if "Traceback" in one or "Unhandled" in one]
        result.entries = sum(map(len, found.logs.values()))
        result.sent, result.acknowledged = len(self.oracle.sent), len(self.oracle.acknowledged)
        result.refused = sum(client.refused for client in self.clients)

    async def _all(self, waits: Any) -> None:
        await asyncio.wait_for(asyncio.gather(*waits), SECONDS)
