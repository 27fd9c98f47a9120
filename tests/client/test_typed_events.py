"""Pushes that have a class of their own, and what changes of messages do to them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    Deleted,
    Deletion,
    Direct,
    Edited,
    Invitation,
    InvitationAnswer,
    Pinned,
    Push,
    Reacted,
    Reaction,
    ReadUpTo,
    Unpinned,
)
from gtchat.client.messages import parse
from gtchat.client.typed_events import MAX_REACTION_USERS, apply_change, typed
from tests.chat.test_page_merge import Talk, actions
from tests.client.fakes import AT, ConnectedTestCase, resumed, spoken, welcome

EXAMPLES = 60


def change(kind: str, seq: int, of: int = 3, **fields: Any) -> dict[str, Any]:
    event = {"cmd": "c_event", "type": kind, "usr": "bob", "seq": seq, "of": of, "at": AT}
    return {"room_name": "lobby", **event, **fields}


class Events(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open()
        self.log_in(lobby=3)

    def event(self, **push: Any) -> Any:
        self.server.push(**push)
        self.server.pump()
        return self.received[-1]

    def test_each_kind_has_its_class(self) -> None:
        for kind, expected, fields in (
            ("edited", Edited, {"msg": "new"}),
            ("deleted", Deleted, {"by": "cid", "reason": "why"}),
            ("reacted", Reacted, {"emoji": "+", "on": False}),
            ("pinned", Pinned, {}),
            ("unpinned", Unpinned, {}),
        ):
            seq = self.connection.events().seen["lobby"] + 1  # type: ignore[attr-defined]
            event = self.event(**change(kind, seq, **fields))
            self.assertIs(type(event), expected)
            self.assertEqual((event.room, event.user, event.of), ("lobby", "bob", 3))
            self.assertEqual({name: getattr(event, name) for name in fields}, fields)

    def test_they_are_matched_by_class(self) -> None:
        match self.event(**change("edited", 4, msg="new")):
            case Edited(room=room, user=user, of=of, text=text):
                self.assertEqual((room, user, of, text), ("lobby", "bob", 3, "new"))
            case other:
                self.fail(repr(other))

    def test_a_direct_conversation_is_what_methods_take(self) -> None:
        fields = change("reacted", 4, emoji="+", on=True)
        del fields["room_name"]
        event = self.event(**fields, target_user="bob")
        self.assertEqual(event.room, Direct(usr="bob"))

    def test_invitations_and_read_marks(self) -> None:
        invited = self.event(cmd="c_invited", room_name="den", usr="bob", msg="Come!", at=AT)
        self.assertIs(type(invited), Invitation)
        self.assertEqual((invited.room, invited.user), ("den", "bob"))
        answer = self.event(cmd="c_invite_reply", room_name="den", usr="bob", msg="N", at=AT)
        self.assertIs(type(answer), InvitationAnswer)
        self.assertEqual((answer.room, answer.user, answer.answer), ("den", "bob", "N"))
        read = self.event(cmd="c_event", type="marked_read", room_name="lobby", read_seq=2, at=AT)
        self.assertIs(type(read), ReadUpTo)
        self.assertEqual((read.room, read.read_seq), ("lobby", 2))

    def test_invitations_that_wait_come_after_the_login(self) -> None:
        waiting = {"invitations": [{"room_name": "den", "usr": "bob", "at": AT}]}
        self.server.answers["login"] = {**welcome(), **waiting}
        self.result("login", type="tmp", usr="ann", marks_read=True)
        event = self.received[-1]
        self.assertIs(type(event), Invitation)

    def test_what_was_missed_has_its_class_too(self) -> None:
        self.server.answers["resume"] = resumed(change("edited", 4, msg="new"))
        self.server.drop()
        self.reconnect()
        self.assertIs(type(self.received[-1]), Edited)

    def test_other_pushes_stay_what_they_are(self) -> None:
        for push in (Push(**spoken(1)), Push(cmd="c_event", type="join_room"), Edited(cmd="x")):
            self.assertIs(typed(push), push)


class Changes(SynchronousTestCase):
    message = Push(**spoken(3, "ann"))

    def test_a_change_that_is_in_the_message_already_changes_nothing(self) -> None:
        message = msgspec.structs.replace(self.message, changed=9)
        for seq, of in ((9, 3), (8, 3), (10, 4)):
            edit = Push(**change("edited", seq, of, msg="new"))
            self.assertIs(apply_change(message, edit, "ann"), message)

    def test_what_a_blocked_user_did_is_not_seen(self) -> None:
        edit = Push(**change("edited", 4, msg="new", blocked=True))
        shown = apply_change(self.message, edit, "ann")
        self.assertEqual((shown.msg, shown.changed), (self.message.msg, 4))

    def test_a_deletion_leaves_author_time_and_who_deleted_it(self) -> None:
        message = apply_change(self.message, Push(**change("edited", 4, msg="new")), "ann")
        deleted = Push(**change("deleted", 5, by="cid", reason="why"))
        shown = apply_change(message, deleted, "ann")
        expected = {**spoken(3, "ann"), "msg": "", "changed": 5}
        self.assertEqual(shown, Push(**expected, deleted=Deletion(by="cid", reason="why")))

    def test_of_many_users_who_react_only_the_first_are_named(self) -> None:
        shown, count = self.message, MAX_REACTION_USERS + 2
        for number in range(count):
            react = change("reacted", 4 + number, emoji="+", on=True)
            shown = apply_change(shown, Push(**{**react, "usr": f"u{number}"}), "u0")
        [reaction] = shown.reactions
        self.assertEqual((reaction.count, len(reaction.users)), (count, MAX_REACTION_USERS))
        self.assertTrue(reaction.me)
        back = Push(**{**change("reacted", 99, emoji="+", on=False), "usr": "u0"})
        [reaction] = apply_change(shown, back, "u0").reactions
        self.assertEqual((reaction.count, reaction.me, reaction.users[0]), (count - 1, False, "u1"))

    def test_the_last_one_who_takes_a_reaction_back_removes_it(self) -> None:
        shown = self.message
        for seq, on in ((4, True), (5, False)):
            shown = apply_change(shown, Push(**change("reacted", seq, emoji="+", on=on)), "bob")
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
                    if push.of in found:
                        found[push.of] = apply_change(found[push.of], push, "ann")
                    elif push.cmd == "c_speak":
                        found[push.seq] = push
                self.assertEqual(found, final, seq)

        check()


def decoded(entry: dict[str, Any]) -> Push:
    """Return an entry as the library has it."""
    push = parse(msgspec.json.encode(entry))
    assert isinstance(push, Push)
    return push


def messages(page: list[dict[str, Any]]) -> dict[int, Push]:
    """Return the messages of a page by their seq."""
    return {entry["seq"]: decoded(entry) for entry in page if entry["cmd"] == "c_speak"}
