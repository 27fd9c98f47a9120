"""TimerWheel of many connections on one timer.

Each connection has one deadline at most, rounded up to a quarter of a second. Those of the same
quarter stand in one set, so that setting and dropping one costs the same however many there are.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK = 0.25
#: Seconds: whoever wakes later than that has stood still, or had much to do.
LATE = TICK
#: Deadlines seen to in one turn of the reactor; the others wait for the next.
MOST_A_TURN = 500


class Entry(Protocol):
    """Who has a deadline.

    Attributes:
        tick: the quarter of a second in which it is due, None without a deadline.
    """

    tick: int | None

    def due(self) -> None:
        """The time has come."""


class TimerWheel:
    """Calls `due` of each whose time has come."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._ticks: dict[int, set[Entry]] = {}
        self._timer: IDelayedCall | None = None
        self._timer_tick = 0
        self._has_read = False

    def put(self, entry: Entry, seconds: float) -> None:
        """Set a deadline in place of the one that there was."""
        self.remove(entry)
        now = self._clock.seconds()
        tick = max(ceil((now + seconds) / TICK), floor(now / TICK) + 1)
        entry.tick = tick
        self._ticks.setdefault(tick, set()).add(entry)
        if self._timer is None or tick < self._timer_tick:
            self._wake_at(tick, now)

    def remove(self, entry: Entry) -> None:
        """Forget a deadline, if there is one."""
        tick, entry.tick = entry.tick, None
        if tick is None:
            return
        entries = self._ticks[tick]
        entries.discard(entry)
        if not entries:
            del self._ticks[tick]
        if not self._ticks:
            self._sleep()

    def stop(self) -> None:
        """Call nobody any more."""
        for entries in self._ticks.values():
            for entry in entries:
                entry.tick = None
        self._ticks.clear()
        self._sleep()

    def _wake(self) -> None:
        """See to those whose time has come."""
        self._timer = None
        seconds = self._clock.seconds()
        late = seconds - self._timer_tick * TICK > LATE
        if late and not self._has_read:
            # Signs of life that came meanwhile wait in the sockets: they are read first.
            self._has_read = True
            self._timer = self._clock.callLater(0, self._wake)
            return
        self._has_read = False
        now = floor(seconds / TICK)
        left = MOST_A_TURN
        for tick in sorted(tick for tick in self._ticks if tick <= now):
            while left and (entries := self._ticks.get(tick)):
                left -= 1
                entry = entries.pop()
                entry.tick = None
                if not entries:
                    del self._ticks[tick]
                entry.due()
        if self._ticks:
            self._wake_at(min(self._ticks), self._clock.seconds())

    def _wake_at(self, tick: int, now: float) -> None:
        self._sleep()
        self._timer_tick = tick
        self._timer = self._clock.callLater(max(tick * TICK - now, 0.0), self._wake)

    def _sleep(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
