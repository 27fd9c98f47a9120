"""The connection of a node to a server of NATS; `nats_bus` says what for.

The client of NATS runs in a thread with an event loop of its own. It does not connect again by
itself: each connection has a client of its own, so that it is known what may be lost with one.

A message is `VERSION`, a space and a payload. Its subject names the running chat.

Source: NATS documentation, "NATS Protocols", "Client protocol"; nats-py 2.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import attrs
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, Error, MaxPayloadError

from gtchat.store.sql.bus_payloads import NOT_UNDERSTOOD, Heard, Hearing, Outgoing

#: Begins each message. Another one is of a program that says other things.
VERSION = b"gtchat1"
#: Bytes of the largest message: rows have half of it.
MAX_MESSAGE = 64 * 1024
#: Seconds: to connect, to wait for an answer, between two tries to connect, between two questions
#: whether the server answers, to send the rest at the end, and to close a connection.
CONNECT_S, ANSWER_S, RETRY_S, ASK_S, STOP_S, CLOSE_S = 3.0, 2.0, 0.5, 1.0, 1.0, 0.5
#: Seconds between two lines of the log about messages that are dropped.
REPORT_S = 60.0

_ERRORS = (Error, OSError, asyncio.TimeoutError)


@attrs.frozen
class NatsAddress:
    """Where a server of NATS is, and how to log in; `parse` returns one.

    Attributes:
        url: without what is secret.
        login: `user` and `password`, or `token`, or nothing.
        is_tls: whether a connection without TLS is refused.
    """

    url: str
    login: Mapping[str, str] = attrs.field(repr=False)
    is_tls: bool

    @classmethod
    def parse(cls, address: str) -> NatsAddress:
        """Return one of the addresses of the setting `notify`, which has been checked."""
        parts = urlsplit(address)
        place = parts.netloc.rpartition("@")[2]
        login: dict[str, str] = {}
        if parts.password is not None:
            login = {"user": unquote(parts.username or ""), "password": unquote(parts.password)}
        elif parts.username is not None:
            login = {"token": unquote(parts.username)}
        return cls(f"{parts.scheme}://{place}", login, parts.scheme == "tls")


class _Connection(Client):
    """One connection.

    Args:
        is_tls: whether no password may be sent over it without TLS.
        changed: set when `error` is.

    Attributes:
        error: why it is not good any more.
    """

    def __init__(self, is_tls: bool, changed: asyncio.Event) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._is_tls = is_tls
        self._changed = changed

    async def fail(self, error: Exception) -> None:
        """Take note of what the client could not do first: the end of a connection may fail, too.

        A server that refuses a login closes the connection while there is something to read, so
        that TCP resets it.
        """
        self.error = self.error or error
        self._changed.set()

    async def ended(self) -> None:
        """Take note that the client has closed the connection."""
        await self.fail(ConnectionClosedError())

    def _connect_command(self) -> bytes:
        if self._is_tls and not self._server_info.get("tls_required"):
            raise Error("the server of NATS does not ask for TLS")
        return super()._connect_command()

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        """Send a PING behind what waits to be sent: its answer says that all of it has arrived.

        That of nats-py overtakes a SUB or PUB that its flusher has not sent yet.
        """
        self._pongs.append(future or asyncio.Future())
        await self._send_command(b"PING\r\n")
        await self._flush_pending()

    def abort(self) -> None:
        """Close the connection without waiting for the server."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            with suppress(AttributeError):  # of asyncio, if it is closed
                writer.transport.abort()


