"""Live chat: plain text over one TCP connection, without framing (seed 004).

    client  <name>                       the first thing that it sends
    server  OK                           alone in its segment; 100 ms later
            &Host&<name>&<name>…         the users who are online, the new one last
            NOT_UNIQUE                   the name can't be used; closed
    client  <text>                       what is read at once is one message
    server  [HH:MM:SS] <name> > <text>   a message
            [HH:MM:SS] [*] <name> entered.     [HH:MM:SS] [*] <name> exited.

States of a connection: the first text is the name and logs the user in, each further text is a
message; texts that come during the login wait for it.

A client takes each read for one message and looks for one event in it. So writes to one connection
are 40 ms apart; an event is written alone, and messages that have come meanwhile are the lines of
one write. Source: spec/livechat.md.
"""

from __future__ import annotations

import codecs
from collections.abc import Coroutine, Iterator
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError
from gtchat.chat.events import Event
from gtchat.chat.interfaces import Ack, DeliveryProof, IConnection
from gtchat.chat.names import HOST
from gtchat.chat.rooms import LOBBY
from gtchat.chat.users import Session
from gtchat.protocols.base import login
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.request_log import LineLimit, RequestLines
from gtchat.protocols.base.tcp import ClientConnection, Refused
from gtchat.protocols.base.text import (
    TextEncoder,
    escape_controls,
    first_names,
    format_clock,
    split_text,
    strip_controls,
)
from gtchat.protocols.base.write_queue import READ_SIZE, WriteQueue

#: Seconds between two writes, and between OK and the list of users.
WRITE_PAUSE, OK_PAUSE = 0.04, 0.1
#: Bytes that wait above which writes are closer together, and seconds between them then.
BACKLOG_BYTES, SHORT_PAUSE = 16_384, 0.005
#: Events of presence that wait to be written to a client.
PRESENCE_LIMIT = 128
#: Largest list of users, in bytes. Users who are not in it do not exist for the client.
LIST_BYTES = 65_536

_log = Logger()


def render(event: Event) -> str | None:
    """Return an event as a client reads it; "" for one that is several, None for none."""
    now = format_clock(event.at)
    if isinstance(event, events.WhisperSent):
        return f"{now} {event.usr} (to you alone) > {_escape(event.msg)}"
    if isinstance(event, events.MessageSent):
        if event.room_name != LOBBY:
            return None
        return f"{now} {_sender(event.usr)} > {_escape(event.msg)}"
    if isinstance(event, events.BroadcastSent):
        return f"{now} {event.usr} (to all) > {_escape(event.msg)}"
    if isinstance(event, events.LoggedIn):
        return f"{now} [*] {event.usr} entered."
    if isinstance(event, events.LoggedOut):
        return f"{now} [*] {event.usr} exited."
    return "" if isinstance(event, events.PresenceChanged) else None


def _sender(name: str) -> str:
    """Return the name of a sender: the original calls the server `Host` in lists only."""
    return "server" if name == HOST.display else name


def _escape(text: str) -> str:
    """Return a text that can't be taken for an event or for another message."""
    return escape_controls(text).replace("[*]", "[ * ]")


def presence_changes(event: Event) -> Iterator[tuple[str, bool]]:
    """Yield the names of an event of presence, each with whether the user logged in."""
    if isinstance(event, events.LoggedIn | events.LoggedOut):
        yield event.usr, isinstance(event, events.LoggedIn)
    elif isinstance(event, events.PresenceChanged):
        yield from ((name, False) for name in event.logouts)
        yield from ((name, True) for name in event.logins)


