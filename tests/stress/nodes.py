"""Nodes on one PostgreSQL: users speak, join, create and leave on all of them, while nodes and
processes of PostgreSQL are killed or stopped, the connections between them stall and break, nodes
are given up, and what wakes them is cut.

A fault ends when all users have been answered again. Then comes the next one, each kind as often as
the others. At the end the table is the truth, and `judge` compares all that users recorded with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from tests.e2e.server import SECONDS
from tests.nats_server import NatsServer
from tests.postgres import PostgresServer
from tests.stress import nodes_old, roaming, truth
from tests.stress.clients import LOBBY
from tests.stress.judge import Limits, find_contradictions, find_violations
from tests.stress.node_faults import DATABASE, RECONNECT_SECONDS, Node, NodeFaults
from tests.stress.nodes_old import OldUsers
from tests.stress.oracle import Oracle
from tests.stress.roaming import ROOMS_PER_USER, RoamingClient
from tests.stress.websocket import DISCONNECTED, WebSocket

#: Nodes that may share a database.
MOST_NODES = 3
#: Lines of a log that a failure is shown with.
FAILURE_LINES = 40
#: Lines of each log that are shown if a user is not answered.
LAST_LINES = 15
#: Users, rooms of all of them, and members that those have room for.
USERS, HALLS, HALL_SIZE = 6, 3, 4
#: Percentage of joins and leaves on several nodes: two nodes have to let the last one in at once.
MOVE_PERCENT = 40
#: Seconds for what users of the old protocols do one after the other.
OLD_SECONDS = 3 * SECONDS
#: Seconds between the end of a fault and the next one: minimum and maximum.
REST = (0.1, 1.0)


def _failures(lines: list[str]) -> list[str]:
    """Return the failures in a server's log, each with the lines that follow."""
    begins = [n for n, line in enumerate(lines) if "Traceback" in line or "Unhandled" in line]
    return ["\n".join(map(str.rstrip, lines[n : n + FAILURE_LINES])) for n in begins]


