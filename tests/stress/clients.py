"""People who talk as long as they live, and write down what happens to them; here on WebSocket.

`come` connects and logs in, after a crash too; `live` talks and listens until the connection
breaks. Nobody sends what he can't mark: only the JSON API has marks (`txn`) to say a thing again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

from tests.stress.oracle import Oracle, Stored
from tests.stress.wire import BROKEN, Object, Wire

NEST, LOBBY = "nest", "lobby"
PASSWORD = "long-enough"
#: Messages that somebody has under way.
WINDOW = 8


class Person:
    """Somebody with a book to write in.

    Attributes:
        quiet: whether he only listens from now on.
        is_here: whether he has come in.
    """

    is_here = False

    def __init__(self, name: str, book: Oracle) -> None:
        self.name = name
        self.book = book
        self.quiet = False
        self.numbers: Iterator[int] = itertools.count()

    def text(self, room: str) -> str:
        """Something new to say, which is said from now on."""
        text = f"{self.name} says {next(self.numbers)}"
        self.book.say(self.name, room, text)
        return text

    async def come(self, ports: dict[str, int]) -> None:
        """Connect and log in. Raises: what `BROKEN` names."""
        raise NotImplementedError

    async def talk(self) -> None:
        """Talk until something breaks, or until one is to be quiet."""

    async def listen(self) -> None:
        """Listen until something breaks."""

    async def live(self, ports: dict[str, int]) -> None:
        """Come, talk and listen until the connection breaks."""
        try:
            await self.come(ports)
            self.is_here = True
            ways = [asyncio.create_task(way) for way in (self.talk(), self.listen())]
            try:
                await asyncio.gather(*ways)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.TimeoutError:
            self.book.faults.append(f"{self.name} waited in vain")
        except BROKEN:
            pass
        finally:
            self.is_here = False
            self.part()

    def part(self) -> None:
        """Let go of the connection."""

    def despair(self) -> None:
        """The server is dead: nobody is to wait for a call of its."""


class Web(Person):
    """Somebody on the JSON API, who resumes and says again what was not acknowledged.

    Args:
        whispers_to: who is whispered to now and then. speaks: whether he talks at all.
        rooms: where he is. most: how many things he says in all, None for any number.

    Attributes:
        patience: see `Wire`.
    """

    patience: float | None = None

    wire: Wire | None = None
    session: Object | None = None

    def __init__(
        self,
        name: str,
        book: Oracle,
        whispers_to: str | None = None,
        speaks: bool = True,
        rooms: tuple[str, ...] = (NEST, LOBBY),
        most: int | None = None,
    ) -> None:
        super().__init__(name, book)
        self.whispers_to = whispers_to
        self.speaks = speaks
        self.most = most
        self.rooms = rooms
        #: Text -> request, of all that is not acknowledged; in order.
        self.unsure: dict[str, Object] = {}
        self._answered = asyncio.Event()
        self._turns = itertools.count()

    async def ask(self, cmd: str, **fields: object) -> Object:
        """Ask for something that has to be granted."""
        assert self.wire is not None
        reply = await self.wire.ask(cmd=cmd, **fields)
        if reply["status"] != "ok":
            raise AssertionError(f"{self.name}: {cmd}: {reply}")
        return reply

    async def begin(self, ports: dict[str, int], creates: bool = False) -> None:
        """Come for the first time."""
        self.wire = await Wire.connect(ports["ws"])
        self.wire.patience = self.patience
        await self.ask("register", usr=self.name, pwd=PASSWORD)
        self.session = await self.ask("login", type="reg", usr=self.name, pwd=PASSWORD)
        for room in self.rooms:
            if room == LOBBY:
                lobby = next(r for r in self.session["rooms"] if r["room_name"] == LOBBY)
                self.book.number(self.name, LOBBY, lobby["last_seq"], None)
            else:
                entered = await self.ask("create_room" if creates else "join_room", room_name=room)
                self.book.number(self.name, room, entered["room"]["last_seq"], None)

    async def come(self, ports: dict[str, int]) -> None:
        self.wire = await Wire.connect(ports["ws"])
        self.wire.patience = self.patience
        assert self.session is not None
        seen = {room: self.book.last(self.name, room) for room in self.rooms}
        back = await self.ask(
            "resume",
            session_id=self.session["session_id"],
            epoch=self.session["epoch"],
            seen=seen,
        )
        for room in back.get("resumed", ()):
            await self._catch_up(room)
        for request in self.unsure.values():
            self.wire.send(request)

    async def _catch_up(self, room: Object) -> None:
        """Take what was missed in a room; where that is much, read its history."""
        name = room["room_name"]
        if room["state"] == "reset" and name in self.rooms:
            self.book.faults.append(f"{self.name}: {name} was reset")
        for entry in room["entries"]:
            self._number(entry)
        while room["state"] == "behind":
            last = self.book.last(self.name, name) or 0
            if last >= room["last_seq"]:
                break
            page = await self.ask("history", room_name=name, after=last, limit=200)
            for entry in page["entries"]:
                if entry["seq"] <= room["last_seq"]:
                    self._number(entry)

    def part(self) -> None:
        if self.wire is not None:
            self.wire.close()

    async def talk(self) -> None:
        assert self.wire is not None
        while self.speaks and not self.quiet:
            while len(self.unsure) >= WINDOW:
                self._answered.clear()
                await self._answered.wait()
            number = next(self._turns)
            if self.most is not None and number >= self.most:
                return
            if self.whispers_to is not None and number % 16 == 0:
                text = f"{self.name} whispers {next(self.numbers)}"
                request: Object = {"cmd": "whisper", "target_user": self.whispers_to}
            else:
                room = self.rooms[0] if number % 40 else self.rooms[-1]
                text = self.text(room)
                request = {"cmd": "speak", "room_name": room}
            request |= {"tracker": text, "txn": text, "msg": text}
            self.unsure[text] = request
            self.wire.send(request)
            await self.wire.drain()

    async def listen(self) -> None:
        assert self.wire is not None
        while True:
            for thing in await self.wire.read():
                self.take(thing)

    async def run_pending(self) -> dict[str, list[Stored]]:
        """Wait until all is acknowledged and told; the rooms' messages."""
        assert self.wire is not None
        while self.unsure:
            for thing in await self.wire.read():
                self.take(thing)
        logs = {room: await self._log(room) for room in self.rooms}
        for room, (_, head) in logs.items():
            while (self.book.last(self.name, room) or 0) < head:
                for thing in await self.wire.read():
                    self.take(thing)
        return {room: messages for room, (messages, _) in logs.items()}

    async def _log(self, room: str) -> tuple[list[Stored], int]:
        """A room's messages, and its last seq."""
        found, after, more = [], 0, True
        while more:
            page = await self.ask("history", room_name=room, after=after, limit=200)
            for entry in page["entries"]:
                if entry["seq"] != after + 1:
                    self.book.faults.append(f"{entry['seq']} follows {after} in {room}")
                after = entry["seq"]
                if entry["cmd"] == "c_speak":
                    found.append(Stored(after, entry["usr"], entry["msg"]))
            more = page["more"]
        return found, after

    def take(self, thing: Object) -> None:
        """Something has come."""
        if thing["cmd"] == "c_response":
            self._acknowledged(thing)
        elif thing["cmd"] == "c_whisper":
            self.book.heard.setdefault(self.name, []).append(thing["msg"])
        elif "seq" in thing:
            self._number(thing)

    def _number(self, entry: Object) -> None:
        if (self.name, entry["room_name"]) in self.book.numbered:
            text = entry["msg"] if entry["cmd"] == "c_speak" else None
            self.book.number(self.name, entry["room_name"], entry["seq"], text)

    def _acknowledged(self, reply: Object) -> None:
        text = reply["tracker"]
        if reply["status"] != "ok":
            self.book.faults.append(f"{self.name}: {reply}")
            return
        request = self.unsure.pop(text, None)
        if request is None:
            self.book.faults.append(f"{self.name} was answered twice: {reply}")
            return
        self._answered.set()
        if request["cmd"] == "whisper":
            self.book.whispered[text] = request["target_user"]
            return
        self.book.promise(text, reply["seq"])
        # What was stored before a crash, and resumed since, is known.
        known = self.book.numbered[self.name, request["room_name"]]
        if not (reply.get("dup") and reply["seq"] in known):
            self.book.number(self.name, request["room_name"], reply["seq"], text)
        elif known[reply["seq"]] not in (text, None):
            self.book.faults.append(f"{reply['seq']} is {known[reply['seq']]!r}, not {text!r}")


