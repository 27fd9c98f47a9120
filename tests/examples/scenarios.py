"""Run the examples as their first lines say, and talk to them; also a program.

    python tests/examples/scenarios.py [FOLDER]

It uses the `gtchat` that its interpreter finds and nothing else of this repository, so that it can
be run where a wheel is installed, with any version of Python. FOLDER has the examples.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from gtchat.client.aio import (
    Connection,
    Deleted,
    Event,
    Guest,
    Message,
    Presence,
    RoomEvent,
    Whisper,
    connect,
)
from gtchat.client.testing import running_server

E = TypeVar("E", bound=Event)
#: Seconds for each scenario.
TIMEOUT = 60
#: Options of the server: the examples start and end faster than users do.
OPTIONS = ("--registrations-per-minute", "0")
#: The code of a bot in a notebook, whose loop runs while a cell is executed and is kept.
NOTEBOOK = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from echo import echo
from gtchat.client.aio import Guest, connect
loop = asyncio.new_event_loop()
conn = loop.run_until_complete(connect(sys.argv[2], user=Guest("echo")))
task = loop.create_task(echo(conn))
loop.run_until_complete(asyncio.sleep(0))
loop.run_until_complete(task)
"""
#: A bot that asyncio.run runs, and which ends with its connection.
ASYNCIO = """
import sys
sys.path.insert(0, sys.argv[1])
from echo import echo
from gtchat.client.aio import Guest, run
run(echo, sys.argv[2], user=Guest("echo"))
"""


