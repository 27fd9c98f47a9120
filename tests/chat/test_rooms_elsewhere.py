"""Which rooms are in memory where several nodes write, and how those of users at two come in."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail

from gtchat.chat import foreign_joins
from gtchat.chat.errors import NotStored
from gtchat.chat.foreign_joins import RETRY_S
from gtchat.chat.node_records import MemberJoined
from gtchat.chat.room_loader import LOOK_S, RELEASE_S, RENEW_S
from gtchat.chat.rooms import Room
from tests.chat.test_two_nodes import TwoNodesCase
from tests.fakes import FakeClient, TestServer


class Case(TwoNodesCase):
    """Ann is at the first node, bob and eve are at the second one."""

    def names(self, server: TestServer) -> list[str]:
        return sorted(room.name for room in server.chat.rooms)

    def followed(self, server: TestServer) -> list[str]:
        return sorted(one.name for one in server.store._follower.known.rooms.values())

    def wait(self, seconds: float) -> None:
        """Let time pass at both nodes in small steps, as it does."""
        for _ in range(int(seconds / LOOK_S)):
            for server in (self.first, self.second):
                server.clock.advance(LOOK_S)
            for server in (self.first, self.second):
                server.run_pending()

    def pushed(self, client: FakeClient) -> list[tuple[str, int]]:
        """Take the entries that a client was sent: (kind, seq)."""
        return [
            (one.get("type", one["cmd"]), one["seq"]) for one in client.pushes() if "seq" in one
        ]


class InMemory(Case):
    def test_a_room_is_in_memory_where_it_is_used(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        self.assertEqual(self.names(self.first), ["lobby", "r"])
        self.assertEqual(self.names(self.second), ["lobby"])
        self.call(self.bob, "join_room", room_name="r")
        self.assertEqual(self.names(self.second), ["lobby", "r"])

    def test_a_room_that_is_not_used_leaves_memory_and_comes_again(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        self.call(self.bob, "join_room", room_name="r")
        self.call(self.bob, "leave_room", room_name="r")
        self.wait(RELEASE_S + 2 * LOOK_S)
        self.assertEqual((self.names(self.second), self.followed(self.second)), (["lobby"],) * 2)
        self.call(self.ann, "speak", room_name="r", msg="x")
        self.call(self.bob, "join_room", room_name="r")
        self.assertEqual(self.followed(self.second), ["lobby", "r"])
        room = self.second.chat.rooms.find("r")
        self.assertEqual((room.last_seq, list(room.members.values())), (5, ["ann", "bob"]))
        self.assertEqual(self.call(self.bob, "speak", room_name="r", msg="y")["seq"], 6)

    def test_that_a_room_has_left_is_stored_later_if_it_fails(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        self.call(self.bob, "join_room", room_name="r")
        self.call(self.bob, "leave_room", room_name="r")
        loader = self.second.chat.loader
        with patch.object(self.second.store, "release", lambda rooms: fail(NotStored())):
            self.wait(RELEASE_S + 2 * LOOK_S)
        self.assertEqual(
            (self.names(self.second), self.followed(self.second)), (["lobby"], ["lobby", "r"])
        )
        self.assertEqual(len(loader._released), 1)
        self.wait(2 * LOOK_S)
        self.assertEqual((self.followed(self.second), loader._released), (["lobby"], {}))

    def test_a_room_that_has_come_again_is_not_forgotten(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        self.call(self.bob, "join_room", room_name="r")
        self.call(self.bob, "leave_room", room_name="r")
        with patch.object(self.second.store, "release", lambda rooms: fail(NotStored())):
            self.wait(RELEASE_S + 2 * LOOK_S)
        self.call(self.bob, "join_room", room_name="r")
        self.assertEqual(self.second.chat.loader._released, {})
        self.wait(RELEASE_S + 2 * LOOK_S)
        self.assertEqual(self.followed(self.second), ["lobby", "r"])

    def test_a_room_that_comes_while_it_is_told_to_have_left_stays_noted(self) -> None:
        loader, released = self.second.chat.loader, Deferred[None]()
        loader._released = {7: 1}
        with patch.object(self.second.store, "release", lambda rooms: released):
            Deferred.fromCoroutine(loader._forget_released())
        loader._released = {7: 2}
        released.callback(None)
        self.assertEqual(loader._released, {7: 2})
        loader.clear()
        self.assertEqual(loader._released, {})

    def test_a_user_who_is_added_hears_all_from_the_membership_on(self) -> None:
        self.call(self.ann, "create_room", room_name="r", public=False)
        self.call(self.ann, "speak", room_name="r", msg="not for bob")
        self.first.store._tables.wakes = False
        self.call(self.ann, "add_member", room_name="r", user="bob")
        for _ in range(3):
            self.call(self.ann, "speak", room_name="r", msg="x")
        self.bob.received()
        with patch.object(foreign_joins, "PART", 2):
            self.second.store.look()
            self.second.run_pending()
        sent = [("join_room", 3), ("c_speak", 4), ("c_speak", 5), ("c_speak", 6)]
        self.assertEqual(self.pushed(self.bob), sent)
        self.assertEqual(self.call(self.bob, "speak", room_name="r", msg="y")["seq"], 7)

    def test_only_what_follows_on_the_last_membership_is_sent(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        self.first.store._tables.wakes = False
        for cmd in ("add_member", "kick", "add_member"):
            self.call(self.ann, cmd, room_name="r", user="bob")
            self.call(self.ann, "speak", room_name="r", msg=cmd)
        self.bob.received()
        self.second.store.look()
        self.second.run_pending()
        self.assertEqual(self.pushed(self.bob), [("join_room", 6), ("c_speak", 7)])

    def test_messages_of_blocked_users_are_not_sent(self) -> None:
        self.call(self.bob, "block", user="ann")
        self.call(self.eve, "create_room", room_name="r")
        self.call(self.ann, "join_room", room_name="r")
        again = self.first.connect()
        again.login("bob", pwd="password", device="second")
        self.call(self.ann, "leave_room", room_name="r")
        self.wait(RELEASE_S + 2 * LOOK_S)
        self.call(self.eve, "add_member", room_name="r", user="ann")
        self.second.store._tables.wakes = False
        self.call(self.eve, "add_member", room_name="r", user="bob")
        self.call(self.ann, "speak", room_name="r", msg="x")
        self.first.store.look()
        self.first.run_pending()
        kinds = [kind for kind, _ in self.pushed(again)]
        self.assertNotIn("c_speak", kinds)
        self.assertIn("join_room", kinds)


class Awaited(Case):
    """Bob is a member of a room, and is about to be sent what was stored since."""

    def setUp(self) -> None:
        super().setUp()
        self.call(self.ann, "create_room", room_name="r")
        self.entries_since = self.second.store.entries_since
        self.asked: list[Deferred[Any]] = []
        self.patch(self.second.store, "entries_since", self.ask)
        self.call(self.ann, "add_member", room_name="r", user="bob")
        self.call(self.eve, "join_room", room_name="r")
        self.room: Room = self.second.chat.rooms.find("r")
        self.clear()

    def ask(self, *args: Any) -> Deferred[Any]:
        self.asked.append(Deferred())
        return self.asked[-1].addCallback(lambda _: self.entries_since(*args))

    def go_on(self) -> None:
        self.asked[0].callback(None)
        self.second.run_pending()

    def test_the_user_is_no_member_until_then(self) -> None:
        self.assertIn("bob", self.room.members.values())
        reply = self.bob.call("speak", room_name="r", msg="x")
        self.assertEqual(reply["code"], "not_in_room")
        self.call(self.eve, "speak", room_name="r", msg="x")
        self.assertEqual(self.pushed(self.bob), [])
        self.go_on()
        self.assertEqual(
            self.pushed(self.bob), [("join_room", 2), ("join_room", 3), ("c_speak", 4)]
        )
        self.assertEqual(self.call(self.bob, "speak", room_name="r", msg="y")["seq"], 5)

    def test_requests_that_may_be_repeated_wait(self) -> None:
        self.call(self.ann, "set_room", room_name="r", master="bob")
        for cmd, fields in (
            ("set_room", {"topic": "x"}),
            ("history", {"limit": 1}),
            ("leave_room", {}),
        ):
            self.bob.send(cmd, room_name="r", tracker=cmd, **fields)
            self.second.run_pending()
        self.assertEqual(self.bob.received(), [])
        self.go_on()
        for cmd in ("set_room", "history", "leave_room"):
            self.assertEqual(self.bob.reply(cmd)["status"], "ok", cmd)

    def test_it_is_tried_again_if_it_cannot_be_read(self) -> None:
        self.asked[0].errback(NotStored())
        self.assertEqual(self.pushed(self.bob), [])
        self.patch(self.second.store, "entries_since", self.entries_since)
        self.second.clock.advance(RETRY_S)
        self.second.run_pending()
        self.assertEqual(self.pushed(self.bob), [("join_room", 2), ("join_room", 3)])

    def test_no_more_is_tried_when_the_chat_stops(self) -> None:
        self.asked[0].errback(NotStored())
        joins = self.second.chat._joins
        self.assertEqual(len(joins._retries), 1)
        joins.stop()
        self.assertEqual(joins._retries, {})

    def test_a_user_who_has_gone_is_sent_nothing(self) -> None:
        self.bob.drop()
        self.go_on()
        self.assertNotIn("bob", [user.name for user in self.second.chat.users])
        self.assertEqual(self.pushed(self.eve), [])

    def test_what_waits_for_a_user_who_has_gone_is_not_read(self) -> None:
        user = self.second.chat.users.get("bob")
        assert user is not None
        self.second.chat._joins.joined(MemberJoined(99, user.id, 1))
        self.bob.drop()
        self.go_on()
        self.assertEqual(len(self.asked), 1)

    def test_a_user_who_has_logged_in_again_is_in_the_room_already(self) -> None:
        self.bob.drop()
        bob = self.second.connect()
        self.assertIn("r", [one["room_name"] for one in bob.login("bob", pwd="password")["rooms"]])
        self.go_on()
        self.assertEqual(self.pushed(bob), [])

    def test_a_room_that_was_deleted_meanwhile_is_not_there(self) -> None:
        self.call(self.ann, "delete_room", room_name="r")
        self.go_on()
        self.assertEqual(self.pushed(self.bob), [])
        self.assertEqual(self.bob.call("speak", room_name="r", msg="x")["code"], "no_such_room")

    def test_the_membership_of_a_room_that_is_up_to_date_is_no_news(self) -> None:
        self.go_on()
        user = self.second.chat.users.get("bob")
        assert user is not None
        self.second.chat._joins.joined(MemberJoined(self.room.id, user.id, 2))
        self.assertEqual(len(self.asked), 1)


class PublicList(Case):
    def test_pages_show_rooms_that_are_not_in_memory_as_they_are(self) -> None:
        self.call(self.ann, "create_room", room_name="r", topic="tea")
        gus = self.first.guest("gus")
        self.call(gus, "join_room", room_name="r")
        [room] = [one for one in self.eve.call("get_room_list")["rooms"] if one["room_name"] == "r"]
        again = [one for one in self.ann.call("get_room_list")["rooms"] if one["room_name"] == "r"]
        self.assertEqual(room["topic"], "tea")
        self.assertEqual(room.get("members"), again[0].get("members"))
        self.assertEqual(self.names(self.second), ["lobby"])

    def test_the_beginning_is_read_again_when_it_is_old(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        gus = self.first.guest("gus")
        self.call(gus, "join_room", room_name="r")
        public = self.second.chat.rooms.public
        self.assertEqual(public.listed("r").member_count, 1)
        self.second.connect().login("eve", pwd="password", device="d1")
        self.second.run_pending()
        self.assertEqual(public.listed("r").member_count, 1)
        self.second.clock.advance(RENEW_S)
        self.second.connect().login("eve", pwd="password", device="d2")
        self.second.run_pending()
        self.assertEqual(public.listed("r").member_count, 2)

    def test_what_is_public_is_counted_once(self) -> None:
        def counts() -> list[int]:
            servers = (self.first, self.second)
            return [server.chat.rooms.public.total for server in servers]

        for name in ("r", "s"):
            self.call(self.ann, "create_room", room_name=name)
        self.call(self.bob, "join_room", room_name="r")
        self.assertEqual(counts(), [2, 2])
        for name in ("r", "s"):
            self.call(self.ann, "set_room", room_name=name, public=False)
        self.assertEqual(counts(), [0, 0])
        for name in ("r", "s"):
            self.call(self.ann, "set_room", room_name=name, public=True)
            self.call(self.ann, "set_room", room_name=name, topic="tea")
        self.assertEqual(counts(), [2, 2])
        for name in ("r", "s"):
            self.call(self.ann, "delete_room", room_name=name)
        self.assertEqual(counts(), [0, 0])
