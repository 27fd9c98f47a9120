"""Questions to the users of clients that are called back: what counts as a yes."""

from __future__ import annotations

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.dialback_questions import ANSWER_TIMEOUT, Question
from tests.protocols.fakes import FakeTransport


class Questions(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[bool] = []
        self.transport = FakeTransport(self.clock)
        self.transport.protocol = Protocol()
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
        self.question.disconnected()
        self.clock.advance(ANSWER_TIMEOUT)
        self.assertEqual(self.answers, [False])

    def test_no_answer_in_time_is_no(self) -> None:
        self.clock.advance(ANSWER_TIMEOUT - 1)
        self.assertEqual(self.answers, [])
        self.clock.advance(1)
        self.assertEqual(self.answers, [False])
        self.assertTrue(self.transport.disconnecting)

    def test_a_connection_that_is_closed_without_an_answer_is_no(self) -> None:
        self.question.disconnected()
        self.assertEqual(self.answers, [False])
        self.clock.advance(ANSWER_TIMEOUT)
        self.assertEqual((self.answers, self.clock.getDelayedCalls()), ([False], []))
