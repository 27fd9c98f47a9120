"""Lockout: how often passwords can be guessed, and who is never refused because of others."""

from __future__ import annotations

from itertools import cycle
from unittest.mock import patch

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import lockout
from gtchat.chat.accounts import CHECKS_AT_ONCE
from gtchat.chat.errors import LockedOut, NotStored
from gtchat.chat.limits import Limits
from gtchat.chat.lockout import NAME_BURST, REMEMBER_S, Lockout, Turns
from tests.fakes import FakeClient, TestServer, nodes

HOME, OFFICE, ELSEWHERE = "192.0.2.1", "198.51.100.7", "203.0.113.9"
DAY = 24 * 3600


class LockoutCase(SynchronousTestCase):
    limits = Limits(commands_per_second=0, registrations_per_minute=0)

    def servers(self) -> list[TestServer]:
        """Return the nodes of the chat, which take turns."""
        return [TestServer(self.limits)]

    def setUp(self) -> None:
        self.turns = cycle(self.servers())
        self.server = next(self.turns)
        self.server.connect(HOME).call("register", usr="ann", pwd="password")

    def code(self, address: str, name: str = "ann", pwd: str = "password") -> str | None:
        """Return the error code of a login over a new connection, None if it succeeds."""
        self.server = next(self.turns)
        client = self.server.connect(address)
        code: str | None = client.login(name, pwd=pwd).get("code")
        client.drop()
        return code

    def wrong(self, address: str, name: str = "ann", times: int = 1) -> list[str | None]:
        """Return the error codes of so many wrong passwords."""
        return [self.code(address, name, "wrong password") for _ in range(times)]


class Pairs(LockoutCase):
    """One name from one network."""

    def test_three_wrong_passwords_suspend_the_right_one(self) -> None:
        for address in (ELSEWHERE, HOME):  # unknown, and known to the account
            self.assertEqual(self.wrong(address, times=3), ["bad_credentials"] * 3)
            reply = self.server.connect(address).login("ann", pwd="password")
            self.assertEqual(reply["code"], "locked_out")
            self.assertAlmostEqual(reply["retry_after"], 60, places=1)
        self.server.clock.advance(60)
        self.assertEqual([self.code(HOME), self.code(ELSEWHERE)], [None, None])

    def test_addresses_of_one_network_are_one(self) -> None:  # G21
        codes = [code for n in range(1, 5) for code in self.wrong(f"2001:db8::{n}")]
        self.assertEqual(codes, ["bad_credentials"] * 3 + ["locked_out"])
        self.assertIsNone(self.code("2001:db8:0:1::1"))

    def test_other_networks_are_not_suspended(self) -> None:
        self.wrong(ELSEWHERE, times=3)
        self.assertIsNone(self.code(OFFICE))

    def test_the_right_password_resets_the_count(self) -> None:
        self.wrong(ELSEWHERE, times=2)
        self.assertIsNone(self.code(ELSEWHERE))
        self.assertEqual(self.wrong(ELSEWHERE, times=2), ["bad_credentials"] * 2)

    def test_an_unknown_name_is_treated_like_a_known_one(self) -> None:
        self.assertEqual(self.wrong(ELSEWHERE, "unknown", 4), self.wrong(ELSEWHERE, times=4))
        self.assertEqual(self.wrong(OFFICE, "no such name!"), ["bad_credentials"])

    def test_a_protocol_can_set_the_duration(self) -> None:
        client = self.server.connect(ELSEWHERE)

        def attempt(pwd: str) -> Deferred[object]:
            login = self.server.chat.logins.login(
                "ann", pwd, None, self.server.encoder, client.api, None, 30.0
            )
            result = Deferred.fromCoroutine(login)
            self.server.run_pending()
            return result

        for _ in range(3):
            self.failureResultOf(attempt("wrong password"))
        refused = self.failureResultOf(attempt("password"), LockedOut).value
        self.assertAlmostEqual(refused.retry_after, 30.0)
        self.server.clock.advance(30)
        self.successResultOf(attempt("password"))

    def test_attempts_left_are_counted_down(self) -> None:
        self.assertEqual(self.server.chat.accounts.attempts_left("ann", ELSEWHERE), 0)
        for left in (2, 1, 0):
            self.wrong(ELSEWHERE)
            self.assertEqual(self.server.chat.accounts.attempts_left("ANN", ELSEWHERE), left)

    def test_an_attempt_that_was_being_checked_does_not_pass_a_lockout(self) -> None:
        self.server.passwords.held = held = []
        clients = [self.server.connect(HOME) for _ in range(4)]
        for client, pwd in zip(clients, ["wrong"] * 3 + ["password"], strict=True):
            client.send("login", type="reg", usr="ann", pwd=pwd, tracker="1")
            self.server.run_pending()
        for waiting in held:
            waiting.callback(None)
        self.server.run_pending()
        codes = [client.reply("1")["code"] for client in clients]
        self.assertEqual(codes, ["bad_credentials"] * 3 + ["locked_out"])


