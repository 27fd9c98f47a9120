"""Bans: who is refused and disconnected, on one node and on two."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import bans as bans_module
from gtchat.chat.audit import AT_CONSOLE, Actor
from gtchat.chat.ban_admin import REASON_CHARS, BanTerms
from gtchat.chat.ban_records import PATTERN_CHARS, Ban, NamePattern, parse_network, shown_network
from gtchat.chat.bans import Bans
from gtchat.chat.chat import PRUNE_INTERVAL_S
from gtchat.chat.errors import BadRequest, NoSuchUser, NotAllowed, TooMany
from gtchat.chat.limits import Limits
from gtchat.chat.node_records import BanAdded
from gtchat.chat.rooms import LOBBY
from tests import example_count
from tests.chat.test_administration import OPERATOR, Administered
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import FakeClient, TestServer, nodes

SPAM = BanTerms("spam")
HOUR = BanTerms("spam", 3_600_000)


class Patterns(SynchronousTestCase):
    """Patterns of names."""

    def test_stars_stand_for_any_characters(self) -> None:
        for pattern, name, matches in (
            ("spam*", "Spam1", True),
            ("spam*", "spam", True),
            ("spam*", "notspam", False),
            ("*spam", "NOTSPAM", True),
            ("*a*b*", "xaxbx", True),
            ("*a*b*", "xbxax", False),
            ("a*a", "a", False),
            ("a**a", "aba", True),
            ("ann", "Ann", True),
            ("ann", "Anna", False),
            ("*b*c", "abc", True),
            ("*c*c", "abc", False),
        ):
            self.assertEqual(NamePattern.parse(pattern).matches(name), matches, (pattern, name))

    def test_names_that_look_alike_match(self) -> None:
        self.assertTrue(NamePattern.parse("spam*").matches("Sp\u0430m1"))  # a Cyrillic a
        self.assertTrue(NamePattern.parse("sp\u0430m*").matches("spam1"))
        # As for names themselves: two in ASCII are never alike.
        self.assertFalse(NamePattern.parse("user1").matches("userl"))
        self.assertTrue(NamePattern.parse("\uff33pam*").matches("spam1"))  # of full width

    def test_stores_compare_by_patterns_of_sql(self) -> None:
        pattern = NamePattern.parse("a_b*")
        self.assertEqual((pattern.like_key, pattern.like_skeleton), ("a\\_b%", "~a\\_b%"))
        self.assertEqual(NamePattern.parse("\u0430*").like_skeleton, "_a%")

    def test_a_pattern_needs_characters_of_names(self) -> None:
        for raw in ("", "*", "**", "a b*", "a?", "x" * (PATTERN_CHARS + 1)):
            self.assertRaises(BadRequest, NamePattern.parse, raw)

    @settings(max_examples=example_count(100), deadline=None)
    @given(st.text("ab*", min_size=1, max_size=8), st.text("ab", max_size=10))
    def test_a_pattern_means_what_a_slow_comparison_says(  # G34
        self, raw: str, name: str
    ) -> None:
        if not raw.strip("*"):
            return
        self.assertEqual(NamePattern.parse(raw).matches(name), slowly(raw, name))


def slowly(pattern: str, name: str) -> bool:
    """Return whether a pattern matches, one character after the other."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(slowly(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return name[:1] == pattern[0] and slowly(pattern[1:], name[1:])


