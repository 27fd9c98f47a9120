"""Invitations between users at two nodes of one chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from tests.chat.test_direct_elsewhere import ElsewhereCase
from tests.fakes import FakeClient

KINDS = ("c_invited", "c_invite_reply", "invitation_ended")


class HeldCalls:
    """A method of a store whose calls are held back until `begin`."""

    def __init__(self, method: Callable[..., Deferred[Any]]) -> None:
        self._method = method
        self._held: list[tuple[Deferred[Any], tuple[Any, ...]]] = []

    def __call__(self, *details: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self._held.append((result, details))
        return result

    def begin(self) -> None:
        """Make the calls."""
        for result, details in self._held:
            self._method(*details).chainDeferred(result)


class Invitations(ElsewhereCase):
    """Ann owns the private room `den`."""

    def setUp(self) -> None:
        super().setUp()
        self.ann[0].call("create_room", room_name="den", public=False)
        self.forget()

    def invite(self, client: FakeClient, invitee: str = "bob") -> str | None:
        """Invite a user; return the code of the reply."""
        code: str | None = client.call("invite", room_name="den", invitee=invitee).get("code")
        return code

    def answer(self, client: FakeClient, reply: str) -> str | None:
        """Answer Ann's invitation; return the code of the reply."""
        fields = {"inviter": "ann", "room_name": "den", "reply": reply}
        code: str | None = client.call("invite_reply", **fields).get("code")
        return code

    def kinds(self) -> list[list[str]]:
        """Take what each client was sent; return the kinds of what concerns invitations."""
        return [[push.get("type", push["cmd"]) for push in one] for one in self.pushes(*KINDS)]

    def test_the_invited_user_is_told_at_each_node(self) -> None:
        self.assertIsNone(self.invite(self.ann[0]))
        self.assertIsNone(self.invite(self.ann[1]))  # it is pending
        first_ann, first, second_ann, second = self.pushes(*KINDS)
        self.assertEqual((first_ann, second_ann), ([], []))
        self.assertEqual(first, second)
        self.assertEqual([push["msg"] for push in first], ["ann invites you to den."])

    def test_the_inviter_is_told_the_answer_at_each_node(self) -> None:
        for reply, ended in (("N", ["invitation_ended"]), ("L", []), ("Y", [])):
            self.invite(self.ann[0])
            self.forget()
            self.assertIsNone(self.answer(self.bob[1], reply))
            answered = ["c_invite_reply"]
            self.assertEqual(self.kinds(), [answered, ended, answered, []], reply)

    def test_an_inviter_who_blocks_the_user_is_not_told(self) -> None:
        self.invite(self.ann[0])
        self.ann[0].call("block", user="bob")
        self.forget()
        self.answer(self.bob[1], "N")
        self.assertEqual(self.kinds(), [[], ["invitation_ended"], [], []])

    def test_an_invitation_ends_at_each_node_with_the_membership_of_its_sender(self) -> None:
        self.ann[0].call("add_member", room_name="den", user="eve")
        eve = self.login("eve", 1)
        eve.call("invite", room_name="den", invitee="bob")
        self.forget()
        eve.call("leave_room", room_name="den")
        ended = ["invitation_ended"]
        self.assertEqual(self.kinds(), [[], ended, [], ended])

    def test_an_invitation_that_a_node_has_pushed_is_not_delivered_again(self) -> None:
        self.bob[0].call("logout")
        self.invite(self.ann[0])
        self.assertEqual(len(self.bob[1].pushes("c_invited")), 1)
        self.bob[1].call("logout")
        bob = self.login("bob", 0, marks_read=False)
        self.assertEqual(bob.pushes("c_invited"), [])

    def test_an_invitation_that_comes_while_others_are_delivered_comes_once(self) -> None:
        self.ann[0].call("create_room", room_name="other")
        for wakes in (True, False):
            for bob in self.bob:
                bob.call("logout")
            self.ann[0].call("invite", room_name="other", invitee="bob")
            held = HeldCalls(self.servers[1].store.invitations)
            with patch.object(self.servers[1].store, "invitations", held):
                bob = self.login("bob", 1, marks_read=False)
            self.tables.wakes = wakes
            self.assertIsNone(self.invite(self.ann[0]))
            self.assertEqual(len(bob.pushes("c_invited")), wakes)
            held.begin()
            self.look()
            found = [push["room_name"] for push in bob.pushes("c_invited")]
            self.assertEqual(found, ["other"] if wakes else ["den", "other"])
            self.tables.wakes = True
            for room in ("den", "other"):
                bob.call("invite_reply", inviter="ann", room_name=room, reply="N")
            bob.call("logout")
            self.bob = [self.login("bob", node) for node in (0, 1)]

    def test_rules_of_other_nodes_are_checked_where_an_invitation_is_stored(self) -> None:
        self.ann[0].call("add_member", room_name="den", user="eve")
        eve = self.login("eve", 1)
        self.lose_bus()
        self.ann[0].call("add_member", room_name="den", user="bob")
        self.assertEqual(
            eve.call("invite", room_name="den", invitee="bob")["code"], "already_in_room"
        )
        self.ann[0].call("kick", room_name="den", user="eve")
        self.look()
        self.ann[0].call("kick", room_name="den", user="bob")
        self.ann[0].call("add_member", room_name="den", user="eve")
        self.look()
        self.ann[0].call("kick", room_name="den", user="eve")
        self.assertEqual(eve.call("invite", room_name="den", invitee="bob")["code"], "not_in_room")

    def test_an_answer_to_an_invitation_that_ended_elsewhere_lets_no_user_in(self) -> None:
        self.ann[0].call("add_member", room_name="den", user="eve")
        eve = self.login("eve", 1)
        eve.call("invite", room_name="den", invitee="bob")
        self.lose_bus()
        self.ann[0].call("kick", room_name="den", user="eve")
        fields = {"inviter": "eve", "room_name": "den", "reply": "Y"}
        self.assertEqual(self.bob[1].call("invite_reply", **fields)["code"], "not_allowed")

    def test_an_answer_is_checked_again_after_a_change_of_the_room(self) -> None:
        self.invite(self.ann[0])
        self.lose_bus()
        self.ann[0].call("set_room", room_name="den", topic="t")
        self.assertIsNone(self.answer(self.bob[1], "Y"))
        self.look()
        users = self.ann[0].call("get_room_user_list", room_name="den")["users"]
        self.assertEqual(users, ["ann", "bob"])
