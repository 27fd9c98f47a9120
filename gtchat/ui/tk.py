"""A window on the lobby: `gtchat tk`, and its text mode `gtchat tk -c` (seed 004's client).

Tk runs in Twisted's reactor (twisted.internet.tksupport), without a thread. What happens stands in
`Conversation`, which draws nothing; `Window` draws and decides nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning

from gtchat.client.connection import Connection, connect
from gtchat.client.messages import (
    CannotConnect,
    CommandFailed,
    ConnectionClosed,
    ConnectionLost,
    ConnectionRestored,
    Event,
    Push,
    Unanswered,
)
from gtchat.ui.terminal import visible

LOBBY = "lobby"
HOST, PORT = "127.0.0.1", "9000"


class View(Protocol):
    """What a conversation is shown by."""

    def show(self, line: str) -> None:
        """Add a line to the conversation."""

    def say(self, status: str, bad: bool = False) -> None:
        """Tell how things are, or what is wrong."""

    def people(self, names: Sequence[str]) -> None:
        """Show who is here."""

    def connected(self, on: bool) -> None:
        """Let people write, or connect."""


class Conversation:
    """One person in the lobby.

    Args:
        reactor: connects. view: shows it.
    """

    def __init__(self, reactor: Any, view: View) -> None:
        self._reactor = reactor
        self._view = view
        self._connection: Connection | None = None
        self._here: set[str] = set()

    async def open(self, host: str, port: str, name: str) -> bool:
        """Connect, and come in as a temporary user; whether that went well."""
        view = self._view
        if not host or not port.isdecimal() or not 1 <= int(port) <= 65_535 or not name:
            view.say("A server, a port (1 to 65535) and a user name are wanted.", bad=True)
            return False
        view.say("Connecting …")
        where = f"[{host}]" if ":" in host else host
        try:
            connection = await connect(f"ws://{where}:{port}/", self._reactor)
        except (CannotConnect, ValueError, OSError) as error:
            view.say(f"Server offline: {visible(str(error))}", bad=True)
            return False
        try:
            reply = await connection.call("login", type="tmp", usr=name)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            taken = isinstance(error, CommandFailed) and error.code == "name_taken"
            text = "Username exists. Please choose another." if taken else str(error)
            await connection.close()
            view.say(visible(text), bad=True)  # and at once the button can be pressed again
            return False
        self._connection = connection
        self._here = set(reply.users)
        self._people()
        view.connected(True)
        view.say(f"Connected to {host} as {reply.usr}")
        Deferred.fromCoroutine(self._listen(connection))
        return True

    async def close(self) -> None:
        """Leave."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
            self._over("Disconnected.", bad=False)

    async def speak(self, text: str) -> None:
        """Say something in the lobby."""
        connection = self._connection
        if connection is None or not text.strip():
            return
        self._view.show(f"{_clock()} {connection.user} > {visible(text)}")
        try:
            await connection.call("speak", room_name=LOBBY, msg=text)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            self._view.say(f"Not sent: {visible(str(error))}", bad=True)

    async def _listen(self, connection: Connection) -> None:
        try:
            async for what in connection.events():
                self._happened(what)
        except ConnectionClosed as error:
            if self._connection is connection:
                self._connection = None
                self._over(visible(error.text), bad=True)

    def _over(self, text: str, bad: bool) -> None:
        self._here = set()
        self._people()
        self._view.connected(False)
        self._view.say(text, bad=bad)

    def _happened(self, what: Event) -> None:
        view = self._view
        if isinstance(what, ConnectionLost):
            view.say("Connection lost; trying again …", bad=True)
        elif isinstance(what, ConnectionRestored):
            view.say("Connected again.")
            Deferred.fromCoroutine(self._look_around())
        elif isinstance(what, Push):
            self._pushed(what)

    def _pushed(self, push: Push) -> None:
        now, usr = _clock(push.at), visible(push.usr)
        if push.cmd == "c_speak" and push.room_name == LOBBY:
            self._view.show(f"{now} {usr} > {visible(push.msg)}")
        elif push.cmd == "c_whisper":
            self._view.show(f"{now} {usr} (to you alone) > {visible(push.msg)}")
        elif push.cmd == "c_broadcast":
            self._view.show(f"{now} {usr} (to everybody) > {visible(push.msg)}")
        elif push.type in ("login", "logout", "presence"):
            came = [push.usr] if push.type == "login" else list(push.logins)
            went = [push.usr] if push.type == "logout" else list(push.logouts)
            for name in went:
                self._view.show(f"{now} [*] {visible(name)} exited.")
            for name in came:
                self._view.show(f"{now} [*] {visible(name)} entered.")
            self._here = (self._here - set(went)) | set(came)
            self._people()

    async def _look_around(self) -> None:
        """After a lost connection others may be here."""
        if self._connection is not None:
            with suppress(CommandFailed, Unanswered, ConnectionClosed):
                self._here = set((await self._connection.call("get_user_list")).users)
                self._people()

    def _people(self) -> None:
        self._view.people(sorted(self._here, key=str.casefold))


