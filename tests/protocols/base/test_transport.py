"""Connections that write directly to the kernel, on real sockets."""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gtchat.protocols.base.outbox import Outbox, WriteBatcher
from gtchat.protocols.base.transport import EagerReactor


class FirstConnection(Factory):
    """A factory whose Deferred fires with the protocol of the first connection."""

    protocol = Protocol

    def __init__(self) -> None:
        self.connected: Deferred[Protocol] = Deferred()

    def buildProtocol(self, addr: object) -> Protocol:
        protocol = Protocol()
        protocol.connectionMade = lambda: self.connected.callback(protocol)  # type: ignore[method-assign]
        return protocol


class EagerConnections(TestCase):
    """`EagerServer` alone, and under an outbox."""

    async def connect(self) -> tuple[Any, socket.socket]:
        """Return the server's transport, and the socket of its peer."""
        factory = FirstConnection()
        endpoint = serverFromString(EagerReactor(reactor), "tcp:0:interface=127.0.0.1")
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.addCleanup(peer.close)
        peer.setblocking(False)
        peer.connect_ex(("127.0.0.1", port.getHost().port))
        protocol = await factory.connected
        self.addCleanup(protocol.transport.abortConnection)
        return protocol.transport, peer

    async def read(self, peer: socket.socket, size: int) -> bytes:
        """Return this many bytes as soon as they have arrived."""
        data = b""
        while len(data) < size:
            if select.select([peer], [], [], 0)[0]:
                data += peer.recv(65_536)
            else:
                await deferLater(reactor, 0)
        return data

    async def test_a_write_is_sent_immediately_and_without_nagles_delay(self) -> None:
        transport, peer = await self.connect()
        transport.write_direct(b"now")
        self.assertEqual(peer.recv(10), b"now")
        self.assertTrue(transport.getTcpNoDelay())

    async def test_what_the_kernel_did_not_take_follows_in_order(self) -> None:
        transport, peer = await self.connect()
        pieces = [bytes([number]) * 100_000 for number in range(50)]
        for piece in pieces:
            transport.write_direct(piece)
        self.assertEqual(await self.read(peer, 5_000_000), b"".join(pieces))

    async def test_an_outbox_keeps_the_order_when_the_kernel_is_full(self) -> None:
        transport, peer = await self.connect()
        batcher = WriteBatcher(reactor, 0, 0)
        outbox = Outbox(batcher, transport, lambda: None)
        pieces = [bytes([number]) * 100_000 for number in range(50)]
        for piece in pieces:
            outbox.write(piece)
            batcher.flush()
        self.assertTrue(outbox.buffered_bytes)
        self.assertEqual(await self.read(peer, 5_000_000), b"".join(pieces))
        self.assertFalse(outbox.buffered_bytes)
        outbox.write(b"then")
        batcher.flush()
        self.assertEqual(peer.recv(10), b"then")

    async def test_bytes_buffered_before_the_outbox_are_sent_first(self) -> None:
        transport, peer = await self.connect()
        transport.write(b"first ")
        batcher = WriteBatcher(reactor, 0, 0)
        Outbox(batcher, transport, lambda: None).write(b"second")
        batcher.flush()
        self.assertEqual(await self.read(peer, 12), b"first second")

    async def test_frames_left_at_a_close_are_sent_immediately(self) -> None:
        transport, peer = await self.connect()
        outbox = Outbox(WriteBatcher(reactor, 0, 0), transport, lambda: None)
        outbox.write(b"last words")
        outbox.close()
        self.assertEqual(peer.recv(10), b"last words")

    async def test_an_outbox_of_a_broken_connection_raises_nothing(self) -> None:
        transport, peer = await self.connect()
        batcher = WriteBatcher(reactor, 0, 0)
        outbox = Outbox(batcher, transport, lambda: None)
        transport.socket.shutdown(socket.SHUT_RDWR)
        outbox.write(b"x")
        batcher.flush()
        for _ in range(3):
            await deferLater(reactor, 0)
        self.assertTrue(outbox.closed)
        self.assertFalse(transport.connected)

    async def test_a_write_to_a_broken_connection_raises_nothing(self) -> None:
        transport, peer = await self.connect()
        transport.socket.shutdown(socket.SHUT_RDWR)
        transport.write_direct(b"x")
        for _ in range(3):
            await deferLater(reactor, 0)
        self.assertFalse(transport.connected)