class KnownNetworks(LockoutCase):
    """A network where the account registered or logged in lately."""

    def fail_everywhere(self) -> None:
        """Use up the rate of the name from other networks, and the rate of the network at home."""
        for number in range(NAME_BURST + 5):
            self.wrong(f"198.51.100.{number}")
        for number in range(15):
            self.wrong(HOME, f"other{number}")

    def test_failures_of_others_do_not_refuse_the_right_password(self) -> None:  # D03, D26
        self.fail_everywhere()
        self.assertEqual(self.code("203.0.113.200"), "locked_out")
        self.assertEqual(self.wrong(HOME, "another"), ["rate_limited"])
        self.assertIsNone(self.code(HOME))

    def test_a_login_makes_a_network_known(self) -> None:
        self.assertIsNone(self.code(OFFICE))
        for number in range(15):
            self.wrong(OFFICE, f"other{number}")
        self.assertIsNone(self.code(OFFICE))

    def test_a_restart_forgets_no_network(self) -> None:  # D26
        self.server.start()
        self.fail_everywhere()
        self.assertIsNone(self.code(HOME))

    def test_a_network_is_forgotten_after_thirty_days(self) -> None:
        for days, code in ((29, None), (30, "rate_limited")):
            self.server.clock.advance(days * DAY)
            for number in range(15):
                self.wrong(HOME, f"other{days}{number}")
            self.assertEqual(self.code(HOME), code)

    def test_wrong_passwords_in_a_known_network_count_for_it(self) -> None:
        for number in range(4):
            name = f"colleague{number}"
            self.server.connect(HOME).call("register", usr=name, pwd="password")
            self.assertEqual(self.wrong(HOME, name, 3), ["bad_credentials"] * 3)
        self.assertEqual(self.wrong(HOME, "unknown"), ["rate_limited"])


