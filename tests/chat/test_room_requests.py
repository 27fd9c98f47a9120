"""Rooms in memory, their logs and the store agree, whatever fails; see `room_world`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.rooms import Room, RoomRegistry
from tests.chat.room_world import HeldMemoryStore, LoneRoomRequests, QueuedRoomRequests, World


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
        # `test_rooms` has a room that can't be created.
        changes = {"join", "leave", "kick", "remove", "add", "set", "hand over", "delete"}
        changes |= {"moderate", "punish"}
        self.assertLessEqual(changes, failed, found)

    def test_they_agree_while_rooms_come_and_go(self) -> None:
        moved: Counter[str] = Counter()
        for name in ("release", "bring_in"):
            move = getattr(RoomRegistry, name)

            def note(
                registry: RoomRegistry, room: Room, name: str = name, move: Any = move
            ) -> None:
                moved[name] += 1
                move(registry, room)

            self.patch(RoomRegistry, name, note)

        class Machine(QueuedRoomRequests, LoneRoomRequests):
            outcomes: Counter[tuple[str, str]] = Counter()

            @staticmethod
            def new_world() -> World:
                clock = Clock()
                return World(HeldMemoryStore(clock), clock)

        options = settings(
            max_examples=100, stateful_step_count=50, deadline=None, derandomize=True
        )
        run_state_machine_as_test(Machine, settings=options)
        self.assertGreater(moved["release"], 10)
        self.assertGreater(moved["bring_in"], 200)
