"""The terminal client as a program: `gtchat client [URL]`.

In a terminal it runs `tui`; in a pipe, or with --plain, `line_mode`. This module has what both
need: options, connecting, signals and the exit status.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import react

from gtchat.client import CannotConnect, Connection, connect
from gtchat.ui.interpreter import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CONNECTION, Interpreter
from gtchat.ui.line_mode import LineClient
from gtchat.ui.options import parser, startup_lines
from gtchat.ui.peer import PeerError, PeerMessenger
from gtchat.ui.rendering import Renderer
from gtchat.ui.stored_logins import StoredLogins, state_file
from gtchat.ui.terminal import (
    LineQueue,
    LineReader,
    TerminalOutput,
    escape_controls,
    supports_full_screen,
)

WELCOME = "Log in: /guest NAME or /login NAME. New account: /register NAME. Commands: /help."


class _ConsoleProgram:
    """The terminal client as a program.

    Args:
        options: as parsed.
        colors: whether to use colors.

    Attributes:
        exit_status: exit status of the program.
    """

    def __init__(self, options: argparse.Namespace, colors: bool) -> None:
        self.exit_status = EXIT_INTERRUPTED
        self._options = options
        self._colors = colors
        self._output = TerminalOutput(sys.stdout, sys.stderr, colors, self._output_closed)
        self._reactor: Any = None

    async def run(self, reactor: Any) -> None:
        """Connect, chat until the user quits, close. reactor: Twisted's reactor."""
        self._reactor = reactor
        url = self._options.url
        try:
            connection = await connect(url, reactor=reactor, ca_file=self._options.ca)
        except CannotConnect as error:
            self._refuse(f"can't connect to {url}: {error}: is the server running?")
        except (ValueError, OSError) as error:
            self._refuse(f"{error}: see --help")
        else:
            await self._chat(connection)

    def _refuse(self, text: str) -> None:
        self._output.show_error(f"gtchat client: {escape_controls(text)}")
        self.exit_status = EXIT_NO_CONNECTION

    async def _chat(self, connection: Connection) -> None:
        """Run the interface until the user quits or the reactor stops."""
        peers = PeerMessenger(
            self._reactor, lambda host, text: interpreter.show_peer_message(host, text)
        )
        if self._options.peer_port is not None:
            try:
                await peers.listen(self._options.peer_port)
            except PeerError as error:
                self._refuse(str(error))
                await connection.close()
                return
        done: Deferred[None] = Deferred()
        interpreter, work = self._interface(connection, peers)
        self._reactor.addSystemEventTrigger("before", "shutdown", _interrupt, interpreter, done)
        try:
            self.exit_status = await work
        finally:
            done.callback(None)

    def _interface(
        self, connection: Connection, peers: PeerMessenger
    ) -> tuple[Interpreter, Coroutine[Any, Any, int]]:
        """Return the interface, and what runs it and returns the exit status."""
        logins = StoredLogins(state_file(os.environ), self._options.url)
        if supports_full_screen(os.environ) and not self._options.plain:
            from gtchat.ui.tui.app import FullScreenApp  # loads urwid, which a pipe does not need

            app = FullScreenApp(connection, self._reactor, peers, logins, self._colors)
            return app.controller, app.run(startup_lines(self._options, logins.last_user()))
        lines = LineQueue()
        renderer = Renderer(self._output.paint)
        client = LineClient(connection, self._reactor, lines, self._output, renderer, peers, logins)
        return client, self._run_line_mode(client, lines, logins)

    async def _run_line_mode(
        self, client: LineClient, lines: LineQueue, logins: StoredLogins
    ) -> int:
        """Execute line after line; return the exit status."""
        source = sys.stdin or open(os.devnull)  # noqa: SIM115 (read until the end)
        reader = LineReader(source.fileno(), self._reactor, client.line_typed, lines.end)
        lines.reader = reader
        stored_user = logins.last_user() if reader.is_terminal else ""
        startup = startup_lines(self._options, stored_user)
        if reader.is_terminal and not startup:
            self._output.show(WELCOME)
        reader.resume()
        try:
            await client.run(startup)
        finally:
            reader.pause()
            reader.echo(True)
        return client.exit_status

    def _output_closed(self) -> None:
        """Stop: the reader of our output is gone, as in `gtchat client | head`."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def _interrupt(interpreter: Interpreter, done: Deferred[None]) -> Deferred[None] | None:
    """Delay the reactor's shutdown until the connection is closed."""
    if done.called:
        return None
    interpreter.interrupt()
    return done


def main(argv: Sequence[str] | None = None) -> int:
    """Run the terminal client.

    Args:
        argv: the arguments after the program's name; None: those of this process.

    Returns:
        The exit status, see `--help`.
    """
    options = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    no_color = options.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    program = _ConsoleProgram(options, sys.stdout.isatty() and not no_color)
    try:
        react(program.run)
    except SystemExit as exited:
        return program.exit_status if not exited.code else EXIT_FAILED