@implementer(IConnection, IPushProducer)
class LiveChat(ClientConnection):
    """One client of Live chat.

    Args:
        factory: all clients.

    Attributes:
        session: the session of the user, None before login.
        queue: the texts that the client has sent.
    """

    delivery_proof = DeliveryProof.TIME
    resumable = False
    protocol = "livechat"

    def __init__(self, factory: LiveChatFactory) -> None:
        super().__init__(factory.limiter, factory.clock)
        self._factory = factory
        self.session: Session | None = None
        self.queue = CommandQueue[str](self, factory.chat)
        self._name = ""
        self._logging_in = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._writes = WriteQueue(factory.chat.limits)
        self._next_write: IDelayedCall | None = None
        self._transport_full = False
        self._known: set[str] = set()

    # Reading.

    def opened(self) -> None:
        """Expect a name."""
        self._factory.clients.add(self)
        self.transport.registerProducer(self, True)
        self.set_deadline(self._factory.chat.limits.login_timeout)

    def dataReceived(self, data: bytes) -> None:
        """Take what was read at once."""
        for start in range(0, len(data), READ_SIZE):
            self.queue.submit(strip_controls(self._decoder.decode(data[start : start + READ_SIZE])))

    def lost(self) -> None:
        """End the session with its connection: it can't be resumed here."""
        self._factory.clients.discard(self)
        self.queue.close()
        if self._next_write is not None and self._next_write.active():
            self._next_write.cancel()
        session, self.session = self.session, None
        if session is not None:
            self.abandon(session)

    def run_command(self, text: str) -> Coroutine[Any, Any, None] | None:
        """Log in with the first text, send the others; see `CommandClient.run_command`."""
        if not self._logging_in:
            self._logging_in = True
            return self._log_in(text)
        self._speak(text)
        return None

    # Login.

    async def _log_in(self, name: str) -> None:
        chat = self._factory.chat
        try:
            session = (
                await chat.logins.login_guest(name, self._factory.encoder, self, None)
            ).session
            login.keep_session(self, session)
        except ChatError as error:
            self._note("login", error)
            if not self.closed:
                self.transport.write(b"NOT_UNIQUE")
                self.disconnect()
            return
        self._note("login")
        self.set_deadline(0)
        self._name = session.user.name
        online = chat.users.online.page(None, len(chat.users.online))
        others = first_names(
            (name for name in online if name not in (self._name, HOST.display)), LIST_BYTES
        )
        self._known.update(others)
        self.transport.write(b"OK")
        names = (HOST.display, *others, self._name)
        self._writes.append_first("".join(f"&{name}" for name in names).encode())
        self._write_after(OK_PAUSE)

    def abandon(self, session: Session) -> None:
        """Log a user out whose connection is lost."""
        self._factory.chat.sessions.connection_lost(session, clean=True)

    # Messages.

    def _speak(self, text: str) -> None:
        """Send a message to the lobby."""
        chat = self._factory.chat
        for part in split_text(text, chat.limits.text_chars):
            if self.session is None:
                return
            try:
                if (refusal := self.queue.charge()) is not None:
                    raise refusal
                chat.speak(self.session, LOBBY, part, None, self._answer)
            except ChatError as error:
                self._answer(error)

    def _answer(self, result: Ack | ChatError) -> None:
        """Say why a message was not sent, as a message of the server."""
        error = result if isinstance(result, ChatError) else None
        self._note("speak", error)
        if error is not None:
            now = format_clock(self._factory.chat.users.now())
            self._write(f"{now} server > Not sent: {error.text}")

    def _note(self, command: str, error: ChatError | None = None) -> None:
        """Note a command in the log of requests, and count it if it was refused."""
        self._factory.requests.note(command, self, error)
        if error is not None:
            self._factory.chat.measures.refusals[error.code] += 1

    # IConnection, and what TextEncoder asks of a connection.

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._writes.size

    def on_event(self, event: Event, text: str) -> None:
        """Send an event."""
        changes = list(presence_changes(event))
        for name, online in changes:
            self._send_presence(event.at, name, online)
        if not changes:
            self._write(text)

    def _send_presence(self, at: int, name: str, online: bool) -> None:
        """Send that a user logged in or out.

        A client fails at the logout of a user whose login it was not sent. Where many wait to be
        written it is sent neither: a user whose logout it was not sent stays in its list.
        The user's own login may be announced after it, with those of others.
        """
        if name in (HOST.display, self._name) or online == (name in self._known):
            return
        if self._writes.events >= PRESENCE_LIMIT:
            return
        (self._known.add if online else self._known.discard)(name)
        event = f"{format_clock(at)} [*] {name} {'entered' if online else 'exited'}."
        self._write(event, alone=True)

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        """Close the connection after its session has ended; what was said before is written."""
        self.session = None
        if text:
            now = format_clock(self._factory.chat.users.now())
            self._writes.append(f"{now} server > {text}".encode())
        while self._writes and not self._transport_full:
            self.transport.write(self._writes.take())
        self.disconnect()

    # Writing.

    def _write(self, text: str, alone: bool = False) -> None:
        """Write a line after the pause that clients need.

        A client that does not read is disconnected when too much waits. One that reads is not,
        however much is said: it is told how many lines it was not sent.
        """
        data, writes = text.encode(), self._writes
        if self.closed:
            return
        if not writes.fits(data):
            writes.left_out += 1
            if self._transport_full:
                self._factory.lines.info(_log, "{name} reads too slowly", name=self._name)
                self.transport.abortConnection()
            return
        if writes.left_out:
            now = format_clock(self._factory.chat.users.now())
            writes.append(f"{now} server > {writes.left_out} lines were too many to show".encode())
            writes.left_out = 0
        writes.append(data, alone)
        if self._next_write is None and self.session is not None:
            self._write_next()

    def _write_next(self) -> None:
        self._next_write = None
        if self._writes and not self._transport_full and not self.closed:
            self.transport.write(self._writes.take())
            self._write_after(WRITE_PAUSE if self._writes.size < BACKLOG_BYTES else SHORT_PAUSE)

    def _write_after(self, seconds: float) -> None:
        self._next_write = self._factory.clock.callLater(seconds, self._write_next)

    def disconnect(self) -> None:
        """Close the connection."""
        # A transport with a paused producer would never finish closing.
        self.transport.unregisterProducer()
        self.close_connection()

    def pauseProducing(self) -> None:
        """The transport is full (IPushProducer)."""
        self._transport_full = True

    def resumeProducing(self) -> None:
        """The transport is empty (IPushProducer)."""
        self._transport_full = False
        if self._next_write is None and self.session is not None:
            self._write_next()

    def stopProducing(self) -> None:
        """The connection is going (IPushProducer)."""


class LiveChatFactory(Factory):
    """All clients of Live chat.

    Args:
        chat: the chat.
        clock: calls later.
    """

    noisy = False

    def __init__(self, chat: Chat, clock: IReactorTime) -> None:
        self.chat = chat
        self.clock = clock
        self.encoder = TextEncoder(render, chat.legacy_edits)
        self.clients: set[LiveChat] = set()
        self.lines = LineLimit(clock)
        self.requests = RequestLines()
        self.limiter = ConnectionLimiter(chat.limits)

    def buildProtocol(self, addr: IAddress | None) -> LiveChat | Refused:
        """Return the protocol of a connection."""
        return LiveChat(self) if self.chat.available else Refused()

    def stop(self) -> None:
        """Close all connections, for the end of the server."""
        for client in list(self.clients):
            client.disconnect()
