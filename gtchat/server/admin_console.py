"""The admin console: the operator reads the lobby, writes to it as Host, and kicks users.

    HELP   KICK NAME   LIST_USERS   EXIT   any other line is sent to the lobby

It is on standard input (`--console`) and on a Unix socket in the data directory (`gtchat console`)
that accepts only the user of the server, and root. All consoles share one session, that of Host.
Source: seed 004; spec/livechat.md 5.2.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NoSuchUser
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack, DeliveryProof, IConnection
from gtchat.chat.rooms import LOBBY
from gtchat.chat.users import Session
from gtchat.protocols.base.text import TextEncoder, format_clock, split_text, strip_controls
from gtchat.protocols.livechat import presence_changes, render

#: File name of the Unix socket, in the data directory.
SOCKET = "console.sock"
#: Longest line, in bytes.
LINE_BYTES = 65_536
#: Columns of the command in the output of HELP.
_HELP_WIDTH = 14

_log = Logger()


class ConsoleServer(Factory):
    """All consoles of one server, and the session of Host that they share.

    Args:
        chat: the chat.
        stop: stops the server.
    """

    noisy = False

    def __init__(self, chat: Chat, stop: Callable[[], None]) -> None:
        self.chat = chat
        self.stop = stop
        self.encoder = TextEncoder(render)
        self.consoles: list[Console] = []
        self._host: Session | None = None
        self._waiting: list[Deferred[Session]] = []

    def buildProtocol(self, addr: object) -> Console:
        """Make a console for a connection to the Unix socket (IProtocolFactory.buildProtocol)."""
        return Console(self)

    def attach_terminal(self, stdio: Callable[[Console], object]) -> None:
        """Make a console on standard input and output.

        Args:
            stdio: connects a protocol to them; Twisted's `StandardIO`.
        """
        stdio(Console(self, local=True))

    def host(self) -> Deferred[Session]:
        """Return the session of Host, which the first console begins.

        Returns:
            Fires with the session; fails with ChatError when Host cannot log in, which the next
            call tries again.
        """
        if self._host is not None:
            return succeed(self._host)
        waiting: Deferred[Session] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            login = self.chat.sessions.login_host(self.encoder, HostConnection(self))
            Deferred.fromCoroutine(login).addBoth(self._logged_in)
        return waiting

    def _logged_in(self, result: Session | Failure) -> None:
        if not isinstance(result, Failure):
            self._host = result
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(result)


@implementer(IConnection)
@attrs.define(eq=False)
class HostConnection:
    """The connection of Host's session: shows events on every console."""

    server: ConsoleServer
    address: str = ""
    buffered_bytes: int = 0
    closed: bool = False
    delivery_proof: DeliveryProof = DeliveryProof.TIME

    def on_event(self, event: Event, text: str) -> None:
        """Show an event (TextConnection.on_event).

        Args:
            event: the event.
            text: its text in Live chat.
        """
        lines = [
            f"{format_clock(event.at)} [*] {name} {'entered' if online else 'exited'}."
            for name, online in presence_changes(event)
        ]
        for line in lines or [text]:
            for console in self.server.consoles:
                console.show(line)

    def close(self, event: Event | None, reason: str) -> None:
        """Do nothing: the session of Host lasts as long as the server (IConnection.close)."""


class Console(LineReceiver):
    """One console.

    Args:
        server: the consoles that it belongs to.
        local: whether it is on standard input, where no peer has to be checked.
    """

    delimiter = b"\n"
    MAX_LENGTH = LINE_BYTES
    transport: Any

    def __init__(self, server: ConsoleServer, local: bool = False) -> None:
        self._server = server
        self._local = local

    def connectionMade(self) -> None:
        """Accept the user of the server and root; log Host in."""
        if not self._local and not _is_permitted(self.transport):
            _log.warn("another user tried to open the admin console")
            self.transport.abortConnection()
            return
        self._server.consoles.append(self)
        self.show("HELP lists the commands; any other line is sent to the lobby as Host.")
        run_in_background(self._server.host(), "opening the admin console")

    def connectionLost(self, reason: Any = None) -> None:
        """Forget a console that was closed; the server goes on."""
        if self in self._server.consoles:
            self._server.consoles.remove(self)

    def lineReceived(self, line: bytes) -> None:
        """Run a command, or send a line to the lobby."""
        text = strip_controls(line)
        name, *rest = text.split(" ")
        command = COMMANDS.get(name)
        if command is not None and len(rest) == len(command.arguments):
            result = command.run(self, *rest)
        else:
            result = self.speak(text)
        run_in_background(Deferred.fromCoroutine(self._run(result)), "a command of the console")

    async def _run(self, result: Awaitable[None]) -> None:
        try:
            await result
        except ChatError as error:
            self.show(error.text)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Reject a line that is too long."""
        self.show(f"a line has at most {LINE_BYTES} bytes")

    def show(self, line: str) -> None:
        """Write a line to the console."""
        self.transport.write(line.encode() + b"\n")

    # Commands.

    async def help(self) -> None:
        """List the commands."""
        rows = {" ".join([name, *c.arguments]): c.help for name, c in COMMANDS.items()}
        rows["anything else"] = "send it to the lobby as Host"
        for usage, text in rows.items():
            self.show(f"{usage:{_HELP_WIDTH}} {text}")

    async def kick(self, name: str) -> None:
        """Kick a user: disconnect them; they may log in again."""
        try:
            kicked = await self._server.chat.sessions.disconnect_user(name)
        except NoSuchUser:
            self.show(f"there is no user {name}")
        else:
            self.show(f"kicked {kicked}")

    async def list_users(self) -> None:
        """List the users who are online."""
        online = self._server.chat.users.online
        self.show(" ".join(online.page(None, len(online))))

    async def exit(self) -> None:
        """Stop the server."""
        self._server.stop()

    async def speak(self, text: str) -> None:
        """Send a text to the lobby, in as many messages as its length needs."""
        chat = self._server.chat
        host = await self._server.host()
        for part in split_text(text, chat.limits.text_chars):
            chat.speak(host, LOBBY, part, None, self._on_result)

    def _on_result(self, result: Ack | ChatError) -> None:
        if isinstance(result, ChatError):
            self.show(result.text)


def _is_permitted(transport: Any) -> bool:
    """Return whether the peer of a Unix socket is this user or root (unix(7), SO_PEERCRED)."""
    size = struct.calcsize("3i")
    credentials = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user_id, _ = struct.unpack("3i", credentials)
    return user_id in (os.getuid(), 0)


@attrs.frozen
class ConsoleCommand:
    """A command: the names of its arguments, what runs it, and its help."""

    arguments: tuple[str, ...]
    run: Callable[..., Awaitable[None]]
    help: str


COMMANDS: dict[str, ConsoleCommand] = {
    "HELP": ConsoleCommand((), Console.help, "list the commands"),
    "KICK": ConsoleCommand(("NAME",), Console.kick, "disconnect a user, who may log in again"),
    "LIST_USERS": ConsoleCommand((), Console.list_users, "list the users who are online"),
    "EXIT": ConsoleCommand((), Console.exit, "stop the server"),
}
