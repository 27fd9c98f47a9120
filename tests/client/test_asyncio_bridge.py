"""What runs on Deferreds can be awaited in tasks of asyncio, and the other way round."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client.asyncio_bridge import to_asyncio, to_twisted


async def steps() -> None:
    """Let all tasks of the loop go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Source:
    """An object as the library has them: its methods wait for Deferreds.

    Attributes:
        waiting: the Deferreds that are waited for, oldest first.
        notes: what happened.
    """

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.notes: list[str] = []
        self.handler: Callable[..., Awaitable[Any]] | None = None

    def wait(self) -> Deferred[Any]:
        """Return a Deferred that a test fires."""
        self.waiting.append(Deferred())
        return self.waiting[-1]

    async def twice(self, word: str) -> str:
        """Wait two times; return what the Deferreds had."""
        try:
            return f"{word} {await self.wait()} {await self.wait()}"
        except CancelledError:
            self.notes.append("cancelled")
            raise

    async def generate(self) -> AsyncIterator[int]:
        """Yield what Deferreds have."""
        try:
            while True:
                yield await self.wait()
        finally:
            self.notes.append("ended")

    def on(self, kind: type) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
        """Return a decorator that keeps a handler."""
        self.notes.append(kind.__name__)

        def keep(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            self.handler = handler
            return handler

        return keep


class Queue:
    """An iterator that an interrupted wait does not end, as `events()` is."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.added: Deferred[None] = Deferred()

    def add(self, item: int) -> None:
        """Append an element."""
        self.items.append(item)
        added, self.added = self.added, Deferred()
        added.callback(None)

    def __aiter__(self) -> Queue:
        return self

    async def __anext__(self) -> int:
        while not self.items:
            waiter: Deferred[None] = Deferred()
            self.added.addCallback(waiter.callback)
            await waiter
        return self.items.pop(0)


class OnAsyncio(SynchronousTestCase):
    """`to_asyncio`."""

    def setUp(self) -> None:
        self.source = Source()

    def run_task(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine on a loop of its own; return its result. Warnings are errors there."""
        return asyncio.run(work(), debug=True)  # type: ignore[arg-type]

    def test_coroutine_returns_what_its_deferreds_had(self) -> None:
        async def work() -> Any:
            task = asyncio.create_task(to_asyncio(self.source.twice)("say"))
            await steps()
            self.source.waiting[0].callback(1)
            await steps()
            self.source.waiting[1].callback(2)
            return await task

        self.assertEqual(self.run_task(work), "say 1 2")

    def test_deferred_that_has_fired_or_failed_is_awaited_too(self) -> None:
        async def work() -> None:
            self.assertEqual(await to_asyncio(succeed(5)), 5)
            failed: Deferred[None] = Deferred()
            failed.errback(KeyError("no"))
            with self.assertRaises(KeyError):
                await to_asyncio(failed)

        self.run_task(work)

    def test_failure_is_raised_where_it_is_awaited(self) -> None:
        async def work() -> None:
            task = asyncio.create_task(to_asyncio(self.source.twice)("say"))
            await steps()
            self.source.waiting[0].errback(ValueError("no"))
            with self.assertRaises(ValueError):
                await task

        self.run_task(work)

    def test_cancelled_task_cancels_what_it_waits_for(self) -> None:
        async def work() -> None:
            task = asyncio.create_task(to_asyncio(self.source.twice)("say"))
            await steps()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertTrue(task.cancelled())

        self.run_task(work)
        self.assertEqual(self.source.notes, ["cancelled"])
        self.assertTrue(self.source.waiting[0].called)
        del self.source.waiting[:]
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cancelling_in_the_moment_of_the_result_is_not_ignored(self) -> None:
        async def work() -> None:
            task = asyncio.create_task(to_asyncio(self.source.twice)("say"))
            await steps()
            self.source.waiting[0].callback(1)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.run_task(work)

    def test_deferred_cancelled_by_the_library_is_its_error(self) -> None:
        async def work() -> None:
            task = asyncio.create_task(to_asyncio(self.source.twice)("say"))
            await steps()
            self.source.waiting[0].cancel()
            with self.assertRaises(CancelledError):
                await task
            self.assertFalse(task.cancelled())

        self.run_task(work)

    def test_interrupted_wait_of_an_iterator_loses_nothing(self) -> None:
        async def work() -> list[int]:
            queue = Queue()
            items = to_asyncio(queue)
            task = asyncio.create_task(anext(items))
            await steps()
            task.cancel()
            await steps()
            task = asyncio.create_task(anext(items))
            await steps()
            queue.add(1)
            task.cancel()  # it was about to return the element
            await steps()
            queue.add(2)
            return [await anext(items), await anext(items)]

        self.assertEqual(self.run_task(work), [1, 2])

    def test_generators_are_iterated_and_closed(self) -> None:
        async def work() -> list[int]:
            found = []
            numbers = to_asyncio(self.source.generate)()
            task = asyncio.create_task(anext(numbers))
            await steps()
            self.source.waiting[-1].callback(3)
            found.append(await task)
            await numbers.aclose()
            found += [number async for number in numbers]
            return found

        self.assertEqual(self.run_task(work), [3])
        self.assertEqual(self.source.notes, ["ended"])

    def test_generator_left_open_is_not_closed_by_the_loop(self) -> None:
        """The loop would await its end, and with it a Deferred, which it can't."""

        async def work() -> None:
            numbers = to_asyncio(self.source.generate)()
            self.addCleanup(numbers.aclose().close)
            task = asyncio.create_task(anext(numbers))
            await steps()
            self.source.waiting[-1].callback(3)
            await task
            self.assertEqual(len(asyncio.get_running_loop()._asyncgens), 0)  # type: ignore[attr-defined]

        hooks = sys.get_asyncgen_hooks()
        self.run_task(work)
        self.assertEqual(sys.get_asyncgen_hooks(), hooks)

    def test_other_values_are_as_they_were(self) -> None:
        for value in (1, "a", None, int, {"a": 1}):
            self.assertIs(to_asyncio(value), value)

    def test_handlers_run_as_tasks(self) -> None:
        async def work() -> None:
            async def handler(number: int) -> int:
                self.source.notes.append(f"handler in {asyncio.current_task() is not None}")
                await asyncio.sleep(0)
                return 2 * number

            self.assertIs(to_asyncio(self.source.on)(int)(handler), handler)
            assert self.source.handler is not None
            result = Deferred.fromCoroutine(self.source.handler(4))  # type: ignore[arg-type]
            await steps()
            self.assertEqual(self.successResultOf(result), 8)

        self.run_task(work)
        self.assertEqual(self.source.notes, ["int", "handler in True"])


class OnTwisted(SynchronousTestCase):
    """`to_twisted`."""

    def run_handler(self, handler: Callable[[], Any], cancel: bool = False) -> Deferred[Any]:
        """Run a handler as the library does, on a loop of its own; return the Deferred of it."""

        async def work() -> Deferred[Any]:
            result = to_twisted(handler)()
            if not isinstance(result, Deferred):
                result = Deferred.fromCoroutine(result)
            await asyncio.sleep(0)
            if cancel:
                result.cancel()
            await steps()
            return result

        return asyncio.run(work(), debug=True)

    def test_error_of_a_handler_is_the_failure(self) -> None:
        async def handler() -> None:
            raise ValueError("no")

        self.failureResultOf(self.run_handler(handler), ValueError)

    def test_function_that_returns_an_awaitable_is_waited_for(self) -> None:
        async def work(number: int) -> int:
            return number

        self.assertEqual(self.successResultOf(self.run_handler(lambda: work(3))), 3)

    def test_cancelling_cancels_the_task_of_the_handler(self) -> None:
        notes = []

        async def handler() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                notes.append("cancelled")
                raise

        self.failureResultOf(self.run_handler(handler, cancel=True), CancelledError)
        self.assertEqual(notes, ["cancelled"])

    def test_what_ends_a_program_is_raised_by_the_loop(self) -> None:
        for error in (SystemExit(3), KeyboardInterrupt()):

            def plain(error: BaseException = error) -> None:
                raise error

            async def handler(error: BaseException = error) -> None:
                raise error

            async def work(function: Callable[[], Any]) -> None:
                if (running := to_twisted(function)()) is not None:
                    Deferred.fromCoroutine(running)
                await steps()

            for function in (plain, handler):
                with self.assertRaises(type(error)) as caught:
                    asyncio.run(work(function), debug=True)
                self.assertIs(caught.exception, error)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_plain_functions_and_classes_stay_what_they_are(self) -> None:
        self.assertEqual(to_twisted(lambda text: text + "!")("a"), "a!")
        self.assertIs(to_twisted(ValueError), ValueError)
        self.assertEqual(to_twisted("text"), "text")
