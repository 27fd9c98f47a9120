"""Calling clients back: whom we never call, order, time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.dialback import (
    CONNECT,
    END,
    QUEUE_LIMIT,
    DialbackQueue,
    OutgoingWrite,
    Undeliverable,
)


class Transport(StringTransport):
    """A client's end."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it."""


class Calling(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.line = self.to(6067)

    def to(self, port: int) -> DialbackQueue:
        return DialbackQueue(self.reactor, "192.0.2.7", port, lambda: (9000, 8080))

    def push(self, *parts: tuple[float, bytes]) -> Deferred[None]:
        return self.line.call(OutgoingWrite(self.reactor, list(parts)))

    def accept(self, index: int) -> tuple[Any, Transport]:
        """The client takes a call."""
        _, _, factory, _, _ = self.reactor.tcpClients[index]
        protocol: Any = factory.buildProtocol(None)
        transport = Transport()
        protocol.makeConnection(transport)
        return protocol, transport

    def end(self, protocol: Any) -> None:
        protocol.connectionLost(Failure(Refused()))

    def test_ports_that_are_never_called(self) -> None:
        for port in (0, 22, 1023, 9000, 8080, 65_536):
            self.failureResultOf(self.to(port).call(OutgoingWrite(self.reactor, [])), Undeliverable)
        self.assertEqual(self.reactor.tcpClients, [])

    def test_only_the_logins_own_address(self) -> None:  # F06
        self.push((0, b"x"))
        [(host, port, _, timeout, _)] = self.reactor.tcpClients
        self.assertEqual((host, port, timeout), ("192.0.2.7", 6067, CONNECT))

    def test_one_at_a_time_and_in_order(self) -> None:  # F09
        first, second = self.push((0, b"one")), self.push((0, b"two"))
        self.assertEqual(len(self.reactor.tcpClients), 1)
        protocol, transport = self.accept(0)
        self.assertEqual((transport.value(), transport.disconnecting), (b"one", True))
        self.assertNoResult(first)
        self.end(protocol)
        self.successResultOf(first)
        protocol, transport = self.accept(1)
        self.assertEqual(transport.value(), b"two")
        self.end(protocol)
        self.successResultOf(second)

    def test_a_refused_call_is_given_back_and_the_next_is_made(self) -> None:
        first, second = self.push((0, b"one")), self.push((0, b"two"))
        self.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(Refused()))
        self.failureResultOf(first, Undeliverable)
        protocol, _ = self.accept(1)
        self.end(protocol)
        self.successResultOf(second)

    def test_a_client_that_takes_too_long(self) -> None:
        late = self.push((0, b"x"))
        self.accept(0)
        self.reactor.advance(CONNECT + END)
        self.failureResultOf(late, Undeliverable)

    def test_parts_have_pauses_between_them(self) -> None:
        self.push((0, b"Ok"), (0.1, b" text"))
        _, transport = self.accept(0)
        self.assertEqual((transport.value(), transport.disconnecting), (b"Ok", False))
        self.reactor.advance(0.1)
        self.assertEqual((transport.value(), transport.disconnecting), (b"Ok text", True))

    def test_what_waits_is_given_back_at_the_end(self) -> None:
        current, waiting = self.push((0, b"one")), self.push((0, b"two"))
        protocol, _ = self.accept(0)
        self.line.close()
        self.failureResultOf(waiting, Undeliverable)
        self.failureResultOf(self.push((0, b"late")), Undeliverable)
        self.end(protocol)
        self.successResultOf(current)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_calls_that_wait_are_bounded(self) -> None:  # F09
        calls = [self.push((0, b"x")) for _ in range(QUEUE_LIMIT + 2)]
        self.failureResultOf(calls[-1], Undeliverable)
        self.line.close()
        for call in calls[1:-1]:
            self.failureResultOf(call, Undeliverable)
