"""Objects of the library, which runs on Twisted, as programs on asyncio use them, and back.

`to_asyncio` gives an object whose methods and iterators are awaited in tasks of asyncio; what a
program passes in, such as a handler, is wrapped the other way. Both rules look at the values and
know no names, so that each method of a connection is here as well. Cancelling works both ways: a
task that is cancelled cancels the Deferred that it waits for, and the task of a handler is
cancelled with its Deferred.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, TypeVar, cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def to_asyncio(value: Any) -> Any:
    """Return a value of the library as programs on asyncio use it.

    Awaitables become coroutines, asynchronous iterators and functions work on asyncio, and a
    function of a program that has been passed in comes back as it was. Other values are returned.
    """
    if hasattr(value, "_asyncio_original"):
        return value._asyncio_original
    if inspect.isawaitable(value):
        return drive(value)
    if hasattr(value, "__anext__"):
        return AsyncioIterator(value)
    if inspect.isroutine(value):
        return _function_to_asyncio(value)
    return value


def to_twisted(value: Any) -> Any:
    """Return a value that a program on asyncio passes to the library: functions are wrapped."""
    if inspect.isclass(value) or not callable(value):
        return value
    return _function_to_twisted(value)


async def drive(awaitable: Awaitable[T]) -> T:
    """Wait in a task of asyncio for an awaitable that waits for Deferreds; return its result."""
    return await _Steps(awaitable)


@attrs.frozen
class _Steps(Awaitable[T]):
    """Runs an awaitable step by step within the current task.

    Its code runs in the task itself, and not as a Deferred beside it: a task that is cancelled when
    the result is there, but not returned yet, would lose it.
    """

    _awaitable: Awaitable[T]

    def __await__(self) -> Generator[Any, None, T]:
        steps = self._awaitable.__await__()
        cancelled: asyncio.CancelledError | None = None
        error: CancelledError | None = None
        while True:
            try:
                deferred = (
                    _without_hooks(steps.throw, error) if error else _without_hooks(next, steps)
                )
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            except CancelledError:
                if cancelled is not None:
                    raise cancelled from None
                raise
            error = None
            try:
                yield from _wait_for(deferred)
            except asyncio.CancelledError as reason:
                cancelled, error = reason, CancelledError()
                _give_up(deferred)
            except BaseException:
                _give_up(deferred)
                steps.close()
                raise


def _without_hooks(function: Callable[..., Any], *args: Any) -> Any:
    """Call code of the library. Generators that it starts are not for the loop to close."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return function(*args)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _wait_for(deferred: Deferred[Any]) -> Generator[Any, None, None]:
    """Wait until a Deferred has a result, which remains in it."""
    done = asyncio.get_running_loop().create_future()

    def wake(result: T) -> T:
        if not done.done():
            done.set_result(None)
        return result

    deferred.addBoth(wake)
    yield from done.__await__()


def _give_up(deferred: Deferred[Any]) -> None:
    """Cancel a Deferred whose result is of no use any more."""
    deferred.cancel()
    deferred.addErrback(lambda _: None)


@attrs.frozen(eq=False)
class AsyncioIterator(AsyncIterator[Any]):
    """An asynchronous iterator of the library on asyncio."""

    _source: Any

    async def __anext__(self) -> Any:
        return await _Steps(_without_hooks(self._source.__anext__))

    async def aclose(self) -> None:
        """End the iteration."""
        if hasattr(self._source, "aclose"):
            await _Steps(_without_hooks(self._source.aclose))


def _function_to_asyncio(function: Callable[..., Any]) -> Callable[..., Any]:
    def prepare(args: Any, kwargs: Any) -> Any:
        given = {name: to_twisted(value) for name, value in kwargs.items()}
        return function(*map(to_twisted, args), **given)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return to_asyncio(await _Steps(prepare(args, kwargs)))

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return to_asyncio(prepare(args, kwargs))

    return call


def _function_to_twisted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose coroutine, if it makes one, runs as a task of the loop."""
    wrapped: Any

    if inspect.iscoroutinefunction(function):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await as_deferred(function(*map(to_asyncio, args), **kwargs))

        wrapped = call_async
    else:

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                result = function(*map(to_asyncio, args), **kwargs)
            except (SystemExit, KeyboardInterrupt) as error:
                # Here it would end up in a Deferred. The loop ends with it, as it does for a task.
                asyncio.get_running_loop().call_soon(_raise, error)
                return None
            return as_deferred(result) if inspect.isawaitable(result) else to_twisted(result)

        wrapped = call
    if isinstance(function, types.FunctionType | types.MethodType):
        functools.update_wrapper(wrapped, function)
    wrapped._asyncio_original = function
    return cast(Callable[..., Any], wrapped)


def as_deferred(awaitable: Awaitable[Any]) -> Deferred[Any]:
    """Return a Deferred with the result of an awaitable of asyncio, which runs as a task."""
    deferred = Deferred.fromFuture(asyncio.ensure_future(awaitable))
    return deferred.addErrback(_translate)


def _translate(failure: Failure) -> Failure | None:
    if failure.check(asyncio.CancelledError):
        return Failure(CancelledError())
    if failure.check(SystemExit, KeyboardInterrupt):
        return None  # the loop has raised it already
    return failure


def _raise(error: BaseException) -> None:
    raise error
