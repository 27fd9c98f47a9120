"""What a person does in the full screen: the same commands as line by line, and what needs none.

A message is shown at once, as being sent, in the conversation that it was typed in, and messages
are sent one after the other; commands have a queue of their own. What is known stands in `world`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gtchat.client.connection import Connection
from gtchat.client.messages import (
    CommandFailed,
    ConnectionClosed,
    ConnectionRestored,
    Event,
    Reply,
    RoomReset,
    Unanswered,
)
from gtchat.ui.commands import COMMANDS, Argument, Misuse, Request
from gtchat.ui.interpreter import Interpreter, is_command
from gtchat.ui.peer import Peers
from gtchat.ui.rendering import Renderer
from gtchat.ui.terminal import visible
from gtchat.ui.tui.buffer import Line, Talk
from gtchat.ui.tui.editing import Vocabulary
from gtchat.ui.tui.keys import KEYS, TYPING, WELCOME
from gtchat.ui.tui.loader import Looking
from gtchat.ui.tui.model import World


class Desk(Interpreter):
    """A person's chat over one connection, on a screen.

    Args:
        world: what is known. crashed: called with what must not happen.

    Attributes:
        looking: asks for what is missing. over: fires when one leaves.
        asking: what a secret is asked for with; "" for no secret.
        last_words: the last complaint.
    """

    def __init__(
        self,
        connection: Connection,
        world: World,
        renderer: Renderer,
        clock: IReactorTime,
        peers: Peers | None = None,
        crashed: Callable[[Failure], None] = Failure.raiseException,
    ) -> None:
        super().__init__(connection, renderer, clock, peers)
        self.over: Deferred[None] = Deferred()
        self.asking = ""
        self.last_words = ""
        self._world = world
        self._crashed = crashed
        self._answer: Deferred[str] | None = None
        self.looking = Looking(connection, world, clock, self._ask, self.start)
        self._working = DeferredLock()
        self._speaking = DeferredLock()

    async def run(self, first: Sequence[str]) -> None:
        """Do what is typed, until one leaves. first: lines to do before."""
        listening = Deferred.fromCoroutine(self._listen())
        listening.addErrback(self._crashed)
        if not first:
            for text in WELCOME:
                self.show(text)
        for line in first:
            self.start(self._in_turn(line))
        await self.over
        await self._connection.close()
        await listening

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin something that nobody waits for."""
        Deferred.fromCoroutine(work).addErrback(self._crashed)

    # What is typed.

    def enter(self, line: str) -> None:
        """A line was typed."""
        if self._answer is not None:
            self._answered(line)
        elif line.strip() == "/quit":
            self.leave()
        elif not is_command(line) and not line.startswith("{") or _is_local(line):
            self.start(self._do(line))
        else:
            self.start(self._in_turn(line))

    async def _in_turn(self, line: str) -> None:
        """Do a command, when those before are done."""
        await self._working.acquire()
        try:
            await self._do(line)
        finally:
            self._working.release()

    def leave(self) -> None:
        """Leave at once, whatever waits."""
        if not self.over.called:
            self.looking.seen(self._world.current)
            self.over.callback(None)

    # A secret.

    async def _secret(self, secret: Argument) -> str:
        answer = await self._ask_for(secret.prompt)
        if secret.again and await self._ask_for("Once more") != answer:
            raise Misuse("the two are not the same: nothing was sent")
        return answer

    async def _ask_for(self, prompt: str) -> str:
        answer: Deferred[str] = Deferred()
        self._answer, self.asking = answer, prompt
        self._world.changed()
        return await answer

    def _answered(self, text: str) -> None:
        answer, self._answer, self.asking = self._answer, None, ""
        if answer is not None:
            answer.callback(text)

    def cancel(self) -> None:
        """The secret is not told."""
        answer, self._answer, self.asking = self._answer, None, ""
        if answer is not None:
            answer.errback(Misuse("nothing was sent"))

    # Saying something.

    async def _say(self, text: str) -> None:
        talk = self._world.current
        if talk.kind == "start":
            raise Misuse(f"you are not in yet: {WELCOME[0]}")
        await self._say_in(talk, text)

    async def _say_in(self, talk: Talk, text: str) -> None:
        self.looking.said()
        line = self._world.say(talk, text)
        await self._speaking.acquire()
        try:
            await self._send(talk, line)
        finally:
            self._speaking.release()

    async def _send(self, talk: Talk, line: Line) -> None:
        try:
            if talk.kind == "whisper":
                reply = await self._ask("whisper", target_user=talk.name, msg=line.text)
            else:
                reply = await self._ask("speak", room_name=talk.name, msg=line.text)
        except CommandFailed as error:
            self._world.not_said(talk, line, self._renderer.error(error))
        except (Unanswered, ConnectionClosed) as error:
            self._world.not_said(talk, line, str(error))
        else:
            self._world.said(talk, line, reply)
            self.looking.read(talk)

    # What is shown.

    def show(self, line: str) -> None:
        """Show a line that is safe."""
        self._world.note(line.removeprefix("* "))

    def complain(self, line: str) -> None:
        """Show, as an error, a line that is safe."""
        self._world.note(line, error=True)
        self.last_words = line

    def _show_help(self, name: str) -> None:
        if name:
            super()._show_help(name)
            return
        rows = [(command.usage, command.help) for command in COMMANDS.values()]
        self._world.help([*rows, ("", ""), *TYPING, ("", ""), *KEYS])

    def go_to(self, talk: Talk) -> None:
        """Look at a conversation, and speak there."""
        if talk is not self._world.current:
            self.looking.seen(self._world.current)
        self._move(room=talk.name if talk.kind == "room" else "")
        self._world.show(talk)
        self.looking.at(talk)

    def whisper_to(self, user: str) -> None:
        """Go to the whispers with somebody."""
        if user != self._world.me:
            self.go_to(self._world.whispers_with(user))

    def close(self) -> None:
        """Close the whispers that are looked at."""
        if self._world.current.kind == "whisper":
            self._world.close(self._world.current)
            self.go_to(self._world.current)

    def _speak_in(self, room_name: str) -> None:
        talk = self._world.room_named(room_name)
        if talk is None:
            raise Misuse(f"you are not in {room_name}: /join {room_name}")
        self.go_to(talk)

    def _away_from(self, room_name: str) -> None:
        """The world leaves a room by itself; here one follows it."""

    def _happened(self, what: Event) -> None:
        world, before = self._world, self._world.current
        world.happened(what)
        talk = world.current
        if isinstance(what, ConnectionRestored):
            self.looking.anew()
        if isinstance(what, ConnectionRestored | RoomReset) or talk is not before:
            self.go_to(talk)
        else:
            self.looking.read(talk)

    # What replies change.

    async def _request(self, request: Request) -> None:
        if request.command.cmd == "whisper":
            talk = self._world.whispers_with(str(request.fields["target_user"]))
            self.go_to(talk)
            await self._say_in(talk, str(request.fields["msg"]))
        else:
            await super()._request(request)

    def _replied(self, request: Request, reply: Reply) -> None:
        self._learn({"cmd": request.command.cmd, **request.fields}, reply)
        self._go_along(request, reply)
        for line in self._renderer.reply(request, reply):
            self.show(line)

    def _answered_as_is(self, line: str, answer: str, reply: Reply) -> None:
        super()._answered_as_is(line, answer, reply)
        if reply.status == "ok":
            self._learn(msgspec.json.decode(line, type=dict[str, Any]), reply)

    def _learn(self, request: Mapping[str, Any], reply: Reply) -> None:
        """Take from a good reply what it says of the world."""
        world, cmd = self._world, reply.last_cmd
        if cmd == "login":
            world.came_in(reply)
            self.go_to(world.current)
        elif cmd == "logout":
            world.reset()
            self.go_to(world.current)
        elif cmd == "get_room_list":
            world.known.update(item.room_name for item in reply.rooms)
        elif cmd in ("leave_room", "delete_room"):
            talk = world.room_named(str(request.get("room_name", "")))
            if talk is not None:
                world.close(talk)
                self.go_to(world.current)
        elif reply.room is not None:
            world.entered(reply.room)

    def vocabulary(self) -> Vocabulary:
        """What there is to complete, where one looks."""
        world, talk = self._world, self._world.current
        spoke = dict.fromkeys(line.usr for line in reversed(talk.lines) if line.usr)
        members = sorted(world.members(talk), key=str.casefold)
        here = [name for name in dict.fromkeys((*spoke, *members)) if name != world.me]
        users = sorted({*world.here, *world.whispers} - {world.me}, key=str.casefold)
        rooms = sorted({*world.known, *world.rooms}, key=str.casefold)
        return Vocabulary(_typable(here), _typable(users), _typable(rooms))


def _typable(names: Iterable[str]) -> tuple[str, ...]:
    """Names that do nothing to a terminal when they stand in the line that is typed."""
    return tuple(name for name in names if visible(name) == name)


def _is_local(line: str) -> bool:
    """Whether a line is a command that needs no server, and so no turn."""
    command = COMMANDS.get(line[1:].split(" ", 1)[0]) if is_command(line) else None
    return command is not None and not command.cmd
