"""The library for programs on asyncio, notebooks included: the names of `gtchat.client`.

    from gtchat.client.aio import Guest, connect

    async def main():
        async with await connect("ws://127.0.0.1:9000/", user=Guest("ann")) as conn:
            await conn.speak("lobby", "Hello.")

    asyncio.run(main())

A connection runs on the loop that runs when it is made, and ends with it. Nothing is installed: no
reactor, no signal handler, no thread but those in which the loop itself resolves names.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec, cast

from gtchat import client
from gtchat.client import *  # noqa: F403
from gtchat.client import CannotConnect, CommandFailed, Connection, ConnectionClosed
from gtchat.client.asyncio_bridge import drive, to_asyncio, to_twisted
from gtchat.client.credentials import User
from gtchat.client.loop_reactor import LoopReactor
from gtchat.client.run import Bot, exit_on

__all__ = [*client.__all__]  # noqa: PLE0604

P = ParamSpec("P")


class _AsyncioConnection:
    """A connection as programs on asyncio use it: each attribute is that of the connection.

    To type checkers, it is a `Connection`, as it is to `isinstance`.

    Args:
        connection: the connection.
        loop: on which it runs.
    """

    _connection: Connection
    _loop: asyncio.AbstractEventLoop

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        vars(self).update(_connection=connection, _loop=loop)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._connection)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._connection, name)
        if callable(value):
            self._check_loop()
        if not inspect.iscoroutinefunction(value):
            return to_asyncio(value)

        @functools.wraps(value)
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._check_loop()  # again: the coroutine may have been made where no loop runs
            return await to_asyncio(value)(*args, **kwargs)

        return call

    def _check_loop(self) -> None:
        """Raise RuntimeError if another loop than that of the connection runs."""
        if _running_loop() not in (self._loop, None):
            raise RuntimeError("the connection belongs to another event loop")

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._connection, name, to_twisted(value))

    async def __aenter__(self) -> Connection:
        await drive(self._connection.__aenter__())
        return cast(Connection, self)

    async def __aexit__(self, *error: Any) -> None:
        await drive(self._connection.__aexit__(*error))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _close_at_end(connection: Connection) -> AsyncGenerator[None, None]:
    """Close a connection when the loop ends its generators, as `asyncio.run` does."""
    try:
        yield
    finally:
        await drive(connection.close())


def _on_running_loop(
    function: Callable[P, Coroutine[Any, Any, Connection]],
) -> Callable[P, Coroutine[Any, Any, Connection]]:
    """Return `connect` for the running loop."""

    @functools.wraps(function)
    async def connect(*args: P.args, **kwargs: P.kwargs) -> Connection:
        loop = asyncio.get_running_loop()
        reactor = LoopReactor(loop)
        given: dict[str, Any] = {
            **{k: to_twisted(v) for k, v in kwargs.items()},
            "reactor": reactor,
        }
        connection = await drive(function(*args, **given))
        reactor.at_end = _close_at_end(connection)
        await anext(reactor.at_end)  # the loop closes generators that were started
        return cast(Connection, _AsyncioConnection(connection, loop))

    return connect


connect = _on_running_loop(client.connect)


def run(  # type: ignore[no-redef]  # of the imported names it is the one that differs
    bot: Bot,
    url: str,
    *,
    user: User | None = None,
    device: str | None = None,
    ca_file: str | None = None,
) -> None:
    """Run a bot on a loop of its own, and close the connection when it is done, or is stopped.

    SIGINT and SIGTERM cancel the task of the bot.

    Args:
        bot: a coroutine function that takes the connection.
        url, user, device, ca_file: see `connect`.

    Raises:
        SystemExit: always, as `gtchat.client.run`; but what the bot itself has raised is raised.
    """

    async def main() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        # Windows has none; in another thread than the first there can be none.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            with exit_on(CannotConnect, CommandFailed, url=url):
                connection = await connect(url, user=user, device=device, ca_file=ca_file)
            with exit_on(ConnectionClosed, url=url):
                async with connection:
                    await bot(connection)

    asyncio.run(main())
    sys.exit(0)
