"""Events that wait for a reader that falls behind: how many, and what is read meanwhile."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import (
    Broadcast,
    catch_up,
    event_stream,
    follow,
    reconnecting,
)
from tests.client.fakes import AT, ConnectedTestCase, welcome, whisper

#: Limits for tests, a hundredth of the real ones.
FULL, BRIMFUL = event_stream.FULL // 100, event_stream.BRIMFUL // 100


class LimitTests(SynchronousTestCase):
    def test_at_most_5000_events_wait_1000_of_them_beside_a_call(self) -> None:
        self.assertEqual(event_stream.FULL + 1_000, event_stream.BRIMFUL)
        waiting = event_stream.BRIMFUL + catch_up.PAGE_SIZE + follow.MAX_HELD
        self.assertEqual(waiting, 5_000)


class FloodTests(ConnectedTestCase):
    """A reader that falls behind stops the reading from the socket."""

    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        for module in (event_stream, reconnecting):
            self.patch(module, "FULL", FULL)
            self.patch(module, "BRIMFUL", BRIMFUL)
        self.paused: list[bool] = []
        self.server.transport.pauseProducing = lambda: self.paused.append(True)
        self.server.transport.resumeProducing = lambda: self.paused.append(False)

    def push(self, count: int) -> None:
        for number in range(count):
            self.server.push(cmd="c_broadcast", usr="root", msg=str(number), at=AT)
        self.server.pump()

    def take(self, count: int) -> list[str]:
        events = self.connection.events()
        taken = [Deferred.fromCoroutine(events.__anext__()) for _ in range(count)]
        return [self.successResultOf(one).text for one in taken]

    @property
    def waiting(self) -> int:
        return self.connection._client.stream.waiting

    def test_reading_stops_at_the_limit_and_resumes_at_half_of_it(self) -> None:
        self.push(FULL + 5)
        self.assertEqual((self.paused, self.waiting), ([True], FULL))
        self.take(FULL // 2)
        self.assertEqual(self.paused, [True, False])
        self.assertEqual(self.waiting, FULL // 2 + 5, "what was received is not lost")
        texts = [*map(str, range(FULL // 2, FULL + 5))]
        self.assertEqual(self.take(FULL // 2 + 5), texts)

    def test_a_program_that_reads_no_events_gets_its_replies(self) -> None:
        self.server.answers["ping"] = None
        for _ in range(3):
            call = self.call("ping")
            self.push(2 * BRIMFUL)
            self.server.reply(self.server.requests[-1])
            self.server.pump()
            self.successResultOf(call)
            self.assertLess(self.waiting, BRIMFUL)

    def test_a_reply_is_looked_for_in_a_reserve_only(self) -> None:
        self.connection.events()
        self.server.answers["ping"] = None
        self.push(FULL)
        call = self.call("ping")
        self.assertEqual(self.paused, [True, False])
        self.push(3 * BRIMFUL)
        self.assertEqual((self.paused[-1], self.waiting), (True, BRIMFUL))
        self.assertNoResult(call)

    def test_a_reply_in_the_reserve_is_found(self) -> None:
        self.server.answers["ping"] = None
        self.push(FULL)
        call = self.call("ping")
        self.push(1)
        self.server.reply(self.server.requests[-1])
        self.push(1)
        self.successResultOf(call)
        self.assertEqual((self.paused[-1], self.waiting), (True, FULL + 1))

    def test_what_was_received_and_not_read_is_not_lost_with_the_connection(self) -> None:
        self.log_in()
        self.server.answers["resume"] = welcome()
        self.push(FULL)
        self.server.say(1)
        self.server.push(**whisper(1))
        self.server.pump()
        self.assertEqual(self.waiting, FULL)
        self.server.drop()
        self.assertEqual(self.take(FULL + 1)[-1], "psst 1")

    def test_events_that_only_handlers_take_are_not_kept(self) -> None:
        self.push(10)
        seen: list[str] = []
        self.connection.on(Broadcast)(lambda event: seen.append(event.text))
        self.push(2 * FULL)
        self.assertEqual((self.waiting, len(seen), self.paused), (0, 2 * FULL, []))
