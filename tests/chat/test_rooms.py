"""Rooms: creating, joining, leaving, changing and deleting them; invitations."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import membership, names
from gtchat.chat.limits import Limits
from gtchat.chat.room_list import RoomList
from tests.fakes import FakeClient, TestServer


class RoomsTestCase(SynchronousTestCase):
    """Ann owns the room `r`, bob is a member, eve is not; dan is offline."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))
        self.server.member("dan").drop(clean=True)
        self.ann.call("create_room", room_name="r", topic="first")
        self.bob.call("join_room", room_name="r")
        self.clear()

    def clear(self) -> None:
        for client in (self.ann, self.bob, self.eve):
            client.received()

    def events_of(self, client: FakeClient) -> list[tuple[Any, ...]]:
        return [
            (p["type"], p["usr"], p.get("by")) for p in client.pushes() if p["cmd"] == "c_event"
        ]

    def error_code(self, client: FakeClient, cmd: str, **fields: object) -> str | None:
        code: str | None = client.call(cmd, **fields).get("code")
        return code


class CreateRoom(RoomsTestCase):
    def test_public_room_is_announced_to_all_users(self) -> None:
        reply = self.ann.call("create_room", room_name="New Room", topic="t", max=5)
        self.assertEqual(reply["room"]["users"], ["ann"])
        self.assertEqual((reply["room"]["topic"], reply["room"]["max"]), ("t", 5))
        for client in (self.bob, self.eve):
            [event] = client.pushes()
            self.assertEqual((event["type"], event["room_name"]), ("room_created", "New Room"))
            self.assertEqual(event["seq"], 1)
        self.assertEqual(self.ann.pushes(), [])

    def test_private_room_is_not_announced(self) -> None:
        self.ann.call("create_room", room_name="secret", public=False)
        self.assertEqual(self.bob.pushes(), [])
        names = [room["room_name"] for room in self.bob.call("get_room_list")["rooms"]]
        self.assertNotIn("secret", names)
        names = [room["room_name"] for room in self.ann.call("get_room_list")["rooms"]]
        self.assertIn("secret", names)

    def test_names_that_look_alike_are_refused(self) -> None:  # D08
        self.ann.call("create_room", room_name="cop")
        self.clear()
        for name in ("\u0441\u043e\u0440", "\u0421\u041e\u0420"):
            self.assertEqual(
                self.error_code(self.bob, "create_room", room_name=name), "room_exists"
            )
        self.assertEqual(self.ann.pushes(), [])
        self.assertIsNone(self.error_code(self.bob, "create_room", room_name="c0p"))
        self.ann.call("delete_room", room_name="cop")
        self.assertIsNone(self.error_code(self.bob, "create_room", room_name="COP"))

    def test_emoji_sequence_is_a_name(self) -> None:
        family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
        reply = self.ann.call("create_room", room_name=family)
        self.assertEqual(reply["room"]["room_name"], family)
        for name in (family, family.replace("\u200d", "")):
            self.assertEqual(
                self.error_code(self.ann, "join_room", room_name=name), "already_in_room"
            )

    def test_rooms_with_old_names_can_be_used(self) -> None:
        old = names.Name("B\u0585b", "b\u0585b")
        with patch.object(membership, "room_name", lambda raw: old):
            self.ann.call("create_room", room_name="x")
        self.assertEqual(self.error_code(self.bob, "create_room", room_name="b\u0585b"), "bad_name")
        for name in ("B\u0585b", "b\u0555B"):
            self.bob.call("join_room", room_name=name)
            self.assertIsNone(self.error_code(self.bob, "leave_room", room_name=name))

    def test_invalid_rooms_are_refused(self) -> None:
        for fields, code in (
            ({"room_name": "R"}, "room_exists"),
            ({"room_name": "lobby"}, "room_exists"),
            ({"room_name": ""}, "bad_name"),
            ({"room_name": "x" * 65}, "bad_name"),
            ({"room_name": "a\u200bb"}, "bad_name"),
            ({"room_name": "n", "topic": "a\nb"}, "bad_request"),
            ({"room_name": "n", "topic": "x" * 501}, "too_long"),
            ({"room_name": "n", "max": -1}, "bad_request"),
        ):
            self.assertEqual(self.error_code(self.ann, "create_room", **fields), code, fields)

    def test_two_requests_at_once_create_one_room(self) -> None:
        self.ann.send("create_room", room_name="x", tracker="a")
        self.bob.send("create_room", room_name="X", tracker="b")
        self.server.run_pending()
        codes = [self.ann.reply("a").get("code"), self.bob.reply("b").get("code")]
        self.assertEqual(codes, [None, "room_exists"])

    def test_rooms_and_members_are_bounded(self) -> None:  # G05
        server = TestServer(Limits(commands_per_second=0, rooms_per_user=2, members_per_room=1))
        ann, bob = server.guest("ann"), server.guest("bob")
        for name in "ab":
            ann.call("create_room", room_name=name)
        self.assertEqual(self.error_code(ann, "create_room", room_name="c"), "not_allowed")
        self.assertEqual(self.error_code(bob, "join_room", room_name="a"), "room_full")
        ann.call("delete_room", room_name="a")
        self.assertIsNone(self.error_code(ann, "create_room", room_name="c", max=7))
        self.assertEqual(ann.call("set_room", room_name="c", max=3)["room"]["max"], 1)


