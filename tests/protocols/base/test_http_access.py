"""Origins, hosts, proxies, addresses and header sections, as tables."""

from __future__ import annotations

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.http_access import (
    LOCAL,
    Hosts,
    Origins,
    Proxies,
    http_response,
    is_ambiguous_header,
    peer_address,
    plain_address,
)


class HTTPAccess(SynchronousTestCase):
    def test_which_origins_may_connect(self) -> None:
        origins = Origins(("https://named.example",), frozenset({8080}))
        for origin, host, allowed in (
            (None, "x", True),
            ("https://named.example", "x", True),
            ("http://a.example:8080", "a.example:9000", True),
            ("http://a.example", "a.example", True),
            ("https://a.example", "a.example", True),
            ("https://a.example", "a.example:9000", False),
            ("http://[::1]:8080", "[::1]:9000", True),
            ("http://b.example:8080", "a.example:9000", False),
            ("http://a.example:8080/path", "a.example:9000", False),
            ("ftp://a.example:8080", "a.example:9000", False),
            ("http://a.example:99999", "a.example:9000", False),
            ("http://", "", False),
            ("null", "a.example", False),
            ("nonsense", "a.example", False),
        ):
            self.assertEqual((origin, origins.allow(origin, host)), (origin, allowed))
        self.assertTrue(Origins(("*",)).allow("http://any.example", "x"))
        self.assertTrue(Origins(file_page=True).allow("null", "x"))

    def test_which_hosts_are_known(self) -> None:  # A06
        hosts = Hosts(frozenset({"chat.example"}))
        for host, known in (
            ("chat.example", True),
            ("Chat.Example:8080", True),
            ("localhost:9000", True),
            ("127.0.0.1:9000", True),
            ("[::1]:9000", True),
            ("attacker.example", False),
            ("chat.example.attacker.example", False),
            ("127.0.0.1.attacker.example", False),
            ("[::1", False),
            ("", False),
        ):
            self.assertIs(hosts.known(host), known, host)
            self.assertIs(Hosts().known(host), True)

    def test_the_client_address_behind_proxies(self) -> None:  # A31
        proxies = Proxies.named(["10.0.0.0/8", "2001:db8::1"])
        for peer, forwarded, client in (
            ("10.1.1.1", "1.2.3.4", "1.2.3.4"),
            ("10.1.1.1", "1.2.3.4:4711", "1.2.3.4"),
            ("10.1.1.1", "[2001:db8::9]:4711", "2001:db8::9"),
            ("10.1.1.1", "[2001:db8::9]", "2001:db8::9"),
            ("10.1.1.1", "2001:db8::9", "2001:db8::9"),
            ("10.1.1.1", "1.2.3.4,", "1.2.3.4"),
            ("10.1.1.1", " 1.2.3.4 ,\t, ", "1.2.3.4"),
            ("10.1.1.1", "1.2.3.4:1, 10.2.2.2:2", "1.2.3.4"),
            ("10.1.1.1", "1.2.3.4, unknown, 10.2.2.2", "10.2.2.2"),
            ("10.1.1.1", "1.2.3.4, unix:", "10.1.1.1"),
            ("10.1.1.1", "1.2.3.4:what:4711", "10.1.1.1"),
            ("10.1.1.1", "1" * 10_000, "10.1.1.1"),
            ("10.1.1.1", "", "10.1.1.1"),
            ("local", "1.2.3.4", "local"),
            ("10.1.1.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            ("10.1.1.1", "6.6.6.6, 1.2.3.4, 10.2.2.2", "1.2.3.4"),
            ("10.1.1.1", None, "10.1.1.1"),
            ("10.1.1.1", "1.2.3.4, what", "10.1.1.1"),
            ("2001:db8::1", "::ffff:1.2.3.4", "1.2.3.4"),
            ("9.9.9.9", "1.2.3.4", "9.9.9.9"),
        ):
            self.assertEqual(proxies.client_address(peer, forwarded), client)
        self.assertRaises(ValueError, Proxies.named, ["here"])
        self.assertNotIn("local", proxies)

    def test_the_forwarded_header(self) -> None:  # A31
        """RFC 7239 section 4."""
        proxies = Proxies.named(["10.0.0.0/8"])
        for forwarded, client in (
            ("for=1.2.3.4", "1.2.3.4"),
            ("For=1.2.3.4;proto=https;by=10.1.1.1", "1.2.3.4"),
            ('proto=http; for="1.2.3.4:4711" ;host=a.example', "1.2.3.4"),
            ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
            ('for="[2001:db8:cafe::17]"', "2001:db8:cafe::17"),
            ("for=2001:db8:cafe::17", "2001:db8:cafe::17"),
            ('for="1.2.3.4:_port"', "1.2.3.4"),
            ("for=6.6.6.6, for=1.2.3.4", "1.2.3.4"),
            ("for=1.2.3.4, for=10.2.2.2, ,", "1.2.3.4"),
            ("for=1.2.3.4, for=_hidden, for=10.2.2.2", "10.2.2.2"),
            ("for=1.2.3.4, for=unknown", "10.1.1.1"),
            ("for=1.2.3.4, proto=http", "10.1.1.1"),
            ("for=1.2.3.4, nonsense", "10.1.1.1"),
            ('for=6.6.6.6;by="a, for=1.2.3.4"', "6.6.6.6"),
            ('for=1.2.3.4;by="a;for=6.6.6.6;"', "1.2.3.4"),
            (r'for=1.2.3.4;by="a\"b"', "1.2.3.4"),
            ('for="6.6.6.6, for=1.2.3.4', "1.2.3.4"),  # what the client wrote is not closed
            ('for="6.6.6.6, for="[2001:db8::9]"', "2001:db8::9"),
            ('"' * 10_000, "10.1.1.1"),
            ("", "10.1.1.1"),
        ):
            found = proxies.client_address("10.1.1.1", None, forwarded)
            self.assertEqual((forwarded[:80], found), (forwarded[:80], client))
            self.assertEqual(proxies.client_address("9.9.9.9", None, forwarded), "9.9.9.9")

    def test_x_forwarded_for_counts_more_than_forwarded(self) -> None:
        proxies = Proxies.named(["10.0.0.0/8"])
        for x_forwarded_for, client in (
            ("1.2.3.4", "1.2.3.4"),
            ("what", "10.1.1.1"),
            ("", "6.6.6.6"),
        ):
            found = proxies.client_address("10.1.1.1", x_forwarded_for, "for=6.6.6.6")
            self.assertEqual((x_forwarded_for, found), (x_forwarded_for, client))

    def test_peers_of_unix_sockets_can_be_trusted(self) -> None:
        proxies = Proxies.named(["unix", "10.0.0.0/8"])
        self.assertEqual(peer_address(UNIXAddress("/run/socket")), LOCAL)
        self.assertEqual(peer_address(UNIXAddress(None)), LOCAL)
        self.assertEqual(peer_address(IPv6Address("TCP", "::ffff:1.2.3.4", 1)), "1.2.3.4")
        self.assertEqual(peer_address(None), LOCAL)
        self.assertIn(LOCAL, proxies)
        self.assertEqual(proxies.client_address(LOCAL, "1.2.3.4, 10.1.1.1"), "1.2.3.4")
        self.assertNotIn("unix", proxies)

    def test_addresses_are_made_canonical(self) -> None:  # N11
        for host, address in (
            ("1.2.3.4", "1.2.3.4"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("fe80::1%eth0", "fe80::1"),
            ("/tmp/socket", None),
        ):
            self.assertEqual(plain_address(host), address)

    def test_ambiguous_headers_are_found(self) -> None:
        for header, bad in (
            (b"GET / HTTP/1.1\r\nA: b\tc\r\n\r\n", False),
            (b"GET /\n\r\n", True),
            (b"A: b\rc\r\n", True),
            (b"A: \0\r\n", True),
            (b"A: \x7f\r\n", True),
        ):
            self.assertEqual((header, is_ambiguous_header(header)), (header, bad))
        self.assertTrue(http_response(503).endswith(b"Connection: close\r\n\r\n"))
        self.assertIn(b"Retry-After", http_response(503))
