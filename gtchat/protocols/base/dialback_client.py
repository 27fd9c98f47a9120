"""Clients that are called back: what Message Center and PA1 have in common.

What the chat sends to such a client waits until the client has said where it listens, then goes
out call by call (`dialback`). A call that succeeds proves that a direct message has arrived. A call
that fails ends the session: what was not delivered waits for the next login.

Commands of one client come on many short connections. They run in the order of their arrival, at
the rate of the account (`CommandQueue`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.accounts import login_key
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NotLoggedIn, RateLimited
from gtchat.chat.events import Event, LoggedIn, LoggedOut, PresenceChanged
from gtchat.chat.interfaces import DeliveryProof, IConnection
from gtchat.chat.users import Session, User
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.dialback import (
    QUEUE_LIMIT,
    DialbackQueue,
    OutgoingCall,
    OutgoingWrite,
)
from gtchat.protocols.base.text import split_text

#: Seconds between two checks of which clients are silent.
HEARTBEAT_CHECK = 5.0
#: Seconds in which a client is told once that it sends too fast: each time is a call to it.
REFUSAL_PAUSE = 1.0


@attrs.frozen(eq=False)
class DialbackCommand:
    """A command of a client.

    Attributes:
        run: runs it.
        done: is called when it has run, or will not.
    """

    run: Callable[[], Coroutine[Any, Any, None]]
    done: Callable[[], None]


@implementer(IConnection)
class DialbackClient:
    """The client of one user.

    Args:
        server: all clients of the protocol.
        address: IP address that the client logs in from.

    Attributes:
        session: the session of the user, None before login and after logout.
        queue: the commands of the client.
        calls: the calls to the client; None until it has said where it listens.
        last_seen_at: when the client sent something last, in seconds of the server's clock.
        closed: whether the connection was lost during the login; later ones do not matter.
    """

    closed = False
    delivery_proof = DeliveryProof.CALL

    def __init__(self, server: DialbackServer, address: str) -> None:
        self.server = server
        self.address = address
        self.session: Session | None = None
        self.queue = CommandQueue[DialbackCommand](self, server.chat)
        self.calls: DialbackQueue | None = None
        self.key = ""
        self.last_seen_at = server.clock.seconds()
        self._user: User | None = None
        self._pending: list[tuple[Event, str]] = []
        self._collected: list[events.WhisperSent] | None = None
        self._refused_at = -math.inf

    @property
    def name(self) -> str:
        """The name of the user, "" without a session."""
        return self.session.user.name if self.session is not None else ""

    @property
    def require_session(self) -> Session:
        """The session, for a command.

        Raises:
            NotLoggedIn: it has ended while the command ran.
        """
        if self.session is None:
            raise NotLoggedIn()
        return self.session

    @property
    def buffered_bytes(self) -> int:
        """The number of events that wait until the client can be called.

        None does while pending messages are collected: the chat would wait for the client to read.
        """
        return len(self._pending) if self._collected is None else 0

    # Login.

    def abandon(self, session: Session) -> None:
        """Give up a session that has begun for a connection that is lost."""
        self.server.chat.sessions.connection_lost(session, clean=False)

    async def open(self, port: int) -> list[events.WhisperSent]:
        """Collect the pending direct messages, then let the client be called.

        Args:
            port: where the client listens.

        Returns:
            The direct messages, which `deliver` has to send.

        Raises:
            NotStored: they can't be read; the session has ended.
        """
        chat, session = self.server.chat, self.require_session
        self._user = session.user
        pending = self._collected = []
        try:
            chat.peer_address.set_address(session, port)
            await chat.whispers.deliver_pending(session)
        except Exception:
            self.disconnect()
            raise
        self._collected = None
        self.calls = DialbackQueue(self.server.reactor, self.address, port, self.server.own_ports)
        return pending

    def flush(self) -> None:
        """Send the events that came before the client could be called."""
        pending, self._pending = self._pending, []
        for event, text in pending:
            self.on_event(event, text)

    # Commands.

    def submit(
        self, run: Callable[[], Coroutine[Any, Any, None]], done: Callable[[], None]
    ) -> None:
        """Run a command when those before it have run, unless the client sends too fast.

        Args:
            run: runs the command.
            done: is called when it has run, or will not.
        """
        if self.queue.closed:
            done()
            return
        refusal = self.queue.charge()
        if refusal is None and self.queue.full:
            refusal = RateLimited()
        if refusal is None:
            self.queue.submit(DialbackCommand(run, done))
            return
        now = self.server.clock.seconds()
        if now - self._refused_at >= REFUSAL_PAUSE:
            self._refused_at = now
            self.push(self.server.error_text(refusal))
        done()

    def split(self, text: str) -> Iterator[str]:
        """Yield the messages that a text is cut into.

        Raises:
            RateLimited: each but the first counts as a command, and this is one too many.
        """
        for index, part in enumerate(split_text(text, self.server.chat.limits.text_chars)):
            refusal = self.queue.charge() if index else None
            if refusal is not None:
                raise refusal
            yield part

    async def run_command(self, command: DialbackCommand) -> None:
        """Run a command; see `CommandClient.run_command`."""
        try:
            await command.run()
        except ChatError as error:
            self.push(self.server.error_text(error))
        finally:
            command.done()

    def pause_reading(self) -> None:
        """Each command has a connection of its own, which waits until the command has run."""

    def resume_reading(self) -> None:
        """Nothing was paused."""

    def disconnect_flood(self) -> None:
        """Refused commands do nothing, and their connections are closed."""

    # Events.

    def on_event(self, event: Event, text: str) -> None:
        """Send an event. text: "" for an event that is several texts."""
        if self._collected is not None and isinstance(event, events.WhisperSent):
            self._collected.append(event)
        elif self.calls is None:
            self._hold(event, text)
        elif isinstance(event, PresenceChanged):
            for name, part in self.server.render_presence(event):
                if not self._is_hidden(name):
                    self._deliver_event(event, part)
        elif not (isinstance(event, LoggedIn | LoggedOut) and self._is_hidden(event.usr)):
            self._deliver_event(event, text)

    def _hold(self, event: Event, text: str) -> None:
        """Let an event wait until the client can be called; give up a client with too many."""
        if len(self._pending) < QUEUE_LIMIT:
            self._pending.append((event, text))
        elif self.session is not None:
            # Later: sessions must not end while an event is sent to all of them.
            self.server.chat.users.call_soon(self.disconnect)

    def _is_hidden(self, name: str) -> bool:
        """Return whether this user must not see a user's presence, since that user blocks them."""
        if self.session is None or not self.session.user.blocked_by:
            return False
        user = self.server.chat.users.get(login_key(name))
        # A user who is gone can't be looked up; it may be the one who blocks this user.
        return user is None or self.session.user.id in user.blocked

    def push(self, text: str) -> None:
        """Send a text that is no event of the chat; a client that can't be called is gone."""
        if self.calls is not None:
            self.calls.call(self.server.build_write(text)).addErrback(self._undeliverable)

    def deliver(
        self, call: OutgoingCall, whispers: Collection[events.WhisperSent] = ()
    ) -> Deferred[None]:
        """Make a call.

        Args:
            call: what is sent.
            whispers: the direct messages that are in it; they have arrived if it succeeds.
        """
        assert self.calls is not None
        done = self.calls.call(call)
        done.addCallbacks(self._confirm, self._undeliverable, (whispers,))
        return done

    def _deliver_event(self, event: Event, text: str) -> None:
        call = self.server.build_call(self, event, text)
        if call is None:
            return
        if isinstance(event, events.WhisperSent):
            self.deliver(call, [event])
        elif isinstance(event, events.MessageSent):
            assert self.calls is not None
            self.calls.call(call).addErrback(self._keep, event)
        else:
            self.deliver(call)

    def _confirm(self, _: None, whispers: Collection[events.WhisperSent]) -> None:
        if whispers and self.session is not None:
            ids = {whisper.id for whisper in whispers}
            self.server.chat.whispers.confirm(self.session, ids)

    def _undeliverable(self, failure: Failure) -> None:
        self.disconnect()

    def _keep(self, failure: Failure, event: events.MessageSent) -> None:
        """Keep a message of the lobby that did not arrive, with the direct messages."""
        if self._user is not None:
            kept = self.server.chat.whispers.keep(self._user, event)
            run_in_background(Deferred.fromCoroutine(kept), "keeping an undelivered message")
        self.disconnect()

    # The end.

    def disconnect(self) -> None:
        """End the session; what has not arrived waits for the next login."""
        session, self.session = self.session, None
        self._collected = None
        self._remove()
        if session is not None:
            self.server.chat.sessions.connection_lost(session, clean=False)
        if self.calls is not None:
            self.calls.close()

    def close(self, event: Event | None, reason: str) -> None:
        """Send the last text after the session has ended; see `IConnection.close`."""
        self.session = None
        self._remove()
        calls, self.calls = self.calls, None
        text = self.server.closing_text(event)
        if calls is not None and text:
            calls.call(self.server.build_write(text)).addErrback(lambda failure: None)

    def _remove(self) -> None:
        self.server.remove_client(self)
        for command in self.queue.close():
            command.done()


