"""A chat without sockets, disks or waiting: what unit tests talk to the server with."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from gtchat.chat.chat import Chat
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder, IPasswords, PendingEntry
from gtchat.chat.limits import Limits
from gtchat.chat.rooms import LOBBY
from gtchat.protocols.gtchat_json import API_Chatroom, JSONEncoder
from gtchat.store.memory.store import MemoryStore


@implementer(IPasswords)
class PlainPasswords:
    """Hashes by adding a word; answers when it is let, so that tests see what waits."""

    def __init__(self) -> None:
        self.held: list[Deferred[None]] | None = None

    def hash(self, password: str) -> Deferred[str]:
        return self._later(f"hash of {password}")

    def verify(self, hash: str | None, password: str) -> Deferred[bool]:
        return self._later(hash == f"hash of {password}")

    def _later(self, result: Any) -> Deferred[Any]:
        if self.held is None:
            return succeed(result)
        waiting: Deferred[None] = Deferred()
        self.held.append(waiting)
        return waiting.addCallback(lambda _: result)


@implementer(IEncodedBatch)
class RecordingBatch:
    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)

    def send(self, connections: Collection[Any]) -> None:
        for connection in connections:
            connection.events.extend(self.events)

    def send_part(self, connection: Any, start: int, stop: int) -> None:
        connection.events.extend(self.events[start:stop])


@implementer(IEncoder)
class RecordingEncoder:
    """A protocol whose people hear events as they are."""

    def encode(self, events: Sequence[Event]) -> RecordingBatch:
        return RecordingBatch(events)


@implementer(IConnection)
class RecordingConnection:
    """Somebody's ear: `heard` has the events, `ended` why the session ended."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.address = address
        self.buffered_bytes = 0
        self.closed = False
        self.events: list[Event] = []
        self.ended: str | None = None

    def close(self, event: Event | None, reason: str) -> None:
        if event is not None:
            self.events.append(event)
        self.ended = reason


class Tokens:
    """Makes strings that differ."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> str:
        return f"{next(self._numbers):032x}"


class RecordingOutbox:
    """Takes what is written to a connection, one JSON object a line."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.buffered_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        self.lines += bytes(data).splitlines()


class RecordingBatcher:
    def write_all(self, outboxes: Collection[RecordingOutbox], data: bytes) -> None:
        for outbox in outboxes:
            outbox.write(data)


class FakeClient:
    """A client's connection without a socket: `say` a request, `take` what came."""

    def __init__(self, server: TestServer, address: str = "192.0.2.1") -> None:
        self.outbox = RecordingOutbox()
        self.address = address
        self.closed: tuple[int, str] | None = None
        self.paused = False
        self._server = server
        self._numbers = count(1)
        self.api = API_Chatroom(server.chat, server.encoder, self)

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.api.connection_lost(clean=False)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def drop(self, clean: bool = False) -> None:
        """The connection is gone."""
        self.closed = (1000 if clean else 1006, "")
        self.api.connection_lost(clean)
        self._server.run_pending()

    def raw(self, payload: bytes | str) -> None:
        """Send a message as it is, and let it be done."""
        self.api.message(payload.encode() if isinstance(payload, str) else payload)
        self._server.run_pending()

    def send(self, cmd: str, **fields: object) -> None:
        """Send a request without waiting."""
        self.api.message(json.dumps({"cmd": cmd, **fields}).encode())

    def call(self, cmd: str, **fields: object) -> dict[str, Any]:
        """Send a request; its reply. What was pushed before it stays to be taken."""
        tracker = f"t{next(self._numbers)}"
        self.send(cmd, tracker=tracker, **fields)
        self._server.run_pending()
        return self.reply(tracker)

    def reply(self, tracker: str) -> dict[str, Any]:
        """The reply with that tracker, taken out of what came."""
        for index, line in enumerate(self.outbox.lines):
            message = json.loads(line)
            if message["cmd"] == "c_response" and message["tracker"] == tracker:
                del self.outbox.lines[index]
                return dict(message)
        raise AssertionError(f"no reply {tracker} in {self.outbox.lines}")

    def received(self) -> list[dict[str, Any]]:
        """All that came and was not taken yet."""
        lines, self.outbox.lines = self.outbox.lines, []
        return [json.loads(line) for line in lines]

    def pushes(self, *kinds: str) -> list[dict[str, Any]]:
        """All pushes that came, of these kinds (cmd, or type of a c_event), or of all but
        presence."""
        taken = [m for m in self.received() if m["cmd"] != "c_response"]
        if kinds:
            return [m for m in taken if m.get("type", m["cmd"]) in kinds]
        return [m for m in taken if m.get("type") not in ("login", "logout", "presence")]

    def login(self, name: str, **fields: object) -> dict[str, Any]:
        """Come in as a temporary user, or, with pwd, as a registered one."""
        kind = "reg" if "pwd" in fields else "tmp"
        return self.call("login", type=kind, usr=name, **fields)


class FailingStore(MemoryStore):
    """A store that can't keep the next entries, so many of them."""

    failing = 0

    def append(self, append: PendingEntry) -> None:
        if self.failing:
            self.failing -= 1
            append.room_id, append.room_key = -1, LOBBY  # no such room; a name that is had
        super().append(append)


class TestServer:
    """A chat with its clock and store."""

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Clock | None = None,
        store: type[MemoryStore] = MemoryStore,
        **options: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.clock.advance(1_800_000_000)
        self.store = store(self.clock)
        self.passwords = PlainPasswords()
        self.limits = limits or Limits(commands_per_second=0)
        self.options = options
        self.encoder = JSONEncoder(RecordingBatcher(), lambda payload: payload + b"\n")  # type: ignore[arg-type]
        self.tokens = Tokens()
        self.start()

    def start(self) -> None:
        """A server starts on the store; the one before, if there was one, does nothing more."""
        if hasattr(self, "chat"):
            Deferred.fromCoroutine(self.chat.stop())
        self.chat = Chat(
            self.store, self.clock, self.limits, self.passwords, self.tokens, **self.options
        )
        self.chat.start()
        self.run_pending()

    def run_pending(self) -> None:
        """Let everything be done that needs no time."""
        for _ in range(50):
            self.clock.advance(0)

    def connect(self, address: str = "192.0.2.1") -> FakeClient:
        """A new connection."""
        return FakeClient(self, address)

    def guest(self, name: str) -> FakeClient:
        """Somebody who has come in as a temporary user."""
        client = self.connect()
        assert client.login(name)["status"] == "ok"
        return client

    def member(self, name: str, pwd: str = "password") -> FakeClient:
        """Somebody who has registered and come in."""
        client = self.connect()
        client.call("register", usr=name, pwd=pwd)
        reply = client.login(name, pwd=pwd)
        assert reply["status"] == "ok", reply
        return client
