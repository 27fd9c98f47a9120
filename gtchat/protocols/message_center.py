"""Message Center: frames of a length and a body over TCP, answered by calling back (seed 002).

    frame           4 bytes, big-endian: the length; then so many bytes of UTF-8
    login           LIN, then pairs of frames <name> <password>, each answered
                    LOGIN_FAILED|<tries left>  JUST_PENNED|<seconds>  PENNED|<seconds>
                    LOGIN_OKAY, then the token; the client sends <host> <port> and is done
    request         TYPE|user|token|rest; one a connection, which we close
                    MSG target|text   BRD text   ONL   BLC 1|user, 0|user   OUT   HEY
                    GET user: answered OKAY or FAIL   ALL user: he may have my address
    push            one frame on a connection to the address that the client logged in from

States of a connection: fresh → naming ⇄ checking → placing (host and port) → closed;
or fresh → asking → closed. Source: spec/message-center.md.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from gtchat.chat import events
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import BadCredentials, Blocked, ChatError, LockedOut, NoSuchUser, NotAllowed
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack
from gtchat.protocols.base.dialback import DialbackClient, DialbackServer, OutgoingWrite
from gtchat.protocols.base.text import (
    LOBBY,
    TextEncoder,
    escape_controls,
    split_text,
    strip_controls,
)

#: Bytes of a frame, and seconds for a request, and for a login once it is right.
LARGEST, REQUEST, PLACE = 65_536, 10.0, 10.0

OFFLINE = "The recipient is offline. Messages will be delivered when they log on again."
BLOCKED = "Your message could not be delivered as the recipient has blocked you."
SOME_BLOCKED = "Your message could not be delivered to some recipients."
UNKNOWN = "The user does not exist."
ELSEWHERE = "Logged on different location!"

_log = Logger()


def render(event: Event) -> str | None:
    """An event as a client of Message Center shows it; "" for one that is several."""
    if isinstance(event, events.MessageSent):
        return f"[{event.usr}]: {escape_controls(event.msg)}" if event.room_name == LOBBY else None
    if isinstance(event, events.WhisperSent | events.BroadcastSent):
        return f"[{event.usr}]: {escape_controls(event.msg)}"
    if isinstance(event, events.LoggedIn):
        return f"{event.usr} has logged on."
    if isinstance(event, events.LoggedOut):
        return f"{event.usr} is offline."
    if isinstance(event, events.AddressRequested):
        return f"Request: {event.usr} wants your address. [allow {event.usr}] to accept."
    if isinstance(event, events.AddressGranted):
        return f"ADR|{event.usr}|{event.host}|{event.port}"
    return "" if isinstance(event, events.PresenceChanged) else None


def framed(text: str) -> bytes:
    """A frame."""
    data = text.encode()
    return struct.pack("!I", len(data)) + data


class MessageCenter(DialbackServer):
    """All people of Message Center, by token."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)
        self.encoder = TextEncoder(render)
        self.by_token: dict[str, DialbackClient] = {}

    def frame(self, text: str) -> bytes:
        """A text as the protocol writes it."""
        return framed(text)

    def render_each(self, event: Event) -> list[str]:
        """Many comings and goings, one by one."""
        assert isinstance(event, events.PresenceChanged)
        return [f"{name} is offline." for name in event.logouts] + [
            f"{name} has logged on." for name in event.logins
        ]

    def closing_text(self, event: Event | None, reason: str) -> str:
        """What somebody is told last."""
        return ELSEWHERE if isinstance(event, events.SessionReplaced) else ""

    def remove_client(self, person: DialbackClient) -> None:
        """Somebody is not here any more: his token is dead."""
        super().remove_client(person)
        for token in [token for token, one in self.by_token.items() if one is person]:
            del self.by_token[token]

    async def begin(self, person: DialbackClient, port: int) -> None:
        """Somebody has said where he listens."""
        session = person.session
        if session is None:
            return
        waited = await person.open(session, port)
        if person.session is None:  # he came from elsewhere meanwhile
            return
        self.add_client(person)
        if waited:
            texts = "".join(f"[{one.usr}]: {one.msg}\n" for one in waited)
            text = f"While you were away...\n{texts}"
            person.deliver(OutgoingWrite(self.clock, [(0, framed(text))]), waited)
        person.push(f"{session.user.name} has logged on.")
        person.flush()

    # Requests.

    async def message(self, person: DialbackClient, rest: str) -> None:
        """MSG target|text."""
        assert person.session is not None
        target, _, text = rest.partition("|")
        try:
            for piece in split_text(strip_controls(text), self.chat.limits.text_chars):
                _, now = await self.chat.whispers.send(person.session, target, piece, None)
                if not now:
                    person.push(OFFLINE)
        except Blocked:
            person.push(BLOCKED)
        except NoSuchUser:
            person.push(UNKNOWN)

    async def broadcast(self, person: DialbackClient, rest: str) -> None:
        """BRD text."""
        session = person.session
        assert session is not None

        def done(result: Ack | ChatError) -> None:
            if isinstance(result, ChatError):
                person.push(result.text)

        for piece in split_text(strip_controls(rest), self.chat.limits.text_chars):
            self.chat.speak(session, LOBBY, piece, None, done)
        if any(self.chat.users.get_by_id(one) for one in session.user.blocked_by):
            person.push(SOME_BLOCKED)

    async def online(self, person: DialbackClient, rest: str) -> None:
        """ONL."""
        here = self.chat.users.online
        names = "".join(f"{name} " for name in here.page(None, len(here)))
        person.push(f"[CURRENTLY ONLINE]: {names}")

    async def block(self, person: DialbackClient, rest: str) -> None:
        """BLC 1|user or 0|user."""
        assert person.session is not None
        flag, _, name = rest.partition("|")
        if flag in ("0", "1"):
            try:
                await self.chat.blocks.set_block(person.session, name, flag == "1")
            except NoSuchUser:
                person.push(UNKNOWN)
            else:
                person.push(f"You have {'un' if flag == '0' else ''}blocked {name}")

    async def leave(self, person: DialbackClient, rest: str) -> None:
        """OUT."""
        person.disconnect()

    async def live(self, person: DialbackClient, rest: str) -> None:
        """HEY: any request is a sign of life."""

    async def allow(self, person: DialbackClient, rest: str) -> None:
        """ALL requester."""
        assert person.session is not None
        try:
            await self.chat.peer_address.allow(person.session, rest)
        except (NotAllowed, NoSuchUser):
            user = self.chat.users.get(rest.lower())
            if user is None or not user.sessions:
                person.push(
                    f"{rest} has gone offline. Please allow access when they are online again."
                )

    async def ask(self, person: DialbackClient, name: str) -> str:
        """GET user: the answer."""
        assert person.session is not None
        try:
            await self.chat.peer_address.request(person.session, name)
        except ChatError:
            return "FAIL"
        return "OKAY"


