"""Connections that write directly to the kernel, on real sockets.

`PrivateNames` has a test of each name of Twisted that `gtchat.protocols.base.transport` relies on,
although Twisted does not document it. They are tried on Twisted alone.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base.outbox import Outbox, WriteBatcher
from gtchat.protocols.base.transport import EagerReactor

#: Seconds after which what was not sent is given up.
SECONDS = 60


class FirstConnection(Factory):
    """A factory whose Deferred fires with the protocol of the first connection."""

    protocol = Protocol

    def __init__(self) -> None:
        self.connected: Deferred[Protocol] = Deferred()

    def buildProtocol(self, addr: object) -> Protocol:
        protocol = Protocol()
        protocol.connectionMade = lambda: self.connected.callback(protocol)  # type: ignore[method-assign]
        return protocol


class ConnectedTestCase(TestCase):
    """Has one TCP connection.

    Attributes:
        listening_reactor: makes the listening port.
    """

    listening_reactor: Any = reactor

    async def connect(self) -> tuple[Any, socket.socket]:
        """Return the server's transport, and the socket of its peer."""
        factory = FirstConnection()
        endpoint = serverFromString(self.listening_reactor, "tcp:0:interface=127.0.0.1")
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

    def read_now(self, peer: socket.socket) -> bytes:
        """Return what was sent already: the reactor does not run meanwhile."""
        peer.settimeout(SECONDS)
        return peer.recv(10)

    async def read(self, peer: socket.socket, size: int) -> bytes:
        """Return this many bytes as soon as they have arrived."""
        data = b""
        while len(data) < size:
            if select.select([peer], [], [], 0)[0]:
                data += peer.recv(65_536)
            else:
                await deferLater(reactor, 0)
        return data


class EagerConnections(ConnectedTestCase):
    """`EagerServer` alone, and under an outbox."""

    listening_reactor = EagerReactor(reactor)

    async def test_a_write_is_sent_immediately_and_without_nagles_delay(self) -> None:
        transport, peer = await self.connect()
        transport.write_direct(b"now")
        self.assertEqual(self.read_now(peer), b"now")
        self.assertTrue(transport.getTcpNoDelay())

    async def test_what_the_kernel_did_not_take_follows_in_order(self) -> None:
        transport, peer = await self.connect()
        pieces = [bytes([number]) * 100_000 for number in range(50)]
        for piece in pieces:
            transport.write_direct(piece)
        self.assertEqual(await self.read(peer, 5_000_000), b"".join(pieces))

    async def test_an_outbox_keeps_the_order_when_the_kernel_is_full(self) -> None:
        transport, peer = await self.connect()
        batcher = WriteBatcher(reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))
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
        self.assertEqual(self.read_now(peer), b"then")

    async def test_bytes_buffered_before_the_outbox_are_sent_first(self) -> None:
        transport, peer = await self.connect()
        transport.write(b"first ")
        batcher = WriteBatcher(reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))
        Outbox(batcher, transport, lambda: None).write(b"second")
        batcher.flush()
        self.assertEqual(await self.read(peer, 12), b"first second")

    async def test_frames_left_at_a_close_are_sent_immediately(self) -> None:
        transport, peer = await self.connect()
        outbox = Outbox(
            WriteBatcher(reactor, Limits(outbox_bytes=0, unsent_bytes_total=0)),
            transport,
            lambda: None,
        )
        outbox.write(b"last words")
        outbox.close()
        self.assertEqual(self.read_now(peer), b"last words")

    async def test_an_outbox_of_a_broken_connection_raises_nothing(self) -> None:
        transport, peer = await self.connect()
        batcher = WriteBatcher(reactor, Limits(outbox_bytes=0, unsent_bytes_total=0))
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


