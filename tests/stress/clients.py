"""Simulated users that send and receive until the connection breaks, and record what happens.

Here are the ones on WebSocket; `legacy_clients` has those of the protocols over TCP. `connect`
connects and logs in, also after a crash of the server; `run` sends and receives until the
connection breaks. Only the JSON API marks requests (`txn`), so only its client sends a message
again that was not acknowledged.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

from tests.stress.judge import Stored
from tests.stress.oracle import Oracle
from tests.stress.websocket import DISCONNECTED, Object, WebSocket

ROOM, LOBBY = "room", "lobby"
PASSWORD = "long-enough"
#: Messages that a client sends without waiting for their acknowledgement.
WINDOW = 8
#: Seconds to wait for an answer of the server.
REPLY_SECONDS = 20


def conversation(*users: str) -> str:
    """Return what stands for the log of the direct messages of two users in the record."""
    return " and ".join(sorted(users))


class SimulatedUser:
    """A user of one protocol.

    Attributes:
        name: the user name.
        oracle: the record of the run.
        is_online: whether the user is logged in.
    """

    is_online = False

    def __init__(self, name: str, oracle: Oracle) -> None:
        self.name = name
        self.oracle = oracle
        self._numbers: Iterator[int] = itertools.count()

    def new_text(self, room: str, verb: str = "says") -> str:
        """Return the text of a new message to a room, recorded as sent."""
        text = f"{self.name} {verb} {next(self._numbers)}"
        self.oracle.record_send(self.name, room, text)
        return text

    async def connect(self, ports: dict[str, int]) -> None:
        """Connect and log in.

        Args:
            ports: protocol -> port, as the server's log names them.

        Raises:
            one of `DISCONNECTED`: the connection failed.
            asyncio.TimeoutError: the server did not answer.
        """
        raise NotImplementedError

    async def send(self) -> None:
        """Send messages until the connection breaks, or until there are enough."""

    async def receive(self) -> None:
        """Receive until the connection breaks."""

    async def run(self, ports: dict[str, int]) -> None:
        """Connect, send and receive until the connection breaks."""
        try:
            await self.connect(ports)
            self.is_online = True
            tasks = [asyncio.create_task(each) for each in (self.send(), self.receive())]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.TimeoutError:
            self.oracle.violations.append(f"{self.name} got no answer")
        except DISCONNECTED:
            pass
        finally:
            self.is_online = False
            self.disconnect()

    def disconnect(self) -> None:
        """Abort the connection."""

    def server_killed(self) -> None:
        """Stop waiting for the server to connect back: it was killed."""


class JSONClient(SimulatedUser):
    """A user of the JSON API, who resumes the session and repeats unacknowledged requests.

    Args:
        name: the user name.
        oracle: the record of the run.
        whispers_to: the users who in turn get every 16th message as a whisper.
        sends: whether the client sends anything.
        rooms: the rooms of the user; the first gets most of the messages.
        limit: the number of messages to send, None for no limit.

    Attributes:
        idle_timeout: see `WebSocket`.
        path: of the opening handshake.
    """

    idle_timeout: float | None = None
    path = "/"

    ws: WebSocket | None = None
    session: Object | None = None

    def __init__(
        self,
        name: str,
        oracle: Oracle,
        whispers_to: tuple[str, ...] = (),
        sends: bool = True,
        rooms: tuple[str, ...] = (ROOM, LOBBY),
        limit: int | None = None,
    ) -> None:
        super().__init__(name, oracle)
        self.whispers_to = whispers_to
        self.sends = sends
        self.limit = limit
        self.rooms = rooms
        #: Text -> request, for all that is not acknowledged, in order.
        self.pending: dict[str, Object] = {}
        self._acknowledged = asyncio.Event()
        self._turns = itertools.count()

    async def call(self, cmd: str, **fields: object) -> Object:
        """Send a request and return its reply.

        Raises:
            AssertionError: the reply is an error.
        """
        assert self.ws is not None
        reply = await self.ws.call(cmd=cmd, **fields)
        if reply["status"] != "ok":
            raise AssertionError(f"{self.name}: {cmd}: {reply}")
        return reply

    async def register(self, ports: dict[str, int], creates: bool = False) -> None:
        """Register, log in and join the rooms.

        Args:
            ports: protocol -> port.
            creates: whether to create the rooms instead.
        """
        self.ws = await WebSocket.connect(ports["ws"], path=self.path)
        self.ws.idle_timeout = self.idle_timeout
        await self.call("register", usr=self.name, pwd=PASSWORD)
        self.session = await self.call("login", type="reg", usr=self.name, pwd=PASSWORD)
        for room in self.rooms:
            if room == LOBBY:
                joined = next(r for r in self.session["rooms"] if r["room_name"] == LOBBY)
            else:
                cmd = "create_room" if creates else "join_room"
                joined = (await self.call(cmd, room_name=room))["room"]
            self.oracle.record_entry(self.name, room, joined["last_seq"], None)

    async def connect(self, ports: dict[str, int]) -> None:
        self.ws = await WebSocket.connect(ports["ws"], path=self.path)
        self.ws.idle_timeout = self.idle_timeout
        assert self.session is not None
        reply = await self.call(
            "resume",
            session_id=self.session["session_id"],
            epoch=self.session["epoch"],
            seen={room: self.oracle.last_seq(self.name, room) for room in self.rooms},
        )
        for room in reply.get("resumed", ()):
            await self._catch_up(room)
        for request in self.pending.values():
            self.ws.send(request)

    async def _catch_up(self, room: Object) -> None:
        """Take the entries that were missed in a room; if the reply has not all, read history."""
        name = room["room_name"]
        if room["state"] == "reset" and name in self.rooms:
            self.oracle.violations.append(f"{self.name}: {name} was reset")
        for entry in room["entries"]:
            self._handle_entry(entry)
        while room["state"] == "behind":
            last = self.oracle.last_seq(self.name, name) or 0
            if last >= room["last_seq"]:
                break
            page = await self.call("history", room_name=name, after=last, limit=200)
            for entry in page["entries"]:
                if entry["seq"] <= room["last_seq"]:
                    self._handle_entry(entry)

    def disconnect(self) -> None:
        if self.ws is not None:
            self.ws.close()

    async def send(self) -> None:
        assert self.ws is not None
        while self.sends:
            while len(self.pending) >= WINDOW:
                self._acknowledged.clear()
                await self._acknowledged.wait()
            number = next(self._turns)
            if self.limit is not None and number >= self.limit:
                return
            if self.whispers_to and number % 16 == 0:
                target = self.whispers_to[number // 16 % len(self.whispers_to)]
                text = self.new_text(conversation(self.name, target), "whispers")
                request: Object = {"cmd": "whisper", "target_user": target}
            else:
                room = self.rooms[0] if number % 40 else self.rooms[-1]
                text = self.new_text(room)
                request = {"cmd": "speak", "room_name": room}
            request |= {"tracker": text, "txn": text, "msg": text}
            self.pending[text] = request
            self.ws.send(request)
            await self.ws.drain()

    async def receive(self) -> None:
        while True:
            await self._receive_once()

    async def _receive_once(self) -> None:
        assert self.ws is not None
        for message in await self.ws.read():
            self._handle(message)

    async def finish(self) -> dict[str, list[Stored]]:
        """Wait until all is acknowledged and received.

        Returns:
            room -> its log.
        """
        while self.pending:
            await self._receive_once()
        logs = {room: await self._read_log(room, room_name=room) for room in self.rooms}
        for room, (_, last) in logs.items():
            while (self.oracle.last_seq(self.name, room) or 0) < last:
                await self._receive_once()
        return {room: log for room, (log, _) in logs.items()}

    async def read_conversations(self) -> dict[str, list[Stored]]:
        """Return the logs of the direct conversations of the user, by `conversation`."""
        logs = {}
        for usr in self.whispers_to:
            room = conversation(self.name, usr)
            logs[room], _ = await self._read_log(room, target_user=usr)
        return logs

    async def _read_log(self, room: str, **place: str) -> tuple[list[Stored], int]:
        """Return the entries of a log and its last seq.

        Args:
            room: stands for it in the record.
            place: names it in a request.
        """
        log: list[Stored] = []
        after, more = 0, True
        while more:
            page = await self.call("history", after=after, limit=200, **place)
            for entry in page["entries"]:
                if entry["seq"] != after + 1:
                    self.oracle.violations.append(f"{entry['seq']} follows {after} in {room}")
                after = entry["seq"]
                log.append(Stored.from_wire(entry))
            more = page["more"]
        return log, after

    def _handle(self, message: Object) -> None:
        if message["cmd"] == "c_response":
            self._handle_reply(message)
        elif message["cmd"] == "c_whisper":
            self.oracle.received_whispers.setdefault(self.name, []).append(message["msg"])
        elif "seq" in message:
            self._handle_entry(message)

    def _handle_entry(self, entry: Object) -> None:
        room = entry["room_name"]
        if self.oracle.membership(self.name, room) is not None:
            content = Stored.from_wire(entry).content
            self.oracle.record_entry(self.name, room, entry["seq"], content)

    def _handle_reply(self, reply: Object) -> None:
        text = reply["tracker"]
        if reply["last_cmd"] == "whisper" and reply.get("code") == "not_allowed":
            self.pending.pop(text, None)  # too many wait: no ping was answered between two kills
            self._acknowledged.set()
            return
        if reply["status"] != "ok":
            self.oracle.violations.append(f"{self.name}: {reply}")
            return
        request = self.pending.pop(text, None)
        if request is None:
            self.oracle.violations.append(f"{self.name} got a second reply: {reply}")
            return
        self._acknowledged.set()
        self.oracle.record_ack(text, reply["seq"])
        if request["cmd"] == "whisper":
            self.oracle.whispers[text] = request["target_user"]
            return
        # A message that was stored before a crash has come with the resumed entries already.
        if not reply.get("dup"):
            self.oracle.record_entry(self.name, request["room_name"], reply["seq"], text)


class RandomChatClient(SimulatedUser):
    """A user of RandomChat, who receives no seqs and gets what may have been missed again.

    Args:
        name: the user name.
        phone: the phone number that identifies the user.
        oracle: the record of the run.
    """

    ws: WebSocket | None = None

    def __init__(self, name: str, phone: str, oracle: Oracle) -> None:
        super().__init__(name, oracle)
        self.phone = phone
        self._acknowledged = asyncio.Event()
        self._connects = itertools.count()
        oracle.complete.add((name, ROOM))

    async def connect(self, ports: dict[str, int]) -> None:
        await self._register(ports)
        if next(self._connects) % 3 == 2:
            # After a closing handshake, what arrived before it must not come again.
            await self._close()
            await self._register(ports)

    async def _close(self) -> None:
        """Do the closing handshake; what arrives before its end counts as received."""
        assert self.ws is not None
        self.ws.send_close()
        try:
            await self.receive()
        except DISCONNECTED:
            for message in self.ws.unread:
                self._handle(message)
        self.ws.close()

    async def _register(self, ports: dict[str, int]) -> None:
        self.ws = await WebSocket.connect(ports["ws"])
        for room in (ROOM, LOBBY):
            self.oracle.start_session(self.name, room)
        self.ws.send({"type": "register", "user": {"name": self.name, "phone": self.phone}})
        first, *rest = await asyncio.wait_for(self.ws.read(), REPLY_SECONDS)
        self.ws.unread = rest + self.ws.unread
        if first["type"] != "state":
            self._refused(first)
            return
        for chat in first["chats"]:
            for message in chat["messages"]:
                if message["from"]["name"] != self.name:
                    name = chat["chat"]["name"]
                    self.oracle.record_unnumbered(self.name, name, message["message"])

    def _refused(self, answer: Object) -> None:
        """Take the answer to a `register` that was refused."""
        self.oracle.violations.append(f"{self.name} registered: {answer}")

    def disconnect(self) -> None:
        if self.ws is not None:
            self.ws.close()

    async def finish(self) -> None:
        """Send a last message: when it comes back, all that was sent before it has arrived."""
        assert self.ws is not None
        text = self.new_text(ROOM)
        self.ws.send({"type": "send_message", "chat": ROOM, "message": text})
        while text not in self.oracle.acknowledged:
            for message in await self.ws.read():
                self._handle(message)

    async def send(self) -> None:
        assert self.ws is not None
        while True:
            self._acknowledged.clear()
            room = ROOM if len(self.oracle.sent) % 16 else LOBBY
            text = self.new_text(room)
            self.ws.send({"type": "send_message", "chat": room, "message": text})
            await self._acknowledged.wait()

    async def receive(self) -> None:
        assert self.ws is not None
        while True:
            for message in await self.ws.read():
                self._handle(message)

    def _handle(self, message: Object) -> None:
        if message["type"] != "message":
            return
        room, sender, text = message["chat"]["name"], message["from"]["name"], message["message"]
        if sender == self.name:
            self.oracle.record_ack(text)
            self._acknowledged.set()
        elif room in (ROOM, LOBBY):
            self.oracle.record_unnumbered(self.name, room, text)
