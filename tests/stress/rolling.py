"""A rolling restart: all servers of a chat, one after the other, while users talk through HAProxy.

The servers get SIGTERM, as from a service manager, and start again; the next one follows when the
one before serves again and all users are connected. Users reconnect as the client library does.
`judge` compares what they recorded with the tables.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from typing import Any

import attrs

from gtchat.client.backoff import Backoff
from tests.e2e import haproxy
from tests.e2e.server import SECONDS, Server
from tests.postgres import PostgresServer
from tests.stress import truth
from tests.stress.clients import JSONClient
from tests.stress.judge import find_contradictions, find_violations
from tests.stress.oracle import Oracle
from tests.stress.order import OPTIONS
from tests.stress.websocket import DISCONNECTED, Object

#: Users of each room; a message is delivered to all of them.
ROOM_SIZE = 30
#: Users who register at the same time.
_AT_ONCE = 16
#: Seconds between two looks at what is waited for, and of talk before and after each restart.
_POLL, REST = 0.05, 10.0
_DATABASE = "chat"
_OPTIONS = (*OPTIONS, "--trusted-proxies", "127.0.0.1")


class _Time:
    """What `Backoff` needs of a reactor."""

    seconds = staticmethod(time.monotonic)


class Talker(JSONClient):
    """A user who sends a message to the own room now and then, and measures.

    Args:
        name: the user name.
        run: the run.
        room: the room.

    Attributes:
        silences: seconds from the end of each connection to the answer of the next `resume`.
    """

    path = "/ws"

    def __init__(self, name: str, run: Rolling, room: str) -> None:
        super().__init__(name, run.oracle, rooms=(room,))
        self.silences: list[float] = []
        self._run = run
        self._random = random.Random(name)
        clock: Any = _Time()
        self._backoff = Backoff(clock, self._random)
        self._lost_at: float | None = None

    async def keep_running(self, ports: dict[str, int]) -> None:
        """Reconnect until the task is cancelled."""
        while True:
            await self.run(ports)
            if self._lost_at is None:
                self._lost_at = time.monotonic()
            await asyncio.sleep(self._backoff.next())

    async def connect(self, ports: dict[str, int]) -> None:
        await super().connect(ports)
        self._backoff.connected()
        if self._lost_at is not None:
            self.silences.append(time.monotonic() - self._lost_at)
            self._lost_at = None

    async def send(self) -> None:
        assert self.ws is not None
        while True:
            await asyncio.sleep(self._random.uniform(0, 2 * self._run.pause))
            [room] = self.rooms
            text = self.new_text(room)
            self._run.sent_at[text] = time.monotonic()
            request = {"cmd": "speak", "room_name": room, "tracker": text, "txn": text, "msg": text}
            self.pending[text] = request
            self.ws.send(request)

    def _handle_entry(self, entry: Object) -> None:
        super()._handle_entry(entry)
        sent = self._run.sent_at.get(entry.get("msg", ""))
        if sent is not None:
            self._run.result.delays.append((sent, time.monotonic() - sent))

    async def settle(self, last: int) -> None:
        """Receive until all is acknowledged and an entry of the room has come; be connected."""
        while self.pending or (self.oracle.last_seq(self.name, self.rooms[0]) or 0) < last:
            await self._receive_once()


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of all are not above, 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        clients, servers: how many.
        restarts: when each began and ended, by the clock of `delays`: from SIGTERM to the moment at
            which the server serves again and all users are connected.
        delays: when a message was sent, and the seconds until one of the others received it.
        silences: the longest one of each user, in seconds.
        acknowledged: number of messages.
        lost, doubled: of those, how many are not stored, or more than once.
        violations: one line each.
    """

    clients: int
    servers: int
    restarts: list[tuple[float, float]] = attrs.field(factory=list)
    delays: list[tuple[float, float]] = attrs.field(factory=list)
    silences: list[float] = attrs.field(factory=list)
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    violations: list[str] = attrs.field(factory=list)

    def delays_of(self, restarting: bool) -> list[float]:
        """Return the delays of what was sent during the restarts, or at other times."""
        return [
            delay
            for sent, delay in self.delays
            if any(began <= sent <= ended for began, ended in self.restarts) == restarting
        ]

    def __str__(self) -> str:
        longest = max((ended - began for began, ended in self.restarts), default=0.0)
        lines = [
            f"{len(self.restarts)} restarts of {self.servers} servers, each at most "
            f"{longest:.1f} s; {self.clients} clients, {self.acknowledged} messages acknowledged, "
            f"{self.lost} lost, {self.doubled} twice; {len(self.violations)} violations",
            f"longest silence of a client: median {percentile(self.silences, 50):.2f} s, "
            f"p99 {percentile(self.silences, 99):.2f} s, max {max(self.silences, default=0):.2f} s",
        ]
        for title, restarting in (("during restarts", True), ("at other times", False)):
            delays = self.delays_of(restarting)
            lines.append(
                f"{len(delays)} deliveries {title}: p50 {1000 * percentile(delays, 50):.0f} ms, "
                f"p99 {1000 * percentile(delays, 99):.0f} ms, "
                f"max {1000 * max(delays, default=0):.0f} ms"
            )
        return "\n".join(lines)