class JoinAndLeave(RoomsTestCase):
    def test_other_members_see_the_join(self) -> None:
        reply = self.eve.call("join_room", room_name="R")
        self.assertEqual(reply["room"]["users"], ["ann", "bob", "eve"])
        self.assertEqual(reply["room"]["last_seq"], 3)
        self.assertEqual(self.events_of(self.ann), [("join_room", "eve", None)])
        self.assertEqual(self.eve.pushes(), [])

    def test_rooms_that_cannot_be_joined(self) -> None:
        self.ann.call("create_room", room_name="p", public=False)
        self.ann.call("create_room", room_name="small", max=1)
        for name, code in (
            ("nowhere", "no_such_room"),
            ("\u200b", "no_such_room"),
            ("p", "private_room"),
            ("small", "room_full"),
            ("lobby", "already_in_room"),
            ("r", "already_in_room"),
        ):
            self.assertEqual(self.error_code(self.bob, "join_room", room_name=name), code, name)

    def test_member_who_left_receives_nothing_more(self) -> None:
        self.assertIsNone(self.error_code(self.bob, "leave_room", room_name="r"))
        self.assertEqual(self.events_of(self.ann), [("leave_room", "bob", None)])
        self.assertEqual(self.bob.pushes(), [])
        self.ann.call("speak", room_name="r", msg="x")
        self.assertEqual(self.bob.pushes(), [])
        for name, code in (("r", "not_in_room"), ("lobby", "not_allowed")):
            self.assertEqual(self.error_code(self.bob, "leave_room", room_name=name), code)

    def test_members_are_listed_with_those_online(self) -> None:
        self.ann.call("add_member", room_name="r", user="dan")
        reply = self.eve.call("get_room_user_list", room_name="r")
        self.assertEqual(reply["users"], ["ann", "bob", "dan"])
        self.assertEqual(reply["online"], ["ann", "bob"])
        self.ann.call("create_room", room_name="p", public=False)
        self.assertEqual(
            self.error_code(self.eve, "get_room_user_list", room_name="p"), "not_in_room"
        )
        lobby = self.eve.call("get_room_user_list", room_name="lobby")
        self.assertEqual(lobby["users"], ["ann", "bob", "eve"])


