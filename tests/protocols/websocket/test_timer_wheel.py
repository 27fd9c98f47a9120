"""One timer for everybody's deadlines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.websocket.timer_wheel import EXPIRIES_PER_ITERATION, TICK, TimerWheel


class Entry:
    """Notes when its time came."""

    def __init__(self, clock: Clock) -> None:
        self.tick: int | None = None
        self.times: list[float] = []
        self._clock = clock

    def timer_expired(self) -> None:
        self.times.append(self._clock.seconds())


class Waiting(SynchronousTestCase):
    @given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 5), st.floats(0, 2))))
    def test_each_is_called_once_in_its_quarter(self, puts: list[tuple[int, float, float]]) -> None:
        clock = Clock()
        deadlines = TimerWheel(clock)
        entries = [Entry(clock) for _ in range(5)]
        due: dict[int, float] = {}
        for index, seconds, wait in puts:
            entries[index].times.clear()
            deadlines.put(entries[index], seconds)
            due[index] = clock.seconds() + seconds
            clock.pump([TICK / 2] * int(wait / TICK * 2))
        clock.pump([TICK / 2] * 100)
        for index, when in due.items():
            [called] = entries[index].times
            self.assertGreaterEqual(called, when - 1e-6)
            self.assertLessEqual(called, when + 2 * TICK)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_many_at_once_are_seen_to_over_several_turns(self) -> None:
        clock = Clock()
        deadlines = TimerWheel(clock)
        entries = [Entry(clock) for _ in range(EXPIRIES_PER_ITERATION + 1)]
        for entry in entries:
            deadlines.put(entry, 1)
        turns: list[float] = []
        later = clock.callLater
        self.patch(clock, "callLater", lambda *call: turns.append(0) or later(*call))
        clock.advance(1)
        self.assertEqual([len(entry.times) for entry in entries], [1] * len(entries))
        self.assertEqual(len(turns), 1)

    def test_who_wakes_late_lets_what_came_meanwhile_be_read_first(self) -> None:
        clock = Clock()
        deadlines = TimerWheel(clock)
        entry = Entry(clock)
        deadlines.put(entry, 1)
        dues: list[int] = []
        clock.callLater(9, lambda: dues.append(len(entry.times)))
        clock.advance(10)
        self.assertEqual((dues, len(entry.times)), ([0], 1))

    def test_stopping_forgets_all(self) -> None:
        clock = Clock()
        deadlines = TimerWheel(clock)
        entry = Entry(clock)
        deadlines.put(entry, 1)
        deadlines.stop()
        clock.advance(5)
        self.assertEqual((entry.times, entry.tick), ([], None))
