"""The host's console: whoever runs the server sees the lobby, speaks as Host, and puts people out.

    HELP   KICK <name>   LIST_USERS   EXIT   anything else is said in the lobby

On standard input (`--console`), or over a Unix socket in the data folder (`gtchat console`), which
nobody but the same user, or root, may use. Source: seed 004; spec/livechat.md 5.2.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NoSuchUser
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack, IConnection
from gtchat.chat.rooms import LOBBY
from gtchat.chat.users import Session
from gtchat.protocols.base.text import TextEncoder, format_clock, split_text, strip_controls
from gtchat.protocols.livechat import presence_changes, render

#: Its Unix socket, in the data folder.
SOCKET = "console.sock"
#: Bytes of a line.
LINE = 65_536

_log = Logger()


class ConsoleServer(Factory):
    """All consoles of one server, and the session of Host, whom they share.

    Args:
        chat: the chat. leave: stops the server.
    """

    noisy = False

    def __init__(self, chat: Chat, leave: Callable[[], None]) -> None:
        self.chat = chat
        self.leave = leave
        self.encoder = TextEncoder(render)
        self.consoles: list[Console] = []
        self._host: Session | None = None
        self._entering: Deferred[None] | None = None

    def buildProtocol(self, addr: object) -> Console:
        """A console over the Unix socket."""
        return Console(self)

    def attach_terminal(self, stdio: Callable[[Console], object]) -> None:
        """A console on standard input and output. stdio: Twisted's StandardIO."""
        stdio(Console(self, local=True))

    async def host(self) -> Session:
        """The session of Host; it begins with the first console. Raises ChatError."""
        if self._host is None:
            if self._entering is None:
                self._entering = Deferred.fromCoroutine(self._enter())
            waiting: Deferred[None] = Deferred()
            self._entering.chainDeferred(waiting)
            await waiting
        assert self._host is not None
        return self._host

    async def _enter(self) -> None:
        try:
            self._host = await self.chat.sessions.login_host(self.encoder, HostOutlet(self))
        finally:
            self._entering = None


@implementer(IConnection)
@attrs.define(eq=False)
class HostOutlet:
    """Where Host is spoken to: at every console."""

    server: ConsoleServer
    address: str = ""
    buffered_bytes: int = 0
    closed: bool = False

    def hear(self, event: Event, words: str) -> None:
        """Show an event."""
        shown = [
            f"{format_clock(event.at)} [*] {name} {'entered' if came else 'exited'}."
            for name, came in presence_changes(event)
        ]
        for line in shown or [words]:
            for console in self.server.consoles:
                console.show(line)

    def close(self, event: Event | None, reason: str) -> None:
        """Host's session ends with the server alone."""


class Console(LineReceiver):
    """One console."""

    delimiter = b"\n"
    MAX_LENGTH = LINE
    transport: Any

    def __init__(self, server: ConsoleServer, local: bool = False) -> None:
        self._server = server
        self._local = local

    def connectionMade(self) -> None:
        """Let in whoever may be here."""
        if not self._local and not _is_ours(self.transport):
            _log.warn("somebody else tried the console")
            self.transport.abortConnection()
            return
        self._server.consoles.append(self)
        self.show("HELP lists the commands; all other lines are said in the lobby as Host.")
        run_in_background(Deferred.fromCoroutine(self._begin()), "opening the console")

    async def _begin(self) -> None:
        await self._server.host()

    def connectionLost(self, reason: Any = None) -> None:
        """The console is closed; the server goes on."""
        if self in self._server.consoles:
            self._server.consoles.remove(self)

    def lineReceived(self, line: bytes) -> None:
        """Do what a line says."""
        text = strip_controls(line)
        name, *rest = text.split(" ")
        command = COMMANDS.get(name)
        if command is not None and len(rest) == len(command.arguments):
            work = command.run(self, *rest)
        else:
            work = self.say(text)
        run_in_background(Deferred.fromCoroutine(self._done(work)), "a command of the console")

    async def _done(self, work: Awaitable[None]) -> None:
        try:
            await work
        except ChatError as error:
            self.show(error.text)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is too long."""
        self.show(f"a line has at most {LINE} bytes")

    def show(self, line: str) -> None:
        """Write a line."""
        self.transport.write(line.encode() + b"\n")

    # Commands.

    async def help(self) -> None:
        """What there is."""
        rows = {" ".join([name, *c.arguments]): c.help for name, c in COMMANDS.items()}
        for words, text in rows.items():
            self.show(f"{words:14} {text}")
        self.show(f"{'anything else':14} is said in the lobby as Host")

    async def kick(self, name: str) -> None:
        """Put somebody out."""
        try:
            shown = await self._server.chat.sessions.disconnect_user(name)
        except NoSuchUser:
            self.show(f"there is nobody called {name}")
        else:
            self.show(f"{shown} was put out")

    async def list_users(self) -> None:
        """Who is here."""
        online = self._server.chat.users.online
        self.show(" ".join(online.page(None, len(online))))

    async def exit(self) -> None:
        """Stop the server."""
        self._server.leave()

    async def say(self, text: str) -> None:
        """Say something in the lobby."""
        chat = self._server.chat
        host = await self._server.host()
        for piece in split_text(text, chat.limits.text_chars):
            chat.speak(host, LOBBY, piece, None, self._said)

    def _said(self, result: Ack | ChatError) -> None:
        if isinstance(result, ChatError):
            self.show(result.text)


def _is_ours(transport: Any) -> bool:
    """Whether the other end of a Unix socket is this user, or root (unix(7), SO_PEERCRED)."""
    size = struct.calcsize("3i")
    asked = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user, _ = struct.unpack("3i", asked)
    return user in (os.getuid(), 0)


@attrs.frozen
class Command:
    """A command: its arguments, what does it, and what it is for."""

    arguments: tuple[str, ...]
    run: Callable[..., Awaitable[None]]
    help: str


COMMANDS: dict[str, Command] = {
    "HELP": Command((), Console.help, "list the commands"),
    "KICK": Command(("NAME",), Console.kick, "put somebody out; he may come again"),
    "LIST_USERS": Command((), Console.list_users, "who is here"),
    "EXIT": Command((), Console.exit, "stop the server"),
}