class OwnerActions(RoomsTestCase):
    def test_changed_settings_are_sent_to_the_room(self) -> None:
        reply = self.ann.call("set_room", room_name="r", topic="new", public=False, max=9)
        self.assertEqual((reply["room"]["topic"], reply["room"]["public"]), ("new", False))
        [event] = self.bob.pushes()
        settings = {key: event[key] for key in ("type", "topic", "public", "max", "owner", "usr")}
        expected = {"type": "room_changed", "topic": "new", "public": False, "max": 9}
        self.assertEqual(settings, {**expected, "owner": "ann", "usr": "ann"})
        self.assertEqual(self.error_code(self.eve, "join_room", room_name="r"), "private_room")
        self.ann.call("set_room", room_name="r", public=True)
        self.assertIsNone(self.error_code(self.eve, "join_room", room_name="r"))

    def test_owner_can_make_a_member_the_owner(self) -> None:
        self.assertEqual(
            self.error_code(self.ann, "set_room", room_name="r", master="eve"), "not_in_room"
        )
        self.assertEqual(
            self.ann.call("set_room", room_name="r", master="bob")["room"]["owner"], "bob"
        )
        self.assertEqual(
            self.error_code(self.ann, "set_room", room_name="r", topic="x"), "not_owner"
        )
        self.assertIsNone(self.error_code(self.bob, "set_room", room_name="r", topic="x"))

    def test_only_the_owner_can_change_delete_kick_and_remove(self) -> None:  # D20
        for cmd, fields in (
            ("set_room", {}),
            ("delete_room", {}),
            ("kick", {"user": "ann"}),
            ("remove_member", {"user": "ann"}),
        ):
            self.assertEqual(self.error_code(self.bob, cmd, room_name="r", **fields), "not_owner")

    def test_kicked_member_receives_nothing_more(self) -> None:
        for user, code in (("ann", "self_target"), ("eve", "not_in_room"), ("no", "no_such_user")):
            self.assertEqual(self.error_code(self.ann, "kick", room_name="r", user=user), code)
        self.assertIsNone(self.error_code(self.ann, "kick", room_name="r", user="BOB"))
        self.assertEqual(self.events_of(self.bob), [("kicked", "bob", "ann")])
        self.assertEqual(self.error_code(self.bob, "speak", room_name="r", msg="x"), "not_in_room")

    def test_only_members_are_removed(self) -> None:
        code = self.error_code(self.ann, "remove_member", room_name="r", user="eve")
        self.assertEqual(code, "not_in_room")

    def test_owner_can_remove_members_and_members_themselves(self) -> None:
        self.ann.call("add_member", room_name="r", user="dan")
        self.assertEqual(self.events_of(self.bob), [("join_room", "dan", None)])
        reply = self.ann.call("remove_member", room_name="r", user="dan")
        self.assertEqual(reply["room"]["users"], ["ann", "bob"])
        self.assertEqual(self.events_of(self.bob), [("removed", "dan", "ann")])
        self.assertIsNone(self.error_code(self.bob, "remove_member", room_name="r", user="bob"))
        self.assertEqual(
            self.error_code(self.bob, "remove_member", room_name="r", user="ann"), "not_in_room"
        )
        self.assertEqual(
            self.error_code(self.ann, "remove_member", room_name="lobby", user="bob"), "not_allowed"
        )

    def test_member_can_add_users(self) -> None:
        self.assertIsNone(self.error_code(self.bob, "add_member", room_name="r", user="eve"))
        self.assertEqual(self.events_of(self.eve), [("join_room", "eve", None)])
        for fields, code in (
            ({"room_name": "r", "user": "eve"}, "already_in_room"),
            ({"room_name": "lobby", "user": "eve"}, "already_in_room"),
            ({"room_name": "r", "user": "unknown"}, "no_such_user"),
        ):
            self.assertEqual(self.error_code(self.ann, "add_member", **fields), code)
        self.server.member("kim").call("block", user="ann")
        self.assertEqual(
            self.error_code(self.ann, "add_member", room_name="r", user="kim"), "blocked"
        )

    def test_deletion_of_a_public_room_is_announced_to_all_users(self) -> None:
        self.assertIsNone(self.error_code(self.ann, "delete_room", room_name="r"))
        for client in (self.bob, self.eve):
            self.assertEqual(self.events_of(client), [("room_gone", "ann", None)])
        self.assertEqual(self.error_code(self.bob, "speak", room_name="r", msg="x"), "no_such_room")
        self.assertEqual(self.error_code(self.ann, "delete_room", room_name="r"), "no_such_room")
        self.assertIsNone(self.error_code(self.bob, "create_room", room_name="r"))

    def test_deletion_of_a_private_room_is_announced_to_members(self) -> None:
        self.ann.call("set_room", room_name="r", public=False)
        self.clear()
        self.ann.call("delete_room", room_name="r")
        self.assertEqual(self.events_of(self.bob), [("room_gone", "ann", None)])
        self.assertEqual(self.eve.pushes(), [])

    def test_room_of_a_registered_owner_stays_without_members(self) -> None:
        for client in (self.bob, self.ann):
            client.call("leave_room", room_name="r")
        names = [room["room_name"] for room in self.eve.call("get_room_list")["rooms"]]
        self.assertIn("r", names)


