"""PA1: a line of words on a TCP connection of its own, answered by calling back (seed 003).

    client  logIn <user> <password> <port>     answered by a call to that port, at its own address:
            Ok, and 100 ms later a space and what waited; wrong password; usr not exist; BLOCK
    client  <user> online | message <user> <text> | broadcast <text> | getaddress <user>
                   | block <user> | unblock <user> | logout | heartbeat <time> | loginfail <time>
    call    Privacy <user> wants to get your IP …       answered Y or anything else
            usrIp <user> <host> <port>    logout <host>    all else is shown

One command a connection, read until 50 ms of silence; we close it. A command counts only from the
address that its user logged in from. Source: spec/pa1.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from gtchat.chat import events
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import BadCredentials, Blocked, ChatError, NoSuchUser, SelfTarget
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack
from gtchat.protocols.base.dialback import (
    DialbackClient,
    DialbackQueue,
    DialbackServer,
    OutgoingCall,
    OutgoingWrite,
    Undeliverable,
)
from gtchat.protocols.base.text import (
    LOBBY,
    TextEncoder,
    escape_controls,
    split_text,
    strip_controls,
)

#: Bytes of a command; seconds of silence that end it, and that one may last in all.
LARGEST, PAUSE, WHOLE = 4096, 0.05, 60.0
#: Seconds between Ok and the text behind it, and for consent.
AFTER_OK, CONSENT = 0.1, 60.0

REJECTED = "\nYour request is rejected\n"

_log = Logger()


def render(event: Event) -> str | None:
    """An event as a client of PA1 shows it; "" for one that is several, or has a call its own."""
    if isinstance(event, events.MessageSent):
        return (
            f"{event.usr} said: {escape_controls(event.msg)}\n"
            if event.room_name == LOBBY
            else None
        )
    if isinstance(event, events.WhisperSent):
        return f"\n{event.usr}:{escape_controls(event.msg)}\n"
    if isinstance(event, events.BroadcastSent):
        return f"{event.usr} said: {escape_controls(event.msg)}\n"
    if isinstance(event, events.LoggedIn):
        return f">>>{event.usr}<<<logs in\n"
    if isinstance(event, events.LoggedOut):
        return f">>>{event.usr}<<<logs out\n"
    if isinstance(event, events.AddressGranted):
        return f"usrIp {event.usr} {event.host} {event.port}"
    if isinstance(event, events.AddressDenied):
        return REJECTED
    if isinstance(event, events.AddressRequested):
        return (
            f"Privacy {event.usr} wants to get your IP for P2P chat. "
            "Type Y/y if agree, type N/n otherwise\n"
        )
    return "" if isinstance(event, events.PresenceChanged) else None


@attrs.define(eq=False)
class Question:
    """A call that waits for an answer. answered: called once, with whether it was yes."""

    clock: Any
    text: bytes
    answered: Callable[[bool], None]
    seconds: float = CONSENT
    _transport: Any = None
    _timer: IDelayedCall | None = None

    def connected(self, transport: Any, done: Callable[[Exception | None], None]) -> None:
        """Ask."""
        self._transport = transport
        self._timer = self.clock.callLater(CONSENT, self.received, b"N")
        transport.write(self.text)

    def received(self, data: bytes) -> None:
        """The answer; it counts once."""
        timer, self._timer = self._timer, None
        if timer is not None:
            if timer.active():
                timer.cancel()
            self.answered(data.strip() in (b"Y", b"y"))
        self._transport.loseConnection()


class PA1(DialbackServer):
    """All people of PA1, by name."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)
        self.encoder = TextEncoder(render)
        self.by_key: dict[str, DialbackClient] = {}
        self._asking: dict[tuple[DialbackClient, str], IDelayedCall] = {}

    def frame(self, text: str) -> bytes:
        """A text as the protocol writes it."""
        return text.encode()

    def render_each(self, event: Event) -> list[str]:
        """Many comings and goings, one by one."""
        assert isinstance(event, events.PresenceChanged)
        return [f">>>{name}<<<logs out\n" for name in event.logouts] + [
            f">>>{name}<<<logs in\n" for name in event.logins
        ]

    def closing_text(self, event: Event | None, reason: str) -> str:
        """What somebody is told last: his client ends with it."""
        return f"logout {event.address}" if isinstance(event, events.SessionReplaced) else ""

    def remove_client(self, person: DialbackClient) -> None:
        """Somebody is not here any more."""
        super().remove_client(person)
        for key in [key for key, one in self.by_key.items() if one is person]:
            del self.by_key[key]
        for asking in [asking for asking in self._asking if asking[0] is person]:
            self._asking.pop(asking).cancel()

    def call(self, person: DialbackClient, event: Event, text: str) -> OutgoingCall:
        """The call that tells an event; a request for one's address wants an answer."""
        if isinstance(event, events.AddressGranted | events.AddressDenied):
            timer = self._asking.pop((person, event.usr.lower()), None)
            if timer is not None:
                timer.cancel()
        if isinstance(event, events.AddressRequested):
            asker = event.usr

            def answered(yes: bool) -> None:
                run_in_background(
                    Deferred.fromCoroutine(self._consent(person, asker, yes)), "consent"
                )

            return Question(self.clock, text.encode(), answered)
        return super().call(person, event, text)

    async def _consent(self, person: DialbackClient, asker: str, yes: bool) -> None:
        """Somebody has answered whether his address may be told."""
        if person.session is not None:
            addresses = self.chat.peer_address
            await (addresses.allow if yes else addresses.deny)(person.session, asker)

    # Login.

    async def log_in(self, address: str, name: str, secret: str, port: int) -> None:
        """Somebody wants to come in; the answer is a call."""
        person = DialbackClient(self, address)
        answer = await self._answer(person, name, secret)
        line = DialbackQueue(self.reactor, address, port, self.own_ports)
        if answer != "Ok" or person.session is None:
            line.call(OutgoingWrite(self.clock, [(0, answer.encode())])).addErrback(_undeliverable)
            return
        if not 1024 <= port <= 65_535:
            person.disconnect()
            return
        session = person.session
        self.by_key[session.user.key] = person
        waited = await person.open(session, port)
        if person.session is None:  # he came from elsewhere meanwhile
            return
        self.add_client(person)
        texts = "".join(f"\n{one.usr} said:{one.msg}\n" for one in waited)
        parts = [(0.0, b"Ok"), (AFTER_OK, f" {texts}".encode())]
        person.deliver(OutgoingWrite(self.clock, parts), waited)
        person.push(f">>>{session.user.name}<<<logs in\n")
        person.flush()

    async def _answer(self, person: DialbackClient, name: str, secret: str) -> str:
        """The answer to a login; after `Ok` the person has a session."""
        try:
            await self.chat.directory.resolve(name)
            person.session, _ = await self.chat.sessions.login(
                name, secret, None, self.encoder, person, None
            )
        except NoSuchUser:
            return "usr not exist"
        except BadCredentials:
            return "wrong password"
        except ChatError:
            return "BLOCK"
        return "Ok"

    # Commands.

    async def online(self, person: DialbackClient, rest: str) -> None:
        """Who is here."""
        here = self.chat.users.online
        person.push("\n" + "".join(f"{name}\n" for name in here.page(None, len(here))))

    async def message(self, person: DialbackClient, rest: str) -> None:
        """message <user> <text>."""
        assert person.session is not None
        target, _, text = rest.partition(" ")
        try:
            for piece in split_text(text, self.chat.limits.text_chars):
                await self.chat.whispers.send(person.session, target, piece, None)
        except NoSuchUser:
            person.push("\nusr doesn't exist\n")
        except Blocked:
            person.push("\nyou are blocked by this user, sending failed\n")

    async def broadcast(self, person: DialbackClient, rest: str) -> None:
        """broadcast <text>."""
        assert person.session is not None

        def done(result: Ack | ChatError) -> None:
            if isinstance(result, ChatError):
                person.push(f"\n{result.text}\n")

        for piece in split_text(rest, self.chat.limits.text_chars):
            self.chat.speak(person.session, LOBBY, piece, None, done)

    async def get_address(self, person: DialbackClient, name: str) -> None:
        """getaddress <user>: he is asked, and has a minute to answer."""
        assert person.session is not None
        try:
            await self.chat.peer_address.request(person.session, name)
        except (NoSuchUser, SelfTarget):
            person.push(f"{name} is not online, please send offline msg")
        except Blocked:
            person.push(f"\nsorry, you are blocked by {name}. Failed to get the peer address \n")
        else:
            asking = person, name.lower()
            timer = self._asking.pop(asking, None)
            if timer is not None:
                timer.cancel()
            self._asking[asking] = self.clock.callLater(CONSENT, self._no_answer, asking)

    def _no_answer(self, asking: tuple[DialbackClient, str]) -> None:
        del self._asking[asking]
        asking[0].push(REJECTED)

    async def block(self, person: DialbackClient, name: str) -> None:
        """block <user>."""
        assert person.session is not None
        try:
            await self.chat.blocks.set_block(person.session, name, True)
        except NoSuchUser:
            person.push("\nblock_usr doesn't exist\n")
        else:
            person.push(f"{name} is Blocked Successfully\n")

    async def unblock(self, person: DialbackClient, name: str) -> None:
        """unblock <user>."""
        assert person.session is not None
        blocked = {one.lower() for one in person.session.user.blocked.values()}
        if name.lower() not in blocked:
            person.push("\nunblock_usr doesn't exist in your blacklist\n")
            return
        await self.chat.blocks.set_block(person.session, name, False)
        person.push(f"{name} is Unblocked Successfully\n")

    async def log_out(self, person: DialbackClient, rest: str) -> None:
        """logout."""
        person.disconnect()

    async def heartbeat(self, person: DialbackClient, rest: str) -> None:
        """heartbeat <time>: any command is a sign of life."""


