"""Origins, hosts, proxies, addresses and header sections, as tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.http_access import (
    Hosts,
    Origins,
    Proxies,
    http_response,
    is_ambiguous_header,
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

    def test_the_client_address_behind_proxies(self) -> None:
        proxies = Proxies.named(["10.0.0.0/8", "2001:db8::1"])
        for peer, forwarded, client in (
            ("10.1.1.1", "1.2.3.4", "1.2.3.4"),
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