class ListEntry(RoomsTestCase):
    """What a protocol keeps in `Room.list_entry`; tests/chat/room_world.py has the property."""

    def test_visible_changes_of_a_room_remove_its_list_entry(self) -> None:
        room = self.server.chat.rooms.find("r")
        for client, cmd, fields in (
            (self.bob, "speak", {"msg": "x"}),
            (self.eve, "join_room", {}),
            (self.eve, "leave_room", {}),
            (self.ann, "set_room", {"topic": "new"}),
            (self.ann, "set_room", {"public": False}),
            (self.ann, "set_room", {"master": "bob"}),
        ):
            room.list_entry = b"kept"
            self.assertIsNone(self.error_code(client, cmd, room_name="r", **fields))
            self.assertIsNone(room.list_entry, cmd)

    def test_requests_that_change_nothing_visible_leave_it(self) -> None:
        self.server.guest("zoe")
        room = self.server.chat.rooms.find("r")
        kept = room.list_entry
        self.assertIsNotNone(kept)
        self.bob.call("typing", room_name="r")
        self.bob.call("mark_read", room_name="r", seq=1)
        self.eve.call("get_room_list")
        self.assertIs(room.list_entry, kept)


class Lists(RoomsTestCase):
    """Bob is a member of b and d; a, c and e are other public rooms, f is private."""

    def setUp(self) -> None:
        super().setUp()
        self.ann.call("delete_room", room_name="r")
        for name in "abcdef":
            self.ann.call("create_room", room_name=name, public=name != "f")
        for name in "bd":
            self.bob.call("join_room", room_name=name)
        self.list = RoomList(self.server.chat.rooms, self.bob.api.require_session.user)

    def page(self, after: str | None, limit: int = 9, joined: bool = False) -> str:
        reading = Deferred.fromCoroutine(
            self.list.page(self.server.chat.loader, after, limit, joined)
        )
        self.server.run_pending()
        return " ".join(room.name for room in self.successResultOf(reading).rooms)

    def test_own_rooms_come_first_and_each_position_is_continued(self) -> None:
        order = ["b", "d", "lobby", "a", "c", "e"]
        self.assertEqual(self.page(None), " ".join(order))
        for index, name in enumerate(order, start=1):
            cursor = self.list.cursor(self.server.chat.rooms.find(name))
            for after in (name, name.upper(), cursor):
                rest = order[index:]
                self.assertEqual(self.page(after), " ".join(rest), after)
                self.assertEqual(self.page(after, limit=2), " ".join(rest[:2]), after)

    def test_joined_rooms_alone(self) -> None:
        for after, found in ((None, "b d lobby"), ("b", "d lobby"), ("lobby", ""), ("a", "")):
            self.assertEqual(self.page(after, joined=True), found, after)
        self.assertEqual([self.list.count(joined) for joined in (True, False)], [3, 6])

    def test_an_unknown_name_is_the_first_page(self) -> None:
        for after in ("unknown", "", " other", "x" * 1000):
            self.assertEqual(self.page(after, limit=1), "b", after)

    def test_a_position_outlives_its_room(self) -> None:
        for name in "bc":
            cursor = self.list.cursor(self.server.chat.rooms.find(name))
            before = self.page(cursor)
            self.ann.call("delete_room", room_name=name)
            self.assertEqual(self.page(cursor), before)


