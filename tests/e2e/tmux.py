"""A real terminal that tests type in and look at: tmux, on a socket of its own."""

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

#: Why there is none; "" where there is one.
MISSING = "" if shutil.which("tmux") else "tmux is not installed"

#: What tests run in, whatever terminal they are started from.
ENVIRON = {
    **{n: v for n, v in os.environ.items() if n not in ("TMUX", "NO_COLOR", "COLORTERM")},
    "LC_ALL": "C.UTF-8",
}


class Terminal:
    """A terminal with a program in it.

    Args:
        words: of the program; those of `gtchat client` are made by `client`.
        width, height: of the terminal. environ: besides that of the tests.
    """

    def __init__(
        self, words: list[str], width: int = 120, height: int = 30, **environ: str
    ) -> None:
        self._folder = tempfile.mkdtemp(prefix="tmux-")
        self._socket = str(Path(self._folder, "socket"))
        names = {"PYTHONPATH": str(TOP), **environ}
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in names.items())
        # What is left of the terminal behind the program can be seen in the same window.
        script = f"env {given} {shlex.join(words)}; echo left with $?; stty -a; exec cat"
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
        """A command of tmux; what it says."""
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
        """What is seen."""
        return self.tmux("capture-pane", "-p", *options).splitlines()

    def told(self, what: str) -> str:
        """A format of tmux, such as `#{pane_title}`."""
        return self.tmux("display-message", "-p", what).strip()

    def type(self, text: str, *keys: str) -> None:
        """Type a text, then press keys, which are named as tmux does."""
        if text:
            self.tmux("send-keys", "-l", text)
        if keys:
            self.tmux("send-keys", *keys)

    def say(self, line: str) -> None:
        """Type a line."""
        self.type(line, "Enter")

    def click(self, column: int, row: int, button: int = 0) -> None:
        """Press a button of the mouse; 64 is the wheel. The first column and row are 1."""
        self.type(f"\x1b[<{button};{column};{row}M")

    def resize(self, width: int, height: int) -> None:
        """Give it another size."""
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait(self, true: Callable[[list[str]], bool], what: str = "") -> list[str]:
        """Look until what is seen is as wanted; the rows."""
        end = time.monotonic() + SECONDS
        while not true(rows := self.rows()):
            if time.monotonic() > end:
                raise AssertionError(f"{what or 'it'} was not seen:\n" + "\n".join(rows))
            time.sleep(0.05)
        return rows

    def settled(self) -> list[str]:
        """Look until nothing moves; the rows."""
        last: list[list[str]] = [[]]

        def same(rows: list[str]) -> bool:
            before, last[0] = last[0], rows
            return rows == before

        return self.wait(same, "rest")

    def see(self, *words: str) -> list[str]:
        """Look until all words are seen; the rows."""
        return self.wait(lambda rows: all(w in "\n".join(rows) for w in words), repr(words))

    def see_no(self, words: str) -> list[str]:
        """Look until words are no longer seen; the rows."""
        return self.wait(lambda rows: words not in "\n".join(rows), f"no {words!r}")

    def end(self) -> None:
        """Take it away."""
        self.tmux("kill-server")
        shutil.rmtree(self._folder, ignore_errors=True)


def client(port: int, *options: str) -> list[str]:
    """The words of the console client."""
    url = f"ws://127.0.0.1:{port}/"
    return [sys.executable, "-m", "gtchat.cli", "client", url, *options]
