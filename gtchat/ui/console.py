"""The console client as a program: `gtchat client [URL]`, its options, its end.

On a terminal it is `fullscreen`; in a pipe, or with --plain, what it does with lines stands in
`shell`.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import react

from gtchat.client.connection import Connection, connect
from gtchat.client.messages import CannotConnect
from gtchat.ui.interpreter import FAILED, INTERRUPTED, NO_CONNECTION, Interpreter
from gtchat.ui.line_mode import Shell
from gtchat.ui.options import first_lines, parser
from gtchat.ui.peer import PeerError, Peers
from gtchat.ui.rendering import Renderer
from gtchat.ui.terminal import Input, Lines, Screen, takes_a_screen, visible

WELCOME = "Type /guest NAME to come in, or /register NAME, or /login NAME. /help lists commands."


class _Program:
    """The client as a program.

    Args:
        words: the options. colours: whether to colour.

    Attributes:
        status: exit status.
    """

    def __init__(self, words: argparse.Namespace, colours: bool) -> None:
        self.status = INTERRUPTED
        self._words = words
        self._colours = colours
        self._screen = Screen(sys.stdout, sys.stderr, colours, self._unread)
        self._reactor: Any = None

    async def run(self, reactor: Any) -> None:
        """Connect, talk, close."""
        self._reactor = reactor
        words = self._words
        try:
            connection = await connect(words.url, reactor, ca_file=words.ca)
        except CannotConnect as error:
            self._refuse(f"can't connect to {words.url}: {error}: is the server running there?")
        except (ValueError, OSError) as error:
            self._refuse(f"{error}: --help shows what is wanted")
        else:
            await self._talk(connection)

    def _refuse(self, text: str) -> None:
        self._screen.complain(f"gtchat client: {visible(text)}")
        self.status = NO_CONNECTION

    async def _talk(self, connection: Connection) -> None:
        """Do what is typed, until there is no more or the reactor stops."""
        peers = Peers(self._reactor, lambda host, text: who.peer_said(host, text))
        who: Interpreter
        if self._words.peer_port is not None:
            try:
                await peers.listen(self._words.peer_port)
            except PeerError as error:
                self._refuse(str(error))
                await connection.close()
                return
        over: Deferred[None] = Deferred()
        if takes_a_screen(os.environ) and not self._words.plain:
            from gtchat.ui.tui.app import FullScreen  # urwid; a pipe need not wait

            screen = FullScreen(connection, self._reactor, peers, self._colours)
            who = screen.desk
            work = screen.run(first_lines(self._words))
        else:
            lines = Lines()
            who = Shell(
                connection, lines, self._screen, Renderer(self._screen.paint), self._reactor, peers
            )
            work = self._line_by_line(who, lines)
        self._reactor.addSystemEventTrigger("before", "shutdown", _interrupt, who, over)
        try:
            self.status = await work
        finally:
            over.callback(None)

    async def _line_by_line(self, shell: Shell, lines: Lines) -> int:
        """Do line after line; the exit status."""
        source = sys.stdin or open(os.devnull)  # noqa: SIM115 (read until the end)
        lines.input = Input(source.fileno(), self._reactor, shell.typed, lines.end)
        first = first_lines(self._words)
        if lines.input.is_terminal and not first:
            self._screen.show(WELCOME)
        lines.input.resume()
        try:
            await shell.run(first)
        finally:
            lines.input.pause()
            lines.input.echo(True)
        return shell.status

    def _unread(self) -> None:
        """Nobody reads the output any more."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def _interrupt(who: Interpreter, over: Deferred[None]) -> Deferred[None] | None:
    """The reactor stops: unless all is done, close in an orderly way first."""
    if over.called:
        return None
    who.interrupt()
    return over


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console client.

    Args:
        argv: the words behind the program's name; None: those of this process.

    Returns:
        The exit status, as `--help` tells.
    """
    words = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    plain = words.no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    program = _Program(words, sys.stdout.isatty() and not plain)
    try:
        react(program.run)
    except SystemExit as end:
        return program.status if not end.code else FAILED