class NatsLink:
    """Sends and listens, in the thread and the event loop of `main`.

    Args:
        addresses: where the servers are; it goes on to the next one when one fails.
        bus: number of the bus.
        take: called with what was heard, and its bytes.
        report: called with a text for the log, whether it is a warning, and fields.
        tls: settings of connections with TLS, None for the usual ones.

    Attributes:
        subject: of the messages, "" if there is no chat yet.
        outgoing: what waits to be sent.
        is_stopped: whether `main` has to end.

    Other threads use the attributes within `changing` only.
    """

    def __init__(
        self,
        addresses: Iterable[NatsAddress],
        bus: str,
        take: Callable[[Heard, int], None],
        report: Callable[..., None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.subject = ""
        self.outgoing = Outgoing(bus)
        self.is_stopped = False
        #: The first one is that of the connection.
        self._addresses = deque(addresses)
        self._tls = tls
        self._bus = bus
        self._hand_over = take
        self._report = report
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._changed: asyncio.Event | None = None
        self._is_woken = self._is_ending = False
        self._hearing = Hearing(bus)
        self._is_cut = False
        self._dropped, self._reported = 0, -math.inf

    @contextmanager
    def changing(self) -> Iterator[NatsLink]:
        """Let another thread change the attributes; wake this one."""
        with self._lock:
            yield self
            if self._loop is not None and (self.is_stopped or not self._is_woken):
                self._is_woken = True
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._changed is None or self._loop is None or self._main is None:
            return  # `main` has ended
        self._changed.set()
        if self.is_stopped and not self._is_ending:
            self._is_ending = True
            self._loop.call_later(STOP_S, self._main.cancel)

    async def main(self) -> None:
        """Connect again and again, until it has to end."""
        self._changed, self._main = asyncio.Event(), asyncio.current_task()
        with self._lock:
            self._loop = asyncio.get_running_loop()
        try:
            while not self.is_stopped:
                await self._try()
        except asyncio.CancelledError:
            pass  # the server does not take the rest
        finally:
            with self._lock:
                self._loop = None

    async def _try(self) -> None:
        """Connect, and work until the connection is lost, the chat changes or it has to end."""
        assert self._changed is not None
        client = _Connection(self._addresses[0].is_tls, self._changed)
        try:
            try:
                subject = self.subject
                await asyncio.wait_for(self._connect(client, subject), CONNECT_S)
                await self._work(client, subject)
            finally:
                with self._lock:
                    self.outgoing.lose()
                await _close(client)
        except Exception as error:  # whatever it was: there is nothing better than to try again
            self._cut(client.error or error)
            self._addresses.rotate(-1)
        if self._is_cut and not self.is_stopped:
            await asyncio.sleep(RETRY_S)

    async def _connect(self, client: _Connection, subject: str) -> None:
        """Connect, and listen; then all rooms are looked at, as something may have been missed."""
        address = self._addresses[0]
        await client.connect(
            address.url,
            name="gtchat",
            tls=self._tls,
            **cast(dict[str, Any], address.login),
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            no_echo=True,
            flush_timeout=ANSWER_S,
            error_cb=client.fail,
            closed_cb=client.ended,
        )
        self._hearing, client.error = Hearing(self._bus), None
        await client.subscribe(subject, cb=self._hear)
        await client.rtt(cast(int, ANSWER_S))
        self._hand_over(None, 0)
        if self._is_cut:
            self._is_cut = False
            self._report("Nodes wake each other again.", is_warning=False)

    def _cut(self, error: Exception) -> None:
        if not self._is_cut and not self.is_stopped:
            self._is_cut = True
            reason = (str(error) or type(error).__name__)[:200]
            self._report("Nodes don't wake each other: {reason}", reason=reason)

    async def _work(self, client: _Connection, subject: str) -> None:
        """Send until the chat changes or it has to end; then the rest.

        Raises:
            Exception: the connection is lost.
        """
        assert self._changed is not None
        asking = asyncio.create_task(self._ask(client))
        try:
            while True:
                self._changed.clear()
                with self._lock:
                    self._is_woken = False
                    payloads = self.outgoing.take(min(client.max_payload, MAX_MESSAGE))
                    is_last = self.is_stopped or subject != self.subject
                for payload in payloads:
                    await self._send(client, subject, payload)
                if client.error is not None:
                    raise client.error
                if is_last:
                    await client.rtt(cast(int, ANSWER_S))
                    return
                await self._changed.wait()
        finally:
            asking.cancel()

    async def _send(self, client: Client, subject: str, payload: str) -> None:
        try:
            await client.publish(subject, b"%b %b" % (VERSION, payload.encode()))
        except MaxPayloadError:
            self._drop("larger than the server of NATS takes")

    async def _ask(self, client: _Connection) -> None:
        """Ask again and again whether the server answers."""
        try:
            while True:
                await asyncio.sleep(ASK_S)
                await client.rtt(cast(int, ANSWER_S))
        except _ERRORS as error:
            await client.fail(error)

    async def _hear(self, message: Msg) -> None:
        """Take a message."""
        data = message.data
        if message.subject != self.subject:
            return  # of the chat of before
        if len(data) > MAX_MESSAGE:
            self._drop("too large")
            return
        version, _, payload = data.partition(b" ")
        if version != VERSION:
            self._drop("of another version")
            return
        try:
            heard = self._hearing.take(payload.decode())
        except NOT_UNDERSTOOD:
            self._drop("malformed")
            return
        for one in heard:
            self._hand_over(one, len(data))

    def _drop(self, reason: str) -> None:
        """Count a message that is dropped; say so in the log, but not too often."""
        self._dropped += 1
        now = time.monotonic()
        if now >= self._reported + REPORT_S:
            text = "Messages between nodes were dropped: {count}; the last one was {reason}."
            self._report(text, count=self._dropped, reason=reason)
            self._dropped, self._reported = 0, now


async def _close(client: _Connection) -> None:
    """Close a connection, whether it is open or not, without waiting long."""
    try:
        await asyncio.wait_for(client.close(), CLOSE_S)
    except _ERRORS:
        client.abort()
