"""Clients that are called back: what Message Center and PA1 have in common.

What the chat sends to such a client waits until the client has said where it listens, then goes
out call by call (`dialback`). A call that succeeds proves that a message has arrived; the others
wait for the next login. A client ends if it can't be called, not if it did not read all of a text.

What the client sends is in `dialback_commands`, all clients of a protocol in `dialback_server`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat import events
from gtchat.chat.accounts import login_key
from gtchat.chat.background import within
from gtchat.chat.chat import Chat
from gtchat.chat.errors import Banned, ChatError, NotLoggedIn
from gtchat.chat.events import Event, LoggedIn, LoggedOut, PresenceChanged
from gtchat.chat.interfaces import DeliveryProof, IConnection
from gtchat.chat.users import Session, User
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.dialback import END, QUEUE_LIMIT, DialbackQueue, OutgoingCall, Unread
from gtchat.protocols.base.dialback_commands import DialbackCommand, DialbackCommands
from gtchat.protocols.base.dialback_questions import QuestionQueue
from gtchat.protocols.base.text import TextGroups

#: Calls that are made for the direct messages that wait at a login. More wait for the next one.
PENDING_LIMIT = 500


class ClientOwner(Protocol):
    """What a client needs of all clients of its protocol, which `DialbackServer` is.

    Attributes:
        chat: the chat.
        reactor: tells the time, calls later and connects.
        pending_size: bytes of the direct messages that are sent together to a user who logs in.
        protocol: name of the protocol (`IConnection.protocol`).
    """

    chat: Chat
    reactor: Any
    pending_size: int
    protocol: str

    def remove_client(self, client: DialbackClient) -> None:
        """Forget a client."""

    def keep(self, user: User, event: events.MessageSent) -> None:
        """Keep a message of the lobby for the next login of a user it did not reach."""

    async def kept(self) -> None:
        """Wait until all such messages are stored, or can't be."""

    def build_write(self, text: str) -> OutgoingCall:
        """Return the call that sends a text."""

    def build_call(self, client: DialbackClient, event: Event, text: str) -> OutgoingCall | None:
        """Return the call that sends an event, None if none is made now."""

    def render_presence(self, event: PresenceChanged) -> list[tuple[str, str]]:
        """Return the users that logged out or in, each with the text that says so."""

    def pending_text(self, whisper: events.WhisperSent) -> str:
        """Return a direct message that has waited for its receiver to log in."""

    def error_text(self, error: ChatError) -> str:
        """Return the text that tells a client why a command was refused."""

    def closing_text(self, event: Event | None) -> str:
        """Return the last text for a client whose session has ended, "" for none."""


