"""Live chat: plain text over one TCP connection, without framing (seed 004).

    client  <name>                       the first thing that it sends
    server  OK                           alone in its segment; 100 ms later
            &Host&<name>&<name>…         who is here, the newcomer last
            NOT_UNIQUE                   the name can't be had; closed
    client  <text>                       what is read at once is one message
    server  [HH:MM:SS] <name> > <text>   somebody said something
            [HH:MM:SS] [*] <name> entered.     [HH:MM:SS] [*] <name> exited.

States: naming (nothing read yet) → entering (the chat is asked) → here → gone. A client takes each
read for one message, so writes to one connection are 40 ms apart.
Source: spec/livechat.md.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, RateLimited
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack, IConnection
from gtchat.chat.limits import TokenBucket
from gtchat.chat.names import HOST
from gtchat.chat.users import Session
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.text import (
    LOBBY,
    TextEncoder,
    escape_controls,
    format_clock,
    split_text,
    strip_controls,
)

#: Seconds between two writes, and between OK and the list.
PACE, AFTER_OK = 0.04, 0.1
#: Messages that wait for one client; of these, how many may say who comes and goes.
QUEUE, PRESENCE_QUEUE = 256, 128
#: Bytes that the original reads at once, which make one message.
READ = 4096
#: Messages refused in a row for their rate, after which a client is put out.
REJECTED_LIMIT = 100

_log = Logger()


def render(event: Event) -> str | None:
    """An event as a client of Live chat reads it, None if it can't."""
    now = format_clock(event.at)
    if isinstance(event, events.MessageSent):
        if event.room_name != LOBBY:
            return None
        return f"{now} {_speaker(event.usr)} > {_harmless(event.msg)}"
    if isinstance(event, events.WhisperSent):
        return f"{now} {event.usr} (to you alone) > {_harmless(event.msg)}"
    if isinstance(event, events.BroadcastSent):
        return f"{now} {event.usr} (to everybody) > {_harmless(event.msg)}"
    if isinstance(event, events.LoggedIn):
        return f"{now} [*] {event.usr} entered."
    if isinstance(event, events.LoggedOut):
        return f"{now} [*] {event.usr} exited."
    return "" if isinstance(event, events.PresenceChanged) else None


def _speaker(name: str) -> str:
    """The server goes by another name in talk than in the list, as it always did."""
    return "server" if name == HOST.display else name


def _harmless(text: str) -> str:
    """A text in which nobody can forge an event."""
    return escape_controls(text).replace("[*]", "[ * ]")


def presence_changes(event: Event) -> Iterator[tuple[str, bool]]:
    """Who came (True) or went (False) by an event."""
    if isinstance(event, events.LoggedIn | events.LoggedOut):
        yield event.usr, isinstance(event, events.LoggedIn)
    elif isinstance(event, events.PresenceChanged):
        yield from ((name, False) for name in event.logouts)
        yield from ((name, True) for name in event.logins)


