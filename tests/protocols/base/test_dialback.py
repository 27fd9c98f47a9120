"""Calls to clients: order, time, and when what was sent counts as read."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base import tcp
from gtchat.protocols.base.dialback import (
    CONNECT,
    END,
    QUEUE_LIMIT,
    READ_TIMEOUT,
    DialbackQueue,
    OutgoingWrite,
    Undeliverable,
    Unread,
)
from tests.protocols.fakes import FakeTransport

#: The option as it is on Linux, whatever the system that runs the tests.
CORK = (socket.IPPROTO_TCP, 3, 1)


class QueueTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(tcp, "_TCP_CORK", CORK[1])
        self.reactor = MemoryReactorClock()
        self.queue = DialbackQueue(self.reactor, "192.0.2.7", 6067)

    def push(self, *parts: tuple[float, bytes]) -> Deferred[None]:
        return self.queue.call(OutgoingWrite(self.reactor, list(parts)))

    def accept(self, reads: bool = True) -> FakeTransport:
        """Accept the next call; return the server's end of the connection."""
        _, _, factory, _, _ = self.reactor.tcpClients.pop(0)
        transport = FakeTransport(self.reactor, reads=reads)
        transport.protocol = factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        return transport

    def turn(self) -> None:
        """Let connections end whose clients have read everything."""
        self.reactor.pump([0] * 4)

    def failure(self, call: Deferred[None], kind: type[Exception] = Undeliverable) -> None:
        """Check that a call has failed, in this turn of the reactor or the next."""
        self.turn()
        self.assertIs(self.failureResultOf(call).type, kind)


class Calls(QueueTestCase):
    def test_only_the_address_of_the_login_is_called(self) -> None:  # F06
        self.push((0, b"x"))
        [(host, port, _, timeout, _)] = self.reactor.tcpClients
        self.assertEqual((host, port, timeout), ("192.0.2.7", 6067, CONNECT))

    def test_one_at_a_time_and_in_order(self) -> None:  # F09
        first, second = self.push((0, b"one")), self.push((0, b"two"))
        self.assertEqual(len(self.reactor.tcpClients), 1)
        transport = self.accept()
        self.assertEqual((transport.value(), transport.disconnecting), (b"one", True))
        self.assertNoResult(first)
        self.turn()
        self.successResultOf(first)
        self.assertEqual(self.accept().value(), b"two")
        self.turn()
        self.successResultOf(second)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_refused_call_fails_and_the_next_is_made(self) -> None:
        first, second = self.push((0, b"one")), self.push((0, b"two"))
        self.reactor.tcpClients.pop(0)[2].clientConnectionFailed(None, Failure(Refused()))
        self.failure(first)
        self.accept()
        self.turn()
        self.successResultOf(second)

    def test_parts_have_pauses_between_them(self) -> None:
        self.push((0, b"Ok"), (0.1, b" text"))
        transport = self.accept()
        self.assertEqual((transport.value(), transport.disconnecting), (b"Ok", False))
        self.reactor.advance(0.1)
        self.assertEqual((transport.value(), transport.disconnecting), (b"Ok text", True))

    def test_a_single_write_and_its_end_share_a_segment_but_parts_do_not(self) -> None:
        self.push((0, b"x"))
        self.assertEqual(self.accept().options, [CORK])
        self.turn()
        self.push((0, b"Ok"), (0.1, b" text"))
        transport = self.accept()
        self.reactor.advance(0.1)
        self.assertEqual(transport.options, [])

    def test_a_system_that_can_not_join_segments(self) -> None:
        self.patch(tcp, "_TCP_CORK", None)
        pushed = self.push((0, b"x"))
        self.assertEqual(self.accept().options, [])
        self.turn()
        self.successResultOf(pushed)

    def test_calls_that_wait_are_bounded(self) -> None:  # F09
        calls = [self.push((0, b"x")) for _ in range(QUEUE_LIMIT + 2)]
        self.assertNoResult(calls[-1])  # not in this turn: its session must not end here
        self.failure(calls[-1])
        self.queue.close()
        for call in calls[:-1]:
            self.failure(call)

    def test_bytes_that_wait_are_bounded(self) -> None:
        self.queue = DialbackQueue(self.reactor, "192.0.2.7", 6067, 10)
        self.push((0, b"current" * 9))
        large = self.push((0, b"x" * 11))  # a single one may be larger
        refused = self.push((0, b""), (0, b"x"))
        self.assertNoResult(refused)
        self.failure(refused)
        self.assertNoResult(large)
        for _ in range(2):
            self.accept()
            self.turn()
        self.successResultOf(large)
        waiting = [self.push((0, b"x" * 5)) for _ in range(3)]  # the first is made at once
        self.failure(self.push((0, b"x")))
        for call in waiting:
            self.assertNoResult(call)

    def test_what_a_client_sends_on_a_push_is_ignored(self) -> None:
        pushed = self.push((0, b"x"))
        self.accept().protocol.dataReceived(b"junk")
        self.assertNoResult(pushed)
        self.turn()
        self.successResultOf(pushed)


