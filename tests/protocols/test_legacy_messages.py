"""What clients of the older protocols are shown of changes, replies and actions, made over JSON."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import events
from gtchat.chat.annotations import Deletion, ReplyTo
from gtchat.chat.events import MessageSent
from gtchat.chat.limits import Limits
from gtchat.chat.users import Session
from gtchat.protocols import livechat, message_center, pa1
from gtchat.protocols.base.legacy import LegacyMessages, plain_message
from gtchat.protocols.base.text import TextEncoder
from tests.fakes import FakeClient, TestServer
from tests.protocols.randomchat.fakes import RandomTestCase

HEART = "\u2764\ufe0f"


def message(**fields: Any) -> MessageSent:
    return events.AnnotatedMessage(
        room_name="lobby", usr="ann", id="i", at=0, seq=7, **{"msg": "hi", **fields}
    )


def edit(of: int, at: int, room: str = "lobby") -> events.Edited:
    return events.Edited(room_name=room, usr="ann", at=at, seq=9, of=of, msg="new")


class PlainTexts(SynchronousTestCase):
    def test_a_message_is_one_text(self) -> None:
        for fields, text in (
            ({}, "hi"),
            ({"edited": 8, "changed": 8, "pinned": True}, "hi"),
            ({"style": "action", "msg": "waves"}, "* ann waves"),
            ({"reply": ReplyTo(3, "bob")}, "bob: hi"),
            ({"reply": ReplyTo(3, "bob"), "msg": "yes, Bob!"}, "yes, Bob!"),
            ({"reply": ReplyTo(3, "bob"), "msg": "bobsleigh"}, "bob: bobsleigh"),
            ({"reply": ReplyTo(3, "a.b"), "msg": "axb"}, "a.b: axb"),
            ({"reply": ReplyTo(3, "bob"), "style": "action", "msg": "nods"}, "bob: * ann nods"),
        ):
            shown = plain_message(message(**fields))
            assert shown is not None
            self.assertEqual((shown.msg, shown.id, shown.seq), (text, "i", 7), fields)
            self.assertIs(type(shown), MessageSent)

    def test_a_deleted_message_is_not_shown(self) -> None:
        self.assertIsNone(plain_message(message(msg="", deleted=Deletion("ann", ""))))

    def test_a_plain_message_stays_the_same(self) -> None:
        plain = MessageSent(room_name="lobby", usr="ann", msg="hi", id="i", at=0)
        self.assertIs(plain_message(plain), plain)

    def test_one_edit_of_a_message_is_shown_in_30_seconds(self) -> None:
        legacy = LegacyMessages(True)
        for of, at, room, shown in (
            *((7, 0, "lobby", True), (7, 29_999, "lobby", False), (8, 29_999, "lobby", True)),
            *((7, 29_999, "den", True), (7, 30_000, "lobby", True), (7, 59_999, "lobby", False)),
            (8, 60_000, "lobby", True),
        ):
            found = legacy.translate(edit(of, at, room))
            texts = found.msg if isinstance(found, MessageSent) else None
            self.assertEqual(texts, "(edited) new" if shown else None, (of, at, room))

    def test_an_edit_of_a_direct_message_is_shown_in_each_session_of_each_receiver(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0), sessions="share")
        legacy = LegacyMessages(True)
        ann, *receivers = (self.server.guest(name) for name in ("ann", "bob", "cid"))
        for client in receivers:
            assert client.api.session is not None
            client.api.session.user.sessions.append(client.api.session)
        shown = []
        with patch.object(Session, "send", lambda _, event: shown.append(legacy.translate(event))):
            for name in ("bob", "cid"):
                ann.call("whisper", target_user=name, msg="a")
                ann.call("edit", target_user=name, seq=1, msg="b")
                ann.call("edit", target_user=name, seq=1, msg="c")
        edits = [one.msg for one in shown if one is not None and not one.id]
        self.assertEqual(edits, ["(edited) b"] * 4)

    def test_a_clock_that_was_set_back_does_not_hide_edits(self) -> None:
        legacy = LegacyMessages(True)
        self.assertIsNotNone(legacy.translate(edit(7, 10**9)))
        self.assertIsNotNone(legacy.translate(edit(7, 0)))

    def test_edits_can_be_hidden(self) -> None:
        self.assertIsNone(LegacyMessages(False).translate(edit(7, 0)))

    def test_each_protocol_of_text_writes_what_is_shown(self) -> None:
        common: dict[str, Any] = {"room_name": "lobby", "usr": "ann", "at": 0, "of": 7}
        sent = [
            message(style="action", msg="waves"),
            edit(7, 0),
            events.Reacted(**common, emoji=HEART, on=True),
            events.Deleted(**common, by="ann", reason=""),
            events.Pinned(**common),
            events.Unpinned(**common),
        ]
        for protocol, texts in (
            (livechat, [" ann > * ann waves", " ann > (edited) new"]),
            (message_center, ["[ann]: * ann waves", "[ann]: (edited) new"]),
            (pa1, ["ann said: * ann waves\n", "ann said: (edited) new\n"]),
        ):
            told: list[tuple[object, str]] = []

            class Connection:
                def on_event(self, event: object, text: str, told: Any = told) -> None:
                    told.append((type(event), text))

            TextEncoder(protocol.render).encode(sent).send([Connection()])  # type: ignore[attr-defined,list-item]
            found = [text.split("]", 1)[1] if protocol is livechat else text for _, text in told]
            self.assertEqual(found, texts, protocol)
            self.assertEqual({kind for kind, _ in told}, {MessageSent})


class RandomChatChanges(RandomTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bob = self.client("Bob", "222")
        self.json: FakeClient = self.server.connect()
        self.json.call("register", usr="ann", pwd="password")
        self.json.login("ann", pwd="password")
        self.json.call("create_room", room_name="den")
        self.json.call("add_member", room_name="den", user="Bob")
        self.bob.received()

    def shown(self) -> list[str]:
        return [one["message"] for one in self.bob.received() if one["type"] == "message"]

    def speak(self, msg: str, **fields: object) -> int:
        return int(self.json.call("speak", room_name="den", msg=msg, **fields)["seq"])

    def test_changes_in_a_room(self) -> None:
        seq = self.speak("one")
        self.speak("two", reply=seq)
        self.speak("waves", style="action")
        for cmd, fields in (
            ("edit", {"msg": "new"}),
            ("edit", {"msg": "newer"}),
            ("react", {"emoji": HEART}),
            ("delete", {}),
        ):
            reply = self.json.call(cmd, room_name="den", seq=seq, **fields)
            self.assertEqual(reply["status"], "ok", reply)
        self.assertEqual(self.shown(), ["one", "ann: two", "* ann waves", "(edited) new"])

    def test_what_was_missed_is_as_it_is_now(self) -> None:
        self.bob.drop()
        seqs = [self.speak(text) for text in ("one", "two", "three")]
        self.json.call("edit", room_name="den", seq=seqs[0], msg="first")
        self.json.call("delete", room_name="den", seq=seqs[1])
        [state] = self.client().request("register", user={"name": "Bob", "phone": "222"})
        [chat] = [one for one in state["chats"] if one["chat"]["name"] == "den"]
        self.assertEqual([one["message"] for one in chat["messages"]], ["first", "three"])
