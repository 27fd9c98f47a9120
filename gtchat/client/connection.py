"""A connection to a GTChat server: what bots and other clients build on.

    connection = await connect("ws://127.0.0.1:9000/", reactor)
    await connection.call("login", type="tmp", usr="ann")
    async for push in connection.pushes(): ...

It comes back by itself when it is lost, with backoff, and resumes: its user misses nothing and is
told nothing twice. How a WebSocket works stands in `link`, the order of what is told in `feed`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from random import Random, SystemRandom
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.client.backoff import Backoff
from gtchat.client.event_stream import Feed
from gtchat.client.link import Link, LinkFactory, endpoint_for, why
from gtchat.client.messages import (
    Back,
    CannotConnect,
    CommandFailed,
    Ended,
    Happening,
    Lost,
    Push,
    Reply,
    Unanswered,
    parse,
)
from gtchat.client.requests import WITH_TXN, Answer, Call, Calls
from gtchat.client.session import Session, SessionOver

#: Close codes after which to stay away, and what they mean to a person.
STAY_AWAY: dict[int, str] = {
    4001: "this user has logged in from somewhere else, or the password was changed",
    4002: "the operator has put this user out",
    1002: "the server does not understand this client",
    1003: "the server does not understand this client",
    1007: "the server does not understand this client",
    1008: "the server refuses to hear more from here",
    1009: "a message was too long for the server",
}
NO_LOGIN = 4003
#: Pushes that wait for the user, beyond which no more are read from the server.
PUSHES_MOST = 5_000
MESSAGE_BYTES = 65_536  # what a server takes that does not say

_log = Logger()


class Connection:
    """A connection that comes back. Made by `connect`.

    Args:
        url: `ws://…` or `wss://…`.
        endpoint: where to connect to.
        clock: tells the time and calls later.
        random: for jitter, and for what keeps messages from being said twice.

    Attributes:
        server: what the server said of itself (`hello`).
    """

    def __init__(
        self,
        url: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        random: Random | None = None,
    ) -> None:
        self.server = Reply(status="ok")
        self._factory = LinkFactory(url, self, clock)
        self._endpoint = endpoint
        self._clock = clock
        self._random = random or SystemRandom()
        self._calls = Calls()
        self._feed = Feed(self._regulate)
        self._session = Session(self._feed, self._ask, self._sleep)
        self._link: Link | None = None
        self._ready = False
        self._paused = False
        self._backoff = Backoff(clock, self._random)
        self._told_lost = False
        self._dialing: Deferred[Any] | None = None
        self._retry: IDelayedCall | None = None
        self._opening: Deferred[None] | None = None
        self._closing: Deferred[None] | None = None
        self._ended: Exception | None = None

    # What its user does.

    @property
    def user(self) -> str:
        """Who is logged in; "" for nobody."""
        return self._feed.user

    @property
    def is_up(self) -> bool:
        """Whether commands are sent at once."""
        return self._ready

    @property
    def retry_in(self) -> float:
        """Seconds until it is tried again to connect; 0: there is no need to wait for that."""
        return max(0.0, self._retry.getTime() - self._clock.seconds()) if self._retry else 0.0

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            CannotConnect: it was not possible; nothing goes on.
        """
        opening = self._opening = Deferred()
        self._dial()
        await opening

    async def call(self, cmd: str, /, **fields: Any) -> Reply:
        """Send a command and wait for its reply.

        `speak` and `whisper` are given a `txn`, so that they are said once, also when the
        connection is lost before the reply and they are sent again. A command that is called
        while there is no connection is sent as soon as there is one.

        Args:
            cmd: a command of the protocol page. fields: its fields.

        Raises:
            CommandFailed: the server answered with an error.
            Unanswered: the connection was lost, and the command can't be sent twice.
            Ended: the connection has ended for good.
        """
        if cmd in WITH_TXN and "broadcast_key" not in fields:
            fields.setdefault("txn", f"{self._random.getrandbits(96):024x}")
        return (await self._submit(self._calls.command(cmd, fields))).checked()

    async def send(self, line: str) -> str:
        """Send a request as it is written, and wait for its reply.

        Args:
            line: a JSON object, as the protocol page has it.

        Returns:
            The reply as the server wrote it, be it `ok` or an error.

        Raises:
            CommandFailed (it is too long), Unanswered, Ended.
        """
        return (await self._submit(self._calls.line(line))).payload.decode()

    def pushes(self) -> AsyncIterator[Happening]:
        """What happens: pushes of the server, and `Lost`, `Back`, `Reset`.

        To be iterated over in one place. It stops after `close()`, and raises `Ended` when the
        connection has ended for good.
        """
        return self._feed

    async def close(self) -> None:
        """Close the connection in an orderly way, and do not come back."""
        if self._ended is not None:
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

    def _submit(self, call: Call) -> Deferred[Answer]:
        """Send a call now or as soon as it can be."""
        if self._ended is not None or self._closing is not None:
            call.answer.errback(self._ended or Ended(1000, "the connection is closed"))
            return call.answer
        most = self.server.limits.get("message_bytes", MESSAGE_BYTES)
        if most and len(call.payload) > most:
            call.answer.errback(CommandFailed("too_long", f"more than {most:.0f} bytes"))
            return call.answer
        self._calls.add(call)
        if self._ready:
            self._send(call)
        elif self._link is None and self._dialing is None and self._retry is None:
            self._dial()
        self._regulate()
        return call.answer

    def _send(self, call: Call) -> None:
        if self._link is not None and not call.answer.called:
            call.sends += 1
            self._link.send(call.payload)

    async def _ask(self, cmd: str, **fields: Any) -> Reply:
        """Send a command of the connection's own. Raises CommandFailed, Unanswered."""
        call = self._calls.command(cmd, fields, internal=True)
        self._calls.add(call)
        self._send(call)
        return (await call.answer).checked()

    # Connecting.

    def _dial(self) -> None:
        self._retry = None
        self._dialing = self._endpoint.connect(self._factory)
        self._dialing.addCallbacks(self._dialed, self._dial_failed)

    def _dialed(self, _: Any) -> None:
        self._dialing = None

    def _dial_failed(self, failure: Failure) -> None:
        self._dialing = None
        if self._ended is None:
            self._lost(None, why(failure.value))

    def link_opened(self, link: Link) -> None:
        """A WebSocket is open."""
        self._link = link
        self._paused = False
        if self._closing is not None:
            link.finish()
            return
        self._run(self._begin(link), link)

    def _run(self, work: Coroutine[Any, Any, None], link: Link) -> None:
        """Do what a fresh link needs; where that fails, another link is made."""

        def failed(failure: Failure) -> None:
            if failure.check(SessionOver):
                self._finish(Ended(0, str(failure.value)))
                link.finish()
            elif not failure.check(Unanswered, Ended):
                if not failure.check(CommandFailed):
                    _log.failure("coming back failed", failure)
                link.drop(str(failure.value))

        Deferred.fromCoroutine(work).addErrback(failed)

    async def _begin(self, link: Link) -> None:
        """Ask who is there, take the session up again, send what waits."""
        self.server = await self._ask("hello")
        back = None
        if self._session.is_open:
            self._feed.hold()
            back = await self._session.come_back()
            if back.last_cmd == "login" and self._session.is_guest:
                self._calls.lost(same_user=False)
        if self._told_lost:
            self._told_lost = False
            self._feed.take_first([Back()])
        self._ready = True
        self._backoff.ready()
        again = self._send_waiting()
        if self._opening is not None:
            opening, self._opening = self._opening, None
            opening.callback(None)
        if back is not None:
            await gatherResults([call.when_settled() for call in again])
            if self._link is link:
                await self._session.catch_up(back)

    def _send_waiting(self) -> list[Call]:
        """Send all calls that wait; those are returned that were sent before."""
        again = [call for call in self._calls.waiting() if call.sends]
        for call in self._calls.waiting():
            self._send(call)
        return [call for call in again if not call.answer.called]

    def _sleep(self, seconds: float) -> Deferred[None]:
        slept: Deferred[None] = Deferred()
        self._clock.callLater(seconds, slept.callback, None)
        return slept

    # Hearing.

    def link_received(self, link: Link, payload: bytes) -> None:
        """The server says something."""
        try:
            message = parse(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.warn("not understood: {error}", error=error)
            link.drop("the server sent something that can't be understood")
            return
        if isinstance(message, Push):
            self._feed.take(message)
            self._regulate()
        else:
            self._answered(Answer(message, payload))

    def _answered(self, answer: Answer) -> None:
        call = self._calls.find(answer.reply)
        if call is None:
            return
        reply = answer.reply
        if call.sends > 1 and reply.code == "rate_limited":
            wait = reply.retry_after or 1.0
            call.again = self._clock.callLater(wait, self._send_again, call, self._link)
            return
        self._calls.discard(call)
        if reply.status == "ok" and not call.internal:
            self._session.learn(call, reply)
        call.finish(answer)
        self._regulate()

    def _send_again(self, call: Call, link: Link | None) -> None:
        if link is self._link:
            self._send(call)

    def _regulate(self) -> None:
        """Read no more than the user takes, unless he waits for an answer."""
        if self._link is None:
            return
        full = len(self._feed) > PUSHES_MOST and not len(self._calls)
        if full and not self._paused:
            self._paused = True
            self._link.pause()
        elif self._paused and (len(self._calls) or len(self._feed) < PUSHES_MOST // 2):
            self._paused = False
            self._link.resume()

    # Losing.

    def link_lost(self, link: Link, code: int | None, reason: str) -> None:
        """The WebSocket is gone."""
        self._link, self._ready = None, False
        self._feed.lost()
        self._calls.lost()
        if self._ended is not None:
            return
        if self._closing is not None:
            self._finish(None)
        elif code in STAY_AWAY:
            self._finish(Ended(code, STAY_AWAY[code]))
        else:
            self._lost(code, reason)

    def _lost(self, code: int | None, reason: str) -> None:
        """There is no connection: try again, later and later."""
        if self._opening is not None:
            self._finish(CannotConnect(reason))
            return
        if code == NO_LOGIN and not self._session.is_open and not len(self._calls):
            return  # the next command connects
        delay = self._backoff.next()
        self._retry = self._clock.callLater(delay, self._dial)
        if not self._told_lost:
            self._told_lost = True
            self._feed.take(Lost(reason, delay))

    def _finish(self, error: Exception | None) -> None:
        """All is over. error: why, if not by one's own wish."""
        self._ended = error or Ended(1000, "the connection is closed")
        self._session.end()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._dialing is not None:
            self._dialing.cancel()
        self._calls.end(self._ended)
        self._feed.end(error)
        if self._opening is not None:
            opening, self._opening = self._opening, None
            opening.errback(CannotConnect(str(self._ended)))
        if self._closing is not None and not self._closing.called:
            self._closing.callback(None)


async def connect(
    url: str, reactor: Any, *, ca_file: str | None = None, random: Random | None = None
) -> Connection:
    """Connect to a server.

    Args:
        url: `ws://host:port/` or `wss://host:port/`; with `wss` the certificate is verified.
        reactor: Twisted's.
        ca_file: PEM file of the authorities to trust instead of the platform's.

    Raises:
        CannotConnect: there is no connection; later losses are mended by themselves.
        ValueError: the URL is not one, or the file has no certificate. OSError: nor can it be read.
    """
    connection = Connection(url, endpoint_for(url, reactor, ca_file), reactor, random)
    await connection.open()
    return connection
