"""A short run of commands.py, and tests that its comparisons detect what is wrong."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Server
from tests.stress.command_users import JSONUser, LobbyListener
from tests.stress.commands import OPTIONS, Commands
from tests.stress.folding import RoomState, fold


class RandomCommands(SynchronousTestCase):
    def test_random_commands_of_five_protocols_leave_no_trace_of_a_fault(self) -> None:  # H37
        result = Commands(Server(*OPTIONS), seed=5).run(4.0)
        self.assertEqual(result.violations, [])
        self.assertGreater(result.commands, 30)
        self.assertGreater(result.entries, 30)
        self.assertGreater(result.kills, 0)


class Folding(SynchronousTestCase):
    def test_state_follows_from_the_entries(self) -> None:
        log: list[dict[str, Any]] = [
            {"type": "room_created", "usr": "ann", "owner": "ann", "topic": "", "public": True},
            {"type": "join_room", "usr": "ben"},
            {"type": "join_room", "usr": "cay"},
            {"cmd": "c_speak", "usr": "ben", "msg": "hi"},
            {"type": "kicked", "usr": "cay", "by": "ann"},
            {"type": "room_changed", "usr": "ann", "owner": "ben", "topic": "t", "public": False},
            {"type": "leave_room", "usr": "ann"},
        ]
        self.assertEqual(fold(log), RoomState({"ben"}, "ben", "t", False))


class Comparisons(SynchronousTestCase):
    """What is wrong is found."""

    def setUp(self) -> None:
        self.log = [
            {"cmd": "c_speak", "usr": usr, "msg": f"{usr}-{seq}", "seq": seq, "room_name": "lobby"}
            for seq, usr in enumerate(("ann", "ben", "eve"), 1)
        ]
        self.user = JSONUser("cay", guest=False)
        self.user._from["lobby"] = 0

    def problems(self, *entries: dict[str, Any]) -> str:
        for entry in entries:
            self.user._take(entry)
        return "; ".join(self.user.missing_pushes("lobby", self.log))

    def test_all_pushes_once_in_order_are_right(self) -> None:
        self.assertEqual(self.problems(*self.log), "")
        self.assertEqual(self.problems(), "")

    def test_missing_push(self) -> None:
        self.assertIn("did not receive", self.problems(self.log[0], self.log[2]))

    def test_push_of_a_blocked_user_may_be_missing(self) -> None:
        self.user.ever_blocked.add("ben")
        self.assertEqual(self.problems(self.log[0], self.log[2]), "")

    def test_repeated_and_reordered_pushes(self) -> None:
        first, second, third = self.log
        self.assertIn("received 1 of lobby after 1", self.problems(first, first, second, third))
        self.user._from["lobby"] = 0
        self.assertIn("received 2 of lobby after 3", self.problems(first, third, second))

    def test_push_that_differs_from_the_log(self) -> None:
        other = {**self.log[0], "msg": "something else"}
        self.assertIn("which is", self.problems(other, *self.log[1:]))

    def test_what_a_listener_heard(self) -> None:
        listener = LobbyListener("eve")
        said = [(entry["usr"], entry["msg"]) for entry in self.log]
        said.insert(1, ("gus", "gus-9"))
        for heard, words in (
            (["ann-1", "gus-9", "ben-2"], ""),
            (["gus-9", "ben-2"], ""),
            (["ann-1", "ben-2"], "not ["),
            (["ann-1", "ann-1"], "not ["),
            (["x-1"], "not in the log"),
            ([], ""),
        ):
            listener._heard = list(heard)
            found = "; ".join(listener.gaps(said))
            self.assertEqual(bool(found), bool(words), found)
            self.assertIn(words, found)
