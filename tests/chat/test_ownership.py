"""Owners of rooms: what they keep when they leave, hand-over, and how many rooms there can be."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import RoomChanged
from gtchat.chat.limits import Limits
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import FakeClient, TestServer


def code(client: FakeClient, cmd: str, **fields: object) -> str | None:
    """Send a request. Return the code of its answer, None for `ok`."""
    found: str | None = client.call(cmd, **fields).get("code")
    return found


class OwnerWhoLeft(SynchronousTestCase):
    """Ann owns the private room `den`, bob is a member; ann has left it."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))
        self.ann.call("create_room", room_name="den", public=False)
        self.ann.call("add_member", room_name="den", user="bob")
        self.ann.call("leave_room", room_name="den")

    def test_the_owner_can_join_without_an_invitation(self) -> None:
        self.assertEqual(code(self.eve, "join_room", room_name="den"), "private_room")
        self.assertIsNone(code(self.ann, "join_room", room_name="den"))
        self.assertEqual(self.ann.call("speak", room_name="den", msg="x")["status"], "ok")

    def test_the_room_is_listed_for_the_owner(self) -> None:
        for index in range(2):
            reply = self.ann.call("get_room_list")
            if index:
                reply = self.server.connect().login("ann", pwd="password")
            rooms = [(room["room_name"], room["joined"]) for room in reply["rooms"]]
            self.assertEqual((rooms, reply["rooms_total"]), ([("den", False), ("lobby", True)], 2))
        other = self.eve.call("get_room_list")
        self.assertEqual((len(other["rooms"]), other["rooms_total"]), (1, 1))

    def test_the_room_is_not_among_the_joined_rooms(self) -> None:
        reply = self.ann.call("get_room_list", joined=True)
        self.assertEqual((len(reply["rooms"]), reply["rooms_total"]), (1, 1))

    def test_pages_of_the_list_have_each_room_once(self) -> None:
        for name in ("away", "public"):
            self.ann.call("create_room", room_name=name, public=name == "public")
            self.ann.call("leave_room", room_name=name)
        for by_name in (True, False):
            names: list[str] = []
            fields: dict[str, object] = {}
            while True:
                reply = self.ann.call("get_room_list", limit=1, **fields)
                names += [room["room_name"] for room in reply["rooms"]]
                if "rooms_next" not in reply:
                    break
                fields = {"after": names[-1] if by_name else reply["rooms_next"]}
            self.assertEqual(names, ["away", "den", "lobby", "public"])

    def test_the_owner_sees_members_and_manages_the_room(self) -> None:
        users = self.ann.call("get_room_user_list", room_name="den")["users"]
        self.assertEqual(users, ["bob"])
        self.assertIsNone(code(self.ann, "kick", room_name="den", user="bob"))
        self.assertIsNone(code(self.ann, "delete_room", room_name="den"))
        self.assertIsNone(code(self.eve, "create_room", room_name="den"))
        self.assertEqual(self.ann.call("get_room_list")["rooms_total"], 2)

    def test_a_new_owner_takes_the_place_of_the_old(self) -> None:
        self.ann.call("set_room", room_name="den", master="bob")
        self.assertEqual(code(self.ann, "join_room", room_name="den"), "private_room")
        self.assertEqual(self.ann.call("get_room_list")["rooms_total"], 1)


