"""SIGKILL at random moments while people of five protocols talk; then nothing may be wrong.

A run is: everybody comes (back), all talk at once, the server is killed at a random moment, now
and then once more while it recovers, and starts again. After the last one all logs are read and
held against what everybody was promised and shown (`book.judge`).
"""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import time
from collections.abc import Callable

import attrs

from tests.e2e.server import SECONDS, Server
from tests.stress.clients import LOBBY, NEST, PASSWORD, Person, Phone, Web
from tests.stress.legacy_clients import Center, Live, Old
from tests.stress.oracle import Oracle, judge
from tests.stress.wire import Wire

HERE = "tcp:0:interface=127.0.0.1"
OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    "--randomchat",
    *("--message-center", HERE),
    *("--pa1", HERE),
    *("--livechat", HERE),
)
#: Seconds from when everybody begins to come until the kill, at least and at most.
MOMENT = (0.0, 0.8)
#: Seconds of a start, at most, when the server is killed again.
RECOVERY = 1.2
#: How many runs in a hundred have a second kill.
TWICE = 20


@attrs.define
class Result:
    """How it went.

    Attributes:
        starts: seconds that each start took until the server listened.
        faults: what is wrong; nothing, one hopes.
    """

    runs: int
    kills: int
    starts: list[float]
    said: int
    promised: int
    whispers: int
    faults: list[str]

    def __str__(self) -> str:
        late = sorted(self.starts)[int(len(self.starts) * 0.95)]
        return (
            f"{self.runs} runs, {self.kills} kills: {self.said} messages said, {self.promised} "
            f"acknowledged, {self.whispers} whispers; starts p95 {late:.2f} s; "
            f"{len(self.faults)} faults"
        )


class Crash:
    """Many runs on one data folder.

    Args:
        server: not started yet. seed: of all that is random.
        moment: see `MOMENT`.
        told: kill when rob was told so many entries in this run, not at a moment.
    """

    def __init__(
        self,
        server: Server,
        seed: int,
        moment: tuple[float, float] = MOMENT,
        told: int = 0,
    ) -> None:
        self.server = server
        self.told = told
        self.moment = moment
        self.random = random.Random(seed)
        self.book = Oracle()
        self.kills = 0
        self.starts: list[float] = []
        self.ann = Web("ann", self.book, whispers_to="seas")
        self.ben = Web("ben", self.book, whispers_to="rob")
        self.rob = Web("rob", self.book, speaks=False)
        self.pia = Phone("pia", "111", self.book)
        self.seas = Center("seas", self.book)
        self.old = Old("google", self.book)
        self.web = [self.ann, self.ben, self.rob]
        self.others: list[Person] = [self.pia, Live("lea", self.book), self.seas, self.old]

    async def run(self, runs: int, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Do so many runs, and judge."""
        self._start()
        try:
            await self._begin()
            for number in range(runs):
                await self._crash()
                progress(number + 1)
            faults = await self._end()
        finally:
            self.server.kill()
            for person in (self.seas, self.old):
                await person.close()
        whispers = len(self.book.whispered)
        promised = len(self.book.promised)
        return Result(
            runs, self.kills, self.starts, len(self.book.said), promised, whispers, faults
        )

    def _start(self) -> None:
        began = time.monotonic()
        self.server.start()
        self.starts.append(time.monotonic() - began)
        self.ports = {"ws": self.server.ws_port, "web": self.server.web_port}
        for line in self.server.lines:
            if found := re.search(r"(\w+): tcp://[^:]+:(\d+)", line):
                self.ports[found[1]] = int(found[2])

    async def _begin(self) -> None:
        """Make accounts and the room; everybody has to be known before the first kill."""
        for person in self.web:
            await person.begin(self.ports, creates=person is self.ann)
        await self.pia.come(self.ports)
        added = await self.ann.ask("add_member", room_name=NEST, user="pia")
        assert added["status"] == "ok"
        stranger = await Wire.connect(self.ports["ws"])
        for person in (self.seas, self.old):
            await stranger.ask(cmd="register", usr=person.name, pwd=PASSWORD)
        stranger.close()
        for person in (*self.web, self.pia):
            person.part()

    async def _crash(self) -> None:
        """Everybody lives; the server dies, and starts again."""
        lives = [
            asyncio.create_task(person.live(self.ports)) for person in (*self.web, *self.others)
        ]
        if self.told:
            enough = self._rob_knows() + self.told
            while self._rob_knows() < enough:
                await asyncio.sleep(0.001)
        else:
            if self.kills % 4 == 3:  # whoever comes slowly is to be heard, too
                everybody = (*self.web, *self.others)
                while not all(one.is_here for one in everybody) and not any(
                    life.done() for life in lives
                ):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(self.random.uniform(*self.moment))
        self.server.kill()
        self.kills += 1
        for person in self.others:
            person.despair()
        await asyncio.gather(*lives)
        while self.random.randrange(100) < TWICE:
            self._kill_in_recovery()
        self._start()

    def _rob_knows(self) -> int:
        return len(self.book.numbered["rob", NEST])

    def _kill_in_recovery(self) -> None:
        """Start the server, and kill it before anybody has come."""
        process = subprocess.Popen(
            self.server.command(),
            env=self.server.environment(),
            cwd=self.server.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(self.random.uniform(0, RECOVERY))
        process.kill()
        process.wait(SECONDS)
        self.kills += 1

    async def _end(self) -> list[str]:
        """Let everybody get what is his, and judge."""
        for person in (*self.web, *self.others):
            await person.come(self.ports)
        try:
            # Whoever comes says again what he is unsure of: the others hear it, and the log is
            # whole, after all have done so.
            for person in (*self.web, self.pia):
                await asyncio.wait_for(person.run_pending(), SECONDS)
            for person in self.web:
                log = await asyncio.wait_for(person.run_pending(), SECONDS)
            await asyncio.wait_for(self._whispers_shown(), SECONDS)
        except asyncio.TimeoutError:
            self.book.faults.append("somebody waits for what does not come")
            return self.book.faults
        faults = judge(self.book, {room: log[room] for room in (NEST, LOBBY)})
        faults += [line.strip() for line in self.server.lines if "Traceback" in line]
        for person in (*self.web, *self.others):
            person.part()
        return faults

    async def _whispers_shown(self) -> None:
        """Wait until the ones who get whispers on other ways have them all."""
        listening = asyncio.create_task(self.rob.listen())
        for text, who in list(self.book.whispered.items()):
            while text not in self.book.heard.get(who, ()):
                await asyncio.sleep(0.01)
        listening.cancel()
