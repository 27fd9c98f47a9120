"""Which clients are called: addresses and ports."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base import callback_rules
from gtchat.protocols.base.callback_rules import (
    CallbackRules,
    is_host_address,
    parse_ipv4_gateways,
    parse_ipv6_gateways,
    parse_networks,
)

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t{gateway:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t{network:08X}\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
"""
ROUTES_IPV6 = """\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""


def native(address: str) -> int:
    """Return an IPv4 address as the kernel's table shows it: in the byte order of the machine."""
    import sys

    return int.from_bytes(socket.inet_aton(address), sys.byteorder)


class Addresses(SynchronousTestCase):
    def test_which_addresses_are_called(self) -> None:  # F06
        own = {"192.0.2.1", "2001:db8::1"}
        for address, options, called in (
            ("198.51.100.7", {}, True),
            ("2001:db8::7", {}, True),
            ("127.0.0.1", {}, True),
            ("127.8.9.10", {}, True),
            ("::1", {}, True),
            ("::ffff:127.0.0.1", {}, True),
            ("127.0.0.1", {"loopback": False}, False),
            ("127.8.9.10", {"loopback": False}, False),
            ("::1", {"loopback": False}, False),
            ("::ffff:127.0.0.1", {"loopback": False}, False),
            ("127.0.0.1", {"proxies": {"127.0.0.1"}}, False),
            ("::ffff:127.0.0.1", {"proxies": {"127.0.0.1"}}, False),
            ("198.51.100.7", {"proxies": {"198.51.100.7"}}, False),
            ("192.0.2.1", {}, False),
            ("::ffff:192.0.2.1", {}, False),
            ("2001:db8::1", {}, False),
            ("192.0.2.1", {"allowed": ("192.0.2.0/24",)}, True),
            ("192.0.2.1", {"allowed": ("198.51.100.1", "2001:db8::/32")}, False),
            ("2001:db8::1", {"allowed": ("2001:db8::1",)}, True),
            ("127.0.0.1", {"allowed": ("127.0.0.1",), "loopback": False}, True),
            ("198.51.100.7", {"allowed": ("198.51.100.7",), "proxies": {"198.51.100.7"}}, True),
            ("", {}, False),
            ("localhost", {}, False),
        ):
            chosen = dict(options)
            if "allowed" in chosen:
                chosen["allowed"] = parse_networks(chosen["allowed"])
            rules = CallbackRules(is_host=own.__contains__, **chosen)
            self.assertEqual(rules.refusal(address) is None, called, (address, options))

    def test_networks(self) -> None:
        self.assertEqual(str(parse_networks(("192.0.2.7/24",))[0]), "192.0.2.0/24")
        self.assertRaises(ValueError, parse_networks, ("example.org",))

    def test_which_ports_are_called(self) -> None:  # F06
        rules = CallbackRules(own_ports=lambda: (9000, 8080))
        for port in (-1, 0, 22, 1023, 9000, 8080, 65_536):
            self.assertFalse(rules.permits_port(port), port)
        for port in (1024, 6067, 65_535):
            self.assertTrue(rules.permits_port(port), port)
        self.assertTrue(CallbackRules().permits_port(9000))


class Machine(SynchronousTestCase):
    """What this machine knows of its own addresses."""

    def setUp(self) -> None:
        self.bindable = {"192.0.2.9"}
        self.source = "192.0.2.9"
        test = self

        class Probe:
            def __enter__(self) -> Probe:
                return self

            def __exit__(self, *error: object) -> None:
                """Do nothing."""

            def bind(self, address: tuple[str, int]) -> None:
                if address[0] not in test.bindable:
                    raise OSError("cannot assign requested address")

            def connect(self, address: tuple[str, int]) -> None:
                if address[0] == "2001:db8::5":
                    raise OSError("network is unreachable")

            def getsockname(self) -> tuple[str, int]:
                return test.source, 40_000

        self.patch(callback_rules, "_udp_socket", lambda ipv6: Probe())
        self.routes = self.mktemp()
        self.patch(callback_rules, "_ROUTES", self.routes)
        self.patch(callback_rules, "_ROUTES_IPV6", self.mktemp())

    def test_an_address_that_can_be_bound_is_its_own(self) -> None:
        self.assertTrue(is_host_address("192.0.2.9"))
        self.assertFalse(is_host_address("192.0.2.10"))

    def test_a_machine_that_can_bind_every_address(self) -> None:
        self.bindable |= {"192.0.2.1", "192.0.2.10", "2001:db8::1", "2001:db8::5"}
        self.assertTrue(is_host_address("192.0.2.9"))
        self.assertFalse(is_host_address("192.0.2.10"))
        self.assertFalse(is_host_address("2001:db8::5"))

    def test_the_gateway_is_no_client(self) -> None:
        table = ROUTES.format(gateway=native("172.17.0.1"), network=native("172.17.0.0"))
        with open(self.routes, "w", encoding="ascii") as file:
            file.write(table)
        self.assertTrue(is_host_address("172.17.0.1"))
        self.assertFalse(is_host_address("172.17.0.3"))

    def test_tables_of_routes(self) -> None:
        table = ROUTES.format(gateway=native("172.17.0.1"), network=native("172.17.0.0"))
        self.assertEqual(parse_ipv4_gateways(table), {"172.17.0.1"})
        self.assertEqual(parse_ipv6_gateways(ROUTES_IPV6), {"fe80::1"})
        for parse in (parse_ipv4_gateways, parse_ipv6_gateways):
            self.assertEqual((parse(""), parse("\n\nx y\n")), (set(), set()))
        self.assertEqual(parse_ipv4_gateways(table[:70]), set())


class Sockets(SynchronousTestCase):
    def test_the_probe_is_a_socket_that_sends_nothing(self) -> None:
        with callback_rules._udp_socket(False) as probe:
            self.assertEqual(probe.type, socket.SOCK_DGRAM)
        self.assertTrue(is_host_address("127.0.0.1"))
