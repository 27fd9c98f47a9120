"""When to try again: later and later, and not all clients at once."""

from __future__ import annotations

from random import Random

from twisted.internet.interfaces import IReactorTime

#: Seconds before the first try, and at most before any.
FIRST, LAST = 0.5, 30.0
#: A connection that lasted so many seconds was a good one.
GOOD = 10.0


class Backoff:
    """Waiting times, doubled from try to try, with jitter.

    Args:
        clock: tells the time. random: draws the jitter.
    """

    def __init__(self, clock: IReactorTime, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._tries = 0
        self._ready_at: float | None = None

    def ready(self) -> None:
        """There is a connection."""
        self._ready_at = self._clock.seconds()

    def next(self) -> float:
        """Seconds to wait before the next try."""
        ready_at, self._ready_at = self._ready_at, None
        if ready_at is not None and self._clock.seconds() - ready_at >= GOOD:
            self._tries = 0
        wait = min(LAST, FIRST * 2.0**self._tries)
        self._tries = min(self._tries + 1, 10)
        return wait * self._random.uniform(0.5, 1.0)