class UnknownNetworks(LockoutCase):
    def test_guesses_for_many_names_are_limited(self) -> None:  # D02
        codes = [code for n in range(11) for code in self.wrong(ELSEWHERE, f"u{n}")]
        self.assertEqual(codes, ["bad_credentials"] * 10 + ["rate_limited"])

    def test_guesses_from_many_networks_are_slowed_down(self) -> None:
        codes = [code for n in range(60) for code in self.wrong(f"2001:db8:0:{n:x}::1")]
        self.assertEqual(codes.count("bad_credentials"), NAME_BURST)
        self.assertEqual(codes.count("locked_out"), 60 - NAME_BURST)

    def send_logins(self, count: int, pwd: str) -> list[FakeClient]:
        """Send so many logins of different names at once, and hold their checks back."""
        return self.send([(ELSEWHERE, f"u{number}") for number in range(count)], pwd)

    def send(self, guesses: list[tuple[str, str]], pwd: str) -> list[FakeClient]:
        """Send logins from addresses with names at once, and hold their checks back."""
        self.server.passwords.held = []
        clients = []
        for address, name in guesses:
            client = self.server.connect(address)
            client.send("login", type="reg", usr=name, pwd=pwd, tracker="1")
            clients.append(client)
        self.server.run_pending()
        return clients

    def check_all(self, clients: list[FakeClient]) -> list[str | None]:
        """Finish all checks, and return the codes of the replies."""
        held = self.server.passwords.held
        assert held is not None
        while held:
            held.pop(0).callback(None)
            self.server.run_pending()
        self.server.passwords.held = None
        return [client.reply("1").get("code") for client in clients]

    def test_guesses_at_the_same_time_are_limited_as_well(self) -> None:  # D27
        clients = self.send_logins(40, "wrong password")
        assert self.server.passwords.held is not None
        self.assertEqual(len(self.server.passwords.held), CHECKS_AT_ONCE)
        codes = self.check_all(clients)
        self.assertEqual(codes, ["bad_credentials"] * 10 + ["rate_limited"] * 30)

    def test_guesses_from_many_networks_at_the_same_time_are_limited_as_well(self) -> None:
        clients = self.send([(f"198.51.100.{number}", "ann") for number in range(60)], "wrong")
        codes = self.check_all(clients)
        self.assertEqual(codes.count("bad_credentials"), NAME_BURST)
        self.assertEqual(codes.count("locked_out"), 60 - NAME_BURST)

    def test_many_who_log_in_at_the_same_time_wait_for_their_turn(self) -> None:  # D27
        for rate in (10, 3, 0.5, 0):
            self.limits = attrs.evolve(type(self).limits, failed_logins_per_minute=rate)
            self.setUp()
            for number in range(40):
                self.server.connect(HOME).call("register", usr=f"u{number}", pwd="password")
            clients = self.send_logins(40, "password")
            self.assertEqual(self.check_all(clients), [None] * 40)
            codes = self.wrong(ELSEWHERE) + [self.code(ELSEWHERE, "x", "wrong")]
            self.assertEqual(codes[0], "bad_credentials")
            self.assertEqual(codes[1], "rate_limited" if rate == 0.5 else "bad_credentials")

    def test_a_check_that_fails_is_no_wrong_password(self) -> None:
        for _ in range(20):
            [client] = self.send_logins(1, "password")
            assert self.server.passwords.held is not None
            with capturedLogs():
                self.server.passwords.held.pop().errback(ZeroDivisionError())
                self.server.run_pending()
            self.assertEqual(client.reply("1")["code"], "internal")
            self.server.passwords.held = None
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(self.wrong(ELSEWHERE, "u0"), ["bad_credentials"])


class BoundedTables(SynchronousTestCase):
    """What clients can fill has a bound."""

    def test_old_failures_are_forgotten(self) -> None:  # G11
        now = [0.0]
        counts = Lockout(Limits(), lambda: now[0])
        for number in range(100):
            counts.failed(f"name{number}", f"192.0.2.{number}")
            now[0] += REMEMBER_S
        for table in (counts._attempts, counts._by_name, counts._by_network):
            self.assertLessEqual(len(table), 3)

    def test_a_full_table_forgets_the_oldest_failures(self) -> None:
        counts = Lockout(Limits(), lambda: 0.0)
        with patch.object(lockout, "MAX_PAIRS", 3):
            for number in range(10):
                counts.failed(f"name{number}", "192.0.2.1")
        self.assertEqual([name for name, _ in counts._attempts], ["name7", "name8", "name9"])

    def test_a_full_table_keeps_suspensions_that_are_in_force(self) -> None:
        now = [0.0]
        counts = Lockout(Limits(lockout_tries=1, lockout_seconds=60), lambda: now[0])
        with patch.object(lockout, "MAX_PAIRS", 3):
            counts.failed("ann", "192.0.2.1")
            for number in range(10):
                counts.set_pair(f"name{number}", "192.0.2.2", 1, -1)
            self.assertRaises(LockedOut, counts.check, "ann", "192.0.2.1")
            now[0] = 60.0  # it is over
            counts.set_pair("bob", "192.0.2.2", 1, -1)
            self.assertNotIn(("ann", "192.0.2.1"), counts._attempts)
            # Where all are in force, the oldest is forgotten.
            for number in range(10):
                counts.failed(f"name{number}", "192.0.2.1")
        self.assertEqual([name for name, _ in counts._attempts], ["name7", "name8", "name9"])

    def test_turns_leave_nothing_behind(self) -> None:
        turns, order = Turns(lambda: 1), list[str]()
        gates = {name: Deferred[None]() for name in "ab"}

        async def work(name: str) -> None:
            await gates[name]
            order.append(name)

        done = [Deferred.fromCoroutine(turns.run("key", lambda n=n: work(n))) for n in "ab"]
        gates["b"].callback(None)
        self.assertEqual((order, len(turns)), ([], 1))
        gates["a"].errback(ZeroDivisionError())
        self.failureResultOf(done[0], ZeroDivisionError)
        self.successResultOf(done[1])
        self.assertEqual((order, len(turns)), (["b"], 0))


