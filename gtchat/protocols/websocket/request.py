"""The common forms of an opening handshake (RFC 6455 section 4.2), read without Autobahn.

Nearly all clients, browsers included, send a request of these forms. Reading one takes a quarter of
the time that Autobahn takes. A request of any other form, valid or not, is Autobahn's to judge, so
`parse_request` accepts only what Autobahn accepts with the same result; a property-based test
compares the two. Whether a valid request is for this server is not decided here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1

import attrs

#: Request lines, and their paths.
_PATHS = {"GET / HTTP/1.1": "/", "GET /ws HTTP/1.1": "/ws"}
#: Names of header fields (RFC 9110 section 5.6.2).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
#: Origins of pages, without such as `file://` and those with an IPv6 address.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,4})?|null")
#: 16 bytes in base64 (section 4.1, item 7).
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
#: Values of Connection, in lower case: of most clients, and of Firefox.
_CONNECTION = frozenset({"upgrade", "keep-alive, upgrade"})
#: What is appended to the key (section 1.3).
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@attrs.frozen
class OpeningRequest:
    """A valid opening handshake.

    Attributes:
        path: of the request, without a query.
        headers: name in lower case -> value.
        protocols: subprotocols that the client offers (section 1.9).
    """

    path: str
    headers: dict[str, str]
    protocols: Sequence[str]

    def response(self, protocol: str | None) -> bytes:
        """Return the response that accepts it, without an extension (section 4.2.2, item 5).

        Args:
            protocol: the subprotocol in use, None without one.
        """
        chosen = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol is not None else ""
        key = self.headers["sec-websocket-key"] + _GUID
        accept = b64encode(sha1(key.encode("ascii"), usedforsecurity=False).digest())
        return (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
            f"{chosen}Sec-WebSocket-Accept: {accept.decode('ascii')}\r\n\r\n"
        ).encode("ascii")


def parse_request(request: bytes) -> OpeningRequest | None:
    """Return an opening handshake of a common form, None for any other request.

    Args:
        request: the bytes up to and with the empty line, checked by `find_request`.
    """
    if not request.isascii():
        return None
    first, *lines = request[:-4].decode("ascii").split("\r\n")
    path = _PATHS.get(first)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or _NAME.fullmatch(name) is None:
            return None
        headers[name.lower()] = value.strip()
    # With a repeated field there are fewer names than lines.
    if path is None or len(headers) != len(lines) or not _is_upgrade(headers):
        return None
    offered = headers.get("sec-websocket-protocol")
    protocols = [name.strip() for name in offered.split(",")] if offered is not None else []
    if len(set(protocols)) != len(protocols):
        return None
    return OpeningRequest(path, headers, protocols)


def _is_upgrade(headers: dict[str, str]) -> bool:
    """Return whether header fields are those that section 4.2.1 requires, in their common forms."""
    get = headers.get
    return (
        get("upgrade", "").lower() == "websocket"
        and get("connection", "").lower() in _CONNECTION
        and get("sec-websocket-version") == "13"
        and _KEY.fullmatch(get("sec-websocket-key", "")) is not None
        and _HOST.fullmatch(get("host", "")) is not None
        and _ORIGIN.fullmatch(get("origin", "null")) is not None
    )
