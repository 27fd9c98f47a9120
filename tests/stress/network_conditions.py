"""A proxy that simulates bad networks: delay, loss of the connection, stalls, flipped bits.

It passes on TCP, or the connections to a Unix socket, such as those of a server to PostgreSQL.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable

import attrs


@attrs.frozen
class NetworkConditions:
    """What happens to one connection.

    Attributes:
        delay: seconds that a piece takes, each way: minimum and maximum. The order is kept.
        piece: bytes that are passed on at once, 0 for what was read.
        rate: bytes per second, each way, 0 for no limit.
        ends_after: bytes from the client after which both sides are closed, None for never.
        resets: whether they are closed with RST.
        stalls_after: bytes, both ways together, after which nothing is passed on for `stall`
            seconds; then both sides are closed. None for never.
        stall: seconds.
        corrupt: probability that one bit of a byte is flipped.
        spared: bytes at the start of the connection that are never corrupted.
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


PERFECT = NetworkConditions()


class Proxy:
    """Passes connections on to a server.

    Args:
        target: the port of the server, or the path of its Unix socket.
        conditions: called for each connection.
        seed: of everything random.
        host: the address of the server.

    Attributes:
        port: the port of the proxy on 127.0.0.1, 0 where it listens on a Unix socket.
        delay: seconds that each piece takes more, each way; may be changed at any time.
        connections: the number of connections so far.
        passed: bytes passed on so far, both ways.
    """

    def __init__(
        self,
        target: int | str,
        conditions: Callable[[], NetworkConditions],
        seed: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.target = target
        self.host = host
        self._conditions = conditions
        self._random = random.Random(seed)
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay = 0.0
        self.connections = 0
        self.passed = 0

    async def start(self, path: str | None = None) -> Proxy:
        """Listen on a free port, or on a Unix socket.

        Args:
            path: where the socket is made.
        """
        if path is not None:
            self._server = await asyncio.start_unix_server(self._accept, path)
            return self
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        """Stop listening and reset all connections."""
        if self._server is not None:
            self._server.close()
        self.heal()
        self.cut()
        while self._links:
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Reset all connections; new ones are passed on."""
        for link in list(self._links):
            link.close(reset=True)

    def partition(self) -> None:
        """Pass nothing on until `heal`, without closing a connection."""
        self._is_open.clear()

    def heal(self) -> None:
        """End the partition."""
        self._is_open.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the server.

        Raises:
            OSError: it is down.
        """
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection(self.host, self.target)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = _Link(self, self._conditions(), self._random, self._is_open, writer)
        self._links.add(link)
        try:
            await link.run(reader)
        except OSError:
            pass
        finally:
            self._links.discard(link)
            link.close(reset=False)


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        conditions: NetworkConditions,
        rng: random.Random,
        is_open: asyncio.Event,
        client: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._conditions = conditions
        self._random = rng
        self._is_open = is_open
        self._sides = [client]
        self._passed = 0
        self._from_client = 0
        self._closed = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Pass data on until both sides have ended, or the link is closed."""
        server_reader, writer = await self._proxy.connect()
        self._sides.append(writer)
        pumps = [
            asyncio.create_task(self._pump(reader, writer, from_client=True)),
            asyncio.create_task(self._pump(server_reader, self._sides[0], from_client=False)),
        ]
        both = asyncio.gather(*pumps, return_exceptions=True)
        closed = asyncio.create_task(self._closed.wait())
        await asyncio.wait([both, closed], return_when=asyncio.FIRST_COMPLETED)
        for task in (*pumps, closed):
            task.cancel()
        await asyncio.gather(both, closed, return_exceptions=True)

    def close(self, reset: bool) -> None:
        """Close both sides, with RST or with FIN."""
        self._closed.set()
        for side in self._sides:
            if reset:
                handle = side.transport.get_extra_info("socket")
                if handle is not None and handle.fileno() >= 0:
                    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.transport.abort()
            else:
                side.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, from_client: bool
    ) -> None:
        """Pass one direction on."""
        try:
            while data := await reader.read(65_536):
                size = self._conditions.piece or len(data)
                for start in range(0, len(data), size):
                    await self._pass(data[start : start + size], writer, from_client)
            writer.write_eof()
        except OSError:
            self.close(reset=False)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, from_client: bool) -> None:
        conditions = self._conditions
        if conditions.delay[1]:
            await asyncio.sleep(self._random.uniform(*conditions.delay))
        if self._proxy.delay:
            await asyncio.sleep(self._proxy.delay)
        if conditions.rate:
            await asyncio.sleep(len(data) / conditions.rate)
        await self._is_open.wait()
        if from_client and conditions.ends_after is not None:
            left = conditions.ends_after - self._from_client
            self._from_client += len(data)
            if left <= len(data):
                writer.write(data[: max(left, 0)])
                await writer.drain()
                self.close(conditions.resets)
                return
        self._passed += len(data)
        if conditions.stalls_after is not None and self._passed > conditions.stalls_after:
            await asyncio.sleep(conditions.stall)
            self.close(conditions.resets)
            return
        if conditions.corrupt and self._passed > conditions.spared:
            data = self._corrupted(data)
        self._proxy.passed += len(data)
        writer.write(data)
        await writer.drain()

    def _corrupted(self, data: bytes) -> bytes:
        """Flip one bit of some bytes."""
        return bytes(
            byte ^ (1 << self._random.randrange(8))
            if self._random.random() < self._conditions.corrupt
            else byte
            for byte in data
        )
