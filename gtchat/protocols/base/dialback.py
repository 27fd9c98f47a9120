"""Calling clients back, safely: some old protocols push by connecting to the client.

A client is called only at the IP address that it logged in from, at a port from 1024 up that it
named, and never at a port of ours. Calls to one client are made one at a time and in order; each
has 3 seconds to connect and as long to be taken. What can't be delivered is given back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection
from gtchat.chat.users import Session, User
from gtchat.protocols.base.connection_limit import ConnectionLimiter

#: Seconds to connect, and for a call to end.
CONNECT, END = 3.0, 3.0
#: Calls that wait for one client.
WAITING = 1_000

_log = Logger()


class Undeliverable(Exception):
    """A client can't be called; the text says why."""


class OutgoingCall(Protocol):
    """What is said on one connection to a client."""

    #: Seconds that the call may last.
    seconds: float

    def connected(self, transport: Any, done: Callable[[Exception | None], None]) -> None:
        """Say it; `done` is called when it was said (None) or can't be."""

    def received(self, data: bytes) -> None:
        """The client says something."""


@attrs.define(eq=False)
class OutgoingWrite:
    """Some writes, the later ones after a pause; then the connection is closed.

    Args:
        parts: seconds to wait first, and what to write then.
    """

    clock: Any
    parts: list[tuple[float, bytes]]
    seconds: float = END
    _transport: Any = None
    _done: Callable[[Exception | None], None] | None = None

    def connected(self, transport: Any, done: Callable[[Exception | None], None]) -> None:
        """Write the first part."""
        self._transport, self._done = transport, done
        self._next()

    def _next(self) -> None:
        if not self.parts:
            self._transport.loseConnection()
            return
        wait, data = self.parts.pop(0)
        if wait:
            self.clock.callLater(wait, self._write, data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport.connected:
            self._transport.write(data)
            self._next()

    def received(self, data: bytes) -> None:
        """Clients say nothing on a push."""


class _Connection(TwistedProtocol):
    def __init__(self, line: DialbackQueue, call: OutgoingCall) -> None:
        self._line = line
        self._call = call

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        self._call.connected(self.transport, self._line.ended)

    def dataReceived(self, data: bytes) -> None:
        self._call.received(data)

    def connectionLost(self, reason: Any = None) -> None:
        self._line.lost()


class _CallFactory(ClientFactory):
    noisy = False

    def __init__(self, line: DialbackQueue, call: OutgoingCall) -> None:
        self._line = line
        self._call = call

    def buildProtocol(self, addr: object) -> _Connection:
        return _Connection(self._line, self._call)

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self._line.ended(Undeliverable(reason.getErrorMessage()))


@attrs.define(eq=False)
class DialbackQueue:
    """All calls to one client.

    Args:
        reactor: connects. host: IP address that the client logged in from. port: that it named.
        own_ports: ports that we listen on.
    """

    _reactor: Any
    host: str
    port: int
    own_ports: Callable[[], Collection[int]]
    _waiting: deque[tuple[OutgoingCall, Deferred[None]]] = attrs.field(factory=deque)
    _current: Deferred[None] | None = None
    _timer: IDelayedCall | None = None
    _connector: Any = None
    _closed: bool = False

    def call(self, call: OutgoingCall) -> Deferred[None]:
        """OutgoingCall the client when those before it are done.

        Raises:
            Undeliverable: (through the Deferred) it can't be reached, or did not take it.
        """
        done: Deferred[None] = Deferred()
        if self._closed or len(self._waiting) >= WAITING:
            done.errback(Undeliverable("too many calls wait for this client"))
        elif not 1024 <= self.port <= 65_535 or self.port in self.own_ports():
            done.errback(Undeliverable(f"port {self.port} is not called"))
        else:
            self._waiting.append((call, done))
            self._next()
        return done

    def close(self) -> None:
        """OutgoingCall nobody any more; what waits is given back."""
        self._closed = True
        waiting, self._waiting = self._waiting, deque()
        if self._connector is not None:
            self._connector.disconnect()
        for _, done in waiting:
            done.errback(Undeliverable("the client has gone"))

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        call, self._current = self._waiting.popleft()
        self._timer = self._reactor.callLater(CONNECT + call.seconds, self._late)
        self._connector = self._reactor.connectTCP(
            self.host, self.port, _CallFactory(self, call), timeout=CONNECT
        )

    def _late(self) -> None:
        """A call takes too long."""
        self._timer = None
        connector = self._connector
        self.ended(Undeliverable("the client took too long"))
        connector.disconnect()

    def lost(self) -> None:
        """The connection of a call has ended."""
        self.ended(None)

    def ended(self, error: Exception | None) -> None:
        """The call that is under way is done, or failed."""
        done, self._current = self._current, None
        if done is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if error is None:
            done.callback(None)
        else:
            _log.debug(
                "calling {host}:{port}: {error}", host=self.host, port=self.port, error=error
            )
            done.errback(error)
        self._next()


#: Seconds between two looks at who is silent.
LOOK = 5.0


@implementer(IConnection)
class DialbackClient:
    """One person's client.

    Args:
        house: its protocol's people. address: IP address that he logged in from.
    """

    closed = False  # he is called back, whatever becomes of the connection that he came by

    def __init__(self, server: DialbackServer, address: str) -> None:
        self.server = server
        self.address = address
        self.session: Session | None = None
        self.queue: DialbackQueue | None = None
        self.last_seen_at = server.clock.seconds()
        self._user: User | None = None
        self._pending: list[tuple[Event, str]] = []
        self._collected: list[events.WhisperSent] | None = None

    @property
    def name(self) -> str:
        """Who he is."""
        return self.session.user.name if self.session is not None else ""

    @property
    def buffered_bytes(self) -> int:
        """What waits to be said, in calls."""
        return len(self._pending)

    async def open(self, session: Session, port: int) -> list[events.WhisperSent]:
        """He has said where he listens.

        Returns:
            The whispers that waited for him; to be confirmed when they have arrived.
        """
        chat = self.server.chat
        chat.peer_address.set_address(session, port)
        self._user = session.user
        self._collected = []
        await chat.whispers.deliver_pending(session)
        waited, self._collected = self._collected, None
        self.queue = DialbackQueue(self.server.reactor, self.address, port, self.server.own_ports)
        return waited

    def flush(self) -> None:
        """Say what was told before he could be called."""
        early, self._pending = self._pending, []
        for event, words in early:
            self.on_event(event, words)

    def on_event(self, event: Event, words: str) -> None:
        """Take an event in words."""
        if self._collected is not None and isinstance(event, events.WhisperSent):
            self._collected.append(event)
        elif self.queue is None:
            self._pending.append((event, words))
        elif not self._hidden(event):
            for text in [words] if words else self.server.render_each(event):
                self._deliver(event, self.server.call(self, event, text))

    def _hidden(self, event: Event) -> bool:
        """Whether somebody comes or goes who blocks this one."""
        if not isinstance(event, events.LoggedIn | events.LoggedOut) or self.session is None:
            return False
        user = self.server.chat.users.get(event.usr.lower())
        return user is not None and self.session.user.id in user.blocked

    def push(self, text: str) -> None:
        """Say something to him that is no event of the chat."""
        if self.queue is not None:
            self.queue.call(
                OutgoingWrite(self.server.clock, [(0, self.server.frame(text))])
            ).addErrback(lambda failure: self.disconnect())

    def deliver(
        self, call: OutgoingCall, whispers: Collection[events.WhisperSent] = ()
    ) -> Deferred[None]:
        """Make a call that tells whispers."""
        assert self.queue is not None
        done = self.queue.call(call)
        done.addCallbacks(self._confirm, self._undeliverable, (whispers,))
        return done

    def _deliver(self, event: Event, call: OutgoingCall) -> None:
        if isinstance(event, events.WhisperSent):
            self.deliver(call, [event])
        elif isinstance(event, events.MessageSent):
            assert self.queue is not None
            self.queue.call(call).addErrback(self._keep, event)
        else:
            self.deliver(call)

    def _confirm(self, _: None, whispers: Collection[events.WhisperSent]) -> None:
        if whispers and self.session is not None:
            ids = {whisper.id for whisper in whispers}
            self.server.chat.whispers.confirm(self.session, ids)

    def _undeliverable(self, failure: Failure) -> None:
        self.disconnect()

    def _keep(self, failure: Failure, event: events.MessageSent) -> None:
        """Something said in the lobby did not reach him: it waits with his whispers."""
        if self._user is not None:
            kept = self.server.chat.whispers.keep(self._user, event)
            run_in_background(Deferred.fromCoroutine(kept), "keeping what was said")
        self.disconnect()

    def disconnect(self) -> None:
        """He is gone; what has not arrived is kept."""
        session, self.session = self.session, None
        self.server.remove_client(self)
        if session is not None:
            self.server.chat.sessions.connection_lost(session, clean=False)
        if self.queue is not None:
            self.queue.close()

    def close(self, event: Event | None, reason: str) -> None:
        """The session has ended (IOutlet.end)."""
        self.session = None
        self.server.remove_client(self)
        line, self.queue = self.queue, None
        if line is not None:
            text = self.server.closing_text(event, reason)
            if text:
                push = OutgoingWrite(self.server.clock, [(0, self.server.frame(text))])
                line.call(push).addErrback(lambda failure: None)


class DialbackServer:
    """All people of a protocol that calls back. Subclasses say how it speaks.

    Args:
        chat: the chat. reactor: tells the time and connects. own_ports: where we listen.
    """

    def __init__(self, chat: Chat, reactor: Any, own_ports: Callable[[], Collection[int]]) -> None:
        self.chat = chat
        self.reactor = self.clock = reactor
        self.own_ports = own_ports
        self.clients: set[DialbackClient] = set()
        self.limiter = ConnectionLimiter(chat.limits.connections_per_address)
        self._look: Any = None

    def add_client(self, person: DialbackClient) -> None:
        """Somebody is here; he is to give signs of life."""
        self.clients.add(person)
        if self._look is None:
            self._look = self.clock.callLater(LOOK, self._look_around)

    def remove_client(self, person: DialbackClient) -> None:
        """Somebody is not here any more."""
        self.clients.discard(person)
        if not self.clients and self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_around(self) -> None:
        """See who was silent for too long."""
        self._look = None
        timeout = self.chat.limits.heartbeat_timeout
        now = self.clock.seconds()
        for person in list(self.clients):
            if timeout and now - person.last_seen_at > timeout:
                person.disconnect()
        if self.clients and self._look is None:
            self._look = self.clock.callLater(LOOK, self._look_around)

    def stop(self) -> None:
        """The server stops: what waits to be said is kept."""
        for person in list(self.clients):
            person.disconnect()

    def frame(self, text: str) -> bytes:
        """A text as the protocol writes it."""
        raise NotImplementedError

    def render_each(self, event: Event) -> list[str]:
        """The words for an event that is several to this protocol."""
        return []

    def call(self, person: DialbackClient, event: Event, text: str) -> OutgoingCall:
        """The call that tells an event."""
        return OutgoingWrite(self.clock, [(0, self.frame(text))])

    def closing_text(self, event: Event | None, reason: str) -> str:
        """What somebody is told last whose session has ended."""
        return ""
