"""Commands about messages in line mode: which message they are about, and what is shown."""

from __future__ import annotations

from typing import Any

from gtchat.client import Deletion, Message, Reaction, ReplyTo, Whisper
from gtchat.ui.invitations import PendingInvitations
from tests.client.fakes import AT, WHEN, event, spoken
from tests.ui.test_line_mode import LineModeTestCase

THUMB = "\U0001f44d"


class MessageCommandTests(LineModeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start(["/guest ann"])
        self.server.answers["history"] = {
            "entries": [
                spoken(1, "ann"),
                spoken(2, "bob"),
                {**spoken(3, "ann", msg=""), "deleted": {"by": "ann", "reason": ""}},
                {**spoken(4, "cid"), "blocked": True},
            ]
        }
        for cmd in ("edit", "delete", "react", "pin", "unpin", "speak"):
            self.server.answers[cmd] = {"seq": 9, "at": AT, "id": "i9"}

    def asked(self, cmd: str) -> dict[str, Any]:
        """Return the fields of the last request of a command."""
        request = dict(self.server.asked(cmd)[-1])
        for name in ("cmd", "tracker", "txn"):
            request.pop(name, None)
        return request

    def test_without_a_number_the_newest_message_is_meant(self) -> None:
        place = {"room_name": "lobby"}
        for line, cmd, fields in (
            ("/edit new text", "edit", {"seq": 1, "msg": "new text"}),
            ("/delete", "delete", {"seq": 1}),
            ("/react :thumbsup:", "react", {"seq": 2, "emoji": THUMB}),
            (f"/react {THUMB}", "react", {"seq": 2, "emoji": THUMB}),
            (f"/unreact {THUMB}", "react", {"seq": 2, "emoji": THUMB, "on": False}),
            ("/reply yes", "speak", {"reply": 2, "msg": "yes"}),
            ("/pin", "pin", {"seq": 2}),
            ("/unpin", "unpin", {"seq": 2}),
            ("/versions", "versions", {"seq": 1}),
        ):
            self.type(line)
            self.assertEqual(self.asked(cmd), {**place, **fields}, line)
        self.assertEqual(self.error_lines(), [])

    def test_with_a_number_nothing_is_looked_up(self) -> None:
        for line, cmd, fields in (
            ("/edit #7 5 apples", "edit", {"seq": 7, "msg": "5 apples"}),
            ("/delete #7 was spam", "delete", {"seq": 7, "reason": "was spam"}),
            ("/reply #7 yes", "speak", {"reply": 7, "msg": "yes"}),
        ):
            self.type(line)
            self.assertEqual(self.asked(cmd), {"room_name": "lobby", **fields}, line)
        self.assertEqual(self.server.asked("history"), [])

    def test_without_such_a_message_nothing_is_sent(self) -> None:
        self.server.answers["history"] = {"entries": [spoken(4, "bob")]}
        self.type("/delete")
        self.server.answers["history"] = {"entries": [spoken(4, "ann")]}
        self.type("/reply yes")
        self.assertIn("no new message of yours here", self.error_lines()[0])
        self.assertIn("no new message of another user here", self.error_lines()[1])
        self.assertEqual(self.server.asked("delete") + self.server.asked("speak"), [])

    def test_a_room_is_not_deleted_by_the_command_for_messages(self) -> None:
        self.type("/delete garden")
        self.assertIn("to delete a room: /delete-room", self.error_lines()[0])
        self.assertEqual(self.server.asked("delete"), [])

    def test_a_change_is_shown_once_by_its_event(self) -> None:
        shown = len(self.shown())
        self.type("/edit new")
        self.assertEqual(self.shown()[shown:], [])
        self.server.answers["edit"] = {}
        self.type("/edit new")
        self.assertEqual(self.shown()[shown:], ["* nothing has changed"])

    def test_versions_are_listed(self) -> None:
        self.server.answers["versions"] = {"versions": [{"seq": 1, "at": AT, "msg": "a\nb"}]}
        self.type("/versions #1")
        self.assertEqual(self.shown()[-1], "2030-05-06 07:08 a b")

    def test_numbers_of_messages_are_shown_on_demand(self) -> None:
        self.type("/numbers")
        self.assertEqual(self.shown()[-1], "* the numbers of messages are shown")
        self.server.say(12, "bob")
        self.server.pump()
        self.assertEqual(self.shown()[-1], "07:08 12 #lobby <bob> text 12")
        self.type("/numbers")
        self.server.say(13, "bob")
        self.server.pump()
        self.assertEqual(self.shown()[-1], "07:08 #lobby <bob> text 13")

    def test_what_there_is_to_say_of_a_message_is_shown(self) -> None:
        reactions = (Reaction(emoji=THUMB, count=1, users=("cid",)),)
        for fields, line in (
            ({"style": "action", "text": "waves"}, "#lobby * bob waves"),
            ({"edited": True, "reactions": reactions}, f"#lobby <bob> hi (edited) [{THUMB} cid]"),
            ({"reply": ReplyTo(seq=1, user="cid")}, "#lobby <bob> (to cid) hi"),
            ({"text": "a\nb", "edited": True}, "#lobby <bob> a|      | b (edited)"),
            (
                {"deleted": Deletion(by="cid", reason="spam")},
                "* a message of bob in #lobby was deleted by cid: spam",
            ),
        ):
            said: dict[str, Any] = {"user": "bob", "text": "hi", **fields}
            message = Message(room="lobby", at=WHEN, **said)
            lines = self.client._renderer.event_lines(message)
            self.assertEqual("|".join(lines), f"07:08 {line}")
        whisper = Whisper(user="bob", text="waves", style="action", at=WHEN)
        self.assertEqual(
            self.client._renderer.event_lines(whisper), ["07:08 * bob direct message: waves"]
        )


class InvitationTests(LineModeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start(["/guest ann"])

    def invite(self, room: str, usr: str) -> None:
        self.server.push(cmd="c_invited", room_name=room, usr=usr, msg="", at=AT)
        self.server.pump()

    def event(self, kind: str, **fields: Any) -> None:
        self.server.push(cmd="c_event", type=kind, at=AT, **fields)
        self.server.pump()

    def test_the_newest_that_is_not_answered_is_meant(self) -> None:
        for room in ("den", "tower", "attic", "cellar"):
            self.invite(room, "bob")
        self.event("invitation_ended", room_name="cellar", usr="bob")
        self.assertIn("the invitation of bob to #cellar was answered", self.shown()[-1])
        self.event("join_room", room_name="attic", usr="ann", seq=4)
        for room in ("tower", "den"):
            self.type("/decline")
            self.assertEqual(self.server.asked("invite_reply")[-1]["room_name"], room)
        self.type("/decline")
        self.assertIn("there is no invitation", self.error_lines()[-1])

    def test_one_that_is_postponed_can_be_answered_still(self) -> None:
        self.invite("den", "bob")
        self.type("/later", "/decline")
        self.assertEqual([one["reply"] for one in self.server.asked("invite_reply")], ["L", "N"])

    def test_another_user_has_none_of_them(self) -> None:
        self.invite("den", "bob")
        self.type("/logout", "/guest eve", "/decline")
        self.assertEqual(self.server.asked("invite_reply"), [])

    def test_a_room_that_is_gone_invites_no_more(self) -> None:
        pending = PendingInvitations()
        for room in ("den", "tower"):
            pending.follow(event(cmd="c_invited", room_name=room, usr="bob"), "ann")
        pending.follow(event(cmd="c_event", type="join_room", room_name="tower", usr="cid"), "ann")
        self.assertEqual(pending.newest, ("tower", "bob"))
        pending.follow(event(cmd="c_event", type="room_gone", room_name="tower"), "ann")
        self.assertEqual(pending.newest, ("den", "bob"))
        pending.clear()
        self.assertEqual(pending.newest, ("", ""))
