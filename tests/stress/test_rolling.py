"""What rolling.py says of its measurements; `tests.e2e.test_rolling_restart` restarts servers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.stress.rolling import Result, percentile


class Measurements(SynchronousTestCase):
    def test_a_percentile_is_one_of_the_values(self) -> None:
        values = [float(n) for n in range(100, 0, -1)]
        self.assertEqual([percentile(values, each) for each in (50, 99, 100)], [51, 100, 100])
        self.assertEqual(percentile([], 99), 0)

    def test_deliveries_belong_to_the_time_at_which_they_were_sent(self) -> None:
        result = Result(2, 3, restarts=[(10.0, 20.0), (30.0, 40.0)])
        result.delays = [(9.0, 1.5), (10.0, 0.5), (25.0, 0.1), (40.0, 2.0)]
        self.assertEqual(result.delays_of(True), [0.5, 2.0])
        self.assertEqual(result.delays_of(False), [1.5, 0.1])
        self.assertIn("2 deliveries during restarts: p50 2000 ms, p99 2000 ms", str(result))
