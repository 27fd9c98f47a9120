"""A client's TCP connection: its count, its deadline, pause and resume."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import LOCAL, Proxies
from gtchat.protocols.base.tcp import CLOSE_TIMEOUT, ClientConnection
from tests.protocols.fakes import FakeTransport


class RecordingConnection(ClientConnection):
    """Records when it was opened and lost."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.steps: list[str] = []

    def opened(self) -> None:
        super().opened()
        self.steps.append("opened")

    def lost(self) -> None:
        super().lost()
        self.steps.append("lost")


class Connections(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.limiter = ConnectionLimiter(Limits(connections_per_address=2))

    def connect(self, address: str = "192.0.2.7") -> RecordingConnection:
        connection = RecordingConnection(self.limiter, self.clock)
        transport = FakeTransport(self.clock, address)
        transport.protocol = connection
        connection.makeConnection(transport)
        self.clock.advance(0)
        return connection

    def test_an_address_has_a_limited_number_of_connections(self) -> None:
        first, second, third = self.connect(), self.connect(), self.connect()
        other = self.connect("192.0.2.8")
        self.assertEqual(
            [one.transport.aborted for one in (first, second, third, other)],
            [False, False, True, False],
        )
        self.assertEqual(third.steps, ["lost"])
        first.transport.lose()
        self.assertEqual(self.connect().steps, ["opened"])

    def test_an_ipv4_mapped_address_is_the_ipv4_address(self) -> None:
        self.assertEqual(self.connect("::ffff:192.0.2.7").address, "192.0.2.7")

    def test_a_unix_socket_has_no_address_and_no_options_of_tcp(self) -> None:
        def refuse(enabled: bool) -> None:
            raise OSError(95, "Operation not supported")

        for peer in (UNIXAddress("/run/socket"), UNIXAddress(None)):
            connection = RecordingConnection(self.limiter, self.clock)
            transport = StringTransport(peerAddress=peer)
            transport.setTcpNoDelay = refuse  # type: ignore[attr-defined]
            connection.makeConnection(transport)
            self.assertEqual((connection.address, connection.steps), (LOCAL, ["opened"]))
            connection.connectionLost()

    def test_the_addresses_of_a_network_are_counted_together(self) -> None:  # G21
        connections = [self.connect(f"2001:db8::{number}") for number in range(1, 4)]
        other = self.connect("2001:db8:0:1::1")
        aborted = [one.transport.aborted for one in (*connections, other)]
        self.assertEqual(aborted, [False, False, True, False])

    def test_a_proxy_is_not_counted(self) -> None:
        self.limiter = ConnectionLimiter(
            Limits(connections_per_address=2), Proxies.named(["2001:db8::5"])
        )
        connections = [self.connect("2001:db8::5") for _ in range(5)]
        connections += [self.connect("2001:db8::1") for _ in range(3)]
        aborted = [one.transport.aborted for one in connections]
        self.assertEqual(aborted, [False] * 7 + [True])
        for connection in connections:
            connection.transport.lose()
        self.assertEqual(len(self.limiter._by_network), 0)

    def test_a_deadline_aborts(self) -> None:
        connection = self.connect()
        connection.set_deadline(10)
        connection.set_deadline(20)
        self.clock.advance(19)
        self.assertFalse(connection.transport.aborted)
        self.clock.advance(1)
        self.assertTrue(connection.transport.aborted)

    def test_no_deadline_is_left_when_the_connection_is_lost(self) -> None:
        connection = self.connect()
        connection.set_deadline(10)
        connection.transport.lose()
        self.assertEqual(connection.steps, ["opened", "lost"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_client_that_does_not_read_is_closed_after_a_while(self) -> None:
        connection = self.connect()
        connection.transport.reads = False
        connection.close_connection()
        self.clock.advance(CLOSE_TIMEOUT - 1)
        self.assertFalse(connection.closed)
        self.clock.advance(1)
        self.assertTrue(connection.transport.aborted)
        self.clock.advance(0)
        self.assertTrue(connection.closed)

    def test_a_lost_connection_that_is_closed_leaves_no_deadline(self) -> None:
        connection = self.connect()
        connection.transport.lose()
        connection.close_connection()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_lost_connection_gets_no_deadline(self) -> None:
        connection = self.connect()
        connection.transport.lose()
        connection.set_deadline(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pause_and_resume(self) -> None:
        connection = self.connect()
        connection.pause_reading()
        self.assertEqual(connection.transport.producerState, "paused")
        connection.resume_reading()
        self.assertEqual(connection.transport.producerState, "producing")
        connection.pause_reading()
        connection.transport.lose()
        connection.resume_reading()
        self.assertEqual(connection.transport.producerState, "paused")

    def test_a_flood_is_aborted(self) -> None:
        connection = self.connect()
        connection.disconnect_flood()
        self.assertTrue(connection.transport.aborted)
