"""Requests to the public address of a server: HTTP/1.1 and WebSocket on blocking sockets.

Nothing is corrected on the way, and no redirect is followed: what a proxy does to a request is what
the checks look at.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

import attrs

#: Seconds to wait for a connection, and for each part of a response.
TIMEOUT_S = 10.0
#: Most bytes that are read of a response or a frame.
MOST_BYTES = 1_048_576
#: RFC 6455, section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@attrs.frozen
class Target:
    """The public address of a server.

    Attributes:
        secure: whether it is HTTPS.
        host: the host name.
        port: the TCP port.
        prefix: the path of the page, without a slash at the end.
        source: address to connect from, "" for any.
    """

    secure: bool
    host: str
    port: int
    prefix: str = ""
    source: str = ""

    @classmethod
    def parse(cls, url: str, source: str = "") -> Target:
        """Return the target of a URL. Raises ValueError."""
        parts = urlsplit(url if "://" in url else f"https://{url}")
        secure = parts.scheme in ("https", "wss")
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as https://chat.example/")
        path = parts.path.removesuffix("/ws") if parts.scheme in ("ws", "wss") else parts.path
        port = parts.port or (443 if secure else 80)
        return cls(secure, parts.hostname, port, path.rstrip("/"), source)

    @property
    def authority(self) -> str:
        """What a browser sends as Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"

    @property
    def origin(self) -> str:
        """What the page of the server sends as Origin."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"


@attrs.frozen
class Response:
    """A response.

    Attributes:
        status: its code.
        headers: name in lower case -> value.
        body: its first bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_ours(self) -> bool:
        """Whether the site of GTChat has sent it: it sends this policy with all it has."""
        return "gtchat-worker" in self.headers.get("content-security-policy", "")


class NoResponse(Exception):
    """There is no response; the text says why."""


def connect(target: Target, verify: bool = False) -> socket.socket:
    """Return a connection, with TLS if the target has it.

    Args:
        target: where to.
        verify: whether the certificate has to be trusted.

    Raises:
        OSError: there is none; ssl.SSLError for TLS.
    """
    source = (target.source, 0) if target.source else None
    plain = socket.create_connection((target.host, target.port), TIMEOUT_S, source)
    if not target.secure:
        return plain
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def is_loopback(target: Target) -> bool:
    """Return whether a connection to a target comes from this machine. Raises OSError."""
    with connect(target) as connection:
        return ipaddress.ip_address(connection.getsockname()[0].partition("%")[0]).is_loopback


def _send(connection: socket.socket, target: Target, path: str, headers: Mapping[str, str]) -> None:
    lines = [f"GET {target.prefix}{path} HTTP/1.1", f"Host: {target.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


def get(target: Target, path: str) -> Response:
    """Return the response to a GET request for a path below the page.

    Raises:
        NoResponse: there is none.
    """
    try:
        with connect(target) as connection:
            _send(connection, target, path, {"Connection": "close"})
            response = HTTPResponse(connection)
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, headers, response.read(MOST_BYTES))
    except (OSError, HTTPException, ValueError) as error:
        raise NoResponse(str(error) or type(error).__name__) from error


class WebSocket:
    """A WebSocket connection (RFC 6455) that is opened, and ends with a `with` block.

    Args:
        target: the server.
        origin: the Origin header, None for none.
        headers: further headers.

    Attributes:
        response: the response to the handshake: 101 if it is open.

    Raises:
        NoResponse: there is none.
    """

    def __init__(
        self, target: Target, origin: str | None, headers: Mapping[str, str] | None = None
    ) -> None:
        key = base64.b64encode(os.urandom(16))
        sent = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key.decode(),
            "Sec-WebSocket-Version": "13",
            **({"Origin": origin} if origin is not None else {}),
            **(headers or {}),
        }
        try:
            self._socket = connect(target)
        except OSError as error:
            raise NoResponse(str(error)) from error
        try:
            _send(self._socket, target, "/ws", sent)
            self._data = b""
            #: Monotonic time until which is waited, whatever else comes; None for each read alone.
            self._until: float | None = None
            while b"\r\n\r\n" not in self._data and len(self._data) < MOST_BYTES:
                self._more()
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self.response = _parsed(head)
            accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
            accepted = self.response.headers.get("sec-websocket-accept")
            if self.response.status == 101 and accepted != accept:
                raise NoResponse("the answer to the WebSocket handshake is of another one")
        except (OSError, ValueError) as error:
            self._socket.close()
            raise NoResponse(str(error) or type(error).__name__) from error
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    @property
    def own_address(self) -> str:
        """The address of this end."""
        return str(self._socket.getsockname()[0])

    def _more(self) -> None:
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
        data = self._socket.recv(65_536)
        if not data:
            raise NoResponse("the connection was closed")
        self._data += data

    def send(self, text: bytes) -> None:
        """Send a text of less than 126 bytes."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
        self._socket.sendall(bytes((0x81, 0x80 | len(text))) + mask + masked)

    def receive(self) -> bytes:
        """Return the next text. Raises NoResponse: there is none in time."""
        self._until = time.monotonic() + TIMEOUT_S
        try:
            while True:
                opcode, payload = self._frame()
                if opcode == 1:
                    return payload
                if opcode == 8:
                    raise NoResponse("the server closed the connection")
        except OSError as error:
            raise NoResponse(str(error)) from error

    def wait_for_ping(self, seconds: float) -> None:
        """Wait for a ping. Raises NoResponse: there is none in time, or the connection ends."""
        self._until = time.monotonic() + seconds
        try:
            while (opcode := self._frame()[0]) != 9:
                if opcode == 8:
                    raise NoResponse("the server closed the connection")
        except OSError as error:
            raise NoResponse(str(error)) from error

    def _frame(self) -> tuple[int, bytes]:
        size = self._take(2)
        opcode, length = size[0] & 15, size[1] & 127
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        if length > MOST_BYTES:
            raise NoResponse("a frame is too large")
        return opcode, self._take(length)

    def _take(self, count: int) -> bytes:
        while len(self._data) < count:
            self._more()
        taken, self._data = self._data[:count], self._data[count:]
        return taken


def _parsed(head: bytes) -> Response:
    """Return the response with a header section. Raises ValueError."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    status = first.split()[1:2]
    if not first.startswith("HTTP/") or not status:
        raise ValueError("what came is not HTTP")
    return Response(int(status[0]), {name.lower(): value.strip() for name, _, value in fields})
