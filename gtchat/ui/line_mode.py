"""The line mode of the console client: lines in, lines out.

Lines are done one after the other, each when the one before is answered, so that a pipe keeps its
order and no rate is exceeded. What a line does stands in `interpreter`, what is shown in
`rendering`, the terminal itself in `terminal`, the program around it all in `console`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.client.connection import Connection
from gtchat.client.messages import Event
from gtchat.ui.commands import Argument, Misuse
from gtchat.ui.interpreter import Interpreter
from gtchat.ui.peer import Peers
from gtchat.ui.rendering import Renderer, room
from gtchat.ui.terminal import Lines, Screen


class Shell(Interpreter):
    """A person's chat over one connection, line by line.

    Args:
        connection: to the server. lines: what is typed. screen: where it is shown.
        renderer: how it is shown. clock: waits. peers: whom one can talk to directly.
    """

    def __init__(
        self,
        connection: Connection,
        lines: Lines,
        screen: Screen,
        renderer: Renderer,
        clock: IReactorTime,
        peers: Peers | None = None,
    ) -> None:
        super().__init__(connection, renderer, clock, peers)
        self._lines = lines
        self._screen = screen

    async def run(self, first: Sequence[str]) -> None:
        """Do lines until there are no more, or the connection ends.

        Args:
            first: lines to do before those that are typed; where one fails in a pipe, all ends.
        """
        listening = Deferred.fromCoroutine(self._listen())
        await self._work(first)
        await self._connection.close()
        await listening

    def typed(self, raw: bytes) -> None:
        """A line was typed. Whoever wants to go need not wait for a connection."""
        if raw.strip() == b"/quit" and self._asks and not self._connection.is_up:
            self.leave()
        else:
            self._lines.put(raw)

    def leave(self) -> None:
        """Leave at once, whatever waits."""
        self._lines.abandon()
        Deferred.fromCoroutine(self._connection.close())

    def show(self, line: str) -> None:
        """Show a line that is safe."""
        self._screen.show(line)

    def complain(self, line: str) -> None:
        """Show, among the errors, a line that is safe."""
        self._screen.complain(line)

    @property
    def _asks(self) -> bool:
        """Whether a person is there to be asked."""
        return self._lines.input is not None and self._lines.input.is_terminal

    async def _work(self, first: Sequence[str]) -> None:
        for line in first:
            await self._do(line)
            if self.status and not self._asks:
                return
        while (raw := await self._lines.next()) is not None:
            line = raw.decode(errors="surrogateescape")
            if line.strip() == "/quit":
                return
            await self._do(line)

    def _happened(self, what: Event) -> None:
        for line in self._renderer.happening(what):
            self.show(line)

    async def _say(self, text: str) -> None:
        await self._ask("speak", room_name=self._place.room, msg=text)

    def _speak_in(self, room_name: str) -> None:
        if room_name != self._place.room:
            self._move(room=room_name)
            self.show(f"* you speak in {room(room_name)}")

    async def _secret(self, secret: Argument) -> str:
        """Ask for a secret, which is not shown; in a pipe the next line is taken."""
        answer = await self._hidden(secret.prompt)
        if secret.again and self._asks and await self._hidden("Once more") != answer:
            raise Misuse("the two are not the same: nothing was sent")
        return answer

    async def _hidden(self, prompt: str) -> str:
        asked = self._lines.input if self._asks else None
        if asked is not None:
            asked.echo(False)
            self._screen.prompt(f"{prompt}: ")
        try:
            raw = await self._lines.next()
        finally:
            if asked is not None:
                asked.echo(True)
                self._screen.prompt("\n")
        if raw is None:
            raise Misuse(f"{prompt}: there is no more input")
        return raw.decode(errors="surrogateescape")
