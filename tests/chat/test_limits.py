"""Limits by address: which addresses count as one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits, network_key
from tests.fakes import TestServer


class NetworkKeys(SynchronousTestCase):
    def test_key_of_each_kind_of_address(self) -> None:
        for address, key in (
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::1", "::/64"),
            ("local", "local"),
            ("", ""),
        ):
            self.assertEqual(network_key(address), key, address)

    def test_registrations_from_a_network_are_limited(self) -> None:  # G21
        server = TestServer(
            Limits(commands_per_second=0, registrations_burst=2, registrations_per_minute=60)
        )

        def register(address: str, name: str) -> str | None:
            reply = server.connect(address).call("register", usr=name, pwd="password")
            code: str | None = reply.get("code")
            return code

        codes = [register(f"2001:db8::{number}", f"u{number}") for number in range(3)]
        self.assertEqual(codes, [None, None, "rate_limited"])
        self.assertIsNone(register("2001:db8:0:1::1", "u9"))
        server.clock.advance(1)
        self.assertIsNone(register("2001:db8::1", "u2"))
