"""Two nodes of one chat: rooms and presence are those of the whole chat at each of them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.node_records import Online
from tests.fakes import FakeClient, TestServer, nodes


class TwoNodesCase(SynchronousTestCase):
    """Ann is at the first node, bob and eve are at the second."""

    def setUp(self) -> None:
        self.first, self.second = nodes(2)
        self.ann = self.first.member("ann")
        self.bob, self.eve = self.second.member("bob"), self.second.member("eve")
        self.clear()

    def clear(self) -> None:
        for client in (self.ann, self.bob, self.eve):
            client.received()

    def call(self, client: FakeClient, cmd: str, **fields: object) -> dict[str, Any]:
        """Let a client ask for something that is done. Return the reply."""
        reply = client.call(cmd, **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def events(self, client: FakeClient, *kinds: str) -> list[tuple[str, str]]:
        """Take the pushes to a client: kind and user."""
        return [(push.get("type", push["cmd"]), push["usr"]) for push in client.pushes(*kinds)]


class TwoNodes(TwoNodesCase):
    def test_a_protocol_hears_what_other_nodes_tell(self) -> None:
        heard: list[tuple[int, Online]] = []
        self.second.chat.hear({Online: lambda *told: heard.append(told)})
        gus = self.first.guest("gus").api.session
        self.second.guest("hal")
        assert gus is not None
        self.assertEqual(heard, [(1, Online(came={gus.user.id: "gus"}))])

    def test_a_room_lives_at_both(self) -> None:
        self.call(self.ann, "create_room", room_name="r", keep_days=9)
        self.assertEqual(self.events(self.eve), [("room_created", "ann")])
        joined = self.call(self.bob, "join_room", room_name="r")
        self.assertEqual(joined["room"]["keep_days"], 9)
        ack = self.call(self.bob, "speak", room_name="r", msg="hi")
        join, message = self.ann.pushes()
        self.assertEqual((join["type"], join["usr"]), ("join_room", "bob"))
        self.assertEqual((message["msg"], message["seq"]), ("hi", ack["seq"]))
        self.clear()
        self.call(self.ann, "edit", room_name="r", seq=self.say(self.ann), msg="new")
        self.assertEqual(self.events(self.bob), [("c_speak", "ann"), ("edited", "ann")])
        self.call(self.ann, "kick", room_name="r", user="bob")
        self.say(self.ann)
        self.assertEqual(self.events(self.bob), [("kicked", "bob")])
        self.assertEqual(self.bob.call("speak", room_name="r", msg="x")["code"], "not_in_room")
        self.clear()
        self.call(self.ann, "delete_room", room_name="r")
        self.assertEqual(self.events(self.eve), [("room_gone", "ann")])
        self.assertEqual(self.eve.call("join_room", room_name="r")["code"], "no_such_room")
        self.call(self.eve, "create_room", room_name="R")
        self.assertEqual(self.events(self.ann), [("room_created", "eve")])

    def say(self, client: FakeClient) -> int:
        """Let a client speak in the room `r`. Return the number of the message."""
        return int(self.call(client, "speak", room_name="r", msg="x")["seq"])

    def test_the_other_sessions_of_a_user_follow_the_user(self) -> None:
        again = self.second.connect()
        again.login("ann", pwd="password", device="second")
        self.call(self.ann, "create_room", room_name="r", public=False)
        self.assertEqual(self.events(again), [("room_created", "ann")])
        self.say(again)
        self.assertEqual(self.events(self.ann), [("c_speak", "ann")])
        self.call(again, "leave_room", room_name="r")
        self.assertEqual(self.events(self.ann), [("leave_room", "ann")])
        self.call(again, "delete_room", room_name="r")
        self.assertEqual(self.events(self.ann), [("room_gone", "ann")])

    def test_users_of_both_are_online(self) -> None:
        gus = self.first.guest("gus")
        self.assertEqual(self.events(self.bob, "login", "logout"), [("login", "gus")])
        users = ["ann", "bob", "eve", "gus"]
        for client in (gus, self.eve):
            self.assertEqual(client.call("get_user_list")["users"], users)
        again = self.second.connect()
        again.login("ann", pwd="password", device="second")
        self.ann.drop()
        again.call("logout")
        self.assertEqual(self.events(self.bob, "login", "logout"), [("logout", "ann")])

    def test_a_guest_of_the_other_node_is_found(self) -> None:
        gus = self.second.guest("gus")
        self.call(self.ann, "create_room", room_name="r", public=False)
        self.call(self.ann, "add_member", room_name="r", user="gus")
        self.assertEqual(self.events(gus, "join_room"), [("join_room", "gus")])
        self.assertEqual(self.ann.call("block", user="gus")["blocked"], ["gus"])
        self.assertEqual(self.ann.call("block", user="gas")["code"], "no_such_user")

    def test_a_blocked_user_of_the_other_node_is_not_heard(self) -> None:
        self.call(self.ann, "create_room", room_name="r")
        for client in (self.bob, self.eve):
            self.call(client, "join_room", room_name="r")
        self.call(self.ann, "block", user="bob")
        self.clear()
        self.say(self.bob)
        self.say(self.eve)
        self.assertEqual(self.events(self.ann), [("c_speak", "eve")])

    def test_users_of_a_node_that_has_ended_are_offline(self) -> None:
        self.first.store.expire(self.second.store)
        self.first.run_pending()
        self.assertEqual(
            self.events(self.ann, "login", "logout"), [("logout", "bob"), ("logout", "eve")]
        )
        self.assertEqual(self.ann.call("get_user_list")["users"], ["ann"])


class Refused(TwoNodesCase):
    """The nodes do not wake each other: what is refused may have become right elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.call(self.ann, "create_room", room_name="r")
        self.there = self.first.connect()
        self.there.login("bob", pwd="password", device="second")
        self.first.store._tables.wakes = False
        self.looked: list[Any] = []
        catch_up = self.second.store.catch_up

        def count(rooms: Any = ()) -> Any:
            self.looked.append(tuple(rooms))
            return catch_up(rooms)

        self.patch(self.second.store, "catch_up", count)

    def test_a_user_who_has_left_elsewhere_joins_again(self) -> None:
        self.call(self.bob, "join_room", room_name="r")
        self.call(self.there, "leave_room", room_name="r")
        self.call(self.bob, "join_room", room_name="R", txn="1")
        self.assertEqual(self.looked, [(self.second.chat.rooms.find("r").id,)])

    def test_a_room_that_is_new_elsewhere_is_joined(self) -> None:
        self.call(self.ann, "create_room", room_name="new")
        self.call(self.bob, "join_room", room_name="new")
        self.assertEqual(self.looked, [])

    def test_who_has_become_a_member_elsewhere_reads_the_room(self) -> None:
        self.call(self.there, "join_room", room_name="r")
        self.call(self.bob, "history", room_name="r", limit=1)
        self.assertEqual(len(self.looked), 1)

    def test_what_is_refused_again_is_refused_after_one_look(self) -> None:
        for cmd, room, code in (
            ("join_room", "nowhere", "no_such_room"),
            ("leave_room", "r", "not_in_room"),
            ("history", "r", "not_in_room"),
            ("create_room", "r", "room_exists"),
            ("kick", "r", "not_owner"),
        ):
            self.looked.clear()
            fields = {"user": "ann"} if cmd == "kick" else {}
            self.assertEqual(self.bob.call(cmd, room_name=room, **fields)["code"], code)
            self.assertEqual(len(self.looked), 1, cmd)

    def test_a_server_that_is_alone_does_not_look(self) -> None:
        alone = TestServer()
        self.patch(alone.store, "catch_up", lambda *_: self.fail("it has looked"))
        eve = alone.member("eve")
        for cmd in ("join_room", "history"):
            self.assertEqual(eve.call(cmd, room_name="r")["code"], "no_such_room")
