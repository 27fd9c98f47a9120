"""Read marks of line mode: the server is told now and then what was shown of a room."""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.client.connection import Connection
from gtchat.client.messages import CommandFailed, ConnectionClosed, Unanswered

#: Seconds between two marks; seconds that the end of the client waits for the last ones.
INTERVAL, LAST_TIMEOUT = 2.0, 3.0


class ReadMarks:
    """Sends `mark_read` for what was shown, at most one in INTERVAL.

    Args:
        connection: to the server.
        clock: schedules the marks.
    """

    def __init__(self, connection: Connection, clock: IReactorTime) -> None:
        self._connection = connection
        self._clock = clock
        #: By room, the last entry that was shown and is not marked.
        self._shown: dict[str, int] = {}
        #: The user who saw it.
        self._user = ""
        self._timer: IDelayedCall | None = None

    def shown(self, room_name: str, seq: int) -> None:
        """Mark a room as read soon.

        Args:
            room_name: the room.
            seq: the entry that was shown.
        """
        self._forget_other_user()
        self._shown[room_name] = max(seq, self._shown.get(room_name, 0))
        self._schedule()

    def forget(self, room_name: str) -> None:
        """Drop the mark of a room that waits: the user marks the room as unread."""
        for name in [name for name in self._shown if name.casefold() == room_name.casefold()]:
            del self._shown[name]

    def _forget_other_user(self) -> None:
        """Drop the marks of a user who has logged out."""
        if self._user != self._connection.user:
            self._user = self._connection.user
            self._shown.clear()

    def _schedule(self) -> None:
        if self._shown and self._timer is None:
            self._timer = self._clock.callLater(INTERVAL, self._due)

    def _due(self) -> None:
        self._timer = None
        self._forget_other_user()
        if self._shown and self._connection.is_up:
            Deferred.fromCoroutine(self._mark_next())
        self._schedule()

    async def finish(self) -> None:
        """Send all marks that wait; if the connection is down they are lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget_other_user()
        if self._connection.is_up:
            sending = Deferred.fromCoroutine(self._mark_all())
            sending.addTimeout(LAST_TIMEOUT, self._clock)
            with suppress(TimeoutError):
                await sending

    async def _mark_all(self) -> None:
        while self._shown:
            await self._mark_next()

    async def _mark_next(self) -> None:
        """Send the mark of the room that waits longest; one that fails is not repeated."""
        room_name = next(iter(self._shown))
        seq = self._shown.pop(room_name)
        with suppress(CommandFailed, Unanswered, ConnectionClosed):
            await self._connection.call("mark_read", room_name=room_name, seq=seq)
