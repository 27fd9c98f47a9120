"""Message Center at one of two nodes, with users at the other one."""

from __future__ import annotations

from gtchat.protocols.message_center import SOME_BLOCKED
from tests.fakes import FakeClient, nodes
from tests.protocols.cases import CenterTestCase


class OtherNode(CenterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log_in_all("ann")

    def make_server(self) -> None:
        self.server, self.other = nodes(2, self.limits, clock=self.reactor)

    def log_in_there(self, name: str) -> FakeClient:
        """Log in at the other node, over the JSON API."""
        client = self.other.connect("203.0.113.99")
        self.assertEqual(client.login(name, pwd="password")["status"], "ok")
        return client

    def test_a_broadcast_of_a_user_who_is_blocked_there(self) -> None:
        self.log_in_there("bob").call("block", user="ann")
        self.pushed()
        self.request("ann", "BRD", "hello")
        self.assertEqual(self.pushed(), [(6001, SOME_BLOCKED)])

    def test_allow_without_a_request_for_a_user_there_is_ignored(self) -> None:
        self.log_in_there("bob")
        self.pushed()
        self.request("ann", "ALL", "bob")
        self.assertEqual(self.pushed(), [])

    def test_only_the_presence_of_those_who_block_is_hidden(self) -> None:
        bob = self.log_in_there("bob")
        bob.call("block", user="ann")
        bob.call("logout")
        self.pushed()
        self.log_in_there("bob")
        self.assertEqual(self.pushed(), [])
        self.log_in_there("eve")
        self.assertEqual(self.pushed(), [(6001, "eve has logged on.")])
