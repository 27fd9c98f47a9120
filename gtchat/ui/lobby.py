"""The chat of a guest in the lobby, for the Tk window: connecting, messages, who is online.

It draws nothing: results go to a `LobbyView`, which is `tk.TkWindow`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from twisted.internet.defer import Deferred

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
from gtchat.ui.commands import LOBBY
from gtchat.ui.terminal import escape_controls


class LobbyView(Protocol):
    """Shows the lobby."""

    def add_line(self, line: str) -> None:
        """Append a line to the messages."""

    def set_status(self, text: str, error: bool = False) -> None:
        """Show the state of the connection.

        Args:
            text: one sentence.
            error: whether it is an error message.
        """

    def show_users(self, names: Sequence[str]) -> None:
        """Show who is online."""

    def set_connected(self, on: bool) -> None:
        """Enable what the user can do with a connection, or without one."""


class LobbyChat:
    """The chat of a guest in the lobby.

    Args:
        reactor: Twisted's reactor.
        view: shows it.
    """

    def __init__(self, reactor: Any, view: LobbyView) -> None:
        self._reactor = reactor
        self._view = view
        self._connection: Connection | None = None
        self._online: set[str] = set()

    async def open(self, host: str, port: str, name: str) -> bool:
        """Connect, and log in as a guest.

        Args:
            host: of the server.
            port: as typed.
            name: of the guest.

        Returns:
            Whether it succeeded; errors are shown.
        """
        view = self._view
        if not host or not port.isdecimal() or not 1 <= int(port) <= 65_535 or not name:
            view.set_status("Enter a server, a port (1 to 65535) and a user name.", error=True)
            return False
        view.set_status("Connecting …")
        address = f"[{host}]" if ":" in host else host
        try:
            connection = await connect(f"ws://{address}:{port}/", self._reactor)
        except (CannotConnect, ValueError, OSError) as error:
            view.set_status(f"Server offline: {escape_controls(str(error))}", error=True)
            return False
        return await self._log_in(connection, host, name)

    async def _log_in(self, connection: Connection, host: str, name: str) -> bool:
        view = self._view
        try:
            reply = await connection.call("login", type="tmp", usr=name, marks_read=True)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            taken = isinstance(error, CommandFailed) and error.code == "name_taken"
            text = "Username exists. Please choose another." if taken else str(error)
            await connection.close()
            # The caller enables the button right after this text, without another await.
            view.set_status(escape_controls(text), error=True)
            return False
        self._connection = connection
        self._online = set(reply.users)
        self._show_users()
        view.set_connected(True)
        view.set_status(f"Connected to {host} as {reply.usr}")
        Deferred.fromCoroutine(self._read_events(connection))
        return True

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
            self._disconnected("Disconnected.", error=False)

    async def speak(self, text: str) -> None:
        """Send a message to the lobby."""
        connection = self._connection
        if connection is None or not text.strip():
            return
        self._view.add_line(f"{_format_time()} {connection.user} > {escape_controls(text)}")
        try:
            await connection.call("speak", room_name=LOBBY, msg=text)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            self._view.set_status(f"Not sent: {escape_controls(str(error))}", error=True)

    async def _read_events(self, connection: Connection) -> None:
        try:
            async for event in connection.events():
                self._show_event(event)
        except ConnectionClosed as error:
            if self._connection is connection:
                self._connection = None
                self._disconnected(escape_controls(error.text), error=True)

    def _disconnected(self, text: str, error: bool) -> None:
        self._online = set()
        self._show_users()
        self._view.set_connected(False)
        self._view.set_status(text, error=error)

    def _show_event(self, event: Event) -> None:
        if isinstance(event, ConnectionLost):
            self._view.set_status("Connection lost. Reconnecting …", error=True)
        elif isinstance(event, ConnectionRestored):
            self._view.set_status("Reconnected.")
            Deferred.fromCoroutine(self._load_users())
        elif isinstance(event, Push):
            self._show_push(event)

    def _show_push(self, push: Push) -> None:
        time, user = _format_time(push.at), escape_controls(push.usr)
        text = escape_controls(push.msg)
        if push.cmd == "c_speak" and push.room_name == LOBBY:
            self._view.add_line(f"{time} {user} > {text}")
        elif push.cmd == "c_whisper":
            self._view.add_line(f"{time} {user} (direct message) > {text}")
        elif push.cmd == "c_broadcast":
            self._view.add_line(f"{time} {user} (to all users) > {text}")
        elif push.type in ("login", "logout", "presence"):
            self._show_presence(push, time)

    def _show_presence(self, push: Push, time: str) -> None:
        entered = [push.usr] if push.type == "login" else list(push.logins)
        exited = [push.usr] if push.type == "logout" else list(push.logouts)
        for name in exited:
            self._view.add_line(f"{time} [*] {escape_controls(name)} exited.")
        for name in entered:
            self._view.add_line(f"{time} [*] {escape_controls(name)} entered.")
        self._online = (self._online - set(exited)) | set(entered)
        self._show_users()

    async def _load_users(self) -> None:
        """Load who is online: it may have changed while the connection was down."""
        if self._connection is not None:
            with suppress(CommandFailed, Unanswered, ConnectionClosed):
                self._online = set((await self._connection.call("get_user_list")).users)
                self._show_users()

    def _show_users(self) -> None:
        self._view.show_users(sorted(self._online, key=str.casefold))


def _format_time(at: str = "") -> str:
    """Return a time of day in the zone of this machine. at: RFC 3339; "" or invalid: now."""
    try:
        time = datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone()
    except ValueError:
        time = datetime.now()
    return time.strftime("[%H:%M:%S]")
