"""Reconnect delays: exponential backoff with jitter.

The jitter keeps clients apart that lost their connections together, as in a server restart.
"""

from __future__ import annotations

from random import Random

from twisted.internet.interfaces import IReactorTime

#: Seconds: upper bound of the first delay, and of every delay.
FIRST_DELAY, MAX_DELAY = 0.5, 30.0
#: Seconds that a connection must last to count as stable; only then the delays start over.
STABLE_AFTER = 10.0
#: Doublings of the first delay; the result is above MAX_DELAY.
MAX_DOUBLINGS = 10


class Backoff:
    """Compute the delay before each connection attempt.

    Args:
        clock: tells the time.
        random: source of the jitter.
    """

    def __init__(self, clock: IReactorTime, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._attempts = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        """Note that a connection is in use from now on."""
        self._connected_at = self._clock.seconds()

    def next(self) -> float:
        """Return the seconds to wait before the next attempt, and count that attempt."""
        connected_at, self._connected_at = self._connected_at, None
        if connected_at is not None and self._clock.seconds() - connected_at >= STABLE_AFTER:
            self._attempts = 0
        delay = min(MAX_DELAY, FIRST_DELAY * 2.0**self._attempts)
        self._attempts = min(self._attempts + 1, MAX_DOUBLINGS)
        return delay * self._random.uniform(0.5, 1.0)