class PairsOfNodes(Pairs):
    """The same, where each guess comes to another node than the one before."""

    def servers(self) -> list[TestServer]:
        return nodes(2, self.limits)


class KnownNetworksOfNodes(KnownNetworks):
    """See `PairsOfNodes`."""

    def servers(self) -> list[TestServer]:
        return nodes(2, self.limits)


class AtOnce(SynchronousTestCase):
    """Guesses that come to two nodes at once."""

    def setUp(self) -> None:
        self.nodes = nodes(2, LockoutCase.limits)
        for name in ("ann", "bob"):
            self.nodes[0].connect(HOME).call("register", usr=name, pwd="password")

    def guess(self, address: str, *names: str, pwd: str = "wrong password") -> list[object]:
        """Guess for each name at both nodes, before any guess is checked; return the codes."""
        held: list[Deferred[None]] = []
        clients = []
        for server in self.nodes:
            server.passwords.held = held
            for name in names:
                clients.append(server.connect(address))
                clients[-1].send("login", type="reg", usr=name, pwd=pwd, tracker="1")
        self.nodes[0].run_pending()
        while held:
            held.pop(0).callback(None)
            self.nodes[0].run_pending()
        for server in self.nodes:
            server.passwords.held = None
        return [client.reply("1").get("code") for client in clients]

    def test_no_more_for_a_name_than_at_one_node(self) -> None:
        for address in (HOME, ELSEWHERE):
            codes = self.guess(address, "ann", "ann", "ann")
            self.assertEqual(sorted(map(str, codes)), ["bad_credentials"] * 3 + ["locked_out"] * 3)

    def test_no_more_from_a_network_than_at_one_node(self) -> None:
        codes = self.guess(ELSEWHERE, *(f"n{number}" for number in range(8)))
        self.assertEqual((codes.count("bad_credentials"), codes.count("rate_limited")), (10, 6))

    def test_right_passwords_at_once_count_for_nothing(self) -> None:
        for _ in range(3):
            self.assertEqual(self.guess(ELSEWHERE, *["ann", "bob"] * 2, pwd="password"), [None] * 8)

    def test_a_guess_that_could_not_be_checked_counts_for_nothing(self) -> None:
        def fail_to_verify(*details: object) -> Deferred[bool]:
            return fail(OSError())

        for server in self.nodes:
            with patch.object(server.passwords, "verify", fail_to_verify):
                for _ in range(8):
                    server.connect(ELSEWHERE).login("ann", pwd="password")
                server.connect(HOME).login("ann", pwd="password")
        self.flushLoggedErrors(OSError)
        self.assertEqual(self.nodes[0].store._tables.failures, {})

    def test_nothing_is_checked_that_cannot_be_counted(self) -> None:
        server = self.nodes[1]
        with patch.object(server.store, "count_failures", lambda *_: fail(NotStored())):
            reply = server.connect(HOME).login("ann", pwd="password")
        self.assertEqual(reply["code"], "not_stored")
