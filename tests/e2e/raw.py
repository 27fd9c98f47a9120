"""Raw bytes sent to a port, and the answer."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from tests.e2e.server import SECONDS


def exchange(
    port: int, *pieces: bytes, close: bool = False, context: ssl.SSLContext | None = None
) -> bytes:
    """Send bytes on a new connection; return all that the server answers until it closes.

    Args:
        port: of the server.
        pieces: the bytes, one write each.
        close: whether to shut down the sending side afterwards.
        context: for TLS.
    """
    with socket.create_connection(("127.0.0.1", port), SECONDS) as plain:
        line = context.wrap_socket(plain) if context else plain
        answer = b""
        try:
            for piece in pieces:
                line.sendall(piece)
            if close:
                with suppress(OSError):  # the server may have closed already
                    line.shutdown(socket.SHUT_WR)
            while data := line.recv(65536):
                answer += data
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def codes(answer: bytes) -> list[int]:
    """Return the status codes of HTTP responses."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def handshake(port: int, *more: str, **headers: str) -> bytes:
    """Return the request of an opening handshake.

    Args:
        port: for the Host header.
        more: further header lines.
        headers: headers to change, with "_" for "-"; "" removes one. `path` is the path.
    """
    path = headers.pop("path", "/")
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = [f"{name}: {value}" for name, value in lines.items() if value]
    return "\r\n".join([f"GET {path} HTTP/1.1", *head, *more, "", ""]).encode()
