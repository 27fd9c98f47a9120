"""A short run of follow.py, and tests that it detects what is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Server
from tests.stress.follow import OPTIONS, Follow, check_lines


def line(seq: int, epoch: str = "e", text: int | None = None) -> dict[str, Any]:
    """Return a line of a file. text: of a message; None: it is a join."""
    said = {"cmd": "c_speak", "msg": str(text)} if text else {"cmd": "c_event"}
    return {"cursor": f"{epoch}:{seq}", "entry": {**said, "seq": seq}}


class FollowTests(SynchronousTestCase):
    def test_bridge_copies_each_entry_once_over_kills_and_restored_backups(self) -> None:
        async def run() -> Any:
            return await Follow(Server(*OPTIONS), messages=400, kills=4, rooms=12, seed=7).run()

        result = asyncio.run(run())
        self.assertEqual(result.violations, [])
        self.assertEqual((result.messages, result.kills), (448, 4))


class CheckTests(SynchronousTestCase):
    """`check_lines`."""

    def check(self, *lines: dict[str, Any], count: int = 2) -> str:
        return "; ".join(check_lines(list(lines), count))

    def test_complete_file(self) -> None:
        self.assertEqual(self.check(line(1), line(2, text=1), line(3, text=2)), "")

    def test_lines_of_another_epoch_begin_anywhere(self) -> None:
        self.assertEqual(self.check(line(1, text=1), line(8, "f", 2), line(9, "f")), "")

    def test_what_is_missing_twice_or_in_another_order(self) -> None:
        self.assertIn("1 messages instead of 2", self.check(line(1, text=1)))
        self.assertIn(
            "from 1 on ['1'", self.check(line(1, text=1), line(2, text=1), line(3, text=2))
        )
        self.assertIn("from 0 on ['2', '1']", self.check(line(1, text=2), line(2, text=1)))

    def test_entry_that_is_no_message_is_missing(self) -> None:
        self.assertEqual(self.check(line(1, text=1), line(3, text=2)), "3 after 1 in line 2")
        self.assertIn("2 after 0 in line 1", self.check(line(2, text=1), line(3, text=2)))
