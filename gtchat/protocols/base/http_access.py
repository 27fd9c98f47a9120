"""The opening handshake: who may connect, where from, and what the others are answered.

Origins of web pages, addresses behind reverse proxies, HTTP answers. No socket here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

import attrs

HEADER_END = b"\r\n\r\n"

#: Control characters, of which a line's end is none (RFC 9112 section 2.2, RFC 9110 section 5.5).
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
#: What has to come with an answer.
_HEADERS = {
    405: "Allow: GET\r\n",
    426: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    503: "Retry-After: 5\r\n",
}


def is_ambiguous_header(header: bytes) -> bool:
    """Whether two readers could understand an HTTP header differently."""
    return _CONTROL.search(header) is not None


def http_response(code: int) -> bytes:
    """A whole HTTP answer, after which the connection is closed."""
    return (
        f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\n{_HEADERS.get(code, '')}"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode()


@attrs.frozen
class Origins:
    """Which web pages may connect: any program may that is not a browser and names none.

    Attributes:
        allowed: origins by name, as `https://chat.example`; `*` for any.
        web_ports: ports that our own pages are served on.
        file_page: whether a page from disk may, which says `null`, as any page can.
    """

    allowed: Sequence[str] = ()
    web_ports: frozenset[int] = frozenset()
    file_page: bool = False

    def allow(self, origin: str | None, host: str) -> bool:
        """Whether a page of this origin may connect to us as `host` (RFC 6454 section 4)."""
        if origin is None or origin in self.allowed or "*" in self.allowed:
            return True
        if origin in ("null", "file://"):
            return self.file_page
        try:
            page, us = urlsplit(origin), urlsplit(f"{urlsplit(origin).scheme}://{host}")
            if page.scheme not in ("http", "https") or page.path or page.query:
                return False
            page_port = page.port or (443 if page.scheme == "https" else 80)
            our_port = us.port or (443 if page.scheme == "https" else 80)
        except ValueError:
            return False
        return (
            bool(page.hostname)
            and page.hostname == us.hostname
            and (page_port == our_port or page_port in self.web_ports)
        )


@attrs.frozen
class Hosts:
    """Which names the server may be called by (RFC 9110 section 7.2).

    A page of somebody else's, whose name is made to lead to us, has that name for its origin and
    for ours. An address, and localhost, can be nobody else's.

    Attributes:
        names: in small letters; without one, any will do.
    """

    names: frozenset[str] = frozenset()

    def known(self, host: str) -> bool:
        """Whether a Host header names us."""
        if not self.names:
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or name == "localhost" or plain_address(name) is not None


@attrs.frozen
class Proxies:
    """Reverse proxies whose word on where a client comes from is taken."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def named(cls, names: Sequence[str]) -> Proxies:
        """Proxies by address or CIDR network. Raises ValueError."""
        return cls(tuple(ipaddress.ip_network(name, strict=False) for name in names))

    def __contains__(self, address: object) -> bool:
        if not self.networks:
            return False
        try:
            ip = ipaddress.ip_address(str(address))
        except ValueError:
            return False
        return any(ip in network for network in self.networks)

    def client_address(self, address: str, forwarded: str | None) -> str:
        """Where a client comes from: the right-most X-Forwarded-For entry that is no proxy."""
        if address not in self or not forwarded:
            return address
        for entry in reversed(forwarded.split(",")):
            name = plain_address(entry.strip())
            if name is None:
                break
            address = name
            if name not in self:
                break
        return address


@lru_cache(maxsize=1024)
def plain_address(host: str) -> str | None:
    """An IP address as text, an IPv4-mapped one as IPv4; None if it is none."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip)