@implementer(IConnection)
class DialbackClient:
    """The client of one user.

    Args:
        server: all clients of the protocol.
        address: IP address that the client logs in from.

    Attributes:
        session: the session of the user, None before login and after logout.
        commands: the commands of the client.
        calls: the calls to the client; None until it has said where it listens.
        questions: the questions that its user is asked, beside the other calls; as `calls`.
        last_seen_at: when the client sent something last, in seconds of the server's clock.
        closed: whether the connection was lost during the login; later ones do not matter.
    """

    closed = False
    delivery_proof = DeliveryProof.CALL
    resumable = False

    def __init__(self, server: ClientOwner, address: str) -> None:
        self.server = server
        self.address = address
        self.session: Session | None = None
        self.commands = DialbackCommands(server.chat, server.reactor, self._refuse)
        self.calls: DialbackQueue | None = None
        self.questions: QuestionQueue | None = None
        self.key = ""
        self.last_seen_at = server.reactor.seconds()
        self._user: User | None = None
        #: Events with their texts, and texts that are no event.
        self._pending: list[tuple[Event | None, str]] = []
        self._collected: TextGroups[events.WhisperSent] | None = None

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return self.server.protocol

    @property
    def name(self) -> str:
        """The name of the user, "" without a session."""
        return self.session.user.name if self.session is not None else ""

    @property
    def queue(self) -> CommandQueue[DialbackCommand]:
        """The commands that wait, and their rate."""
        return self.commands.queue

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
        """The number of texts that wait until the client can be called.

        None does while pending messages are collected: the chat would wait for the client to read.
        """
        return len(self._pending) if self._collected is None else 0

    # Login.

    def abandon(self, session: Session) -> None:
        """Give up a session that has begun for a connection that is lost."""
        self.server.chat.sessions.connection_lost(session, clean=False)

    async def open(self, port: int) -> list[tuple[str, list[events.WhisperSent]]]:
        """Collect the pending direct messages, then let the client be called.

        Args:
            port: where the client listens.

        Returns:
            Texts, each with the direct messages that are in it, which `deliver` has to send.

        Raises:
            NotStored: they can't be read; the session has ended.
        """
        server, session = self.server, self.require_session
        chat = server.chat
        self._user = session.user
        limit = chat.limits.outbox_bytes  # half of it is left for what comes meanwhile
        pending = TextGroups(server.pending_text, server.pending_size, PENDING_LIMIT, limit // 2)
        self._collected = pending
        try:
            chat.peer_address.set_address(session, port)
            await chat.whispers.deliver_pending(session)
        except Exception:
            self.disconnect()
            raise
        self._collected = None
        if self.session is not None:
            self.calls = DialbackQueue(server.reactor, self.address, port, limit)
            questions = DialbackQueue(server.reactor, self.address, port)
            self.questions = QuestionQueue(questions, self._undeliverable)
        return pending.groups

    def flush(self) -> None:
        """Send what came before the client could be called."""
        pending, self._pending = self._pending, []
        for event, text in pending:
            if event is None:
                self.push(text)
            else:
                self.on_event(event, text)

    # Events.

    def on_event(self, event: Event, text: str) -> None:
        """Send an event. text: "" for an event that is several texts."""
        if self._collected is not None and isinstance(event, events.WhisperSent):
            self._collected.add(event)
        elif self.calls is None:
            self._hold(event, text)
        elif isinstance(event, PresenceChanged):
            for name, part in self.server.render_presence(event):
                # A user's own login may be announced after it, with those of others.
                if name != self.name and not self._is_hidden(name):
                    self._deliver_event(event, part)
        elif not (isinstance(event, LoggedIn | LoggedOut) and self._is_hidden(event.usr)):
            self._deliver_event(event, text)

    def _hold(self, event: Event | None, text: str) -> None:
        """Let a text wait until the client can be called; give up a client with too many."""
        if len(self._pending) < QUEUE_LIMIT:
            self._pending.append((event, text))
        elif self.session is not None:
            # Later: sessions must not end while an event is sent to all of them.
            self.server.chat.users.call_soon(self.disconnect)

    def _is_hidden(self, name: str) -> bool:
        """Return whether this user must not see a user's presence, since that user blocks them."""
        if self.session is None or not self.session.user.blocked_by:
            return False
        users = self.server.chat.users
        if user := users.get(login_key(name)):
            return self.session.user.id in user.blocked
        # A user who is gone can't be looked up; it may be the one who blocks this user.
        return name not in users.online or any(
            users.presence.elsewhere.name(one) == name for one in self.session.user.blocked_by
        )

    def push(self, text: str) -> None:
        """Send a text that is no event of the chat; a client that can't be called is gone."""
        if self.calls is not None:
            self.deliver(self.server.build_write(text))
        elif self.session is not None:
            self._hold(None, text)

    def _refuse(self, error: ChatError) -> None:
        """Tell the client why a command was refused."""
        self.push(self.server.error_text(error))

    def deliver(self, call: OutgoingCall, whispers: Collection[events.WhisperSent] = ()) -> None:
        """Make a call.

        Args:
            call: what is sent.
            whispers: the direct messages that are in it; they have arrived if it succeeds.
        """
        assert self.calls is not None
        self.calls.call(call).addCallbacks(self._confirm, self._undeliverable, (whispers,))

    def _deliver_event(self, event: Event, text: str) -> None:
        call = self.server.build_call(self, event, text)
        if call is None:
            return
        if isinstance(event, events.WhisperSent):
            self.deliver(call, [event])
        elif isinstance(event, events.MessageSent):
            assert self.calls is not None
            self.calls.call(call).addErrback(self._not_arrived, event)
        else:
            self.deliver(call)

    def _confirm(self, _: None, whispers: Collection[events.WhisperSent]) -> None:
        if whispers and self.session is not None:
            ids = {whisper.id for whisper in whispers}
            self.server.chat.whispers.confirm(self.session, ids)

    def _undeliverable(self, failure: Failure) -> None:
        """End the session, unless the client was reached and may be able to read shorter texts."""
        if failure.check(Unread) is None:
            self.disconnect()

    def _not_arrived(self, failure: Failure, event: events.MessageSent) -> None:
        """Keep a message of the lobby that was sent to the client and did not arrive."""
        self._keep(event)
        self._undeliverable(failure)

    def _keep(self, event: events.MessageSent) -> None:
        """Keep a message of the lobby for the next login, with the direct messages.

        Not the line that shows an edit, which is no message of the log: it has no id.
        """
        if self._user is not None and event.id:
            self.server.keep(self._user, event)

    # The end.

    async def log_out(self) -> None:
        """End the session when the call under way has ended: else its message would come again.

        It returns when that is stored, for the same reason: the user may log in at another node
        then. Neither is waited for longer than `END`.
        """
        if self.calls is not None:
            await self.calls.finish()
        stored = Deferred.fromCoroutine(self._end_stored())
        await within(END, self.server.reactor, stored)

    async def _end_stored(self) -> None:
        """End the session; wait until all is stored that the next login needs."""
        await self._end()
        await self.server.kept()

    def disconnect(self) -> None:
        """End the session; what has not arrived waits for the next login."""
        self._end()

    def _end(self) -> Deferred[None]:
        """End the session. Return what fires when its end is stored, or can't be."""
        session, self.session = self.session, None
        self._collected = None
        self._remove()
        stored: Deferred[None] = succeed(None)
        if session is not None:
            stored = self.server.chat.sessions.connection_lost(session, clean=False)
        self._close_calls(None)
        return stored

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        """Send the last text after the session has ended; see `IConnection.close`."""
        self.session = None
        self._remove()
        last = self.server.error_text(Banned(text)) if text else self.server.closing_text(event)
        self._close_calls(self.server.build_write(last) if last else None)

    def _close_calls(self, last: OutgoingCall | None) -> None:
        """Give up the calls, and what waits until the client can be called; keep its messages."""
        pending, self._pending = self._pending, []
        for event, _ in pending:
            # What waits of direct messages is kept in any case.
            if isinstance(event, events.MessageSent) and event.room_name:
                self._keep(event)
        calls, self.calls = self.calls, None
        questions, self.questions = self.questions, None
        if calls is not None:
            calls.close(last)
        if questions is not None:
            questions.close()

    def _remove(self) -> None:
        self.server.remove_client(self)
        self.commands.close()
