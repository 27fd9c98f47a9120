"""Clients of the protocols that keep one connection: Live chat, RandomChat and the JSON API."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress
from queue import Queue
from threading import Thread
from typing import Any

from tests.e2e.names import AS_WRITTEN, Names
from tests.e2e.server import SECONDS, Client, Closed

#: How Live chat writes a time.
TIME = rb"\[\d\d:\d\d:\d\d\]"
#: Where one message ends and the next starts, if both arrive in one read.
BOUNDARY = re.compile(rb"(?<=OK)(?=&Host)|(?!^)(?=" + TIME + rb" )")


class LiveChatClient:
    """A client of Live chat.

    The original takes each read from its socket for one message. The server separates its writes
    in time for it (tests/protocols/test_livechat_pacing.py); where this process is scheduled too
    late to see that, this client separates the messages by their format.

    Args:
        port: of the server.
        address: IP address of the client.
        names: what the users are called.
    """

    def __init__(self, port: int, address: str = "127.0.0.1", names: Names = AS_WRITTEN) -> None:
        source = (address, 0)
        self.socket = socket.create_connection(("127.0.0.1", port), source_address=source)
        self._names = names
        self._reads: Queue[bytes] = Queue()
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        """Read data when it arrives, and queue the messages in it."""
        data = b"-"
        while data:
            try:
                data = self.socket.recv(4096)
            except OSError:
                data = b""
            for message in BOUNDARY.split(data):
                self._reads.put(self._names.received(message))

    def read(self) -> bytes:
        """Return the next message, b"" when the server closed."""
        return self._reads.get(timeout=SECONDS)

    def send(self, text: bytes) -> None:
        """Send a text."""
        self.socket.sendall(self._names.sent(text))

    def log_in(self) -> list[bytes]:
        """Read OK and the user list; return the names in it."""
        assert self.read() == b"OK"
        return self.read().split(b"&")[1:]

    def close(self, reset: bool = False) -> None:
        """End the connection; with `reset` as the system of a client that is killed may."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)  # ends the call of recv, which holds the socket
        self.socket.close()


class WebClient(Client):
    """A WebSocket client of a user of a transcript.

    Args:
        port, address: as in `Client`.
        names: what the users are called.
    """

    def __init__(self, port: int, address: str = "127.0.0.1", names: Names = AS_WRITTEN) -> None:
        self._names = names
        super().__init__(port, address=address)

    def frame(self, payload: bytes, opcode: int = 1, final: bool = True) -> None:
        super().frame(self._names.sent(payload), opcode, final)

    def next_frame(self) -> tuple[int, bytes]:
        opcode, payload = super().next_frame()
        return opcode, self._names.received(payload)

    def log_out(self) -> None:
        """Log out of the JSON API, unless the server has closed the connection."""
        with suppress(Closed, OSError):
            self.call("logout")


class RandomChatClient:
    """A client of RandomChat; the arguments are those of `WebClient`."""

    def __init__(self, port: int, address: str = "127.0.0.1", names: Names = AS_WRITTEN) -> None:
        self.ws = WebClient(port, address, names)

    def send(self, kind: str, **fields: object) -> None:
        """Send a request."""
        self.ws.frame(json.dumps({"type": kind, **fields}).encode())

    def read(self) -> dict[str, Any]:
        """Return the next object."""
        while True:
            opcode, payload = self.ws.next_frame()
            if opcode == 8:
                raise Closed(int.from_bytes(payload[:2], "big"))
            if opcode == 1:
                assert payload.isascii()
                return dict(json.loads(payload))

    def call(self, kind: str, **fields: object) -> dict[str, Any]:
        """Send a request and return the next object."""
        self.send(kind, **fields)
        return self.read()

    def register(self, name: str, phone: str) -> list[dict[str, Any]]:
        """Register; return the chats of the state."""
        state = self.call("register", user={"name": name, "phone": phone})
        assert state["type"] == "state", state
        return list(state["chats"])

    def close(self) -> None:
        """Close the connection with a closing handshake."""
        self.ws.frame(b"\x03\xe8", 8)
        with suppress(Closed):
            while True:
                self.read()
