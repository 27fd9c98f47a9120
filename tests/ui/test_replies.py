"""The lines of replies and errors; texts of users can't control a terminal."""

from __future__ import annotations

import re
from datetime import timezone

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import CODES
from gtchat.client import (
    CommandFailed,
    Reply,
    Report,
    Room,
    SessionInfo,
)
from gtchat.ui.commands import COMMANDS, CommandContext, ParsedCommand
from gtchat.ui.parsing import parse
from gtchat.ui.rendering import Renderer
from gtchat.ui.replies import ADVICE, error_line, reply_lines
from tests.client.fakes import AT, event, spoken
from tests.ui.test_rendering import EVIL, plain


class ReplyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.renderer = Renderer(plain, timezone.utc)

    def replied(self, line: str, **fields: object) -> list[str]:
        parsed: ParsedCommand = parse(line, CommandContext())
        return reply_lines(self.renderer, parsed, Reply(status="ok", **fields))  # type: ignore[arg-type]

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
            fields = {"usr": EVIL, "target_user": EVIL, "room_name": EVIL, "seq": 1}
            for line in reply_lines(self.renderer, ParsedCommand(command, fields), reply):
                self.assertTrue(line.isprintable(), repr(line))
        line = error_line(CommandFailed(EVIL, EVIL))
        self.assertTrue(line.isprintable(), repr(line))

    def test_reports_are_listed(self) -> None:
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
        self.assertEqual(
            self.replied("/report #3", report_id=4), ["* reported: message #3, report 4"]
        )
        [line] = self.replied("/report #3", report_id=4, dup=True)
        self.assertIn("before", line)

    def test_an_error_has_advice(self) -> None:
        error = CommandFailed("not_in_room", "You are not in this room.")
        self.assertEqual(
            error_line(error),
            "error: You are not in this room. (not_in_room): /join ROOM first",
        )
        self.assertIn("try again in 60 s", error_line(CommandFailed("x", "y", 60)))

    def test_advice_says_more_than_the_text_of_the_error(self) -> None:
        for code, advice in ADVICE.items():
            said = CODES[code].default.lower()
            self.assertNotIn(advice.lower(), said, code)
            words = set(re.findall(r"[a-z]+", advice.lower()))
            self.assertTrue("/" in advice or words - set(re.findall(r"[a-z]+", said)), code)
        for code in ("filtered", "muted", "slow_mode", "room_banned", "storage_full"):
            error = CommandFailed(code, "It says why.", 5 if code == "slow_mode" else None)
            behind = ": try again in 5 s" if code == "slow_mode" else ""
            self.assertEqual(error_line(error), f"error: It says why. ({code}){behind}")

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
