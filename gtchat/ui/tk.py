"""A Tk window for the lobby, `gtchat tk`, and its text mode, `gtchat tk -c`.

Both have the fields and prompts of the original Live chat client. Tk runs in Twisted's reactor
(twisted.internet.tksupport), without a thread. The chat itself is in `lobby`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning

from gtchat.ui.lobby import LobbyChat
from gtchat.ui.stored_logins import StoredLogins, state_file

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", "9000"


class LastLogin:
    """The server and name of the last login, in a file in the user's configuration directory."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        self._path = Path(base, "gtchat", "tk.json").expanduser()

    def load(self) -> tuple[str, str, str]:
        """Return host, port and name; defaults when there is no valid file."""
        try:
            saved = json.loads(self._path.read_text())
            return str(saved["host"]), str(saved["port"]), str(saved["name"])
        except (OSError, ValueError, KeyError, TypeError):
            return DEFAULT_HOST, DEFAULT_PORT, ""

    def save(self, host: str, port: str, name: str) -> None:
        """Write the file; a failure is ignored, since the next login only has to be typed.

        Args:
            host: of the server.
            port: its TCP port.
            name: of the user.
        """
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps({"host": host, "port": port, "name": name}))


class TkWindow:
    """The window; a `lobby.LobbyView`.

    Args:
        root: Tk's root window.
        reactor: Twisted's reactor.
        closed: called after the window was closed.
    """

    def __init__(self, root: Any, reactor: Any, closed: Callable[[], None]) -> None:
        import tkinter
        from tkinter import ttk

        self._tk = tkinter
        self._last_login = LastLogin()
        self._chat = LobbyChat(reactor, self, lambda url: StoredLogins(state_file(os.environ), url))
        self._closed = closed
        root.title("GTChat")
        root.geometry("760x480")
        root.minsize(480, 300)
        root.protocol("WM_DELETE_WINDOW", self.close)
        style = ttk.Style(root)
        style.theme_use("clam")
        style.configure("Error.TLabel", foreground="#b3261e")
        root.columnconfigure(0, weight=1)
        root.rowconfigure(1, weight=1)
        self._build_login_bar(ttk, root)
        self._build_chat(ttk, root)
        self._status = ttk.Label(root, text="Not connected.", padding=(10, 4))
        self._status.grid(row=3, column=0, sticky="ew")
        self.set_connected(False)

    def _build_login_bar(self, ttk: Any, root: Any) -> None:
        """Build the fields for server, port and name, and the two buttons."""
        bar = ttk.Frame(root, padding=(10, 8))
        bar.grid(row=0, column=0, sticky="ew")
        bar.columnconfigure(1, weight=3)
        bar.columnconfigure(5, weight=2)
        self._fields = []
        for column, (label, width, value) in enumerate(
            zip(("Server", "Port", "User name"), (16, 6, 12), self._last_login.load(), strict=True)
        ):
            ttk.Label(bar, text=label).grid(row=0, column=2 * column, padx=(0, 4))
            field = ttk.Entry(bar, width=width)
            field.insert(0, value)
            field.bind("<Return>", lambda event: self.connect())
            field.grid(row=0, column=2 * column + 1, sticky="ew", padx=(0, 10))
            self._fields.append(field)
        self.connect_button = ttk.Button(bar, text="Connect", command=self.connect)
        self.connect_button.grid(row=0, column=6, padx=(0, 4))
        self.disconnect_button = ttk.Button(bar, text="Disconnect", command=self.disconnect)
        self.disconnect_button.grid(row=0, column=7)

    def _build_chat(self, ttk: Any, root: Any) -> None:
        """Build the list of users, the messages and the input line."""
        panes = ttk.PanedWindow(root, orient="horizontal")
        panes.grid(row=1, column=0, sticky="nsew", padx=10)
        self.users = self._tk.Listbox(panes, width=18, relief="flat", activestyle="none")
        panes.add(self.users, weight=1)
        frame = ttk.Frame(panes)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(0, weight=1)
        font = "TkDefaultFont"
        self.log = self._tk.Text(
            frame, wrap="word", state="disabled", relief="flat", padx=8, pady=6, font=font
        )
        scrollbar = ttk.Scrollbar(frame, command=self.log.yview)
        self.log.configure(yscrollcommand=scrollbar.set)
        self.log.grid(row=0, column=0, sticky="nsew")
        scrollbar.grid(row=0, column=1, sticky="ns")
        panes.add(frame, weight=4)
        self.input = ttk.Entry(root)
        self.input.grid(row=2, column=0, sticky="ew", padx=10, pady=(8, 0))
        self.input.bind("<Return>", lambda event: self.send())

    # Actions of the user.

    def connect(self) -> None:
        """Connect and log in with what the fields say."""
        host, port, name = (field.get().strip() for field in self._fields)
        self.connect_button.state(["disabled"])
        opening = Deferred.fromCoroutine(self._chat.open(host, port, name))
        opening.addCallback(lambda success: self._login_done(success, host, port, name))

    def _login_done(self, success: bool, host: str, port: str, name: str) -> None:
        if success:
            self._last_login.save(host, port, name)
            self.input.focus_set()
        else:
            self.connect_button.state(["!disabled"])

    def disconnect(self) -> None:
        """Disconnect; the window stays open."""
        Deferred.fromCoroutine(self._chat.close())

    def send(self) -> None:
        """Send the text of the input line."""
        text = self.input.get()
        self.input.delete(0, "end")
        Deferred.fromCoroutine(self._chat.speak(text))

    def close(self) -> None:
        """Disconnect, then report that the window is closed."""
        closing = Deferred.fromCoroutine(self._chat.close())
        closing.addBoth(lambda _: self._closed())

    # LobbyView.

    def add_line(self, line: str, number: int = 0) -> None:
        """Append a line to the messages; scroll to it unless the user has scrolled up.

        Args:
            line: the line.
            number: names it in `replace_line`; 0: it stays.
        """
        at_end = self.log.yview()[1] >= 1.0
        self.log.configure(state="normal")
        self.log.insert("end", line, f"line{number}" if number else ())
        self.log.insert("end", "\n")
        self.log.configure(state="disabled")
        if at_end:
            self.log.see("end")

    def replace_line(self, number: int, line: str) -> None:
        """Replace a line that was added; scroll as `add_line` does.

        Args:
            number: names it.
            line: the new text.
        """
        tag = f"line{number}"
        if not (found := self.log.tag_ranges(tag)):
            return
        at_end = self.log.yview()[1] >= 1.0
        self.log.configure(state="normal")
        start, end = map(str, found)
        self.log.replace(start, end, line, tag)
        self.log.configure(state="disabled")
        if at_end:
            self.log.see("end")

    def set_status(self, text: str, error: bool = False) -> None:
        """Show the state of the connection, or an error.

        Args:
            text: one sentence.
            error: whether it is an error.
        """
        self._status.configure(text=text, style="Error.TLabel" if error else "TLabel")

    def show_users(self, names: Sequence[str]) -> None:
        """Show who is online."""
        self.users.delete(0, "end")
        self.users.insert("end", *names)

    def set_connected(self, on: bool) -> None:
        """Enable what the user can do with a connection, or without one."""
        self.connect_button.state(["disabled" if on else "!disabled"])
        self.disconnect_button.state(["!disabled" if on else "disabled"])
        self.input.state(["!disabled" if on else "disabled"])
        for field in self._fields:
            field.state(["disabled" if on else "!disabled"])


