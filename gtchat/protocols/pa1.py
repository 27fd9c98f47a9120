"""PA1: one line of words on a TCP connection of its own, answered by calling back (seed 003).

    client  logIn <user> <password> <port>     answered by a call to that port, at its own address:
            Ok, and 100 ms later a space and what was pending; wrong password; usr not exist; BLOCK
    client  <user> online | message <user> <text> | broadcast <text> | getaddress <user>
                   | block <user> | unblock <user> | logout | heartbeat <time> | loginfail <time>
    call    Privacy <user> wants to get your IP …       answered Y or anything else
            usrIp <user> <host> <port>    logout <host>    all else is shown

One command per connection, read until 50 ms of silence; the server closes. A command counts only
from the address that its user logged in from. States of a connection: reading → running → closed.
Source: spec/pa1.md.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat import events
from gtchat.chat.accounts import login_key
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.conversations import DirectTarget
from gtchat.chat.errors import BadCredentials, Blocked, ChatError, NoSuchUser, SelfTarget
from gtchat.chat.events import Event
from gtchat.chat.rooms import LOBBY
from gtchat.protocols.base import login
from gtchat.protocols.base.callback_rules import CallbackRules
from gtchat.protocols.base.dialback import (
    END,
    READ_AT_ONCE,
    DialbackQueue,
    OutgoingCall,
    OutgoingWrite,
    Undeliverable,
)
from gtchat.protocols.base.dialback_client import DialbackClient
from gtchat.protocols.base.dialback_questions import ANSWER_TIMEOUT, Question
from gtchat.protocols.base.dialback_server import DialbackServer
from gtchat.protocols.base.tcp import ClientConnection
from gtchat.protocols.base.text import TextEncoder, escape_controls, join_names, strip_controls

#: Largest list of users, in bytes: what a client reads at once.
MAX_READ = 4096
#: Largest command, in bytes; seconds of silence that end it.
MAX_COMMAND, COMMAND_PAUSE = 4096, 0.05
#: Seconds between Ok and the text behind it.
PENDING_PAUSE = 0.1

REJECTED = "\nYour request is rejected\n"

_log = Logger()


def presence_text(name: str, online: bool) -> str:
    """Return the text that says that a user logged in or out."""
    return f">>>{name}<<<logs {'in' if online else 'out'}\n"


def render(event: Event) -> str | None:
    """Return an event as a client shows it; "" for one that is several, None for none."""
    if isinstance(event, events.WhisperSent):
        return f"\n{event.usr}:{escape_controls(event.msg)}\n"
    if isinstance(event, events.MessageSent):
        text = f"{event.usr} said: {escape_controls(event.msg)}\n"
        return text if event.room_name == LOBBY else None
    if isinstance(event, events.BroadcastSent):
        return f"{event.usr} said: {escape_controls(event.msg)}\n"
    if isinstance(event, events.LoggedIn | events.LoggedOut):
        return presence_text(event.usr, isinstance(event, events.LoggedIn))
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


class PA1(DialbackServer):
    """All clients of PA1, by the key of their user; and what their commands do."""

    protocol = "pa1"
    broadcast_command = "broadcast"
    #: A space comes before the messages.
    pending_size = READ_AT_ONCE - 1

    def __init__(self, chat: Chat, reactor: Any, rules: CallbackRules) -> None:
        super().__init__(chat, reactor, rules)
        self.encoder = TextEncoder(render, chat.legacy_edits)
        #: Client -> key of the user whose address it asked for -> timer of the refusal.
        self._requests: dict[DialbackClient, dict[str, IDelayedCall]] = {}

    def build_connection(self) -> PA1Protocol:
        """Return the protocol of a new connection of a client."""
        return PA1Protocol(self)

    def encode(self, text: str) -> bytes:
        """Return a text as the protocol writes it: without a frame."""
        return text.encode()

    def pending_text(self, whisper: events.WhisperSent) -> str:
        """Return a direct message that has waited for its receiver to log in."""
        return f"\n{whisper.usr} said:{escape_controls(whisper.msg)}\n"

    def presence_text(self, name: str, online: bool) -> str:
        """Return the text that says that a user logged in or out."""
        return presence_text(name, online)

    def error_text(self, error: ChatError) -> str:
        """Return the text that tells a client why a command was refused."""
        return f"\n{error.text}\n"

    def closing_text(self, event: Event | None) -> str:
        """Return the last text for a client whose session has ended: the client exits at it."""
        return f"logout {event.address}" if isinstance(event, events.SessionReplaced) else ""

    def remove_client(self, client: DialbackClient) -> None:
        """Forget a client and its address requests."""
        super().remove_client(client)
        for timer in self._requests.pop(client, {}).values():
            timer.cancel()

    def build_call(self, client: DialbackClient, event: Event, text: str) -> OutgoingCall | None:
        """Return the call that sends an event, None for an address request, which is asked."""
        if isinstance(event, events.AddressGranted | events.AddressDenied):
            waiting = self._cancel_refusal(client, login_key(event.usr))
            if isinstance(event, events.AddressDenied) and not waiting:
                return None  # the client was told so when the time was over
        if isinstance(event, events.AddressRequested):
            self._ask(client, event.usr, text)
            return None
        return super().build_call(client, event, text)

    def _ask(self, client: DialbackClient, asker: str, text: str) -> None:
        """Ask a user for the address; refuse it where too many questions wait."""

        def answered(yes: bool) -> None:
            self.run(self._answer_request(client, asker, yes), "answering an address request")

        question = Question(self.clock, text.encode(), answered)
        if client.questions is None or not client.questions.ask(login_key(asker), question):
            answered(False)

    async def _answer_request(self, client: DialbackClient, asker: str, yes: bool) -> None:
        if client.session is not None:
            addresses = self.chat.peer_address
            await (addresses.allow if yes else addresses.deny)(client.session, asker)

    def _cancel_refusal(self, client: DialbackClient, key: str) -> bool:
        """Return whether the request of a client waited for an answer; it does not any more."""
        timer = self._requests.get(client, {}).pop(key, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    # Login.

    async def log_in(self, address: str, name: str, password: str, port: int) -> None:
        """Log a user in; the answer is a call.

        Args:
            address: IP address of the client.
            name: of the user.
            password: of the user.
            port: where the client listens.
        """
        if not (self.rules.permits_port(port) and self.is_called(address)):
            return
        client = DialbackClient(self, address)
        answer = await self._authenticate(client, name, password)
        session = client.session
        if answer != "Ok" or session is None:
            self._refuse_login(address, port, answer)
            return
        self.set_key(client, session.user.key)
        try:
            pending = await client.open(port)
        except ChatError:
            self._refuse_login(address, port, "BLOCK")
            return
        if client.session is None:  # the user has logged in elsewhere meanwhile
            return
        self.add_client(client)
        (text, whispers), *more = pending or [("", [])]
        parts = [(0.0, b"Ok"), (PENDING_PAUSE, f" {text}".encode())]
        client.deliver(OutgoingWrite(self.clock, parts), whispers)
        for text, whispers in more:
            client.deliver(self.build_write(text), whispers)
        client.push(presence_text(session.user.name, True))
        client.flush()

    def _refuse_login(self, address: str, port: int, answer: str) -> None:
        """Call a client that may not log in, unless its address has too many connections."""
        if self.limiter.acquire(address):
            refusal = OutgoingWrite(self.clock, [(0, answer.encode())], END)
            called = DialbackQueue(self.reactor, address, port).call(refusal)
            called.addErrback(_ignore_undeliverable)
            called.addBoth(lambda _: self.limiter.release(address))
        else:
            self.limiter.release(address)

    async def _authenticate(self, client: DialbackClient, name: str, password: str) -> str:
        """Begin a session for a client; return the answer, which is `Ok` if there is one.

        A name that does not exist is answered as the protocol wants, but counts as a failed login.
        """
        try:
            begun = await self.chat.logins.login(
                name,
                password,
                None,
                self.encoder,
                client,
                None,
                lockout_seconds=self.chat.limits.pa1_lockout_seconds,
            )
            login.keep_session(client, begun.session)
        except BadCredentials as error:
            self.note_refusal("logIn", client, error)
            return await self._wrong_credentials(name)
        except ChatError as error:
            self.note_refusal("logIn", client, error)
            return "BLOCK"
        self.requests.note("logIn", client)
        return "Ok"

    async def _wrong_credentials(self, name: str) -> str:
        """Return the answer to a login that has failed."""
        try:
            await self.chat.directory.resolve(name)
        except NoSuchUser:
            return "usr not exist"
        except ChatError:
            return "BLOCK"
        return "wrong password"

    # Commands.

    async def online(self, client: DialbackClient, rest: str) -> None:
        """List the users who are online."""
        online = self.chat.users.online
        names = join_names(online.page(None, len(online)), "\n", MAX_READ - 1)
        client.push(f"\n{names}")

    async def message(self, client: DialbackClient, rest: str) -> None:
        """message <user> <text>: send a direct message."""
        target, _, text = rest.partition(" ")
        try:
            for part in client.commands.split(text):
                await self.chat.whispers.send(
                    client.require_session, DirectTarget(target), part, None
                )
        except NoSuchUser:
            client.push("\nusr doesn't exist\n")
        except Blocked:
            client.push("\nyou are blocked by this user, sending failed\n")

    async def broadcast(self, client: DialbackClient, rest: str) -> None:
        """broadcast <text>: send a message to the lobby."""
        self.speak(client, rest)

    async def get_address(self, client: DialbackClient, name: str) -> None:
        """getaddress <user>: ask a user for the address, who has a minute to answer."""
        try:
            await self.chat.peer_address.request(client.require_session, name)
        except (NoSuchUser, SelfTarget):
            client.push(f"{name} is not online, please send offline msg")
        except Blocked:
            client.push(f"\nsorry, you are blocked by {name}. Failed to get the peer address \n")
        else:
            if client.session is None:  # it has ended meanwhile
                return
            key = login_key(name)
            self._cancel_refusal(client, key)
            timer = self.clock.callLater(ANSWER_TIMEOUT, self._refuse_request, client, key)
            self._requests.setdefault(client, {})[key] = timer

    def _refuse_request(self, client: DialbackClient, key: str) -> None:
        del self._requests[client][key]
        client.push(REJECTED)

    async def block(self, client: DialbackClient, name: str) -> None:
        """block <user>: block a user."""
        try:
            await self.chat.blocks.set_block(client.require_session, name, True)
        except NoSuchUser:
            client.push("\nblock_usr doesn't exist\n")
        else:
            client.push(f"{name} is Blocked Successfully\n")

    async def unblock(self, client: DialbackClient, name: str) -> None:
        """unblock <user>: unblock a user."""
        session = client.require_session
        blocked = {one.lower() for one in session.user.blocked.values()}
        if name.lower() not in blocked:
            client.push("\nunblock_usr doesn't exist in your blacklist\n")
            return
        await self.chat.blocks.set_block(session, name, False)
        client.push(f"{name} is Unblocked Successfully\n")


COMMANDS: dict[str, Callable[[PA1, DialbackClient, str], Coroutine[Any, Any, None]]] = {
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


class PA1Protocol(ClientConnection):
    """One connection of a client: one command."""

    def __init__(self, server: PA1) -> None:
        super().__init__(server.limiter, server.clock)
        self._server = server
        self._data = b""
        self._silence: IDelayedCall | None = None
        self._complete = False

    def opened(self) -> None:
        """Expect a command; the original connects before it asks for a name and a password."""
        self.set_deadline(self._server.login_patience)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes until there is a pause."""
        self._data = (self._data + data)[:MAX_COMMAND]
        if self._silence is not None:
            self._silence.reset(COMMAND_PAUSE)
        elif not self._complete:
            self._silence = self._server.clock.callLater(COMMAND_PAUSE, self._run)

    def lost(self) -> None:
        """Run what the client has sent before it closed."""
        if self._silence is not None:
            self._silence.cancel()
            self._run()

    def _run(self) -> None:
        """Run the command of this connection, then close."""
        self._silence, self._complete = None, True
        line = strip_controls(self._data)
        words = line.split(" ", 3)
        if words[0] == "logIn" and len(words) == 4 and words[3].isdecimal():
            _, name, password, port = words
            logging_in = self._server.log_in(self.address, name, password, int(port[:6]))
            done = Deferred.fromCoroutine(logging_in)
            run_in_background(done, "PA1 login")
            done.addBoth(lambda _: self.transport.loseConnection())
        else:
            self._submit(line)

    def _submit(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        word, _, rest = rest.partition(" ")
        server = self._server
        client = server.by_key.get(login_key(name))
        if client is None or client.address != self.address:
            _log.debug("a command from {address} without a session", address=self.address)
            self.transport.loseConnection()
            return
        client.last_seen_at = server.clock.seconds()
        command = COMMANDS.get(word, PA1.heartbeat)
        run, done = partial(command, server, client, rest), self.transport.loseConnection
        server.submit(client, word if word in COMMANDS else "heartbeat", run, done)


def _ignore_undeliverable(failure: Failure) -> None:
    """A client that may not log in need not listen."""
    failure.trap(Undeliverable)
