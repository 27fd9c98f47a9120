"""Executes what the user does on the full screen.

A message is shown at once, as being sent, in the buffer where it was typed; messages are sent one
after the other, and commands have a queue of their own. The data is in `model`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gtchat.client import (
    CommandFailed,
    Connection,
    ConnectionRestored,
    Event,
    GTChatError,
    Reply,
    ReplyTo,
    RoomReset,
)
from gtchat.client.commands import Effect, effect_of
from gtchat.ui.commands import (
    COMMANDS,
    TABLE,
    CommandArgument,
    InputError,
    Newest,
    ParsedCommand,
)
from gtchat.ui.interpreter import Interpreter, is_command
from gtchat.ui.message_commands import NO_MESSAGE, is_of
from gtchat.ui.peer import PeerMessenger
from gtchat.ui.rendering import Renderer
from gtchat.ui.replies import error_line, reply_lines
from gtchat.ui.stored_logins import StoredLogins
from gtchat.ui.terminal import escape_controls
from gtchat.ui.tui.buffer import Buffer, BufferLine
from gtchat.ui.tui.editing import CompletionWords
from gtchat.ui.tui.entries import own_change
from gtchat.ui.tui.keys import INPUT_HELP, KEYS, WELCOME
from gtchat.ui.tui.loader import Loader
from gtchat.ui.tui.model import Model


class Controller(Interpreter):
    """The chat of one user on the full screen.

    Args:
        connection: to the server.
        model: the data of the client.
        renderer: formats what is shown.
        clock: delays requests.
        peers: sends and receives peer messages; None: that is not possible.
        logins: what outlasts this client; None: nothing does.
        crashed: called with the failure of a coroutine, which is a bug.

    Attributes:
        loader: loads what the current buffer misses.
        done: fires when the user quits.
        secret_prompt: question for the secret that is being typed; "" for none.
        last_error: the last error message.
    """

    def __init__(
        self,
        connection: Connection,
        model: Model,
        renderer: Renderer,
        clock: IReactorTime,
        peers: PeerMessenger | None = None,
        logins: StoredLogins | None = None,
        crashed: Callable[[Failure], None] = Failure.raiseException,
    ) -> None:
        super().__init__(connection, renderer, peers, logins)
        self.done: Deferred[None] = Deferred()
        self.secret_prompt = ""
        self.last_error = ""
        self._model = model
        self._crashed = crashed
        self._secret_typed: Deferred[str] | None = None
        self.loader = Loader(connection, model, clock, self._call, self.run_in_background)
        self._command_lock = DeferredLock()
        self._message_lock = DeferredLock()
        #: Logins and logouts so far: a message is sent for the user who typed it, or not at all.
        self._logins = 0

    async def run(self, startup: Sequence[str]) -> None:
        """Execute what is typed until the user quits. startup: lines to execute first."""
        reading = Deferred.fromCoroutine(self._read_events())
        reading.addErrback(self._crashed)
        if not startup:
            for text in WELCOME:
                self.show(text)
        for line in startup:
            self.run_in_background(self._execute_in_turn(line))
        await self.done
        await self._connection.close(timeout=0)
        await reading

    def run_in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a coroutine whose result is not needed; a failure is reported as a crash."""
        Deferred.fromCoroutine(work).addErrback(self._crashed)

    # Lines.

    def line_typed(self, line: str) -> None:
        """Execute a line, or take it as the secret that was asked for."""
        if self._secret_typed is not None:
            self._finish_secret(line)
        elif line.strip() == "/quit":
            self.quit()
        elif not is_command(line) and not line.startswith("{") or _is_local(line):
            self.run_in_background(self._execute(line))
        else:
            self.run_in_background(self._execute_in_turn(line))

    async def _execute_in_turn(self, line: str) -> None:
        """Execute a command after those before it."""
        await self._command_lock.acquire()
        try:
            await self._execute(line)
        finally:
            self._command_lock.release()

    def quit(self) -> None:
        """Quit at once, without waiting for open requests."""
        if not self.done.called:
            self.loader.mark_read(self._model.current)
            self.done.callback(None)

    # Secrets.

    async def _ask_secret(self, secret: CommandArgument) -> str:
        answer = await self._read_secret(secret.prompt)
        if secret.again:
            repeated = await self._read_secret("Repeat the password")
            if repeated != answer:
                raise InputError("the passwords differ; nothing was sent")
        return answer

    async def _read_secret(self, prompt: str) -> str:
        answer: Deferred[str] = Deferred()
        self._secret_typed, self.secret_prompt = answer, prompt
        self._model.changed()
        return await answer

    def _finish_secret(self, text: str) -> None:
        answer, self._secret_typed, self.secret_prompt = self._secret_typed, None, ""
        if answer is not None:
            answer.callback(text)

    def cancel_secret(self) -> None:
        """Cancel the command that asks for a secret."""
        answer, self._secret_typed, self.secret_prompt = self._secret_typed, None, ""
        if answer is not None:
            answer.errback(InputError("cancelled; nothing was sent"))

    # Messages.

    async def _send_message(self, text: str, **notes: Any) -> None:
        self._require_login()
        await self._send_to(self._model.current, text, **notes)

    def _require_login(self) -> None:
        if self._model.current.kind == "start":
            raise InputError(f"you are not logged in. {WELCOME[0]}")

    async def _send_to(self, buffer: Buffer, text: str, reply: int = 0, style: str = "") -> None:
        """Show a message as being sent, then send it after those before it.

        Args:
            buffer: where it is sent.
            text: of the message.
            reply: number of the message that it replies to; 0 for none.
            style: "action" for what the user does.
        """
        self.loader.message_entered()
        replied = None
        if reply:
            original = buffer.find(reply)
            replied = ReplyTo(seq=reply, user=original.usr if original is not None else "")
        line = self._model.add_own_message(buffer, text, style, replied)
        logins = self._logins
        await self._message_lock.acquire()
        try:
            if logins == self._logins:
                await self._send_line(buffer, line)
            else:
                self._model.message_failed(buffer, line, "you logged out before it was sent")
        finally:
            self._message_lock.release()

    async def _call(self, cmd: str, **fields: Any) -> Reply:
        self._logins += effect_of(cmd) in (Effect.LOGGED_IN, Effect.LOGGED_OUT)
        return await super()._call(cmd, **fields)

    async def _send_line(self, buffer: Buffer, line: BufferLine) -> None:
        message = line.message
        notes: dict[str, Any] = {}
        if message is not None and message.style:
            notes["style"] = message.style
        if message is not None and message.reply is not None:
            notes["reply"] = message.reply.seq
        try:
            if buffer.kind == "direct" and not notes:
                reply = await self._call("whisper", target_user=buffer.name, msg=line.text)
            else:
                place = "room_name" if buffer.kind == "room" else "target_user"
                fields = {place: buffer.name, "msg": line.text, **notes}
                reply = await self._call("speak", **fields)
        except CommandFailed as error:
            reason = error_line(error).removeprefix("error: ")
            self._model.message_failed(buffer, line, reason)
        except GTChatError as error:
            self._model.message_failed(buffer, line, str(error))
        else:
            self._model.message_sent(buffer, line, reply)
            self.loader.mark_read_soon(buffer)

    # The message that a command is about.

    def _message(self, whose: Newest) -> BufferLine | None:
        """Return the line of the selected message, or of the newest one."""
        buffer, me = self._model.current, self._model.me
        lines = buffer.messages
        found = [line for line in lines if line.number == buffer.selected]
        found = found or [line for line in lines if is_of(whose, line.usr == me)]
        return found[-1] if found else None

    async def _newest_message(self, whose: Newest) -> int:
        self._require_login()
        if whose == "own":  # the newest one may still be on its way
            await self._message_lock.acquire()
            self._message_lock.release()
        line = self._message(whose)
        message = line.message if line is not None else None
        return (message.seq or 0) if message is not None else 0

    def command_about(self, name: str) -> str:
        """Return the beginning of a command about the selected or newest message.

        Args:
            name: of the command.

        Returns:
            What is to be typed on; "" if there is no message, which is shown.
        """
        newest = COMMANDS[name].newest
        line = self._message(newest)
        if line is None or line.message is None:
            self.show_error(NO_MESSAGE[newest])
            return ""
        return f"/{name} #{line.message.seq} {line.text if name == 'edit' else ''}"

    def _show_numbers(self, on: bool) -> None:
        super()._show_numbers(on)
        self._model.numbers = on

    # Showing.

    def show(self, line: str) -> None:
        """Show a line without control characters in the current buffer."""
        self._model.add_notice(line.removeprefix("* "))

    def show_error(self, line: str) -> None:
        """Show an error message without control characters in the current buffer."""
        self._model.add_notice(line, error=True)
        self.last_error = line

    def _show_help(self, name: str) -> None:
        if name:
            super()._show_help(name)
            return
        rows = [(command.help_usage, command.help) for command in TABLE]
        self._model.add_help([*rows, ("", ""), *INPUT_HELP, ("", ""), *KEYS])

    def switch_to(self, buffer: Buffer) -> None:
        """Show a buffer; what is typed is sent there."""
        if buffer is not self._model.current:
            self.loader.mark_read(self._model.current)
        self._update_context(
            room=buffer.name if buffer.kind == "room" else "",
            direct=buffer.name if buffer.kind == "direct" else "",
        )
        self._model.show(buffer)
        self.loader.buffer_shown(buffer)

    def open_direct(self, user: str) -> None:
        """Show the direct messages with a user."""
        if user != self._model.me:
            self.switch_to(self._model.direct_with(user))

    def close_direct(self) -> None:
        """Close the direct messages that are shown; a room stays open."""
        if self._model.current.kind == "direct":
            self._model.close(self._model.current)
            self.switch_to(self._model.current)

    def _switch_room(self, room_name: str) -> None:
        self._require_login()
        buffer = self._model.find_room(room_name)
        if buffer is None:
            raise InputError(f"you are not in {room_name}: /join {room_name}")
        self.switch_to(buffer)

    def _left_room(self, room_name: str) -> None:
        """Do nothing: the model closes the buffer, and `_show_event` follows it."""

    def _keep_unread(self, place: dict[str, str]) -> None:
        buffer = self._model.buffer_at(place)
        if buffer is not None:
            buffer.read_seq = buffer.last_seq

    def _show_event(self, event: Event) -> None:
        model, before = self._model, self._model.current
        model.handle_event(event)
        buffer = model.current
        if isinstance(event, ConnectionRestored):
            self.loader.connection_restored()
        if isinstance(event, ConnectionRestored | RoomReset) or buffer is not before:
            self.switch_to(buffer)
        else:
            self.loader.mark_read_soon(buffer)

    # Replies.

    async def _send_command(self, parsed: ParsedCommand) -> None:
        if parsed.command.cmd == "whisper":
            buffer = self._model.direct_with(str(parsed.fields["target_user"]))
            self.switch_to(buffer)
            await self._send_to(buffer, str(parsed.fields["msg"]))
        else:
            await super()._send_command(parsed)
            if parsed.command.newest:
                self._model.current.selected = 0

    def _handle_reply(self, parsed: ParsedCommand, reply: Reply) -> None:
        self._update_model({"cmd": parsed.command.cmd, **parsed.fields}, reply)
        self._follow_reply(parsed, reply)
        for line in reply_lines(self._renderer, parsed, reply):
            self.show(line)

    def _handle_raw_reply(self, line: str, answer: str, reply: Reply) -> None:
        super()._handle_raw_reply(line, answer, reply)
        if reply.status == "ok":
            self._update_model(msgspec.json.decode(line, type=dict[str, Any]), reply)

    def _update_model(self, request: Mapping[str, Any], reply: Reply) -> None:
        """Apply a reply with status `ok` to the model."""
        model, effect = self._model, effect_of(reply.last_cmd)
        if (change := own_change(request, reply, model.me)) is not None:
            model.handle_event(change)
        if effect is Effect.LOGGED_IN:
            model.logged_in(reply)
            self.switch_to(model.current)
        elif effect is Effect.LOGGED_OUT:
            model.reset()
            self.switch_to(model.current)
        elif reply.last_cmd == "mark_unread":
            model.marked_unread(model.buffer_at(request), reply.read_seq)
        elif reply.last_cmd == "set_notify":
            model.set_notify(model.buffer_at(request), str(request.get("level", "")))
        elif effect is Effect.ROOMS_LISTED:
            model.known_rooms.update(room.name for room in reply.rooms)
        elif effect is Effect.ROOM_LEFT:
            buffer = model.find_room(str(request.get("room_name", "")))
            if buffer is not None:
                model.close(buffer)
                self.switch_to(model.current)
        elif reply.room is not None:
            model.joined(reply.room)

    def completion_words(self) -> CompletionWords:
        """Return the names that can be completed in the current buffer."""
        model, buffer = self._model, self._model.current
        senders = dict.fromkeys(line.usr for line in reversed(buffer.lines) if line.usr)
        members = sorted(model.members(buffer), key=str.casefold)
        present = [name for name in dict.fromkeys((*senders, *members)) if name != model.me]
        users = sorted({*model.online, *model.directs} - {model.me}, key=str.casefold)
        rooms = sorted({*model.known_rooms, *model.rooms}, key=str.casefold)
        return CompletionWords(_typable(present), _typable(users), _typable(rooms))


def _typable(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without control characters: the input line shows them unescaped."""
    return tuple(name for name in names if escape_controls(name) == name)


def _is_local(line: str) -> bool:
    """Return whether a line is a command that sends no request, and so need not wait."""
    command = COMMANDS.get(line[1:].split(" ", 1)[0]) if is_command(line) else None
    return command is not None and not command.cmd
