"""A connection to a GTChat server that reconnects by itself.

    connection = await connect("ws://127.0.0.1:9000/", user=Guest("ann"))
    async for event in connection.events(): ...

After a loss it reconnects with backoff and resumes its session: the caller gets each event once and
misses none. How it does so is in `reconnecting`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from gtchat.client.commands import Repeat, repeat_of
from gtchat.client.credentials import User
from gtchat.client.event_stream import EventStream
from gtchat.client.events import Direct, Event
from gtchat.client.handlers import Handler
from gtchat.client.link import endpoint_for
from gtchat.client.options import Options, State
from gtchat.client.readers import LogReaders
from gtchat.client.reconnecting import ReconnectingClient, ServerInfo
from gtchat.client.replies import Reply

_Event = TypeVar("_Event", bound=Event)


class Connection(LogReaders):
    """A connection that reconnects. Made by `connect`. `LogReaders` and its bases have methods.

    Args:
        url: `ws://…` or `wss://…`.
        endpoint: the address to connect to.
        clock: tells the time and schedules calls.
        options: what `connect` was told.

    """

    def __init__(
        self,
        url: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        options: Options | None = None,
    ) -> None:
        self._options = options or Options()
        self._client = ReconnectingClient(url, endpoint, clock, self._options)
        super().__init__(self._client.stream)

    @property
    def server(self) -> ServerInfo:
        """What the server says of itself."""
        return self._client.server

    @property
    def limits(self) -> Mapping[str, float]:
        """The server's limits by name, as in the reply to `hello`."""
        return self._client.limits

    @property
    def user(self) -> str | None:
        """The user who is logged in; None when none is."""
        return self._client.decoder.user

    @property
    def epoch(self) -> str | None:
        """What identifies the database of the server; None before the login."""
        return self._client.decoder.epoch

    @property
    def state(self) -> State:
        """Whether commands are sent at once, or when it is up again, or not any more."""
        return self._client.state

    @property
    def retry_in(self) -> float:
        """Seconds until the next connection attempt; 0 when none is scheduled."""
        return self._client.dialer.retry_in

    @property
    def on_error(self) -> Callable[[Exception, Event], None]:
        """What is called with the exception of a handler and its event; default: log it."""
        return self._stream.handlers.on_error

    @on_error.setter
    def on_error(self, value: Callable[[Exception, Event], None]) -> None:
        self._stream.handlers.on_error = value

    async def open(self) -> None:
        """Connect for the first time, and log in the user that was given.

        Raises:
            CannotConnect: the attempt failed; it is not repeated.
            CommandFailed: the login was refused.
        """
        await self._client.open()

    async def call(self, cmd: str, /, **fields: Any) -> Reply:
        """Send a command and return its reply.

        A command that can have a `txn` gets one: sent again after a lost connection, it is done
        once. A command that is called while the connection is down is sent when it is up.
        Commands are sent in the order of the calls, no faster than the server allows; one that it
        refuses with `rate_limited` is sent again, except those with a rate of their own. If there
        is no answer in time, the connection is given up for lost.

        Args:
            cmd: a command of docs/protocol.md.
            fields: its fields.

        Raises:
            CommandFailed: the server replied with an error.
            Unanswered: the connection was lost, and the command can't be sent twice; or it was
                sent several times and never answered in time.
            TooManyCalls: 1,000 calls wait already.
            ConnectionClosed: the connection is closed.
            TypeError: a field can't be encoded as JSON, or is `cmd` or `tracker`.
            ValueError: a text is not Unicode: it has a lone surrogate.
        """
        if repeat_of(cmd) is Repeat.WITH_TXN and "broadcast_key" not in fields:
            fields.setdefault("txn", f"{self._options.random.getrandbits(96):024x}")
        request = self._client.requests.make(cmd, fields)
        return (await self._client.submit(request)).reply.checked()

    async def send(self, line: str) -> str:
        """Send a request as it is written and return its reply as it was received.

        Args:
            line: a JSON object as in docs/protocol.md.

        Returns:
            The JSON of the reply, whether its status is `ok` or `error`.

        Raises:
            CommandFailed, Unanswered, TooManyCalls, ConnectionClosed: as `call`.
        """
        request = self._client.requests.make_raw(line)
        return (await self._client.submit(request)).payload.decode()

    def events(self) -> EventStream:
        """Return the iterator over all events; it has one reader at a time.

        Leaving a loop over it keeps what waits. It stops after `close` and raises
        ConnectionClosed when the connection closes for another reason. A second reader gets a
        RuntimeError. Events are kept from the first connection on, unless the program has called
        `on` or `follow` before it calls `events`: then from that call on. Until `events` is called
        the oldest ones are dropped where too many wait, so that a program that only sends
        commands gets its replies.
        """
        return self._stream.read()

    def on(
        self, cls: type[_Event], room: str | Direct | None = None
    ) -> Callable[[Handler[_Event]], Handler[_Event]]:
        """Return a decorator for a function that handles events.

        The function takes the event. It may be a coroutine function: the next event of the same
        room waits until it is done. Its exceptions go to `on_error`; but SystemExit and
        KeyboardInterrupt end the program on asyncio, and under `run`. On a reactor of the
        program's own they are logged.

        Args:
            cls: of the events.
            room: where they happen; None for anywhere.
        """

        def register(handler: Handler[_Event]) -> Handler[_Event]:
            self._stream.read_otherwise()
            self._stream.handlers.add(cls, room, handler)
            return handler

        return register

    async def close(self, timeout: float = 2.0) -> None:
        """Close the connection with code 1000 and do not reconnect.

        What was called already is sent, if the connection is up, and its answers are waited for.

        Args:
            timeout: seconds to wait for the answers.
        """
        await self._client.close(timeout)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _sleep(self, seconds: float) -> Deferred[None]:
        return self._client.sleep(seconds)


async def connect(
    url: str,
    *,
    user: User | None = None,
    device: str | None = None,
    ca_file: str | None = None,
    reactor: Any = None,
    pace: bool = True,
    call_timeout: float = 30.0,
    on_state: Callable[[State], None] | None = None,
) -> Connection:
    """Connect to a server, and log in; all rooms of the user are known then.

    The login is kept in memory: the library logs in with it again when the session has ended.

    Args:
        url: `ws://host:port/`, or `wss://host:port/`, whose certificate is verified.
        user: who logs in: `Guest`, `Registered`, `Key` or `Token`; None: the program calls `login`.
        device: names what the program runs on, so that several programs of one account do not end
            each other's sessions.
        ca_file: PEM file of the certificate authorities to trust; None for the platform's.
        reactor: Twisted's reactor; None for the one that is installed.
        pace: whether to send no faster than the server allows.
        call_timeout: seconds after which a connection on which a command is not answered is
            given up.
        on_state: called with each new state: `up`, `lost`, `closed`; its exceptions are logged.

    Raises:
        CannotConnect: the attempt failed. Later losses are handled by the connection itself.
        CommandFailed: the login was refused.
        ValueError: the URL is invalid, or the file has no usable certificate.
        OSError: the file can't be read.
    """
    if reactor is None:
        from twisted.internet import reactor  # importing it installs one
    options = Options(user, device, pace, call_timeout, on_state)
    connection = Connection(url, endpoint_for(url, reactor, ca_file), reactor, options)
    try:
        await connection.open()
    except CancelledError:
        Deferred.fromCoroutine(connection.close(timeout=0))
        raise
    return connection
