"""The chat behind the Tk window: what it sends, and the lines that it shows and changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed

from gtchat.client import Deletion, Message, Reaction, ReplyTo
from gtchat.ui import lobby
from gtchat.ui.lobby import LobbyChat, format_message
from gtchat.ui.read_marks import INTERVAL
from tests.client.fakes import AT, ConnectedTestCase, spoken, whisper


class RecordingView:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.status = ""
        self.users: list[str] = []
        self.connected = False

    def add_line(self, line: str, number: int = 0) -> None:
        self.lines[number or -len(self.lines) - 1] = line

    def replace_line(self, number: int, line: str) -> None:
        assert number in self.lines
        self.lines[number] = line

    def set_status(self, text: str, error: bool = False) -> None:
        self.status = text

    def show_users(self, names: Sequence[str]) -> None:
        self.users = list(names)

    def set_connected(self, on: bool) -> None:
        self.connected = on

    @property
    def texts(self) -> list[str]:
        """The lines without their times."""
        return [line.partition("] ")[2] for line in self.lines.values()]


class FakeLogins:
    def device(self) -> str:
        return "this-device"


class LobbyTests(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.patch(lobby, "connect", lambda url, *, reactor: succeed(self.connection))
        self.view = RecordingView()
        logins: Any = FakeLogins()
        self.chat = LobbyChat(self.clock, self.view, lambda url: logins)
        self.server.answers["login"] = {"usr": "ann", "users": ["ann", "bob"]}
        self.server.answers["speak"] = {"seq": 3, "id": "i3", "at": AT}
        opening = Deferred.fromCoroutine(self.chat.open("localhost", "9000", "ann"))
        self.server.pump()
        self.assertTrue(self.successResultOf(opening))

    def push(self, **fields: Any) -> None:
        self.server.push(**fields)
        self.server.pump()

    def change(self, kind: str, of: int, seq: int, usr: str = "bob", **fields: Any) -> None:
        place = {} if "target_user" in fields else {"room_name": "lobby"}
        event = {"cmd": "c_event", "type": kind, "usr": usr, "of": of, "seq": seq, "at": AT}
        self.push(**{**event, **place, **fields})

    def speak(self, text: str) -> None:
        speaking = Deferred.fromCoroutine(self.chat.speak(text))
        self.server.pump()
        self.successResultOf(speaking)

    def test_the_login_names_a_device_and_marks_what_was_read_itself(self) -> None:
        [login] = self.server.asked("login")
        self.assertEqual((login["device"], login["marks_read"]), ("this-device", True))
        self.assertTrue(login["device_name"])
        self.assertEqual((self.view.connected, self.view.users), (True, ["ann", "bob"]))

    def test_what_is_shown_is_marked_as_read(self) -> None:
        self.push(**spoken(2))
        self.push(**{**whisper(1), "seq": 5})
        self.push(**spoken(9, room="den"))
        self.clock.advance(INTERVAL)
        self.server.pump()
        self.clock.advance(INTERVAL)
        self.server.pump()
        marked = [
            (one.get("room_name"), one.get("target_user"), one["seq"])
            for one in self.server.asked("mark_read")
        ]
        self.assertEqual(marked, [("lobby", None, 2), (None, "bob", 5)])

    def test_marks_that_wait_are_sent_before_the_end(self) -> None:
        self.push(**spoken(2))
        closing = Deferred.fromCoroutine(self.chat.close())
        self.server.pump()
        self.successResultOf(closing)
        self.assertEqual([one["seq"] for one in self.server.asked("mark_read")], [2])
        self.assertEqual(self.view.status, "Disconnected.")

    def test_a_message_changes_in_its_place(self) -> None:
        self.push(**spoken(2, msg="helo"))
        self.push(**spoken(3, "cid", msg="later"))
        for kind, fields, line in (
            ("edited", {"msg": "hello"}, "bob > hello (edited)"),
            ("reacted", {"emoji": "+", "on": True, "usr": "cid"}, "bob > hello (edited) [+ cid]"),
            ("reacted", {"emoji": "+", "on": False, "usr": "cid"}, "bob > hello (edited)"),
            ("deleted", {"by": "bob", "reason": ""}, "bob > (deleted)"),
        ):
            seq = self.connection.events().seen.get("lobby", 3) + 1  # type: ignore[attr-defined]
            self.change(kind, 2, seq, **{"usr": "bob", **fields})
            self.assertEqual(self.view.texts, [line, "cid > later"])

    def test_the_own_message_changes_too(self) -> None:
        self.speak("mine")
        self.change("reacted", 3, 4, emoji="+", on=True)
        self.change("deleted", 3, 5, usr="ann", by="cid", reason="spam")
        self.assertEqual(self.view.texts, ["ann > (deleted by cid: spam)"])

    def test_a_direct_message_changes_in_its_own_conversation(self) -> None:
        self.push(**spoken(2, msg="in the lobby"))
        self.push(**{**whisper(1), "seq": 2})
        self.change("edited", 2, 3, target_user="bob", msg="new")
        expected = ["bob > in the lobby", "bob (direct message) > new (edited)"]
        self.assertEqual(self.view.texts, expected)

    def test_what_another_session_of_the_user_sends_is_shown(self) -> None:
        self.push(**{**whisper(1, "ann"), "seq": 1, "to": "bob"})
        self.assertEqual(self.view.texts, ["ann (direct message to bob) > psst 1"])

    def test_changes_of_messages_that_are_not_there_do_not_matter(self) -> None:
        self.change("edited", 1, 4, msg="new")
        self.change("edited", 1, 5, msg="new", room_name="den")
        self.assertEqual(self.view.texts, [])

    def test_only_the_last_messages_are_kept_for_changes(self) -> None:
        self.patch(lobby, "MAX_MESSAGES", 2)
        for seq in (1, 2, 3):
            self.push(**spoken(seq))
        self.change("edited", 1, 4, msg="new")
        self.change("edited", 2, 5, msg="new")
        expected = ["bob > text 1", "bob > new (edited)", "bob > text 3"]
        self.assertEqual(self.view.texts, expected)

    def test_what_moderators_do_is_shown(self) -> None:
        self.change("muted", of=1, seq=4, by="Host", reason="noise")
        self.assertEqual(self.view.texts[-1], "[*] Host muted bob in #lobby: noise")
        self.assertIn("Connected", self.view.status)
        self.change("muted", of=1, seq=5, usr="ann", by="Host", reason="noise")
        self.assertEqual(self.view.status, "Host muted ann in #lobby: noise")
        self.server.answers["speak"] = {"code": "muted", "msg": "You are muted in this room."}
        self.speak("hello")
        self.assertIn("ann > hello (not sent: You are muted in this room.", self.view.texts[-1])
        self.assertIn("Not sent: You are muted in this room.", self.view.status)
        self.change("unmuted", of=1, seq=6, usr="ann", by="Host")
        self.assertEqual(self.view.status, "Host unmuted ann in #lobby")

    def test_a_user_who_is_put_out_is_told_why(self) -> None:
        text = "You are banned from this server: spam"
        self.server.close(4002, f"banned: {text}")
        self.server.pump()
        self.assertEqual((self.view.status, self.view.connected), (text, False))

    def test_what_there_is_to_say_of_a_message_is_text(self) -> None:
        reactions = (
            Reaction(emoji="+", count=2, users=("cid", "dan")),
            Reaction(emoji="-", count=9, users=("cid",)),
        )
        for fields, line in (
            ({"style": "action"}, "* bob hi"),
            ({"reply": ReplyTo(seq=1, user="cid")}, "bob > (to cid) hi"),
            ({"edited": True, "pinned": True}, "bob > hi (edited) (pinned)"),
            ({"reactions": reactions}, "bob > hi [+ cid, dan  - 9]"),
            ({"deleted": Deletion(by="cid", reason="a\nb")}, "bob > (deleted by cid: a b)"),
            ({"text": "\x1b[2J", "user": "\x07"}, "\\x07 > \\x1b[2J"),
        ):
            said: dict[str, Any] = {"user": "bob", "text": "hi", **fields}
            message = Message(room="lobby", seq=1, **said)
            self.assertEqual(format_message(message).partition("] ")[2], line)
