"""Where the server may connect to: addresses and ports of Message Center and PA1 clients.

A client is called at the IP address that it logged in from. Where clients come through something
that forwards connections (a TCP proxy, `ssh -L`, the gateway of a container), that address is not
the client's, and other services may listen there. So the server calls neither its own machine nor
a gateway nor a trusted proxy, except on loopback a client that has connected from loopback.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Collection, Container, Sequence
from contextlib import suppress

import attrs

from gtchat.protocols.base.http_access import plain_address

#: Ports that clients may be called at.
LOWEST_PORT, HIGHEST_PORT = 1024, 65_535

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Addresses that no machine has (RFC 5737, RFC 3849), by whether they are of IPv6.
_UNUSED = {False: "192.0.2.1", True: "2001:db8::1"}
#: Routes of this machine on Linux, and how much is read of them.
_ROUTES, _ROUTES_IPV6, _ROUTES_SIZE = "/proc/net/route", "/proc/net/ipv6_route", 65_536


def parse_networks(names: Sequence[str]) -> tuple[Network, ...]:
    """Return networks by their IP addresses or in CIDR notation.

    Raises:
        ValueError: a name is neither.
    """
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


def _no_ports() -> Collection[int]:
    return ()


def is_host_address(address: str) -> bool:
    """Return whether an address is one of this machine, or of its default gateway."""
    return _is_own(address) or address in _gateways()


@attrs.frozen(kw_only=True)
class CallbackRules:
    """Says which clients are called.

    Args:
        own_ports: returns the ports that this server and the others of its chat listen on.
        allowed: networks whose addresses are called in any case: `callback_allow`.
        proxies: the trusted proxies.
        loopback: whether clients on loopback are called: `loopback_callbacks`.
        is_host: returns whether an address is one of this machine or of its gateway.
    """

    own_ports: Callable[[], Collection[int]] = _no_ports
    allowed: tuple[Network, ...] = ()
    proxies: Container[str] = ()
    loopback: bool = True
    is_host: Callable[[str], bool] = is_host_address

    def refusal(self, address: str) -> str | None:
        """Return why clients at an address are not called, for the log; None if they are.

        Args:
            address: IP address that the client has connected from.
        """
        plain = plain_address(address)
        if plain is None:
            return "it is no IP address"
        ip = ipaddress.ip_address(plain)
        if any(ip in network for network in self.allowed):
            return None
        if plain in self.proxies:
            return "it is a trusted proxy"
        if ip.is_loopback:
            return None if self.loopback else "loopback_callbacks is off"
        if self.is_host(plain):
            return "it is this machine or its gateway"
        return None

    def permits_port(self, port: int) -> bool:
        """Return whether a client may be called at a port."""
        return LOWEST_PORT <= port <= HIGHEST_PORT and port not in self.own_ports()


def _is_own(address: str) -> bool:
    """Return whether an address is one of this machine: only those can be bound."""
    ipv6 = ":" in address
    if not _can_bind(address, ipv6):
        return False
    if not _can_bind(_UNUSED[ipv6], ipv6):
        return True
    # Here every address can be bound (sysctl ip_nonlocal_bind). What is sent to an own address has
    # it as source, too. Connecting a UDP socket sends nothing.
    with suppress(OSError), _udp_socket(ipv6) as probe:
        probe.connect((address, 9))
        return bool(probe.getsockname()[0] == address)
    return False


def _can_bind(address: str, ipv6: bool) -> bool:
    with suppress(OSError), _udp_socket(ipv6) as probe:
        probe.bind((address, 0))
        return True
    return False


def _udp_socket(ipv6: bool) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)


def _gateways() -> set[str]:
    """Return the addresses of the default gateways; none where the system does not tell."""
    found = set()
    with suppress(OSError), open(_ROUTES, encoding="ascii") as file:
        found |= parse_ipv4_gateways(file.read(_ROUTES_SIZE))
    with suppress(OSError), open(_ROUTES_IPV6, encoding="ascii") as file:
        found |= parse_ipv6_gateways(file.read(_ROUTES_SIZE))
    return found


def parse_ipv4_gateways(table: str) -> set[str]:
    """Return the default gateways in the text of /proc/net/route (proc(5))."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {
        socket.inet_ntoa(struct.pack("=I", int(row[2], 16)))
        for row in rows
        if len(row) > 2 and row[1] == "00000000" and row[2] != "00000000"
    }


def parse_ipv6_gateways(table: str) -> set[str]:
    """Return the default gateways in the text of /proc/net/ipv6_route.

    Its columns are destination, length of its prefix, source, length, next hop, and others.
    """
    rows = [line.split() for line in table.splitlines()]
    return {
        str(ipaddress.IPv6Address(int(row[4], 16)))
        for row in rows
        if len(row) > 4 and row[1] == "00" and int(row[0], 16) == 0 and int(row[4], 16)
    }
