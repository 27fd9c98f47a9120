"""A connection to a GTChat server that reconnects by itself.

    connection = await connect("ws://127.0.0.1:9000/", reactor)
    await connection.call("login", type="tmp", usr="ann")
    async for event in connection.events(): ...

After a loss it reconnects with backoff and resumes its session: the caller gets each event once and
misses none. The WebSocket is in `link`, connection attempts in `dialer`, the order of events in
`event_stream`, the login in `session`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from random import Random, SystemRandom
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.client.actions import MessageActions
from gtchat.client.backoff import Backoff
from gtchat.client.close_codes import LOGIN_TIMEOUT_CODE, is_final, meaning_of, wait_of
from gtchat.client.commands import Effect, Repeat, effect_of, repeat_of, waits
from gtchat.client.dialer import Dialer
from gtchat.client.event_stream import EventStream
from gtchat.client.link import WebSocketLink, WebSocketLinkFactory, endpoint_for
from gtchat.client.messages import (
    CannotConnect,
    CommandFailed,
    ConnectionClosed,
    ConnectionLost,
    ConnectionRestored,
    Event,
    Push,
    Reply,
    Unanswered,
    parse,
)
from gtchat.client.pacing import PacedSender
from gtchat.client.pauses import Pauses
from gtchat.client.requests import PendingRequest, ReceivedReply, RequestQueue
from gtchat.client.session import CannotResume, Session

#: Events that wait for the reader, beyond which nothing more is read from the server.
MAX_WAITING_EVENTS = 5_000
#: Maximum size of a request, for a server that does not state one.
DEFAULT_MESSAGE_BYTES = 65_536

_log = Logger()


class Connection(MessageActions):
    """A connection that reconnects. Made by `connect`. `MessageActions` has more methods.

    Args:
        url: `ws://…` or `wss://…`.
        endpoint: the address to connect to.
        clock: tells the time and schedules calls.
        random: source of the jitter and of transaction ids; default: the system's.

    Attributes:
        server: the server's reply to `hello`: version, limits, features.
    """

    def __init__(
        self,
        url: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        random: Random | None = None,
    ) -> None:
        self.server = Reply(status="ok")
        self._random = random or SystemRandom()
        self._requests = RequestQueue()
        self._stream = EventStream(self._regulate)
        self._pauses = Pauses(clock)
        self._session = Session(self._stream, self._send_internal, self._pauses.sleep)
        factory = WebSocketLinkFactory(url, self, clock)
        backoff = Backoff(clock, self._random)
        self._dialer = Dialer(endpoint, factory, clock, backoff, self._dial_failed)
        self._sender = PacedSender(self._requests, clock, self._send)
        self._link: WebSocketLink | None = None
        self._ready = False
        self._paused = False
        self._loss_reported = False
        self._opening: Deferred[None] | None = None
        self._closing: Deferred[None] | None = None
        self._closed: Exception | None = None

    # Public interface.

    @property
    def user(self) -> str:
        """The user who is logged in; "" when none is."""
        return self._stream.user

    @property
    def is_up(self) -> bool:
        """Whether requests are sent at once."""
        return self._ready

    @property
    def retry_in(self) -> float:
        """Seconds until the next connection attempt; 0 when none is scheduled."""
        return self._dialer.retry_in

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            CannotConnect: the attempt failed; it is not repeated.
        """
        opening = self._opening = Deferred()
        self._dialer.dial()
        await opening

    async def call(self, cmd: str, /, **fields: Any) -> Reply:
        """Send a command and return its reply.

        A command that can have a `txn` gets one: sent again after a lost connection, it is done
        once. A command that is called while the connection is down is sent when it is up.
        Commands are sent in the order of the calls, no faster than the server allows; one that it
        refuses with `rate_limited` is sent again, except those with a rate of their own.

        Args:
            cmd: a command of docs/protocol.md.
            fields: its fields.

        Raises:
            CommandFailed: the server replied with an error.
            Unanswered: the connection was lost, and the command can't be sent twice.
            ConnectionClosed: the connection is closed.
            TypeError: a field can't be encoded as JSON.
        """
        if repeat_of(cmd) is Repeat.WITH_TXN and "broadcast_key" not in fields:
            fields.setdefault("txn", f"{self._random.getrandbits(96):024x}")
        return (await self._submit(self._requests.make(cmd, fields))).checked()

    async def send(self, line: str) -> str:
        """Send a request as it is written and return its reply as it was received.

        Args:
            line: a JSON object as in docs/protocol.md.

        Returns:
            The JSON of the reply, whether its status is `ok` or `error`.

        Raises:
            CommandFailed: it is too long.
            Unanswered: the connection was lost, and the request can't be sent twice.
            ConnectionClosed: the connection is closed.
        """
        return (await self._submit(self._requests.make_raw(line))).payload.decode()

    def events(self) -> AsyncIterator[Event]:
        """Return the iterator over all events; it has one reader at a time.

        It stops after `close` and raises ConnectionClosed when the connection closes for another
        reason. A second reader gets a RuntimeError.
        """
        return self._stream

    async def close(self) -> None:
        """Close the connection with code 1000 and do not reconnect."""
        if self._closed is not None:
            return
        if self._closing is None:
            self._closing = Deferred()
            if self._link is not None:
                self._link.finish()
            else:
                self._finish(None)
        closing = self._closing
        if not closing.called:
            waiter: Deferred[None] = Deferred()
            closing.addCallback(waiter.callback)
            await waiter

    # Sending.

    def _submit(self, request: PendingRequest) -> Deferred[ReceivedReply]:
        """Send a request now, or as soon as the connection is up."""
        if self._closed is not None or self._closing is not None:
            closed = self._closed or ConnectionClosed(1000, "the connection is closed")
            request.reply.errback(closed)
            return request.reply
        limit = self.server.limits.get("message_bytes", DEFAULT_MESSAGE_BYTES)
        if limit and len(request.payload) > limit:
            request.reply.errback(CommandFailed("too_long", f"more than {limit:.0f} bytes"))
            return request.reply
        self._requests.add(request)
        if self._ready:
            self._sender.send_waiting()
        elif self._link is None and self._dialer.is_idle:
            self._dialer.dial()
        self._regulate()
        return request.reply

    def _send(self, request: PendingRequest) -> None:
        if self._link is not None and not request.reply.called:
            request.sent_count += 1
            self._link.send(request.payload)

    async def _send_internal(self, cmd: str, **fields: Any) -> Reply:
        """Send a request of the connection's own. Raises CommandFailed, Unanswered."""
        if self._link is None:
            raise Unanswered("the connection was lost")
        request = self._requests.make(cmd, fields, internal=True)
        self._requests.add_sent(request)
        self._sender.pacer.spend()
        self._send(request)
        return (await request.reply).checked()

    # Connecting.

    def _dial_failed(self, reason: str) -> None:
        if self._closed is None:
            self._reconnect(None, reason)

    def link_opened(self, link: WebSocketLink) -> None:
        """Resume the session on a link that opened."""
        self._link = link
        self._paused = False
        if self._closing is not None:
            link.finish()
            return
        self._run(self._begin(link), link)

    def _run(self, work: Coroutine[Any, Any, None], link: WebSocketLink) -> None:
        """Run the first steps on a link; if they fail, drop it, so that another one is opened."""

        def failed(failure: Failure) -> None:
            if failure.check(CannotResume):
                self._finish(ConnectionClosed(0, str(failure.value)))
                link.finish()
            elif not failure.check(Unanswered, ConnectionClosed):
                if not failure.check(CommandFailed):
                    _log.failure("The first steps on a connection failed", failure)
                link.drop(str(failure.value))

        Deferred.fromCoroutine(work).addErrback(failed)

    async def _begin(self, link: WebSocketLink) -> None:
        """Ask for the server's limits, resume the session, send the requests that wait."""
        self.server = await self._send_internal("hello")
        self._sender.pacer.configure(self.server.limits)
        resumed = None
        if self._session.is_open:
            self._stream.hold()
            resumed = await self._session.resume()
            if resumed.last_cmd == "login" and self._session.is_guest:
                self._requests.connection_lost(same_user=False)
        if self._loss_reported:
            self._loss_reported = False
            self._stream.add_first([ConnectionRestored()])
        self._ready = True
        self._dialer.connected()
        resent = self._send_pending()
        if self._opening is not None:
            opening, self._opening = self._opening, None
            opening.callback(None)
        if resumed is not None:
            # A reply to a message that is sent again says that it is our own, so that it is not
            # delivered to us as a missed one.
            await gatherResults([request.when_settled() for request in resent])
            if self._link is link:
                await self._session.catch_up(resumed)

    def _send_pending(self) -> list[PendingRequest]:
        """Send all requests that wait; return those that were sent before and are still open."""
        resent = [request for request in self._requests.pending() if request.sent_count]
        self._sender.start()
        return [request for request in resent if not request.reply.called]

    # Receiving.

    def link_received(self, link: WebSocketLink, payload: bytes) -> None:
        """Handle a message of the server; one that is invalid drops the link (see LinkOwner)."""
        try:
            message = parse(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.warn("The server sent an invalid message: {error}", error=error)
            link.drop("the server sent an invalid message")
            return
        if isinstance(message, Push):
            self._stream.add(message)
            self._regulate()
        else:
            self._reply_received(ReceivedReply(message, payload))

    def _reply_received(self, received: ReceivedReply) -> None:
        reply = received.reply
        request = self._requests.find(reply)
        if request is None:
            return
        if reply.code == "rate_limited" and not request.internal and waits(request.cmd):
            self._sender.refused(request, reply.retry_after or 1.0)
            return
        self._requests.discard(request)
        if reply.status == "ok" and not request.internal:
            self._session.update_from(request, reply)
            if effect_of(request.cmd) in (Effect.LOGGED_IN, Effect.RESUMED):
                Deferred.fromCoroutine(self._finish_login(request, received))
                return
        request.finish(received)
        self._regulate()

    async def _finish_login(self, request: PendingRequest, received: ReceivedReply) -> None:
        """Answer a login when all rooms of the user are known; what waited follows the reply."""
        reply = await self._session.all_rooms(received.reply)
        request.finish(ReceivedReply(reply, received.payload))
        await self._session.deliver_after_login(reply)
        self._regulate()

    def _regulate(self) -> None:
        """Stop reading while too many events wait and no request is open; read again later."""
        if self._link is None:
            return
        full = len(self._stream) > MAX_WAITING_EVENTS and not len(self._requests)
        if full and not self._paused:
            self._paused = True
            self._link.pause()
        elif self._paused and (len(self._requests) or len(self._stream) < MAX_WAITING_EVENTS // 2):
            self._paused = False
            self._link.resume()

    # Losing the connection.

    def link_lost(self, link: WebSocketLink, code: int | None, reason: str) -> None:
        """Reconnect after a lost link, unless its close code forbids it (see LinkOwner)."""
        self._link, self._ready = None, False
        self._sender.stop()
        self._stream.connection_lost()
        self._requests.connection_lost()
        # What catches up on this link must not go on beside its successor on the next one.
        self._pauses.end(Unanswered("the connection was lost"))
        if self._closed is not None:
            return
        if self._closing is not None:
            self._finish(None)
        elif code is not None and is_final(code):
            self._finish(ConnectionClosed(code, meaning_of(reason)))
        else:
            self._reconnect(code, reason)

    def _reconnect(self, code: int | None, reason: str) -> None:
        """Schedule the next attempt; the first connection is not retried."""
        if self._opening is not None:
            self._finish(CannotConnect(reason))
            return
        if code == LOGIN_TIMEOUT_CODE and not self._session.is_open and not len(self._requests):
            return  # the next request connects
        delay = self._dialer.retry(wait_of(code, reason))
        if not self._loss_reported:
            self._loss_reported = True
            self._stream.add(ConnectionLost(meaning_of(reason), delay))

    def _finish(self, error: Exception | None) -> None:
        """End everything. error: the reason; None: `close` was called."""
        self._closed = error or ConnectionClosed(1000, "the connection is closed")
        self._session.end()
        self._sender.stop()
        self._dialer.stop()
        self._requests.fail_all(self._closed)
        self._stream.end(error)
        if self._opening is not None:
            opening, self._opening = self._opening, None
            opening.errback(CannotConnect(str(self._closed)))
        if self._closing is not None and not self._closing.called:
            self._closing.callback(None)


async def connect(
    url: str, reactor: Any, *, ca_file: str | None = None, random: Random | None = None
) -> Connection:
    """Connect to a server.

    Args:
        url: `ws://host:port/`, or `wss://host:port/`, whose certificate is verified.
        reactor: Twisted's reactor.
        ca_file: PEM file of the certificate authorities to trust; None for the platform's.
        random: source of the jitter and of transaction ids; default: the system's.

    Raises:
        CannotConnect: the attempt failed. Later losses are handled by the connection itself.
        ValueError: the URL is invalid, or the file has no usable certificate.
        OSError: the file can't be read.
    """
    connection = Connection(url, endpoint_for(url, reactor, ca_file), reactor, random)
    await connection.open()
    return connection
