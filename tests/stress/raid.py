"""A raid: bots that come over four protocols and shout into the lobby while ordinary users talk.

The bots come from many addresses, ten at each: a quarter of them registers over the JSON API with
keys, which cost the server nothing, a quarter over RandomChat, a quarter comes as guests of Live
chat, and a quarter over Message Center with accounts that it has registered. Each sends a message
every few seconds for as long as it is connected, whatever it is told, and comes back with another
name when its connection ends. The server is as by default, but that all protocols have ports.

Then the panic switch is turned on. Ordinary users, who have had their accounts for days, send a
message now and then; one that is refused with a time is sent again then, and counts as delayed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress

import attrs

from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e.server import SECONDS, Server
from tests.stress.clients import LOBBY, PASSWORD, REPLY_SECONDS
from tests.stress.legacy_clients import framed, read_frame
from tests.stress.websocket import DISCONNECTED, Object, WebSocket

PROTOCOLS = ("livechat", "message_center")
OPTIONS = (
    *("--store", "sqlite"),
    "--randomchat",
    *("--livechat", "tcp:0:interface=127.0.0.1"),
    *("--message-center", "tcp:0:interface=127.0.0.1"),
)
#: How old the accounts of ordinary users are.
OLD_MS = 3 * 24 * 3600 * 1000
#: Kinds of bots, by the remainder of their numbers; and names of bots.
KINDS, BOT = 4, re.compile(r"b\d+x$")
#: Bots at one address.
BOTS_PER_ADDRESS = 10
#: It is quiet when no bot was heard for so many seconds.
WINDOW_S = 5.0
#: The part of the raid in which the bots come, one after the other.
COMING = 0.6
#: Seconds after which an acknowledgement counts as delayed.
DELAY_S = 2.0
GONE = (*DISCONNECTED, asyncio.TimeoutError, AssertionError)


@attrs.define
class Talk:
    """What became of the messages of ordinary users in a part of the run.

    Attributes:
        sent: how many they wrote.
        delayed: of those, how many were sent again later, or were acknowledged late.
        refused: how many were given up.
        codes: code -> how often a message was refused.
        bots: messages of bots that an ordinary user saw.
        seconds: length of the part.
    """

    sent: int = 0
    delayed: int = 0
    refused: int = 0
    codes: Counter[str] = attrs.field(factory=Counter)
    bots: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        sent = max(self.sent, 1)
        return (
            f"{self.bots / max(self.seconds, 1):.1f} messages of bots a second; of {self.sent} of "
            f"ordinary users {self.delayed / sent:.0%} delayed, {self.refused / sent:.0%} refused "
            f"{dict(self.codes)}"
        )


@attrs.define
class Result:
    """What a run has found.

    Attributes:
        bots: how many there were, and how many came in before the switch was turned on.
        came: of those, how many had spoken by then.
        parts: name -> what became of messages.
        quiet: seconds from the switch until it was quiet, None if that never came.
        violations: what was not as it should be.
    """

    bots: int
    came: int = 0
    parts: dict[str, Talk] = attrs.field(factory=dict)
    quiet: float | None = None
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        parts = "\n".join(f"  {name}: {talk}" for name, talk in self.parts.items())
        quiet = "never" if self.quiet is None else f"after {self.quiet:.1f} s"
        return f"{self.came} of {self.bots} bots came in; quiet {quiet}\n{parts}"


class Raid:
    """The server, its users and the bots.

    Args:
        bots: how many bots, a multiple of four.
        users: how many ordinary users.
        pace: seconds between two messages of a bot, and on average of an ordinary user.
        seed: of all that is random.
    """

    def __init__(self, bots: int, users: int, pace: tuple[float, float], seed: int) -> None:
        self.server = Server(*OPTIONS)
        self.result = Result(bots)
        self._bot_pace, self._user_pace = pace
        self._users = users
        self._random = random.Random(seed)
        self._names = map("b{}x".format, itertools.count())
        self._talk = Talk()
        #: Times at which a message of a bot was seen.
        self._heard: list[float] = []
        self._came: set[int] = set()
        self._coming = 0.0
        self._tries = 0
        #: Number of the message behind which no bot may be heard, None before the switch.
        self._silent_from: int | None = None
        self._is_silent = asyncio.Event()

    def run(
        self, quiet: float, raid: float, after: float, progress: Callable[[int], None]
    ) -> Result:
        """Run the three parts, of so many seconds each; return what was found."""
        try:
            self._make_accounts()
            self._ports = self._find_ports()
            asyncio.run(self._run({"before": quiet, "raid": raid, "panic": after}, progress))
        finally:
            self.server.kill()
        return self.result

    def _find_ports(self) -> dict[str, int]:
        found = dict(re.findall(r"(\w+): tcp://[^:]+:(\d+)", "".join(self.server.lines)))
        return {"ws": self.server.ws_port, **{name: int(found[name]) for name in PROTOCOLS}}

    def _make_accounts(self) -> None:
        """Register the ordinary users, and make their accounts old."""
        self.server.start()
        names = ["watcher", *(f"user{number}" for number in range(self._users))]
        for name in names:
            request(
                self.server.folder / SOCKET, "accounts create", {"name": name, "password": PASSWORD}
            )
        self.server.stop()
        with closing(sqlite3.connect(self.server.folder / "gtchat.sqlite")) as db, db:
            db.execute("UPDATE accounts SET created_at = created_at - ?", (OLD_MS,))
        self.server.lines.clear()
        self.server.start()

    async def _run(self, parts: dict[str, float], progress: Callable[[int], None]) -> None:
        self._watcher = await self._log_in("watcher")
        tasks = [asyncio.create_task(self._user(number)) for number in range(self._users)]
        tasks.append(asyncio.create_task(_ignore(self._watcher)))
        begin = {"raid": self._begin_raid, "panic": self._begin_panic}
        ended = {"raid": self._all_kinds_came, "panic": lambda: self._tries >= self.result.bots}
        began = time.monotonic()
        try:
            for name, seconds in parts.items():
                self._talk = self.result.parts[name] = Talk()
                start = time.monotonic()
                if name in begin:
                    tasks += await begin[name](seconds)
                end = start + seconds
                while (now := time.monotonic()) < end or (
                    name in ended and not ended[name]() and now < end + SECONDS
                ):
                    await asyncio.sleep(0.2)
                    progress(int(now - began))
                    if name == "panic" and self.result.quiet is None and now > start + WINDOW_S:
                        self._look(start)
                self._talk.seconds = time.monotonic() - start
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._watcher.close()

    def _all_kinds_came(self) -> bool:
        return {number % KINDS for number in self._came} == set(range(KINDS))

    async def _begin_raid(self, seconds: float) -> list[asyncio.Task[None]]:
        self._coming = COMING * seconds
        return [asyncio.create_task(self._bot(number)) for number in range(self.result.bots)]

    async def _begin_panic(self, seconds: float) -> list[asyncio.Task[None]]:
        """Turn the switch on; no message of a bot may be stored behind one of a user after that."""
        self.result.came = len(self._came)
        if not self._all_kinds_came():
            self.result.violations.append("not all kinds of bots came in")
        await asyncio.to_thread(self._admin, "panic", on="on")
        self._tries = 0
        self._watcher.send({"cmd": "speak", "room_name": LOBBY, "msg": "it is on"})
        await asyncio.wait_for(self._is_silent.wait(), SECONDS)
        return []

    def _admin(self, command: str, **arguments: object) -> None:
        request(self.server.folder / SOCKET, command, arguments)

    def _look(self, start: float) -> None:
        """Take note of when it became quiet, if the last seconds were: the last bot was heard."""
        if self._heard and self._heard[-1] < time.monotonic() - WINDOW_S:
            self.result.quiet = max(0.0, self._heard[-1] - start)

    # Ordinary users.

    async def _user(self, number: int) -> None:
        ws = await self._log_in(f"user{number}")
        acks: dict[str, asyncio.Future[Object]] = {}
        reading = asyncio.create_task(self._listen(ws, acks, number == 0))
        try:
            for turn in itertools.count():
                await asyncio.sleep(self._random.expovariate(1 / self._user_pace))
                await self._say(ws, acks, f"{number} says {turn}")
        finally:
            reading.cancel()
            ws.close()

    async def _log_in(self, name: str) -> WebSocket:
        """Return a connection of an ordinary user."""
        ws = await WebSocket.connect(self._ports["ws"])
        reply = await ws.call(cmd="login", type="reg", usr=name, pwd=PASSWORD)
        assert reply["status"] == "ok", reply
        return ws

    async def _listen(
        self, ws: WebSocket, acks: dict[str, asyncio.Future[Object]], counts: bool
    ) -> None:
        """Take what arrives; one of the users counts messages of bots."""
        while True:
            for message in await ws.read():
                if message["cmd"] == "c_response":
                    waiting = acks.pop(message.get("tracker", ""), None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message)
                elif counts and message["cmd"] == "c_speak":
                    self._hear(message)

    def _hear(self, message: Object) -> None:
        """Take note of a message of a bot, and of the first one of a user after the switch."""
        if message["usr"] == "watcher":
            self._silent_from = message["seq"]
            self._is_silent.set()
        if not BOT.match(message["usr"]):
            return
        self._heard.append(time.monotonic())
        self._talk.bots += 1
        if self._silent_from is not None and message["seq"] > self._silent_from:
            self.result.violations.append(f"{message['usr']} was heard: {message['msg']}")

    async def _say(self, ws: WebSocket, acks: dict[str, asyncio.Future[Object]], text: str) -> None:
        """Send a message, again when that is allowed; count what became of it."""
        talk, began, is_late = self._talk, time.monotonic(), False
        talk.sent += 1
        while True:
            acks[text] = asyncio.get_running_loop().create_future()
            waiting = acks[text]
            ws.send({"cmd": "speak", "room_name": LOBBY, "msg": text, "txn": text, "tracker": text})
            reply = await asyncio.wait_for(waiting, REPLY_SECONDS)
            if reply["status"] == "ok":
                talk.delayed += not is_late and time.monotonic() - began > DELAY_S
                return
            talk.codes[reply["code"]] += 1
            if "retry_after" not in reply:
                talk.refused += 1
                return
            talk.delayed += not is_late
            is_late = True
            await asyncio.sleep(reply["retry_after"])

    # Bots.

    async def _bot(self, number: int) -> None:
        """Come in, shout, and come back with another name whenever that ends."""
        address = f"127.0.1.{number // BOTS_PER_ADDRESS + 1}"
        kinds = (self._json, self._random_chat, self._live_chat, self._message_center)
        assert len(kinds) == KINDS
        await asyncio.sleep(number * self._coming / self.result.bots)
        while True:
            with suppress(*GONE):
                await kinds[number % KINDS](number, address, next(self._names))
            await asyncio.sleep(self._bot_pace)

    def _sent_by(self, number: int) -> None:
        """Take note that a bot has sent a message."""
        self._came.add(number)
        self._tries += 1

    async def _shout(self, number: int, send: Callable[[str], None]) -> None:
        """Send messages for ever."""
        for turn in itertools.count():
            send(f"RAID {number} {turn}")
            self._sent_by(number)
            await asyncio.sleep(self._bot_pace)

    async def _both(
        self, number: int, send: Callable[[str], None], reading: asyncio.Task[None]
    ) -> None:
        """Shout until the connection ends."""
        shouting = asyncio.create_task(self._shout(number, send))
        try:
            await asyncio.wait([shouting, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (shouting, reading):
                task.cancel()

    async def _json(self, number: int, address: str, name: str) -> None:
        ws = await WebSocket.connect(self._ports["ws"], source=address)
        try:
            key = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            for fields in ({"cmd": "register", "usr": name}, {"cmd": "login", "type": "reg"}):
                reply = await ws.call(uuid=key, **fields)
                assert reply["status"] == "ok", reply

            def send(text: str) -> None:
                ws.send({"cmd": "speak", "room_name": LOBBY, "msg": text})

            await self._both(number, send, asyncio.create_task(_ignore(ws)))
        finally:
            ws.close()

    async def _random_chat(self, number: int, address: str, name: str) -> None:
        ws = await WebSocket.connect(self._ports["ws"], source=address)
        try:
            ws.send({"type": "register", "user": {"name": name, "phone": f"+49{name[1:-1]:0>9}"}})
            first, *_ = await asyncio.wait_for(ws.read(), REPLY_SECONDS)
            assert first["type"] == "state", first

            def send(text: str) -> None:
                ws.send({"type": "send_message", "chat": LOBBY, "message": text})

            await self._both(number, send, asyncio.create_task(_ignore(ws)))
        finally:
            ws.close()

    async def _live_chat(self, number: int, address: str, name: str) -> None:
        reader, writer = await self._open("livechat", address)
        try:
            writer.write(name.encode())
            await asyncio.wait_for(reader.readuntil(b"&" + name.encode()), REPLY_SECONDS)
            reading = asyncio.create_task(_drop_all(reader))
            await self._both(number, lambda text: writer.write(text.encode()), reading)
        finally:
            writer.transport.abort()

    async def _message_center(self, number: int, address: str, name: str) -> None:
        ws = await WebSocket.connect(self._ports["ws"], source=address)
        reply = await ws.call(cmd="register", usr=name, pwd=PASSWORD)
        ws.close()
        assert reply["status"] == "ok", reply
        # It takes the calls of the server and reads nothing: pushes are not what it is there for.
        held: list[object] = []
        listener = await asyncio.start_server(lambda *call: held.append(call), address, 0)
        try:
            reader, writer = await self._open("message_center", address)
            for field in ("LIN", name, PASSWORD):
                writer.write(framed(field))
            answer = await asyncio.wait_for(read_frame(reader), REPLY_SECONDS)
            assert answer == b"LOGIN_OKAY", answer
            token = (await read_frame(reader)).decode()
            port = listener.sockets[0].getsockname()[1]
            writer.write(framed(address) + framed(str(port)))
            await reader.read()
            writer.transport.abort()
            for turn in itertools.count():
                reader, writer = await self._open("message_center", address)
                writer.write(framed(f"BRD|{name}|{token}|RAID {number} {turn}"))
                self._sent_by(number)
                await asyncio.wait_for(reader.read(), REPLY_SECONDS)
                writer.transport.abort()
                await asyncio.sleep(self._bot_pace)
        finally:
            listener.close()

    async def _open(
        self, protocol: str, address: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._ports[protocol]
        return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def _ignore(ws: WebSocket) -> None:
    """Answer pings until the connection ends."""
    while True:
        await ws.read()


async def _drop_all(reader: asyncio.StreamReader) -> None:
    """Read until the connection ends."""
    while await reader.read(1 << 16):
        pass
