"""Clients of the older protocols whose user is deleted: they are refused afterwards."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gtchat.chat.audit import AT_CONSOLE
from tests.fakes import TestServer
from tests.protocols.cases import CenterTestCase, LiveChatTestCase, PA1TestCase
from tests.protocols.randomchat.fakes import RandomTestCase


def delete(server: TestServer, name: str) -> None:
    """Delete an account."""
    deleting = server.chat.admin.accounts.delete(name, None, None, AT_CONSOLE)
    Deferred.fromCoroutine(deleting)
    server.run_pending()


class MessageCenterDeletions(CenterTestCase):
    def test_a_deleted_user_is_logged_out_and_refused(self) -> None:
        self.log_in_all("ann", "bob")
        self.request("ann", "PUT", "bob|gone soon")
        delete(self.server, "ann")
        self.assertEqual(self.request("ann", "GET", "bob").received()[0][-4:], b"FAIL")
        answer = self.exchange(self.connect(), "LIN", "ann", "password")
        self.assertEqual(answer, ["LOGIN_FAILED|2"])


class PA1Deletions(PA1TestCase):
    def test_a_deleted_user_is_logged_out_and_refused(self) -> None:
        self.log_in_all("ann", "bob")
        delete(self.server, "ann")
        self.called()
        self.send("logIn ann password 6003")
        self.assertIn((6003, "usr not exist"), self.called())


class LiveChatDeletions(LiveChatTestCase):
    def test_the_name_of_a_deleted_user_is_refused(self) -> None:
        self.server.member("bob").drop()
        delete(self.server, "bob")
        client = self.connect()
        client.send(b"bob")
        self.assertEqual((b"".join(client.received()), client.closed), (b"NOT_UNIQUE", True))


class RandomChatDeletions(RandomTestCase):
    def test_a_deleted_user_is_refused_and_the_number_is_free_then(self) -> None:
        client = self.client("Ana", "111")
        delete(self.server, "Ana")
        self.assertIsNotNone(client.transport.closed)
        code, _ = self.client().error("register", user={"name": "Ana", "phone": "111"})
        self.assertEqual(code, "bad_credentials")
        again = self.client("Ana", "111")
        self.assertEqual(again.api.session.user.name, "Ana-2")

    def test_two_clients_with_the_number_are_refused_at_once(self) -> None:
        self.client("Ana", "111")
        delete(self.server, "Ana")
        clients = [self.client() for _ in range(2)]
        for client in clients:
            client.write("register", user={"name": "Ana", "phone": "111"})
        self.server.run_pending()
        codes = [one["code"] for client in clients for one in client.received()]
        self.assertEqual(codes, 2 * ["bad_credentials"])