def _ask(prompt: str, default: str) -> str:
    """Print a prompt and return the line that is typed, or the default for an empty one."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    answer = b""
    # Byte by byte, without a buffer: what follows this line is read by the terminal client.
    while (byte := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        answer += byte
    return answer.decode(errors="replace").strip() or default


def _run_text_mode() -> int:
    """Ask for server, port and name as the original client did, then run the terminal client."""
    from gtchat.ui.console import main as console

    host, port, name = LastLogin().load()
    host = _ask("SERVER IP > ", host)
    port = _ask("SERVER PORT > ", port)
    name = _ask("USERNAME > ", name)
    return console([f"ws://{host}:{port}/", "--guest", name, "--plain"])


def main(argv: Sequence[str]) -> int:
    """Run the window, or the text mode.

    Args:
        argv: the arguments after `gtchat tk`.

    Returns:
        The exit status.
    """
    options = argparse.ArgumentParser(prog="gtchat tk", description="A chat window for the lobby.")
    options.add_argument("-c", "--console", action="store_true", help="run in the terminal instead")
    if options.parse_args(argv).console:
        return _run_text_mode()
    try:
        import tkinter
    except ImportError:
        sys.stderr.write("gtchat tk: tkinter is not installed: apt-get install python3-tk\n")
        return 2
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        sys.stderr.write(f"gtchat tk: can't open a window ({error}); use gtchat tk -c\n")
        return 2
    from twisted.internet import reactor, tksupport

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    tksupport.install(root)
    TkWindow(root, reactor, stop)
    reactor.run()
    return 0
