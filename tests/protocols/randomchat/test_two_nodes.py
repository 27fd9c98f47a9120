"""RandomChat at two nodes of one chat: the numbers of one are known at the other."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.randomchat import RandomChatState
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import RecordingBatcher, TestServer, nodes
from tests.protocols.randomchat.fakes import RandomClient, RandomTestCase


@attrs.define
class Node:
    """What a client needs of a node."""

    server: TestServer
    state: RandomChatState


class TwoNodes(SynchronousTestCase):
    def setUp(self) -> None:
        batcher: Any = RecordingBatcher()
        self.nodes: list[Any] = [
            Node(server, RandomChatState(server.chat, batcher, lambda payload: payload + b"\n"))
            for server in nodes(limits=RandomTestCase.limits)
        ]
        # Both nodes have read the numbers before there is one.
        self.clients = [RandomClient(node) for node in self.nodes]
        self.ana, self.bob = self.clients
        self.ana.register("Ana", "111")
        self.bob.register("Bob", "222")

    def test_a_user_of_another_node_is_added_by_number(self) -> None:
        self.ana.request("create_chat", name="den")
        [added] = self.ana.request("add_member", chat="den", phone="222")
        self.assertEqual((added["type"], added["user"]["name"]), ("new_member", "Bob"))
        [told] = self.bob.received()
        self.assertEqual([one["phone"] for one in told["chat"]["members"]], ["111", "222"])
        self.ana.request("send_message", chat="den", message="hi")
        [message] = self.bob.received()
        self.assertEqual((message["message"], message["from"]["phone"]), ("hi", "111"))

    def test_the_same_number_is_one_account_at_both_nodes(self) -> None:
        cat = RandomClient(self.nodes[0])
        cat.register("Cat", "333")
        cat.drop()
        RandomClient(self.nodes[1]).register("Other", "333")
        self.assertEqual(list(self.nodes[0].server.chat.users.online.page(None, 9)), OTHERS)

    def test_a_number_is_registered_at_both_nodes_at_once(self) -> None:
        clients = [RandomClient(node) for node in self.nodes]
        for client in clients:
            client.write("register", user={"name": "Cat", "phone": "333"})
        self.nodes[0].server.run_pending()
        kinds = [[one["type"] for one in client.received()] for client in clients]
        self.assertEqual(kinds, [["state"], ["state"]])
        self.assertEqual(list(self.nodes[0].server.chat.users.online.page(None, 9)), OTHERS)

    def test_both_nodes_say_when_a_user_was_connected_last(self) -> None:
        self.nodes[0].server.clock.advance(60)
        self.bob.drop()
        users = [node.state.user("Bob") for node in self.nodes]
        self.assertEqual(users[0], users[1])
        self.assertIn(":01:00", users[0]["disconnection_date"])

    def test_what_was_read_at_one_node_does_not_come_again_at_the_other(self) -> None:
        self.ana.request("create_chat", name="den")
        self.ana.request("add_member", chat="den", phone="222")
        self.ana.request("send_message", chat="den", message="room")
        self.nodes[0].server.guest("web").call("whisper", target_user="Bob", msg="direct")
        self.assertEqual([one["type"] for one in self.bob.received()], ["new_member"] + MESSAGES)
        stored = DelayedMethod(self, self.nodes[1].server, "end_session")
        ended = self.bob.api.connection_lost(clean=True, arrived=True)
        assert ended is not None
        self.assertNoResult(ended)  # for which the answer to the close frame waits
        stored.release()
        self.successResultOf(ended)
        [den] = RandomClient(self.nodes[0]).register("Bob", "222")
        self.assertEqual(den["messages"], [])

    def test_a_node_without_clients_of_randomchat_keeps_no_numbers(self) -> None:
        batcher: Any = RecordingBatcher()
        server = self.nodes[1].server
        state = RandomChatState(server.chat, batcher, lambda payload: payload)
        RandomClient(self.nodes[0]).register("Cat", "333")
        self.assertFalse(state.has_number("333"))
        self.assertTrue(self.nodes[1].state.has_number("333"))


OTHERS = ["Ana", "Bob", "Cat"]
MESSAGES = ["message", "message"]
