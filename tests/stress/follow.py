"""The client library while the server is killed: examples/bridge.py copies very many rooms.

Writers speak in the rooms, a reader follows all of them and copies each into a file; the server is
killed again and again, the reader ends and comes back now and then. Then a backup of the server is
put back, once under the reader and once while it is away. Each file has each entry once, in order.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from gtchat.client import CannotConnect, Connection, Entry, Message, Registered, backoff
from gtchat.client.aio import connect
from gtchat.store.sql.backup import backup
from gtchat.store.sql.restore import restore
from tests.e2e.server import NO_QUOTA, SECONDS, Server
from tests.examples import load

OPTIONS = (
    *("--commands-per-second", "0"),
    *("--registrations-per-minute", "0"),
    *("--connections-per-address", "0"),
    *("--rooms-per-user", "0"),
    *NO_QUOTA,
)
PASSWORD = "long enough"
#: Accounts that write, and messages that are under way at once.
WRITERS, AT_ONCE = 4, 40
#: How often the reader ends and comes back.
READER_RESTARTS = 20
#: Seconds between two attempts to reconnect: with those of the library, most of a run is waiting.
RECONNECT_SECONDS = 0.1
#: MiB by which this process may grow after a tenth of the messages.
MAX_GROWTH = 64

example = load("bridge")


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        messages: acknowledged messages.
        rooms: number of rooms.
        kills: of the server.
        restarts: of the reader.
        seconds: without the restored backups.
        memory: MiB of this process after a tenth of the messages, and the most after that.
        violations: one line each.
    """

    messages: int = 0
    rooms: int = 0
    kills: int = 0
    restarts: int = 0
    seconds: float = 0.0
    memory: tuple[float, float] = (0.0, 0.0)
    violations: list[str] = attrs.Factory(list)

    def __str__(self) -> str:
        return (
            f"{self.messages} messages in {self.rooms} rooms, {self.kills} kills of the server, "
            f"{self.restarts} restarts of the reader, {self.seconds:.0f} s, "
            f"{self.memory[0]:.0f} MiB after a tenth and at most {self.memory[1]:.0f} MiB later; "
            f"{len(self.violations)} violations"
        )


def memory() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@contextmanager
def quick_reconnects() -> Iterator[None]:
    """Let the library reconnect at once, however often it lost the connection before."""
    before = backoff.FIRST_DELAY, backoff.MAX_DELAY
    backoff.FIRST_DELAY = backoff.MAX_DELAY = RECONNECT_SECONDS
    try:
        yield
    finally:
        backoff.FIRST_DELAY, backoff.MAX_DELAY = before


