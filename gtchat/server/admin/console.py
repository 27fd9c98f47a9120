"""The admin console: the operator reads the lobby, writes to it as Host, and kicks users.

    HELP   KICK NAME   LIST_USERS   EXIT   ADMIN COMMAND   any other line is sent to the lobby

It is on standard input (`--console`) and on a Unix socket in the data directory (`gtchat console`)
that accepts only the user of the server, and root. All consoles share one session, that of Host.
`gtchat admin` uses the same socket, for one request a connection (`admin.socket`).

The lines of a console take effect one after the other; what they mean is in `console_lines`. On a
terminal it has the screen of the original: a banner, a prompt with the time, and the list of users
after each login and logout; elsewhere each answer is a plain line.
Source: seed 004; spec/livechat.md 5.2.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat.accounts import login_key
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NoSuchUser
from gtchat.chat.interfaces import Ack
from gtchat.chat.rooms import LOBBY
from gtchat.chat.users import Session
from gtchat.protocols.base.text import TextEncoder, split_text, strip_controls
from gtchat.protocols.livechat import render
from gtchat.server.admin.commands import AdminCommands
from gtchat.server.admin.console_lines import ConsoleCommand, read_line
from gtchat.server.admin.lines import AdminLines
from gtchat.server.admin.socket import ADMIN_LINE, READY
from gtchat.server.console_host import HostConnection, is_permitted
from gtchat.server.console_output import ConsoleOutput

#: File name of the Unix socket, in the data directory.
SOCKET = "console.sock"
#: Longest line, in bytes.
LINE_BYTES = 65_536
#: Lines of a console that wait before no more are read.
LINES_LIMIT = 64
#: First line of a client of the Unix socket that is on a terminal.
SCREEN_LINE = b"\0screen"
#: Seconds that a client of the Unix socket has to say that it is `gtchat admin`, for which Host is
#: not logged in, and events are not shown.
OPENING_S = 0.25
#: Columns of the command in the output of HELP.
_HELP_WIDTH = 14

_log = Logger()


class ConsoleServer(Factory):
    """All consoles of one server, and the session of Host that they share.

    Args:
        chat: the chat.
        stop: stops the server.
        where: says where clients find the server.

    Attributes:
        kicked: keys of the users who are being kicked, until their logout is shown.
        commands, admin: run administrative commands.
    """

    noisy = False

    def __init__(self, chat: Chat, stop: Callable[[], None], where: str = "") -> None:
        self.chat = chat
        self.commands = AdminCommands(chat, self.page)
        self.admin = AdminLines(self.commands, chat.clock.seconds)
        self.stop = stop
        self.where = where
        self.kicked: set[str] = set()
        self.encoder = TextEncoder(render)
        self.consoles: list[Console] = []
        self._host: Session | None = None
        self._waiting: list[Deferred[Session]] = []

    def buildProtocol(self, addr: object) -> Console:
        """Make a console for a connection to the Unix socket (IProtocolFactory.buildProtocol)."""
        return Console(self)

    def attach_terminal(self, stdio: Callable[[Console], object], screen: bool = False) -> None:
        """Make a console on standard input and output.

        Args:
            stdio: connects a protocol to them; Twisted's `StandardIO`.
            screen: whether they are a terminal.
        """
        stdio(Console(self, local=True, screen=screen))

    def outputs(self) -> list[ConsoleOutput]:
        """Return where the consoles that are open show events."""
        return [console.output for console in self.consoles]

    def page(self) -> str:
        """Return the address of the page, "" if it is not known."""
        return next((one for one in self.where.split(", ") if one.startswith("http")), "")

    def host_lost(self) -> None:
        """Take note that the session of Host has ended; the next call of `host` begins another."""
        self._host = None

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
            login = self.chat.logins.login_host(
                self.encoder, HostConnection(self.outputs, self.kicked)
            )
            Deferred.fromCoroutine(login).addBoth(self._logged_in)
        return waiting

    def _logged_in(self, result: Session | Failure) -> None:
        if not isinstance(result, Failure):
            self._host = result
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(result)


@implementer(IHalfCloseableProtocol)
class Console(LineReceiver):
    """One console.

    Args:
        server: the consoles that it belongs to.
        local: whether it is on standard input, where no peer has to be checked.
        screen: whether it is on a terminal.
    """

    delimiter = b"\n"
    MAX_LENGTH = LINE_BYTES
    transport: Any
    output: ConsoleOutput

    def __init__(self, server: ConsoleServer, local: bool = False, screen: bool = False) -> None:
        self._server = server
        self._local = local
        self._screen = screen
        self._lines: deque[str] = deque()
        self._working = False
        self._ended = self._is_admin = self._is_open = False
        self._opening: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Accept the user of the server and root; log Host in."""
        if not self._local and not is_permitted(self.transport):
            _log.warn("another user tried to open the admin console")
            self.transport.abortConnection()
            return
        self.output = ConsoleOutput(self.transport, self._server.chat.users)
        if self._local:
            self._open()
        else:
            self._opening = self._server.chat.clock.callLater(OPENING_S, self._open)

    def _open(self) -> None:
        """Begin as a console, unless it has begun: greet, show events, log Host in."""
        if self._is_open:
            return
        self._cancel_opening()
        self._is_open = True
        self._server.consoles.append(self)
        if self._screen:
            self.output.begin_screen(self._server.where)
        else:
            self.show("HELP lists the commands; any other line is sent to the lobby as Host.")
        run_in_background(self._server.host(), "opening the admin console")

    def _cancel_opening(self) -> None:
        if self._opening is not None and self._opening.active():
            self._opening.cancel()

    def connectionLost(self, reason: Any = None) -> None:
        """Forget a console that was closed; the server goes on."""
        self._lines.clear()
        self._cancel_opening()
        if self in self._server.consoles:
            self._server.consoles.remove(self)

    def readConnectionLost(self) -> None:
        """Close when the lines before the end are done (IHalfCloseableProtocol)."""
        if not self._is_admin:
            self._open()
        rest: bytes = self.clearLineBuffer()  # type: ignore[no-untyped-call]
        if rest:
            self.lineReceived(rest)
        self._ended = True
        if not self._working:
            self.output.close()

    def writeConnectionLost(self) -> None:
        """Close: nothing is shown any more (IHalfCloseableProtocol)."""
        self.output.close()

    def lineReceived(self, line: bytes) -> None:
        """Let a line take effect after those before it."""
        if line == SCREEN_LINE:
            self._open()
            self.output.begin_screen(self._server.where)
            return
        if self._is_admin:
            answer = Deferred.fromCoroutine(self._answer(line))
            run_in_background(answer, "an administrative command")
            return
        if line == ADMIN_LINE and not self._is_open:
            self._is_admin = True
            self._cancel_opening()
            self.transport.write(READY + b"\n")
            return
        self._open()
        self._lines.append(strip_controls(line))
        if len(self._lines) >= LINES_LIMIT:
            self.pauseProducing()  # type: ignore[no-untyped-call]
        if not self._working:
            self._working = True
            work = Deferred.fromCoroutine(self._work())
            run_in_background(work, "a command of the console")

    async def _answer(self, line: bytes) -> None:
        """Answer a request of `gtchat admin`, and close."""
        with contextlib.closing(self.output):
            self.transport.write(await self._server.admin.answer(line, self.transport.write))

    async def _work(self) -> None:
        """Run the lines that wait, one after the other."""
        with contextlib.suppress(ChatError):  # that was logged; other commands need no Host
            await self._server.host()
        try:
            while self._lines:
                line = self._lines.popleft()
                if self.paused:
                    self.resumeProducing()  # type: ignore[no-untyped-call]
                self.output.begin_answer()
                try:
                    await self._run(line)
                except ChatError as error:
                    self.show(error.text)
                self.output.end_answer()
        finally:
            self._working = False
        if self._ended:
            self.output.close()

    async def _run(self, line: str) -> None:
        """Run a command, send a line to the lobby, or say why neither was done."""
        command, arguments, hint = read_line(line, COMMANDS)
        if hint:
            self.show(hint)
        elif command is None:
            await self.speak(*arguments)
        else:
            await command.run(self, *arguments)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Reject a line that is too long."""
        self.show(f"a line has at most {LINE_BYTES} bytes")

    def show(self, line: str) -> None:
        """Write an answer."""
        self.output.show(line)

    # Commands.

    async def help(self) -> None:
        """List the commands."""
        self.show(f"Commands: {', '.join(COMMANDS)}")
        rows = {" ".join([name, *c.arguments]): c.help for name, c in COMMANDS.items()}
        rows["anything else"] = "send it to the lobby as Host"
        for usage, text in rows.items():
            self.show(f"{usage:{_HELP_WIDTH}} {text}")

    async def kick(self, name: str) -> None:
        """Kick a user: disconnect them; they may log in again."""
        key = login_key(name)
        self._server.kicked.add(key)
        try:
            kicked = await self._server.chat.sessions.disconnect_user(name)
        except NoSuchUser:
            self.show(f"there is no user {name}")
        else:
            # The screen shows the logout; that of a user at another node comes later.
            if not self.output.screen or key in self._server.kicked:
                self.show(f"kicked {kicked}")
        finally:
            # Logouts of many users are told up to a second later, then without the reason.
            self._server.kicked.discard(key)

    async def list_users(self) -> None:
        """List the users who are online."""
        self.output.show_users()

    async def run_admin(self, line: str) -> None:
        """Run an administrative command."""
        for shown in (await self._server.admin.run(line, self.output.screen)).splitlines():
            self.show(shown)

    async def exit(self) -> None:
        """Stop the server."""
        self._server.stop()

    async def speak(self, text: str) -> None:
        """Send a text to the lobby, in as many messages as its length needs."""
        chat = self._server.chat
        host = await self._server.host()
        for part in split_text(text, chat.limits.text_chars):
            stored: Deferred[Ack | ChatError] = Deferred()
            chat.speak(host, LOBBY, part, None, stored.callback)
            result = await stored
            if isinstance(result, ChatError):
                self.show(result.text)


#: Name -> command.
COMMANDS: dict[str, ConsoleCommand] = {
    "HELP": ConsoleCommand((), Console.help, "list the commands"),
    "KICK": ConsoleCommand(("NAME",), Console.kick, "disconnect a user, who may log in again"),
    "LIST_USERS": ConsoleCommand((), Console.list_users, "list the users who are online"),
    "ADMIN": ConsoleCommand(("COMMAND",), Console.run_admin, "administration; ADMIN HELP lists it"),
    "EXIT": ConsoleCommand((), Console.exit, "stop the server"),
}
