"""Blocks between users at two nodes of one chat."""

from __future__ import annotations

from gtchat.chat import blocks
from tests.chat.test_direct_elsewhere import ElsewhereCase, texts


class Blocks(ElsewhereCase):
    def test_a_block_holds_at_each_node(self) -> None:
        self.ann[0].call("create_room", room_name="r")
        self.ann[0].call("add_member", room_name="r", user="bob")
        self.bob[1].call("block", user="ann")
        self.forget()
        for client in self.ann:
            client.call("speak", room_name="r", msg="hidden")
            client.call("typing", room_name="lobby")
            self.servers[0].clock.advance(5)
            self.assertEqual(self.whisper(client, "bob")["code"], "blocked")
        found = [{push.get("type", push["cmd"]) for push in one} for one in self.pushes()]
        self.assertEqual([found[1], found[3]], [set(), set()])
        self.assertEqual([found[0], found[2]], [{"c_speak"}, {"c_speak"}])
        self.bob[0].call("unblock", user="ann")
        for client in self.ann:
            client.call("speak", room_name="r", msg="heard")
            self.whisper(client, "bob", "heard")
        self.assertEqual(
            [texts(client.pushes("c_speak", "c_whisper")) for client in self.bob],
            [["heard"] * 4] * 2,
        )

    def test_the_list_is_the_same_at_each_node(self) -> None:
        self.assertEqual(self.bob[0].call("block", user="ann")["blocked"], ["ann"])
        self.assertEqual(self.bob[1].call("block", user="eve")["blocked"], ["ann", "eve"])
        self.assertEqual(self.bob[1].call("unblock", user="ann")["blocked"], ["eve"])
        self.assertEqual(self.bob[0].call("unblock", user="ann")["blocked"], ["eve"])
        for server in self.servers:
            bob = server.chat.users.get("bob")
            assert bob is not None
            self.assertEqual(list(bob.blocked.values()), ["eve"])
            self.assertEqual(list(server.chat.users._blocking), [*bob.blocked])

    def test_a_block_that_is_not_told_yet_refuses_messages_and_invitations(self) -> None:
        self.ann[0].call("create_room", room_name="r")
        self.lose_bus()
        self.bob[1].call("block", user="ann")
        self.assertEqual(self.whisper(self.ann[0], "bob")["code"], "blocked")
        ann = self.servers[0].chat.users.get("ann")
        assert ann is not None
        self.assertEqual(len(ann.blocked_by), 1)  # which the same batch has brought
        self.bob[1].call("unblock", user="ann")
        self.bob[1].call("block", user="ann")
        reply = self.ann[0].call("invite", room_name="r", invitee="bob")
        self.assertEqual(reply["code"], "blocked")

    def test_the_limit_counts_blocks_of_other_nodes(self) -> None:
        self.patch(blocks, "BLOCK_LIMIT", 1)
        self.lose_bus()
        for client, name in ((self.bob[0], "ann"), (self.bob[1], "eve")):
            client.send("block", user=name, tracker="b")
        self.servers[0].run_pending()
        codes = [client.reply("b").get("code") for client in self.bob]
        self.assertEqual(codes, [None, "not_allowed"])

    def test_what_a_blocked_user_says_is_hidden_after_a_login_elsewhere(self) -> None:
        self.bob[1].call("logout")
        self.bob[0].call("block", user="ann")
        bob = self.login("bob", 1)
        bob.received()
        self.ann[0].call("speak", room_name="lobby", msg="hidden")
        self.ann[1].call("speak", room_name="lobby", msg="hidden")
        self.assertEqual(bob.pushes("c_speak"), [])
