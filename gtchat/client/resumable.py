"""Iterators that go on after a wait for their next element was cancelled.

An asynchronous generator ends when it is cancelled, which a timeout does. Here the generator is not
told: it goes on with what it waits for, such as a page of a history, and the next wait gets that.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Generic, ParamSpec, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")
P = ParamSpec("P")


class _Step(Generic[T]):
    """The next element of a generator, which is on its way.

    Args:
        source: the generator.

    Attributes:
        found: what has come: the element, or a failure.
    """

    def __init__(self, source: AsyncIterator[T]) -> None:
        self.found: list[T | Failure] = []
        self._waiter: Deferred[None] | None = None
        self._coming = Deferred.fromCoroutine(_next_of(source)).addBoth(self._come)

    def _come(self, result: T | Failure) -> None:
        self.found.append(result)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def wait(self) -> None:
        """Wait until it has come. Cancelling that has no effect on the generator."""
        if self._waiter is not None:
            raise RuntimeError("the iterator has another reader already")
        if not self.found:
            self._waiter = Deferred(self.forget_waiter)
            await self._waiter

    def forget_waiter(self, _: Deferred[None] | None = None) -> None:
        """Wake no reader."""
        self._waiter = None

    def abandon(self) -> None:
        """Cancel it: nothing waits for it any more."""
        self._coming.cancel()


async def _next_of(source: AsyncIterator[T]) -> T:
    return await anext(source)


class Resumable(AsyncIterator[T]):
    """Iterates over a generator, which ends with this object.

    Args:
        source: the generator.
    """

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._step: _Step[T] | None = None

    async def __anext__(self) -> T:
        step = self._step = self._step or _Step(self._source)
        await step.wait()
        self._step = None
        [found] = step.found
        if isinstance(found, Failure):
            found.raiseException()
        return found

    async def aclose(self) -> None:
        """End the iteration."""
        self._abandon_step()
        await self._source.aclose()

    def _abandon_step(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.abandon()

    def __del__(self) -> None:
        if self._step is not None:
            self._step.forget_waiter()  # it is being closed
            self._abandon_step()


def resumable(function: Callable[P, AsyncIterator[T]]) -> Callable[P, AsyncIterator[T]]:
    """Return a function whose iterators are resumable. function: makes asynchronous generators."""

    @functools.wraps(function)
    def iterate(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return Resumable(cast("AsyncGenerator[T, None]", function(*args, **kwargs)))

    return iterate
