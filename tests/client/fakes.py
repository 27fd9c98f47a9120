"""A server in memory, whose replies the test chooses, for tests of clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from random import Random
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gtchat.client import Connection, Event, Reply
from gtchat.client.event_decoder import EventDecoder
from gtchat.client.options import Options

#: The time of all events, as text and as a value.
AT, WHEN = "2030-05-06T07:08:09.000Z", datetime(2030, 5, 6, 7, 8, 9, tzinfo=timezone.utc)


class _Peer(WebSocketServerProtocol):
    """The server side of one connection."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.factory.server.received(self, payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.factory.server.codes.append(self.remoteCloseCode)


@implementer(IStreamClientEndpoint)
class FakeServer:
    """Accepts connections, records requests, and replies.

    Args:
        clock: runs the timers of its WebSockets.

    Attributes:
        answers: by command, the fields of its reply, or a function from the request to them; None:
            no reply. Other commands get `ok` without fields.
        requests: all requests, without `hello`.
        lines: the same as they were received.
        refuses: whether connection attempts fail.
        attempts: number of connection attempts.
        codes: close codes received from clients.
    """

    def __init__(self, clock: Clock) -> None:
        self.answers: dict[str, Any] = {}
        self.requests: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.refuses = False
        self.attempts = 0
        self.codes: list[int | None] = []
        self._clock = clock
        self._pipes: list[Any] = []
        self._factory = WebSocketServerFactory("ws://fake:9000/", reactor=clock)
        self._factory.protocol = _Peer
        self._factory.server = self
        self._factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts += 1
        if self.refuses:
            return fail(Failure(ConnectionRefusedError(111, "refused")))
        self._factory.protocol = _Peer
        self.peer = peer = self._factory.buildProtocol(None)
        link = factory.buildProtocol(None)
        self.transport = iosim.FakeTransport(link, isServer=False)
        self.pipe = iosim.connect(
            peer,
            iosim.FakeTransport(peer, isServer=True),
            link,
            self.transport,
            greet=False,
            clock=self._clock,
        )
        self._pipes.append(self.pipe)
        return succeed(link)

    def pump(self) -> None:
        """Transfer all data in both directions."""
        moved = True
        while moved:
            moved = False
            for pipe in self._pipes:
                moved |= pipe.flush()

    def received(self, peer: _Peer, payload: bytes) -> None:
        try:
            request = json.loads(payload)
        except ValueError:
            request = {}
        cmd = request.get("cmd", "")
        if cmd != "hello":
            self.requests.append(request)
            self.lines.append(payload.decode())
        data = self.answers.get(cmd, {})
        if callable(data):
            data = data(request)
        if data is not None:
            self.reply(request, **data)

    def reply(self, request: dict[str, Any], **data: Any) -> None:
        """Reply to a request; with a `code` the status is `error`."""
        error = "code" in data
        self.push(
            cmd="c_response",
            status="error" if error else "ok",
            last_cmd=request.get("cmd", ""),
            tracker=str(request.get("tracker", "0")),
            **{"msg": "No." if error else "Yes.", **data},
        )

    def push(self, **message: Any) -> None:
        """Send a message to the client."""
        self.peer.sendMessage(json.dumps(message).encode())

    def say(self, seq: int, usr: str = "bob", room: str = "lobby", msg: str = "") -> None:
        """Push a message of a room."""
        self.push(**spoken(seq, usr, room, msg))

    def drop(self) -> None:
        """Abort the connection."""
        self.peer.transport.abortConnection()
        self.pump()

    def close(self, code: int, reason: str = "") -> None:
        """Close the WebSocket. code: of the close frame."""
        self.peer.sendCloseFrame(code=code, reasonUtf8=reason.encode())
        self.pump()

    def asked(self, cmd: str) -> list[dict[str, Any]]:
        """Return the requests of a command."""
        return [request for request in self.requests if request.get("cmd") == cmd]


def spoken(seq: int, usr: str = "bob", room: str = "lobby", msg: str = "") -> dict[str, Any]:
    """Return a message as an entry of a room's log."""
    return {
        "cmd": "c_speak",
        "room_name": room,
        "usr": usr,
        "msg": msg or f"text {seq}",
        "id": f"{room}-{seq}",
        "seq": seq,
        "at": AT,
    }


def event(**raw: Any) -> Any:
    """Return a push as an event; what each push has is added."""
    return EventDecoder().event({"usr": "ann", "at": AT, "msg": "", **raw})


def whisper(number: int, usr: str = "bob") -> dict[str, Any]:
    """Return a direct message."""
    return {"cmd": "c_whisper", "usr": usr, "msg": f"psst {number}", "id": f"w{number}", "at": AT}


def welcome(usr: str = "ann", **rooms: int) -> dict[str, Any]:
    """Return the fields of the reply to a login. rooms: last seq of each room joined."""
    return {
        "session_id": "secret",
        "epoch": "e1",
        "usr": usr,
        "users": [usr],
        "users_total": 1,
        "rooms": [
            {"room_name": name, "last_seq": last, "joined": True}
            for name, last in (rooms or {"lobby": 0}).items()
        ],
        "rooms_total": max(1, len(rooms)),
    }


def resumed(*entries: dict[str, Any], room: str = "lobby", **more: Any) -> dict[str, Any]:
    """Return the fields of the reply to a resume, with the missed entries of a room."""
    last = entries[-1]["seq"] if entries else 0
    state = {"room_name": room, "state": "resumed", "last_seq": last, "entries": entries, **more}
    return {**welcome(**{room: state["last_seq"]}), "resumed": [state]}


def history_of(log: list[dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the answers to `history` about a log, which may grow. log: entries in order."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        found = [entry for entry in log if entry["seq"] > request.get("after", 0)]
        page = found[: request["limit"]]
        last = log[-1]["seq"] if log else 0
        return {"entries": page, "more": len(found) > len(page), "log_first": 1, "log_last": last}

    return answer


class ConnectedTestCase(SynchronousTestCase):
    """A connection to a server in memory; `received` has its events."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = FakeServer(self.clock)
        self.connection = self.make()
        self.received: list[Event] = []
        self.reading: Deferred[None] | None = None

    def make(self, **options: Any) -> Connection:
        """Return a connection to the server. options: see `Options`."""
        given = Options(random=Random(1), **options)
        return Connection("ws://fake:9000/", self.server, self.clock, given)

    def open(self) -> None:
        """Connect, and read events."""
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.reading = Deferred.fromCoroutine(self._read_events())

    async def _read_events(self) -> None:
        async for event in self.connection.events():
            self.received.append(event)

    def log_in(self, **rooms: int) -> None:
        """Log in as ann. rooms: last seq of each room joined."""
        self.server.answers["login"] = welcome(**rooms)
        self.result("login", type="tmp", usr="ann")

    def call(self, cmd: str, /, **fields: Any) -> Deferred[Reply]:
        """Call a command."""
        calling = Deferred.fromCoroutine(self.connection.call(cmd, **fields))
        self.server.pump()
        return calling

    def result(self, cmd: str, /, **fields: Any) -> Reply:
        """Call a command and return its reply."""
        return self.successResultOf(self.call(cmd, **fields))

    def reconnect(self) -> None:
        """Advance the clock past the delay of the first reconnect."""
        self.clock.advance(1)
        self.server.pump()

    def texts(self) -> list[str]:
        """Return the texts of the messages received."""
        texts = [getattr(event, "text", None) for event in self.received]
        return [text for text in texts if text]

    def kinds(self) -> list[str]:
        """Return the class names of the events received."""
        return [type(event).__name__ for event in self.received]
