"""A short run of raid.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.stress.raid import Raid


class Panic(SynchronousTestCase):
    def test_bots_of_four_protocols_are_not_heard_after_the_switch(self) -> None:
        raid = Raid(bots=8, users=2, pace=(0.5, 2.0), seed=1)
        result = raid.run(0.2, 2.0, 2.0, lambda seconds: None)
        self.assertEqual(result.violations, [])
        self.assertGreater(result.parts["raid"].bots, 0)