COMMANDS: dict[str, Callable[[PA1, DialbackClient, str], Awaitable[None]]] = {
    "online": PA1.online,
    "message": PA1.message,
    "broadcast": PA1.broadcast,
    "getaddress": PA1.get_address,
    "block": PA1.block,
    "unblock": PA1.unblock,
    "logout": PA1.log_out,
    "heartbeat": PA1.heartbeat,
    "loginfail": PA1.heartbeat,
}


class PA1Protocol(Protocol):
    """One connection of a client: one command."""

    transport: Any

    def __init__(self, server: PA1) -> None:
        self._server = server
        self._data = b""
        self._pause: IDelayedCall | None = None
        self._late: IDelayedCall | None = None
        self._done = False

    def connectionMade(self) -> None:
        """A client has something to say, or not."""
        self._late = self._server.clock.callLater(WHOLE, self.transport.abortConnection)
        if not self._server.limiter.acquire(self.transport.getPeer().host):
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes until there is a pause."""
        self._data = (self._data + data)[:LARGEST]
        if self._pause is not None:
            self._pause.reset(PAUSE)
        elif not self._done:
            self._pause = self._server.clock.callLater(PAUSE, self._command)

    def connectionLost(self, reason: Any = None) -> None:
        """The client has closed: what it said counts."""
        self._server.limiter.release(self.transport.getPeer().host)
        if self._late is not None and self._late.active():
            self._late.cancel()
        if self._pause is not None:
            self._pause.cancel()
            self._command()

    def _command(self) -> None:
        self._pause, self._done = None, True
        work = self._act(strip_controls(self._data))
        run_in_background(Deferred.fromCoroutine(work), "PA1")

    async def _act(self, line: str) -> None:
        """Do what a line says, then close."""
        server, address = self._server, self.transport.getPeer().host
        words = line.split(" ", 3)
        person: DialbackClient | None = None
        try:
            if words[0] == "logIn" and len(words) == 4 and words[3].isdecimal():
                await server.log_in(address, words[1], words[2], int(words[3][:6]))
                return
            name, _, rest = line.partition(" ")
            word, _, rest = rest.partition(" ")
            person = server.by_key.get(name.lower())
            if person is None or person.address != address:
                _log.debug("a command from {address} for nobody", address=address)
                return
            person.last_seen_at = server.clock.seconds()
            if word in COMMANDS:
                await COMMANDS[word](server, person, rest)
        except ChatError as error:
            if person is not None:
                person.push(f"\n{error.text}\n")
        finally:
            self.transport.loseConnection()


def _undeliverable(failure: Any) -> None:
    """Somebody who may not come in does not listen: that is his own affair."""
    failure.trap(Undeliverable)


class PA1Factory(Factory):
    """Makes connections. house: its people."""

    noisy = False

    def __init__(self, server: PA1) -> None:
        self.server = server

    def buildProtocol(self, addr: IAddress | None) -> PA1Protocol:
        """A connection."""
        return PA1Protocol(self.server)

    def stop(self) -> None:
        """The server stops."""
        self.server.stop()
