"""Rooms in memory, their logs and the store agree, whatever fails; see `room_world`."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.chat.room_world import HeldMemoryStore, QueuedRoomRequests, World


class Requests(SynchronousTestCase):
    def test_memory_log_and_store_agree_whatever_fails(self) -> None:  # H38
        """Memory = fold(log) = store whenever nothing is queued, and + queued at any time."""

        class Machine(QueuedRoomRequests):
            outcomes: Counter[tuple[str, str]] = Counter()

            @staticmethod
            def new_world() -> World:
                clock = Clock()
                return World(HeldMemoryStore(clock), clock)

        options = settings(
            max_examples=200, stateful_step_count=50, deadline=None, derandomize=True
        )
        run_state_machine_as_test(Machine, settings=options)
        found = Machine.outcomes
        succeeded = {what for what, code in found if code == "ok"}
        self.assertEqual(succeeded, {what for what, _ in found}, found)
        failed = {what for what, code in found if code == "not_stored"}
        changes = {"create", "join", "leave", "kick", "remove", "add", "set", "hand over", "delete"}
        self.assertLessEqual(changes, failed, found)
