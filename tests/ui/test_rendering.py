"""The lines of events, replies and errors; texts of users can't imitate other lines."""

from __future__ import annotations

import re
from datetime import timezone

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import CODES
from gtchat.client import (
    CommandFailed,
    ConnectionLost,
    Message,
    Reply,
    Report,
    Room,
    RoomReset,
    SessionInfo,
)
from gtchat.ui.commands import COMMANDS, CommandContext, ParsedCommand
from gtchat.ui.descriptions import EVENTS
from gtchat.ui.formatting import format_wait, marked_lines
from gtchat.ui.parsing import parse
from gtchat.ui.rendering import ADVICE, Renderer
from tests.client.fakes import AT, event, spoken

EVIL = "\x1b[2J\u202e\x07"


def _plain(text: str, style: str) -> str:
    return text


class RenderingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.renderer = Renderer(_plain, timezone.utc)

    def shown(self, **fields: object) -> list[str]:
        return self.renderer.event_lines(event(**fields))

    def replied(self, line: str, **fields: object) -> list[str]:
        parsed: ParsedCommand = parse(line, CommandContext())
        return self.renderer.reply_lines(parsed, Reply(status="ok", **fields))  # type: ignore[arg-type]

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

    def test_mentions_have_date_room_and_sender(self) -> None:
        entry = event(**spoken(1, "ann", "den", "@bob"))
        direct = event(**{**spoken(2, "cid", "", "hi @bob"), "cmd": "c_whisper", "to": "bob"})
        lines = self.replied("/mentions", entries=(entry, direct), next="AAA")
        expected = [
            "2030-05-06 07:08 #den <ann> @bob",
            "2030-05-06 07:08 <cid> direct message: hi @bob",
            "* older ones: /mentions AAA",
        ]
        self.assertEqual(lines, expected)
        self.assertEqual(self.replied("/mentions"), ["* no messages mention you"])

    def test_a_room_tells_of_mentions_and_notifications(self) -> None:
        room = Room(name="den", joined=True, unread=3, mentions=1, notify="none")
        (line, *_) = self.replied("/rooms", rooms=(room,), rooms_total=1)
        self.assertIn("joined, 3 unread, @1, notifications: none", line)
        lines = self.replied("/guest ann", usr="ann", rooms=(room,))
        self.assertIn("#den (3 unread, @1)", lines[1])

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

    def test_texts_of_replies_can_not_control_a_terminal(self) -> None:
        room = {"room_name": EVIL, "topic": EVIL, "owner": EVIL, "users": (EVIL,), "joined": True}
        reply = msgspec.convert(
            {
                "status": "ok",
                "msg": EVIL,
                "usr": EVIL,
                "users": (EVIL,),
                "online": (EVIL,),
                "rooms": [room],
                "room": room,
                "more": True,
                "server": EVIL,
                "version": EVIL,
                "features": (EVIL,),
                "limits": {EVIL: 1.0},
                "blocked": (EVIL,),
                "delivered": EVIL,
                "reports": [
                    {"report_id": 1, "seq": 1, "answered_by": EVIL}
                    | dict.fromkeys(("room_name", "usr", "msg", "by", "reason"), EVIL)
                    | dict.fromkeys(("outcome", "answer"), EVIL)
                ],
                "sessions": [dict.fromkeys(("id", "device_name", "protocol", "address"), EVIL)],
            },
            Reply,
        )
        entries = (event(**spoken(1, EVIL, EVIL, EVIL)),)
        reply = msgspec.structs.replace(
            reply,
            entries=entries,
            raw={
                "at": EVIL,
                "deleted": EVIL,
                "roles": {EVIL: EVIL},
                "mutes": [{"usr": EVIL, "by": EVIL, "reason": EVIL, "until": EVIL}],
                "bans": [],
            },
        )
        for command in COMMANDS.values():
            fields = {"usr": EVIL, "target_user": EVIL, "room_name": EVIL}
            for line in self.renderer.reply_lines(ParsedCommand(command, fields), reply):
                self.assertTrue(line.isprintable(), repr(line))
        line = self.renderer.error_line(CommandFailed(EVIL, EVIL))
        self.assertTrue(line.isprintable(), repr(line))
        for happened in (
            ConnectionLost(code=None, reason=EVIL, retry_in=1),
            RoomReset(room=EVIL, reason="left"),
            RoomReset(room=EVIL, reason="epoch"),
        ):
            for line in self.renderer.event_lines(happened):
                self.assertTrue(line.isprintable(), repr(line))

    def test_a_report_is_told_and_listed(self) -> None:
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
        report = Report(id=4, room="den", seq=3, user="bob", text="a\nb", by="cid", reason="spam")
        answered = msgspec.structs.replace(
            report, id=3, room=None, reason="", outcome="accepted", answer="ok", answered_by="mod"
        )
        self.assertEqual(
            self.replied("/reports", reports=(report, answered), next="x"),
            [
                "* there are older ones: answer these first",
                "--:-- 3 direct message <bob> a",
                "      | b",
                "* reported by cid",
                "* accepted by mod: ok",
                "--:-- 4 #den <bob> a",
                "      | b",
                "* reported by cid: spam",
            ],
        )
        flagged = msgspec.structs.replace(report, text="a", by="word filter", reason="")
        for rule, shown in (
            (None, "* flagged by the word filter"),
            (f"*a*{EVIL}", "* flagged by the word filter: *a*\\x1b[2J\\u202e\\x07"),
        ):
            found = msgspec.structs.replace(flagged, rule=rule)
            self.assertEqual(self.replied("/reports", reports=(found,))[1], shown)
        self.assertEqual(self.replied("/reports"), ["* no reports"])
        self.assertEqual(self.replied("/report #3", report_id=4), ["* reported: report 4"])
        [line] = self.replied("/report #3", report_id=4, dup=True)
        self.assertIn("before", line)

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

    def test_an_error_has_advice(self) -> None:
        error = CommandFailed("not_in_room", "You are not in this room.")
        self.assertEqual(
            self.renderer.error_line(error),
            "error: You are not in this room. (not_in_room): /join ROOM first",
        )
        self.assertIn("try again in 60 s", self.renderer.error_line(CommandFailed("x", "y", 60)))

    def test_advice_says_more_than_the_text_of_the_error(self) -> None:
        for code, advice in ADVICE.items():
            said = CODES[code].default.lower()
            self.assertNotIn(advice.lower(), said, code)
            words = set(re.findall(r"[a-z]+", advice.lower()))
            self.assertTrue("/" in advice or words - set(re.findall(r"[a-z]+", said)), code)
        for code in ("filtered", "muted", "slow_mode", "room_banned", "storage_full"):
            error = CommandFailed(code, "It says why.", 5 if code == "slow_mode" else None)
            behind = ": try again in 5 s" if code == "slow_mode" else ""
            self.assertEqual(
                self.renderer.error_line(error), f"error: It says why. ({code}){behind}"
            )

    def test_a_long_wait_is_no_number_of_seconds(self) -> None:
        for seconds, shown in (
            (0.2, "1 s"),
            (8.1, "9 s"),
            (100, "2 min"),
            (3600, "60 min"),
            (604_800, "168 h"),
        ):
            self.assertEqual(format_wait(seconds), shown)

    def test_a_partial_list_says_how_to_list_the_rest(self) -> None:
        lines = self.replied("/users", users=("ann", "bob"), users_total=7)
        self.assertEqual(lines, ["* 7: ann, bob", "* 2 of 7; /users NAME lists those after NAME"])

    def test_sessions_have_a_line_each(self) -> None:
        client = {"protocol": "gtchat", "address": "192.0.2.1", "began": AT, "last_seen": AT}
        reply = msgspec.convert(
            [
                {"id": "1", "device_name": "Phone", "remembered": True, **client},
                {"id": "2", "online": True, "current": True, **client},
                {"id": "3", "device_name": "Laptop", "began": AT},
            ],
            tuple[SessionInfo, ...],
        )
        date = "2030-05-06 07:08"
        self.assertEqual(
            self.replied("/sessions", sessions=reply),
            [
                f"* 1: Phone (gtchat, 192.0.2.1), since {date}, last seen {date}, stays logged in",
                f"* 2: no device (gtchat, 192.0.2.1), since {date}, online, this session",
                f"* 3: Laptop, since {date}, last seen ?",
            ],
        )

    def test_members_who_are_offline_are_marked(self) -> None:
        lines = self.replied("/who", users=("ann", "bob"), online=("bob",), users_total=2)
        self.assertEqual(lines, ["* 2: ann (offline), bob"])

    def test_history_says_how_to_load_older_messages(self) -> None:
        lines = self.replied("/history", entries=(event(**spoken(7)),), more=True)
        self.assertEqual(lines[0], "* older messages: /history 50 7")
        self.assertEqual(self.replied("/history"), ["* no messages"])

    def test_history_says_that_older_messages_were_removed(self) -> None:
        for first, last, expected in ((1, 7, False), (7, 7, True), (8, 7, True)):
            lines = self.replied("/history", log_first=first, log_last=last)
            self.assertEqual(lines == ["* older messages were removed"], expected, lines)
        lines = self.replied(
            "/history", entries=(event(**spoken(7)),), more=True, log_first=3, log_last=7
        )
        self.assertEqual(lines[0], "* older messages: /history 50 7")

    def test_a_direct_message_to_an_offline_user_says_so(self) -> None:
        self.assertEqual(
            self.replied("/whisper bob hi", delivered="stored"),
            ["* bob is offline and gets the message at the next login"],
        )
