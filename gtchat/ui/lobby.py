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

from gtchat.client import (
    Broadcast,
    CannotConnect,
    Change,
    ChatMessage,
    CommandFailed,
    Connection,
    ConnectionClosed,
    ConnectionLost,
    ConnectionRestored,
    Direct,
    Event,
    GTChatError,
    Message,
    Presence,
    RoomEvent,
    Whisper,
    apply_change,
    connect,
)
from gtchat.ui.commands import LOBBY
from gtchat.ui.descriptions import describe_event
from gtchat.ui.formatting import local_time
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
        self._messages: OrderedDict[tuple[str, int], tuple[int, ChatMessage]] = OrderedDict()
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
            connection = await connect(url, reactor=self._reactor)
        except (CannotConnect, ValueError, OSError) as error:
            view.set_status(f"Server offline: {escape_controls(str(error))}", error=True)
            return False
        return await self._log_in(connection, host, name, self._logins(url).device())

    async def _log_in(self, connection: Connection, host: str, name: str, device: str) -> bool:
        view = self._view
        own = {"marks_read": True, "device": device, "device_name": device_name()}
        try:
            reply = await connection.call("login", type="tmp", usr=name, **own)
        except GTChatError as error:
            taken = isinstance(error, CommandFailed) and error.code == "name_taken"
            text = "Username exists. Please choose another." if taken else str(error)
            await connection.close(timeout=0)
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
            await connection.close(timeout=0)
            self._disconnected("Disconnected.", error=False)

    async def speak(self, text: str) -> None:
        """Send a message to the lobby."""
        connection = self._connection
        if connection is None or not text.strip():
            return
        message = Message(room=LOBBY, user=connection.user or "", text=text)
        number = self._add_line(message)
        try:
            ack = await connection.speak(LOBBY, text)
        except GTChatError as error:
            refusal = escape_controls(str(error))
            self._view.replace_line(number, f"{format_message(message)} (not sent: {refusal})")
            self._view.set_status(f"Not sent: {refusal}", error=True)
        else:
            self._keep("", number, structs.replace(message, seq=ack.seq, at=ack.at))

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
        else:
            self._show_pushed(event)

    def _show_pushed(self, event: Event) -> None:
        """Show what the server sent."""
        if isinstance(event, Message) and event.room == LOBBY:
            self._show_message("", event)
            self._mark_shown(LOBBY, event.seq)
        elif isinstance(event, Whisper):
            self._show_message(event.room.user, event)
            self._mark_shown(event.room, event.seq)
        elif isinstance(event, Change):
            self._change(event)
        elif isinstance(event, Broadcast):
            user, text = escape_controls(event.user), escape_controls(event.text)
            self._view.add_line(f"{_format_time(event.at)} {user} (to all users) > {text}")
        elif isinstance(event, Presence):
            self._show_presence(event)
        elif isinstance(event, RoomEvent) and event.room == LOBBY:
            self._show_moderation(event)

    def _show_moderation(self, event: RoomEvent) -> None:
        """Show what a moderator did in the lobby; what concerns the user stays in sight."""
        text = describe_event(event)
        self._view.add_line(f"{_format_time(event.at)} [*] {text}")
        me = self._connection.user if self._connection is not None else None
        if event.user == me:
            self._view.set_status(text, error=event.kind == "muted")

    def _mark_shown(self, room: str | Direct, seq: int | None) -> None:
        if self._marks is not None and seq:
            self._marks.shown(room, seq)

    def _show_message(self, other: str, message: ChatMessage) -> None:
        """Show a message. other: of a direct one, the other user; "" in the lobby."""
        self._keep(other, self._add_line(message), message)

    def _add_line(self, message: ChatMessage) -> int:
        """Add the line of a message; return its number."""
        self._lines += 1
        self._view.add_line(format_message(message), self._lines)
        return self._lines

    def _keep(self, other: str, number: int, message: ChatMessage) -> None:
        """Keep a message for its changes. number: of its line."""
        self._messages[other, message.seq or 0] = number, message
        if len(self._messages) > MAX_MESSAGES:
            self._messages.popitem(last=False)

    def _change(self, change: Change) -> None:
        """Change a message of the lobby or a direct one, if its line is there."""
        if isinstance(change.room, str) and change.room != LOBBY:
            return
        key = change.room.user if isinstance(change.room, Direct) else "", change.of
        if key in self._messages:
            number, message = self._messages[key]
            me = self._connection.user if self._connection is not None else None
            message = apply_change(message, change, me)
            self._messages[key] = number, message
            self._view.replace_line(number, format_message(message))

    def _show_presence(self, presence: Presence) -> None:
        time = _format_time(presence.at)
        for name in presence.went:
            self._view.add_line(f"{time} [*] {escape_controls(name)} exited.")
        for name in presence.came:
            self._view.add_line(f"{time} [*] {escape_controls(name)} entered.")
        self._online = (self._online - set(presence.went)) | set(presence.came)
        self._show_users()

    async def _load_users(self) -> None:
        """Load who is online: it may have changed while the connection was down."""
        if self._connection is not None:
            with suppress(GTChatError):
                self._online = set((await self._connection.call("get_user_list")).users)
                self._show_users()

    def _show_users(self) -> None:
        self._view.show_users(sorted(self._online, key=str.casefold))


def format_message(message: ChatMessage) -> str:
    """Return the line of a message as it is now."""
    head = f"{_format_time(message.at)} "
    user = escape_controls(message.user)
    if isinstance(message, Whisper):
        to = f" to {escape_controls(message.to)}" if message.to else ""
        user += f" (direct message{to})"
    if message.deleted is not None:
        return f"{head}{user} > ({deletion_text(message)})"
    text = f"{before_text(message)}{escape_controls(message.text)}{after_text(message)}"
    is_action = message.style == "action"
    return f"{head}* {user} {text}" if is_action else f"{head}{user} > {text}"


def _format_time(at: datetime | None) -> str:
    """Return a time of day in the zone of this machine. at: aware; None: now."""
    return (local_time(at) or datetime.now()).strftime("[%H:%M:%S]")
