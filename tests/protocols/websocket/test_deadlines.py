"""The deadlines of one connection, as a table of what happens to it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.websocket.deadlines import NEVER, Deadlines, Keepalive

INTERVAL, TIMEOUT, LOGIN = 20.0, 15.0, 60.0


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.deadlines = Deadlines.start(100.0, INTERVAL, LOGIN)

    def test_zero_disables_a_deadline(self) -> None:
        self.assertEqual(Deadlines.start(100.0, 0, 0).next(TIMEOUT), NEVER)
        self.assertEqual(Deadlines.start(100.0, 0, LOGIN).next(TIMEOUT), 160.0)
        self.assertTrue(self.deadlines.take_ping(120.0, INTERVAL))
        self.assertEqual(self.deadlines.next(0), 140.0)

    def test_the_login_passes_once(self) -> None:
        passed = [self.deadlines.login_passed(now) for now in (159.0, 160.0, 161.0)]
        self.assertEqual(passed, [False, True, False])

    def test_an_unanswered_ping_loses_the_peer_after_its_timeout(self) -> None:
        self.assertFalse(self.deadlines.take_ping(119.0, INTERVAL))
        self.assertTrue(self.deadlines.take_ping(120.0, INTERVAL))
        self.assertIs(self.deadlines.keepalive, Keepalive.PING_SENT)
        self.assertEqual(self.deadlines.next(TIMEOUT), 135.0)
        lost = [self.deadlines.peer_lost(now, TIMEOUT, reading=True) for now in (134.0, 135.0)]
        self.assertEqual(lost, [False, True])

    def test_a_second_ping_does_not_extend_the_timeout(self) -> None:
        self.deadlines.take_ping(120.0, INTERVAL)
        self.deadlines.take_ping(140.0, INTERVAL)
        self.assertTrue(self.deadlines.peer_lost(150.0, 30.0, reading=True))

    def test_the_payload_is_that_of_the_oldest_ping_that_is_unanswered(self) -> None:
        self.assertEqual(self.deadlines.ping_payload, b"")
        payloads = []
        for now in (120.0, 140.0):
            self.deadlines.take_ping(now, INTERVAL)
            payloads.append(self.deadlines.ping_payload)
        self.deadlines.answered()
        self.deadlines.take_ping(160.0, INTERVAL)
        payloads.append(self.deadlines.ping_payload)
        self.assertEqual(payloads, [b"120000", b"120000", b"160000"])

    def test_a_peer_that_is_heard_or_not_read_is_not_lost(self) -> None:
        for state, reading in ((Keepalive.RECEIVED, True), (Keepalive.PING_SENT, False)):
            self.deadlines.ping_sent, self.deadlines.keepalive = 120.0, state
            self.assertFalse(self.deadlines.peer_lost(200.0, TIMEOUT, reading))
            self.assertIs(self.deadlines.keepalive, Keepalive.IDLE)

    def test_only_a_pong_after_a_ping_is_solicited(self) -> None:
        for state, solicited in (
            (Keepalive.IDLE, False),
            (Keepalive.PING_SENT, True),
            (Keepalive.RECEIVED, True),
        ):
            self.deadlines.keepalive = state
            self.assertIs(self.deadlines.answered(), solicited)
            self.assertIs(self.deadlines.keepalive, Keepalive.IDLE)
