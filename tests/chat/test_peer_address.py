"""Peer addresses: requests, answers, and how many requests can wait."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import peer_address
from tests.chat.test_messages import RoomTestCase
from tests.fakes import FakeClient, TestServer


class PeerAddresses(RoomTestCase):
    def test_allowed_request_gets_the_address_once(self) -> None:
        self.assertEqual(self.bob.call("set_address", port=5000)["status"], "ok")
        self.ann.call("get_address", user="bob")
        self.assertEqual(self.bob.pushes("address_request")[0]["usr"], "ann")
        self.assertEqual(self.bob.call("allow", user="ann")["status"], "ok")
        [granted] = self.ann.pushes("address_granted")
        self.assertEqual((granted["host"], granted["port"]), ("192.0.2.1", 5000))
        self.assertEqual(self.bob.call("allow", user="ann")["code"], "not_allowed")

    def test_denied_request_gets_no_address(self) -> None:
        self.ann.call("get_address", user="bob")
        self.assertEqual(self.eve.call("deny", user="ann")["code"], "not_allowed")
        self.assertEqual(self.bob.call("deny", user="ann")["status"], "ok")
        self.assertEqual(len(self.ann.pushes("address_denied")), 1)

    def test_request_expires_after_ten_minutes(self) -> None:
        self.bob.call("set_address", port=5000)
        self.ann.call("get_address", user="bob")
        self.server.clock.advance(601)
        self.assertEqual(self.bob.call("allow", user="ann")["code"], "not_allowed")
        self.eve.call("get_address", user="bob")
        self.eve.call("logout")
        self.assertEqual(self.bob.call("allow", user="eve")["code"], "not_allowed")

    def test_invalid_requests_are_refused(self) -> None:  # F07
        self.eve.call("logout")
        for cmd, fields, code in (
            ("set_address", {"port": 22}, "bad_request"),
            ("set_address", {"port": 70000}, "bad_request"),
            ("get_address", {"user": "ann"}, "self_target"),
            ("get_address", {"user": "eve"}, "no_such_user"),
            ("get_address", {"user": "unknown"}, "no_such_user"),
            ("allow", {"user": "bob"}, "not_allowed"),
        ):
            self.assertEqual(self.ann.call(cmd, **fields)["code"], code, (cmd, fields))


class Bounds(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(peer_address, "MAX_OF_SESSION", 3)
        self.patch(peer_address, "MAX_TO_USER", 3)
        self.server = TestServer()
        self.clients = {name: self.server.guest(name) for name in "abcdef"}
        self.requests = self.server.chat.peer_address._requests

    def ask(self, asker: str, target: str) -> str | None:
        code: str | None = self.clients[asker].call("get_address", user=target).get("code")
        return code

    def deny(self, target: str, asker: str) -> str | None:
        code: str | None = self.clients[target].call("deny", user=asker).get("code")
        return code

    def test_a_session_can_ask_a_limited_number_of_users(self) -> None:
        codes = [self.ask("a", target) for target in "bcde"]
        self.assertEqual(codes, [None, None, None, "not_allowed"])
        self.assertIsNone(self.ask("a", "b"))  # it waits already
        self.assertIsNone(self.deny("b", "a"))
        self.assertIsNone(self.ask("a", "e"))

    def test_a_user_can_be_asked_by_a_limited_number(self) -> None:
        codes = [self.ask(asker, "f") for asker in "abcd"]
        self.assertEqual(codes, [None, None, None, "not_allowed"])
        self.server.clock.advance(600)
        self.assertIsNone(self.ask("d", "f"))

    def test_too_many_in_all_end_the_oldest(self) -> None:
        self.patch(peer_address, "MAX_IN_ALL", 2)
        for asker, target in ("ab", "bc", "cd"):
            self.assertIsNone(self.ask(asker, target))
        self.assertEqual(self.deny("b", "a"), "not_allowed")
        self.assertEqual([self.deny("c", "b"), self.deny("d", "c")], [None, None])

    def test_answered_and_expired_requests_leave_nothing_behind(self) -> None:
        for target in "bcd":
            self.ask("a", target)
        self.deny("b", "a")
        self.server.clock.advance(600)
        self.deny("c", "a")
        requests = self.requests
        self.assertEqual((len(requests), requests._askers, requests._counts), (0, {}, {}))

    def test_each_session_that_asked_is_answered(self) -> None:
        server = TestServer(sessions="share")
        bob, sessions = server.guest("bob"), [server.member("ann")]
        other: FakeClient = server.connect()
        other.login("ann", pwd="password")
        sessions.append(other)
        for session in sessions:
            self.assertEqual(session.call("get_address", user="bob")["status"], "ok")
        bob.call("deny", user="ann")
        self.assertEqual([len(one.pushes("address_denied")) for one in sessions], [1, 1])