class MessageCenterProtocol(Protocol):
    """One connection of a client."""

    transport: Any

    def __init__(self, server: MessageCenter) -> None:
        self._server = server
        self._data = b""
        self._take: Callable[[str], None] = self._first
        self._name = ""
        self._person: DialbackClient | None = None
        self._host = ""
        self._busy = False
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """A client has something to say."""
        self.transport.setTcpNoDelay(True)
        self._within(REQUEST)
        if not self._server.limiter.acquire(self.transport.getPeer().host):
            self.transport.abortConnection()

    def _within(self, seconds: float) -> None:
        """Close the connection after so many seconds (0: never)."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds:
            self._timer = self._server.clock.callLater(seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take frames, one at a time."""
        self._data += data
        while len(self._data) >= 4 and not self._busy:
            size = struct.unpack("!I", self._data[:4])[0]
            if not 1 <= size <= LARGEST:
                _log.debug("a frame of {size} bytes", size=size)
                self.transport.abortConnection()
                return
            if len(self._data) < 4 + size:
                break
            body, self._data = self._data[4 : 4 + size], self._data[4 + size :]
            self._take(body.decode("utf-8", "replace"))
        if len(self._data) > LARGEST + 4:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        """The connection is gone."""
        self._within(0)
        self._server.limiter.release(self.transport.getPeer().host)
        person, self._person = self._person, None
        if person is not None:
            person.disconnect()

    def _do(self, work: Awaitable[None]) -> None:
        """Let something be done; frames that come meanwhile wait."""
        self._busy = True
        run_in_background(Deferred.fromCoroutine(self._through(work)), "Message Center")

    async def _through(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            self._busy = False
            if self._data:
                self.dataReceived(b"")

    def _first(self, body: str) -> None:
        """The first frame says what the connection is for."""
        if body == "LIN":
            self._within(self._server.chat.limits.login_timeout)
            self._take = self._naming
        else:
            self._do(self._request(body))

    # Login.

    def _naming(self, body: str) -> None:
        self._name, self._take = body, self._checking

    def _checking(self, body: str) -> None:
        self._take = self._naming
        self._do(self._log_in(self._name, body))

    async def _log_in(self, name: str, secret: str) -> None:
        """See whether a password is right, and say so."""
        server, chat = self._server, self._server.chat
        address = self.transport.getPeer().host
        person = DialbackClient(server, address)
        try:
            session, _ = await chat.sessions.login(name, secret, None, server.encoder, person, None)
        except BadCredentials:
            left = chat.accounts.attempts_left(name, address)
            seconds = chat.limits.lockout_seconds
            self._answer(f"LOGIN_FAILED|{left}" if left else f"JUST_PENNED|{seconds}")
        except ChatError as error:
            wait = error.retry_after if isinstance(error, LockedOut) else None
            self._answer(f"PENNED|{wait or chat.limits.lockout_seconds}")
        else:
            person.session = session
            if not self.transport.connected:
                person.disconnect()
                return
            token = secrets.token_hex(16)
            server.by_token[token] = person
            self._person = person
            self._take = self._hosting
            self._within(PLACE)
            self._answer("LOGIN_OKAY")
            self._answer(token)

    def _hosting(self, body: str) -> None:
        # The host is the connection's own, whatever the client says.
        self._take = self._placing

    def _placing(self, body: str) -> None:
        person, self._person = self._person, None
        self._within(0)
        if person is None:
            return
        if body.isdecimal() and len(body) < 6 and 1024 <= int(body) <= 65_535:
            begun = self._server.begin(person, int(body))
            run_in_background(Deferred.fromCoroutine(begun), "Message Center")
        else:
            _log.info("{name} listens at no port", name=person.name)
            person.disconnect()
        self.transport.loseConnection()

    # Requests.

    async def _request(self, body: str) -> None:
        """Do what a client asks for, if its token is right."""
        kind, _, after = body.partition("|")
        name, _, after = after.partition("|")
        token, _, rest = after.partition("|")
        person = self._server.by_token.get(token)
        right = person is not None and person.name.lower() == name.lower()
        if person is not None and right:
            person.last_seen_at = self._server.clock.seconds()
        try:
            if kind == "GET":
                self._answer(await self._server.ask(person, rest) if person and right else "FAIL")
            elif person is not None and right and kind in REQUESTS:
                await REQUESTS[kind](self._server, person, rest)
        except ChatError as error:
            if person is not None:
                person.push(error.text)
        finally:
            self.transport.loseConnection()

    def _answer(self, text: str) -> None:
        self.transport.write(framed(text))


REQUESTS: dict[str, Callable[[MessageCenter, DialbackClient, str], Awaitable[None]]] = {
    "MSG": MessageCenter.message,
    "BRD": MessageCenter.broadcast,
    "ONL": MessageCenter.online,
    "BLC": MessageCenter.block,
    "OUT": MessageCenter.leave,
    "ALL": MessageCenter.allow,
    "HEY": MessageCenter.live,
}


class MessageCenterFactory(Factory):
    """Makes connections. house: its people."""

    noisy = False

    def __init__(self, server: MessageCenter) -> None:
        self.server = server

    def buildProtocol(self, addr: IAddress | None) -> MessageCenterProtocol:
        """A connection."""
        return MessageCenterProtocol(self.server)

    def stop(self) -> None:
        """The server stops."""
        self.server.stop()