def _clock(at: str = "") -> str:
    """A time of day in one's own zone. at: RFC 3339; "" for now."""
    try:
        time = datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone()
    except ValueError:
        time = datetime.now()
    return time.strftime("[%H:%M:%S]")


class Remembered:
    """The last server and name, in a file of the user's."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        self._path = Path(base, "gtchat", "tk.json").expanduser()

    def load(self) -> tuple[str, str, str]:
        """Host, port and name."""
        try:
            kept = json.loads(self._path.read_text())
            return str(kept["host"]), str(kept["port"]), str(kept["name"])
        except (OSError, ValueError, KeyError, TypeError):
            return HOST, PORT, ""

    def save(self, host: str, port: str, name: str) -> None:
        """Remember, if that is possible."""
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps({"host": host, "port": port, "name": name}))


class Window:
    """The window. quit: called when it is closed."""

    def __init__(self, root: Any, reactor: Any, quit: Callable[[], None]) -> None:
        import tkinter
        from tkinter import ttk

        self._tk = tkinter
        self._remembered = Remembered()
        self._conversation = Conversation(reactor, self)
        self._quit = quit
        root.title("GTChat")
        root.geometry("760x480")
        root.minsize(480, 300)
        root.protocol("WM_DELETE_WINDOW", self.leave)
        style = ttk.Style(root)
        style.theme_use("clam")
        style.configure("Bad.TLabel", foreground="#b3261e")
        root.columnconfigure(0, weight=1)
        root.rowconfigure(1, weight=1)
        self._build_bar(ttk, root)
        self._build_talk(ttk, root)
        self._status = ttk.Label(root, text="Not connected.", padding=(10, 4))
        self._status.grid(row=3, column=0, sticky="ew")
        self.connected(False)

    def _build_bar(self, ttk: Any, root: Any) -> None:
        """Server, port and name, and the two buttons."""
        bar = ttk.Frame(root, padding=(10, 8))
        bar.grid(row=0, column=0, sticky="ew")
        bar.columnconfigure(1, weight=3)
        bar.columnconfigure(5, weight=2)
        self._fields = []
        for column, (label, width, value) in enumerate(
            zip(("Server", "Port", "User name"), (16, 6, 12), self._remembered.load(), strict=True)
        ):
            ttk.Label(bar, text=label).grid(row=0, column=2 * column, padx=(0, 4))
            field = ttk.Entry(bar, width=width)
            field.insert(0, value)
            field.bind("<Return>", lambda event: self.enter())
            field.grid(row=0, column=2 * column + 1, sticky="ew", padx=(0, 10))
            self._fields.append(field)
        self.connect_button = ttk.Button(bar, text="Connect", command=self.enter)
        self.connect_button.grid(row=0, column=6, padx=(0, 4))
        self.disconnect_button = ttk.Button(bar, text="Disconnect", command=self.part)
        self.disconnect_button.grid(row=0, column=7)

    def _build_talk(self, ttk: Any, root: Any) -> None:
        """Who is here, the conversation, the line to write."""
        panes = ttk.PanedWindow(root, orient="horizontal")
        panes.grid(row=1, column=0, sticky="nsew", padx=10)
        self.users = self._tk.Listbox(panes, width=18, relief="flat", activestyle="none")
        panes.add(self.users, weight=1)
        talk = ttk.Frame(panes)
        talk.columnconfigure(0, weight=1)
        talk.rowconfigure(0, weight=1)
        self.log = self._tk.Text(
            talk, wrap="word", state="disabled", relief="flat", padx=8, pady=6, font="TkDefaultFont"
        )
        scroll = ttk.Scrollbar(talk, command=self.log.yview)
        self.log.configure(yscrollcommand=scroll.set)
        self.log.grid(row=0, column=0, sticky="nsew")
        scroll.grid(row=0, column=1, sticky="ns")
        panes.add(talk, weight=4)
        self.line = ttk.Entry(root)
        self.line.grid(row=2, column=0, sticky="ew", padx=10, pady=(8, 0))
        self.line.bind("<Return>", lambda event: self.send())

    # What people do.

    def enter(self) -> None:
        """Connect."""
        host, port, name = (field.get().strip() for field in self._fields)
        self.connect_button.state(["disabled"])
        opening = Deferred.fromCoroutine(self._conversation.open(host, port, name))
        opening.addCallback(lambda good: self._entered(good, host, port, name))

    def _entered(self, good: bool, host: str, port: str, name: str) -> None:
        if good:
            self._remembered.save(host, port, name)
            self.line.focus_set()
        else:
            self.connect_button.state(["!disabled"])

    def part(self) -> None:
        """Disconnect."""
        Deferred.fromCoroutine(self._conversation.close())

    def send(self) -> None:
        """Say what is written."""
        text = self.line.get()
        self.line.delete(0, "end")
        Deferred.fromCoroutine(self._conversation.speak(text))

    def leave(self) -> None:
        """The window is closed."""
        closing = Deferred.fromCoroutine(self._conversation.close())
        closing.addBoth(lambda _: self._quit())

    # View.

    def show(self, line: str) -> None:
        """Add a line to the conversation."""
        at_end = self.log.yview()[1] >= 1.0
        self.log.configure(state="normal")
        self.log.insert("end", line + "\n")
        self.log.configure(state="disabled")
        if at_end:
            self.log.see("end")

    def say(self, status: str, bad: bool = False) -> None:
        """Tell how things are, or what is wrong."""
        self._status.configure(text=status, style="Bad.TLabel" if bad else "TLabel")

    def people(self, names: Sequence[str]) -> None:
        """Show who is here."""
        self.users.delete(0, "end")
        self.users.insert("end", *names)

    def connected(self, on: bool) -> None:
        """Let people write, or connect."""
        self.connect_button.state(["disabled" if on else "!disabled"])
        self.disconnect_button.state(["!disabled" if on else "disabled"])
        self.line.state(["!disabled" if on else "disabled"])
        for field in self._fields:
            field.state(["disabled" if on else "!disabled"])


def _ask(prompt: str, default: str) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    answer = b""
    # Byte by byte: what follows the line is for the console client.
    while (byte := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
        answer += byte
    return answer.decode(errors="replace").strip() or default


def _text_mode() -> int:
    """Ask as the original did, then be the console client."""
    from gtchat.ui.console import main as console

    host, port, name = Remembered().load()
    host = _ask("SERVER IP > ", host)
    port = _ask("SERVER PORT > ", port)
    name = _ask("USERNAME > ", name)
    return console([f"ws://{host}:{port}/", "--guest", name, "--plain"])


def main(argv: Sequence[str]) -> int:
    """Run the window, or the text mode; the exit status."""
    words = argparse.ArgumentParser(prog="gtchat tk", description="A window on the lobby.")
    words.add_argument("-c", "--console", action="store_true", help="in the terminal instead")
    if words.parse_args(argv).console:
        return _text_mode()
    try:
        import tkinter
    except ImportError:
        sys.stderr.write("gtchat tk: tkinter is not installed: apt-get install python3-tk\n")
        return 2
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        sys.stderr.write(f"gtchat tk: there is no screen ({error}); gtchat tk -c needs none\n")
        return 2
    from twisted.internet import reactor, tksupport

    def quit() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    tksupport.install(root)
    Window(root, reactor, quit)
    reactor.run()
    return 0
