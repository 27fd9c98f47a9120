"""People of the protocols over TCP: Live chat, and the two that call their clients back."""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
from typing import Any

from tests.stress.clients import LOBBY, PASSWORD, Person
from tests.stress.oracle import Oracle

#: Seconds between two messages of those whose protocol is slow.
PACE = 0.03


class Live(Person):
    """Somebody on Live chat: a new name each time, nothing acknowledged, a read is a message."""

    _TALK = re.compile(r"\[\d\d:\d\d:\d\d\] (\S+) > (.*?)(?=\[\d\d:\d\d:\d\d\]|$)", re.DOTALL)

    def __init__(self, name: str, book: Oracle) -> None:
        super().__init__(name, book)
        self._base = name
        self._times = itertools.count()
        self._writer: asyncio.StreamWriter | None = None

    async def come(self, ports: dict[str, int]) -> None:
        self.name = f"{self._base}{next(self._times)}"
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", ports["livechat"])
        self._writer.write(self.name.encode())
        data = b""
        while not data.endswith(b"&" + self.name.encode()):
            more = await asyncio.wait_for(self._reader.read(4096), 20)
            if not more:
                raise ConnectionResetError
            data += more
        self.book.sit_down(self.name, LOBBY)

    def part(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def talk(self) -> None:
        while not self.quiet:
            assert self._writer is not None
            if self._writer.transport.is_closing():
                raise ConnectionResetError
            text = self.text(LOBBY)
            self._writer.write(text.encode())
            while text not in self.book.told:  # what comes at once is one message
                await asyncio.sleep(PACE)

    async def listen(self) -> None:
        while True:
            data = await self._reader.read(4096)
            if not data:
                raise ConnectionResetError
            for who, text in self._TALK.findall(data.decode()):
                if who != "server":
                    self.book.show(self.name, LOBBY, text)


class Listening(Person):
    """Somebody whom the server calls back; he listens over all crashes."""

    protocol = ""
    _said: re.Pattern[str]

    def __init__(self, name: str, book: Oracle) -> None:
        super().__init__(name, book)
        self._server: Any = None
        self._calls = 0
        self._in = asyncio.Event()
        self._requests = asyncio.Event()

    async def open(self) -> int:
        """Listen; the port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._called, "127.0.0.1", 0)
        while self._calls:  # what the server that was killed has said is heard out
            await asyncio.sleep(0)
        self._in.clear()
        self.book.sit_down(self.name, LOBBY)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._calls += 1
        try:
            data = await reader.read()
            self.hear(data)
        except OSError:
            pass
        finally:
            self._calls -= 1
            writer.close()

    def hear(self, data: bytes) -> None:
        """A whole call."""
        raise NotImplementedError

    def hear_words(self, words: str) -> None:
        """What is shown to somebody, talk or something else."""
        for text in self._said.findall(words):
            if " whispers " in text:
                self.book.heard.setdefault(self.name, []).append(text)
            else:
                self.book.show(self.name, LOBBY, text)

    async def request(self, port: int, data: bytes) -> bytes:
        """Say something on a connection of its own; what is answered until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.transport.abort()


class Center(Listening):
    """Somebody on Message Center."""

    _said = re.compile(r"^\[\w+\]: (.*)$", re.MULTILINE)

    async def come(self, ports: dict[str, int]) -> None:
        own = await self.open()
        self._port = ports["message_center"]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            for word in ("LIN", self.name, PASSWORD):
                writer.write(framed(word))
            answer = await asyncio.wait_for(_frame(reader), 20)
            if answer != b"LOGIN_OKAY":
                self.book.faults.append(f"{self.name} logged in: {answer!r}")
            self._token = (await _frame(reader)).decode()
            writer.write(framed("localhost") + framed(str(own)))
            await reader.read()
        finally:
            writer.transport.abort()

    async def talk(self) -> None:
        while not self.quiet:
            text = self.text(LOBBY)
            await self.request(self._port, framed(f"BRD|{self.name}|{self._token}|{text}"))
            await asyncio.sleep(PACE)

    def hear(self, data: bytes) -> None:
        if len(data) >= 4 and len(data) == 4 + struct.unpack("!I", data[:4])[0]:
            self.hear_words(data[4:].decode())


class Old(Listening):
    """Somebody on PA1."""

    _said = re.compile(r"^\w+ said: (.*)\n", re.MULTILINE)

    async def come(self, ports: dict[str, int]) -> None:
        own = await self.open()
        self._port = ports["pa1"]
        await self.request(self._port, f"logIn {self.name} {PASSWORD} {own}".encode())
        await asyncio.wait_for(self._in.wait(), 20)

    async def talk(self) -> None:
        while not self.quiet:
            await self.request(self._port, f"{self.name} broadcast {self.text(LOBBY)}".encode())

    def despair(self) -> None:
        self._in.set()

    def hear(self, data: bytes) -> None:
        if data.startswith(b"Ok"):
            self._in.set()
        else:
            self.hear_words(data.decode())


def framed(text: str) -> bytes:
    """A frame of Message Center."""
    return struct.pack("!I", len(text.encode())) + text.encode()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = struct.unpack("!I", await reader.readexactly(4))[0]
    return await reader.readexactly(size)
