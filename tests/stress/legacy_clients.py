"""Simulated users of the protocols over TCP: Live chat, and the two with dialback."""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
from typing import Any

from tests.stress.clients import LOBBY, PASSWORD, REPLY_SECONDS, SimulatedUser
from tests.stress.oracle import Oracle

#: Seconds between two messages, in protocols that cannot take them faster.
PACE = 0.03


class LiveChatClient(SimulatedUser):
    """A user of Live chat, with a new name for each connection.

    Nothing is acknowledged, and the server takes each read from its socket for one message.
    """

    _MESSAGE = re.compile(r"\[\d\d:\d\d:\d\d\] (\S+) > (.*?)\n?(?=\[\d\d:\d\d:\d\d\]|$)", re.DOTALL)

    def __init__(self, name: str, oracle: Oracle) -> None:
        super().__init__(name, oracle)
        self._base_name = name
        self._connects = itertools.count()
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, ports: dict[str, int]) -> None:
        self.name = f"{self._base_name}{next(self._connects)}"
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", ports["livechat"])
        self._writer.write(self.name.encode())
        data, last = b"", b"&" + self.name.encode()
        while last not in data:
            more = await asyncio.wait_for(self._reader.read(4096), REPLY_SECONDS)
            if not more:
                raise ConnectionResetError
            data += more
        self.oracle.start_session(self.name, LOBBY)
        self._take(data.partition(last)[2])

    def disconnect(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def send(self) -> None:
        while True:
            assert self._writer is not None
            if self._writer.transport.is_closing():
                raise ConnectionResetError
            text = self.new_text(LOBBY)
            self._writer.write(text.encode())
            while text not in self.oracle.delivered:  # two in one read would be one message
                await asyncio.sleep(PACE)

    async def receive(self) -> None:
        while True:
            data = await self._reader.read(4096)
            if not data:
                raise ConnectionResetError
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Record the messages that were read at once."""
        for sender, text in self._MESSAGE.findall(data.decode()):
            if sender != "server":
                self.oracle.record_unnumbered(self.name, LOBBY, text)


class DialbackClient(SimulatedUser):
    """A user of a protocol in which the server connects to the client for each push."""

    _pushed: re.Pattern[str]

    def __init__(self, name: str, oracle: Oracle) -> None:
        super().__init__(name, oracle)
        self._listener: Any = None
        self._open_calls = 0
        self._logged_in = asyncio.Event()

    async def listen(self) -> int:
        """Listen for connections of the server, and start a session.

        Returns:
            the port.
        """
        if self._listener is None:
            self._listener = await asyncio.start_server(self._called, "127.0.0.1", 0)
        while self._open_calls:  # read to the end what the server sent before it was killed
            await asyncio.sleep(0)
        self._logged_in.clear()
        self.oracle.start_session(self.name, LOBBY)
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open_calls += 1
        try:
            self.handle_call(await reader.read())
        except OSError:
            pass
        finally:
            self._open_calls -= 1
            writer.close()

    def handle_call(self, data: bytes) -> None:
        """Take all bytes of one connection of the server."""
        raise NotImplementedError

    def handle_push(self, shown: str) -> None:
        """Record the messages in a text that the original would show to its user."""
        for text in self._pushed.findall(shown):
            if " whispers " in text:
                self.oracle.received_whispers.setdefault(self.name, []).append(text)
            else:
                self.oracle.record_unnumbered(self.name, LOBBY, text)

    async def request(self, port: int, data: bytes) -> bytes:
        """Send bytes on a new connection and return the answer, until the server closes.

        Args:
            port: the port of the server.
            data: the request.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), REPLY_SECONDS)
        finally:
            writer.transport.abort()


class MessageCenterClient(DialbackClient):
    """A user of Message Center."""

    _pushed = re.compile(r"^\[\w+\]: (.*)$", re.MULTILINE)

    async def connect(self, ports: dict[str, int]) -> None:
        own_port = await self.listen()
        self._port = ports["message_center"]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            for field in ("LIN", self.name, PASSWORD):
                writer.write(framed(field))
            answer = await asyncio.wait_for(read_frame(reader), REPLY_SECONDS)
            if answer != b"LOGIN_OKAY":
                self.oracle.violations.append(f"{self.name} logged in: {answer!r}")
            self._token = (await read_frame(reader)).decode()
            writer.write(framed("localhost") + framed(str(own_port)))
            await reader.read()
        finally:
            writer.transport.abort()

    async def send(self) -> None:
        while True:
            text = self.new_text(LOBBY)
            await self.request(self._port, framed(f"BRD|{self.name}|{self._token}|{text}"))
            await asyncio.sleep(PACE)

    def handle_call(self, data: bytes) -> None:
        if len(data) >= 4 and len(data) == 4 + struct.unpack("!I", data[:4])[0]:
            self.handle_push(data[4:].decode())


class PA1Client(DialbackClient):
    """A user of PA1."""

    _pushed = re.compile(r"^\w+ said: (.*)\n", re.MULTILINE)

    async def connect(self, ports: dict[str, int]) -> None:
        own_port = await self.listen()
        self._port = ports["pa1"]
        await self.request(self._port, f"logIn {self.name} {PASSWORD} {own_port}".encode())
        await asyncio.wait_for(self._logged_in.wait(), REPLY_SECONDS)

    async def send(self) -> None:
        while True:
            request = f"{self.name} broadcast {self.new_text(LOBBY)}"
            await self.request(self._port, request.encode())

    def server_killed(self) -> None:
        self._logged_in.set()

    def handle_call(self, data: bytes) -> None:
        if data.startswith(b"Ok"):
            self._logged_in.set()
        else:
            self.handle_push(data.decode())


def framed(text: str) -> bytes:
    """Return a frame of Message Center."""
    return struct.pack("!I", len(text.encode())) + text.encode()


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame of Message Center."""
    size = struct.unpack("!I", await reader.readexactly(4))[0]
    return await reader.readexactly(size)
