"""SIGKILL at random moments while users of five protocols talk; afterwards nothing may be wrong.

A cycle is: all users connect, all talk at once, the server is killed at a random moment, sometimes
again while it recovers, and starts again. After the last cycle all logs are read and compared with
what was acknowledged and received (`judge.find_violations`).
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable

import attrs

from tests.e2e.server import NO_QUOTA, SECONDS, Server
from tests.stress.clients import (
    LOBBY,
    PASSWORD,
    ROOM,
    JSONClient,
    RandomChatClient,
    SimulatedUser,
)
from tests.stress.judge import find_violations
from tests.stress.legacy_clients import LiveChatClient, MessageCenterClient, PA1Client
from tests.stress.oracle import Oracle
from tests.stress.websocket import WebSocket

ENDPOINT = "tcp:0:interface=127.0.0.1"
OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *NO_QUOTA,
    "--randomchat",
    *("--message-center", ENDPOINT),
    *("--pa1", ENDPOINT),
    *("--livechat", ENDPOINT),
)
#: Seconds from the first connection of a cycle until the kill: minimum and maximum.
KILL_AFTER = (0.0, 0.8)
#: Maximum seconds of a start until the second kill; a fifth of it where servers are forked.
RECOVERY_SECONDS = 1.2
#: Percentage of the cycles with another kill during recovery.
KILLED_AGAIN_PERCENT = 20


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        cycles: see the module.
        kills: those during recovery included.
        starts: seconds that each start took until the server listened.
        sent, acknowledged, whispers: messages.
        violations: one line each.
    """

    cycles: int
    kills: int
    starts: list[float]
    sent: int
    acknowledged: int
    whispers: int
    violations: list[str]

    def __str__(self) -> str:
        p95 = sorted(self.starts)[int(len(self.starts) * 0.95)]
        return (
            f"{self.cycles} cycles, {self.kills} kills: {self.sent} messages sent, "
            f"{self.acknowledged} acknowledged, {self.whispers} whispers; starts p95 {p95:.2f} s; "
            f"{len(self.violations)} violations"
        )


