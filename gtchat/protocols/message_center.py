"""Message Center: frames of a length and a body over TCP, answered by calling back (seed 002).

    frame           4 bytes, big-endian: the length; then so many bytes of UTF-8
    login           LIN, then pairs of frames <name> <password>, each answered
                    LOGIN_FAILED|<tries left>  JUST_PENNED|<seconds>  PENNED|<seconds>
                    LOGIN_OKAY, then the token; the client sends <host> <port> and is done
    request         TYPE|user|token|rest; one per connection, which the server closes
                    MSG target|text   BRD text   ONL   BLC 1|user, 0|user   OUT   HEY
                    GET user: answered OKAY or FAIL   ALL user: may have my address
    push            one frame on a connection to the address that the client logged in from

States of a connection: FIRST → NAME ⇄ PASSWORD → HOST → PORT → closed; or FIRST → closed, with a
request. Bytes behind the last frame reset the connection. Source: spec/message-center.md.
"""

from __future__ import annotations

import enum
import secrets
import struct
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat import events
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.conversations import DirectTarget
from gtchat.chat.errors import BadCredentials, Blocked, ChatError, NoSuchUser, NotAllowed
from gtchat.chat.events import Event
from gtchat.chat.rooms import LOBBY
from gtchat.protocols.base import login
from gtchat.protocols.base.callback_rules import CallbackRules
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.dialback import READ_AT_ONCE
from gtchat.protocols.base.dialback_client import DialbackClient
from gtchat.protocols.base.dialback_server import DialbackServer
from gtchat.protocols.base.tcp import ClientConnection
from gtchat.protocols.base.text import TextEncoder, escape_controls, join_names, strip_controls

#: Largest frame, in bytes, and the largest one of a login, whose frames may have to wait.
MAX_FRAME, MAX_LOGIN_FRAME = 65_536, 8192
#: Largest list of users, in bytes, so that it fits in a frame.
LIST_BYTES = MAX_FRAME - 64
#: Seconds for a request, and for host and port after a login.
REQUEST_TIMEOUT, PORT_TIMEOUT = 10.0, 10.0
#: Seconds for the next try of a user whose name is suspended, after the suspension.
SUSPENSION_PATIENCE = 60.0

OFFLINE = "The recipient is offline. Messages will be delivered when they log on again."
BLOCKED = "Your message could not be delivered as the recipient has blocked you."
SOME_BLOCKED = "Your message could not be delivered to some recipients."
UNKNOWN = "The user does not exist."
REPLACED = "Logged on different location!"
AWAY = "While you were away...\n"

_log = Logger()


def presence_text(name: str, online: bool) -> str:
    """Return the text that says that a user logged in or out."""
    return f"{name} has logged on." if online else f"{name} is offline."


def render(event: Event) -> str | None:
    """Return an event as a client shows it; "" for one that is several, None for none."""
    if isinstance(event, events.WhisperSent | events.BroadcastSent):
        return f"[{event.usr}]: {escape_controls(event.msg)}"
    if isinstance(event, events.MessageSent):
        text = f"[{event.usr}]: {escape_controls(event.msg)}"
        return text if event.room_name == LOBBY else None
    if isinstance(event, events.LoggedIn | events.LoggedOut):
        return presence_text(event.usr, isinstance(event, events.LoggedIn))
    if isinstance(event, events.AddressRequested):
        return f"Request: {event.usr} wants your address. [allow {event.usr}] to accept."
    if isinstance(event, events.AddressGranted):
        return f"ADR|{event.usr}|{event.host}|{event.port}"
    return "" if isinstance(event, events.PresenceChanged) else None


def framed(text: str) -> bytes:
    """Return the frame of a text."""
    data = text.encode()
    return struct.pack("!I", len(data)) + data


