"""Limits by address: which addresses count as one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import network_key


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
