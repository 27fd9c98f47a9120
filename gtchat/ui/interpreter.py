"""What a typed line does: requests out, and what their answers change. It draws nothing.

How a line is typed and where answers are shown is up to those who build on it: `shell`, line by
line, and `fullscreen.desk`. The table of commands stands in `commands`, their words in `rendering`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeGuard

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.client.connection import Connection
from gtchat.client.messages import (
    CommandFailed,
    ConnectionClosed,
    ConnectionRestored,
    Event,
    Push,
    Reply,
    RoomReset,
    Unanswered,
)
from gtchat.ui import commands
from gtchat.ui.commands import LOBBY, Argument, Misuse, Place, Request
from gtchat.ui.peer import PeerError, Peers
from gtchat.ui.rendering import Renderer
from gtchat.ui.terminal import visible

#: Exit statuses.
GOOD, FAILED, NO_CONNECTION, INTERRUPTED = 0, 1, 2, 130


class Interpreter(ABC):
    """A person's chat over one connection.

    Args:
        connection: to the server. renderer: finds the words. clock: waits.
        peers: whom one can talk to directly.

    Attributes:
        status: exit status so far. asked: whether anything was sent.
    """

    def __init__(
        self,
        connection: Connection,
        renderer: Renderer,
        clock: IReactorTime,
        peers: Peers | None = None,
    ) -> None:
        self._connection = connection
        self._renderer = renderer
        self._clock = clock
        self._peers = peers
        self._place = Place()
        self.status = GOOD
        self.asked = False

    # What those who build on it do.

    @abstractmethod
    def show(self, line: str) -> None:
        """Show a line that is safe."""

    @abstractmethod
    def complain(self, line: str) -> None:
        """Show, as an error, a line that is safe."""

    @abstractmethod
    def leave(self) -> None:
        """Leave at once, whatever waits."""

    @abstractmethod
    async def _say(self, text: str) -> None:
        """Say something where one is."""

    @abstractmethod
    async def _secret(self, secret: Argument) -> str:
        """Ask for a secret. Raises Misuse: there is none."""

    @abstractmethod
    def _happened(self, what: Event) -> None:
        """Show what happened."""

    @abstractmethod
    def _speak_in(self, room_name: str) -> None:
        """Speak in a room from now on."""

    def _replied(self, request: Request, reply: Reply) -> None:
        """Show a good reply, and follow it."""
        for line in self._renderer.reply(request, reply):
            self.show(line)
        self._go_along(request, reply)

    def _answered_as_is(self, line: str, answer: str, reply: Reply) -> None:
        """Show the reply to a request that somebody wrote."""
        self.show(visible(answer))

    def _show_help(self, name: str) -> None:
        """Show the help. Raises Misuse: there is no such command."""
        for line in commands.help_lines(name):
            self.show(line)

    # What happens.

    async def _listen(self) -> None:
        """Follow what happens, until nothing more can."""
        try:
            async for what in self._connection.events():
                self._follow(what)
                self._happened(what)
        except ConnectionClosed as error:
            self.complain(f"the connection has ended: {visible(error.text)}")
            self.status = NO_CONNECTION
        self.leave()

    def interrupt(self) -> None:
        """Leave, because the program is told to end."""
        if not self.asked:
            self.status = INTERRUPTED
        self.leave()

    def _follow(self, what: Event) -> None:
        """Keep in mind where one speaks and what one was invited to."""
        if isinstance(what, Push) and what.cmd == "c_invited":
            self._move(inviter=what.usr, invited=what.room_name)
        if self._puts_out(what):
            self._away_from(what.room_name)
        if isinstance(what, ConnectionRestored):
            Deferred.fromCoroutine(self._tell_port())
        if self._peers and isinstance(what, Push) and what.type == "address_granted":
            self._peers.learn(what.usr, what.host, what.port)

    async def _tell_port(self) -> None:
        """Tell the server where we listen for others; it forgets with each connection."""
        if self._peers is None or self._peers.port is None or not self._connection.user:
            return
        try:
            await self._ask("set_address", port=self._peers.port)
        except (CommandFailed, Unanswered, ConnectionClosed) as error:
            self.complain(f"nobody can reach you directly: {visible(str(error))}")

    def peer_said(self, host: str, text: str) -> None:
        """Somebody has called directly."""
        self.show(f"* directly, from {host}: {visible(text)}")

    def _puts_out(self, what: Event) -> TypeGuard[Push | RoomReset]:
        """Whether one is no longer in a room by what happened."""
        if isinstance(what, RoomReset):
            return what.gone
        if not isinstance(what, Push):
            return False
        mine = what.usr == self._connection.user
        return what.type == "room_gone" or (
            mine and what.type in ("kicked", "removed", "leave_room")
        )

    def _away_from(self, room_name: str) -> None:
        if room_name == self._place.room:
            self._speak_in(LOBBY)

    def _move(self, **changes: str) -> None:
        place = self._place
        self._place = Place(
            changes.get("room", place.room),
            changes.get("inviter", place.inviter),
            changes.get("invited", place.invited),
        )

    # A line.

    async def _do(self, line: str) -> None:
        """Do a line, whatever it is."""
        if not line.strip():
            return
        try:
            if not line.isprintable():
                _check_text(line)
            if line.startswith("{"):
                await self._send_as_is(line)
            elif is_command(line):
                await self._command(line)
            else:
                await self._say(spoken(line))
        except Misuse as error:
            self._fail(f"error: {visible(str(error))}")
        except CommandFailed as error:
            self._fail(self._renderer.error(error))
        except Unanswered as error:
            self._fail(f"error: {error}: see whether it was done before you do it again")
        except ConnectionClosed:
            self.leave()  # it is told where pushes end

    def _fail(self, text: str) -> None:
        self.complain(text)
        self.status = self.status or FAILED

    async def _ask(self, cmd: str, **fields: Any) -> Reply:
        """Send a command; where the server wants it slower, send it again later."""
        self.asked = True
        while (reply := await self._try(cmd, fields)) is None:
            pass
        return reply

    async def _try(self, cmd: str, fields: dict[str, Any]) -> Reply | None:
        try:
            return await self._connection.call(cmd, **fields)
        except CommandFailed as error:
            if error.code != "rate_limited":
                raise
            await self._sleep(error.retry_after or 1.0)
            return None

    def _sleep(self, seconds: float) -> Deferred[None]:
        slept: Deferred[None] = Deferred()
        self._clock.callLater(seconds, slept.callback, None)
        return slept

    async def _send_as_is(self, line: str) -> None:
        """Send JSON as it was written, and show the reply as it came."""
        self.asked = True
        while True:
            answer = await self._connection.send(line)
            reply = msgspec.json.decode(answer, type=Reply)
            if reply.code != "rate_limited":
                break
            await self._sleep(reply.retry_after or 1.0)
        self._answered_as_is(line, answer, reply)
        if reply.status != "ok":
            self.status = self.status or FAILED

    async def _command(self, line: str) -> None:
        """Do a command of the table."""
        request = commands.parse(line, self._place)
        for secret in request.secrets:
            request.fields[secret.field] = await self._secret(secret)
        if request.command.cmd:
            await self._request(request)
        elif request.command.name == "room":
            self._speak_in(request.fields["room_name"])
        elif request.command.name == "private":
            await self._say_directly(**request.fields)
        elif request.command.name == "help":
            self._show_help(request.fields.get("name", ""))

    async def _say_directly(self, user: str, msg: str) -> None:
        if self._peers is None:
            raise Misuse("this client can't call others")
        try:
            await self._peers.say(self._connection.user, user, msg)
        except PeerError as error:
            raise Misuse(str(error)) from None

    async def _request(self, request: Request) -> None:
        cmd = request.command.cmd
        try:
            reply = await self._ask(cmd, **request.fields)
        except CommandFailed as error:
            if cmd != "join_room" or error.code != "already_in_room":
                raise
            self._speak_in(request.fields["room_name"])
            return
        self._replied(request, reply)

    def _go_along(self, request: Request, reply: Reply) -> None:
        """Speak where a command has brought one."""
        cmd = request.command.cmd
        if cmd in ("create_room", "join_room", "invite_reply") and reply.room is not None:
            self._speak_in(reply.room.room_name)
        elif cmd in ("leave_room", "delete_room"):
            self._away_from(request.fields["room_name"])
        elif cmd == "login":
            self._move(room=LOBBY)
            Deferred.fromCoroutine(self._tell_port())


def is_command(line: str) -> bool:
    """Whether a line is a command of the table; `//` says a line that begins with a slash."""
    return line.startswith("/") and not line.startswith("//")


def spoken(line: str) -> str:
    """What a line says that is no command."""
    return line[1:] if line.startswith("//") else line


def _check_text(line: str) -> None:
    """See that a line was UTF-8. Raises Misuse."""
    try:
        line.encode()
    except UnicodeEncodeError:
        raise Misuse("this line is not UTF-8, and was not sent") from None
