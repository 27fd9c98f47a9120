"""For tests of bots: a connection without a server, and a server that stores nothing.

    async def test_bot_greets_users_who_join():
        conn = FakeConnection(user="greeter")
        conn.hear(RoomEvent(kind="join_room", room="garden", user="ann"))
        await conn.run(greet)
        assert conn.calls == [("speak", {"room_name": "garden", "msg": "Hello, ann."})]

It needs no reactor and no loop of its own: nothing waits, so that tests run in `unittest`
(IsolatedAsyncioTestCase), in pytest with its plugins, in Twisted's trial, or by `asyncio.run`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple, TypeVar

from msgspec import structs, to_builtins

from gtchat.client.connection import Connection
from gtchat.client.errors import ConnectionClosed, closed_by_us
from gtchat.client.event_decoder import CLASSES
from gtchat.client.events import (
    ChatMessage,
    Cursor,
    Direct,
    Entry,
    Event,
    Message,
    RoomReset,
    Whisper,
)
from gtchat.client.follow import fold, parse_cursor
from gtchat.client.handlers import Handler, Handlers
from gtchat.client.reconnecting import ServerInfo
from gtchat.client.replies import Reply
from gtchat.client.server_process import running_server

__all__ = ["Call", "FakeConnection", "running_server"]

#: When everything happens, and in which database.
AT = datetime(2030, 1, 1, tzinfo=timezone.utc)
EPOCH = "epoch"
#: Class of an event -> its kind, as the server would write it.
_KINDS = {cls: kind for kind, cls in reversed(CLASSES.items())}
_Event = TypeVar("_Event", bound=Event)


class Call(NamedTuple):
    """A command that a bot has called."""

    cmd: str
    fields: dict[str, Any]


class FakeConnection(Connection):
    """A connection to no server: the test says what it hears, and sees what was called.

    Each command succeeds, unless the test has given another answer. The log of a room has what was
    heard of it and what was spoken.

    Args:
        user: the user who is logged in.

    Attributes:
        calls: all commands so far, without `txn`.
        errors: exceptions of handlers; `run` raises the first one.
    """

    # The constructor of the base class makes what connects to a server.
    def __init__(self, user: str = "echo") -> None:
        self.calls: list[Call] = []
        self.errors: list[Exception] = []
        self._user = user
        self._heard: deque[Event] = deque()
        self._logs: defaultdict[str, list[Entry]] = defaultdict(list)
        self._answers: dict[str, deque[Reply | Exception]] = {}
        self._closed_by: ConnectionClosed | None = None
        self._work: list[Coroutine[Any, Any, None]] = []
        self._handlers = Handlers(self._work.append, lambda: None)  # type: ignore[arg-type]
        self._handlers.on_error = lambda error, _: self.errors.append(error)
        self._handlers.on_exit = _raise

    # What the test says.

    def hear(self, *events: Event) -> None:
        """Let things happen. An entry of a room without a number gets the next one.

        Args:
            events: such as `Message(room="lobby", user="ann", text="hi")`.
        """
        self._heard.extend(self._stored(event) for event in events)

    def answer(self, cmd: str, reply: Reply | Exception | None = None, /, **fields: Any) -> None:
        """Say what the next call of a command gets; further answers are for further calls.

        The last answer is for all later calls, too.

        Args:
            cmd: the command.
            reply: the reply, or what is raised, such as `CommandFailed("not_owner", "No.")`.
            fields: those of the reply, in place of it.
        """
        answers = self._answers.setdefault(cmd, deque())
        answers.append(Reply(last_cmd=cmd, **fields) if reply is None else reply)

    async def run(self, bot: Callable[[Any], Awaitable[object]]) -> None:
        """Run a bot on this connection until it ends; then pass what is left to its handlers.

        Its loops over `events()` and `follow()` end when everything that was heard is read.

        Raises:
            Exception: what the bot, or else a handler, has raised.
        """
        await bot(self)
        while self._heard:
            await self._take()
        if self.errors:
            raise self.errors[0]

    def asked(self, cmd: str) -> list[dict[str, Any]]:
        """Return the fields of all calls of a command."""
        return [call.fields for call in self.calls if call.cmd == cmd]

    # What the bot uses.

    @property
    def user(self) -> str:
        """The user who is logged in."""
        return self._user

    @property
    def server(self) -> ServerInfo:
        """What a server could say of itself."""
        return ServerInfo()

    @property
    def limits(self) -> Mapping[str, float]:
        """No limits."""
        return {}

    @property
    def epoch(self) -> str:
        """What identifies the database of the server."""
        return EPOCH

    @property
    def state(self) -> Literal["up", "lost", "closed"]:
        """`up` until `close` is called."""
        return "up" if self._closed_by is None else "closed"

    @property
    def retry_in(self) -> float:
        """Zero."""
        return 0.0

    @property
    def on_error(self) -> Callable[[Exception, Event], None]:
        """What is called with the exception of a handler and its event; default: `run` fails."""
        return self._handlers.on_error

    @on_error.setter
    def on_error(self, value: Callable[[Exception, Event], None]) -> None:
        self._handlers.on_error = value

    async def open(self) -> None:
        """Do nothing."""

    async def call(self, cmd: str, /, **fields: Any) -> Reply:
        """Note a command, and return the answer of the test."""
        for name in ("cmd", "tracker"):
            if name in fields:
                raise TypeError(f"{name} is not a field of a command")
        if self._closed_by is not None:
            raise self._closed_by
        fields.pop("txn", None)
        self.calls.append(Call(cmd, fields))
        answers = self._answers.get(cmd)
        if not answers:
            return self._default_answer(cmd, fields)
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer.checked()

    async def send(self, line: str) -> str:
        """Raise NotImplementedError: a fake has no wire."""
        raise NotImplementedError("a FakeConnection has no wire")

    def events(self) -> AsyncIterator[Event]:  # type: ignore[override]
        """Return an iterator over what is heard, which ends after that."""
        return _Heard(self._heard, self._take)

    def on(
        self, cls: type[_Event], room: str | Direct | None = None
    ) -> Callable[[Handler[_Event]], Handler[_Event]]:
        """Return a decorator for a function that handles events (see Connection.on)."""

        def register(handler: Handler[_Event]) -> Handler[_Event]:
            self._handlers.add(cls, room, handler)
            return handler

        return register

    async def history(self, room: str | Direct, **fields: Any) -> AsyncIterator[Entry]:
        """Yield the messages of the log of a room, or what `answer("history", entries=…)` says."""
        place = {"room_name": room} if isinstance(room, str) else dict(room.target)
        reply = await self.call("history", **place, **fields)
        for entry in reply.entries:
            if isinstance(entry, Entry):
                yield entry

    async def follow(self, room: str, *, after: Cursor | None) -> AsyncIterator[Entry | RoomReset]:
        """Yield the log of a room, and what the test says later; end after that."""
        _, position = parse_cursor(after)
        while True:
            for entry in self._log(room)[position:]:
                position += 1
                yield entry
            if not self._heard:
                return
            event = await self._take()
            if isinstance(event, RoomReset) and fold(event.room) == fold(room):
                position = 0
                yield event

    async def close(self, timeout: float = 2.0) -> None:
        """Let calls raise ConnectionClosed, and iterators end."""
        self._closed_by = self._closed_by or closed_by_us()
        self._heard.clear()

    # How it works.

    async def _take(self) -> Event:
        """Take what was heard first; return it when its handlers have run."""
        event = self._heard.popleft()
        self._handlers.dispatch(event)
        while self._work:
            await self._work.pop(0)
        return event

    def _log(self, room: str) -> list[Entry]:
        return self._logs[fold(room)]

    def _stored(self, event: Event) -> Event:
        """Return an event as it comes from a server, after an entry was added to its log."""
        if isinstance(event, Entry) and isinstance(event.room, str):
            log = self._log(event.room)
            values: dict[str, Any] = {"seq": event.seq or len(log) + 1, "epoch": EPOCH}
            if isinstance(event, ChatMessage):
                values["id"] = event.id or f"{event.room}-{values['seq']}"
            event = structs.replace(event, at=event.at or AT, **values)
            log.append(event)
        return structs.replace(event, raw=event.raw or _raw(event))

    def _default_answer(self, cmd: str, fields: dict[str, Any]) -> Reply:
        """Return the reply of a server that does everything."""
        room = fields.get("room_name")
        if cmd == "speak" and room is not None:
            said = self._stored(Message(room=room, user=self.user, text=str(fields.get("msg"))))
            assert isinstance(said, Message)
            return Reply(last_cmd=cmd, id=said.id, seq=said.seq, at=AT)
        if cmd == "history" and room is not None:
            found = [one for one in self._log(room) if isinstance(one, Message)]
            return Reply(last_cmd=cmd, entries=tuple(found))
        return Reply(last_cmd=cmd, id=f"id-{len(self.calls)}", at=AT)


class _Heard(AsyncIterator[Event]):
    """The iterator over what is heard."""

    def __init__(self, heard: deque[Event], take: Callable[[], Awaitable[Event]]) -> None:
        self._heard, self._take = heard, take

    async def __anext__(self) -> Event:
        if not self._heard:
            raise StopAsyncIteration
        return await self._take()


def _raise(error: BaseException) -> None:
    raise error


def _raw(event: Event) -> dict[str, Any]:
    """Return an event as the server would have sent it."""
    kind = getattr(event, "kind", None) or _KINDS.get(type(event), "")
    cmd = {"cmd": kind} if kind.startswith("c_") else {"cmd": "c_event", "type": kind}
    values = to_builtins(event)
    place = values.pop("room", None)
    named = {"target_user": place["usr"]} if isinstance(place, dict) else {"room_name": place}
    if isinstance(event, Whisper) or place is None:
        named = {}
    said = {k: v for k, v in values.items() if k.strip() == k and k and v not in (None, False, ())}
    return {**cmd, **named, **said}
