"""Pending invitations: until when they last, who is told of them, and how many there can be."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import Invited
from gtchat.chat.interfaces import InvitationLimits
from gtchat.chat.limits import Limits
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import FakeClient, TestServer


class InvitationTestCase(SynchronousTestCase):
    """Ann owns the private room `den`, bob is a member, eve is not."""

    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, rooms_per_user=0))
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))
        self.ann.call("create_room", room_name="den", public=False)
        self.ann.call("add_member", room_name="den", user="bob")
        for client in (self.ann, self.bob, self.eve):
            client.received()

    def invite(self, inviter: FakeClient, room: str = "den", invitee: str = "eve") -> str | None:
        """Invite a user. Return the code of the answer."""
        code: str | None = inviter.call("invite", room_name=room, invitee=invitee).get("code")
        return code

    def answer(self, reply: str, inviter: str = "ann") -> str | None:
        """Let eve answer an invitation. Return the code of the answer to that."""
        fields = {"inviter": inviter, "room_name": "den", "reply": reply}
        code: str | None = self.eve.call("invite_reply", **fields).get("code")
        return code

    def listed(self, marks_read: bool = True) -> list[dict[str, Any]]:
        """Let eve log in again, and return the invitations in the reply."""
        self.eve.call("logout")
        self.eve = self.server.connect()
        reply = self.eve.login("eve", pwd="password", marks_read=marks_read)
        return list(reply.get("invitations", []))


class Ends(InvitationTestCase):
    def test_an_invitation_ends_with_the_membership_of_its_sender(self) -> None:
        for cmd, client, fields in (
            ("kick", self.ann, {"user": "bob"}),
            ("remove_member", self.ann, {"user": "bob"}),
            ("leave_room", self.bob, {}),
        ):
            self.invite(self.bob)
            client.call(cmd, room_name="den", **fields)
            self.assertEqual(self.answer("Y", "bob"), "not_allowed", cmd)
            self.assertEqual(self.eve.call("join_room", room_name="den")["code"], "private_room")
            self.assertEqual(self.listed(), [], cmd)
            self.ann.call("add_member", room_name="den", user="bob")

    def test_an_invitation_ends_with_a_guest_who_sent_it(self) -> None:
        guest = self.server.guest("guest")
        self.ann.call("add_member", room_name="den", user="guest")
        self.invite(guest)
        guest.drop(clean=True)
        self.assertEqual(self.eve.call("join_room", room_name="den")["code"], "private_room")

    def test_joining_ends_all_invitations_to_the_room(self) -> None:
        for inviter in (self.ann, self.bob):
            self.invite(inviter)
        self.assertIsNone(self.answer("Y"))
        self.ann.call("kick", room_name="den", user="eve")
        self.assertEqual(self.answer("Y", "bob"), "not_allowed")
        self.assertEqual(self.eve.call("join_room", room_name="den")["code"], "private_room")

    def test_an_inviter_who_is_kicked_meanwhile_lets_no_user_in(self) -> None:
        self.invite(self.bob)
        for cmd, fields in (
            ("join_room", {}),
            ("invite_reply", {"inviter": "bob", "reply": "Y"}),
        ):
            delayed = DelayedMethod(self, self.server, "is_invited")
            self.eve.send(cmd, room_name="den", tracker=cmd, **fields)
            self.server.run_pending()
            self.ann.call("kick", room_name="den", user="bob")
            delayed.release()
            self.assertEqual(self.eve.reply(cmd)["code"], "private_room")
            users = self.ann.call("get_room_user_list", room_name="den")["users"]
            self.assertEqual(users, ["ann"])
            self.ann.call("add_member", room_name="den", user="bob")
            self.invite(self.bob)
            self.doCleanups()

    def test_a_member_who_is_kicked_meanwhile_brings_no_user_in(self) -> None:
        self.eve.call("logout")
        room = self.server.chat.rooms.find("den")
        for cmd, fields in (("invite", {"invitee": "eve"}), ("add_member", {"user": "eve"})):
            delayed = DelayedMethod(self, self.server, "find_account")
            self.bob.send(cmd, room_name="den", tracker=cmd, **fields)
            self.server.run_pending()
            self.ann.call("kick", room_name="den", user="bob")
            delayed.release()
            self.assertEqual(self.bob.reply(cmd)["code"], "not_in_room")
            self.assertEqual(list(room.members.values()), ["ann"])
            self.doCleanups()
            self.ann.call("add_member", room_name="den", user="bob")

    def test_a_user_who_is_online_is_told_that_an_invitation_has_ended(self) -> None:
        desk = self.server.connect()
        desk.login("eve", pwd="password", device="desk", marks_read=True)
        for cmd, client, fields, inviters in (
            ("kick", self.ann, {"user": "bob"}, ["bob"]),
            ("remove_member", self.ann, {"user": "bob"}, ["bob"]),
            ("leave_room", self.bob, {}, ["bob"]),
            ("delete_room", self.ann, {}, ["ann", "bob"]),
        ):
            for inviter in (self.ann, self.bob):
                self.assertIsNone(self.invite(inviter))
            for invited in (self.eve, desk):
                invited.received()
            client.call(cmd, room_name="den", **fields)
            for invited in (self.eve, desk):
                pushes = invited.pushes()
                self.assertEqual({push["type"] for push in pushes}, {"invitation_ended"}, cmd)
                told = sorted((push["room_name"], push["usr"]) for push in pushes)
                self.assertEqual(told, [("den", inviter) for inviter in inviters], cmd)
            self.ann.call("add_member", room_name="den", user="bob")

    def test_the_end_of_an_invitation_of_a_blocked_user_is_not_told(self) -> None:
        self.invite(self.bob)
        self.eve.call("block", user="bob")
        self.eve.received()
        self.bob.call("leave_room", room_name="den")
        self.assertEqual(self.eve.pushes(), [])

    def test_the_end_of_an_invitation_of_a_user_who_is_offline_is_told_at_the_login(self) -> None:
        self.invite(self.bob)
        self.eve.drop()
        self.bob.call("leave_room", room_name="den")
        reply = self.server.connect().login("eve", pwd="password", marks_read=True)
        self.assertNotIn("invitations", reply)


class Listed(InvitationTestCase):
    def test_an_invitation_is_in_every_login_and_resume_until_it_is_answered(self) -> None:
        self.invite(self.ann)
        expected = [{"room_name": "den", "usr": "ann"}]
        for _ in "12":
            found = self.listed()
            self.assertEqual([{**one, "at": ""} for one in found], [{**expected[0], "at": ""}])
            self.assertEqual(self.eve.pushes("c_invited"), [])
        reply = self.server.connect().login("eve", pwd="password", marks_read=True)
        self.eve = self.server.connect()
        session = {"session_id": reply["session_id"], "epoch": reply["epoch"]}
        resumed = self.eve.call("resume", **session, marks_read=True)
        self.assertEqual(len(resumed["invitations"]), 1)
        self.assertIsNone(self.answer("N"))
        self.assertEqual(self.listed(), [])

    def test_the_field_is_absent_without_invitations(self) -> None:
        self.assertNotIn("invitations", self.server.connect().login("guest"))

    def test_other_clients_are_pushed_it_once_besides(self) -> None:
        self.eve.call("logout")
        self.invite(self.ann)
        for expected in (1, 0):
            self.assertEqual(len(self.listed(marks_read=False)), 1)
            self.assertEqual(len(self.eve.pushes("c_invited")), expected)

    def test_a_new_one_is_pushed_to_all_clients(self) -> None:
        for marks_read in (True, False):
            self.listed(marks_read)
            self.invite(self.ann if marks_read else self.bob)
            self.assertEqual(len(self.eve.pushes("c_invited")), 1)

    def test_one_that_comes_during_a_login_is_pushed_or_listed_once(self) -> None:
        for marks_read in (True, False):
            for first in ("invite", "login"):
                room = f"{first} {marks_read}"
                self.ann.call("create_room", room_name=room, public=False)
                listed = self.invite_during_login(room, marks_read, first == "invite")
                pushes = self.eve.pushes("c_invited")
                times = [one["room_name"] for one in (listed if marks_read else []) + pushes]
                self.assertEqual(times.count(room), 1, (first, marks_read))

    def invite_during_login(
        self, room: str, marks_read: bool, invite_first: bool
    ) -> list[dict[str, Any]]:
        """Let eve log in and be invited at once.

        Args:
            room: the room.
            marks_read: whether eve's client marks what was read.
            invite_first: whether the invitation is queued in the store before the login.

        Returns:
            The invitations in the reply to the login.
        """
        self.eve.call("logout")
        self.eve = self.server.connect()
        look_up = DelayedMethod(self, self.server, "find_account")
        self.ann.send("invite", room_name=room, invitee="eve")
        self.server.run_pending()
        self.doCleanups()
        store_login = self.server.store.login

        def login(*args: Any) -> Any:
            if invite_first:
                look_up.fire()
            result = store_login(*args)
            look_up.fire()
            return result

        self.patch(self.server.store, "login", login)
        reply = self.eve.login("eve", pwd="password", marks_read=marks_read)
        self.doCleanups()
        return list(reply.get("invitations", []))

    def test_the_list_has_what_fits_in_a_reply(self) -> None:
        self.eve.call("logout")
        for number in range(200):
            usr = f"{number:03}" + "\U0001f600" * 60
            event = Invited(room_name=usr, usr=usr, msg="", at=number)
            room_id = self.server.chat.rooms.find("den").id
            self.server.store.invite(room_id, 3, 1, event, False, InvitationLimits())
        self.server.run_pending()
        pending = self.server.store._mailbox.pending_invitations(3)
        with patch.object(
            self.server.store._accounts,
            "pending_invitations",
            lambda _: tuple(attrs.evolve(one, room_name=one.usr) for one in pending),
        ):
            listed = self.listed()
        self.assertEqual(listed[-1]["usr"][:3], "199")
        self.assertLess(len(listed), 200)
        self.assertLessEqual(len(json.dumps(listed, ensure_ascii=False).encode()), 70_000)


class Pushed(InvitationTestCase):
    def test_an_equal_invitation_is_pushed_once(self) -> None:
        self.assertEqual([self.invite(self.ann) for _ in "123"], [None] * 3)
        self.assertEqual(len(self.eve.pushes("c_invited")), 1)
        self.assertIsNone(self.invite(self.bob))
        self.assertEqual(len(self.eve.pushes("c_invited")), 1)

    def test_later_is_told_once(self) -> None:
        self.invite(self.ann)
        self.assertEqual([self.answer("L") for _ in "123"], [None] * 3)
        self.assertEqual([push["msg"] for push in self.ann.pushes("c_invite_reply")], ["L"])
        self.assertIsNone(self.answer("N"))
        self.assertEqual([push["msg"] for push in self.ann.pushes("c_invite_reply")], ["N"])
        self.assertEqual(self.answer("N"), "not_allowed")

    def test_answers_are_not_told_through_a_block(self) -> None:
        for reply in ("L", "N", "Y"):
            self.invite(self.ann)
            self.ann.call("block", user="eve")
            self.assertIsNone(self.answer(reply))
            self.assertEqual(self.ann.pushes("c_invite_reply"), [], reply)
            self.ann.call("unblock", user="eve")

    def test_an_answer_to_a_user_who_is_offline_is_not_kept(self) -> None:
        self.invite(self.ann)
        self.ann.call("logout")
        self.assertIsNone(self.answer("N"))

    def test_an_invitation_to_a_guest_who_ends_meanwhile_is_no_such_user(self) -> None:
        guest = self.server.guest("guest")
        self.ann.send("invite", room_name="den", invitee="guest", tracker="1")
        guest.send("logout")
        self.server.run_pending()
        self.assertIn(self.ann.reply("1").get("code"), (None, "no_such_user"))


class Bounded(InvitationTestCase):
    def test_one_user_cannot_fill_the_list_of_another(self) -> None:
        codes = []
        for number in range(21):
            self.ann.call("create_room", room_name=f"r{number}")
            codes.append(self.invite(self.ann, f"r{number}"))
        self.assertEqual(codes, [None] * 20 + ["not_allowed"])
        self.assertIsNone(self.invite(self.bob))

    def test_each_bound_is_a_setting_that_holds_from_now_on(self) -> None:
        self.server.member("zoe")
        for number in range(2):
            self.ann.call("create_room", room_name=f"r{number}")
        self.assertIsNone(self.invite(self.ann))
        limits = dict.fromkeys(
            ("invitations_per_user", "invitations_per_pair", "invitations_per_inviter"), 0
        )
        for name, invitee, text in (
            ("invitations_per_user", "eve", "This user has too many unanswered invitations."),
            (
                "invitations_per_pair",
                "eve",
                "This user has not answered your other invitations yet.",
            ),
            (
                "invitations_per_inviter",
                "zoe",
                "Too many of your invitations are not answered yet.",
            ),
        ):
            chosen = Limits(commands_per_second=0, **{**limits, name: 1})
            self.server.chat.change_limits(chosen)
            reply = self.ann.call("invite", room_name="r0", invitee=invitee)
            self.assertEqual((reply.get("code"), reply["msg"]), ("not_allowed", text), name)
        self.server.chat.change_limits(Limits(commands_per_second=0, **limits))
        self.assertIsNone(self.invite(self.ann, "r0"))
