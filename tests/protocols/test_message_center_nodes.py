"""Message Center at one of two nodes, with users at the other one."""

from __future__ import annotations

from gtchat.protocols.base.dialback import END
from gtchat.protocols.base.dialback_server import DialbackFactory
from gtchat.protocols.message_center import AWAY, SOME_BLOCKED, MessageCenter
from tests.chat.test_edge_cases import DelayedMethod
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


class LogOut(OtherNode):
    """A user who logs out here, and may log in there at once."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.log_in_there("bob")
        self.pushed()

    def log_in_ann_there(self) -> list[tuple[int, str]]:
        """Log ann in at the other node; return what her client is told."""
        center = MessageCenter(self.other.chat, self.reactor, self.rules)
        self.factory = DialbackFactory(center)
        self.log_in("ann", 6002)
        return self.pushed()

    def test_it_is_answered_when_it_is_stored_what_was_read(self) -> None:
        self.bob.call("whisper", target_user="ann", msg="read")
        call = self.accept(reads=False)
        ended = DelayedMethod(self, self.server, "end_session")
        call.read_all()
        out = self.request("ann", "OUT")
        self.assertFalse(out.transport.disconnecting)
        ended.release()
        self.assertTrue(out.closed)
        self.assertEqual(self.log_in_ann_there(), [(6002, "ann has logged on.")])

    def test_it_is_answered_when_it_is_stored_what_was_not_read(self) -> None:
        self.bob.call("speak", room_name="lobby", msg="read")
        call = self.accept(reads=False)
        self.bob.call("speak", room_name="lobby", msg="too late")
        out = self.request("ann", "OUT")
        kept = DelayedMethod(self, self.server, "add_missed")
        call.read_all()
        self.server.run_pending()
        self.assertEqual(self.online(), ["bob"])
        self.assertFalse(out.transport.disconnecting)
        kept.release()
        self.assertTrue(out.closed)
        self.assertEqual(self.log_in_ann_there()[0], (6002, f"{AWAY}[bob]: too late\n"))

    def test_it_is_answered_after_a_moment_if_nothing_can_be_stored(self) -> None:
        ended = DelayedMethod(self, self.server, "end_session")
        out = self.request("ann", "OUT")
        self.reactor.advance(END - 0.1)
        self.assertFalse(out.transport.disconnecting)
        self.reactor.advance(0.2)
        self.server.run_pending()
        self.assertTrue(out.closed)
        ended.release()
        self.assertEqual(self.online(), ["bob"])