class RoomsPerUser(SynchronousTestCase):
    """Users may create two rooms, and receive two."""

    def setUp(self) -> None:
        limits = Limits(commands_per_second=0, registrations_burst=0, rooms_per_user=2)
        self.server = TestServer(limits)
        self.ann, self.bob, self.eve = (self.server.member(n) for n in ("ann", "bob", "eve"))

    def hand_over(self, giver: FakeClient, name: str, receiver: str = "bob") -> str | None:
        """Create a room and hand it to another user. Return the code of the hand-over."""
        giver.call("create_room", room_name=name)
        giver.call("add_member", room_name=name, user=receiver)
        return code(giver, "set_room", room_name=name, master=receiver)

    def test_rooms_that_were_handed_over_count_for_their_creator(self) -> None:
        for restarted in (False, True):
            if not restarted:
                self.assertEqual([self.hand_over(self.ann, name) for name in "ab"], [None, None])
            else:
                self.server.start()
                self.ann = self.server.connect()
                self.ann.login("ann", pwd="password")
            self.assertEqual(code(self.ann, "create_room", room_name="c"), "not_allowed")
        bob = self.server.connect()
        bob.login("bob", pwd="password")
        self.assertEqual([code(bob, "create_room", room_name=name) for name in "de"], [None, None])
        self.assertEqual(code(bob, "create_room", room_name="f"), "not_allowed")
        bob.call("delete_room", room_name="a")
        self.assertIsNone(code(self.ann, "create_room", room_name="c"))

    def test_a_user_can_receive_as_many_as_they_may_create(self) -> None:
        for name in "ab":
            self.assertIsNone(self.hand_over(self.ann, name))
        self.assertEqual(self.hand_over(self.eve, "c"), "not_allowed")
        owner = {
            room["room_name"]: room["owner"] for room in self.eve.call("get_room_list")["rooms"]
        }
        self.assertEqual(owner["c"], "eve")
        self.bob.call("delete_room", room_name="a")
        self.assertIsNone(code(self.eve, "set_room", room_name="c", master="bob"))

    def test_a_room_can_always_be_handed_back(self) -> None:
        for name in "ab":
            self.hand_over(self.ann, name)
        self.bob.call("create_room", room_name="c")
        self.bob.call("add_member", room_name="c", user="ann")
        self.bob.call("set_room", room_name="c", master="ann")
        self.assertIsNone(code(self.ann, "set_room", room_name="c", master="bob"))
        self.assertIsNone(code(self.bob, "set_room", room_name="c", master="bob"))

    def test_without_a_limit_all_is_allowed(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, rooms_per_user=0))
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        self.assertEqual([self.hand_over(self.ann, name) for name in "abcd"], [None] * 4)

    def leave(self, *members: str) -> str:
        """Let a guest leave a room with these members. Return its owner then, or the error."""
        guest = self.server.guest("guest")
        guest.call("create_room", room_name="g")
        for name in members:
            guest.call("add_member", room_name="g", user=name)
        guest.drop(clean=True)
        rooms = {
            room["room_name"]: room["owner"] for room in self.ann.call("get_room_list")["rooms"]
        }
        return str(rooms.get("g", "gone"))

    def test_the_room_of_a_guest_passes_to_the_next_member_who_may_receive_it(self) -> None:
        for name in "ab":
            self.hand_over(self.ann, name)
        self.assertEqual(self.leave("bob", "eve"), "eve")

    def test_the_room_of_a_guest_passes_to_the_first_member_if_none_may_receive_it(self) -> None:
        for name in "ab":
            self.hand_over(self.ann, name)
        for name in "cd":
            self.hand_over(self.bob, name, "eve")
        self.server.guest("other").call("create_room", room_name="x")
        self.assertEqual(self.leave("bob", "eve"), "bob")
        self.assertEqual(self.bob.call("speak", room_name="g", msg="x")["status"], "ok")
        first = self.bob.call("history", room_name="g", after=0)["entries"][0]
        self.assertEqual((first["type"], first["usr"]), ("room_created", "guest"))

    def test_the_room_of_a_guest_is_deleted_without_members(self) -> None:
        self.assertEqual(self.leave(), "gone")
        self.assertIsNone(code(self.eve, "create_room", room_name="g"))

    def test_a_private_room_of_a_guest_is_deleted_without_members(self) -> None:
        guest = self.server.guest("guest")
        self.assertIsNone(code(guest, "create_room", room_name="cell", public=False))
        guest.drop(clean=True)
        self.assertIsNone(code(self.ann, "create_room", room_name="cell"))

    def test_it_stays_without_an_owner_as_long_as_guests_are_in_it(self) -> None:
        other = self.server.guest("other")
        self.assertEqual(self.leave("other"), "")
        other.call("speak", room_name="g", msg="x")
        other.call("remove_member", room_name="g", user="other")
        self.server.run_pending()
        self.assertEqual(code(self.eve, "join_room", room_name="g"), "no_such_room")

    def test_a_guest_who_removes_themselves_hands_the_room_on(self) -> None:
        guest = self.server.guest("guest")
        guest.call("create_room", room_name="g")
        guest.call("add_member", room_name="g", user="bob")
        guest.call("remove_member", room_name="g", user="guest")
        self.server.run_pending()
        self.assertIsNone(code(self.bob, "set_room", room_name="g", topic="mine"))


