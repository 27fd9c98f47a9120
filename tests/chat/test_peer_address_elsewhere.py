"""Peer addresses of users at two nodes of one chat."""

from __future__ import annotations

from twisted.internet.defer import fail, succeed

from gtchat.chat import peer_address
from gtchat.chat.errors import NotStored
from tests.chat.test_direct_elsewhere import PASSWORD, ElsewhereCase
from tests.fakes import FakeClient

KINDS = ("address_request", "address_granted", "address_denied")


class AddressCase(ElsewhereCase):
    """Ann asks at the first node; Bob answers at the second one."""

    def setUp(self) -> None:
        super().setUp()
        self.eve = self.login("eve", 1)
        self.clients.append(self.eve)

    def ask(self, client: FakeClient, user: str = "bob") -> str | None:
        """Ask for the address of a user; return the error code, None if there is none."""
        code: str | None = client.call("get_address", user=user).get("code")
        return code

    def answer(self, client: FakeClient, cmd: str, user: str = "ann") -> str | None:
        """Answer a user; return the error code, None if there is none."""
        code: str | None = client.call(cmd, user=user).get("code")
        return code

    def counts(self) -> list[int]:
        """Return how many events about addresses each client was sent."""
        return [len(pushes) for pushes in self.pushes(*KINDS)]


class Requests(AddressCase):
    def test_the_session_that_asked_gets_the_address_once(self) -> None:
        self.bob[1].call("set_address", port=5000)
        self.assertIsNone(self.ask(self.ann[0]))
        self.assertEqual(self.counts(), [0, 1, 0, 1, 0])
        self.assertIsNone(self.answer(self.bob[1], "allow"))
        [granted] = self.ann[0].pushes("address_granted")
        self.assertEqual((granted["usr"], granted["port"]), ("bob", 5000))
        self.assertEqual(self.counts(), [0, 0, 0, 0, 0])
        for node in (0, 1):
            self.bob[node].call("set_address", port=5000)
            self.assertEqual(self.answer(self.bob[node], "allow"), "not_allowed")

    def test_the_address_is_refused(self) -> None:
        self.ask(self.ann[0])
        self.assertEqual(self.answer(self.eve, "deny"), "not_allowed")
        self.assertIsNone(self.answer(self.bob[1], "deny"))
        self.assertEqual(len(self.ann[0].pushes("address_denied")), 1)

    def test_a_user_who_is_connected_at_the_other_node_only(self) -> None:
        self.assertIsNone(self.ask(self.ann[0], "eve"))
        self.assertIsNone(self.answer(self.eve, "deny"))
        self.assertEqual(len(self.ann[0].pushes("address_denied")), 1)
        self.eve.call("logout")
        self.assertEqual(self.ask(self.ann[0], "eve"), "no_such_user")

    def test_a_session_that_goes_on_at_the_other_node_gets_the_answer(self) -> None:
        first = self.servers[0].connect()
        login = first.login("ann", pwd=PASSWORD, device="third")
        self.ask(first, "eve")
        moved = self.servers[1].connect()
        fields = {"session_id": login["session_id"], "epoch": login["epoch"], "seen": {}}
        self.assertEqual(moved.call("resume", **fields)["status"], "ok")
        self.eve.call("set_address", port=5000)
        self.assertIsNone(self.answer(self.eve, "allow"))
        self.assertEqual(len(moved.pushes("address_granted")), 1)
        self.assertEqual(self.counts(), [0, 0, 0, 0, 1])

    def test_a_user_who_has_left_the_chat_is_not_answered(self) -> None:
        self.ask(self.eve)
        self.eve.call("logout")
        self.assertEqual(self.answer(self.bob[0], "deny", "eve"), "not_allowed")

    def test_the_user_blocks_who_asks(self) -> None:
        self.bob[1].call("block", user="ann")
        self.forget()
        self.assertEqual(self.ask(self.ann[0]), "blocked")
        self.assertEqual(self.counts(), [0, 0, 0, 0, 0])

    def test_requests_expire_at_both_nodes(self) -> None:
        self.ask(self.ann[0])
        for server in self.servers:
            server.clock.advance(601)
        self.assertEqual(self.answer(self.bob[1], "deny"), "not_allowed")

    def test_two_answers_at_once_are_one(self) -> None:
        self.lose_bus()
        self.ask(self.ann[0])
        self.look()
        codes = [self.answer(self.bob[node], "deny") for node in (0, 1)]
        self.look()
        self.assertEqual(codes, [None, "not_allowed"])
        self.assertEqual(len(self.ann[0].pushes("address_denied")), 1)

    def test_what_is_not_stored_is_not_asked(self) -> None:
        store, stored = self.servers[0].store, [fail(NotStored()), succeed(None)]
        self.patch(store, "tell", lambda entry: stored.pop(0))
        self.assertEqual(self.ask(self.ann[0]), "not_stored")
        self.assertEqual(self.counts(), [0, 0, 0, 0, 0])
        self.assertIsNone(self.ask(self.ann[0]))

    def test_a_node_that_was_lost_has_no_requests(self) -> None:
        self.ask(self.ann[0])
        self.servers[1].chat._lost()
        self.assertEqual(len(self.servers[1].chat.peer_address._requests), 0)


class Bounds(AddressCase):
    def test_the_bound_of_a_user_is_that_of_the_whole_chat(self) -> None:
        self.patch(peer_address, "MAX_TO_USER", 2)
        clients = (self.ann[0], self.ann[1], self.eve)
        codes = [self.ask(client) for client in clients]
        self.assertEqual(codes, [None, None, "not_allowed"])
        self.assertIsNone(self.ask(self.ann[1]))  # it waits already

    def test_one_of_two_requests_at_once_is_refused_at_both_nodes(self) -> None:
        self.patch(peer_address, "MAX_TO_USER", 1)
        self.lose_bus()
        self.assertIsNone(self.ask(self.ann[0]))
        self.forget()
        self.assertEqual(self.ask(self.eve), "not_allowed")
        self.look()
        self.assertEqual(self.counts(), [0, 0, 0, 1, 0])  # that of Ann
        self.assertEqual(self.answer(self.bob[0], "deny", "eve"), "not_allowed")
        self.assertIsNone(self.answer(self.bob[0], "deny"))
