"""The line mode of the terminal client: lines in, lines out.

Each line is executed after the reply to the line before, so that a pipe keeps its order and stays
below the server's rate limit. Execution is in `interpreter`, formatting in `rendering`, reading and
printing in `terminal`, the program in `console`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.client import ChatMessage, Connection, Direct, Event
from gtchat.ui.commands import CommandArgument, InputError
from gtchat.ui.formatting import format_room
from gtchat.ui.interpreter import Interpreter
from gtchat.ui.peer import PeerMessenger
from gtchat.ui.read_marks import ReadMarks
from gtchat.ui.rendering import Renderer
from gtchat.ui.stored_logins import StoredLogins
from gtchat.ui.terminal import LineQueue, TerminalOutput


class LineClient(Interpreter):
    """The chat of one user, line by line.

    Args:
        connection: to the server.
        clock: schedules read marks.
        lines: the lines that are typed.
        output: where results are shown.
        renderer: formats what is shown.
        peers: sends and receives peer messages; None: that is not possible.
        logins: what outlasts this client; None: nothing does.
    """

    def __init__(
        self,
        connection: Connection,
        clock: IReactorTime,
        lines: LineQueue,
        output: TerminalOutput,
        renderer: Renderer,
        peers: PeerMessenger | None = None,
        logins: StoredLogins | None = None,
    ) -> None:
        super().__init__(connection, renderer, peers, logins)
        self._marks = ReadMarks(connection, clock)
        self._lines = lines
        self._output = output

    async def run(self, startup: Sequence[str]) -> None:
        """Execute lines until there are no more, or the connection closes.

        Args:
            startup: lines to execute first; if one of them fails in a pipe, the client ends.
        """
        reading = Deferred.fromCoroutine(self._read_events())
        await self._execute_all(startup)
        await self._close()
        await reading

    def line_typed(self, raw: bytes) -> None:
        """Queue a line; /quit takes effect at once while the connection is down."""
        if raw.strip() == b"/quit" and self._is_interactive and self._connection.state != "up":
            self.quit()
        else:
            self._lines.put(raw)

    def quit(self) -> None:
        """Quit at once, without the lines that wait."""
        self._lines.abandon()
        Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._marks.finish()
        await self._connection.close(timeout=0)

    def show(self, line: str) -> None:
        """Show a line without control characters."""
        self._output.show(line)

    def show_error(self, line: str) -> None:
        """Show an error message without control characters."""
        self._output.show_error(line)

    @property
    def _is_interactive(self) -> bool:
        """Whether the user can be asked for input."""
        return self._lines.reader is not None and self._lines.reader.is_terminal

    async def _execute_all(self, startup: Sequence[str]) -> None:
        for line in startup:
            await self._execute(line)
            if self.exit_status and not self._is_interactive:
                return
        while (raw := await self._lines.next()) is not None:
            line = raw.decode(errors="surrogateescape")
            if line.strip() == "/quit":
                return
            await self._execute(line)

    def _show_event(self, event: Event) -> None:
        for line in self._renderer.event_lines(event):
            self.show(line)
        if isinstance(event, ChatMessage) and event.seq is not None:
            self._mark_shown(event, event.seq)

    def _mark_shown(self, message: ChatMessage, seq: int) -> None:
        if isinstance(message.room, Direct):
            if message.user != self._connection.user:
                self._marks.shown(message.room, seq)
        elif str(message.room).casefold() == self._context.room.casefold():
            self._marks.shown(str(message.room), seq)

    def _keep_unread(self, place: dict[str, str]) -> None:
        self._marks.forget(place["room_name"])

    async def _send_message(self, text: str, **notes: Any) -> None:
        await self._call("speak", room_name=self._context.room, msg=text, **notes)

    def _switch_room(self, room_name: str) -> None:
        if room_name != self._context.room:
            self._update_context(room=room_name)
            self.show(f"* current room: {format_room(room_name)}")

    async def _ask_secret(self, secret: CommandArgument) -> str:
        """Ask for a secret without echo; in a pipe, take the next line."""
        answer = await self._read_secret(secret.prompt)
        if secret.again and self._is_interactive:
            repeated = await self._read_secret("Repeat the password")
            if repeated != answer:
                raise InputError("the passwords differ; nothing was sent")
        return answer

    async def _read_secret(self, prompt: str) -> str:
        terminal = self._lines.reader if self._is_interactive else None
        if terminal is not None:
            terminal.echo(False)
            self._output.prompt(f"{prompt}: ")
        try:
            raw = await self._lines.next()
        finally:
            if terminal is not None:
                terminal.echo(True)
                self._output.prompt("\n")
        if raw is None:
            raise InputError(f"{prompt}: end of input")
        return raw.decode(errors="surrogateescape")
