"""The clock of a node is that of PostgreSQL, where the machine's differs from it."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.sql.node_clock import TOLERANCE_S, NodeClock

NOW = 1_800_000_000.0


class ClockTests(SynchronousTestCase):
    """Given a machine whose clock is `here`, and a database whose clock is `there`."""

    def setUp(self) -> None:
        self.here = self.there = NOW
        self.takes = 0.0
        self.logged: list[str] = []
        self.patch(
            NodeClock, "_log", Logger(observer=lambda event: self.logged.append(formatEvent(event)))
        )
        self.clock = NodeClock(lambda: self.here)

    def execute(self, sql: str) -> Any:
        """Answer as a connection: half of the time that it takes has passed."""
        self.row = (self.there + self.takes / 2,)
        self.here += self.takes
        self.there += self.takes
        return self

    def fetchone(self) -> tuple[float]:
        return self.row

    def measure(self) -> float:
        """Measure; return by how much the clock differs from that of the database then."""
        self.clock.measure(self)  # type: ignore[arg-type]
        return self.clock() - self.there

    def test_clocks_that_agree_are_left_alone(self) -> None:
        self.here += TOLERANCE_S
        self.assertEqual(self.measure(), TOLERANCE_S)
        self.assertEqual((self.clock.offset, self.logged), (0.0, []))

    def test_a_machine_that_is_minutes_off_goes_by_the_database(self) -> None:
        for off, text in ((300.0, "300 s ahead of"), (-90.0, "90 s behind")):
            self.here = self.there + off
            self.takes = 0.5
            self.assertEqual(self.measure(), 0)
            self.assertIn(f"is {text} PostgreSQL's", self.logged[-1])

    def test_it_does_not_follow_each_measurement(self) -> None:
        self.here += 300
        self.measure()
        self.here -= TOLERANCE_S / 2
        self.assertEqual(self.measure(), -TOLERANCE_S / 2)
        self.assertEqual(len(self.logged), 1)

    def test_an_answer_that_took_long_says_little(self) -> None:
        self.takes = 20.0
        self.here += 10
        self.measure()
        self.assertEqual(self.clock.offset, 0)
        self.here += 2
        self.measure()
        self.assertNotEqual(self.clock.offset, 0)

    def test_a_clock_that_is_set_right_counts_again(self) -> None:
        self.here += 300
        self.measure()
        self.here = self.there + 0.01
        self.measure()
        self.assertEqual(self.clock.offset, 0)
        self.assertIn("agrees with that of PostgreSQL again", self.logged[-1])
