"""A WebSocket client (RFC 6455) on asyncio, for many connections that carry JSON objects."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from contextlib import suppress
from typing import Any

from tests.e2e.server import SECONDS, Closed

Object = dict[str, Any]

#: The exceptions of a connection that ends, while it is read or written.
DISCONNECTED = (OSError, Closed, asyncio.IncompleteReadError)


class WebSocket:
    """One connection.

    Attributes:
        idle_timeout: seconds without any byte (a ping counts) after which the connection counts
            as closed; None for no limit.
        unread: objects that arrived and were not returned by `read` yet.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._data = b""
        self.idle_timeout: float | None = None
        self.unread: list[Object] = []
        self._end: Closed | None = None

    @classmethod
    async def connect(
        cls, port: int, host: str = "127.0.0.1", path: str = "/", source: str = ""
    ) -> WebSocket:
        """Open a connection.

        Args:
            port: the port of the server.
            host: its address.
            path: of the opening handshake.
            source: address from which the connection comes, "" for any.

        Raises:
            OSError: the connection failed.
            Closed: the server refused the opening handshake.
        """
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection(host, port, local_addr=local)
        ws = cls(reader, writer)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        except DISCONNECTED:
            ws.close()
            raise
        if b" 101 " not in head:
            ws.close()
            raise Closed(None)
        return ws

    def send(self, message: Object) -> None:
        """Queue an object for sending.

        Raises:
            ConnectionResetError: the connection is closing.
        """
        self._send_frame(json.dumps(message).encode())

    def send_close(self) -> None:
        """Start the closing handshake with code 1000; `read` goes on until the server answers."""
        self._send_frame(struct.pack("!H", 1000), 8)

    async def drain(self) -> None:
        """Wait until the send buffer is below its high-water mark."""
        await self._writer.drain()

    def _send_frame(self, payload: bytes, opcode: int = 1) -> None:
        if self._writer.transport.is_closing():
            raise ConnectionResetError
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
        mask = os.urandom(4)
        stream = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        body = (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")
        self._writer.write(head + mask + body)

    async def read(self) -> list[Object]:
        """Return the objects that arrived; wait for the first if there is none.

        Raises:
            Closed: the server closed the connection, or it was idle for too long.
            OSError: the connection failed.
        """
        while not self.unread:
            if self._end is not None:
                raise self._end
            try:
                data = await asyncio.wait_for(self._reader.read(1 << 18), self.idle_timeout)
            except asyncio.TimeoutError:
                data = b""
            if not data:
                raise Closed(None)
            self._data += data
            self._parse_frames()
        messages, self.unread = self.unread, []
        return messages

    def _parse_frames(self) -> None:
        """Take the complete frames out of the data that was read."""
        data, at = self._data, 0
        while len(data) - at >= 2:
            size, start = data[at + 1] & 127, at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                if len(data) < start:
                    break
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < start + size:
                break
            self._handle_frame(data[at] & 15, data[start : start + size])
            at = start + size
        self._data = data[at:]

    def _handle_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            self.unread.append(json.loads(payload))
        elif opcode == 9:
            with suppress(ConnectionResetError):  # what came before the end is still to be read
                self._send_frame(payload, 10)
        elif opcode == 8:
            self._end = Closed(int.from_bytes(payload[:2], "big") or None)

    async def call(self, **request: object) -> Object:
        """Send a request of the JSON API and return its reply; what precedes it stays unread.

        Raises:
            Closed, OSError: the connection ended.
            asyncio.TimeoutError: there was no reply within `SECONDS`.
        """
        self.send({"tracker": "call", **request})
        return await asyncio.wait_for(self._reply(), SECONDS)

    async def _reply(self) -> Object:
        before: list[Object] = []
        while True:
            messages = await self.read()
            for index, message in enumerate(messages):
                if message.get("tracker") == "call":
                    self.unread = before + messages[index + 1 :]
                    return message
                before.append(message)

    def close(self) -> None:
        """Abort the connection without a closing handshake."""
        self._writer.transport.abort()
