"""Nodes on one PostgreSQL, each behind a proxy, and what is done to them; see `nodes`."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.e2e.server import NO_QUOTA, SECONDS, Server
from tests.nats_server import NatsServer
from tests.postgres import PostgresServer
from tests.stress.mutants import MutantServer
from tests.stress.network_conditions import PERFECT, Proxy
from tests.stress.roaming import ROOMS_PER_USER

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *("--connections-per-address", "0"),
    *("--rooms-per-user", str(ROOMS_PER_USER)),
    *NO_QUOTA,
)
#: Seconds that a node is stopped, that a connection stalls, and that each piece is delayed.
STOPPED, STALLED, DELAYED = 2.0, 5.0, 0.03
#: Where there are others: the longest time that a node is stopped, or away after it was killed. In
#: half of that they give it up.
AWAY = 6.0
#: How often the connections of the bus are ended, and the seconds in between.
CUTS, CUT_PAUSE = 10, 0.2
#: Seconds between two attempts to reconnect, and two looks at a node.
RECONNECT_SECONDS = 0.1
#: The name of the database, and of its file in the folder of a proxy.
DATABASE, SOCKET = "chat", ".s.PGSQL.5432"
_EXPIRE = (
    "UPDATE nodes SET expires = clock_timestamp() - interval '1 s' WHERE name = %s RETURNING id"
)
_SUCCESSOR = "SELECT 1 FROM nodes WHERE name = %s AND id <> %s AND expires > clock_timestamp()"
_CUT_BUS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gtchat'"
    " AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%')"
)


class Node:
    """A server, and the proxy between it and PostgreSQL.

    Args:
        postgres: the server of databases, stopped or not.
        name: of the node.
        mutant: see `Nodes`.
        nats: what wakes the nodes, None for PostgreSQL.
        more: further options of the server.

    Attributes:
        name: as given.
        proxy: its server is PostgreSQL.
        server: the process.
    """

    def __init__(
        self,
        postgres: PostgresServer,
        name: str,
        mutant: str | None = None,
        nats: NatsServer | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._folder = Path(tempfile.mkdtemp(prefix="gtchat-node-"))
        self.proxy = Proxy(str(postgres.folder / SOCKET), lambda: PERFECT)
        store = f"postgresql://gtchat@/{DATABASE}?host={self._folder}"
        bus = "postgres" if nats is None else nats.url
        options = (*OPTIONS, "--node", name, "--store", store, "--notify", bus, *more)
        self.server = MutantServer(mutant, *options) if mutant else Server(*options)

    @property
    def ports(self) -> dict[str, int]:
        """The ports on which the server listens, by protocol; those of the last start."""
        ports = {"ws": self.server.ws_port}
        for line in self.server.lines:
            if found := re.search(r"(\w+): tcp://[^:]+:(\d+)", line):
                ports[found[1]] = int(found[2])
        return ports

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


@attrs.define(eq=False)
class NodeFaults:
    """What can happen to nodes and their PostgreSQL.

    Args:
        postgres: the server of databases.
        nodes: all nodes.
        random: makes the choices.
        direct: address of the database, past the proxies.
        violations: gets what nodes must not do, one line each.
        nats: what wakes the nodes, None for PostgreSQL.

    Attributes:
        by_name: name -> does it, to a node.
    """

    _postgres: PostgresServer
    _nodes: Sequence[Node]
    _random: random.Random
    _direct: str
    _violations: list[str]
    _nats: NatsServer | None = None
    by_name: dict[str, Callable[[Node], Awaitable[None]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.by_name = {
            "node": self._kill_node,
            "backend": self._kill_backend,
            "postmaster": self._kill_postmaster,
            "both": self._kill_both,
            "stop": self._stop_node,
            "stall": self._stall,
            "stall, cut": self._stall_and_cut,
            "cut": self._cut,
            "delay": self._delay,
            "expire": self._expire,
        }
        if self._nats is None:
            self.by_name["bus"] = self._cut_bus
        else:
            self.by_name |= {"nats": self._kill_nats, "nats, stop": self._stop_nats}

    async def _kill_node(self, node: Node) -> None:
        """Kill a node; the others may have given it up when it starts again."""
        node.server.kill()
        await asyncio.sleep(self._away(0.0))
        await node.start_server()

    def _away(self, least: float) -> float:
        """Return for how many seconds a node does nothing, at least so many."""
        return self._random.uniform(least, AWAY) if len(self._nodes) > 1 else least

    async def _kill_backend(self, node: Node) -> None:
        """Kill a process of PostgreSQL that serves a node: the postmaster restarts them all."""
        pids = await asyncio.to_thread(self._backends)
        if pids:
            os.kill(self._random.choice(pids), signal.SIGKILL)

    def _backends(self) -> list[int]:
        sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'gtchat'"
        return [int(pid) for (pid,) in self._query(sql)]

    def _query(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a statement, past the nodes."""
        import psycopg

        with psycopg.connect(self._direct) as db:
            return db.execute(sql, values or None).fetchall()

    async def _kill_postmaster(self, node: Node) -> None:
        """Kill the postmaster."""
        self._postgres.stop(signal.SIGKILL)
        await asyncio.sleep(self._random.uniform(0, 1))
        await asyncio.to_thread(self._postgres.start)

    async def _kill_both(self, node: Node) -> None:
        """Kill a node and the postmaster."""
        for kill in self._random.sample([node.server.kill, self._kill_server], 2):
            kill()
        await asyncio.to_thread(self._postgres.start)
        await node.start_server()

    def _kill_server(self) -> None:
        self._postgres.stop(signal.SIGKILL)

    async def _stop_node(self, node: Node) -> None:
        """Stop a node for a while, possibly within a transaction."""
        node.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._away(STOPPED))
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
            await asyncio.sleep(self._random.uniform(0, 0.2))

    async def _delay(self, node: Node) -> None:
        """Delay what a node and PostgreSQL tell each other, and break the connections."""
        node.proxy.delay = DELAYED
        await asyncio.sleep(STOPPED)
        node.proxy.cut()
        node.proxy.delay = 0.0

    async def _expire(self, node: Node) -> None:
        """Give a node up that lives: it has to become another one."""
        given_up = await asyncio.to_thread(self._query, _EXPIRE, node.name)
        ends = time.monotonic() + SECONDS
        while not await asyncio.to_thread(self._query, _SUCCESSOR, node.name, given_up[0][0]):
            if time.monotonic() > ends:
                self._violations.append(f"{node.name} goes on though it was given up")
                return
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _cut_bus(self, node: Node) -> None:
        """End the connections by which nodes wake each other, again and again."""
        for _ in range(CUTS):
            await asyncio.to_thread(self._query, _CUT_BUS)
            await asyncio.sleep(CUT_PAUSE)

    async def _kill_nats(self, node: Node) -> None:
        """Kill the server of NATS, several times."""
        assert self._nats is not None
        for _ in range(3):
            self._nats.kill()
            await asyncio.sleep(self._random.uniform(0, 1))
            await asyncio.to_thread(self._nats.start)
            await asyncio.sleep(self._random.uniform(0, 1))

    async def _stop_nats(self, node: Node) -> None:
        """Stop the server of NATS for a while: it takes connections, and passes nothing on."""
        assert self._nats is not None
        self._nats.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(0, STALLED))
        self._nats.send_signal(signal.SIGCONT)
