"""Pauses that end with what they are a part of."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure


class Pauses:
    """Pauses between requests, all of which can be ended early.

    Args:
        clock: schedules their ends.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: set[Deferred[None]] = set()

    def sleep(self, seconds: float) -> Deferred[None]:
        """Return a Deferred that fires after some time, or fails when the pauses are ended."""
        slept: Deferred[None] = Deferred()
        timer = self._clock.callLater(seconds, slept.callback, None)
        self._open.add(slept)

        def awake(result: Failure | None) -> Failure | None:
            self._open.discard(slept)
            if timer.active():
                timer.cancel()
            return result

        return slept.addBoth(awake)

    def end(self, reason: Exception) -> None:
        """Let all pauses fail."""
        for slept in tuple(self._open):
            slept.errback(reason)
