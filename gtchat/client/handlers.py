"""Handlers of events: which there are, and running them, those of one room in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gtchat.client.events import Direct, Event
from gtchat.client.follow import fold
from gtchat.client.logs import log

_Event = TypeVar("_Event", bound=Event)
#: Handles an event; the next one of its room waits for the awaitable.
Handler = Callable[[_Event], Awaitable[None] | None]
#: Runs a coroutine and returns its result.
Spawn = Callable[[Coroutine[Any, Any, None]], Deferred[None]]


@attrs.frozen
class _Row:
    """Which events a handler is for. room: folded; None: any."""

    cls: type[Event]
    room: str | None
    handler: Handler[Any]

    def takes(self, event: Event) -> bool:
        return isinstance(event, self.cls) and self.room in (None, _room_of(event))


class Handlers:
    """The handlers of a connection.

    Args:
        spawn: runs a coroutine.
        drained: called after each event that was handled.

    Attributes:
        on_error: called with the exception of a handler and its event.
        on_exit: called with what a handler has raised to end the program, such as SystemExit. On a
            reactor that would end nothing but the handler.
        waiting: how many events wait for their handlers.
    """

    def __init__(self, spawn: Spawn, drained: Callable[[], None]) -> None:
        self.on_error: Callable[[Exception, Event], None] = _log_error
        self.on_exit: Callable[[BaseException], None] = _log_exit
        self.waiting = 0
        self._spawn = spawn
        self._drained = drained
        self._rows: list[_Row] = []
        #: By room, events whose handlers have not run; a key is there while they run.
        self._queues: dict[str, deque[Event]] = {}

    @property
    def any(self) -> bool:
        """Whether there are handlers."""
        return bool(self._rows)

    def add(self, cls: type[Event], room: str | Direct | None, handler: Handler[Any]) -> None:
        """Add a handler. room: of its events; None: any."""
        self._rows.append(_Row(cls, None if room is None else _key(room), handler))

    def dispatch(self, event: Event) -> None:
        """Pass an event to its handlers, after the events of its room before it."""
        if not any(row.takes(event) for row in self._rows):
            return
        room = _room_of(event)
        self.waiting += 1
        if room in self._queues:
            self._queues[room].append(event)
        else:
            self._queues[room] = deque([event])
            self._spawn(self._run(room))

    async def _run(self, room: str) -> None:
        """Handle the events of a room until there are no more."""
        queue = self._queues[room]
        while queue:
            event = queue.popleft()
            for row in [row for row in self._rows if row.takes(event)]:
                await self._handle(row.handler, event)
            self.waiting -= 1
            self._drained()
        del self._queues[room]

    async def _handle(self, handler: Handler[Any], event: Event) -> None:
        try:
            await self._call(handler, event)
        except GeneratorExit:  # this coroutine is closed
            raise
        except BaseException as error:
            self.on_exit(error)

    async def _call(self, handler: Handler[Any], event: Event) -> None:
        try:
            result = handler(event)
            if isawaitable(result):
                await result
        except Exception as error:
            try:
                self.on_error(error, event)
            except Exception:
                log.failure("on_error failed")


def _key(room: str | Direct | None) -> str:
    """Return a room as it is compared; "" for none."""
    return f"\0{fold(room.user)}" if isinstance(room, Direct) else fold(room or "")


def _room_of(event: Event) -> str:
    return _key(getattr(event, "room", None))


def _log_exit(error: BaseException) -> None:
    """Log what was to end the program, as Twisted does."""
    log.failure("A handler has raised {error}", Failure(error), error=type(error).__name__)


def _log_error(error: Exception, event: Event) -> None:
    """Log the exception of a handler."""
    log.failure("The handler of {event} failed", Failure(error), event=type(event).__name__)
