"""Executes typed lines: sends requests and follows what their replies change. It draws nothing.

How lines are typed and where results are shown is up to its subclasses: `line_mode` and
`tui.controller`. The table of commands is in `commands`, the texts in `rendering`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeGuard

import attrs
import msgspec
from twisted.internet.defer import Deferred

from gtchat.client import (
    CommandFailed,
    Connection,
    ConnectionClosed,
    ConnectionRestored,
    Event,
    GTChatError,
    Other,
    Reply,
    RoomEvent,
    RoomReset,
    TooManyCalls,
    Unanswered,
)
from gtchat.client.commands import Effect, effect_of
from gtchat.client.event_decoder import EventDecoder
from gtchat.client.replies import decode_reply
from gtchat.ui.commands import (
    LOBBY,
    MARKS,
    CommandArgument,
    CommandContext,
    InputError,
    ParsedCommand,
)
from gtchat.ui.invitations import PendingInvitations
from gtchat.ui.message_commands import NO_MESSAGE, MessageCommands, unread_command
from gtchat.ui.parsing import check_utf8, help_lines, parse
from gtchat.ui.peer import PeerError, PeerMessenger
from gtchat.ui.rendering import Renderer
from gtchat.ui.replies import error_line, reply_lines
from gtchat.ui.stored_logins import StoredLogins, device_name
from gtchat.ui.terminal import escape_controls
from gtchat.ui.waiting_reports import tell_waiting_reports

#: Exit statuses.
EXIT_OK, EXIT_FAILED, EXIT_NO_CONNECTION, EXIT_INTERRUPTED = 0, 1, 2, 130


class Interpreter(MessageCommands):
    """The chat of one user over one connection.

    Args:
        connection: to the server.
        renderer: formats what is shown.
        peers: sends and receives peer messages; None: that is not possible.
        logins: what outlasts this client; None: nothing does.

    Attributes:
        exit_status: exit status of the program, so far.
        has_sent: whether a request was sent.
    """

    def __init__(
        self,
        connection: Connection,
        renderer: Renderer,
        peers: PeerMessenger | None = None,
        logins: StoredLogins | None = None,
    ) -> None:
        self._connection = connection
        self._renderer = renderer
        self._peers = peers
        self._stored_logins = logins
        self._user = ""
        self._context = CommandContext()
        self._invitations = PendingInvitations()
        self.exit_status = EXIT_OK
        self.has_sent = False

    # What subclasses implement.

    @abstractmethod
    def show(self, line: str) -> None:
        """Show a line without control characters."""

    @abstractmethod
    def show_error(self, line: str) -> None:
        """Show an error message without control characters."""

    @abstractmethod
    def quit(self) -> None:
        """Quit at once, without waiting for open requests."""

    @abstractmethod
    async def _ask_secret(self, secret: CommandArgument) -> str:
        """Ask the user for a secret. Raises InputError: there is none."""

    @abstractmethod
    def _show_event(self, event: Event) -> None:
        """Show an event."""

    @abstractmethod
    def _keep_unread(self, place: dict[str, str]) -> None:
        """Send no read mark for what was shown of a place so far."""

    @abstractmethod
    def _switch_room(self, room_name: str) -> None:
        """Make a room the current one."""

    @property
    def _is_interactive(self) -> bool:
        """Whether the user can be asked for input."""
        return True

    def _handle_reply(self, parsed: ParsedCommand, reply: Reply) -> None:
        """Show a reply with status `ok` and follow it."""
        for line in reply_lines(self._renderer, parsed, reply):
            self.show(line)
        self._follow_reply(parsed, reply)

    def _handle_raw_reply(self, line: str, answer: str, reply: Reply) -> None:
        """Show the reply to a request that was typed as JSON.

        Args:
            line: the request.
            answer: the reply as it was received.
            reply: the same, decoded.
        """
        self.show(escape_controls(answer))

    def _show_help(self, name: str) -> None:
        """Show the help. name: of one command, or "". Raises InputError: it is unknown."""
        for line in help_lines(name):
            self.show(line)

    # Events.

    async def _read_events(self) -> None:
        """Follow and show all events; quit after the last one."""
        try:
            async for event in self._connection.events():
                self._follow_event(event)
                self._show_event(event)
        except ConnectionClosed as error:
            self.show_error(f"the connection is closed: {escape_controls(error.text)}")
            self.exit_status = EXIT_NO_CONNECTION
        self.quit()

    def interrupt(self) -> None:
        """Quit because of a signal."""
        if not self.has_sent:
            self.exit_status = EXIT_INTERRUPTED
        self.quit()

    def _follow_event(self, event: Event) -> None:
        """Update the current room, the pending invitations and the addresses of peers."""
        self._invitations.follow(event, self._connection.user)
        self._follow_invitations()
        if self._ends_membership(event):
            self._left_room(event.room)
        if isinstance(event, ConnectionRestored):
            Deferred.fromCoroutine(self._announce_port())
        if self._peers and isinstance(event, Other) and event.kind == "address_granted":
            host, port = event.raw.get("host"), event.raw.get("port")
            if event.user and isinstance(host, str) and isinstance(port, int):
                self._peers.add_address(event.user, host, port)

    async def _announce_port(self) -> None:
        """Tell the server our port for peer messages; it forgets it with each connection."""
        if self._peers is None or self._peers.port is None or not self._connection.user:
            return
        try:
            await self._call("set_address", port=self._peers.port)
        except GTChatError as error:
            self.show_error(f"other clients can't reach this one: {escape_controls(str(error))}")

    def show_peer_message(self, host: str, text: str) -> None:
        """Show a peer message.

        Args:
            host: address that it came from.
            text: `NAME: TEXT`; the name is not verified.
        """
        self.show(f"* peer message from {host}: {escape_controls(text)}")

    def _ends_membership(self, event: Event) -> TypeGuard[RoomEvent | RoomReset]:
        """Return whether the user is no longer in a room because of an event."""
        if isinstance(event, RoomReset):
            return event.reason == "left"
        if not isinstance(event, RoomEvent):
            return False
        own = event.user == self._connection.user
        return event.kind == "room_gone" or (
            own and event.kind in ("kicked", "removed", "leave_room")
        )

    def _left_room(self, room_name: str) -> None:
        if room_name == self._context.room:
            self._switch_room(LOBBY)

    def _follow_invitations(self) -> None:
        invited, inviter = self._invitations.newest
        self._update_context(inviter=inviter, invited=invited)

    def _update_context(self, **changes: str) -> None:
        self._context = attrs.evolve(self._context, **changes)

    # Lines.

    async def _execute(self, line: str) -> None:
        """Execute a line: a message, a command or a JSON request. Errors are shown."""
        if not line.strip():
            return
        try:
            if not line.isprintable():
                check_utf8(line)
            if line.startswith("{"):
                await self._send_raw(line)
            elif is_command(line):
                await self._run_command(line)
            else:
                await self._send_message(message_text(line))
        except InputError as error:
            self._fail(f"error: {escape_controls(str(error))}")
        except CommandFailed as error:
            self._fail(error_line(error))
        except Unanswered as error:
            self._fail(f"error: {error}: check whether it was executed before you repeat it")
        except TooManyCalls as error:
            self._fail(f"error: {error}")
        except ConnectionClosed:
            self.quit()  # _read_events shows the reason

    def _fail(self, text: str) -> None:
        self.show_error(text)
        self.exit_status = self.exit_status or EXIT_FAILED

    async def _call(self, cmd: str, **fields: Any) -> Reply:
        """Send a command and return its reply."""
        self.has_sent = True
        return await self._connection.call(cmd, **fields)

    async def _send_raw(self, line: str) -> None:
        """Send a JSON request as it was typed and show its reply as it was received."""
        self.has_sent = True
        answer = await self._connection.send(line)
        reply = decode_reply(msgspec.json.decode(answer), EventDecoder())
        self._handle_raw_reply(line, answer, reply)
        if reply.status != "ok":
            self.exit_status = self.exit_status or EXIT_FAILED

    async def _run_command(self, line: str) -> None:
        """Run a command of the table."""
        parsed = await self._complete(parse(line, self._context))
        if parsed.secrets and await self._log_in_by_token(parsed):
            return
        for secret in parsed.secrets:
            parsed.fields[secret.field] = await self._ask_secret(secret)
        run = _RUN.get(parsed.command.name)
        if run is not None:
            await run(self, **parsed.fields)
        elif parsed.command.cmd:
            await self._send_command(parsed)

    async def _run_room(self, room_name: str) -> None:
        self._switch_room(room_name)

    async def _run_help(self, name: str = "") -> None:
        self._show_help(name)

    async def _run_me(self, msg: str) -> None:
        await self._send_message(msg, style="action")

    async def _run_unread(self, seq: int | None = None, **place: str) -> None:
        seq = seq or await self._newest_message("other")
        if not seq:
            raise InputError(NO_MESSAGE["other"])
        self._keep_unread(place)
        await self._send_command(unread_command(place, seq))

    async def _run_numbers(self) -> None:
        self._show_numbers(not self._renderer.numbers)

    def _show_numbers(self, on: bool) -> None:
        self._renderer.numbers = on
        self.show(f"* the numbers of messages are {'shown' if on else 'hidden'}")

    async def _send_peer_message(self, user: str, msg: str) -> None:
        if self._peers is None:
            raise InputError("this client can't send peer messages")
        try:
            await self._peers.send(self._connection.user or "", user, msg)
        except PeerError as error:
            raise InputError(str(error)) from None

    async def _log_in_by_token(self, parsed: ParsedCommand) -> bool:
        """Log in without the password, if the user stays logged in. Return whether it is done.

        In a pipe the next line is the password: it must not be read as a message.
        """
        if self._stored_logins is None or not self._is_interactive or parsed.command.cmd != "login":
            return False
        logins, user = self._stored_logins, str(parsed.fields.get("usr", ""))
        if not (token := logins.token(user)):
            return False
        fields = {"type": "device", "device": logins.device(), "device_token": token}
        try:
            await self._send_command(attrs.evolve(parsed, fields={**fields, **MARKS}))
        except CommandFailed as error:
            if error.code not in ("bad_credentials", "not_allowed"):
                raise
            self._store_login(user, "")
            self.show(f"* {escape_controls(error.text)}")
            return False
        return True

    def _store_login(self, user: str, token: str) -> None:
        """Store the token of a user, or delete it. token: "" to delete it."""
        if self._stored_logins is None:
            return
        try:
            if token:
                self._stored_logins.keep(user, token)
            else:
                self._stored_logins.forget(user)
        except OSError as error:
            self.show_error(f"error: {escape_controls(str(error))}: this login is not stored")

    async def _send_command(self, parsed: ParsedCommand) -> None:
        cmd = parsed.command.cmd
        if self._stored_logins is not None and parsed.fields.get("type") == "reg":
            parsed.fields.update(device=self._stored_logins.device(), device_name=device_name())
        try:
            reply = await self._call(cmd, **parsed.fields)
        except CommandFailed as error:
            if cmd != "join_room" or error.code != "already_in_room":
                raise
            self._switch_room(parsed.fields["room_name"])
            return
        self._handle_reply(parsed, reply)

    def _follow_reply(self, parsed: ParsedCommand, reply: Reply) -> None:
        """Switch to the room that a command entered, or leave the one that it left."""
        effect = effect_of(parsed.command.cmd)
        if "inviter" in parsed.fields and parsed.fields["reply"] != "L":
            self._invitations.answered(parsed.fields["room_name"], parsed.fields["inviter"])
            self._follow_invitations()
        if effect is Effect.ROOM_ENTERED and reply.room is not None:
            self._switch_room(reply.room.name)
        elif effect is Effect.ROOM_LEFT:
            self._left_room(parsed.fields["room_name"])
        elif effect is Effect.LOGGED_OUT:
            self._store_login(self._user, "")
        elif effect is Effect.PASSWORD_CHANGED and reply.device_token:
            self._store_login(self._user, reply.device_token)
        elif effect is Effect.LOGGED_IN:
            self._invitations.clear()
            self._user = reply.usr
            if reply.device_token:
                self._store_login(reply.usr, reply.device_token)
            elif parsed.fields.get("remember"):
                self.show("* this server does not keep you logged in")
            self._follow_invitations()
            self._update_context(room=LOBBY, direct="")
            Deferred.fromCoroutine(self._announce_port())
            Deferred.fromCoroutine(tell_waiting_reports(self._connection, reply, self.show))


#: Command -> what runs it, if that is not just a request and its reply.
_RUN: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "room": Interpreter._run_room,
    "private": Interpreter._send_peer_message,
    "help": Interpreter._run_help,
    "me": Interpreter._run_me,
    "unread": Interpreter._run_unread,
    "reply": Interpreter._run_reply,
    "numbers": Interpreter._run_numbers,
}


def is_command(line: str) -> bool:
    """Return whether a line is a command; one that begins with `//` is a message."""
    return line.startswith("/") and not line.startswith("//")


def message_text(line: str) -> str:
    """Return the text of a line that is a message."""
    return line[1:] if line.startswith("//") else line
