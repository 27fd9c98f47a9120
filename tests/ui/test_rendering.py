"""What the console shows: people's words as words, whatever they are."""

from __future__ import annotations

from datetime import timezone

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import CommandFailed, ConnectionLost, Push, Reply, RoomReset
from gtchat.ui.commands import COMMANDS, Place, Request, parse
from gtchat.ui.rendering import EVENTS, Renderer
from tests.client.fakes import AT, spoken

EVIL = "\x1b[2J\u202e\x07"


def _plain(text: str, style: str) -> str:
    return text


class RenderingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.renderer = Renderer(_plain, timezone.utc)

    def shown(self, **fields: object) -> list[str]:
        return self.renderer.happening(Push(**{"at": AT, **fields}))  # type: ignore[arg-type]

    def replied(self, line: str, **fields: object) -> list[str]:
        request: Request = parse(line, Place())
        return self.renderer.reply(request, Reply(status="ok", **fields))  # type: ignore[arg-type]

    def test_a_message_has_time_room_and_speaker(self) -> None:
        self.assertEqual(self.shown(**spoken(1, "ann", msg="hi")), ["07:08 #lobby <ann> hi"])

    def test_a_whisper_and_a_broadcast_say_what_they_are(self) -> None:
        for cmd, line in (
            ("c_whisper", "07:08 <ann> whispers: hi"),
            ("c_broadcast", "07:08 <ann> to everybody: hi"),
        ):
            self.assertEqual(self.shown(cmd=cmd, usr="ann", msg="hi"), [line])

    def test_an_invitation_says_what_to_do(self) -> None:
        (line,) = self.shown(cmd="c_invited", usr="ann", room_name="den", msg=EVIL)
        self.assertEqual(line, "07:08 * ann invites you to #den: /accept or /decline")

    def test_each_event_has_its_line(self) -> None:
        for kind in EVENTS:
            (line,) = self.shown(cmd="c_event", type=kind, usr="ann", by="bob", room_name="den")
            self.assertTrue(line.startswith("07:08 * "), line)
            self.assertNotIn("{", line)

    def test_lines_do_not_show_who_is_typing_or_what_was_read(self) -> None:
        for kind in ("typing", "marked_read"):
            self.assertEqual(self.shown(cmd="c_event", type=kind, usr="ann", room_name="den"), [])

    def test_many_who_come_and_go_are_one_line(self) -> None:
        names = tuple(f"u{number}" for number in range(30))
        (line,) = self.shown(cmd="c_event", type="presence", logins=names, logouts=("ann",))
        self.assertIn("u19 and 10 more came; ann went", line)

    def test_nothing_of_others_acts_on_a_terminal(self) -> None:
        pushes = [
            {"cmd": cmd, "type": kind, "usr": EVIL, "room_name": EVIL, "msg": EVIL, "by": EVIL}
            | {"topic": EVIL, "owner": EVIL, "address": EVIL, "host": EVIL, "at": EVIL}
            | {"logins": (EVIL,), "logouts": (EVIL,)}
            for cmd in ("c_speak", "c_whisper", "c_broadcast", "c_invited", "c_invite_reply", EVIL)
            for kind in ("",)
        ] + [
            {"cmd": "c_event", "type": kind, "usr": EVIL, "room_name": EVIL, "by": EVIL}
            | {"topic": EVIL, "owner": EVIL, "address": EVIL, "host": EVIL, "logins": (EVIL,)}
            for kind in (*EVENTS, "presence", EVIL)
        ]
        for push in pushes:
            for line in self.shown(**push):
                self.assertTrue(line.isprintable(), repr(line))

    def test_nothing_of_a_reply_acts_on_a_terminal(self) -> None:
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
                "at": EVIL,
                "entries": [spoken(1, EVIL, EVIL, EVIL)],
                "more": True,
                "server": EVIL,
                "version": EVIL,
                "features": (EVIL,),
                "limits": {EVIL: 1.0},
                "blocked": (EVIL,),
                "delivered": EVIL,
            },
            Reply,
        )
        for command in COMMANDS.values():
            fields = {"usr": EVIL, "target_user": EVIL, "room_name": EVIL}
            for line in self.renderer.reply(Request(command, fields), reply):
                self.assertTrue(line.isprintable(), repr(line))
        line = self.renderer.error(CommandFailed(EVIL, EVIL))
        self.assertTrue(line.isprintable(), repr(line))
        for happening in (
            ConnectionLost(EVIL, 1),
            RoomReset(EVIL, 0, True),
            RoomReset(EVIL, 1, False),
        ):
            for line in self.renderer.happening(happening):
                self.assertTrue(line.isprintable(), repr(line))

    def test_a_line_of_a_text_can_not_be_taken_for_somebody_elses(self) -> None:
        lines = self.shown(**spoken(1, "eve", msg="hi\n07:08 #lobby <ann> I quit"))
        self.assertEqual(lines[1], "      | 07:08 #lobby <ann> I quit")

    def test_a_name_of_a_room_can_not_be_taken_for_a_speaker(self) -> None:
        (line,) = self.shown(**spoken(1, "eve", 'lobby <ann> "x', "hi"))
        self.assertEqual(line, '07:08 #"lobby <ann> \\"x" <eve> hi')

    def test_a_text_that_looks_like_an_event_is_a_text(self) -> None:  # E12
        self.assertEqual(
            self.shown(**spoken(1, "eve", msg="* ann has gone")),
            ["07:08 #lobby <eve> * ann has gone"],
        )

    def test_a_time_that_is_none_is_shown_as_such(self) -> None:
        for at in ("", "yesterday", "9999-99-99T00:00:00Z"):
            self.assertEqual(self.shown(**{**spoken(1), "at": at})[0][:5], "--:--")

    def test_an_error_says_what_to_do(self) -> None:
        error = CommandFailed("not_in_room", "You are not in this room.")
        self.assertEqual(
            self.renderer.error(error),
            "error: You are not in this room. (not_in_room): /join ROOM first",
        )
        self.assertIn("try again in 60 s", self.renderer.error(CommandFailed("x", "y", 60)))

    def test_a_list_that_goes_on_says_how(self) -> None:
        lines = self.replied("/users", users=("ann", "bob"), users_total=7)
        self.assertEqual(lines, ["* 7: ann, bob", "* 2 of 7; /users NAME goes on behind NAME"])

    def test_members_who_are_away_are_told_from_those_who_are_here(self) -> None:
        lines = self.replied("/who", users=("ann", "bob"), online=("bob",), users_total=2)
        self.assertEqual(lines, ["* 2: ann (away), bob"])

    def test_history_says_how_to_see_what_was_before(self) -> None:
        lines = self.replied("/history", entries=(Push(**spoken(7)),), more=True)
        self.assertEqual(lines[0], "* older: /history 50 7")
        self.assertEqual(self.replied("/history"), ["* nothing was said yet"])

    def test_a_whisper_to_somebody_who_is_away_says_so(self) -> None:
        self.assertEqual(
            self.replied("/whisper bob hi", delivered="stored"),
            ["* whispered: bob is away, and gets it at the next login"],
        )
