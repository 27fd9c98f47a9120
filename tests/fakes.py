"""Fakes for unit tests: a chat server and its clients without sockets, disks or waiting.

`TestServer` has a clock that tests advance; `FakeClient` speaks the JSON API to it. The recording
classes stand for a protocol where a test needs the events themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from itertools import count
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from gtchat.chat.chat import Chat
from gtchat.chat.errors import NotStored
from gtchat.chat.events import Event
from gtchat.chat.interfaces import (
    DeliveryProof,
    IConnection,
    IEncodedBatch,
    IEncoder,
    IPasswords,
    PendingEntry,
    StoredState,
)
from gtchat.chat.limits import Limits
from gtchat.chat.relay import IRelay, Relayed, ignore_relayed
from gtchat.protocols.gtchat_json.api import API_Chatroom
from gtchat.protocols.gtchat_json.pushes import JSONEncoder
from gtchat.store.memory.store import MemoryStore
from gtchat.store.memory.tables import MemoryTables
from tests import frames


@implementer(IPasswords)
class PlainPasswords:
    """Password hashing without the cost.

    Attributes:
        held: if a list, results wait until the Deferreds that are added to it fire.
    """

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
    """Events that are added to `RecordingConnection.events` as they are."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)

    def send(self, connections: Collection[Any]) -> None:
        for connection in connections:
            connection.events.extend(self.events)

    def send_part(self, connection: Any, start: int, stop: int) -> None:
        connection.events.extend(self.events[start:stop])


@implementer(IEncoder)
class RecordingEncoder:
    """The encoder of a protocol that sends events as they are."""

    def encode(self, events: Sequence[Event]) -> RecordingBatch:
        return RecordingBatch(events)


@implementer(IConnection)
class RecordingConnection:
    """A connection that records what it is sent.

    Attributes:
        events: the events, in order.
        close_reason: why the session ended, None as long as it has not.
    """

    delivery_proof = DeliveryProof.TIME
    resumable = True
    protocol = "gtchat"

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.address = address
        self.buffered_bytes = 0
        self.closed = False
        self.events: list[Event] = []
        self.close_reason: str | None = None

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        if event is not None:
            self.events.append(event)
        self.close_reason = reason


class Tokens:
    """Makes a different token at each call."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> str:
        # Reversed: ids of messages have only the first characters of a token.
        return f"{next(self._numbers):032x}"[::-1]


class RecordingOutbox:
    """An outbox that records what is written, one JSON object a line."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.buffered_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        self.lines += bytes(data).splitlines()

    write_reply = write


class RecordingBatcher:
    """Writes to recording outboxes at once."""

    def write_all(self, outboxes: Collection[RecordingOutbox], data: bytes) -> None:
        for outbox in outboxes:
            outbox.write(data)


class FakeClient:
    """A client of the JSON API without a socket.

    Args:
        server: the server.
        address: IP address of the client.

    Attributes:
        outbox: what the server has written and the test has not taken yet.
        closed: close code and reason, None as long as the connection is open.
        paused: whether the server reads no requests.
        api: the server's side of the connection.
    """

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

    def drop(self, clean: bool = False, arrived: bool = False) -> None:
        """Lose the connection.

        Args:
            clean: whether the user closed the client.
            arrived: whether the closing handshake was complete.
        """
        self.closed = (1000 if clean else 1006, "")
        self.api.connection_lost(clean, arrived)
        self._server.run_pending()

    def ping(self) -> None:
        """Let the server send a ping, and answer it."""
        self.api.ping_sent()
        self.api.pong_received()
        self._server.run_pending()

    def raw(self, payload: bytes | str) -> None:
        """Send a message as it is, and run what it causes."""
        self.api.message(payload.encode() if isinstance(payload, str) else payload)
        self._server.run_pending()

    def send(self, cmd: str, **fields: object) -> None:
        """Send a request, and run nothing."""
        self.api.message(json.dumps({"cmd": cmd, **fields}).encode())

    def call(self, cmd: str, **fields: object) -> dict[str, Any]:
        """Send a request, run what it causes, and return its reply. Pushes stay in the outbox."""
        tracker = f"t{next(self._numbers)}"
        self.send(cmd, tracker=tracker, **fields)
        self._server.run_pending()
        return self.reply(tracker)

    def reply(self, tracker: str) -> dict[str, Any]:
        """Take the reply with a tracker out of the outbox."""
        for index, line in enumerate(self.outbox.lines):
            message = json.loads(line)
            if message["cmd"] == "c_response" and message["tracker"] == tracker:
                del self.outbox.lines[index]
                frames.check(message)
                return dict(message)
        raise AssertionError(f"no reply {tracker} in {self.outbox.lines}")

    def received(self) -> list[dict[str, Any]]:
        """Take everything out of the outbox."""
        lines, self.outbox.lines = self.outbox.lines, []
        messages = [json.loads(line) for line in lines]
        for message in messages:
            frames.check(message)
        return messages

    def pushes(self, *kinds: str) -> list[dict[str, Any]]:
        """Take everything out of the outbox, and return the pushes.

        Args:
            kinds: only these kinds: `cmd`, or `type` of a c_event; none for all but presence.
        """
        taken = [m for m in self.received() if m["cmd"] != "c_response"]
        if kinds:
            return [m for m in taken if m.get("type", m["cmd"]) in kinds]
        return [m for m in taken if m.get("type") not in ("login", "logout", "presence")]

    def login(self, name: str, **fields: object) -> dict[str, Any]:
        """Log in as a temporary user, or, with `pwd`, as a registered user. Return the reply."""
        kind = "reg" if "pwd" in fields else "tmp"
        return self.call("login", type=kind, usr=name, **fields)


