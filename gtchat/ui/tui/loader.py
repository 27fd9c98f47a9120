"""What a client does because somebody looks: it asks for what is missing there, tells what is read.

Nothing here is waited for, and what fails is asked again another time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IReactorTime

from gtchat.client.connection import Connection
from gtchat.client.messages import CommandFailed, ConnectionClosed, Reply, Unanswered
from gtchat.ui.commands import LOBBY
from gtchat.ui.tui.buffer import Talk
from gtchat.ui.tui.model import World

#: Entries asked for at once; names asked for at once; seconds between two signs of typing.
PAGE, NAMES, TYPING = 100, 1_000, 4.0
#: Seconds to look somewhere before more is asked for, and between two marks of what is read.
STAY, READING = 0.1, 1.0


class Looking:
    """Where one looks.

    Args:
        connection, world, clock: of the desk. ask: sends a command, later if it is refused now.
        start: begins something that nobody waits for.
    """

    def __init__(
        self,
        connection: Connection,
        world: World,
        clock: IReactorTime,
        ask: Callable[..., Awaitable[Reply]],
        start: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:
        self._connection = connection
        self._world = world
        self._clock = clock
        self._ask = ask
        self._start = start
        self._typed_at = -TYPING
        self._reading = False

    def at(self, talk: Talk) -> None:
        """One looks at a conversation. Who runs through many asks only where he stays."""
        self._clock.callLater(STAY, self._stay, talk)

    def anew(self) -> None:
        """The connection was lost: who is where may have changed."""
        for talk in self._world.talks:
            talk.looked = False

    def said(self) -> None:
        """What was being typed is said."""
        self._typed_at = -TYPING

    def _stay(self, talk: Talk) -> None:
        """Ask for what is missing where one looks."""
        if talk is not self._world.current or talk.kind != "room":
            return
        if not talk.looked:
            talk.looked = True
            self._start(self._look_around(talk))
        if not talk.loaded:
            self._start(self.load(talk))
        self.read(talk)

    def read(self, talk: Talk) -> None:
        """Tell, soon, how far one has read where one looks."""
        if talk.kind == "room" and talk.loaded and talk.tip > talk.read and not self._reading:
            self._reading = True
            self._clock.callLater(READING, self._mark_read)

    def _mark_read(self) -> None:
        self._reading = False
        self.seen(self._world.current)

    def seen(self, talk: Talk) -> None:
        """Tell how far one has read."""
        if talk.kind == "room" and talk.loaded and talk.tip > talk.read and self._connection.is_up:
            talk.read = talk.tip
            self._start(self._quietly("mark_read", room_name=talk.name, seq=talk.tip))

    async def _look_around(self, talk: Talk) -> None:
        """See who is here, and who belongs to a room."""
        if talk.name == LOBBY:
            users = await self._quietly("get_user_list", limit=NAMES)
            if users is not None:
                self._world.heard_users(users)
            return
        members = await self._quietly("get_room_user_list", room_name=talk.name, limit=NAMES)
        if members is not None:
            self._world.heard_members(talk, members)

    async def load(self, talk: Talk) -> None:
        """Ask for a page of a room's history, older than what is known, or the newest."""
        if talk.loading or (talk.loaded and talk.complete):
            return
        talk.loading = True
        before = {"before": talk.first} if talk.loaded and talk.first else {}
        try:
            reply = await self._ask("history", room_name=talk.name, limit=PAGE, **before)
        except (CommandFailed, Unanswered, ConnectionClosed):
            talk.complete = talk.loaded = True
        else:
            self._world.heard_history(talk, reply)
        finally:
            talk.loading = False
            self._world.changed()

    def typing(self) -> None:
        """A message is being typed: the others in the room are told."""
        talk, now = self._world.current, self._clock.seconds()
        if talk.kind == "room" and self._connection.is_up and now - self._typed_at >= TYPING:
            self._typed_at = now
            self._start(self._quietly("typing", room_name=talk.name))

    async def _quietly(self, cmd: str, **fields: Any) -> Reply | None:
        """Send a command that is of no importance."""
        try:
            return await self._connection.call(cmd, **fields)
        except (CommandFailed, Unanswered, ConnectionClosed):
            return None