@asynccontextmanager
async def program(*words: str | Path) -> AsyncIterator[Process]:
    """Run Python with arguments, and kill it at the end if it runs still."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, words),
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        # In the background of a shell, it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def next_of(conn: Connection, cls: type[E], wanted: Callable[[E], bool]) -> E:
    """Return the next event of a class for which a function returns true."""
    async for event in conn.events():
        if isinstance(event, cls) and wanted(event):
            return event
    raise AssertionError("the connection was closed")


async def echo(url: str, folder: Path, *words: str | Path) -> None:
    """The bot answers, and ends at Ctrl-C. words: the program; by default the example."""
    command = (*(words or (folder / "echo.py",)), url)
    async with await connect(url, user=Guest("ann")) as ann, program(*command) as bot:
        await next_of(ann, Presence, lambda event: "echo" in event.came)
        await ann.whisper("echo", "hi")
        answer = await next_of(ann, Whisper, lambda event: event.user == "echo")
        assert answer.text == "You said: hi", answer
        await ann.speak("lobby", "who is echo?")
        greeting = await next_of(ann, Message, lambda event: event.user == "echo")
        assert greeting.text == "Hello, ann.", greeting
        if NOTEBOOK not in words:
            bot.send_signal(signal.SIGINT)
            assert await bot.wait() == 0, await output(bot)


async def output(process: Process) -> str:
    """Return the rest of what a program has printed."""
    assert process.stdout is not None
    return (await process.stdout.read()).decode()


async def bridge(url: str, folder: Path) -> None:
    """The file has each message once, though the program was killed in the middle."""
    with tempfile.TemporaryDirectory() as data:
        file = Path(data, "garden.jsonl")
        words = (folder / "bridge.py", url, "bridge", "long enough", "garden", file)
        async with await connect(url, user=Guest("ann")) as ann:
            await ann.create_room("garden")
            await speak(ann, range(10))
            async with program(*words):
                await until(lambda: len(copied(file)) >= 10)
                await asyncio.gather(
                    speak(ann, range(10, 20)), until(lambda: len(copied(file)) > 12)
                )
            file.open("ab").write(b'{"cursor": "half')  # as a kill can leave it
            await speak(ann, range(20, 25))
            async with program(*words):
                await until(lambda: len(copied(file)) >= 25)
                await speak(ann, range(25, 30))
                await until(lambda: len(copied(file)) >= 30)
            assert copied(file) == [str(number) for number in range(30)], copied(file)


async def speak(conn: Connection, numbers: range) -> None:
    """Send numbers to the room of the bridge."""
    for number in numbers:
        await conn.speak("garden", str(number))


def copied(file: Path) -> list[str]:
    """Return the texts of the messages in the file of the bridge."""
    whole = file.read_text().rpartition("\n")[0] if file.exists() else ""
    entries = [json.loads(line)["entry"] for line in whole.splitlines()]
    return [entry["msg"] for entry in entries if entry["cmd"] == "c_speak"]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    while not condition():
        await asyncio.sleep(0.05)


async def moderation(url: str, folder: Path) -> None:
    """Unwanted messages are deleted; at the third one the user is kicked."""
    words = (folder / "moderation.py", url, "mod", "long enough", "market", "spam")
    async with await connect(url, user=Guest("ann")) as ann, program(*words):
        await next_of(ann, RoomEvent, lambda event: event.room == "market")
        await ann.join("market")
        said = [await ann.speak("market", text) for text in ("hello", "Buy spam!", "spam", "SPAM")]
        for ack in said[1:]:
            deleted = await next_of(ann, Deleted, lambda event: event.room == "market")
            assert (deleted.of, deleted.by) == (ack.seq, "mod"), deleted
        kicked = await next_of(ann, RoomEvent, lambda event: event.kind == "kicked")
        assert (kicked.user, kicked.by) == ("ann", "mod"), kicked


async def tictactoe(url: str, folder: Path) -> None:
    """Two programs play one game; a field that is taken is no move for both of them."""
    path = folder / "tictactoe.py"
    async with (
        program(path, url, "xena", "board") as xena,
        program(path, url, "otto", "board") as otto,
    ):
        players = {"xena": xena, "otto": otto}
        for name, fields in [("xena", "1"), ("otto", "1\n5"), ("xena", "2"), ("otto", "9")]:
            type_line(players[name], fields)
            boards = [await board_after(process, name) for process in players.values()]
            assert boards[0] == boards[1], boards
        type_line(xena, "3")
        for process in players.values():
            text = await output(process)
            assert text.endswith("X X X\n4 O 6\n7 8 O\nxena has won.\n"), text
            assert await process.wait() == 0


def type_line(process: Process, text: str) -> None:
    """Write to the standard input of a program."""
    assert process.stdin is not None
    process.stdin.write(f"{text}\n".encode())


async def board_after(process: Process, name: str) -> list[str]:
    """Read what a program prints up to the next move of a user; return the board after it."""
    assert process.stdout is not None
    while await process.stdout.readline() != f"{name}:\n".encode():
        assert not process.stdout.at_eof(), await output(process)
    return [(await process.stdout.readline()).decode() for _ in range(3)]


async def run_all(url: str, folder: Path) -> None:
    """Run all scenarios against a server."""
    scenarios: dict[str, Callable[[], Awaitable[None]]] = {
        "echo.py": lambda: echo(url, folder),
        "echo.py with asyncio.run": lambda: echo(url, folder, "-c", ASYNCIO, folder),
        "echo.py in a notebook": lambda: echo(url, folder, "-c", NOTEBOOK, folder),
        "bridge.py": lambda: bridge(url, folder),
        "moderation.py": lambda: moderation(url, folder),
        "tictactoe.py": lambda: tictactoe(url, folder),
    }
    for name, scenario in scenarios.items():
        await asyncio.wait_for(scenario(), TIMEOUT)
        print(f"{name}: ok", flush=True)


def main() -> None:
    """Run all scenarios against a server of their own."""
    default = Path(__file__).resolve().parents[2] / "examples"
    folder = Path(sys.argv[1]) if sys.argv[1:] else default
    with running_server(*OPTIONS) as url:
        asyncio.run(run_all(url, folder))


if __name__ == "__main__":
    main()
