"""A timer wheel: the deadlines of many connections on one delayed call of the reactor.

Each connection has at most one deadline, rounded up to a tick of 250 ms. The deadlines of one tick
are a set, so setting and removing one takes the same time however many there are.
Source: G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", 1987.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds in a tick.
TICK = 0.25
#: Seconds: a delayed call that comes later shows that the process was suspended or overloaded.
LATE = TICK
#: Deadlines that expire in one reactor iteration; the others wait for the next.
EXPIRIES_PER_ITERATION = 500


class TimerEntry(Protocol):
    """An object that has a deadline.

    Attributes:
        tick: number of the tick in which its deadline expires, None without a deadline. Set by
            `TimerWheel` only.
    """

    tick: int | None

    def timer_expired(self) -> None:
        """React to the deadline, which is removed by now."""


class TimerWheel:
    """Calls `timer_expired` of each entry whose deadline has passed.

    Args:
        clock: monotonic time in seconds, and delayed calls.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._ticks: dict[int, set[TimerEntry]] = {}
        self._timer: IDelayedCall | None = None
        self._timer_tick = 0
        self._reading_first = False

    def put(self, entry: TimerEntry, seconds: float) -> None:
        """Set the deadline of an entry, in place of the one that it has.

        Args:
            entry: the object to call.
            seconds: from now; the call comes up to one tick later.
        """
        self.remove(entry)
        now = self._clock.seconds()
        tick = max(ceil((now + seconds) / TICK), floor(now / TICK) + 1)
        entry.tick = tick
        self._ticks.setdefault(tick, set()).add(entry)
        if self._timer is None or tick < self._timer_tick:
            self._schedule(tick, now)

    def remove(self, entry: TimerEntry) -> None:
        """Remove the deadline of an entry, if it has one."""
        tick, entry.tick = entry.tick, None
        if tick is None:
            return
        entries = self._ticks[tick]
        entries.discard(entry)
        if not entries:
            del self._ticks[tick]
        if not self._ticks:
            self._cancel()

    def stop(self) -> None:
        """Remove all deadlines."""
        for entries in self._ticks.values():
            for entry in entries:
                entry.tick = None
        self._ticks.clear()
        self._cancel()

    def _advance(self) -> None:
        """Call the entries whose deadline has passed."""
        self._timer = None
        seconds = self._clock.seconds()
        late = seconds - self._timer_tick * TICK > LATE
        if late and not self._reading_first:
            # Pongs that came meanwhile wait in the sockets: one iteration reads them first, so
            # that a process that was suspended does not take its peers for dead.
            self._reading_first = True
            self._timer = self._clock.callLater(0, self._advance)
            return
        self._reading_first = False
        now = floor(seconds / TICK)
        left = EXPIRIES_PER_ITERATION
        for tick in sorted(tick for tick in self._ticks if tick <= now):
            while left and (entries := self._ticks.get(tick)):
                left -= 1
                entry = entries.pop()
                entry.tick = None
                if not entries:
                    del self._ticks[tick]
                entry.timer_expired()
        if self._ticks:
            self._schedule(min(self._ticks), self._clock.seconds())

    def _schedule(self, tick: int, now: float) -> None:
        self._cancel()
        self._timer_tick = tick
        self._timer = self._clock.callLater(max(tick * TICK - now, 0.0), self._advance)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