class Rolling:
    """One run.

    Args:
        servers: how many.
        clients: how many.
        rounds: how often each server is restarted.
        pause: mean number of seconds between two messages of a user.
        options: of the servers, besides those of all runs.

    Attributes:
        oracle: what the users recorded.
        result: of the run.
        pause: as given.
        sent_at: text -> when it was sent.
    """

    def __init__(
        self, servers: int, clients: int, rounds: int, pause: float, options: Sequence[str] = ()
    ) -> None:
        self.oracle = Oracle()
        self.result = Result(clients, servers)
        self.pause = pause
        self.sent_at: dict[str, float] = {}
        self._count, self._rounds, self._options = servers, rounds, options
        self._servers: list[Server] = []
        self._clients = [
            Talker(f"user{number}", self, f"room {number // ROOM_SIZE}")
            for number in range(clients)
        ]

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Restart the servers and check the result.

        Args:
            progress: called with the number of restarts.
        """
        with ExitStack() as stack:
            postgres = PostgresServer()
            stack.callback(postgres.close)
            postgres.start()
            postgres.execute(f"CREATE DATABASE {_DATABASE}")
            url = postgres.url(_DATABASE)
            for number in range(self._count):
                server = Server(*_OPTIONS, *self._options, "--store", url, "--node", f"s{number}")
                stack.callback(server.kill)
                await asyncio.to_thread(server.start)
                self._servers.append(server)
            port = haproxy.free_port()
            text = haproxy.documented(port, [server.web_port for server in self._servers])
            haproxy.start(stack.callback, text)
            await self._until(lambda: serves(port))
            await self._talk({"ws": port}, progress)
            await self._check({"ws": port}, url)
        return self.result

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; note a violation if it does not for long."""
        ends = time.monotonic() + SECONDS
        while not await asyncio.to_thread(condition):
            if time.monotonic() > ends:
                self.result.violations.append(f"waited for {SECONDS} s in vain")
                return
            await asyncio.sleep(_POLL)

    async def _talk(self, ports: dict[str, int], progress: Callable[[int], None]) -> None:
        """Register all users; restart all servers while they talk."""
        for client in self._clients[::ROOM_SIZE]:
            await client.register(ports, creates=True)
        limit = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._register(one, ports, limit) for one in self._clients))
        tasks = [asyncio.create_task(client.keep_running(ports)) for client in self._clients]
        await asyncio.sleep(REST)
        for number in range(self._rounds * self._count):
            await self._restart(self._servers[number % self._count])
            progress(number + 1)
            await asyncio.sleep(REST)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        self.result.violations += [repr(one) for one in ended if isinstance(one, Exception)]

    async def _register(
        self, client: Talker, ports: dict[str, int], limit: asyncio.Semaphore
    ) -> None:
        async with limit:
            if client.session is None:
                await client.register(ports)
            client.disconnect()

    async def _restart(self, server: Server) -> None:
        began = time.monotonic()
        status = await asyncio.to_thread(server.stop)
        if status:
            self.result.violations.append(f"a server ended with status {status}")
        await asyncio.to_thread(server.start)
        await self._until(lambda: serves(server.web_port))
        await self._until(lambda: all(client.is_online for client in self._clients))
        self.result.restarts.append((began, time.monotonic()))

    async def _check(self, ports: dict[str, int], url: str) -> None:
        """Let all users receive the rest, and compare."""
        result, found = self.result, None
        result.silences = [max(client.silences, default=0.0) for client in self._clients]
        try:
            await self._all(client.connect(ports) for client in self._clients)
            await self._all(client.settle(0) for client in self._clients)
            found = await asyncio.to_thread(truth.read, url)
            await self._all(client.settle(found.heads[client.rooms[0]]) for client in self._clients)
        except (asyncio.TimeoutError, *DISCONNECTED) as error:
            result.violations.append(f"a user waits for something that does not come: {error!r}")
        if found is None:
            found = await asyncio.to_thread(truth.read, url)
        result.violations += find_violations(self.oracle, found.logs)
        result.violations += find_contradictions(found)
        for server in self._servers:
            result.violations += [line.strip() for line in server.lines if "Traceback" in line]
        stored = [one.text for log in found.logs.values() for one in log if one.kind == "speak"]
        result.acknowledged = len(self.oracle.acknowledged)
        result.lost = len(self.oracle.acknowledged.keys() - set(stored))
        result.doubled = len(stored) - len(set(stored))

    async def _all(self, waits: Any) -> None:
        await asyncio.wait_for(asyncio.gather(*waits), SECONDS)


def serves(port: int) -> bool:
    """Return whether `/healthz` at a port answers 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
