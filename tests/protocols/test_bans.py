"""What clients of the older protocols are told when their user is banned."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.ban_admin import BanTerms
from tests.fakes import TestServer
from tests.protocols.cases import CenterTestCase, LiveChatTestCase, PA1TestCase
from tests.protocols.randomchat.fakes import RandomTestCase

TEXT = "You are banned from this server: spam"


def ban(server: TestServer, pattern: str) -> None:
    """Ban names on a server."""
    bans = server.chat.admin.bans
    Deferred.fromCoroutine(bans.ban_names(pattern, BanTerms("spam"), AT_CONSOLE))
    server.run_pending()


class MessageCenterBans(CenterTestCase):
    def test_a_banned_client_is_told_and_refused(self) -> None:
        self.log_in_all("ann", "bob")
        ban(self.server, "a*")
        self.assertIn((6001, TEXT), self.pushed())
        self.assertEqual(self.request("ann", "GET", "bob").received()[0][-4:], b"FAIL")
        answer = self.exchange(self.connect(), "LIN", "ann", "password")
        self.assertEqual(answer, ["PENNED|60.0"])


class PA1Bans(PA1TestCase):
    def test_a_banned_client_is_told_and_refused(self) -> None:
        self.log_in_all("ann", "bob")
        ban(self.server, "a*")
        self.assertIn((6001, f"\n{TEXT}\n"), self.called())
        self.send("logIn ann password 6003")
        self.assertIn((6003, "BLOCK"), self.called())


class LiveChatBans(LiveChatTestCase):
    def test_a_banned_client_is_told_and_refused(self) -> None:
        self.log_in("alice")
        bob = self.log_in("bob")
        ban(self.server, "b*")
        self.assertRegex(self.texts(bob)[-1], rf"server > {TEXT}$")
        self.assertTrue(bob.closed)
        again = self.connect()
        again.send(b"bob")
        self.assertEqual((b"".join(again.received()), again.closed), (b"NOT_UNIQUE", True))


class RandomChatBans(RandomTestCase):
    def test_a_banned_client_is_told_and_refused(self) -> None:
        client = self.client("Ana", "111")
        ban(self.server, "a*")
        self.assertEqual(client.transport.closed, (4002, f"banned: {TEXT}"))
        for phone in ("111", "222"):
            error = self.client().error("register", user={"name": "Ana", "phone": phone})
            self.assertEqual(error, ("banned", TEXT))
