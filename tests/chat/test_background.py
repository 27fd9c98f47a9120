"""Waiting for work, but not long."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.background import within


class Within(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.work: Deferred[None] = Deferred()
        self.waiting = within(3.0, self.clock, self.work)

    def test_it_fires_when_the_work_is_done(self) -> None:
        self.assertNoResult(self.waiting)
        self.work.callback(None)
        self.assertIsNone(self.successResultOf(self.waiting))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_fires_when_the_time_is_over_and_the_work_goes_on(self) -> None:
        self.clock.advance(2.9)
        self.assertNoResult(self.waiting)
        self.clock.advance(0.2)
        self.assertIsNone(self.successResultOf(self.waiting))
        self.work.callback(None)
        self.assertIsNone(self.successResultOf(self.work))