class Follow:
    """One run.

    Args:
        server: not started yet.
        messages: number of messages before backups are restored.
        kills: of the server, spread over them.
        rooms: number of rooms.
        seed: of everything random.
    """

    def __init__(self, server: Server, messages: int, kills: int, rooms: int, seed: int) -> None:
        self.server = server
        self.messages = messages
        self.kills = kills
        self.random = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="gtchat-follow-"))
        #: By room: the number that was sent last, and the highest one that is in its file.
        self.sent = dict.fromkeys((f"room{number}" for number in range(rooms)), 0)
        self.copied = dict.fromkeys(self.sent, 0)
        self.result = Result(rooms=rooms)
        self._writers: list[Connection] = []
        self._idle = list(self.sent)
        self._next_kill = 0.0
        self._kill = asyncio.Event()
        self._written = False
        self._early_memory = 0.0

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> Result:
        """Send all messages and check the files.

        Args:
            progress: called with the number of acknowledged messages.
        """
        try:
            with quick_reconnects():
                await self._run(progress)
        finally:
            self.server.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
        return self.result

    async def _run(self, progress: Callable[[int], None]) -> None:
        await self._start()
        began = time.monotonic()
        reading = asyncio.create_task(self._read())
        killing = asyncio.create_task(self._kill_again_and_again())
        restarts = [self.messages * n // READER_RESTARTS for n in range(1, READER_RESTARTS)]
        watching = asyncio.create_task(self._watch(progress))
        for until in [*restarts, self.messages]:
            await self._write(until - self.result.messages)
            if until < self.messages:
                reading = await self._restart(reading)
        self._written = True
        self._kill.set()
        await killing
        await self._until_copied()
        self.result.seconds = time.monotonic() - began
        watching.cancel()
        for stays in (True, False):
            reading = await self._restore(reading, stays)
        reading.cancel()
        self._check()
        for one in self._writers:
            await one.close()

    async def _start(self) -> None:
        self.server.start()
        for number in range(WRITERS):
            self._writers.append(await self._connect(f"writer{number}"))
        reader = await self._connect("reader")
        for room in self.sent:
            await self._writer_of(room).create_room(room)
            await reader.join(room)
        await reader.close()

    async def _connect(self, name: str) -> Connection:
        """Log in. The server may be down."""
        url = f"ws://127.0.0.1:{self.server.ws_port}/"
        while True:
            with suppress(CannotConnect):
                return await connect(url, user=Registered(name, PASSWORD, create=True))
            await asyncio.sleep(RECONNECT_SECONDS)

    def _writer_of(self, room: str) -> Connection:
        return self._writers[int(room.removeprefix("room")) % WRITERS]

    # Writing, while the server is killed.

    async def _write(self, count: int) -> None:
        """Send messages, each in a room in which none is under way, and wait for all of them."""
        left = iter(range(count))

        async def write() -> None:
            for _ in left:
                room = self._idle.pop(self.random.randrange(len(self._idle)))
                self.sent[room] += 1
                await self._writer_of(room).speak(room, str(self.sent[room]))
                self._idle.append(room)
                self.result.messages += 1
                if self.result.messages >= self._next_kill:
                    self._kill.set()

        await asyncio.gather(*(write() for _ in range(min(AT_ONCE, len(self._idle)))))

    async def _kill_again_and_again(self) -> None:
        """Kill the server, at random moments but evenly over the messages."""
        while self.result.kills < self.kills and not self._written:
            left = self.messages - self.result.messages
            step = self.random.uniform(0, 2 * left / (self.kills - self.result.kills + 1))
            self._next_kill = self.result.messages + max(1.0, step)
            self._kill.clear()
            await self._kill.wait()
            if self._written:
                return
            self.server.kill()
            self.result.kills += 1
            await self._start_again()

    async def _start_again(self) -> None:
        lines = [line.strip() for line in self.server.lines if "Traceback" in line]
        self.result.violations += lines
        self.server.lines.clear()
        await asyncio.to_thread(self.server.start)

    async def _watch(self, progress: Callable[[int], None]) -> None:
        """Show the progress, and measure memory."""
        while True:
            progress(self.result.messages)
            now = memory()
            if self.result.messages < self.messages / 10:
                self._early_memory = now
            self.result.memory = (self._early_memory, max(now, self.result.memory[1]))
            await asyncio.sleep(0.2)

    # Reading.

    async def _read(self) -> None:
        """Follow all rooms until the task is cancelled."""
        connection = await self._connect("reader")
        try:
            await asyncio.gather(
                *(example.bridge(connection, room, self._archive(room)) for room in self.sent)
            )
        finally:
            await connection.close()

    def _archive(self, room: str) -> Any:
        """Return the file of a room, which notes what was copied."""
        copied = self.copied

        class Archive(example.Archive):  # type: ignore[misc, name-defined]
            def append(self, entry: Entry) -> None:
                super().append(entry)
                if isinstance(entry, Message):
                    # A room that is read again begins with what the file has already.
                    copied[room] = max(copied[room], int(entry.text))

        return Archive(self.folder / room)

    async def _restart(self, reading: asyncio.Task[None]) -> asyncio.Task[None]:
        """End the reader, which must not have ended by itself, and start another one."""
        await self._end(reading)
        self.result.restarts += 1
        return asyncio.create_task(self._read())

    async def _end(self, reading: asyncio.Task[None]) -> None:
        if reading.done():
            self.result.violations.append(f"the reader ended: {reading.exception()!r}")
        reading.cancel()
        await asyncio.wait([reading])

    async def _until_copied(self) -> None:
        """Wait until the files have the messages that were sent last."""
        deadline = time.monotonic() + SECONDS
        while self.copied != self.sent and time.monotonic() < deadline:
            await asyncio.sleep(0.05)

    # Backups.

    async def _restore(self, reading: asyncio.Task[None], stays: bool) -> asyncio.Task[None]:
        """Put a backup back that lacks what the files have.

        Args:
            reading: the reader.
            stays: whether it is connected meanwhile.
        """
        database = self.server.folder / "gtchat.sqlite"
        copy = self.server.folder / f"copy-{stays}.sqlite"
        await asyncio.to_thread(backup, database, copy)
        await self._write(len(self.sent))
        await self._until_copied()
        if not stays:
            await self._end(reading)
        self.server.kill()
        await asyncio.to_thread(restore, copy, database)
        await self._start_again()
        await self._write(len(self.sent))
        if not stays:
            reading = asyncio.create_task(self._read())
        await self._until_copied()
        return reading

    # Checking.

    def _check(self) -> None:
        for room, count in self.sent.items():
            lines = [json.loads(line) for line in (self.folder / room).read_text().splitlines()]
            for violation in check_lines(lines, count):
                self.result.violations.append(f"{room}: {violation}")
        early, most = self.result.memory
        if most - early > MAX_GROWTH:
            self.result.violations.append(f"memory grew by {most - early:.0f} MiB")


def check_lines(lines: list[dict[str, Any]], count: int) -> Iterator[str]:
    """Yield what is wrong with the file of a room.

    Args:
        lines: each with a cursor and an entry.
        count: the messages are those from 1 to `count`.
    """
    texts = [line["entry"]["msg"] for line in lines if line["entry"]["cmd"] == "c_speak"]
    wanted = [str(number) for number in range(1, count + 1)]
    if texts != wanted:
        pairs = enumerate(zip(texts, wanted, strict=False))
        at = next((i for i, (text, other) in pairs if text != other), min(len(texts), count))
        yield f"{len(texts)} messages instead of {count}; from {at} on {texts[at : at + 5]}"
    positions = [line["cursor"].rpartition(":") for line in lines]
    epoch, last = "", 0
    for number, (now, _, seq) in enumerate(positions):
        # In another epoch the first lines are in the file already.
        if int(seq) != last + 1 and (now == epoch or number == 0):
            yield f"{seq} after {last} in line {number + 1}"
        epoch, last = now, int(seq)
