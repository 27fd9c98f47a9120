"""The timer wheel calls each entry once, in its tick."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.websocket.timer_wheel import EXPIRIES_PER_ITERATION, TICK, TimerWheel


class RecordingEntry:
    """An entry that records the times at which its deadline expired."""

    def __init__(self, clock: Clock) -> None:
        self.tick: int | None = None
        self.times: list[float] = []
        self._clock = clock

    def timer_expired(self) -> None:
        self.times.append(self._clock.seconds())


class Expiry(SynchronousTestCase):
    @given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 5), st.floats(0, 2))))
    def test_each_entry_expires_once_in_its_tick(
        self, puts: list[tuple[int, float, float]]
    ) -> None:
        clock = Clock()
        wheel = TimerWheel(clock)
        entries = [RecordingEntry(clock) for _ in range(5)]
        due: dict[int, float] = {}
        for index, seconds, wait in puts:
            entries[index].times.clear()
            wheel.put(entries[index], seconds)
            due[index] = clock.seconds() + seconds
            clock.pump([TICK / 2] * int(wait / TICK * 2))
        clock.pump([TICK / 2] * 100)
        for index, when in due.items():
            [called] = entries[index].times
            self.assertGreaterEqual(called, when - 1e-6)
            self.assertLessEqual(called, when + 2 * TICK)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_many_entries_expire_over_several_iterations(self) -> None:
        clock = Clock()
        wheel = TimerWheel(clock)
        entries = [RecordingEntry(clock) for _ in range(EXPIRIES_PER_ITERATION + 1)]
        for entry in entries:
            wheel.put(entry, 1)
        calls: list[float] = []
        later = clock.callLater
        self.patch(clock, "callLater", lambda *args: calls.append(0) or later(*args))
        clock.advance(1)
        self.assertEqual([len(entry.times) for entry in entries], [1] * len(entries))
        self.assertEqual(len(calls), 1)

    def test_a_late_timer_lets_sockets_be_read_first(self) -> None:
        clock = Clock()
        wheel = TimerWheel(clock)
        entry = RecordingEntry(clock)
        wheel.put(entry, 1)
        dues: list[int] = []
        clock.callLater(9, lambda: dues.append(len(entry.times)))
        clock.advance(10)
        self.assertEqual((dues, len(entry.times)), ([0], 1))

    def test_stop_removes_all_deadlines(self) -> None:
        clock = Clock()
        wheel = TimerWheel(clock)
        entry = RecordingEntry(clock)
        wheel.put(entry, 1)
        wheel.stop()
        clock.advance(5)
        self.assertEqual((entry.times, entry.tick), ([], None))
