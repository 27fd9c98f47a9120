"""A WebSocket connection until it is OPEN: the opening handshake (RFC 6455 section 4.2).

`find_request` checks the size of the request, and that no two HTTP parsers could read it
differently. Section 4.2.1 (method, version, Upgrade, Connection, Sec-WebSocket-Key) is checked, and
the response written, by `request` for requests of the common forms and by Autobahn for others. Both
call `admit` before that, which decides who may connect: path, host, origin and the client's
address. `connection` is what follows the handshake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import txaio
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.logger import Logger

from gtchat.protocols.base.http_access import (
    HEADER_END,
    LOCAL,
    Hosts,
    Origins,
    http_response,
    is_ambiguous_header,
    peer_address,
)
from gtchat.protocols.websocket.context import (
    CLOSING_TIMEOUT_S,
    OPENING_TIMEOUT_S,
    REFUSAL_LINGER_S,
    SUBPROTOCOL,
    ConnectionState,
    ServerContext,
)
from gtchat.protocols.websocket.request import OpeningRequest, parse_request

#: Paths that may be asked for.
PATHS = ("/", "/ws")
#: Maximum size of a request in bytes.
HANDSHAKE_BYTES = 16_384

#: Why requests are refused before Autobahn has read them, by HTTP status code.
_REASONS = {
    400: "control characters, lines that do not end in CRLF, or that are no header field",
    431: "the request is too long",
    503: "too many connections from this address",
}
#: Why requests are refused with 503 while `ServerContext.available` says so.
_NOT_AVAILABLE = "the server has to begin again"

#: The end of a line before one that is no header field: without a name, or a folded one (RFC 9112
#: sections 5.1 and 5.2). Autobahn reads some of them as a field, others not at all.
_ODD_LINE = re.compile(rb"\r\n(?![!#$%&'*+.^_`|~0-9A-Za-z-]+:)")
#: A field that offers extensions. None is negotiated, so Autobahn sees no offer; of several, which
#: are allowed (RFC 6455 section 9.1), it would refuse the request.
_EXTENSIONS = re.compile(rb"(?i)\r\nsec-websocket-extensions:[^\r]*")
#: NEXT LINE in ISO 8859-1: of the bytes that are allowed within a field (RFC 9110 section 5.5), the
#: only one that ends a line for Autobahn, so that a client could make its proxy send a field.
_NEXT_LINE = b"\x85"

_log = Logger()


def find_request(received: bytes, searched: int) -> tuple[int, int]:
    """Find the end of the request, and check its bytes.

    Args:
        received: all bytes of the connection.
        searched: number of bytes at the beginning that were searched before.

    Returns:
        The size of the request in bytes, 0 while it is incomplete; and the HTTP status code to
        refuse it with, 0 if it is acceptable.
    """
    found = received.find(HEADER_END, max(searched - len(HEADER_END) + 1, 0))
    size = found + len(HEADER_END) if found >= 0 else 0
    if (size or len(received)) > HANDSHAKE_BYTES:
        return size, 431
    if size and is_ambiguous_header(received[:size]):
        return size, 400
    return size, 0


def check_request(path: str, headers: Mapping[str, str], hosts: Hosts, origins: Origins) -> None:
    """Check that a valid opening handshake is for this server, and from an allowed page.

    Args:
        path: of the request.
        headers: its header fields, by their names in lower case.
        hosts: names of this server.
        origins: web pages that may connect.

    Raises:
        ConnectionDeny: with the HTTP status code of the response.
    """
    host = headers.get("host", "")
    if path not in PATHS:
        raise ConnectionDeny(404, "no such path")
    if not hosts.known(host):
        raise ConnectionDeny(421, "the host is not in allowed_hosts")
    origin = headers.get("origin")
    if origin is not None and "," in origin:  # several headers, which twisted.web joins
        raise ConnectionDeny(400, "more than one origin")
    if not origins.allow(origin, host):  # section 10.2
        raise ConnectionDeny(403, "the origin is neither that of the host nor in allowed_origins")


class OpeningProtocol(WebSocketServerProtocol):
    """A connection in the state CONNECTING, or refused.

    Attributes:
        context: what it shares with the other connections of its factory.
        address: IP address of the client, as a trusted proxy states it if it connects through one;
            `LOCAL` if the transport has none.
        counted: whether the connection is counted for its address.
        tick: see `TimerWheel`.
    """

    # Autobahn logs a warning for each invalid frame, which a client could send without end.
    log = txaio.make_logger(level="none")  # type: ignore[attr-defined]

    context: ServerContext
    transport: Any
    address = LOCAL
    counted = False
    tick: int | None = None

    def __init__(self) -> None:
        """Set nothing: `footprint.shared_defaults` has run Autobahn's initialization."""

    def connectionMade(self) -> None:
        """Start the opening handshake (Twisted: Protocol.connectionMade)."""
        if not hasattr(self.transport, "send_now"):  # `EagerServer` has done it
            with suppress(AttributeError, OSError):  # a Unix socket
                self.transport.setTcpNoDelay(True)
        self.address = peer_address(self.transport.getPeer())
        self.context.register(self)
        self.context.timers.put(self, OPENING_TIMEOUT_S)
        if self.address not in self.context.proxies and not self.context.count(self):
            self._refuse(503, _REASONS[503])

    def _receive_handshake(self, data: bytes) -> bytes:
        """Accept or refuse the request when it is complete, or let Autobahn do so.

        Returns:
            Bytes behind the request: the client's first frames.
        """
        searched = len(self.data)
        received = self.data + data
        size, status = find_request(received, searched)
        if status:
            self._refuse(status, _REASONS[status])
        elif size:
            self.data = b""
            request = parse_request(received[:size])
            if request is not None:
                self._open(request)
            elif _ODD_LINE.search(received, 0, size - len(HEADER_END)):
                self._refuse(400, _REASONS[400])
            else:
                request_bytes = _EXTENSIONS.sub(b"", received[:size])
                self._dataReceived(request_bytes.replace(_NEXT_LINE, b"?"))
            return received[size:]
        else:
            self.data = received
        return b""

    def _open(self, request: OpeningRequest) -> None:
        """Accept or refuse a request of a common form, as Autobahn would."""
        self.http_headers = request.headers
        try:
            protocol = self.admit(request.path, request.headers, request.protocols)
        except ConnectionDeny as denied:
            self.failHandshake(str(denied.reason), denied.code)
        except Exception:
            _log.failure("checking a request failed")
            self.failHandshake("internal error", 500)
        else:
            self.sendData(request.response(protocol))
            self.state = ConnectionState.OPEN.value
            self._onOpen()

    def onConnect(self, request: ConnectionRequest) -> str | None:
        """Accept or refuse a valid request that Autobahn has parsed (called by Autobahn).

        Args:
            request: the request.

        Returns, raises: as `admit`.
        """
        return self.admit(request.path, request.headers, request.protocols)

    def admit(self, path: str, headers: Mapping[str, str], protocols: Sequence[str]) -> str | None:
        """Accept or refuse a valid request (section 4.2.2, items 4 and 5).

        Args:
            path: of the request.
            headers: its header fields, by their names in lower case.
            protocols: the subprotocols that the client offers.

        Returns:
            The subprotocol in use (section 1.9), None without one.

        Raises:
            ConnectionDeny: with the HTTP status code of the response.
        """
        context = self.context
        self.address = context.request_log.client_address(
            self.address, headers.get("x-forwarded-for"), headers.get("forwarded")
        )
        check_request(path, headers, context.hosts, context.origins)
        if not context.available():
            raise ConnectionDeny(503, _NOT_AVAILABLE)
        if not self.counted and not context.count(self):
            raise ConnectionDeny(503, _REASONS[503])
        return SUBPROTOCOL if SUBPROTOCOL in protocols else None

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Refuse a request (called by Autobahn).

        Args:
            reason: for the log; not sent, since it may quote what the client sent.
            code: HTTP status code.
            responseHeaders: set only if the version of the client is not supported.
        """
        # What Autobahn quotes may be the path, with a password in it.
        reason = reason.partition('"')[0].strip()
        # 426 names the version that is supported (section 4.4).
        self._refuse(426 if responseHeaders else code, reason)

    def _refuse(self, code: int, reason: str) -> None:
        """Send an HTTP response with this status code instead of 101, and close after a delay.

        TCP resets a connection that is closed with bytes unread: without the delay, the client
        would lose the response.

        Args:
            code: HTTP status code.
            reason: for the log.
        """
        headers = getattr(self, "http_headers", None) or {}
        self.context.request_log.refused(
            self.address, code, reason, headers.get("host"), headers.get("origin")
        )
        self.state = ConnectionState.CLOSED
        self.data = b""
        self.transport.write(http_response(code))
        self.context.timers.put(self, REFUSAL_LINGER_S)

    def timer_expired(self) -> None:
        """Close a connection whose deadline in its state has passed (see `TimerWheel`)."""
        if self.state == ConnectionState.CONNECTING:
            self.dropConnection(abort=True)
        elif self.state == ConnectionState.CLOSED and not self.transport.disconnecting:
            self._closeConnection()
        else:
            self.state = ConnectionState.CLOSED
            self.abort()

    def close(self, code: int, reason: str) -> None:
        """Refuse the request, as there is no closing handshake yet.

        Args:
            code: close code, not sent.
            reason: close reason, not sent.
        """
        if self.state == ConnectionState.CONNECTING:
            self._refuse(503, reason)

    def abort(self) -> None:
        """Close the TCP connection without sending what is left."""
        self.transport.abortConnection()

    def _closeConnection(self, abort: bool = False) -> None:
        # The server closes TCP first (section 7.1.1). After a clean closing handshake Autobahn
        # asks for an abort too, whose TCP reset could destroy the close frame on its way.
        if abort and not self.wasClean:
            self.abort()
        else:
            self.transport.loseConnection()
            self.context.timers.put(self, CLOSING_TIMEOUT_S)

    def connectionLost(self, reason: Any = None) -> None:
        """Forget the connection (Twisted: Protocol.connectionLost)."""
        self.state = ConnectionState.CLOSED
        self.context.unregister(self)
