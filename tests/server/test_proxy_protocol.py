"""The PROXY protocol: whose header counts, and which address a protocol sees."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy import _wrapper
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.http_access import Proxies
from gtchat.server.proxy_protocol import HEADER_TIMEOUT, ProxiedFactory, TrustedProxyFactory
from tests.server.test_service import ServiceCase

PROXY = IPv4Address("TCP", "10.1.2.3", 1)
HEADER = b"PROXY TCP4 203.0.113.7 127.0.0.1 1000 2000\r\n"
#: The same in version 2.
BINARY = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
    + struct.pack("!H", 12)
    + bytes([203, 0, 113, 7, 127, 0, 0, 1])
    + struct.pack("!HH", 1000, 2000)
)
#: Of a connection of the proxy's own, such as a health check.
UNKNOWN = b"PROXY UNKNOWN ffff:f::1 ffff:f::1 1 2\r\n"


class Recording(Protocol):
    """Records the peer when the connection begins, and what follows."""

    def __init__(self, steps: list[object], refuses: bool = False) -> None:
        self._steps = steps
        self._refuses = refuses

    def connectionMade(self) -> None:
        assert self.transport is not None
        peer: Any = self.transport.getPeer()
        self._steps.append(peer.host)
        if self._refuses:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._steps.append(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._steps.append("lost")


class ProxyHeaders(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.steps: list[object] = []

    def connect(self, refuses: bool = False) -> tuple[Any, StringTransport]:
        """Return a connection of a proxy, and its transport."""
        factory: Any = SimpleNamespace(buildProtocol=lambda address: Recording(self.steps, refuses))
        protocol: Any = ProxiedFactory(factory, self.clock).buildProtocol(PROXY)
        transport = StringTransport(peerAddress=PROXY)
        protocol.makeConnection(transport)
        return protocol, transport

    def test_a_protocol_begins_behind_the_header_with_the_address_in_it(self) -> None:
        for header, address in (
            (HEADER, "203.0.113.7"),
            (BINARY, "203.0.113.7"),
            (UNKNOWN, "10.1.2.3"),
        ):
            for pieces in (
                (header + b"GET", b"/"),
                (header, b"GET", b"/"),
                (header[:20], header[20:] + b"GET", b"/"),
            ):
                self.steps.clear()
                protocol, _ = self.connect()
                self.assertEqual(self.steps, [])
                for piece in pieces:
                    protocol.dataReceived(piece)
                protocol.connectionLost(Failure(ConnectionDone()))
                self.assertEqual(self.steps, [address, b"GET", b"/", "lost"], pieces)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_protocol_begins_before_its_client_says_anything(self) -> None:
        protocol, transport = self.connect()
        protocol.dataReceived(HEADER)
        self.assertEqual(self.steps, ["203.0.113.7"])
        self.clock.advance(HEADER_TIMEOUT)
        self.assertFalse(transport.disconnecting)

    def test_a_connection_without_a_header_is_closed_and_no_protocol_begins(self) -> None:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200):
            protocol, transport = self.connect()
            protocol.dataReceived(data)
            self.assertTrue(transport.disconnecting)
            protocol.dataReceived(HEADER)
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.steps, self.clock.getDelayedCalls()), ([], []))

    def test_a_header_that_does_not_come_in_time_ends_the_connection(self) -> None:
        protocol, transport = self.connect()
        protocol.dataReceived(HEADER[:-1])
        self.clock.advance(HEADER_TIMEOUT - 1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.steps, [])

    def test_a_protocol_that_refuses_a_connection_is_given_nothing(self) -> None:
        protocol, transport = self.connect(refuses=True)
        transport.abortConnection = lambda: None  # type: ignore[method-assign]
        protocol.dataReceived(HEADER + b"GET")
        self.assertEqual(self.steps, ["203.0.113.7"])


class TrustedProxies(SynchronousTestCase):
    def test_peers_of_unix_sockets_are_proxies_if_they_are_named(self) -> None:
        built = SimpleNamespace(buildProtocol=lambda address: address)
        peers = (UNIXAddress("/run/socket"), UNIXAddress(None), IPv4Address("TCP", "10.1.1.1", 1))
        for names, trusted in ((["unix"], peers[:2]), (["10.0.0.0/8"], peers[2:])):
            factory = TrustedProxyFactory(built, Proxies.named(names))
            for peer in peers:
                found: object = factory.buildProtocol(peer)
                self.assertIs(found, peer if peer in trusted else None)


class Addresses(ServiceCase):
    """The whole server behind a proxy: addresses are those of the header, and only those."""

    def test_forwarding_headers_of_a_client_behind_the_proxy_do_not_count(self) -> None:
        made = self.started(ws="haproxy:tcp:1", web="haproxy:tcp:2", trusted_proxies="127.0.0.1")
        for port, path in ((1, "/"), (2, "/ws")):
            self.handshake(port, path, **{"X-Forwarded-For": "198.51.100.1"})
            [connection] = made._websocket.context.connections
            self.assertEqual(connection.address, "203.0.113.7")
            made._websocket.context.connections.clear()

    def test_connections_of_a_client_behind_the_proxy_are_limited(self) -> None:
        self.started(
            ws="haproxy:tcp:1",
            web="haproxy:tcp:2",
            livechat="haproxy:tcp:3",
            trusted_proxies="127.0.0.1",
            connections_per_address="1",
        )
        for port in (2, 3):
            transports = [self.connect(port)[1] for _ in range(2)]
            self.assertEqual([one.disconnecting for one in transports], [False, True])
        self.assertEqual([self.status(1) for _ in range(2)], [101, 503])

    def connect(self, port: int) -> tuple[Any, Any]:
        protocol, transport = super().connect(port)
        protocol.dataReceived(HEADER)
        return protocol, transport


class PrivateNames(SynchronousTestCase):
    """What `proxy_protocol` needs of Twisted although it does not document it."""

    def test_proxyinfo_is_set_when_the_header_is_read(self) -> None:
        factory = _wrapper.HAProxyWrappingFactory(Factory.forProtocol(Protocol))
        protocol: Any = factory.buildProtocol(PROXY)
        self.assertIsInstance(protocol, _wrapper.HAProxyProtocolWrapper)
        protocol.makeConnection(StringTransport(peerAddress=PROXY))
        self.assertIsNone(protocol._proxyInfo)
        protocol.dataReceived(HEADER)
        self.assertEqual(protocol._proxyInfo.source.host, "203.0.113.7")

    def test_what_follows_a_header_goes_to_the_wrapped_protocol(self) -> None:
        received: list[bytes] = []
        factory = _wrapper.HAProxyWrappingFactory(Factory.forProtocol(Protocol))
        protocol: Any = factory.buildProtocol(PROXY)
        protocol.makeConnection(StringTransport(peerAddress=PROXY))
        protocol.wrappedProtocol = SimpleNamespace(dataReceived=received.append)
        protocol.dataReceived(HEADER + b"GET")
        self.assertEqual(received, [b"GET"])
