"""Calls to clients: which ports are never called, order, time, what counts as delivered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.dialback import (
    ANSWER_TIMEOUT,
    CONNECT,
    END,
    QUEUE_LIMIT,
    DialbackQueue,
    OutgoingWrite,
    Question,
    Undeliverable,
)


class Transport(StringTransport):
    """The server's end of a call."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing (ITCPTransport)."""


class Calls(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.queue = self.calls_to(6067)

    def calls_to(self, port: int) -> DialbackQueue:
        return DialbackQueue(self.reactor, "192.0.2.7", port, lambda: (9000, 8080))

    def push(self, *parts: tuple[float, bytes]) -> Deferred[None]:
        return self.queue.call(OutgoingWrite(self.reactor, list(parts)))

    def accept(self, index: int) -> tuple[Any, Transport]:
        """Accept a call; return the protocol and the transport of the connection."""
        _, _, factory, _, _ = self.reactor.tcpClients[index]
        protocol: Any = factory.buildProtocol(None)
        transport = Transport()
        protocol.makeConnection(transport)
        return protocol, transport

    def failure(self, call: Deferred[None]) -> None:
        """Check that a call has failed, in this turn of the reactor or the next."""
        self.reactor.advance(0)
        self.failureResultOf(call, Undeliverable)

    def end(self, protocol: Any) -> None:
        protocol.connectionLost(Failure(Refused()))

    def test_ports_that_are_never_called(self) -> None:
        for port in (0, 22, 1023, 9000, 8080, 65_536):
            self.failure(self.calls_to(port).call(OutgoingWrite(self.reactor, [])))
        self.assertEqual(self.reactor.tcpClients, [])

    def test_only_the_address_of_the_login_is_called(self) -> None:  # F06
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

    def test_a_refused_call_fails_and_the_next_is_made(self) -> None:
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

    def test_what_waits_fails_at_close(self) -> None:
        current, waiting = self.push((0, b"one")), self.push((0, b"two"))
        protocol, _ = self.accept(0)
        self.queue.close()
        self.failureResultOf(waiting, Undeliverable)
        self.failure(self.push((0, b"late")))
        self.end(protocol)
        self.successResultOf(current)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_calls_that_wait_are_bounded(self) -> None:  # F09
        calls = [self.push((0, b"x")) for _ in range(QUEUE_LIMIT + 2)]
        self.assertNoResult(calls[-1])  # not in this turn: its session must not end here
        self.failure(calls[-1])
        self.queue.close()
        for call in calls[1:-1]:
            self.failureResultOf(call, Undeliverable)

    def test_a_client_that_closes_before_all_is_sent_did_not_get_it(self) -> None:
        early = self.push((0, b"Ok"), (0.1, b" text"))
        protocol, transport = self.accept(0)
        transport.connected = False
        self.end(protocol)
        self.failureResultOf(early, Undeliverable)
        self.reactor.advance(0.1)
        self.assertEqual(transport.value(), b"Ok")

    def test_the_end_of_a_call_that_was_given_up_does_not_end_the_next_one(self) -> None:
        late, waiting = self.push((0, b"one")), self.push((0, b"two"))
        protocol, _ = self.accept(0)
        self.reactor.advance(CONNECT + END)
        self.failureResultOf(late, Undeliverable)
        self.end(protocol)
        self.assertNoResult(waiting)
        protocol, _ = self.accept(1)
        self.end(protocol)
        self.successResultOf(waiting)

    def test_what_a_client_sends_on_a_push_is_ignored(self) -> None:
        pushed = self.push((0, b"x"))
        protocol, _ = self.accept(0)
        protocol.dataReceived(b"junk")
        self.assertNoResult(pushed)
        self.end(protocol)
        self.successResultOf(pushed)


class Questions(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[bool] = []
        self.transport = Transport()
        self.question = Question(self.clock, b"Yes or no?", self.answers.append)
        self.question.connected(self.transport)

    def test_only_y_is_yes(self) -> None:
        for answer in (b"Y", b"y\n", b"N", b"yes", b"", b"\xff"):
            self.setUp()
            self.question.received(answer)
            self.assertEqual(self.answers, [answer.strip() in (b"Y", b"y")])
            self.assertTrue(self.transport.disconnecting)

    def test_only_the_first_answer_counts(self) -> None:
        self.question.received(b"N")
        self.question.received(b"Y")
        self.clock.advance(ANSWER_TIMEOUT)
        self.assertEqual(self.answers, [False])

    def test_no_answer_in_time_is_no(self) -> None:
        self.clock.advance(ANSWER_TIMEOUT - 1)
        self.assertEqual(self.answers, [])
        self.clock.advance(1)
        self.assertEqual(self.answers, [False])
        self.assertTrue(self.transport.disconnecting)
