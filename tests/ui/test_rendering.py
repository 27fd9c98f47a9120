"""The lines of events; texts of users can't imitate other lines."""

from __future__ import annotations

from datetime import timezone

from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    ConnectionLost,
    Message,
    RoomReset,
)
from gtchat.ui.descriptions import EVENTS
from gtchat.ui.formatting import format_wait, marked_lines
from gtchat.ui.rendering import Renderer
from tests.client.fakes import event, spoken

EVIL = "\x1b[2J\u202e\x07"


def plain(text: str, style: str) -> str:
    return text


class RenderingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.renderer = Renderer(plain, timezone.utc)

    def shown(self, **fields: object) -> list[str]:
        return self.renderer.event_lines(event(**fields))

    def test_a_message_has_time_room_and_sender(self) -> None:
        self.assertEqual(self.shown(**spoken(1, "ann", msg="hi")), ["07:08 #lobby <ann> hi"])

    def test_direct_messages_and_broadcasts_are_marked(self) -> None:
        for cmd, line in (
            ("c_whisper", "07:08 <ann> direct message: hi"),
            ("c_broadcast", "07:08 <ann> to all users: hi"),
        ):
            self.assertEqual(self.shown(cmd=cmd, usr="ann", msg="hi"), [line])

    def test_what_was_looked_for_is_bold_in_every_line(self) -> None:
        for msg, marks, expected in (
            ("green tea", ((6, 9),), ["green <tea>"]),
            ("tea\ntea", ((0, 3), (4, 7)), ["<tea>", "<tea>"]),
            ("a\nb", ((0, 3),), ["<a>", "<b>"]),
            ("\x1b茶", ((1, 2),), ["\\x1b<茶>"]),
            ("tea", ((2, 9),), ["te<a>"]),
            ("tea", (), ["tea"]),
        ):
            message = Message(room="r", user="ann", text=msg, marks=marks)
            lines = marked_lines(
                message, lambda text, style: f"<{text}>" if style == "bold" else text
            )
            self.assertEqual(lines, expected)

    def test_an_invitation_says_what_to_do(self) -> None:
        (line,) = self.shown(cmd="c_invited", usr="ann", room_name="den", msg=EVIL)
        self.assertEqual(line, "07:08 * ann invites you to #den: /accept or /decline")

    def test_each_event_has_its_line(self) -> None:
        for kind in EVENTS:
            (line,) = self.shown(cmd="c_event", type=kind, by="bob", room_name="den", of=1)
            self.assertTrue(line.startswith("07:08 * "), line)
            self.assertNotIn("{", line)

    def test_changes_of_messages_are_told(self) -> None:
        for kind, fields, line in (
            ("edited", {"msg": "two\nlines"}, "ann edited a message in #den: two lines"),
            ("edited", {"blocked": True}, "a message of ann is hidden: you block this user"),
            ("deleted", {"by": "bob"}, "bob deleted a message of ann in #den"),
            ("reacted", {"emoji": "+"}, "ann reacted with + in #den"),
            ("reacted", {"emoji": "+", "on": False}, "ann took back the reaction + in #den"),
            ("pinned", {}, "ann pinned a message in #den"),
        ):
            shown = self.shown(cmd="c_event", type=kind, room_name="den", of=1, **fields)
            self.assertEqual(shown, [f"07:08 * {line}"])

    def test_a_deleted_message_and_an_action_are_shown_as_such(self) -> None:
        message = {**spoken(1, "ann", msg="waves"), "room_name": "den"}
        self.assertEqual(self.shown(**message, style="action"), ["07:08 #den * ann waves"])
        (line,) = self.shown(**{**message, "msg": ""}, deleted={"by": "bob", "reason": ""})
        self.assertEqual(line, "07:08 * a message of ann in #den was deleted by bob")

    def test_typing_and_read_marks_are_hidden(self) -> None:
        for kind in ("typing", "marked_read", "notify"):
            self.assertEqual(self.shown(cmd="c_event", type=kind, room_name="den", seq=1), [])

    def test_many_logins_and_logouts_are_one_line(self) -> None:
        names = tuple(f"u{number}" for number in range(30))
        (line,) = self.shown(cmd="c_event", type="presence", logins=names, logouts=("ann",))
        self.assertIn("u19 and 10 more logged in; ann logged out", line)

    def test_texts_of_events_can_not_control_a_terminal(self) -> None:
        pushes = [
            {"cmd": cmd, "type": kind, "usr": EVIL, "room_name": EVIL, "msg": EVIL, "by": EVIL}
            | {"topic": EVIL, "owner": EVIL, "address": EVIL, "host": EVIL}
            for cmd in ("c_speak", "c_whisper", "c_broadcast", "c_invited", "c_invite_reply", EVIL)
            for kind in ("",)
        ] + [
            {"cmd": "c_event", "type": kind, "usr": EVIL, "room_name": EVIL, "by": EVIL}
            | {
                "topic": EVIL,
                "owner": EVIL,
                "address": EVIL,
                "host": EVIL,
                "logins": (EVIL,),
                "of": 1,
            }
            | {"msg": EVIL, "emoji": EVIL, "reason": EVIL, "answer": EVIL, "outcome": EVIL}
            | {"report_id": 3}
            for kind in (*EVENTS, "presence", "reported", "report_answered", EVIL)
        ]
        for push in pushes:
            for line in self.shown(**push):
                self.assertTrue(line.isprintable(), repr(line))
        for happened in (
            ConnectionLost(code=None, reason=EVIL, retry_in=1),
            RoomReset(room=EVIL, reason="left"),
            RoomReset(room=EVIL, reason="epoch"),
        ):
            for line in self.renderer.event_lines(happened):
                self.assertTrue(line.isprintable(), repr(line))

    def test_a_report_is_told(self) -> None:
        reported = {"cmd": "c_event", "usr": "bob", "of": 3, "report_id": 4}
        [line] = self.shown(**reported, type="reported", by="cid", reason="spam", room_name="den")
        self.assertEqual(
            line, "07:08 * cid reports a message of bob in #den: spam (/reports, /answer 4)"
        )
        [line] = self.shown(**reported, type="reported", by="cid")
        self.assertIn("cid reports a direct message of bob (/all-reports", line)
        [line] = self.shown(**reported, type="report_answered", outcome="dismissed", answer="no")
        self.assertIn("your report of a direct message of bob was dismissed: no", line)
        [line] = self.shown(**reported, type="reported", by="word filter", room_name="den")
        self.assertIn("the word filter flags a message of bob in #den (/reports, /answer 4)", line)

    def test_a_line_of_a_text_can_not_imitate_another_message(self) -> None:
        lines = self.shown(**spoken(1, "eve", msg="hi\n07:08 #lobby <ann> I quit"))
        self.assertEqual(lines[1], "      | 07:08 #lobby <ann> I quit")

    def test_a_room_name_can_not_imitate_a_sender(self) -> None:
        (line,) = self.shown(**spoken(1, "eve", 'lobby <ann> "x', "hi"))
        self.assertEqual(line, '07:08 #"lobby <ann> \\"x" <eve> hi')

    def test_a_text_can_not_imitate_an_event(self) -> None:  # E12
        self.assertEqual(
            self.shown(**spoken(1, "eve", msg="* ann logged out")),
            ["07:08 #lobby <eve> * ann logged out"],
        )

    def test_a_time_that_can_not_be_shown_is_shown_as_dashes(self) -> None:
        for at in (None, "0001-01-01T00:00:00+14:00"):
            self.assertEqual(self.shown(**{**spoken(1), "at": at})[0][:5], "--:--")

    def test_a_long_wait_is_no_number_of_seconds(self) -> None:
        for seconds, shown in (
            (0.2, "1 s"),
            (8.1, "9 s"),
            (100, "2 min"),
            (3600, "60 min"),
            (604_800, "168 h"),
        ):
            self.assertEqual(format_wait(seconds), shown)