class Networks(SynchronousTestCase):
    """Addresses and networks."""

    def setUp(self) -> None:
        self.now = 1000
        self.bans = Bans(lambda: self.now)

    def ban(self, id_: int, network: str, until: int | None = None) -> None:
        self.bans.add(Ban(id_, "network", network, None, "", "Olga", 0, until))

    def test_addresses_are_parsed(self) -> None:
        for raw, shown in (
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ):
            self.assertEqual(shown_network(parse_network(raw)), shown)
        for raw in ("", "ann", "192.0.2.1/24", "2001:db8::/96", "localhost"):
            self.assertRaises(BadRequest, parse_network, raw)

    def test_addresses_in_a_network_are_banned(self) -> None:
        self.assertIsNone(self.bans.of_address("192.0.2.1"))
        self.ban(1, "192.0.2.0/24")
        self.ban(2, "198.51.100.7")
        self.ban(3, "2001:db8::/64")
        for address, ban_id in (
            ("192.0.2.255", 1),
            ("::ffff:192.0.2.1", 1),
            ("192.0.3.1", None),
            ("198.51.100.7", 2),
            ("198.51.100.8", None),
            ("2001:db8::ffff", 3),
            ("2001:db8::1%eth0", 3),
            ("2001:db8:0:1::1", None),
            ("local", None),
        ):
            found = self.bans.of_address(address)
            self.assertEqual(found and found.id, ban_id, address)

    def test_a_ban_ends(self) -> None:
        self.ban(1, "192.0.2.1", 2000)
        refusal = self.bans.refusal("192.0.2.1")
        assert refusal is not None
        self.assertEqual(refusal.retry_after, 1.0)
        self.now = 2000
        self.assertIsNone(self.bans.refusal("192.0.2.1"))
        self.assertIsNone(self.bans.get(1))
        self.ban(2, "192.0.2.2")
        self.bans.drop_old()
        self.assertEqual([ban.id for ban in self.bans.listed()], [2])
        self.bans.remove(2)
        self.bans.remove(2)
        self.assertEqual(self.bans._networks, {})

    def test_this_machine_and_proxies_are_never_banned(self) -> None:
        self.bans.protect([parse_network("203.0.113.0/28")])
        for raw in ("127.0.0.1", "0.0.0.0/0", "::1", "::/0", "203.0.113.5", "203.0.112.0/20"):
            self.assertRaises(BadRequest, self.bans.require_allowed, parse_network(raw))
        self.bans.require_allowed(parse_network("203.0.113.16/28"))
        self.ban(1, "203.0.113.0/24")  # from before it was a proxy's
        self.assertIsNone(self.bans.of_address("203.0.113.5"))
        self.assertIsNotNone(self.bans.of_address("203.0.113.99"))


