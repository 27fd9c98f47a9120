"""A TCP proxy that is bad weather: it delays, cuts, resets, stalls, dribbles and flips bits."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable

import attrs


@attrs.frozen
class NetworkConditions:
    """What becomes of one connection.

    Attributes:
        delay: seconds that a piece takes, each way, at least and at most; order is kept.
        piece: bytes that are passed on at once, 0 for whatever came.
        rate: bytes a second, each way, 0 for any number.
        ends_after: bytes from the client after which both sides are closed, None for never.
        resets: whether that is done with RST.
        stalls_after: bytes either way after which nothing is passed on any more for `stall`
            seconds; then both sides are closed.
        corrupt: how likely one bit of a byte is flipped, behind the first `spared` bytes.
    """

    delay: tuple[float, float] = (0.0, 0.0)
    piece: int = 0
    rate: int = 0
    ends_after: int | None = None
    resets: bool = False
    stalls_after: int | None = None
    stall: float = 1.0
    corrupt: float = 0.0
    spared: int = 0


CLEAR = NetworkConditions()


class Proxy:
    """Passes connections on to a port.

    Args:
        target: the port. host: whose it is.
        weather: called for each connection.

    Attributes:
        port: where it listens. connections: how many there were. passed: bytes, both ways.
    """

    def __init__(
        self,
        target: int,
        weather: Callable[[], NetworkConditions],
        seed: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.target = target
        self.host = host
        self._weather = weather
        self._random = random.Random(seed)
        self._open = asyncio.Event()
        self._open.set()
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0
        self.passed = 0

    async def start(self) -> Proxy:
        """Listen."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self.heal()
        for link in list(self._links):
            link.end(True)
        while self._links:
            await asyncio.sleep(0)

    def part(self) -> None:
        """Pass nothing on, close nothing: the network is parted."""
        self._open.clear()

    def heal(self) -> None:
        """Pass on again."""
        self._open.set()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = _Link(self, self._weather(), self._random, self._open, writer)
        self._links.add(link)
        try:
            await link.run(reader, self.host, self.target)
        except OSError:
            pass
        finally:
            self._links.discard(link)
            link.end(False)


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        weather: NetworkConditions,
        chance: random.Random,
        is_open: asyncio.Event,
        client: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._weather = weather
        self._random = chance
        self._is_open = is_open
        self._sides = [client]
        self._passed = 0
        self._from_client = 0
        self._ended = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader, host: str, target: int) -> None:
        """Pass on until it ends."""
        other, writer = await asyncio.open_connection(host, target)
        self._sides.append(writer)
        ways = [
            asyncio.create_task(self._pump(reader, writer, True)),
            asyncio.create_task(self._pump(other, self._sides[0], False)),
        ]
        both = asyncio.gather(*ways, return_exceptions=True)
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait([both, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (*ways, ended):
            task.cancel()
        await asyncio.gather(both, ended, return_exceptions=True)

    def end(self, reset: bool) -> None:
        """Close both sides."""
        self._ended.set()
        for side in self._sides:
            if reset:
                handle = side.transport.get_extra_info("socket")
                if handle is not None and handle.fileno() >= 0:
                    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.transport.abort()
            else:
                side.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool
    ) -> None:
        """Pass one way on."""
        try:
            while data := await reader.read(65_536):
                size = self._weather.piece or len(data)
                for start in range(0, len(data), size):
                    await self._pass(data[start : start + size], writer, up)
            writer.write_eof()
        except OSError:
            self.end(False)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, up: bool) -> None:
        weather = self._weather
        if weather.delay[1]:
            await asyncio.sleep(self._random.uniform(*weather.delay))
        if weather.rate:
            await asyncio.sleep(len(data) / weather.rate)
        await self._is_open.wait()
        if up and weather.ends_after is not None:
            left = weather.ends_after - self._from_client
            self._from_client += len(data)
            if left <= len(data):
                writer.write(data[: max(left, 0)])
                await writer.drain()
                self.end(weather.resets)
                return
        self._passed += len(data)
        if weather.stalls_after is not None and self._passed > weather.stalls_after:
            await asyncio.sleep(weather.stall)
            self.end(weather.resets)
            return
        if weather.corrupt and self._passed > weather.spared:
            data = bytes(
                byte ^ (1 << self._random.randrange(8))
                if self._random.random() < weather.corrupt
                else byte
                for byte in data
            )
        self._proxy.passed += len(data)
        writer.write(data)
        await writer.drain()
