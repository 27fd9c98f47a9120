"""The chat of a guest in the lobby, for the Tk window: connecting, messages, who is online.

It draws nothing: results go to a `LobbyView`, which is `tk.TkWindow`. A message that is edited,
deleted or reacted to is changed in its place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from msgspec import structs
from twisted.internet.defer import Deferred

from gtchat.client.connection import Connection, connect
from gtchat.client.messages import (
    CannotConnect,
    CommandFailed,
    ConnectionClosed,
    ConnectionLost,
    ConnectionRestored,
    Direct,
    Event,
    Push,
    Unanswered,
)
from gtchat.client.typed_events import apply_change, is_change
from gtchat.ui.commands import LOBBY
from gtchat.ui.notes import after_text, before_text, deletion_text
from gtchat.ui.read_marks import ReadMarks
from gtchat.ui.stored_logins import StoredLogins, device_name
from gtchat.ui.terminal import escape_controls

#: Messages whose changes are shown.
MAX_MESSAGES = 1_000


class LobbyView(Protocol):
    """Shows the lobby."""

    def add_line(self, line: str, number: int = 0) -> None:
        """Append a line to the messages. number: names it in `replace_line`; 0: it stays."""

    def replace_line(self, number: int, line: str) -> None:
        """Replace a line that was added."""

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
        logins: returns what names this device to the server with a URL.
    """

    def __init__(
        self, reactor: Any, view: LobbyView, logins: Callable[[str], StoredLogins]
    ) -> None:
        self._reactor = reactor
        self._view = view
        self._logins = logins
        self._connection: Connection | None = None
        self._marks: ReadMarks | None = None
        self._online: set[str] = set()
        #: Other user, "" for the lobby, and seq -> number of the line, and the message.
        self._messages: OrderedDict[tuple[str, int], tuple[int, Push]] = OrderedDict()
        self._lines = 0

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
        url = f"ws://{address}:{port}/"
        try:
            connection = await connect(url, self._reactor)
        except (CannotConnect, ValueError, OSError) as error:
            view.set_status(f"Server offline: {escape_controls(str(error))}", error=True)
            return False
        return await self._log_in(connection, host, name, self._logins(url).device())

    async def _log_in(self, connection: Connection, host: str, name: str, device: str) -> bool:
        view = self._view
        own = {"marks_read": True, "device": device, "device_name": device_name()}
        try:
            reply = await connection.call("login", type="tmp", usr=name, **own)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            taken = isinstance(error, CommandFailed) and error.code == "name_taken"
            text = "Username exists. Please choose another." if taken else str(error)
            await connection.close()
            # The caller enables the button right after this text, without another await.
            view.set_status(escape_controls(text), error=True)
            return False
        self._connection = connection
        self._marks = ReadMarks(connection, self._reactor)
        self._messages.clear()
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
            if self._marks is not None:
                await self._marks.finish()
            await connection.close()
            self._disconnected("Disconnected.", error=False)

    async def speak(self, text: str) -> None:
        """Send a message to the lobby."""
        connection = self._connection
        if connection is None or not text.strip():
            return
        message = Push(cmd="c_speak", room_name=LOBBY, usr=connection.user, msg=text)
        number = self._add_line(message)
        try:
            reply = await connection.call("speak", room_name=LOBBY, msg=text)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            self._view.set_status(f"Not sent: {escape_controls(str(error))}", error=True)
        else:
            self._keep("", number, structs.replace(message, seq=reply.seq, at=reply.at))

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
        time, me = _format_time(push.at), self._connection.user if self._connection else ""
        if push.cmd == "c_speak" and push.room_name == LOBBY:
            self._show_message("", push)
            self._mark_shown(LOBBY, push.seq)
        elif push.cmd == "c_whisper":
            other = push.to if push.usr == me and push.to else push.usr
            self._show_message(other, push)
            self._mark_shown(Direct(usr=other), push.seq)
        elif is_change(push):
            self._change(push, me)
        elif push.cmd == "c_broadcast":
            user, text = escape_controls(push.usr), escape_controls(push.msg)
            self._view.add_line(f"{time} {user} (to all users) > {text}")
        elif push.type in ("login", "logout", "presence"):
            self._show_presence(push, time)

    def _mark_shown(self, room: str | Direct, seq: int) -> None:
        if self._marks is not None and seq:
            self._marks.shown(room, seq)

    def _show_message(self, other: str, message: Push) -> None:
        """Show a message. other: of a direct one, the other user; "" in the lobby."""
        self._keep(other, self._add_line(message), message)

    def _add_line(self, message: Push) -> int:
        """Add the line of a message; return its number."""
        self._lines += 1
        self._view.add_line(format_message(message), self._lines)
        return self._lines

    def _keep(self, other: str, number: int, message: Push) -> None:
        """Keep a message for its changes. number: of its line."""
        self._messages[other, message.seq] = number, message
        if len(self._messages) > MAX_MESSAGES:
            self._messages.popitem(last=False)

    def _change(self, change: Push, me: str) -> None:
        """Change a message of the lobby or a direct one, if its line is there."""
        if not change.target_user and change.room_name != LOBBY:
            return
        key = change.target_user, change.of
        if key in self._messages:
            number, message = self._messages[key]
            message = apply_change(message, change, me)
            self._messages[key] = number, message
            self._view.replace_line(number, format_message(message))

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


def format_message(message: Push) -> str:
    """Return the line of a message as it is now."""
    head = f"{_format_time(message.at)} "
    user = escape_controls(message.usr)
    if message.cmd == "c_whisper":
        to = f" to {escape_controls(message.to)}" if message.to else ""
        user += f" (direct message{to})"
    if message.deleted is not None:
        return f"{head}{user} > ({deletion_text(message)})"
    text = f"{before_text(message)}{escape_controls(message.msg)}{after_text(message)}"
    is_action = message.style == "action"
    return f"{head}* {user} {text}" if is_action else f"{head}{user} > {text}"


def _format_time(at: str = "") -> str:
    """Return a time of day in the zone of this machine. at: RFC 3339; "" or invalid: now."""
    try:
        time = datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone()
    except ValueError:
        time = datetime.now()
    return time.strftime("[%H:%M:%S]")