class MessageCenter(DialbackServer):
    """All clients of Message Center, by token; and what their requests do."""

    protocol = "message_center"
    broadcast_command = "BRD"
    #: The length and the head of the frame come before the messages.
    pending_size = READ_AT_ONCE - 4 - len(AWAY)

    def __init__(self, chat: Chat, reactor: Any, rules: CallbackRules) -> None:
        super().__init__(chat, reactor, rules)
        self.encoder = TextEncoder(render, chat.legacy_edits)

    def build_connection(self) -> MessageCenterProtocol:
        """Return the protocol of a new connection of a client."""
        return MessageCenterProtocol(self)

    def encode(self, text: str) -> bytes:
        """Return the frame of a text."""
        return framed(text)

    def pending_text(self, whisper: events.WhisperSent) -> str:
        """Return a direct message that has waited for its receiver to log in."""
        return f"{render(whisper)}\n"

    def presence_text(self, name: str, online: bool) -> str:
        """Return the text that says that a user logged in or out."""
        return presence_text(name, online)

    def closing_text(self, event: Event | None) -> str:
        """Return the last text for a client whose session has ended."""
        return REPLACED if isinstance(event, events.SessionReplaced) else ""

    async def open(self, client: DialbackClient, port: int) -> None:
        """Begin to call a client at the port that it named."""
        session = client.session
        if session is None:
            return
        pending = await client.open(port)
        if client.session is None:  # the user has logged in elsewhere meanwhile
            return
        self.add_client(client)
        for text, whispers in pending:
            client.deliver(self.build_write(AWAY + text), whispers)
        client.push(presence_text(session.user.name, True))
        client.flush()

    # Requests.

    async def message(self, client: DialbackClient, rest: str) -> None:
        """MSG target|text: send a direct message."""
        target, _, text = rest.partition("|")
        try:
            for part in client.commands.split(strip_controls(text)):
                _, online = await self.chat.whispers.send(
                    client.require_session, DirectTarget(target), part, None
                )
                if not online:
                    client.push(OFFLINE)
        except Blocked:
            client.push(BLOCKED)
        except NoSuchUser:
            client.push(UNKNOWN)

    async def broadcast(self, client: DialbackClient, rest: str) -> None:
        """BRD text: send a message to the lobby."""
        session = client.require_session
        self.speak(client, strip_controls(rest))
        if any(self.chat.users.is_online(one) for one in session.user.blocked_by):
            client.push(SOME_BLOCKED)

    async def online(self, client: DialbackClient, rest: str) -> None:
        """ONL: list the users who are online."""
        online = self.chat.users.online
        names = join_names(online.page(None, len(online)), " ", LIST_BYTES)
        client.push(f"[CURRENTLY ONLINE]: {names}")

    async def block(self, client: DialbackClient, rest: str) -> None:
        """BLC 1|user or 0|user: block or unblock a user."""
        flag, _, name = rest.partition("|")
        if flag in ("0", "1"):
            try:
                await self.chat.blocks.set_block(client.require_session, name, flag == "1")
            except NoSuchUser:
                client.push(UNKNOWN)
            else:
                client.push(f"You have {'un' if flag == '0' else ''}blocked {name}")

    async def allow(self, client: DialbackClient, rest: str) -> None:
        """ALL requester: give the address of this client to a user who asked for it."""
        try:
            await self.chat.peer_address.allow(client.require_session, rest)
        except (NotAllowed, NoSuchUser):
            if not await self._is_online(rest):
                client.push(
                    f"{rest} has gone offline. Please allow access when they are online again."
                )

    async def _is_online(self, name: str) -> bool:
        try:
            user = await self.chat.directory.resolve(name)
        except NoSuchUser:
            return False
        return self.chat.users.is_online(user.id)

    async def request_address(self, client: DialbackClient, name: str) -> bool:
        """GET user: ask a user for the address; return whether that is possible."""
        try:
            await self.chat.peer_address.request(client.require_session, name)
        except ChatError:
            return False
        return True


class FrameState(enum.Enum):
    """What the next frame of a connection is."""

    FIRST = enum.auto()
    NAME = enum.auto()
    PASSWORD = enum.auto()
    HOST = enum.auto()
    PORT = enum.auto()
    DONE = enum.auto()


