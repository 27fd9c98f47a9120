"""Bytes sent to a port as they are, and what comes back."""

from __future__ import annotations

import socket
from contextlib import suppress

from tests.e2e.server import SECONDS


def ask(port: int, *pieces: bytes, close: bool = False) -> bytes:
    """All that a server answers until it closes.

    Args:
        pieces: what is sent, piece by piece. close: whether the client has no more to say.
    """
    with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
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
    """The status codes of HTTP answers."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def handshake(port: int, *more: str, **headers: str) -> bytes:
    """An opening handshake; a header set to "" is left out. more: further lines."""
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