class Arrival(QueueTestCase):
    """What was sent has arrived when the client has closed the connection after its end."""

    def test_a_client_that_does_not_read_got_nothing_yet(self) -> None:
        pushed = self.push((0, b"x"))
        transport = self.accept(reads=False)
        self.reactor.advance(CONNECT + READ_TIMEOUT - 1)
        self.assertNoResult(pushed)
        transport.read_all()
        self.turn()
        self.successResultOf(pushed)

    def test_a_client_that_never_reads_did_not_get_it(self) -> None:
        pushed = self.push((0, b"x"))
        transport = self.accept(reads=False)
        self.reactor.advance(CONNECT + READ_TIMEOUT)
        self.failure(pushed)
        self.assertTrue(transport.aborted)

    def test_a_client_that_never_accepts_is_given_up(self) -> None:
        pushed = self.push((0, b"x"))
        self.reactor.advance(CONNECT + READ_TIMEOUT)
        self.failure(pushed)

    def test_a_reset_after_the_end_means_that_not_everything_was_read(self) -> None:
        pushed = self.push((0, b"x"))
        transport = self.accept(reads=False)
        self.turn()
        transport.lose(ConnectionLost())
        self.failure(pushed, Unread)

    def test_a_client_that_closes_before_all_is_sent_did_not_get_it(self) -> None:
        early = self.push((0, b"Ok"), (0.1, b" text"))
        transport = self.accept()
        transport.protocol.readConnectionLost()
        self.failure(early)
        self.reactor.advance(0.1)
        self.assertEqual(transport.value(), b"Ok")

    def test_the_end_of_a_call_that_was_given_up_does_not_end_the_next_one(self) -> None:
        late, waiting = self.push((0, b"one")), self.push((0, b"two"))
        self.accept(reads=False)
        self.reactor.advance(CONNECT + READ_TIMEOUT)
        self.failure(late)
        self.assertNoResult(waiting)
        self.accept()
        self.turn()
        self.successResultOf(waiting)


class Ends(QueueTestCase):
    def test_nothing_has_arrived_that_was_not_read_at_the_end(self) -> None:
        current, waiting = self.push((0, b"one")), self.push((0, b"two"))
        transport = self.accept(reads=False)
        self.queue.close()
        self.queue.close()
        self.failure(current)
        self.failure(waiting)
        self.failure(self.push((0, b"late")))
        self.assertTrue(transport.aborted)
        self.assertEqual((self.reactor.tcpClients, self.reactor.getDelayedCalls()), ([], []))

    def test_a_call_that_is_not_accepted_yet_is_not_made_any_more(self) -> None:
        current = self.push((0, b"one"))
        self.queue.close()
        self.failure(current)
        self.assertTrue(self.reactor.connectors[0]._disconnected)

    def test_a_last_call_follows_the_current_one(self) -> None:
        current, waiting = self.push((0, b"one")), self.push((0, b"two"))
        transport = self.accept(reads=False)
        self.queue.close(OutgoingWrite(self.reactor, [(0, b"last")]))
        self.failure(waiting)
        self.assertEqual(self.reactor.tcpClients, [])
        transport.read_all()
        self.turn()
        self.successResultOf(current)
        self.assertEqual(self.accept().value(), b"last")
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_client_that_does_not_read_delays_the_last_call_for_a_moment_only(self) -> None:
        current = self.push((0, b"one"))
        self.accept(reads=False)
        self.queue.close(OutgoingWrite(self.reactor, [(0, b"last")]))
        self.reactor.advance(CONNECT + END)
        self.failure(current)
        self.assertEqual(self.accept(reads=False).value(), b"last")
        self.reactor.advance(CONNECT + END)
        self.turn()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_session_ends_when_its_current_call_has_ended(self) -> None:
        current, waiting = self.push((0, b"one")), self.push((0, b"two"))
        transport = self.accept(reads=False)
        finished = self.queue.finish()
        self.assertNoResult(finished)
        transport.read_all()
        self.turn()
        self.successResultOf(current)
        self.successResultOf(finished)
        self.assertEqual(self.reactor.tcpClients, [])
        self.queue.close()
        self.failure(waiting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_client_that_does_not_read_delays_the_end_for_a_moment_only(self) -> None:
        current = self.push((0, b"one"))
        self.accept(reads=False)
        finished = self.queue.finish()
        self.reactor.advance(END)
        self.failure(current)
        self.successResultOf(finished)

    def test_an_end_gives_a_call_no_more_time_than_it_had(self) -> None:
        current = self.push((0, b"one"))
        self.accept(reads=False)
        self.reactor.advance(CONNECT + READ_TIMEOUT - 1)
        finished = self.queue.finish()
        self.reactor.advance(1)
        self.failure(current)
        self.successResultOf(finished)

    def test_a_session_whose_client_reads_nothing_now_ends_at_once(self) -> None:
        self.successResultOf(self.queue.finish())
        self.push((0, b"not begun"))
        self.assertEqual(self.reactor.tcpClients, [])

    def test_a_call_that_is_not_accepted_does_not_delay_the_end(self) -> None:
        self.push((0, b"one"))
        self.successResultOf(self.queue.finish())

    def test_a_last_call_follows_also_when_the_session_is_about_to_end(self) -> None:
        self.push((0, b"one"))
        transport = self.accept(reads=False)
        finished = self.queue.finish()
        self.queue.close(OutgoingWrite(self.reactor, [(0, b"last")]))
        transport.read_all()
        self.turn()
        self.successResultOf(finished)
        self.assertEqual(self.accept().value(), b"last")

    def test_a_last_call_without_another(self) -> None:
        self.queue.close(OutgoingWrite(self.reactor, [(0, b"last")]))
        self.assertEqual(self.accept().value(), b"last")
