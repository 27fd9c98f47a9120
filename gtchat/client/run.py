"""Running a bot as a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react

from gtchat.client.connection import Connection, connect
from gtchat.client.credentials import User
from gtchat.client.errors import (
    CannotConnect,
    CloseReason,
    CommandFailed,
    ConnectionClosed,
    GTChatError,
)

#: A program that uses a connection.
Bot = Callable[[Connection], Coroutine[Any, Any, None]]


def run(
    bot: Bot,
    url: str,
    *,
    user: User | None = None,
    device: str | None = None,
    ca_file: str | None = None,
    reactor: Any = None,
) -> None:
    """Connect, run a bot, and close the connection when it is done, at SIGINT and at SIGTERM.

    Args:
        bot: a coroutine function that takes the connection.
        url, user, device, ca_file: see `connect`.
        reactor: Twisted's reactor, which is run; None for the one that is installed.

    Raises:
        SystemExit: always: with status 0 if the bot is done, 1 if the server can't be reached or
            refuses the login, if it has closed the connection for good, or if the bot failed; or
            with the status of the SystemExit that the bot or one of its handlers has raised.
    """

    async def main(reactor: Any) -> None:
        await run_bot(reactor, bot, url, user=user, device=device, ca_file=ca_file)

    react(main, _reactor=reactor)


async def run_bot(reactor: Any, bot: Bot, url: str, **options: Any) -> None:
    """Connect, run a bot and close the connection.

    Args:
        reactor: Twisted's reactor; when it stops, the connection is closed first.
        bot, url: see `run`.
        options: of `connect`.

    Raises:
        SystemExit: the connection could not be made or kept; the reason was printed. Or the bot or
            a handler has raised it.
    """
    with exit_on(CannotConnect, CommandFailed, url=url):
        connection = await connect(url, reactor=reactor, **options)
    with exit_on(ConnectionClosed, url=url):
        async with connection:
            # It stays: to close a connection again does nothing.
            reactor.addSystemEventTrigger(
                "before", "shutdown", lambda: Deferred.fromCoroutine(connection.close())
            )
            await _until_exit(connection, ensureDeferred(bot(connection)))


async def _until_exit(connection: Connection, running: Deferred[None]) -> None:
    """Wait for a bot; cancel it when a handler ends the program, and raise what that has raised."""
    exits: list[BaseException] = []

    def end(error: BaseException) -> None:
        exits.append(error)
        running.cancel()

    connection._stream.handlers.on_exit = end
    try:
        await running
    finally:
        if exits:
            raise exits[0]


@contextmanager
def exit_on(*errors: type[GTChatError], url: str) -> Iterator[None]:
    """Print a line and raise SystemExit at some errors; what a bot itself raises is not hidden."""
    try:
        yield
    except errors as error:
        if isinstance(error, ConnectionClosed) and error.reason is CloseReason.CLOSED_BY_US:
            return  # the program is being stopped
        sys.stderr.write(f"{url}: {error}\n")
        raise SystemExit(1) from None
