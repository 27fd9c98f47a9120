"""The full screen as a program: urwid on Twisted's reactor; restores the terminal at the end."""

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

from gtchat.client import Connection
from gtchat.ui.interpreter import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CONNECTION, EXIT_OK
from gtchat.ui.peer import PeerMessenger
from gtchat.ui.rendering import Renderer
from gtchat.ui.stored_logins import StoredLogins
from gtchat.ui.tui.buffer import Buffer
from gtchat.ui.tui.controller import Controller
from gtchat.ui.tui.conversation import ConversationView
from gtchat.ui.tui.markup import PALETTE
from gtchat.ui.tui.model import Model
from gtchat.ui.tui.panes import StatusBar
from gtchat.ui.tui.window import Window

#: Seconds in which changes are drawn together; between two checks of what changes with time.
DRAW_DELAY, TICK = 0.04, 0.5
#: Without wrapping, a row that the terminal finds wider than we do is cut at its end (DECAWM).
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
#: Makes xterm send Alt-1 as Escape and 1; the setting before is saved and restored (XTSAVE).
ALT_SENDS_ESCAPE, RESTORE_ALT = "\x1b[?1036s\x1b[?1036h", "\x1b[?1036r"


class _RawScreen(urwid.display.raw.Screen):
    """urwid's terminal, without wrapping of rows."""

    @property
    def _is_xterm(self) -> bool:
        return self.term.startswith("xterm")

    def start(self, *args: Any, **kwargs: Any) -> Any:
        started = super().start(*args, **kwargs)
        self.write(WRAP_OFF + (ALT_SENDS_ESCAPE if self._is_xterm else ""))
        return started

    def stop(self) -> None:
        if self.started:
            self.write(WRAP_ON + (RESTORE_ALT if self._is_xterm else ""))
        super().stop()


class _ReactorLoop(urwid.TwistedEventLoop):
    """urwid's event loop on the reactor.

    Args:
        reactor: Twisted's reactor; it is started and stopped elsewhere.
        crashed: called with the failure of a callback, which is a bug.
    """

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


class FullScreenApp:
    """The chat of one user on the full screen.

    Args:
        connection: to the server.
        reactor: Twisted's reactor.
        peers: sends and receives peer messages.
        logins: what outlasts this client.
        colors: whether to use colors.

    Attributes:
        controller: executes what the user does.
    """

    def __init__(
        self,
        connection: Connection,
        reactor: Any,
        peers: PeerMessenger,
        logins: StoredLogins,
        colors: bool,
    ) -> None:
        self._connection = connection
        self._reactor = reactor
        self._crash: Failure | None = None
        self._draw_scheduled = False
        self._model = model = Model()
        renderer = Renderer(lambda text, _: text)
        self.controller = Controller(
            connection, model, renderer, reactor, peers, logins, self._crashed
        )
        conversation = ConversationView(model, self._load_older)
        status_bar = StatusBar(model, connection)
        window = Window(model, self.controller, conversation, status_bar, self._redraw)
        self._screen = _RawScreen()
        if not colors:
            self._screen.set_terminal_properties(colors=1)
        elif self._screen.colors > 256:
            self._screen.set_terminal_properties(colors=256)
        loop = _ReactorLoop(reactor, self._crashed)
        self._loop = urwid.MainLoop(window, PALETTE, self._screen, event_loop=loop)
        model.changed = self._draw_soon

    async def run(self, startup: Sequence[str]) -> int:
        """Use the terminal until the user quits.

        Args:
            startup: lines to execute first.

        Returns:
            The exit status.
        """
        errors = io.StringIO()
        _log_to(errors)
        ticking = LoopingCall(self._tick)
        ticking.clock = self._reactor
        try:
            with redirect_stderr(errors):
                self._loop.start()
                ticking.start(TICK)
                await self.controller.run(startup)
        except Exception:
            self._crashed(Failure())
        finally:
            if ticking.running:
                ticking.stop()
            if self._screen.started:
                self._loop.stop()
            sys.stderr.write(errors.getvalue())  # now that the terminal is restored
        return self._exit_status()

    def _exit_status(self) -> int:
        """Return the exit status; print why the client ended, if the user did not end it."""
        if self._crash is not None:
            self._crash.printTraceback(sys.stderr)
            return EXIT_FAILED
        status = self.controller.exit_status
        if status == EXIT_NO_CONNECTION:
            sys.stderr.write(f"gtchat client: {self.controller.last_error}\n")
        return status if status in (EXIT_NO_CONNECTION, EXIT_INTERRUPTED) else EXIT_OK

    def _crashed(self, failure: Failure) -> None:
        """Keep the first failure, and quit."""
        self._crash = self._crash or failure
        self.controller.quit()

    def _load_older(self, buffer: Buffer) -> None:
        if not buffer.complete and not buffer.loading and buffer.loaded:
            self.controller.run_in_background(self.controller.loader.load_history(buffer))

    # Drawing.

    def _draw_soon(self) -> None:
        if not self._draw_scheduled:
            self._draw_scheduled = True
            self._loop.event_loop.alarm(DRAW_DELAY, self._draw)

    def _draw(self) -> None:
        """Let urwid draw, which it does after each callback of its loop."""
        self._draw_scheduled = False

    def _redraw(self) -> None:
        self._screen.clear()

    def _tick(self) -> None:
        """Draw what changes with time: the countdown of a reconnect, and who is typing."""
        if self._connection.state != "up" or self._model.typing_users():
            self._draw_soon()


def _log_to(stream: io.StringIO) -> None:
    """Collect critical log messages, which would otherwise be written over the screen."""
    critical = LogLevelFilterPredicate(defaultLogLevel=LogLevel.critical)
    observer = FilteringLogObserver(textFileLogObserver(stream), [critical])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
