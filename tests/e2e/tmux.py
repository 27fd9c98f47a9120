"""A real terminal for tests, which type into it and read its rows: tmux on a socket of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.server import SECONDS, TOP

#: Why tests that need tmux are skipped; "" if it is installed.
MISSING = "" if shutil.which("tmux") else "tmux is not installed"

#: Seconds between the first two looks at the rows, the factor by which they grow, and the longest
#: ones: each look is a process.
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.05, 1.5, 0.3
#: Environment of the terminal, independent of the one that the tests are started in.
ENVIRON = {
    **{n: v for n, v in os.environ.items() if n not in ("TMUX", "NO_COLOR", "COLORTERM")},
    "LC_ALL": "C.UTF-8",
}


class Terminal:
    """A terminal that runs a program.

    Args:
        words: the program and its arguments, such as `client` returns.
        width: columns.
        height: rows.
        environ: additional environment variables.
    """

    def __init__(
        self, words: list[str], width: int = 120, height: int = 30, **environ: str
    ) -> None:
        self._folder = tempfile.mkdtemp(prefix="tmux-")
        self._socket = str(Path(self._folder, "socket"))
        names = {"PYTHONPATH": str(TOP), "XDG_STATE_HOME": self._folder, **environ}
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in names.items())
        # After the program, the state of the terminal is printed in the same window.
        script = f"env {given} {shlex.join(words)}; echo exit status $?; stty -a; exec cat"
        subprocess.run(
            [*self._tmux(), "-f", "/dev/null", "new-session", "-d"]
            + ["-x", str(width), "-y", str(height), script]
            + [";", "set", "-g", "status", "off", ";", "set", "-s", "set-clipboard", "on"]
            + [";", "select-pane", "-T", "quiet"],
            env=ENVIRON,
            check=True,
            timeout=SECONDS,
        )

    def _tmux(self) -> list[str]:
        return ["tmux", "-u", "-S", self._socket]

    def tmux(self, *words: str) -> str:
        """Run a command of tmux; return its output."""
        done = subprocess.run(
            [*self._tmux(), *words],
            env=ENVIRON,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        return done.stdout + done.stderr

    def rows(self, *options: str) -> list[str]:
        """Return the visible rows."""
        return self.tmux("capture-pane", "-p", *options).splitlines()

    def told(self, what: str) -> str:
        """Return the value of a format of tmux, such as `#{pane_title}`."""
        return self.tmux("display-message", "-p", what).strip()

    def type(self, text: str, *keys: str) -> None:
        """Type a text, then press keys.

        Args:
            text: typed literally.
            keys: as tmux names them.
        """
        if text:
            self.tmux("send-keys", "-l", text)
        if keys:
            self.tmux("send-keys", *keys)

    def enter(self, line: str) -> None:
        """Type a line and press Enter."""
        self.type(line, "Enter")

    def click(self, column: int, row: int, button: int = 0) -> None:
        """Press a mouse button.

        Args:
            column: from 1.
            row: from 1.
            button: 0 for the left one, 64 and 65 for the wheel.
        """
        self.type(f"\x1b[<{button};{column};{row}M")

    def resize(self, width: int, height: int) -> None:
        """Change the size.

        Args:
            width: columns.
            height: rows.
        """
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait(self, true: Callable[[list[str]], bool], what: str = "") -> list[str]:
        """Wait until a condition holds; return the rows.

        Args:
            true: the condition on the rows.
            what: names it in the error message.
        """
        end = time.monotonic() + SECONDS
        pause = FIRST_PAUSE
        while not true(rows := self.rows()):
            if time.monotonic() > end:
                raise AssertionError(f"{what or 'it'} was not seen:\n" + "\n".join(rows))
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)
        return rows

    def see(self, *words: str) -> list[str]:
        """Wait until all words are visible; return the rows."""
        return self.wait(lambda rows: all(w in "\n".join(rows) for w in words), repr(words))

    def see_no(self, words: str) -> list[str]:
        """Wait until words are no longer visible; return the rows."""
        return self.wait(lambda rows: words not in "\n".join(rows), f"no {words!r}")

    def end(self) -> None:
        """End tmux and remove its files."""
        self.tmux("kill-server")
        shutil.rmtree(self._folder, ignore_errors=True)


def client(port: int, *options: str) -> list[str]:
    """Return the command line of the terminal client.

    Args:
        port: of the server.
        options: of the client.
    """
    url = f"ws://127.0.0.1:{port}/"
    return [sys.executable, "-m", "gtchat.cli", "client", url, *options]
