"""The full screen as a program: urwid on the reactor, and the terminal given back as it was."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any

import urwid
from twisted.internet.task import LoopingCall
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python.failure import Failure

from gtchat.client.connection import Connection
from gtchat.ui.interpreter import FAILED, GOOD, INTERRUPTED, NO_CONNECTION
from gtchat.ui.peer import Peers
from gtchat.ui.rendering import Renderer
from gtchat.ui.tui.controller import Desk
from gtchat.ui.tui.conversation import Conversation
from gtchat.ui.tui.markup import PALETTE
from gtchat.ui.tui.model import World
from gtchat.ui.tui.panes import Status
from gtchat.ui.tui.window import Window

#: Seconds in which changes are drawn together, and between two looks at the clock.
DRAW, TICK = 0.04, 0.5
#: A row that a terminal finds wider than we do ends at its end (DECAWM).
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
#: xterm sends Alt-1 as Escape and 1, not as another letter, until it is as it was (XTSAVE).
ALT_ESCAPES, ALT_AS_BEFORE = "\x1b[?1036s\x1b[?1036h", "\x1b[?1036r"


class _Screen(urwid.display.raw.Screen):
    """A terminal, without the wrapping of rows."""

    @property
    def _is_xterm(self) -> bool:
        return self.term.startswith("xterm")

    def start(self, *args: Any, **kwargs: Any) -> Any:
        started = super().start(*args, **kwargs)
        self.write(WRAP_OFF + (ALT_ESCAPES if self._is_xterm else ""))
        return started

    def stop(self) -> None:
        if self.started:
            self.write(WRAP_ON + (ALT_AS_BEFORE if self._is_xterm else ""))
        super().stop()


class _Loop(urwid.TwistedEventLoop):
    """The reactor, for urwid. crashed: called with what a callback should not have raised."""

    def __init__(self, reactor: Any, crashed: Callable[[Failure], None]) -> None:
        self._crashed = crashed
        super().__init__(reactor, manage_reactor=False)

    def handle_exit(self, f: Any, enable_idle: bool = True) -> Any:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return f(*args, **kwargs)
            except Exception:
                self._crashed(Failure())
                return None

        return super().handle_exit(guarded, enable_idle)


class FullScreen:
    """A person's chat over one connection, on the whole terminal.

    Args:
        connection: to the server. reactor: Twisted's. peers: whom one can talk to directly.
        colours: whether to use them.
    """

    def __init__(self, connection: Connection, reactor: Any, peers: Peers, colours: bool) -> None:
        self._connection = connection
        self._reactor = reactor
        self._crash: Failure | None = None
        self._drawing = False
        self.world = World()
        self.desk = Desk(
            connection, self.world, Renderer(lambda text, _: text), reactor, peers, self._crashed
        )
        conversation = Conversation(self.world, self._older)
        status = Status(self.world, connection)
        self.window = Window(self.world, self.desk, conversation, status, self._redraw)
        self._screen = _Screen()
        if not colours:
            self._screen.set_terminal_properties(colors=1)
        elif self._screen.colors > 256:
            self._screen.set_terminal_properties(colors=256)
        self._loop = urwid.MainLoop(
            self.window, PALETTE, self._screen, event_loop=_Loop(reactor, self._crashed)
        )
        self.world.changed = self._draw_soon

    async def run(self, first: Sequence[str]) -> int:
        """Take the terminal until one leaves.

        Args:
            first: lines to do before those that are typed.

        Returns:
            The exit status.
        """
        complaints = io.StringIO()
        _log_to(complaints)
        ticking = LoopingCall(self._tick)
        ticking.clock = self._reactor
        try:
            with redirect_stderr(complaints):
                self._loop.start()
                ticking.start(TICK)
                await self.desk.run(first)
        except Exception:
            self._crashed(Failure())
        finally:
            if ticking.running:
                ticking.stop()
            if self._screen.started:
                self._loop.stop()
            sys.stderr.write(complaints.getvalue())  # the terminal is as it was
        if self._crash is not None:
            self._crash.printTraceback(sys.stderr)
            return FAILED
        if self.desk.status == NO_CONNECTION:
            sys.stderr.write(f"gtchat client: {self.desk.last_words}\n")
        return self.desk.status if self.desk.status in (NO_CONNECTION, INTERRUPTED) else GOOD

    def _crashed(self, failure: Failure) -> None:
        """What must not happen has happened: leave."""
        self._crash = self._crash or failure
        self.desk.leave()

    def _older(self, talk: Any) -> None:
        if not talk.complete and not talk.loading and talk.loaded:
            self.desk.start(self.desk.looking.load(talk))

    # Drawing.

    def _draw_soon(self) -> None:
        if not self._drawing:
            self._drawing = True
            self._loop.event_loop.alarm(DRAW, self._drawn)

    def _drawn(self) -> None:
        """Behind this call urwid draws."""
        self._drawing = False

    def _redraw(self) -> None:
        self._screen.clear()

    def _tick(self) -> None:
        """What changes with time alone."""
        if not self._connection.is_up or self.world.typing.get(self.world.current.name):
            self._draw_soon()


def _log_to(stream: io.StringIO) -> None:
    """Keep what goes wrong off the screen, for afterwards."""
    critical = LogLevelFilterPredicate(defaultLogLevel=LogLevel.critical)
    observer = FilteringLogObserver(textFileLogObserver(stream), [critical])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