def _state_of(client: RoamingClient) -> str:
    """Return what a user who is not answered waits for, and where."""
    return (
        f"{client.name} is {'' if client.is_online else 'not '}logged in at {client.port},"
        f" waits for {list(client.pending)[:3]}"
    )


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
        deadlocks: that PostgreSQL ended.
        violations: one line each.
    """

    nodes: int
    faults: dict[str, Kind] = attrs.field(factory=dict)
    entries: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    seconds: float = 0.0
    deadlocks: int = 0
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


class Nodes:
    """One run.

    Args:
        nodes: how many.
        kills: number of faults.
        seed: of everything random.
        only: names of the faults to do, all by default.
        mutant: a deliberate bug of the servers, see `mutants`.
        seconds: no fault begins later than this after the first.
        bus: what wakes the nodes, `postgres` or `nats`.
        old: whether users of the old protocols talk, too; see `nodes_old`.
    """

    def __init__(
        self,
        nodes: int,
        kills: int,
        seed: int,
        only: Sequence[str] = (),
        mutant: str | None = None,
        seconds: float = math.inf,
        bus: str = "postgres",
        old: bool = False,
    ) -> None:
        self.only = only
        self.seconds = seconds
        self.kills = kills
        self.random = random.Random(seed)
        self.result = Result(nodes)
        self.oracle = Oracle()
        self.postgres = PostgresServer()
        self._nats = NatsServer() if bus == "nats" else None
        more = nodes_old.OPTIONS if old else ()
        self.nodes = [
            Node(self.postgres, f"node{n}", mutant, self._nats, more) for n in range(nodes)
        ]
        halls = [f"hall {number}" for number in range(HALLS)]
        moves = MOVE_PERCENT if nodes > 1 else roaming.MOVE_PERCENT
        self.clients = [
            RoamingClient(f"user{number}", self.oracle, seed + number, halls, moves)
            for number in range(USERS)
        ]
        self._old = OldUsers(self.oracle, seed) if old else None
        if self._old is not None:
            self.clients.append(self._old.whisperer)
        self._done = False
        self._direct = self.postgres.url(DATABASE)
        self._faults = NodeFaults(
            self.postgres,
            self.nodes,
            self.random,
            self._direct,
            self.oracle.violations,
            self._nats,
        )

    @property
    def fault_names(self) -> list[str]:
        """The names of all faults."""
        return list(self._faults.by_name)

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Do all faults and check the result.

        Args:
            progress: called with the number of faults done.
        """
        try:
            if self._nats is not None:
                self._nats.start()
            self.postgres.start()
            self.postgres.execute(f"CREATE DATABASE {DATABASE}")
            for node in self.nodes:
                await node.start()
            await self._register()
            users: list[Any] = [*self.clients, *(self._old.all if self._old is not None else ())]
            tasks = [asyncio.create_task(self._keep_running(one)) for one in users]
            await self._do_faults(progress)
            self._done = True
            for client in self.clients:
                client.disconnect()
            if self._old is not None:
                self._old.leave()
            await asyncio.gather(*tasks)
            await self._check()
        finally:
            if self._old is not None:
                self._old.close()
            for node in self.nodes:
                await node.stop()
            self.postgres.close()
            if self._nats is not None:
                self._nats.close()
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
                if self._old is not None:
                    await self._old.register(self.nodes[0].ports, client)
            client.disconnect()

    async def _keep_running(self, client: Any) -> None:
        """Let a user come back, to any node, until the run is done."""
        while not self._done:
            await client.run(self.random.choice(self.nodes).ports)
            await asyncio.sleep(RECONNECT_SECONDS)

    # Faults.

    async def _do_faults(self, progress: Callable[[int], None]) -> None:
        names: list[str] = []
        began = time.monotonic()
        await self._until_answered()
        for number in range(self.kills):
            if not names:
                names = list(self.only or self.fault_names)
                self.random.shuffle(names)
            await self._do_fault(names.pop())
            progress(number + 1)
            if self.oracle.violations or time.monotonic() > began + self.seconds:
                break
            await asyncio.sleep(self.random.uniform(*REST))
            self.random.choice(self.clients).disconnect()
        self.result.seconds = time.monotonic() - began

    async def _do_fault(self, name: str) -> None:
        """Do a fault, and wait until all users are answered again."""
        for client in self.clients:
            client.silence = 0.0
        await self._faults.by_name[name](self.random.choice(self.nodes))
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
                silent = [one for one in self.clients if one.last_reply < now]
                self.oracle.violations += map(_state_of, silent)
                for node in self.nodes:
                    last = "".join(list(node.server.lines)[-LAST_LINES:])
                    self.oracle.violations.append(f"{node.name} at {node.server.ws_port}:\n{last}")
                return
            await asyncio.sleep(0.02)

    # The end.

    async def _check(self) -> None:
        """Let all users receive the rest, and compare."""
        violations = self.oracle.violations
        found: Any = None
        try:
            if len(self.nodes) > 1:
                await self._move_all(*self.nodes[:2])
            for number, client in enumerate(self.clients):
                await self._reach(client, self.nodes[number % len(self.nodes)])
            await self._all(client.settle() for client in self.clients)
            if self._old is not None:
                await self._check_old(self._old)
            found = await asyncio.to_thread(truth.read, self._direct)
            await self._all(client.receive_until(found.heads) for client in self.clients)
        except (asyncio.TimeoutError, *DISCONNECTED) as error:
            violations.append(f"a user waits for something that does not arrive: {error!r}")
        if found is None:
            found = await asyncio.to_thread(truth.read, self._direct)
        result = self.result
        limits = Limits(rooms_per_user=ROOMS_PER_USER)
        result.violations = find_violations(self.oracle, found.logs, limits)
        result.violations += find_contradictions(found)
        if self._old is not None:
            result.violations += self._old.find_violations(found.logs[LOBBY])
        unindexed = await asyncio.to_thread(truth.find_unindexed, self._direct, SECONDS)
        result.violations += [f"{room}: {seq} is in no index" for room, seq in unindexed]
        for node in self.nodes:
            result.violations += _failures(list(node.server.lines))
        # Locks are taken in one order, so that no transactions wait for each other in a circle.
        log = (self.postgres.folder / "log").read_text(errors="replace")
        result.deadlocks = log.count("deadlock detected")
        if result.deadlocks:
            result.violations.append(f"{result.deadlocks} deadlocks of PostgreSQL")
        result.entries = sum(map(len, found.logs.values()))
        result.sent, result.acknowledged = len(self.oracle.sent), len(self.oracle.acknowledged)
        result.refused = sum(client.refused for client in self.clients)

    async def _check_old(self, old: OldUsers) -> None:
        """Let users of the old protocols receive the rest, and see that they are offline then."""
        # All others go on receiving: a client that answers no ping is disconnected.
        receiving = [asyncio.create_task(client.receive()) for client in self.clients]
        places = [node.ports for node in self.nodes]
        try:
            await asyncio.wait_for(old.visit_calmly(places), OLD_SECONDS)
            for number, ports in enumerate(places):
                await asyncio.wait_for(self._until_offline(old, ports["ws"], number), SECONDS)
            await asyncio.wait_for(old.visit_last(places[0]), OLD_SECONDS)
        finally:
            for task in receiving:
                task.cancel()
            await asyncio.gather(*receiving, return_exceptions=True)

    async def _until_offline(self, old: OldUsers, port: int, number: int) -> None:
        """Wait until no user of the old protocols is online, as a node says. port: of the node."""
        watcher = await WebSocket.connect(port)
        await watcher.call(cmd="login", type="tmp", usr=f"watcher{number}")
        while not old.is_offline((await watcher.call(cmd="get_user_list"))["users"]):
            await asyncio.sleep(RECONNECT_SECONDS)
        watcher.close()

    async def _move_all(self, first: Node, second: Node) -> None:
        """Let all users go on at another node before theirs can notice that they have left it."""
        for client in self.clients:
            await self._reach(client, first)
        first.send_signal(signal.SIGSTOP)
        try:
            for client in self.clients:
                client.disconnect()
                await self._reach(client, second)
        finally:
            first.send_signal(signal.SIGCONT)
        # What it has to say of them is stored before this, unless it was given up.
        with contextlib.suppress(*DISCONNECTED):
            last = await WebSocket.connect(first.server.ws_port)
            await last.call(cmd="register", usr="last", pwd="password")
            last.close()
        names = [client.name for client in self.clients]
        lost = await asyncio.to_thread(truth.find_lost, self._direct, names)
        for client in self.clients:
            # The second node may have been given up, too: its connections end then.
            if client.name in lost and await client.is_connected():
                self.oracle.violations.append(f"{client.name} is connected, and the session lost")

    async def _reach(self, client: RoamingClient, node: Node) -> None:
        """Connect a user to a node, which may be about to come back.

        Raises:
            OSError: or another of `DISCONNECTED`: it does not for a long time.
        """
        ends = time.monotonic() + SECONDS
        while True:
            try:
                await client.connect({"ws": node.server.ws_port})
                return
            except DISCONNECTED:
                client.disconnect()
                if time.monotonic() > ends:
                    raise
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _all(self, waits: Any) -> None:
        await asyncio.wait_for(asyncio.gather(*waits), SECONDS)
