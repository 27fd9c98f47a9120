"""Which HTTP requests may connect: web origins, host names, addresses behind reverse proxies.

Also the HTTP responses of refused requests. Used by the WebSocket's opening handshake and by the
web site. Nothing is received or sent here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

import attrs

#: The end of the header section (RFC 9112 section 2.1).
HEADER_END = b"\r\n\r\n"

#: The address of a peer without one, such as that of a Unix socket.
LOCAL = "local"
#: The name in `trusted_proxies` for the peers of Unix sockets.
UNIX = "unix"
#: Maximum length of a node in a header of a proxy: an IPv6 address with zone and port.
MAX_NODE_CHARS = 100

#: A parameter of Forwarded (RFC 7239 section 4): a token, and a token or a quoted string. Addresses
#: with colons should be quoted; not all proxies do.
_PAIR = re.compile(r'[ \t]*([\w!#$%&*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)[ \t]*(?:;|$)')
#: An address with a port, or an IPv6 address in brackets (RFC 7239 section 6). Ports may be
#: obfuscated (`_port`).
_NODE_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[\w.-]+)?|([^:\[\]]+):[\w.-]+")
#: Control characters other than HTAB, CR and LF (RFC 9110 section 5.5).
_CONTROLS = bytes({*range(32), 127} - set(b"\t\r\n"))
#: Most characters of an Origin and a Host header whose comparison is kept.
MAX_KEPT_CHARS = 256
#: Header fields that a status code requires (RFC 9110 sections 15.5.6 and 15.5.22), or suggests
#: (section 15.6.4).
_HEADERS = {
    405: "Allow: GET\r\n",
    426: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    503: "Retry-After: 5\r\n",
}


def is_ambiguous_header(header: bytes) -> bool:
    """Return whether two HTTP parsers could read a header section differently.

    Args:
        header: the request line and the header fields, with the empty line at the end.
    """
    # CR and LF are allowed together only (RFC 9112 section 2.2). A regular expression would take
    # five times as long.
    ends = header.count(b"\r\n")
    return (
        header.count(b"\r") != ends
        or header.count(b"\n") != ends
        or len(header.translate(None, _CONTROLS)) != len(header)
    )


def http_response(code: int) -> bytes:
    """Return a complete HTTP response without content, after which the connection is closed.

    Args:
        code: the status code.
    """
    return (
        f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\n{_HEADERS.get(code, '')}"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode()


@attrs.frozen
class Origins:
    """Which web pages may connect, by their origin (RFC 6454).

    Only browsers send an origin, and a page cannot forge it: programs that send none may connect.

    Attributes:
        allowed: origins that may connect, such as `https://chat.example`; `*` allows all.
        web_ports: ports on which the server's own page is served.
        file_page: whether a page opened from disk may connect. Its origin is `null`, which a page
            of any web site can have too.
    """

    allowed: Sequence[str] = ()
    web_ports: frozenset[int] = frozenset()
    file_page: bool = False

    def allow(self, origin: str | None, host: str) -> bool:
        """Return whether a page may connect (RFC 6455 section 10.2).

        Args:
            origin: the Origin header, None without one.
            host: the Host header: a page of the same host may connect.
        """
        if origin is None or origin in self.allowed or "*" in self.allowed:
            return True
        if origin in ("null", "file://"):
            return self.file_page
        short = len(origin) + len(host) <= MAX_KEPT_CHARS
        ports = _kept_ports_of_host(origin, host) if short else _ports_of_host(origin, host)
        return ports is not None and (ports[0] == ports[1] or ports[0] in self.web_ports)


def _ports_of_host(origin: str, host: str) -> tuple[int, int] | None:
    """Return the ports of a page and of the server, None if they are not on the same host.

    Args:
        origin: the Origin header.
        host: the Host header.
    """
    try:
        page, server = urlsplit(origin), urlsplit(f"{urlsplit(origin).scheme}://{host}")
        if page.scheme not in ("http", "https") or page.path or page.query:
            return None
        usual = 443 if page.scheme == "https" else 80
        ports = page.port or usual, server.port or usual
    except ValueError:
        return None
    return ports if page.hostname and page.hostname == server.hostname else None


#: Nearly all browsers that connect come from the same few pages.
_kept_ports_of_host = lru_cache(maxsize=256)(_ports_of_host)


@attrs.frozen
class Hosts:
    """The host names that clients may address the server by (RFC 9110 section 7.2).

    This prevents DNS rebinding: an attacker's web site whose name resolves to this server sends
    that name as its origin and as host, so the two agree. IP addresses and `localhost` are always
    known, since no attacker can make them resolve to something else.

    Attributes:
        names: host names in lower case. If it is empty, all are known.
    """

    names: frozenset[str] = frozenset()

    def known(self, host: str) -> bool:
        """Return whether a Host header is a name of this server.

        Args:
            host: the header, with or without a port.
        """
        if not self.names:
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or name == "localhost" or plain_address(name) is not None


@attrs.define
class Proxies:
    """Reverse proxies whose statement of a client's address is trusted.

    All parts of a server share one object, which changes when the settings are read again.

    Attributes:
        networks: networks of their addresses.
        unix: whether peers of Unix sockets are trusted.
    """

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def named(cls, names: Sequence[str]) -> Proxies:
        """Return proxies by their IP addresses or CIDR networks; `unix` stands for Unix sockets.

        Raises:
            ValueError: a name is none of these.
        """
        networks = [ipaddress.ip_network(name, strict=False) for name in names if name != UNIX]
        return cls(tuple(networks), UNIX in names)

    def replace(self, new: Proxies) -> None:
        """Be those of another object from now on."""
        self.networks, self.unix = new.networks, new.unix

    def __contains__(self, address: object) -> bool:
        if address == LOCAL:
            return self.unix
        if not self.networks:
            return False
        try:
            ip = ipaddress.ip_address(str(address))
        except ValueError:
            return False
        return any(ip in network for network in self.networks)

    def client_address(
        self, peer: str, x_forwarded_for: str | None, forwarded: str | None = None
    ) -> str:
        """Return the IP address of a client: the right-most forwarded one that is no proxy's.

        The headers count only if the peer is a proxy. Entries left of an untrusted, unknown or
        malformed one could be forged.

        Args:
            peer: the peer of the connection, see `peer_address`.
            x_forwarded_for: the X-Forwarded-For header, None without one.
            forwarded: the Forwarded header (RFC 7239). It counts only without X-Forwarded-For: most
                proxies set that one, and pass on what a client wrote into the other.
        """
        address = peer
        if peer not in self:
            return address
        for node in _forwarded_nodes(x_forwarded_for, forwarded):
            name = node_address(node)
            if name is None:
                break
            address = name
            if name not in self:
                break
        return address


def _forwarded_nodes(x_forwarded_for: str | None, forwarded: str | None) -> Iterator[str]:
    """Yield the nodes that forwarded a request, nearest first; "" for an unknown one."""
    if x_forwarded_for:
        nodes = (entry.strip() for entry in reversed(x_forwarded_for.split(",")))
        yield from filter(None, nodes)  # empty elements are ignored (RFC 9110 section 5.6.1)
    else:
        yield from map(_for_parameter, _elements_from_right(forwarded or ""))


def _elements_from_right(field: str) -> Iterator[str]:
    """Yield the elements of a list (RFC 9110 section 5.6.1), last first, empty ones excepted.

    Commas in quoted strings separate nothing. From the right, so that a quote which a client left
    open cannot hide what a proxy appended. An escaped quote, which no address has, is not looked
    for: its element becomes malformed.
    """
    end, quoted = len(field), False
    for at in range(len(field) - 1, -1, -1):
        if field[at] == '"':
            quoted = not quoted
        elif field[at] == "," and not quoted:
            if element := field[at + 1 : end].strip():
                yield element
            end = at
    if element := field[:end].strip():
        yield element


def _for_parameter(element: str) -> str:
    """Return the `for` parameter of an element of Forwarded (RFC 7239 section 4), "" if none."""
    node, at = "", 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return ""
        if pair[1].lower() == "for":
            node = pair[2].strip('"')
        at = pair.end()
    return node


def node_address(node: str) -> str | None:
    """Return the IP address of a forwarding node (RFC 7239 section 6), in its canonical form.

    Args:
        node: an address with or without a port, an IPv6 address with or without brackets, or
            another name.

    Returns:
        None if it names no address, as `unknown` and obfuscated identifiers such as `_hidden`.
    """
    if len(node) > MAX_NODE_CHARS:
        return None
    found = _NODE_WITH_PORT.fullmatch(node)
    return plain_address((found[1] or found[2]) if found else node)


def peer_address(peer: object) -> str:
    """Return the IP address of a connection's peer, `LOCAL` if it has none, as on a Unix socket.

    Args:
        peer: what `getPeer` of the transport returns (IAddress).
    """
    return plain_address(str(getattr(peer, "host", None) or "")) or LOCAL


@lru_cache(maxsize=1024)
def plain_address(host: str) -> str | None:
    """Return an IP address in its canonical form, or None if a text is none.

    Args:
        host: an address; a zone (`%eth0`) is removed, an IPv4-mapped address becomes IPv4.
    """
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip)