class DialbackServer:
    """All clients of a protocol that calls back. Subclasses say how the protocol writes.

    Args:
        chat: the chat.
        reactor: tells the time, calls later and connects.
        own_ports: returns the ports that this server listens on.

    Attributes:
        by_key: the clients by what their commands name them with.
    """

    def __init__(self, chat: Chat, reactor: Any, own_ports: Callable[[], Collection[int]]) -> None:
        self.chat = chat
        self.reactor = self.clock = reactor
        self.own_ports = own_ports
        self.clients: set[DialbackClient] = set()
        self.by_key: dict[str, DialbackClient] = {}
        self.limiter = ConnectionLimiter(chat.limits.connections_per_address)
        self._check: IDelayedCall | None = None

    def set_key(self, client: DialbackClient, key: str) -> None:
        """Let commands find a client by a key."""
        client.key = key
        self.by_key[key] = client

    def add_client(self, client: DialbackClient) -> None:
        """Expect heartbeats of a client from now on."""
        self.clients.add(client)
        if self._check is None:
            self._check = self.clock.callLater(HEARTBEAT_CHECK, self._check_heartbeats)

    def remove_client(self, client: DialbackClient) -> None:
        """Forget a client."""
        self.clients.discard(client)
        if self.by_key.get(client.key) is client:
            del self.by_key[client.key]
        if not self.clients and self._check is not None:
            self._check.cancel()
            self._check = None

    def _check_heartbeats(self) -> None:
        """Disconnect the clients that were silent for longer than `heartbeat_timeout`."""
        self._check = None
        timeout = self.chat.limits.heartbeat_timeout
        now = self.clock.seconds()
        for client in list(self.clients):
            if timeout and now - client.last_seen_at > timeout:
                client.disconnect()
        if self.clients and self._check is None:
            self._check = self.clock.callLater(HEARTBEAT_CHECK, self._check_heartbeats)

    def stop(self) -> None:
        """Disconnect all clients; what was not delivered is kept."""
        for client in list(self.clients):
            client.disconnect()

    # How the protocol writes.

    def encode(self, text: str) -> bytes:
        """Return a text as the protocol writes it."""
        raise NotImplementedError

    def presence_text(self, name: str, online: bool) -> str:
        """Return the text that says that a user logged in or out."""
        raise NotImplementedError

    def render_presence(self, event: PresenceChanged) -> list[tuple[str, str]]:
        """Return the users that logged out or in, each with the text that says so."""
        logouts = [(name, self.presence_text(name, False)) for name in event.logouts]
        return logouts + [(name, self.presence_text(name, True)) for name in event.logins]

    def build_write(self, text: str) -> OutgoingWrite:
        """Return the call that sends a text."""
        return OutgoingWrite(self.clock, [(0, self.encode(text))])

    def build_call(self, client: DialbackClient, event: Event, text: str) -> OutgoingCall | None:
        """Return the call that sends an event, None if the client is not to get it."""
        return self.build_write(text)

    def error_text(self, error: ChatError) -> str:
        """Return the text that tells a client why a command was refused."""
        return error.text

    def closing_text(self, event: Event | None) -> str:
        """Return the last text for a client whose session has ended, "" for none."""
        return ""
