"""Events: which class each push has, what it has, and what changes do to messages."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import gtchat.client
from gtchat.client import (
    Broadcast,
    Change,
    Deleted,
    Deletion,
    Direct,
    Edited,
    Event,
    Invitation,
    InvitationAnswer,
    Message,
    Other,
    Pinned,
    Presence,
    Reacted,
    Reaction,
    ReadUpTo,
    ReportAnswered,
    Reported,
    RoomEvent,
    Typing,
    Unpinned,
    Whisper,
    apply_change,
)
from gtchat.client.changes import MAX_REACTION_USERS
from gtchat.client.event_decoder import CLASSES, ENTRY_KINDS, EventDecoder
from gtchat.protocols.gtchat_json.event_pushes import EVENT_TYPES
from gtchat.protocols.gtchat_json.messages import _kinds
from tests import example_count
from tests.chat.test_page_merge import Talk, actions
from tests.client.fakes import AT, WHEN, ConnectedTestCase, event, resumed, spoken, welcome

EXAMPLES = example_count(60)
LOBBY: dict[str, Any] = {"room_name": "lobby"}


def change(kind: str, seq: int, of: int = 3, **fields: Any) -> dict[str, Any]:
    pushed = {"cmd": "c_event", "type": kind, "usr": "bob", "seq": seq, "of": of, "at": AT}
    return {**LOBBY, **pushed, **fields}


class Classes(SynchronousTestCase):
    def test_each_kind_has_its_class_and_its_values(self) -> None:
        when: dict[str, Any] = {"at": WHEN}
        there: dict[str, Any] = {"room": "lobby", "user": "bob", **when}
        changed: dict[str, Any] = {**there, "seq": 7, "of": 3}
        direct = {"target_user": "bob", "room_name": None}
        for raw, expected in (
            (spoken(3), Message(id="lobby-3", seq=3, text="text 3", **there)),
            ({"cmd": "c_whisper", "usr": "bob", "msg": "hi"},
             Whisper(user="bob", text="hi", room=Direct(user="bob"), **when)),
            ({"cmd": "c_whisper", "usr": "ann", "to": "bob", "msg": "hi", "direct": 5},
             Whisper(user="ann", to="bob", text="hi", room=Direct(user="bob", id=5), **when)),
            ({"cmd": "c_whisper", "usr": "bob", "to": "ann", "msg": "hi"},
             Whisper(user="bob", to="ann", text="hi", **when)),
            ({"cmd": "c_broadcast", "usr": "op", "msg": "hi"},
             Broadcast(user="op", text="hi", **when)),
            ({"cmd": "c_invited", "usr": "bob", "room_name": "lobby", "msg": "Come!"},
             Invitation(**there)),
            ({"cmd": "c_invite_reply", "usr": "bob", "room_name": "lobby", "msg": "N"},
             InvitationAnswer(answer="N", **there)),
            (change("edited", 7, msg="new"), Edited(text="new", **changed)),
            (change("deleted", 7, by="cid", reason="why"),
             Deleted(by="cid", reason="why", **changed)),
            (change("reacted", 7, emoji="+", on=False),
             Reacted(emoji="+", on=False, **changed)),
            (change("pinned", 7), Pinned(**changed)),
            (change("unpinned", 7, **direct),
             Unpinned(**{**changed, "room": Direct(user="bob")})),
            (change("join_room", 7), RoomEvent(kind="join_room", seq=7, **there)),
            (change("kicked", 7, by="cid"), RoomEvent(kind="kicked", seq=7, by="cid", **there)),
            (change("room_changed", 7, public=False, topic="", max=0, owner="bob"),
             RoomEvent(kind="room_changed", seq=7, public=False, topic="", max=0, owner="bob",
                       **there)),
            ({"cmd": "c_event", "type": "login", "usr": "bob"}, Presence(came=("bob",), **when)),
            ({"cmd": "c_event", "type": "logout", "usr": "bob"}, Presence(went=("bob",), **when)),
            ({"cmd": "c_event", "type": "presence", "logins": ["a"], "logouts": ["b"]},
             Presence(came=("a",), went=("b",), **when)),
            ({"cmd": "c_event", "type": "typing", "usr": "bob", **LOBBY}, Typing(**there)),
            ({"cmd": "c_event", "type": "marked_read", "read_seq": 2, **LOBBY},
             ReadUpTo(room="lobby", read_seq=2)),
            ({"cmd": "c_event", "type": "marked_read", "seq": 2, **LOBBY},
             ReadUpTo(room="lobby", read_seq=2)),
            ({"cmd": "c_event", "type": "reported", "report_id": 4, "usr": "bob", "of": 3,
              "by": "cid", "reason": "spam", **LOBBY},
             Reported(report_id=4, of=3, by="cid", reason="spam", **there)),
            ({"cmd": "c_event", "type": "report_answered", "report_id": 4, "usr": "bob", "of": 3,
              "outcome": "accepted"},
             ReportAnswered(report_id=4, of=3, outcome="accepted", **{**there, "room": None})),
            ({"cmd": "c_event", "type": "notify", "level": "none", "usr": "bob", **LOBBY},
             Other(kind="notify", **there)),
            ({"cmd": "c_event", "type": "new", "usr": 5}, Other(kind="new")),
        ):  # fmt: skip
            decoder = EventDecoder()
            decoder.user = "ann"
            raw = {"at": AT, **raw}
            found = decoder.event(raw)
            self.assertEqual(found, expected)
            self.assertIs(found.raw, raw)

    def test_events_are_matched_by_class(self) -> None:
        match event(**change("edited", 4, msg="new")):
            case Edited(room=room, user=user, of=of, text=text):
                self.assertEqual((room, user, of, text), ("lobby", "bob", 3, "new"))
            case other:
                self.fail(repr(other))

    def test_events_are_equal_by_their_values(self) -> None:
        one, same = Message(room="r", user="a", text="t"), event(cmd="c_speak", room_name="r")
        self.assertNotEqual(one, same)
        same = Message(room="r", user="a", text="t", raw={"cmd": "c_speak"})
        self.assertEqual((one, hash(one)), (same, hash(same)))
        self.assertNotEqual(one, Whisper(user="a", text="t"))
        self.assertEqual(repr(one), "Message(room='r', user='a', text='t')")

    def test_a_position_is_epoch_and_seq(self) -> None:
        decoder = EventDecoder()
        decoder.epoch = "e:1"
        entry = decoder.event(spoken(7))
        self.assertEqual(getattr(entry, "cursor", None), "e:1:7")
        self.assertIsNone(event(**spoken(7)).cursor)

    def test_wrong_types_are_refused(self) -> None:
        for raw in ({**spoken(1), "seq": "1"}, {"cmd": "c_speak"}, change("edited", 7, of="x")):
            with self.assertRaises(msgspec.ValidationError):
                EventDecoder().event(raw)

    def test_all_kinds_of_the_server_are_known(self) -> None:
        others = {"replaced", "address_request", "address_granted", "address_denied", "lagged"}
        kinds = {kind for kind in CLASSES if not kind.startswith("c_")}
        expected = {*EVENT_TYPES.values()} - others - {"notify", "invitation_ended"}
        self.assertEqual(kinds, expected)
        self.assertEqual(len(_kinds(ENTRY_KINDS)), len(ENTRY_KINDS))

    def test_every_class_of_an_event_is_public(self) -> None:
        classes = {*CLASSES.values(), Other, Change, Event}
        self.assertEqual({cls.__name__ for cls in classes} - {*gtchat.client.__all__}, set())


class Delivery(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)

    def test_invitations_that_wait_come_after_the_login(self) -> None:
        waiting = {"invitations": [{"room_name": "den", "usr": "bob", "at": AT}]}
        self.server.answers["login"] = {**welcome(), **waiting}
        self.result("login", type="tmp", usr="ann", marks_read=True)
        self.assertEqual(self.received[-1], Invitation(room="den", user="bob", at=WHEN))

    def test_what_was_missed_has_its_class_and_its_position(self) -> None:
        self.server.answers["resume"] = resumed(change("edited", 4, msg="new"))
        self.server.drop()
        self.reconnect()
        [*_, found] = self.received
        assert isinstance(found, Edited)
        self.assertEqual(found.cursor, "e1:4")


class Changes(SynchronousTestCase):
    message = event(**spoken(3, "ann"))

    def test_a_change_that_is_in_the_message_already_changes_nothing(self) -> None:
        message = msgspec.structs.replace(self.message, changed=9)
        for seq, of in ((9, 3), (8, 3), (10, 4)):
            edit = event(**change("edited", seq, of, msg="new"))
            self.assertIs(apply_change(message, edit, "ann"), message)

    def test_what_a_blocked_user_did_is_not_seen(self) -> None:
        edit = event(**change("edited", 4, msg="new", blocked=True))
        shown = apply_change(self.message, edit, "ann")
        self.assertEqual((shown.text, shown.changed), (self.message.text, 4))

    def test_a_deletion_leaves_author_time_and_who_deleted_it(self) -> None:
        message = apply_change(self.message, event(**change("edited", 4, msg="new")), "ann")
        deleted = event(**change("deleted", 5, by="cid", reason="why"))
        shown = apply_change(message, deleted, "ann")
        expected = event(**{**spoken(3, "ann"), "msg": "", "changed": 5})
        deletion = Deletion(by="cid", reason="why")
        self.assertEqual(shown, msgspec.structs.replace(expected, deleted=deletion))

    def test_of_many_users_who_react_only_the_first_are_named(self) -> None:
        shown, count = self.message, MAX_REACTION_USERS + 2
        for number in range(count):
            react = change("reacted", 4 + number, emoji="+", on=True, usr=f"u{number}")
            shown = apply_change(shown, event(**react), "u0")
        [reaction] = shown.reactions
        self.assertEqual((reaction.count, len(reaction.users)), (count, MAX_REACTION_USERS))
        self.assertTrue(reaction.me)
        back = event(**change("reacted", 99, emoji="+", on=False, usr="u0"))
        [reaction] = apply_change(shown, back, "u0").reactions
        self.assertEqual((reaction.count, reaction.me, reaction.users[0]), (count - 1, False, "u1"))

    def test_the_last_one_who_takes_a_reaction_back_removes_it(self) -> None:
        shown = self.message
        for seq, on in ((4, True), (5, False)):
            shown = apply_change(shown, event(**change("reacted", seq, emoji="+", on=on)), "bob")
        self.assertEqual((shown.reactions, shown.changed), ((), 5))
        self.assertEqual(Reaction(emoji="+").count, 0)

    def test_a_page_and_the_pushes_after_it_are_a_later_page(self) -> None:
        """As tests/chat/test_page_merge, with the client library in the place of its model."""

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
        @given(st.lists(actions, max_size=25))
        def check(taken: list[tuple[Any, ...]]) -> None:
            talk = Talk(taken)
            final = messages(talk.pages[talk.last])
            for seq, page in talk.pages.items():
                found = messages(page)
                for push in map(decoded, talk.after(seq)):
                    if isinstance(push, Change):
                        if push.of in found:
                            found[push.of] = apply_change(found[push.of], push, "ann")
                    elif isinstance(push, Message):
                        found[push.seq or 0] = push
                self.assertEqual(found, final, seq)

        check()


def decoded(entry: dict[str, Any]) -> Event:
    """Return an entry as the library has it."""
    return EventDecoder().event(msgspec.json.decode(msgspec.json.encode(entry)))


def messages(page: list[dict[str, Any]]) -> dict[int, Message]:
    """Return the messages of a page by their seq."""
    found = (decoded(entry) for entry in page)
    return {message.seq or 0: message for message in found if isinstance(message, Message)}
