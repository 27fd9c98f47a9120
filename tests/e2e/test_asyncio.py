"""The client library on asyncio, against a real server: what it leaves, and what it needs not."""

from __future__ import annotations

import asyncio
import atexit
import functools
import io
import re
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

import gtchat.client
from gtchat.client import CannotConnect, CommandFailed, ConnectionLost
from gtchat.client.aio import Connection, Guest, Message, Presence, Whisper, connect, run
from tests.e2e.certificate import make_certificate
from tests.e2e.server import SECONDS, TOP, Server

#: A program with two loops, one after the other, that does not close its connections. It prints
#: what was said, whether there is a reactor, and the threads that are left.
PROGRAM = """
import asyncio, sys, threading
from gtchat.client.aio import Guest, Message, connect

async def main(url, ca_file):
    ann = await connect(url, user=Guest("ann"), ca_file=ca_file)
    bob = await connect(url, user=Guest("bob"), ca_file=ca_file)
    await ann.speak("lobby", "hi")
    async for event in bob.events():
        if isinstance(event, Message):
            print(event.user, event.text)
            break

for url in sys.argv[2:]:
    asyncio.run(main(url, sys.argv[1]), debug=True)
print("twisted.internet.reactor" in sys.modules, len(threading.enumerate()))
"""


@attrs.frozen
class Site:
    """A server that all tests use: its URLs, and the certificate of the second one."""

    url: str
    secure_url: str
    certificate: Path


@functools.cache
def site() -> Site:
    """Start the server; it ends with this process."""
    server = Server()
    certificate = server.folder / "cert.pem"
    make_certificate(certificate)
    tls = f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}"
    server.options = ("--ws", tls, "--registrations-per-minute", "0")
    server.start()
    atexit.register(server.kill)
    ports = dict(re.findall(r" (wss?)://127.0.0.1:(\d+)/", "".join(server.lines)))
    return Site(f"ws://127.0.0.1:{ports['ws']}/", f"wss://localhost:{ports['wss']}/", certificate)


class AsyncioTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.url, self.secure_url = site().url, site().secure_url

    def run_task(self, task: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a program would. Trial's reactor is installed, but does not run."""

        async def main() -> None:
            await asyncio.wait_for(task, SECONDS)

        asyncio.run(main(), debug=True)

    async def watched(self, conn: Connection, went: str) -> None:
        """Read events until a user is gone."""
        async for event in conn.events():
            if isinstance(event, Presence) and went in event.went:
                return

    def test_programs_end_by_themselves_and_install_no_reactor(self) -> None:
        done = subprocess.run(
            [
                *(sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM),
                *(str(site().certificate), self.url, self.secure_url),
            ],
            cwd=TOP,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        slow = re.compile("Executing .* took .* seconds\n")  # of asyncio's debug mode
        self.assertEqual(slow.sub("", done.stderr), "")
        self.assertEqual(done.stdout.splitlines(), ["ann hi", "ann hi", "False 1"])

    def test_a_connection_is_closed_with_its_loop(self) -> None:
        conns: list[Connection] = []

        async def leave() -> None:
            conns.append(await connect(self.url, user=Guest("lea")))

        async def watch() -> None:
            async with await connect(self.url, user=Guest("eve")) as eve:
                await asyncio.to_thread(asyncio.run, leave())
                self.assertEqual(conns[0].state, "closed")
                await self.watched(eve, "lea")  # a guest whose connection is lost stays

        self.run_task(watch())

    def test_it_is_a_connection_with_its_names(self) -> None:
        async def work() -> None:
            async with await connect(self.url, user=Guest("ida")) as conn:
                self.assertIsInstance(conn, gtchat.client.Connection)
                self.assertEqual((conn.user, conn.state), ("ida", "up"))
                self.assertIs(conn.speak.__doc__, gtchat.client.Connection.speak.__doc__)
            self.assertEqual(conn.state, "closed")

        self.run_task(work())

    def test_handlers_run_on_the_loop(self) -> None:
        async def work() -> None:
            seen: asyncio.Queue[Any] = asyncio.Queue()
            states: list[str] = []
            async with (
                await connect(self.url, user=Guest("han"), on_state=states.append) as han,
                await connect(self.url, user=Guest("eva")) as eva,
            ):

                @han.on(Whisper)
                async def answer(event: Whisper) -> None:
                    await asyncio.sleep(0)
                    await han.whisper(event.user, f"{event.text}!")
                    raise ValueError("no")

                han.on_error = lambda error, event: seen.put_nowait(error)
                await eva.whisper("han", "hi")
                async for event in eva.events():
                    if isinstance(event, Whisper):
                        self.assertEqual(event.text, "hi!")
                        break
                self.assertIsInstance(await seen.get(), ValueError)
            self.assertEqual(states, ["up", "closed"])

        self.run_task(work())

    def test_a_timeout_loses_no_event(self) -> None:
        async def work() -> None:
            async with (
                await connect(self.url, user=Guest("tim")) as tim,
                await connect(self.url, user=Guest("tom")) as tom,
            ):
                events, entries = tim.events(), tim.follow("lobby", after=None)
                for iterator, seconds in ((events, 0), (entries, 0.05)):
                    with self.assertRaises(asyncio.TimeoutError):
                        while True:
                            await asyncio.wait_for(anext(iterator), seconds)
                await tom.speak("lobby", "hi")
                said = [event async for event in self.until_message(tim)]
                self.assertEqual([event.text for event in said], ["hi"])
                while not isinstance(entry := await anext(entries), Message):
                    pass
                self.assertEqual(entry.text, "hi")

        self.run_task(work())

    async def until_message(self, conn: Connection) -> Any:
        """Yield the next message."""
        async for event in conn.events():
            if isinstance(event, Message):
                yield event
                return

    def test_a_cancelled_call_is_cancelled_and_the_connection_goes_on(self) -> None:
        async def work() -> None:
            async with await connect(self.url, user=Guest("can")) as conn:
                calling = asyncio.create_task(conn.call("ping"))
                await asyncio.sleep(0)
                calling.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await calling
                self.assertEqual((await conn.call("ping")).status, "ok")

        self.run_task(work())

    def test_a_cancelled_connect_leaves_no_connection(self) -> None:
        async def work() -> None:
            async with await connect(self.url, user=Guest("eve")) as eve:
                for turns in range(40):  # until the login, and in the midst of it
                    user = Guest(f"guest{turns}")
                    connecting = asyncio.create_task(connect(self.url, user=user))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    connecting.cancel()
                    await asyncio.wait([connecting])
                    if not connecting.cancelled():
                        await connecting.result().close()
                while [name async for name in eve.users() if name.startswith("guest")]:
                    await asyncio.sleep(0.05)

        self.run_task(work())

    def test_a_server_that_is_away_is_told(self) -> None:
        async def work() -> None:
            with self.assertRaisesRegex(CannotConnect, "refused"):
                await connect("ws://localhost:1/")
            with self.assertRaisesRegex(CannotConnect, "verify failed"):
                await connect(self.secure_url)

        self.run_task(work())

    def test_another_loop_is_refused(self) -> None:
        conns: list[Connection] = []

        async def first() -> None:
            conns.append(await connect(self.url, user=Guest("one")))

        async def second() -> None:
            with self.assertRaisesRegex(RuntimeError, "another event loop"):
                await conns[0].speak("lobby", "hi")

        self.run_task(first())
        self.run_task(second())
        with self.assertRaisesRegex(RuntimeError, "another event loop"):
            self.run_task(conns[0].speak("lobby", "made where no loop runs"))
        self.assertEqual(conns[0].state, "closed")

    def test_run_ends_the_program_with_a_status_and_a_line_if_it_failed(self) -> None:
        printed = io.StringIO()
        self.patch(sys, "stderr", printed)
        statuses: list[Any] = []

        async def bot(conn: Connection) -> None:
            await conn.call("ping")

        async def exiting_bot(conn: Connection) -> None:
            conn.on(Whisper)(lambda event: sys.exit(3))
            async with await connect(self.url, user=Guest("exi")) as other:
                await other.whisper("run", "stop")
                await asyncio.sleep(SECONDS)

        async def refused_bot(conn: Connection) -> None:
            await conn.leave("no such room")

        def program(bot: Any, url: str) -> None:
            try:
                run(bot, url, user=Guest("run"))
            except SystemExit as end:
                statuses.append(end.code)
            except CommandFailed as error:  # its own error is not hidden
                statuses.append(error.code)

        for args in (
            (bot, self.url),
            (exiting_bot, self.url),
            (refused_bot, self.url),
            (bot, "ws://127.0.0.1:1/"),
        ):
            # In a thread, or it would change the signal handlers of trial.
            thread = threading.Thread(target=program, args=args)
            thread.start()
            thread.join(SECONDS)
        self.assertEqual(statuses, [0, 3, "no_such_room", 1])
        self.assertEqual(printed.getvalue(), "ws://127.0.0.1:1/: Connection refused\n")

    def test_a_lost_connection_comes_back(self) -> None:
        server = Server().start()
        self.addCleanup(server.kill)

        async def work() -> None:
            url = f"ws://127.0.0.1:{server.ws_port}/"
            async with await connect(url, user=Guest("los")) as conn:
                await asyncio.to_thread(server.kill)
                async for event in conn.events():
                    if isinstance(event, ConnectionLost):
                        break
                await asyncio.to_thread(server.start)
                self.assertEqual((await conn.call("ping")).status, "ok")

        self.run_task(work())