class Producer:
    """A push producer that records the calls of its methods."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class PrivateNames(ConnectedTestCase):
    """Twisted's own transport."""

    async def test_port_transport_is_the_class_of_its_connections(self) -> None:
        transport, _ = await self.connect()
        self.assertIs(tcp.Port.transport, tcp.Server)
        self.assertIs(type(transport), tcp.Server)
        self.assertIs(type(transport.server), tcp.Port)

    async def test_socket_is_deleted_when_the_connection_is_lost(self) -> None:
        transport, peer = await self.connect()
        self.assertEqual(transport.socket.send(b"direct"), 6)
        self.assertEqual(self.read_now(peer), b"direct")
        transport.abortConnection()
        await deferLater(reactor, 0)
        self.assertFalse(hasattr(transport, "socket"))

    async def test_logstr_and_repstr_are_texts_of_each_connection(self) -> None:
        transport, _ = await self.connect()
        for name in ("logstr", "repstr"):
            self.assertIsInstance(vars(transport)[name], str)
        self.assertEqual(
            (transport.logPrefix(), repr(transport)), (transport.logstr, transport.repstr)
        )

    async def test_tempdatabuffer_and_databuffer_are_what_is_not_sent(self) -> None:
        transport, peer = await self.connect()
        self.assertFalse(transport._tempDataBuffer or transport.dataBuffer)
        size = 500_000  # more than Twisted sends at once
        transport.write(bytes(size))
        self.assertTrue(transport._tempDataBuffer)
        transport.doWrite()
        self.assertEqual((transport._tempDataBuffer, len(transport.dataBuffer)), ([], size))
        await self.read(peer, size)
        self.assertFalse(transport._tempDataBuffer or transport.dataBuffer)

    async def test_disconnecting_says_that_the_rest_is_being_sent(self) -> None:
        transport, _ = await self.connect()
        transport.write(b"x")
        self.assertFalse(transport.disconnecting)
        transport.loseConnection()
        self.assertTrue(transport.disconnecting)

    async def test_postloseconnection_is_called_when_all_is_sent(self) -> None:
        transport, peer = await self.connect()
        calls: list[bytes] = []
        self.patch(transport, "_postLoseConnection", lambda: calls.append(peer.recv(10)))
        transport.write(b"rest")
        transport.loseConnection()
        transport.doWrite()
        self.assertEqual(calls, [b"rest"])  # what it returned, None, kept the connection open
        self.assertTrue(transport.connected)

    async def test_closewriteconnection_is_called_when_all_is_sent(self) -> None:
        transport, peer = await self.connect()
        calls: list[bool] = []
        self.patch(
            transport,
            "_closeWriteConnection",
            lambda: calls.append(transport._writeDisconnecting and transport._writeDisconnected),
        )
        transport.write(b"rest")
        transport.loseWriteConnection()
        transport.doWrite()
        self.assertEqual((calls, await self.read(peer, 4)), ([True], b"rest"))
        transport._writeDisconnected = False  # from which on it writes again
        transport.write(b"more")
        self.assertEqual(await self.read(peer, 4), b"more")

    async def test_type_is_what_a_port_is_called(self) -> None:
        self.assertEqual(tcp.Port._type, "TCP")

    async def test_producer_and_streamingproducer_are_what_is_registered(self) -> None:
        transport, _ = await self.connect()
        producer = Producer()
        self.assertIsNone(transport.producer)
        transport.registerProducer(producer, True)
        self.assertEqual((transport.producer, transport.streamingProducer), (producer, True))
        transport.unregisterProducer()
        self.assertIsNone(transport.producer)

    async def test_producerpaused_makes_an_empty_buffer_resume_the_producer(self) -> None:
        for paused, calls in ((False, []), (True, ["resume"])):
            transport, peer = await self.connect()
            producer = Producer()
            transport.registerProducer(producer, True)
            transport.write(b"x")
            transport.producerPaused = paused
            await self.read(peer, 1)
            self.assertEqual((producer.calls, transport.producerPaused), (calls, False))
            transport.unregisterProducer()
