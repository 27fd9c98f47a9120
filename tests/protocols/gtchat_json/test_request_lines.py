"""Lines of the log about requests."""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.chat.test_messages import RoomTestCase


class RequestLines(RoomTestCase):
    def lines(self) -> list[str]:
        """Return what is logged of some requests."""
        with capturedLogs() as events:
            self.ann.send("speak", room_name="r", msg="private words", tracker="t1")
            self.server.run_pending()
            self.ann.send("get_user_list", tracker="t2")
            self.ann.send("leave_room", room_name="nowhere", tracker="\x1bt3")
            self.server.run_pending()
            self.server.connect().send("speak", room_name="r", msg="hi", tracker="t4")
            self.server.run_pending()
        return [
            formatEvent(one)
            for one in events
            if one["log_level"] is LogLevel.info and "request" in one["log_format"]
        ]

    def test_there_are_none_by_default(self) -> None:
        self.assertEqual(self.lines(), [])

    def test_each_request_has_one_with_its_outcome_and_without_its_content(self) -> None:
        self.server.encoder.requests.enabled = True
        lines = self.lines()
        self.assertEqual(
            lines[:3],
            [
                "request 1: speak (t1) of ann from 192.0.2.1: ok",
                "request 2: get_user_list (t2) of ann from 192.0.2.1: ok",
                "request 3: leave_room (\\x1bt3) of ann from 192.0.2.1: no_such_room",
            ],
        )
        self.assertEqual(lines[3:], ["request 4: speak (t4) of none from 192.0.2.1: not_logged_in"])