@implementer(IConnection, IPushProducer)
class LiveChat(Protocol):
    """One client of Live chat."""

    transport: Any
    address = ""

    def __init__(self, factory: LiveChatFactory) -> None:
        self._factory = factory
        self._session: Session | None = None
        self._name = ""
        self._entering = False
        self._early: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._queue: deque[bytes] = deque()
        self._later: IDelayedCall | None = None
        self._full = False
        self._gone = False
        self._known: set[str] = set()
        self._refused = 0
        limits = factory.chat.limits
        self._rate = TokenBucket(limits.commands_per_second, limits.commands_burst)
        self._login: IDelayedCall | None = None

    # What comes.

    def connectionMade(self) -> None:
        """Wait for a name."""
        self.address = self.transport.getPeer().host
        self.transport.setTcpKeepAlive(True)
        self.transport.registerProducer(self, True)
        if not self._factory.arrived(self):
            self.transport.abortConnection()
            return
        timeout = self._factory.chat.limits.login_timeout
        if timeout:
            self._login = self._factory.clock.callLater(timeout, self.transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """Take what was read at once."""
        for start in range(0, len(data), READ):
            text = strip_controls(self._decoder.decode(data[start : start + READ]))
            if self._session is not None:
                self._speak(text)
            elif not self._entering:
                self._entering = True
                run_in_background(Deferred.fromCoroutine(self._enter(text)), "coming in")
            elif len(self._early) < QUEUE:
                self._early.append(text)

    def connectionLost(self, reason: Any = None) -> None:
        """The connection is gone."""
        self._gone = True
        self._factory.gone(self)
        for call in (self._later, self._login):
            if call is not None and call.active():
                call.cancel()
        session, self._session = self._session, None
        if session is not None:
            # There is no way back into a session here, so it ends with its connection.
            run_in_background(Deferred.fromCoroutine(self._factory.leave(session)), "leaving")

    # Coming in.

    async def _enter(self, name: str) -> None:
        """Come in under a name."""
        chat = self._factory.chat
        try:
            session, _ = await chat.sessions.login_guest(name, self._factory.encoder, self, None)
        except ChatError:
            self._write(b"NOT_UNIQUE")
            self._close()
            return
        if self._gone:
            await self._factory.leave(session)
            return
        if self._login is not None:
            self._login.cancel()
            self._login = None
        self._session = session
        self._name = session.user.name
        here = chat.users.online.page(None, len(chat.users.online))
        others = [name for name in here if name not in (self._name, HOST.display)]
        self._known.update(others)
        held, self._queue = self._queue, deque()
        self._write(b"OK")
        self._queue.append("".join(f"&{n}" for n in (HOST.display, *others, self._name)).encode())
        self._queue.extend(held)
        self._pump_after(AFTER_OK)
        early, self._early = self._early, []
        for text in early:
            self._speak(text)

    # Talking.

    def _speak(self, text: str) -> None:
        """Say something in the lobby."""
        session, chat = self._session, self._factory.chat
        for piece in split_text(text, chat.limits.text_chars):
            if session is None:
                return
            wait = self._rate.take(self._factory.clock.seconds())
            if wait:
                self._refused += 1
                self._refuse(RateLimited(retry_after=wait))
                if self._refused >= REJECTED_LIMIT:
                    self.transport.abortConnection()
                continue
            self._refused = 0
            try:
                chat.speak(session, LOBBY, piece, None, self._spoken)
            except ChatError as error:
                self._refuse(error)

    def _spoken(self, result: Ack | ChatError) -> None:
        if isinstance(result, ChatError):
            self._refuse(result)

    def _refuse(self, error: ChatError) -> None:
        """Say why something was not said, as the server's own talk."""
        now = format_clock(self._factory.chat.users.now())
        self._send(f"{now} server > Not sent: {error.text}")

    # IOutlet, and what PlainAudience asks of a reader.

    @property
    def closed(self) -> bool:
        """Whether the connection is lost."""
        return self._gone

    @property
    def buffered_bytes(self) -> int:
        """Messages that wait to be sent."""
        return len(self._queue)

    def on_event(self, event: Event, words: str) -> None:
        """Take an event in words."""
        moved = False
        for name, came in presence_changes(event):
            moved = True
            self._tell_coming(event.at, name, came)
        if not moved:
            self._send(words)

    def _tell_coming(self, at: int, name: str, came: bool) -> None:
        """Tell that somebody came or went. Clients can't stand to hear that somebody went of whom
        they did not hear that he came."""
        if name == HOST.display or came == (name in self._known):
            return
        if came and len(self._queue) >= PRESENCE_QUEUE:
            return
        (self._known.add if came else self._known.discard)(name)
        self._send(f"{format_clock(at)} [*] {name} {'entered' if came else 'exited'}.")

    def close(self, event: Event | None, reason: str) -> None:
        """The session has ended."""
        self._session = None
        self._close()

    # Writing.

    def _send(self, words: str) -> None:
        """Write a message of its own, in its time."""
        if self._gone:
            return
        if len(self._queue) >= QUEUE:
            _log.info("{name} reads too slowly", name=self._name)
            self.transport.abortConnection()
            return
        self._queue.append(words.encode())
        if self._later is None and self._session is not None:
            self._pump()

    def _pump(self) -> None:
        """Write the next message, and wait."""
        self._later = None
        if self._queue and not self._full and not self._gone:
            self._write(self._queue.popleft())
            self._pump_after(PACE)

    def _pump_after(self, seconds: float) -> None:
        self._later = self._factory.clock.callLater(seconds, self._pump)

    def _write(self, data: bytes) -> None:
        self.transport.write(data)

    def _close(self) -> None:
        # A transport with a paused producer would never finish closing.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def pauseProducing(self) -> None:
        """The client does not read."""
        self._full = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self._full = False
        if self._later is None and self._session is not None:
            self._pump()

    def stopProducing(self) -> None:
        """The connection is going."""


class LiveChatFactory(Factory):
    """All clients of Live chat.

    Args:
        chat: the chat. clock: tells the time.
    """

    noisy = False

    def __init__(self, chat: Chat, clock: IReactorTime) -> None:
        self.chat = chat
        self.clock = clock
        self.encoder = TextEncoder(render)
        self._here: set[LiveChat] = set()
        self._limiter = ConnectionLimiter(chat.limits.connections_per_address)

    def buildProtocol(self, addr: IAddress | None) -> LiveChat:
        """A connection."""
        return LiveChat(self)

    def arrived(self, client: LiveChat) -> bool:
        """Somebody connected; whether there is room for another one from there."""
        self._here.add(client)
        return self._limiter.acquire(client.address)

    def gone(self, client: LiveChat) -> None:
        """A connection is no more."""
        self._here.discard(client)
        self._limiter.release(client.address)

    async def leave(self, session: Session) -> None:
        """End the session of somebody who left."""
        if session in session.user.sessions:
            await self.chat.sessions.logout(session)

    def stop(self) -> None:
        """The server stops."""
        for client in list(self._here):
            client.transport.loseConnection()
