"""Iterators that an interrupted wait does not end."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client.resumable import resumable


class ResumableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.ends: list[str] = []

    @resumable
    async def generate(self) -> AsyncIterator[Any]:
        """Yield what Deferreds have."""
        try:
            while True:
                self.waiting.append(Deferred())
                yield await self.waiting[-1]
        except BaseException as error:
            self.ends.append(type(error).__name__)
            raise

    def next(self, reader: AsyncIterator[Any]) -> Deferred[Any]:
        """Wait for an element."""
        return Deferred.fromCoroutine(reader.__anext__())  # type: ignore[arg-type]

    def interrupted(self) -> Any:
        """Return an iterator of which two waits were cancelled."""
        reader = self.generate()
        for _ in range(2):
            waiting = self.next(reader)
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
        self.assertEqual((len(self.waiting), self.ends), (1, []))
        return reader

    def test_the_next_wait_gets_what_was_waited_for(self) -> None:
        for late in (False, True):
            self.setUp()
            reader = self.interrupted()
            if late:
                following = self.next(reader)
                self.waiting[-1].callback(1)
            else:
                self.waiting[-1].callback(1)
                following = self.next(reader)
            self.assertEqual(self.successResultOf(following), 1)
            following = self.next(reader)
            self.waiting[-1].callback(2)
            self.assertEqual(self.successResultOf(following), 2)

    def test_an_error_is_raised_once_and_ends_it(self) -> None:
        for late in (False, True):
            self.setUp()
            reader = self.interrupted()
            waiting = self.next(reader) if late else None
            self.waiting[-1].errback(ValueError("no"))
            self.failureResultOf(waiting or self.next(reader), ValueError)
            self.failureResultOf(self.next(reader), StopAsyncIteration)

    def test_a_second_reader_is_refused(self) -> None:
        reader = self.generate()
        first = self.next(reader)
        self.failureResultOf(self.next(reader), RuntimeError)
        self.waiting[-1].callback(1)
        self.assertEqual(self.successResultOf(first), 1)

    def test_closing_it_ends_what_it_waits_for(self) -> None:
        reader = self.interrupted()
        self.successResultOf(Deferred.fromCoroutine(reader.aclose()))
        self.assertEqual(self.ends, ["CancelledError"])
        self.failureResultOf(self.next(reader), StopAsyncIteration)

    def test_one_that_is_given_up_ends_with_what_it_waits_for(self) -> None:
        for fails in (False, True):
            self.setUp()
            reader = self.interrupted()
            if fails:
                self.waiting[-1].errback(ValueError("no"))
            del reader
            gc.collect()
            self.assertEqual(self.ends, ["ValueError" if fails else "CancelledError"])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_reader_that_is_given_up_while_it_waits_ends_it(self) -> None:
        waiting = Deferred.fromCoroutine(self.generate().__anext__())  # type: ignore[arg-type]
        self.waiting.clear()
        del waiting
        gc.collect()
        self.assertEqual(len(self.ends), 1)
        self.assertEqual(self.flushLoggedErrors(), [])
