"""A WebSocket client for many at once: asyncio, objects in and out, nothing clever (RFC 6455)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from typing import Any

from tests.e2e.server import SECONDS, Closed

Object = dict[str, Any]

#: What breaks a connection, for whoever reads from it or writes to it.
BROKEN = (OSError, Closed, asyncio.IncompleteReadError)


class Wire:
    """One connection.

    Attributes:
        patience: seconds after which a connection counts as closed on which not even a ping came.
        unread: objects that have come, and that nobody has taken yet.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._data = b""
        self.patience: float | None = None
        self.unread: list[Object] = []

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1") -> Wire:
        """Open a connection.

        Raises:
            OSError, Closed: it can't be.
        """
        reader, writer = await asyncio.open_connection(host, port)
        wire = cls(reader, writer)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        except BROKEN:
            wire.close()
            raise
        if b" 101 " not in head:
            wire.close()
            raise Closed(None)
        return wire

    def send(self, thing: Object) -> None:
        """Send an object, when there is time for it."""
        self._frame(json.dumps(thing).encode())

    def send_close(self) -> None:
        """Say that nothing more is said; what comes until the other side says so too is read."""
        self._frame(struct.pack("!H", 1000), 8)

    async def drain(self) -> None:
        """Wait until not too much waits to be sent."""
        await self._writer.drain()

    def _frame(self, payload: bytes, opcode: int = 1) -> None:
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
        """What comes next, or has come already: one object or more.

        Raises:
            Closed, OSError: nothing comes any more.
        """
        while not self.unread:
            try:
                data = await asyncio.wait_for(self._reader.read(1 << 18), self.patience)
            except asyncio.TimeoutError:
                data = b""
            if not data:
                raise Closed(None)
            self._data += data
            self._take_frames()
        found, self.unread = self.unread, []
        return found

    def _take_frames(self) -> None:
        """Take the frames that are whole out of what was read."""
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
            self._take_frame(data[at] & 15, data[start : start + size])
            at = start + size
        self._data = data[at:]

    def _take_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            self.unread.append(json.loads(payload))
        elif opcode == 9:
            self._frame(payload, 10)
        elif opcode == 8:
            raise Closed(int.from_bytes(payload[:2], "big") or None)

    async def ask(self, **thing: object) -> Object:
        """Send a request of the JSON API; its reply. What comes before it stays unread.

        Raises:
            Closed, OSError, TimeoutError: there is none.
        """
        self.send({"tracker": "ask", **thing})
        return await asyncio.wait_for(self._answer(), SECONDS)

    async def _answer(self) -> Object:
        before: list[Object] = []
        while True:
            found = await self.read()
            for index, one in enumerate(found):
                if one.get("tracker") == "ask":
                    self.unread = before + found[index + 1 :]
                    return one
                before.append(one)

    def close(self) -> None:
        """Leave without a word."""
        self._writer.transport.abort()