class RoomsOfGuests(RoomsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.guest = self.server.guest("guest")
        self.guest.call("create_room", room_name="g")

    def test_room_of_a_guest_passes_to_the_longest_registered_member(self) -> None:  # D20
        self.server.guest("other").call("join_room", room_name="g")
        self.bob.call("join_room", room_name="g")
        self.eve.call("join_room", room_name="g")
        self.clear()
        self.guest.call("logout")
        events = self.eve.pushes()
        self.assertEqual([e["type"] for e in events], ["leave_room", "room_changed"])
        self.assertEqual(events[1]["owner"], "bob")
        self.assertIsNone(self.error_code(self.bob, "set_room", room_name="g", topic="mine"))

    def test_room_with_guests_only_has_no_owner_and_ends_with_the_last(self) -> None:
        other, third = self.server.guest("other"), self.server.guest("third")
        for client in (other, third):
            client.call("join_room", room_name="g")
        self.guest.call("leave_room", room_name="g")
        self.assertEqual(other.pushes("room_changed")[0]["owner"], "")
        other.call("leave_room", room_name="g")
        self.assertEqual(self.eve.pushes("room_gone"), [])
        self.server.run_pending()
        third.call("leave_room", room_name="g")
        self.server.run_pending()
        self.assertEqual(self.error_code(self.eve, "join_room", room_name="g"), "no_such_room")
        self.assertEqual([e["room_name"] for e in self.eve.pushes("room_gone")], ["g"])

    def test_room_of_a_guest_alone_ends_with_the_guest(self) -> None:
        self.clear()
        self.guest.call("logout")
        self.server.run_pending()
        self.assertEqual([e["room_name"] for e in self.eve.pushes("room_gone")], ["g"])


class Invitations(RoomsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ann.call("set_room", room_name="r", public=False)
        self.clear()

    def test_invited_user_alone_receives_it_and_can_join(self) -> None:
        self.assertIsNone(self.error_code(self.bob, "invite", room_name="r", invitee="eve"))
        [push] = self.eve.pushes()
        self.assertEqual((push["cmd"], push["usr"], push["room_name"]), ("c_invited", "bob", "r"))
        self.assertEqual(self.ann.pushes(), [])
        self.assertIsNone(self.error_code(self.eve, "join_room", room_name="r"))

    def test_inviter_receives_the_answer(self) -> None:
        for reply, kind in (("N", None), ("L", None), ("Y", "room")):
            self.bob.call("invite", room_name="r", invitee="eve")
            answer = self.eve.call("invite_reply", inviter="bob", room_name="r", reply=reply)
            self.assertEqual((answer["status"], "room" in answer), ("ok", kind is not None))
            self.assertEqual(self.bob.pushes("c_invite_reply")[0]["msg"], reply)

    def test_invalid_invitations_are_refused(self) -> None:
        self.server.member("kim").call("block", user="ann")
        for client, fields, code in (
            (self.ann, {"room_name": "r", "invitee": "ann"}, "self_target"),
            (self.ann, {"room_name": "r", "invitee": "bob"}, "already_in_room"),
            (self.ann, {"room_name": "lobby", "invitee": "eve"}, "already_in_room"),
            (self.ann, {"room_name": "r", "invitee": "unknown"}, "no_such_user"),
            (self.ann, {"room_name": "r", "invitee": "kim"}, "blocked"),
            (self.eve, {"room_name": "r", "invitee": "dan"}, "not_in_room"),
        ):
            self.assertEqual(self.error_code(client, "invite", **fields), code, fields)
        answer = {"inviter": "ann", "room_name": "r"}
        self.assertEqual(
            self.error_code(self.eve, "invite_reply", reply="?", **answer), "bad_request"
        )
        self.assertEqual(
            self.error_code(self.eve, "invite_reply", reply="Y", **answer), "not_allowed"
        )

    def test_offline_user_receives_it_once_at_the_next_login(self) -> None:
        self.ann.call("invite", room_name="r", invitee="dan")
        dan = self.server.connect()
        for expected in (1, 0):
            dan.login("dan", pwd="password")
            self.assertEqual(len(dan.pushes("c_invited")), expected)
            dan.call("logout")

    def test_later_delivers_it_again_at_the_next_login(self) -> None:
        self.ann.call("invite", room_name="r", invitee="eve")
        self.eve.call("invite_reply", inviter="ann", room_name="r", reply="L")
        self.eve.call("logout")
        self.eve.received()
        self.eve.login("eve", pwd="password")
        self.assertEqual(len(self.eve.pushes("c_invited")), 1)

    def test_declined_invitation_is_deleted(self) -> None:
        self.ann.call("invite", room_name="r", invitee="eve")
        self.eve.call("invite_reply", inviter="ann", room_name="r", reply="N")
        self.assertEqual(self.error_code(self.eve, "join_room", room_name="r"), "private_room")
