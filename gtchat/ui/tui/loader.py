"""Loads what the current buffer misses, and reports what the user has read and is typing.

Nothing waits for these requests; what fails is requested again the next time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IReactorTime

from gtchat.client import CommandFailed, Connection, GTChatError, Reply
from gtchat.ui.commands import LOBBY
from gtchat.ui.tui.buffer import Buffer
from gtchat.ui.tui.model import Model

#: Entries in a page of history; names in a list.
PAGE_SIZE, MAX_NAMES = 100, 1_000
#: Seconds between two typing notifications (the server accepts one in 3 s).
TYPING_INTERVAL = 4.0
#: Seconds that a buffer must be shown before it is loaded; between two read marks.
LOAD_DELAY, READ_INTERVAL = 0.1, 1.0


class Loader:
    """Keeps the current buffer up to date.

    Args:
        connection: to the server.
        model: the data of the client.
        clock: delays requests.
        call: sends a command and repeats it when the server limits the rate.
        run_in_background: starts a coroutine.
    """

    def __init__(
        self,
        connection: Connection,
        model: Model,
        clock: IReactorTime,
        call: Callable[..., Awaitable[Reply]],
        run_in_background: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:
        self._connection = connection
        self._model = model
        self._clock = clock
        self._call = call
        self._run_in_background = run_in_background
        self._typing_at = -TYPING_INTERVAL
        self._read_mark_scheduled = False

    def buffer_shown(self, buffer: Buffer) -> None:
        """Load a buffer soon, unless the user switches to another one meanwhile."""
        self._clock.callLater(LOAD_DELAY, self._load_missing, buffer)

    def connection_restored(self) -> None:
        """Note that the members of all buffers may have changed."""
        for buffer in self._model.buffers:
            buffer.members_requested = False

    def message_entered(self) -> None:
        """Let the next message start with a typing notification."""
        self._typing_at = -TYPING_INTERVAL

    def _load_missing(self, buffer: Buffer) -> None:
        """Load members and history of a room, if it is still shown and they are missing."""
        if buffer is not self._model.current or buffer.kind == "start":
            return
        if buffer.kind == "room" and not buffer.members_requested:
            buffer.members_requested = True
            self._run_in_background(self._load_members(buffer))
        if not buffer.loaded:
            self._run_in_background(self.load_history(buffer))
        self.mark_read_soon(buffer)

    def mark_read_soon(self, buffer: Buffer) -> None:
        """Schedule a read mark, if the buffer has entries that are not marked."""
        if _has_unmarked(buffer) and not self._read_mark_scheduled:
            self._read_mark_scheduled = True
            self._clock.callLater(READ_INTERVAL, self._mark_current_read)

    def _mark_current_read(self) -> None:
        self._read_mark_scheduled = False
        self.mark_read(self._model.current)

    def mark_read(self, buffer: Buffer) -> None:
        """Tell the server that the user has read all entries of a buffer."""
        if _has_unmarked(buffer) and self._connection.state == "up":
            buffer.read_seq = buffer.last_seq
            fields = {**buffer.place, "seq": buffer.last_seq}
            self._run_in_background(self._try_call("mark_read", **fields))

    async def _load_members(self, buffer: Buffer) -> None:
        """Load the members of a room; in the lobby, who is online."""
        if buffer.name == LOBBY:
            users = await self._try_call("get_user_list", limit=MAX_NAMES)
            if users is not None:
                self._model.set_users(users)
            return
        members = await self._try_call("get_room_user_list", room_name=buffer.name, limit=MAX_NAMES)
        if members is not None:
            self._model.set_members(buffer, members)

    async def load_history(self, buffer: Buffer) -> None:
        """Load a page of a history: the newest, or the one before what is loaded."""
        if buffer.loading or (buffer.loaded and buffer.complete):
            return
        buffer.loading = True
        before = {"before": buffer.first_seq} if buffer.loaded and buffer.first_seq else {}
        try:
            reply = await self._call("history", **buffer.place, limit=PAGE_SIZE, **before)
        except GTChatError as error:
            # It is loaded when the user looks at it again, if the other user exists.
            if buffer.kind == "direct" and isinstance(error, CommandFailed):
                buffer.loaded = buffer.complete = True
        else:
            self._model.add_history(buffer, reply)
            self.mark_read_soon(buffer)
        finally:
            buffer.loading = False
            self._model.changed()

    def typing(self) -> None:
        """Send a typing notification for the current place, unless one was sent recently."""
        buffer, now = self._model.current, self._clock.seconds()
        due = now - self._typing_at >= TYPING_INTERVAL
        if buffer.kind != "start" and self._connection.state == "up" and due:
            self._typing_at = now
            self._run_in_background(self._try_call("typing", **buffer.place))

    async def _try_call(self, cmd: str, **fields: Any) -> Reply | None:
        """Send a command and return its reply, or None if it failed."""
        try:
            return await self._connection.call(cmd, **fields)
        except GTChatError:
            return None


def _has_unmarked(buffer: Buffer) -> bool:
    """Return whether there are entries that the server does not know as read."""
    return buffer.loaded and buffer.last_seq > buffer.read_seq
