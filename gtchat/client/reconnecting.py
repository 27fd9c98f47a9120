"""Keeps a session going over one connection after another: sends requests, takes what comes.

The WebSocket is in `link`, connection attempts in `dialer`, the order of events in `event_stream`,
the login in `session`. The interface for programs is in `connection`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from gtchat.client.backoff import Backoff
from gtchat.client.catch_up import CatchUp
from gtchat.client.close_codes import (
    LOGIN_TIMEOUT_CODE,
    closed_for_good,
    is_final,
    meaning_of,
    wait_of,
)
from gtchat.client.commands import Effect, effect_of, waits
from gtchat.client.dialer import Dialer
from gtchat.client.errors import (
    CannotConnect,
    CloseReason,
    CommandFailed,
    ConnectionClosed,
    GTChatError,
    Unanswered,
    closed_by_us,
)
from gtchat.client.event_decoder import EventDecoder
from gtchat.client.event_stream import BRIMFUL, FULL, EventStream
from gtchat.client.events import ConnectionLost, ConnectionRestored, Event
from gtchat.client.link import WebSocketLink, WebSocketLinkFactory
from gtchat.client.logs import log
from gtchat.client.options import Options, State
from gtchat.client.pacing import PacedSender
from gtchat.client.pauses import Pauses
from gtchat.client.replies import Reply, decode_message
from gtchat.client.requests import PendingRequest, ReceivedReply, RequestQueue
from gtchat.client.session import CannotResume, Session

#: Maximum size of a request, for a server that does not state one.
DEFAULT_MESSAGE_BYTES = 65_536


@attrs.frozen
class ServerInfo:
    """What a server says of itself."""

    version: str = ""
    features: tuple[str, ...] = ()


class ReconnectingClient:
    """A client that connects again after a loss, and goes on with its session.

    Args:
        url: `ws://…` or `wss://…`.
        endpoint: the address to connect to.
        clock: tells the time and schedules calls.
        options: what `connect` was told.

    Attributes:
        server: what the server says of itself.
        limits: its limits by name, as in the reply to `hello`.
        decoder: knows who is logged in, and the epoch.
        requests: the requests without a reply.
        stream: the events.
        dialer: makes connection attempts.
    """

    def __init__(
        self,
        url: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        options: Options,
    ) -> None:
        self.server = ServerInfo()
        self.limits: Mapping[str, float] = {}
        self.decoder = EventDecoder()
        self.requests = RequestQueue()
        self.stream = EventStream(self.decoder, self._regulate, options.spawn)
        self._options = options
        self._clock = clock
        self._pauses = Pauses(clock)
        self._session = Session(CatchUp(self.stream, self.decoder, self._send_internal, self.sleep))
        factory = WebSocketLinkFactory(url, self, clock)
        backoff = Backoff(clock, options.random)
        self.dialer = Dialer(endpoint, factory, clock, backoff, self._dial_failed)
        self._sender = PacedSender(self.requests, clock, self._send)
        self._link: WebSocketLink | None = None
        self._ready = False
        self._losing = False
        self._loss_reported = False
        self._last_state: State = "lost"
        self._opening: Deferred[None] | None = None
        self._closing: Deferred[None] | None = None
        self._closed: Exception | None = None

    @property
    def state(self) -> State:
        """Whether commands are sent at once, or when it is up again, or not any more."""
        return "closed" if self._closed is not None else "up" if self._ready else "lost"

    def sleep(self, seconds: float) -> Deferred[None]:
        """Wait for some seconds. Raises Unanswered: the connection was lost meanwhile."""
        return self._pauses.sleep(seconds)

    async def open(self) -> None:
        """Connect for the first time, see `Connection.open`."""
        opening = self._opening = Deferred()
        self.dialer.dial()
        await opening

    async def close(self, timeout: float) -> None:
        """Close the connection, see `Connection.close`."""
        if self._closed is not None:
            return
        if self._closing is None:
            self._closing = Deferred()
            try:
                await self._answers(timeout)
            finally:  # also when the caller gives up the wait: further calls of `close` wait for it
                if self._link is not None:
                    self._link.finish()
                elif self._closed is None:
                    self._finish(None)
        closing = self._closing
        if not closing.called:
            waiter: Deferred[None] = Deferred()
            closing.addCallback(waiter.callback)
            await waiter

    async def _answers(self, timeout: float) -> None:
        """Wait for the answers to what was called. timeout: for so many seconds at most."""
        calls = [request for request in self.requests.pending() if not request.internal]
        if calls and self._ready and timeout > 0:
            answered = DeferredList([call.when_settled() for call in calls], consumeErrors=True)
            await answered.addTimeout(timeout, self._clock, lambda *_: None)

    # Sending.

    def submit(self, request: PendingRequest) -> Deferred[ReceivedReply]:
        """Send a request now, or as soon as the connection is up. Raises TooManyCalls."""
        if self._closed is not None or self._closing is not None:
            raise self._closed or closed_by_us()
        limit = self.limits.get("message_bytes", DEFAULT_MESSAGE_BYTES)
        if limit and len(request.payload) > limit:
            raise CommandFailed("too_long", f"more than {limit:.0f} bytes", cmd=request.cmd)
        self.requests.add(request)
        if self._ready:
            self._sender.send_waiting()
        elif self._link is None and self.dialer.is_idle and not self._losing:
            self.dialer.dial()
        self._regulate()
        return request.reply

    def _send(self, request: PendingRequest) -> None:
        if self._link is not None and self._link.can_send and not request.reply.called:
            request.sent_count += 1
            request.start_timer(self._clock, self._options.call_timeout, self._timed_out)
            self._link.send(request.payload)

    def _timed_out(self, request: PendingRequest) -> None:
        """Give a connection up on which a request is not answered."""
        request.timeouts += 1
        if self._link is not None:
            self._link.drop(f"no answer to {request.cmd} in {self._options.call_timeout:g} s")

    async def _send_internal(self, cmd: str, /, **fields: Any) -> Reply:
        """Send a request of the connection's own. Raises CommandFailed, Unanswered."""
        if self._link is None or not self._link.can_send:
            raise Unanswered(cmd, "the connection was lost")
        request = self.requests.make(cmd, fields, internal=True)
        self.requests.add_sent(request)
        self._sender.pacer.spend()
        self._send(request)
        self._regulate()
        return (await request.reply).reply.checked()

    # Connecting.

    def _set_state(self) -> None:
        """Tell the program that the state has changed, if it has."""
        if self.state != self._last_state:
            self._last_state = self.state
            if self._options.on_state is not None:
                try:
                    self._options.on_state(self.state)
                except Exception:
                    log.failure("on_state failed")

    def _dial_failed(self, reason: str) -> None:
        if self._closed is None:
            self._reconnect(None, reason)

    def link_opened(self, link: WebSocketLink) -> None:
        """Resume the session on a link that opened."""
        self.dialer.handshake_ended()
        self._link = link
        if self._closing is not None:
            link.finish()
            return
        self._run(self._begin(link), link)

    def _run(self, work: Coroutine[Any, Any, None], link: WebSocketLink) -> None:
        """Run the first steps on a link; if they fail, drop it, so that another one is opened."""

        def failed(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, CannotResume):
                self._finish(ConnectionClosed(None, CloseReason.SESSION_OVER, str(error)))
                link.finish()
            elif isinstance(error, CommandFailed) and self._opening is not None:
                self._finish(error)
                link.finish()
            elif not isinstance(error, Unanswered | ConnectionClosed):
                if not isinstance(error, CommandFailed):
                    log.failure("The first steps on a connection failed", failure)
                link.drop(str(error))

        Deferred.fromCoroutine(work).addErrback(failed)

    async def _begin(self, link: WebSocketLink) -> None:
        """Ask for the server's limits, resume the session, send the requests that wait."""
        hello = await self._send_internal("hello")
        self.server, self.limits = ServerInfo(hello.version, hello.features), hello.limits
        if self._options.pace:
            self._sender.pacer.configure(hello.limits)
        reply = None
        resumes = self._session.is_open
        if resumes:
            reply = await self._session.resume()
            if reply.last_cmd == "login" and self._session.is_guest:
                self.requests.connection_lost(same_user=False)
        elif self._opening is not None and self._options.user is not None:
            reply = await self._session.log_in(self._options.user, self._options.device)
        if self._loss_reported:
            self._loss_reported = False
            resumed = reply is not None and reply.last_cmd == "resume"
            self.stream.add(ConnectionRestored(resumed=resumed))
        if reply is not None:
            if resumes:
                self._session.report(reply)
            else:
                self._session.deliver_waiting(reply)
        self._ready = True
        self.dialer.connected()
        resent = self._send_pending()
        self._set_state()
        self._opened(None)
        # A reply to a message that is sent again says that it is our own, so that it is not
        # delivered to us as a missed one.
        await gatherResults([request.when_settled() for request in resent])
        if self._link is link:
            await self._session.deliver_missed()

    def _send_pending(self) -> list[PendingRequest]:
        """Send all requests that wait; return those that were sent before and are still open."""
        resent = [request for request in self.requests.pending() if request.sent_count]
        self._sender.start()
        return [request for request in resent if not request.reply.called]

    def _opened(self, error: Exception | None) -> None:
        """End `open`, if it waits. error: raised there, None for none."""
        opening, self._opening = self._opening, None
        if opening is not None and error is None:
            opening.callback(None)
        elif opening is not None:
            refused = isinstance(error, CommandFailed | CannotConnect)
            opening.errback(error if refused else CannotConnect(str(error)))

    # Receiving.

    def link_received(self, link: WebSocketLink, payload: bytes) -> None:
        """Handle a message of the server; one that is invalid drops the link (see LinkOwner)."""
        try:
            message = decode_message(payload, self.decoder)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warn("The server sent an invalid message: {error}", error=error)
            link.drop("the server sent an invalid message")
            return
        if isinstance(message, Event):
            self.stream.add(message)
            self._regulate()
        else:
            self._reply_received(ReceivedReply(message, payload))

    def _reply_received(self, received: ReceivedReply) -> None:
        reply = received.reply
        request = self.requests.find(reply)
        if request is None:
            return
        if reply.code == "rate_limited" and not request.internal and waits(request.cmd):
            self._sender.refused(request, reply.retry_after or 1.0)
            return
        self.requests.discard(request)
        self._sender.send_waiting()
        if reply.status == "ok" and not request.internal:
            self._session.update_from(request, reply)
            if effect_of(request.cmd) in (Effect.LOGGED_IN, Effect.RESUMED):
                request.stop_timer()
                Deferred.fromCoroutine(self._finish_login(request, received))
                return
        request.finish(received)
        self._regulate()

    async def _finish_login(self, request: PendingRequest, received: ReceivedReply) -> None:
        """Answer a login when all rooms of the user are known; what waited follows the reply."""
        reply = received.reply
        with suppress(GTChatError):  # then a resume learns of them
            reply = await self._session.finish_login(reply)
        request.finish(ReceivedReply(reply, received.payload))
        self._session.deliver_waiting(reply)
        with suppress(Unanswered):  # then a resume delivers them
            await self._session.deliver_missed()
        self._regulate()

    def _regulate(self) -> None:
        """Stop reading while too many events wait; read again later."""
        if self._link is None:
            return
        waiting, calls = self.stream.waiting, len(self.requests)
        if waiting >= (BRIMFUL if calls else FULL):
            self._link.pause()
        elif calls or waiting <= FULL // 2:
            self._link.resume()

    # Losing the connection.

    def link_lost(self, link: WebSocketLink, code: int | None, reason: str) -> None:
        """Reconnect after a lost link, unless its close code forbids it (see LinkOwner)."""
        self._link, self._ready = None, False
        # What ends now may call again at once: that must not connect beside `_reconnect`.
        self._losing = True
        self.dialer.handshake_ended()
        self._sender.stop()
        for payload in link.unread():
            self._take_unread(payload)
        self.stream.connection_lost()
        self.requests.connection_lost()
        # What catches up on this link must not go on beside its successor on the next one.
        self._pauses.end(Unanswered("history", "the connection was lost"))
        self._losing = False
        if self._closed is not None:
            return
        if self._closing is not None:
            self._finish(None)
        elif code is not None and is_final(code):
            self._finish(closed_for_good(code, reason))
        else:
            self._reconnect(code, reason)

    def _take_unread(self, payload: bytes) -> None:
        """Take a message that was received and not looked at, if it does not come again."""
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            event = decode_message(payload, self.decoder)
            if isinstance(event, Event) and not self.stream.is_entry_of_room(event):
                self.stream.add(event)

    def _reconnect(self, code: int | None, reason: str) -> None:
        """Schedule the next attempt; the first connection is not retried."""
        if self._opening is not None:
            self._finish(CannotConnect(reason))
            return
        if code == LOGIN_TIMEOUT_CODE and not self._session.is_open and not len(self.requests):
            self._set_state()
            return  # the next request connects
        delay = self.dialer.retry(wait_of(code, reason))
        self._set_state()
        if not self._loss_reported:
            self._loss_reported = True
            self.stream.add(ConnectionLost(code=code, reason=meaning_of(reason), retry_in=delay))

    def _finish(self, error: Exception | None) -> None:
        """End everything. error: the reason; None: `close` was called."""
        self._closed = error or closed_by_us()
        self._session.end()
        self._sender.stop()
        self.dialer.stop()
        self.stream.end(error)
        self.requests.fail_all(self._closed)
        self._set_state()
        self._opened(self._closed)
        if self._closing is not None and not self._closing.called:
            self._closing.callback(None)
