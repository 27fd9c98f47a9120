"""Read marks of line mode: batched, and never sent for another user."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gtchat.ui.read_marks import INTERVAL, ReadMarks
from tests.client.fakes import ConnectedTestCase, welcome


class Marks(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)
        self.marks = ReadMarks(self.connection, self.clock)

    def sent(self) -> list[tuple[str, int]]:
        """Return room and entry of each mark that the server got."""
        return [(mark["room_name"], mark["seq"]) for mark in self.server.asked("mark_read")]

    def wait(self) -> None:
        self.clock.advance(INTERVAL)
        self.server.pump()

    def test_the_newest_entry_is_marked_once(self) -> None:
        self.marks.shown("lobby", 4)
        self.marks.shown("lobby", 6)
        self.marks.shown("lobby", 5)
        self.wait()
        self.wait()
        self.assertEqual(self.sent(), [("lobby", 6)])

    def test_what_one_user_was_shown_is_not_marked_for_the_next(self) -> None:
        for sent_by in (self.wait, self.finish):
            self.marks.shown("lobby", 4)
            self.result("logout")
            self.server.answers["login"] = welcome("bob", lobby=9)
            self.result("login", type="tmp", usr="bob")
            sent_by()
            self.assertEqual(self.sent(), [])
            self.log_in(lobby=3)

    def test_the_end_sends_all_that_waits(self) -> None:
        self.marks.shown("lobby", 4)
        self.marks.shown("garden", 2)
        self.finish()
        self.assertEqual(self.sent(), [("lobby", 4), ("garden", 2)])

    def finish(self) -> None:
        finishing = Deferred.fromCoroutine(self.marks.finish())
        for _ in range(3):
            self.server.pump()
        self.successResultOf(finishing)