class Phone(Person):
    """Somebody on RandomChat: he has no numbers, and is told again what he may have missed."""

    wire: Wire | None = None

    def __init__(self, name: str, number: str, book: Oracle) -> None:
        super().__init__(name, book)
        self.number = number
        self._answered = asyncio.Event()
        self._times = itertools.count()
        book.complete.add((name, NEST))

    async def come(self, ports: dict[str, int]) -> None:
        await self._register(ports)
        if next(self._times) % 3 == 2:
            # Whoever leaves as one should is not told again what he was told until then.
            await self._leave()
            await self._register(ports)

    async def _leave(self) -> None:
        """Close as one should: what comes until then counts."""
        assert self.wire is not None
        self.wire.send_close()
        try:
            await self.listen()
        except BROKEN:
            for thing in self.wire.unread:
                self._take(thing)
        self.wire.close()

    async def _register(self, ports: dict[str, int]) -> None:
        self.wire = await Wire.connect(ports["ws"])
        for room in (NEST, LOBBY):
            self.book.sit_down(self.name, room)
        self.wire.send({"type": "register", "user": {"name": self.name, "phone": self.number}})
        first, *rest = await asyncio.wait_for(self.wire.read(), 20)
        self.wire.unread = rest + self.wire.unread
        if first["type"] != "state":
            self.book.faults.append(f"{self.name} registered: {first}")
            return
        for chat in first["chats"]:
            for message in chat["messages"]:
                if message["from"]["name"] != self.name:
                    self.book.show(self.name, chat["chat"]["name"], message["message"])

    def part(self) -> None:
        if self.wire is not None:
            self.wire.close()

    async def run_pending(self) -> None:
        """Say a last thing: when that is told, all has come that was said before."""
        assert self.wire is not None
        text = self.text(NEST)
        self.wire.send({"type": "send_message", "chat": NEST, "message": text})
        while text not in self.book.promised:
            for thing in await self.wire.read():
                self._take(thing)

    async def talk(self) -> None:
        assert self.wire is not None
        while not self.quiet:
            self._answered.clear()
            room = NEST if len(self.book.said) % 16 else LOBBY
            text = self.text(room)
            self.wire.send({"type": "send_message", "chat": room, "message": text})
            await self._answered.wait()

    async def listen(self) -> None:
        assert self.wire is not None
        while True:
            for thing in await self.wire.read():
                self._take(thing)

    def _take(self, thing: Object) -> None:
        if thing["type"] != "message":
            return
        room, who, text = thing["chat"]["name"], thing["from"]["name"], thing["message"]
        if who == self.name:
            self.book.promise(text)
            self._answered.set()
        elif room in (NEST, LOBBY):
            self.book.show(self.name, room, text)
