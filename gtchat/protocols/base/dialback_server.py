"""All clients of a protocol that calls back: Message Center or PA1.

Which clients there are, their heartbeats, what their protocol writes, and the end of the server.
A client is in `dialback_client`, the calls to it in `dialback`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.background import InProgress, run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NotStored
from gtchat.chat.events import Event, MessageSent, PresenceChanged, WhisperSent
from gtchat.chat.interfaces import Ack
from gtchat.chat.rooms import LOBBY
from gtchat.chat.users import User
from gtchat.protocols.base.callback_rules import CallbackRules
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.dialback import OutgoingCall, OutgoingWrite
from gtchat.protocols.base.dialback_client import DialbackClient
from gtchat.protocols.base.request_log import LineLimit, RequestLines
from gtchat.protocols.base.tcp import Refused

#: Seconds between two checks of which clients are silent.
HEARTBEAT_CHECK = 5.0
#: Seconds for which the original clients may wait for their user to type a name and a password:
#: they connect before they ask.
LOGIN_PATIENCE = 300.0
#: Undelivered messages that wait to be stored, and how many are stored together: many clients can
#: be lost at once, with many messages each.
KEEP_LIMIT, KEEP_TOGETHER = 100_000, 50
#: Seconds for which the end of the server waits until undelivered messages are stored.
STOP_TIMEOUT = 10.0

_log = Logger()


class DialbackServer:
    """All clients of a protocol that calls back. Subclasses say how the protocol writes.

    Args:
        chat: the chat.
        reactor: tells the time, calls later and connects.
        rules: says which clients are called.

    Attributes:
        by_key: the clients by what their commands name them with.
        pending_size: bytes of the direct messages that are sent together to a user who logs in.
        protocol: name of the protocol (`IConnection.protocol`).
        lines: limits the lines of the log that clients can cause.
        requests: writes a line for each request.
        broadcast_command: name of the command that sends a text to the lobby.
    """

    protocol: str
    broadcast_command: str

    def __init__(self, chat: Chat, reactor: Any, rules: CallbackRules) -> None:
        self.chat = chat
        self.reactor = self.clock = reactor
        self.rules = rules
        self.clients: set[DialbackClient] = set()
        self.by_key: dict[str, DialbackClient] = {}
        self.lines = LineLimit(reactor)
        self.requests = RequestLines()
        self.limiter = ConnectionLimiter(chat.limits)
        self._check: IDelayedCall | None = None
        self._background: set[Deferred[None]] = set()
        self._unkept: deque[tuple[User, MessageSent]] = deque()
        self._keeping = InProgress()
        self._not_kept = 0

    @property
    def login_patience(self) -> float:
        """Seconds that a client may wait before it sends a name and a password; 0: for ever."""
        timeout = self.chat.limits.login_timeout
        return max(timeout, LOGIN_PATIENCE) if timeout else 0.0

    def is_called(self, address: str) -> bool:
        """Return whether clients at an address are called; log why they are not."""
        why = self.rules.refusal(address)
        if why is not None:
            self.lines.info(
                _log,
                "{address} is not called: {why}; callback_allow permits it",
                address=address,
                why=why,
            )
        return why is None

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

    def submit(
        self,
        client: DialbackClient,
        name: str,
        run: Callable[[], Coroutine[Any, Any, None]],
        done: Callable[[], None],
    ) -> None:
        """Run a command in its turn, and write the line of the request.

        Args:
            client: who sent it.
            name: its name.
            run, done: as of `DialbackCommands.submit`.
        """

        async def run_logged() -> None:
            try:
                await run()
            except ChatError as error:
                self.requests.note(name, client, error)
                raise
            if name != self.broadcast_command:  # `speak` writes the line when the text is stored
                self.requests.note(name, client)

        refusal = client.commands.submit(run_logged, done)
        if refusal is not None:
            self.requests.note(name, client, refusal)

    def note_refusal(self, name: str, client: DialbackClient, error: ChatError) -> None:
        """Count a request that was refused, and write its line.

        Args:
            name: of the command.
            client: who sent it.
            error: why it was refused.
        """
        self.chat.measures.refusals[error.code] += 1
        self.requests.note(name, client, error)

    def run(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Do something in the background, for which the end of the server waits.

        Args:
            work: what is done.
            what: the same, for the log.
        """
        done = Deferred.fromCoroutine(work)
        self._background.add(done)
        done.addBoth(self._finished, done)
        run_in_background(done, what)

    def _finished(self, result: Any, done: Deferred[None]) -> Any:
        self._background.discard(done)
        return result

    def keep(self, user: User, event: MessageSent) -> None:
        """Keep a message of the lobby for the next login of a user it did not reach.

        Args:
            user: who did not get it.
            event: the message.
        """
        if len(self._unkept) < KEEP_LIMIT:
            self._unkept.append((user, event))
        else:
            self._not_kept += 1
        if self not in self._keeping:
            self._keeping.begin(self)
            self.run(self._keep_all(), "keeping undelivered messages")

    async def kept(self) -> None:
        """Wait until all messages that were to be kept are stored, or can't be."""
        await self._keeping.finished(self)

    async def _keep_all(self) -> None:
        """Store what waits, `KEEP_TOGETHER` at a time, and log how many were not stored."""
        last = Failure(NotStored())
        try:
            await deferLater(self.clock, 0)  # a client that is lost gives all of its messages
            while self._unkept and not last.check(CancelledError):  # the end of the server
                count = min(len(self._unkept), KEEP_TOGETHER)
                together = [self._unkept.popleft() for _ in range(count)]
                for failure in await self._keep_together(together):
                    self._not_kept, last = self._not_kept + 1, failure
        finally:
            lost, self._not_kept = self._not_kept + len(self._unkept), 0
            self._unkept.clear()
            self._keeping.end(self)
        if lost:
            _log.warn("{count} undelivered messages were not kept", count=lost)
            last.raiseException()

    async def _keep_together(self, messages: list[tuple[User, MessageSent]]) -> list[Failure]:
        """Store some messages at the same time; return why some were not stored."""
        keep = self.chat.whispers.keep
        kept = [Deferred.fromCoroutine(keep(user, event)) for user, event in messages]
        results: Any = await DeferredList(kept, consumeErrors=True)
        return [failure for stored, failure in results if not stored]

    def stop(self) -> Deferred[None]:
        """Disconnect all clients; what was not delivered is kept.

        Returns:
            Fires when it is stored, or after `STOP_TIMEOUT`.
        """
        for client in list(self.clients):
            client.disconnect()
        return Deferred.fromCoroutine(self._wait_for_background())

    async def _wait_for_background(self) -> None:
        await DeferredList(self._background).addTimeout(STOP_TIMEOUT, self.clock)

    # Commands that are the same in both protocols.

    def speak(self, client: DialbackClient, text: str) -> None:
        """Send a text to the lobby, in as many messages as its length needs.

        Raises:
            ChatError: the rules refuse it. What they refuse later is sent to the client.
        """

        def answered(result: Ack | ChatError) -> None:
            if isinstance(result, ChatError):
                self.note_refusal(self.broadcast_command, client, result)
                client.push(self.error_text(result))
            else:
                self.requests.note(self.broadcast_command, client)

        for part in client.commands.split(text):
            self.chat.speak(client.require_session, LOBBY, part, None, answered)

    async def log_out(self, client: DialbackClient, rest: str) -> None:
        """Log out."""
        await client.log_out()

    async def heartbeat(self, client: DialbackClient, rest: str) -> None:
        """Do nothing: any command shows that the client is alive."""

    # How the protocol reads and writes.

    pending_size = 0

    def build_connection(self) -> TwistedProtocol:
        """Return the protocol of a new connection of a client."""
        raise NotImplementedError

    def encode(self, text: str) -> bytes:
        """Return a text as the protocol writes it."""
        raise NotImplementedError

    def pending_text(self, whisper: WhisperSent) -> str:
        """Return a direct message that has waited for its receiver to log in."""
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
        """Return the call that sends an event, None if none is made now."""
        return self.build_write(text)

    def error_text(self, error: ChatError) -> str:
        """Return the text that tells a client why a command was refused."""
        return error.text

    def closing_text(self, event: Event | None) -> str:
        """Return the last text for a client whose session has ended, "" for none."""
        return ""


class DialbackFactory(Factory):
    """Makes connections (IProtocolFactory).

    Args:
        server: all clients of the protocol.

    Attributes:
        limiter: counts the connections.
    """

    noisy = False

    def __init__(self, server: DialbackServer) -> None:
        self.server = server
        self.limiter = server.limiter

    @property
    def requests(self) -> RequestLines:
        """What writes a line for each request; may be replaced before there is one."""
        return self.server.requests

    @requests.setter
    def requests(self, lines: RequestLines) -> None:
        self.server.requests = lines

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol:
        """Return the protocol of a connection."""
        return self.server.build_connection() if self.server.chat.available else Refused()

    def stop(self) -> Deferred[None]:
        """Disconnect all clients, for the end of the server; see `DialbackServer.stop`."""
        return self.server.stop()