class MessageCenterProtocol(ClientConnection):
    """One connection of a client: a login or a request."""

    def __init__(self, server: MessageCenter) -> None:
        super().__init__(server.limiter, server.clock)
        self._server = server
        self._data = bytearray()
        self._state = FrameState.FIRST
        self._name = ""
        self._client: DialbackClient | None = None
        self._frames = CommandQueue[str](self, server.chat)

    def opened(self) -> None:
        """Expect a login or a request."""
        self.set_deadline(REQUEST_TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        """Take frames; one that is empty or too large, or comes behind the last, resets."""
        buffered = self._data
        buffered += data
        while len(buffered) >= 4 and self._state is not FrameState.DONE:
            size = struct.unpack_from("!I", buffered)[0]
            limit = MAX_FRAME if self._state is FrameState.FIRST else MAX_LOGIN_FRAME
            if not 1 <= size <= limit:
                _log.debug("a frame of {size} bytes", size=size)
                self.transport.abortConnection()
                break
            if len(buffered) < 4 + size:
                return
            body = buffered[4 : 4 + size].decode("utf-8", "replace")
            del buffered[: 4 + size]
            self._frames.submit(body)
        if self._state is FrameState.DONE and buffered:
            buffered.clear()
            self._refuse_more()

    def lost(self) -> None:
        """Give up a login that is not complete."""
        self._frames.close()
        client, self._client = self._client, None
        if client is not None:
            client.closed = True
            client.disconnect()

    def run_command(self, body: str) -> Coroutine[Any, Any, None] | None:
        """Take a frame when those before it are answered; see `CommandClient.run_command`."""
        if self._state is FrameState.FIRST:
            if body != "LIN":
                self._state = FrameState.DONE
                self._request(body)
                return None
            if not self._server.is_called(self.address):
                self._state = FrameState.DONE
                self.close_connection()
                return None
            self._wait_for_password()
            self._state = FrameState.NAME
        elif self._state is FrameState.NAME:
            self._name, self._state = body, FrameState.PASSWORD
        elif self._state is FrameState.PASSWORD:
            self._state = FrameState.NAME
            return self._log_in(self._name, body)
        elif self._state is FrameState.HOST:
            # The host is the connection's own, whatever the client says.
            self._state = FrameState.PORT
        elif self._state is FrameState.PORT:
            self._state = FrameState.DONE
            self._set_port(body)
        else:
            self._refuse_more()
        return None

    def _refuse_more(self) -> None:
        """Reset a connection, which is for one request or one login, so that its client knows."""
        lines = self._server.lines
        lines.info(_log, "{address} sends more than one request", address=self.address)
        self.transport.abortConnection()

    # Login.

    def _wait_for_password(self, suspended: float = 0.0) -> None:
        """Give the user time for a name and a password. suspended: seconds before that."""
        patience = self._server.login_patience
        self.set_deadline(max(patience, suspended + SUSPENSION_PATIENCE) if patience else 0)

    async def _log_in(self, name: str, password: str) -> None:
        """Check a name and a password, and answer."""
        server, chat = self._server, self._server.chat
        self._wait_for_password()
        refusal = self._frames.charge()
        client = self._client = DialbackClient(server, self.address)
        if refusal is not None:
            server.requests.note("LIN", client, refusal)
            self._answer(f"PENNED|{refusal.retry_after}")
            return
        logins = chat.logins
        try:
            begun = await logins.login(name, password, None, server.encoder, client, None)
            login.keep_session(client, begun.session)
        except BadCredentials as error:
            server.note_refusal("LIN", client, error)
            left = chat.accounts.attempts_left(name, self.address)
            if left:
                self._answer(f"LOGIN_FAILED|{left}")
            else:
                self._suspend("JUST_PENNED", chat.limits.lockout_seconds)
        except ChatError as error:
            server.note_refusal("LIN", client, error)
            self._suspend("PENNED", error.retry_after or chat.limits.lockout_seconds)
        else:
            server.requests.note("LIN", client)
            server.set_key(client, secrets.token_hex(16))
            self._state = FrameState.HOST
            self.set_deadline(PORT_TIMEOUT)
            self._answer("LOGIN_OKAY")
            self._answer(client.key)

    def _suspend(self, answer: str, seconds: float) -> None:
        self._wait_for_password(seconds)
        self._answer(f"{answer}|{seconds}")

    def _set_port(self, body: str) -> None:
        """Begin to call the client at the port that it names."""
        client, self._client = self._client, None
        if client is None:
            return
        if body.isdecimal() and len(body) < 6 and self._server.rules.permits_port(int(body)):
            opened = Deferred.fromCoroutine(self._server.open(client, int(body)))
            run_in_background(opened, "Message Center login")
        else:
            lines = self._server.lines
            lines.info(_log, "{name} names a port that is not called", name=client.name)
            client.disconnect()
        self.transport.loseConnection()

    # Requests.

    def _request(self, body: str) -> None:
        """Run a request if its token belongs to its user, then close."""
        kind, _, after = body.partition("|")
        name, _, after = after.partition("|")
        token, _, rest = after.partition("|")
        client = self._server.by_key.get(token)
        if client is None or client.name.lower() != name.lower():
            if kind == "GET":
                self._answer("FAIL")
            self.transport.loseConnection()
            return
        client.last_seen_at = self._server.clock.seconds()
        answer = "FAIL" if kind == "GET" else ""

        async def run() -> None:
            nonlocal answer
            if kind == "GET":
                answer = "OKAY" if await self._server.request_address(client, rest) else "FAIL"
            elif kind in REQUESTS:
                await REQUESTS[kind](self._server, client, rest)

        def done() -> None:
            if answer:
                self._answer(answer)
            self.transport.loseConnection()

        self._server.submit(client, kind, run, done)

    def _answer(self, text: str) -> None:
        self.transport.write(framed(text))


REQUESTS: dict[str, Callable[[MessageCenter, DialbackClient, str], Coroutine[Any, Any, None]]] = {
    "MSG": MessageCenter.message,
    "BRD": MessageCenter.broadcast,
    "ONL": MessageCenter.online,
    "BLC": MessageCenter.block,
    "OUT": MessageCenter.log_out,
    "ALL": MessageCenter.allow,
    "HEY": MessageCenter.heartbeat,
}