class Crash:
    """Many cycles on one data folder.

    Args:
        server: not started yet.
        seed: of everything random.
        kill_after: see `KILL_AFTER`.
        kill_after_entries: if not 0, kill when rob has received so many entries in this cycle,
            instead of after a time.
        patience: seconds that clients wait at the end for what has to arrive.
    """

    def __init__(
        self,
        server: Server,
        seed: int,
        kill_after: tuple[float, float] = KILL_AFTER,
        kill_after_entries: int = 0,
        patience: float = SECONDS,
    ) -> None:
        self.server = server
        self.kill_after_entries = kill_after_entries
        self.kill_after = kill_after
        self.patience = patience
        self.random = random.Random(seed)
        self.oracle = Oracle()
        self.kills = 0
        self.starts: list[float] = []
        self.ann = JSONClient("ann", self.oracle, whispers_to=("seas", "ben"))
        self.ben = JSONClient("ben", self.oracle, whispers_to=("rob", "ann"))
        self.rob = JSONClient("rob", self.oracle, sends=False)
        self.pia = RandomChatClient("pia", "111", self.oracle)
        self.seas = MessageCenterClient("seas", self.oracle)
        self.google = PA1Client("google", self.oracle)
        self.json_clients = [self.ann, self.ben, self.rob]
        self.users: list[SimulatedUser] = [
            *self.json_clients,
            *(self.pia, LiveChatClient("lea", self.oracle), self.seas, self.google),
        ]

    async def run(self, cycles: int, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Run the cycles and check the result.

        Args:
            cycles: how many.
            progress: called with the number of cycles done.
        """
        self._start()
        try:
            await self._register()
            for number in range(cycles):
                await self._cycle()
                progress(number + 1)
            violations = await self._check()
        finally:
            self.server.kill()
            for user in (self.seas, self.google):
                await user.close()
        return Result(
            cycles,
            self.kills,
            self.starts,
            len(self.oracle.sent),
            len(self.oracle.acknowledged),
            len(self.oracle.whispers),
            violations,
        )

    def _start(self) -> None:
        began = time.monotonic()
        self.server.start()
        self.starts.append(time.monotonic() - began)
        self.ports = {"ws": self.server.ws_port, "web": self.server.web_port}
        for line in self.server.lines:
            if found := re.search(r"(\w+): tcp://[^:]+:(\d+)", line):
                self.ports[found[1]] = int(found[2])

    async def _register(self) -> None:
        """Create accounts and the room, so that the server knows all users at the first kill."""
        for client in self.json_clients:
            await client.register(self.ports, creates=client is self.ann)
        await self.pia.connect(self.ports)
        added = await self.ann.call("add_member", room_name=ROOM, user="pia")
        assert added["status"] == "ok"
        ws = await WebSocket.connect(self.ports["ws"])
        for user in (self.seas, self.google):
            await ws.call(cmd="register", usr=user.name, pwd=PASSWORD)
        ws.close()
        for user in (*self.json_clients, self.pia):
            user.disconnect()

    async def _cycle(self) -> None:
        """Let all users talk, kill the server, start it again."""
        tasks = [asyncio.create_task(user.run(self.ports)) for user in self.users]
        await self._wait_for_kill(tasks)
        self.server.kill()
        self.kills += 1
        for user in self.users:
            user.server_killed()
        await asyncio.gather(*tasks)
        while self.random.randrange(100) < KILLED_AGAIN_PERCENT:
            self._kill_in_recovery()
        self._start()

    async def _wait_for_kill(self, tasks: list[asyncio.Task[None]]) -> None:
        if self.kill_after_entries:
            enough = self._entries_of_rob() + self.kill_after_entries
            while self._entries_of_rob() < enough:
                await asyncio.sleep(0.001)
            return
        if self.kills % 4 == 3:  # let the slow protocols log in too
            while not all(user.is_online for user in self.users) and not any(
                task.done() for task in tasks
            ):
                await asyncio.sleep(0.01)
        await asyncio.sleep(self.random.uniform(*self.kill_after))

    def _entries_of_rob(self) -> int:
        [membership] = self.oracle.numbered["rob", ROOM]
        return len(membership.entries)

    def _kill_in_recovery(self) -> None:
        """Start the server, and kill it before any user connects."""
        process = self.server.spawn()
        seconds = RECOVERY_SECONDS / 5 if self.server.by_fork else RECOVERY_SECONDS
        time.sleep(self.random.uniform(0, seconds))
        process.kill()
        process.wait(SECONDS)
        assert process.stdout is not None
        process.stdout.close()
        self.kills += 1

    async def _check(self) -> list[str]:
        """Let all users receive the rest; return the violations."""
        for user in self.users:
            await user.connect(self.ports)
        try:
            # Clients that connect repeat what was not acknowledged: the log is complete, and all
            # others receive it, only after all have done so.
            for client in (*self.json_clients, self.pia):
                await asyncio.wait_for(client.finish(), self.patience)
            for client in self.json_clients:
                log = await asyncio.wait_for(client.finish(), self.patience)
            logs = {room: log[room] for room in (ROOM, LOBBY)}
            for client in (self.ann, self.ben):
                logs |= await asyncio.wait_for(client.read_conversations(), self.patience)
            await asyncio.wait_for(self._wait_for_whispers(), self.patience)
        except asyncio.TimeoutError:
            self.oracle.violations.append("a client waits for something that does not arrive")
            return self.oracle.violations
        violations = find_violations(self.oracle, logs)
        violations += [line.strip() for line in self.server.lines if "Traceback" in line]
        for user in self.users:
            user.disconnect()
        return violations

    async def _wait_for_whispers(self) -> None:
        """Wait until all acknowledged whispers have arrived."""
        receiving = [asyncio.create_task(client.receive()) for client in self.json_clients]
        for text, user in list(self.oracle.whispers.items()):
            while text not in self.oracle.received_whispers.get(user, ()):
                await asyncio.sleep(0.01)
        for task in receiving:
            task.cancel()
