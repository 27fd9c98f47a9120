"""When a node reads what others have written: woken by the bus, or by a look each second."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NotStored
from gtchat.store.jobs import CatchUp
from gtchat.store.sql.catch_ups import LOOK_S, CatchUps


class Notifier:
    """An `INotifier` that is driven by a test."""

    received: Callable[[Mapping[int, int] | None], None]

    def __init__(self) -> None:
        self.sent: list[Mapping[int, int]] = []
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1

    def notify(self, heads: Mapping[int, int]) -> None:
        self.sent.append(heads)

    def stop(self) -> Deferred[None]:
        self.stopped += 1
        return succeed(None)


class CatchUpsTests(SynchronousTestCase):
    """Which catch-ups are in the queue of the writer, and when."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue: list[CatchUp] = []
        self.notifier = Notifier()
        self.looks: list[Deferred[dict[int, int]]] = []
        self.node = CatchUps(self.clock, self.queue.append, self.look, self.notifier)
        self.node.start()

    def look(self) -> Deferred[dict[int, int]]:
        self.looks.append(Deferred())
        return self.looks[-1]

    def done(self, error: Exception | None = None) -> dict[int, int]:
        """Let the writer do the first catch-up of its queue; return its rooms."""
        job = self.queue.pop(0)
        assert job.deferred is not None
        if error is None:
            job.deferred.callback(None)
        else:
            job.deferred.errback(error)
        return job.heads

    def test_what_comes_while_one_waits_is_read_by_the_next(self) -> None:
        for heads in ({1: 2}, {1: 3}, {2: 5}):
            self.notifier.received(heads)
        self.assertEqual(len(self.queue), 1)
        self.assertEqual((self.done(), len(self.queue)), ({1: 2}, 1))
        self.assertEqual((self.done(), self.queue), ({1: 3, 2: 5}, []))

    def test_any_room_is_all_rooms(self) -> None:
        self.notifier.received({1: 2})
        self.notifier.received({2: 2})
        self.notifier.received(None)
        self.notifier.received({3: 2})
        self.assertEqual((self.done(), self.done(), self.queue), ({1: 2}, {}, []))
        self.notifier.received({1: 3})
        self.assertEqual(self.done(), {1: 3})

    def test_it_looks_each_second_but_not_twice_at_once(self) -> None:
        self.assertEqual(self.looks, [])
        self.clock.advance(LOOK_S)
        self.clock.pump([LOOK_S] * 3)
        self.assertEqual(len(self.looks), 1)
        self.looks[0].callback({})
        self.assertEqual(self.queue, [])
        self.clock.advance(LOOK_S)
        self.looks[1].callback({7: 8})
        self.assertEqual(self.done(), {7: 8})

    def test_a_look_that_fails_is_not_the_last(self) -> None:
        for number, error in enumerate((NotStored(), ZeroDivisionError())):
            self.clock.advance(LOOK_S)
            self.looks[number].errback(error)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(LOOK_S)
        self.assertEqual(len(self.looks), 3)

    def test_what_was_not_read_is_left_to_the_next_look(self) -> None:
        self.notifier.received({1: 2})
        self.notifier.received({2: 2})
        self.done(NotStored())
        self.assertEqual(self.queue, [])
        self.notifier.received({3: 2})
        self.assertEqual(self.done(), {3: 2})

    def test_a_writer_that_refuses_is_not_asked_again_at_once(self) -> None:
        asked: list[CatchUp] = []

        def refuse(job: CatchUp) -> None:
            asked.append(job)
            assert job.deferred is not None
            job.deferred.errback(NotStored())

        node = CatchUps(self.clock, refuse, lambda: fail(NotStored()))
        node.received({1: 2})
        node.received({1: 3})
        self.assertEqual([job.heads for job in asked], [{1: 2}, {1: 3}])

    def test_a_call_waits_for_a_catch_up_of_its_own(self) -> None:
        self.notifier.received({1: 2})
        called = self.node.catch_up()
        self.assertEqual(self.done(), {1: 2})
        self.assertNoResult(called)
        self.assertEqual(self.done(), {})
        self.successResultOf(called)
        failed = self.node.catch_up()
        self.done(NotStored())
        self.failureResultOf(failed, NotStored)

    def test_it_looks_and_listens_no_more_when_it_stops(self) -> None:
        self.node.notify({1: 1})
        self.successResultOf(self.node.stop())
        self.clock.advance(LOOK_S)
        self.assertEqual(self.looks, [])
        seen = (self.notifier.started, self.notifier.sent, self.notifier.stopped)
        self.assertEqual(seen, (1, [{1: 1}], 1))

    def test_a_node_without_a_bus_looks(self) -> None:
        node = CatchUps(self.clock, self.queue.append, self.look)
        node.notify({1: 1})
        self.successResultOf(node.stop())
        node.start()
        self.clock.advance(LOOK_S)
        self.looks[-1].callback({1: 2})
        self.assertEqual(self.done(), {1: 2})
        self.successResultOf(node.stop())