class BanCase(Administered):
    """A server where Ann is registered and Gus a temporary user, both online."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def begin(self) -> None:
        self.ann = self.server.member("Ann")
        self.gus = self.server.guest("Gus")
        self.bans = self.admin.bans

    def other(self) -> FakeClient:
        """Return a client from an address that is not banned."""
        return self.server.connect("198.51.100.1")

    def assertBanned(self, reply: dict[str, Any], *parts: str) -> None:
        self.assertEqual(reply["code"], "banned", reply)
        for part in parts:
            self.assertIn(part, reply["msg"])

    def assertDisconnected(self, client: FakeClient) -> None:
        assert client.closed is not None
        self.assertEqual(client.closed[0], 4002)
        self.assertRegex(client.closed[1], "^banned: You are banned .*spam")


class AccountBans(BanCase):
    """Bans of accounts."""

    def test_a_banned_account_is_disconnected_and_refused(self) -> None:  # G33
        self.done(self.bans.ban_account("ANN", HOUR, OPERATOR))
        self.assertDisconnected(self.ann)
        reply = self.other().login("ann", pwd="password")
        self.assertBanned(reply, "spam", "until")
        self.assertEqual(round(reply["retry_after"]), 3600)
        self.assertIsNone(self.gus.closed)
        self.assertEqual(self.records(code="ban_added"), [("ban_added", "Olga", "Ann")])
        self.assertFalse(self.server.chat.users.is_online(self.account_id()))

    def test_only_who_knows_the_password_is_told_of_a_ban(self) -> None:
        self.done(self.bans.ban_account("ann", HOUR, OPERATOR))
        self.done(self.bans.ban_names("a*", HOUR, OPERATOR))
        for name in ("ann", "anna"):
            reply = self.other().login(name, pwd="wrong password")
            self.assertEqual(reply["code"], "bad_credentials")
        change = {"new_pwd": "other password", "new_pwd2": "other password", "usr": "ann"}
        for pwd, code in (("wrong password", "bad_credentials"), ("password", "banned")):
            reply = self.other().call("update_pwd", pwd=pwd, **change)
            self.assertEqual(reply["code"], code)

    def account_id(self) -> int:
        account = self.account("ann")
        assert account is not None
        return account.id

    def test_a_ban_ends_and_can_be_removed(self) -> None:
        self.done(self.bans.ban_account("ann", HOUR, OPERATOR))
        self.server.clock.advance(3600)
        self.assertEqual(self.other().login("ann", pwd="password")["status"], "ok")
        ban = self.done(self.bans.ban_account("ann", SPAM, OPERATOR))
        reply = self.other().login("ann", pwd="password")
        self.assertBanned(reply, "banned from this server: spam")
        self.assertNotIn("retry_after", reply)
        self.assertEqual(self.done(self.bans.remove(ban.id, OPERATOR)).target, "Ann")
        self.assertEqual(self.other().login("ann", pwd="password")["status"], "ok")
        self.refused(self.bans.remove(ban.id, OPERATOR), BadRequest)
        self.assertEqual(self.records(code="ban_removed"), [("ban_removed", "Olga", "Ann")])

    def test_a_ban_after_one_that_is_over_stays_when_that_one_is_forgotten(self) -> None:
        for until in (1, None):
            again = "198.51.100.1"
            self.done(self.bans.ban_account("ann", BanTerms(ms=until), OPERATOR))
            self.done(self.bans.ban_network(again, BanTerms(ms=until), OPERATOR))
            self.server.clock.advance(0.002)
        self.server.clock.advance(PRUNE_INTERVAL_S)
        ann = self.server.connect("198.51.100.2")
        self.assertBanned(ann.login("ann", pwd="password"))
        self.assertBanned(self.other().login("Bob"))
        for ban in self.bans.listed():
            self.done(self.bans.remove(ban.id, OPERATOR))
        self.assertEqual(self.other().login("ann", pwd="password")["status"], "ok")

    def test_sessions_and_devices_end(self) -> None:
        phone = self.other()
        reply = phone.login("ann", pwd="password", device="phone", remember=True)
        phone.drop()
        ban = self.done(self.bans.ban_account("ann", BanTerms(), OPERATOR))
        self.assertEqual(ban.text, "You are banned from this server.")
        resume = {"session_id": reply["session_id"], "epoch": reply["epoch"], "seen": {}}
        self.assertEqual(self.other().call("resume", **resume)["code"], "bad_session")
        self.done(self.bans.remove(ban.id, OPERATOR))
        token = {"device": "phone", "device_token": reply["device_token"]}
        again = self.other().call("login", type="device", **token)
        self.assertEqual(again["code"], "bad_credentials")

    def test_no_other_credential_helps(self) -> None:
        self.done(self.bans.ban_account("ann", SPAM, OPERATOR))
        link = self.done(self.admin.accounts.login_link("ann", OPERATOR))
        self.assertBanned(self.other().call("login", type="link", link=link.token), "spam")
        changed = self.other().call(
            "update_pwd", usr="ann", pwd="password", new_pwd="new password", new_pwd2="new password"
        )
        self.assertBanned(changed)

    def test_the_same_account_has_one_ban(self) -> None:
        first = self.done(self.bans.ban_account("ann", HOUR, OPERATOR))
        second = self.done(self.bans.ban_account("ann", BanTerms("again"), OPERATOR))
        self.assertEqual(first.id, second.id)
        self.assertEqual([one.reason for one in self.bans.listed()], ["again"])
        self.assertBanned(self.other().login("ann", pwd="password"), "again")

    def test_who_cannot_be_banned(self) -> None:
        self.refused(self.bans.ban_account("gus", SPAM, OPERATOR), NoSuchUser)
        self.refused(self.bans.ban_account("nowhere", SPAM, OPERATOR), NoSuchUser)
        self.done(self.admin.accounts.set_operator("ann", True, AT_CONSOLE))
        self.refused(self.bans.ban_account("ann", SPAM, OPERATOR), NotAllowed)
        long = BanTerms("x" * (REASON_CHARS + 1))
        self.refused(self.bans.ban_account("ann", long, AT_CONSOLE), BadRequest)
        ban = self.done(self.bans.ban_account("ann", BanTerms("a\nb"), AT_CONSOLE))
        self.assertEqual((ban.reason, ban.by), ("a b", "(console)"))

    def test_a_login_that_is_under_way_is_refused(self) -> None:
        stored, client = DelayedMethod(self, self.server, "login"), self.other()
        client.send("login", type="reg", usr="ann", pwd="password", tracker="t")
        self.assertRefusedLater(stored, client)

    def test_a_resume_that_is_under_way_is_refused(self) -> None:
        client = self.other()
        began = client.login("ann", pwd="password", device="phone")
        client.drop()
        stored, client = DelayedMethod(self, self.server, "resume"), self.other()
        resume = {"session_id": began["session_id"], "epoch": began["epoch"], "seen": {}}
        client.send("resume", tracker="t", **resume)
        self.assertRefusedLater(stored, client)

    def test_a_session_that_began_before_another_node_told_of_the_ban_ends_in_the_store(
        self,
    ) -> None:
        account_id = self.account_id()
        ban = Ban(9, "account", "Ann", account_id, "spam", "Olga", 0, None)
        self.bans.foreign_handlers()[BanAdded](2, BanAdded(ban))
        self.assertDisconnected(self.ann)
        self.server.run_pending()
        self.assertEqual(self.done(self.admin.sessions.listed("ann")), [])

    def assertRefusedLater(self, stored: DelayedMethod, client: FakeClient) -> None:
        """Check that a session which has begun in the store before a ban ends."""
        self.server.run_pending()
        self.done(self.bans.ban_account("ann", SPAM, OPERATOR))
        stored.release()
        self.assertBanned(client.reply("t"), "spam")
        self.assertEqual(self.done(self.admin.sessions.listed("ann")), [])


class NameBans(BanCase):
    """Bans of names."""

    def test_names_that_match_are_refused(self) -> None:
        self.assertEqual(self.done(self.bans.count_names("a*")), 1)
        self.done(self.bans.ban_names("A*", SPAM, OPERATOR))
        self.assertDisconnected(self.ann)
        self.assertIsNone(self.gus.closed)
        for reply in (
            self.other().login("ann", pwd="password"),
            self.other().login("Arnold"),
            self.other().login("\u0430\u0440\u0430"),  # of Cyrillic letters
            self.other().call("register", usr="Arno", pwd="password"),
        ):
            self.assertBanned(reply, "spam")
        self.assertEqual(self.other().login("Bob")["status"], "ok")
        self.assertEqual([one.target for one in self.bans.listed()], ["a*"])

    def test_a_temporary_user_ends(self) -> None:
        self.done(self.bans.ban_names("gus", SPAM, OPERATOR))
        self.assertDisconnected(self.gus)
        self.assertIsNone(self.account("gus"))

    def test_a_session_cannot_be_resumed(self) -> None:
        reply = self.other().login("ann", pwd="password")
        resume = {"session_id": reply["session_id"], "epoch": reply["epoch"], "seen": {}}
        ban = self.done(self.bans.ban_names("ann", SPAM, OPERATOR))
        self.assertEqual(self.other().call("resume", **resume)["code"], "bad_session")
        self.done(self.bans.remove(ban.id, OPERATOR))
        client = self.other()
        reply = client.login("ann", pwd="password")
        client.drop()
        self.done(self.bans.ban_names("ann", SPAM, OPERATOR))
        resume = {"session_id": reply["session_id"], "epoch": reply["epoch"], "seen": {}}
        self.assertBanned(self.other().call("resume", **resume), "spam")

    def test_operators_and_the_server_itself_are_not_concerned(self) -> None:
        self.done(self.admin.accounts.set_operator("ann", True, AT_CONSOLE))
        ann = self.other()
        ann.login("ann", pwd="password")
        self.assertEqual(self.done(self.bans.count_names("*n*")), 0)
        self.done(self.bans.ban_names("*n*", SPAM, OPERATOR))
        self.done(self.bans.ban_names("*o*", SPAM, OPERATOR))
        self.assertIsNone(ann.closed)
        self.assertEqual(self.other().login("ann", pwd="password")["status"], "ok")
        connection = self.gus.api.session.connection
        host = self.done(self.server.chat.logins.login_host(self.server.encoder, connection))
        self.assertEqual(host.user.name, "Host")
        self.done(self.bans.ban_names("*s*", SPAM, OPERATOR))
        self.assertEqual(list(host.user.sessions), [host])

    def test_phones_and_uuids_get_no_banned_name(self) -> None:
        self.done(self.bans.ban_names("mobile*", SPAM, OPERATOR))
        uuid = "3f8a7c1e-9b2d-4e5f-8a6b-1c2d3e4f5a6b"
        self.assertBanned(self.other().call("register", uuid=uuid))

    def test_there_are_few_patterns(self) -> None:  # G34
        with mock.patch("gtchat.chat.ban_admin.MAX_PATTERNS", 1):
            self.done(self.bans.ban_names("b*", SPAM, OPERATOR))
            self.done(self.bans.ban_names("b*", HOUR, OPERATOR))
            self.refused(self.bans.ban_names("c*", SPAM, OPERATOR), TooMany)

    def test_a_guest_whose_login_is_under_way_is_refused(self) -> None:
        stored = DelayedMethod(self, self.server, "login_guest")
        client = self.other()
        client.send("login", type="tmp", usr="Bob", tracker="t")
        self.server.run_pending()
        self.done(self.bans.ban_names("bob", SPAM, OPERATOR))
        stored.release()
        self.server.run_pending()
        self.assertBanned(client.reply("t"), "spam")
        self.assertIsNone(self.account("bob"))


class AddressBans(BanCase):
    """Bans of addresses and networks."""

    def test_clients_from_a_banned_address_are_refused(self) -> None:
        self.done(self.bans.ban_network("192.0.2.0/24", SPAM, AT_CONSOLE))
        self.assertDisconnected(self.ann)
        self.assertDisconnected(self.gus)
        client = self.server.connect("192.0.2.77")
        for reply in (
            client.login("ann", pwd="password"),
            client.login("Bob"),
            client.call("register", usr="Bob", pwd="password"),
            client.call("resume", session_id="x", epoch="x", seen={}),
        ):
            self.assertBanned(reply, "spam")
        self.assertEqual(self.other().login("ann", pwd="password")["status"], "ok")

    def test_an_operator_does_not_ban_the_own_address(self) -> None:
        error = self.refused(self.bans.ban_network("192.0.2.0/24", SPAM, OPERATOR), NotAllowed)
        self.assertIn("Your own", error.text)
        self.refused(self.bans.ban_network("127.0.0.1", SPAM, OPERATOR), BadRequest)
        self.assertIsNone(self.ann.closed)

    def test_there_are_as_many_bans_as_the_limit_allows(self) -> None:  # G34
        self.use(TestServer(Limits(commands_per_second=0, bans=1)))
        self.begin()
        self.done(self.bans.ban_network("203.0.113.1", HOUR, OPERATOR))
        self.refused(self.bans.ban_network("203.0.113.2", SPAM, OPERATOR), TooMany)
        self.server.clock.advance(3600)
        self.done(self.bans.ban_network("203.0.113.2", SPAM, OPERATOR))

    def test_bans_are_there_after_a_restart(self) -> None:
        self.done(self.bans.ban_network("203.0.113.1", SPAM, OPERATOR))
        self.done(self.bans.ban_account("ann", HOUR, OPERATOR))
        self.server.start()
        bans = self.server.chat.admin.bans
        self.assertEqual([one.target for one in bans.listed()], ["Ann", "203.0.113.1"])
        self.assertBanned(self.other().login("ann", pwd="password"), "spam")
        self.server.chat.bans.begin(())
        self.assertEqual(bans.listed(), [])

    def test_a_message_costs_no_look_at_the_bans(self) -> None:  # G33
        self.done(self.bans.ban_network("203.0.113.1", SPAM, OPERATOR))
        with mock.patch.object(bans_module, "_address") as parsed:
            self.assertEqual(self.ann.call("speak", room_name=LOBBY, msg="hello")["status"], "ok")
        parsed.assert_not_called()


class TwoNodes(SynchronousTestCase):
    """Bans that are added at one node, and users at another."""

    def setUp(self) -> None:
        self.a, self.b = nodes(2)
        self.ann, self.gus = self.b.member("Ann"), self.b.guest("Gus")

    def done(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        result = Deferred.fromCoroutine(coroutine)
        self.a.run_pending()
        return self.successResultOf(result)

    def test_all_nodes_disconnect_and_refuse(self) -> None:
        bans = self.a.chat.admin.bans
        for add, client in (
            (bans.ban_account("ann", SPAM, Actor("Olga")), self.ann),
            (bans.ban_names("gus", SPAM, Actor("Olga")), self.gus),
        ):
            self.assertIsNone(client.closed)
            self.done(add)
            self.assertEqual(client.closed and client.closed[0], 4002)
        reply = self.b.connect().login("ann", pwd="password")
        self.assertEqual(reply["code"], "banned")
        self.assertEqual(self.b.connect().login("gus")["code"], "banned")
        for ban in self.b.chat.admin.bans.listed():
            self.done(bans.remove(ban.id, OPERATOR))
        self.assertEqual(self.b.connect().login("gus")["status"], "ok")

    def test_a_node_that_has_not_heard_of_a_ban_refuses_all_the_same(self) -> None:  # G33
        for network, name in ((None, "ann"), ("192.0.2.1", "gus")):
            self.a.store._tables.wakes = False
            bans = self.a.chat.admin.bans
            if network is None:
                self.done(bans.ban_account(name, SPAM, Actor("Olga")))
                reply = self.b.connect().login(name, pwd="password")
            else:
                self.done(bans.ban_network(network, SPAM, Actor("Olga")))
                reply = self.b.connect().login("Bob")
            self.assertEqual(reply["code"], "banned", reply)
            self.assertNotIn("Bob", self.b.chat.users.online.page(None, 9))