class MembershipsPerUser(SynchronousTestCase):
    """Users may be members of two rooms."""

    def test_no_way_leads_into_a_third_room(self) -> None:
        server = TestServer(Limits(commands_per_second=0, memberships_per_user=2))
        ann, eve = server.member("ann"), server.member("eve")
        for name in "abc":
            (ann if name < "c" else eve).call("create_room", room_name=name)
        for name, pwd in (("bob", {"pwd": "password"}), ("guest", {})):
            if pwd:
                server.member(name).call("logout")
            client = server.connect()
            client.login(name, **pwd)
            for room in "ab":
                self.assertIsNone(code(client, "join_room", room_name=room))
            eve.call("invite", room_name="c", invitee=name)
            for cmd, fields in (
                ("invite_reply", {"inviter": "eve", "room_name": "c", "reply": "Y"}),
                ("join_room", {"room_name": "c"}),
                ("create_room", {"room_name": "d"}),
            ):
                self.assertEqual(code(client, cmd, **fields), "not_allowed")
            add = {"room_name": "c", "user": name}
            self.assertEqual(code(eve, "add_member", **add), "not_allowed")
            if pwd:
                client.call("logout")
                self.assertEqual(code(eve, "add_member", **add), "not_allowed")
                client.login(name, **pwd)
            client.call("leave_room", room_name="b")
            self.assertIsNone(code(eve, "add_member", **add))

    def test_without_a_limit_there_is_none(self) -> None:
        server = TestServer(Limits(commands_per_second=0, memberships_per_user=0))
        ann = server.member("ann")
        self.assertEqual([code(ann, "create_room", room_name=one) for one in "abc"], [None] * 3)


class Meanwhile(SynchronousTestCase):
    """Rights that end while a name is looked up."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        self.server.member("dan").call("logout")
        self.ann.call("create_room", room_name="r")
        for name in ("bob", "dan"):
            self.ann.call("add_member", room_name="r", user=name)

    def test_an_owner_no_more_changes_nothing(self) -> None:
        for cmd, fields, expected in (
            ("set_room", {"master": "dan"}, "not_owner"),
            ("kick", {"user": "dan"}, "not_owner"),
            ("remove_member", {"user": "dan"}, "not_owner"),
        ):
            delayed = DelayedMethod(self, self.server, "find_account")
            self.ann.send(cmd, room_name="r", tracker=cmd, **fields)
            self.server.run_pending()
            room = self.server.chat.rooms.find("r")
            give_back = self.server.chat.rooms.fold(room, self.handed_to("bob"))
            delayed.release()
            self.assertEqual(self.ann.reply(cmd)["code"], expected)
            self.assertEqual(list(room.members.values()), ["ann", "bob", "dan"])
            give_back()
            self.doCleanups()

    def test_a_room_that_is_deleted_is_not_changed(self) -> None:
        for cmd, fields in (
            ("set_room", {"master": "dan"}),
            ("kick", {"user": "dan"}),
            ("remove_member", {"user": "dan"}),
            ("add_member", {"user": "dan"}),
            ("invite", {"invitee": "dan"}),
        ):
            self.ann.call("create_room", room_name=cmd)
            delayed = DelayedMethod(self, self.server, "find_account")
            self.ann.send(cmd, room_name=cmd, tracker=cmd, **fields)
            self.server.run_pending()
            room = self.server.chat.rooms.find(cmd)
            deleted = self.server.chat.membership._ownership.delete(room, "ann")
            Deferred.fromCoroutine(deleted)
            self.server.run_pending()
            delayed.release()
            self.assertEqual(self.ann.reply(cmd)["code"], "no_such_room")
            self.doCleanups()

    def handed_to(self, name: str) -> RoomChanged:
        """Return an entry that makes a user the owner of the room."""
        user = self.server.chat.users.get(name)
        assert user is not None
        return RoomChanged(
            room_name="r",
            usr="ann",
            public=True,
            topic="",
            max=0,
            owner=name,
            subject_id=user.id,
            at=1,
        )