class FailingStore(MemoryStore):
    """A store that fails to store entries.

    Attributes:
        failing: how many of the next entries are not stored.
    """

    failing = 0

    def __init__(self, reactor: Clock) -> None:
        super().__init__(reactor)
        store = self._mailbox.append

        def store_or_fail(pending: PendingEntry) -> None:
            if pending.room_id == -1:
                pending.error = NotStored()
            else:
                store(pending)

        self._mailbox.append = store_or_fail  # type: ignore[method-assign]

    def append(self, append: PendingEntry) -> None:
        if self.failing:
            self.failing -= 1
            append.room_id = -1  # no such room
        super().append(append)


class AllRoomsStore(FailingStore):
    """A store whose chat has all rooms in memory, as a node has."""

    is_shared = True

    def load(self) -> StoredState:
        rooms = self._room_lists.all()
        return attrs.evolve(super().load(), rooms=rooms, public=())

    def count_public(self) -> Deferred[int]:
        return succeed(0)


@implementer(IRelay)
class FakeRelay:
    """Tells the other nodes in the next turn, while `MemoryTables.wakes`.

    Args:
        clock: the clock of all nodes.
        tables: what they share.
        relays: those of all nodes; this one is added.
    """

    def __init__(self, clock: Clock, tables: MemoryTables, relays: list[FakeRelay]) -> None:
        self.received: Callable[[Relayed], None] = ignore_relayed
        self._clock = clock
        self._tables = tables
        self._relays = relays
        relays.append(self)

    def send(self, relayed: Relayed) -> None:
        for relay in self._relays if self._tables.wakes else ():
            if relay is not self:
                self._clock.callLater(0, relay.received, relayed)


class TestServer:
    """A chat server with its clock and store.

    Args:
        limits: the limits, None for the defaults without a rate of commands.
        clock: the clock, None for a new one.
        store: class of the store.
        tables: what it shares with other nodes, None for a server that is alone; see `nodes`.
        options: more arguments of `Chat`.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Clock | None = None,
        store: type[MemoryStore] = MemoryStore,
        tables: MemoryTables | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock or Clock()
        if tables is None or not tables.nodes:
            self.clock.advance(1_800_000_000)
        self.store = store(self.clock) if tables is None else store(self.clock, tables)
        self.passwords = PlainPasswords()
        self.limits = limits or Limits(commands_per_second=0)
        self.tokens = options.pop("token", None) or Tokens()
        self.options = options
        self.encoder = JSONEncoder(RecordingBatcher(), lambda payload: payload + b"\n")  # type: ignore[arg-type]
        self.start()

    def start(self) -> None:
        """Start the server on its store, after stopping it if it runs."""
        if hasattr(self, "chat"):
            Deferred.fromCoroutine(self.chat.stop())
        self.chat = Chat(
            self.store, self.clock, self.limits, self.passwords, self.tokens, **self.options
        )
        self.chat.start()
        self.run_pending()

    def run_pending(self) -> None:
        """Run all calls that are due, and those that they schedule at once."""
        for _ in range(50):
            calls = self.clock.getDelayedCalls()
            if not calls or calls[0].getTime() > self.clock.seconds():
                return
            self.clock.advance(0)

    def connect(self, address: str = "192.0.2.1") -> FakeClient:
        """Return a new client, not logged in."""
        return FakeClient(self, address)

    def guest(self, name: str) -> FakeClient:
        """Return a client that is logged in as a temporary user."""
        client = self.connect()
        assert client.login(name)["status"] == "ok"
        return client

    def member(self, name: str, pwd: str = "password") -> FakeClient:
        """Return a client that is registered and logged in."""
        client = self.connect()
        client.call("register", usr=name, pwd=pwd)
        reply = client.login(name, pwd=pwd)
        assert reply["status"] == "ok", reply
        return client


def bring_in_all(server: TestServer) -> None:
    """Bring all rooms of a server into memory, for a look at them."""
    records = server.store._room_lists.all()
    Deferred.fromCoroutine(server.chat.loader.bring_in([record.id for record in records]))
    server.run_pending()


def nodes(
    count: int = 2, limits: Limits | None = None, clock: Clock | None = None, **options: Any
) -> list[TestServer]:
    """Return servers that are the nodes of one chat, with one clock: `run_pending` of any runs all.

    `store.expire(other.store)` ends a node. Without `store._tables.wakes` nodes hear of each other
    only where they have to, or in `store.look()`.

    Args:
        count: how many.
        limits: as in `TestServer`.
        clock: the clock, None for one of their own.
        options: more arguments of `TestServer`.
    """
    clock, tables, token = clock or Clock(), MemoryTables(), Tokens()
    relays: list[FakeRelay] = []
    return [
        TestServer(
            limits,
            clock,
            tables=tables,
            relay=FakeRelay(clock, tables, relays),
            token=token,
            **options,
        )
        for _ in range(count)
    ]
