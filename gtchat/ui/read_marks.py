"""Read marks of line mode: the server is told now and then what was shown."""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.client import Connection, Direct, GTChatError

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
        #: By room or user, the last entry that was shown and is not marked.
        self._shown: dict[str | Direct, int] = {}
        #: The user who saw it.
        self._user: str | None = None
        self._timer: IDelayedCall | None = None

    def shown(self, room: str | Direct, seq: int) -> None:
        """Mark a room as read soon.

        Args:
            room: the room, or the direct conversation.
            seq: the entry that was shown.
        """
        self._forget_other_user()
        self._shown[room] = max(seq, self._shown.get(room, 0))
        self._schedule()

    def forget(self, room_name: str) -> None:
        """Drop the mark of a room that waits: the user marks the room as unread."""
        key = room_name.casefold()
        for room in [one for one in self._shown if isinstance(one, str) and one.casefold() == key]:
            del self._shown[room]

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
        if self._shown and self._connection.state == "up":
            Deferred.fromCoroutine(self._mark_next())
        self._schedule()

    async def finish(self) -> None:
        """Send all marks that wait; if the connection is down they are lost."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget_other_user()
        if self._connection.state == "up":
            sending = Deferred.fromCoroutine(self._mark_all())
            sending.addTimeout(LAST_TIMEOUT, self._clock)
            with suppress(TimeoutError):
                await sending

    async def _mark_all(self) -> None:
        while self._shown:
            await self._mark_next()

    async def _mark_next(self) -> None:
        """Send the mark of the room that waits longest; one that fails is not repeated."""
        room = next(iter(self._shown))
        seq = self._shown.pop(room)
        with suppress(GTChatError):
            await self._connection.mark_read(room, seq)
