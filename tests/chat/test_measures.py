"""What a chat counts for metrics."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.measures import Histogram
from tests.chat.test_direct_elsewhere import ElsewhereCase
from tests.chat.test_messages import RoomTestCase


class Histograms(SynchronousTestCase):
    def test_a_value_is_counted_in_the_first_bucket_that_is_large_enough(self) -> None:
        histogram = Histogram((1, 2, 5))
        for value in (0, 1, 1.5, 5, 6):
            histogram.observe(value)
        self.assertEqual((histogram.counts, histogram.sum), ([2, 1, 1, 1], 13.5))


class Counts(RoomTestCase):
    def counted(self) -> tuple[int, int]:
        measures = self.server.chat.measures
        return measures.messages, measures.deliveries

    def test_messages_and_their_receivers_are_counted_without_the_sender(self) -> None:
        self.ann.call("speak", room_name="r", msg="hi")
        self.assertEqual(self.counted(), (1, 2))

    def test_a_batch_counts_each_message_for_each_receiver(self) -> None:
        self.ann.send("speak", room_name="r", msg="1")
        self.ann.send("speak", room_name="r", msg="2")
        self.bob.call("speak", room_name="r", msg="3")
        self.assertEqual(self.counted(), (3, 6))

    def test_those_who_block_the_sender_are_not_counted(self) -> None:
        self.bob.call("block", user="ann")
        self.ann.call("speak", room_name="r", msg="hi")
        self.assertEqual(self.counted(), (1, 1))

    def test_refusals_are_counted_by_their_code(self) -> None:
        for _ in range(2):
            self.ann.call("speak", room_name="nowhere", msg="hi")
        self.ann.call("speak", room_name="r", msg="x" * 5_000)
        refusals = self.server.chat.measures.refusals
        self.assertEqual(sorted(refusals.values()), [1, 2])


class Elsewhere(ElsewhereCase):
    def test_messages_of_other_nodes_count_as_deliveries_here(self) -> None:
        self.ann[0].call("create_room", room_name="r")
        self.ann[0].call("add_member", room_name="r", user="bob")
        self.bob[1].call("block", user="ann")
        self.bob[1].call("speak", room_name="r", msg="hi")
        self.ann[0].call("speak", room_name="r", msg="hidden")
        first, second = (server.chat.measures for server in self.servers)
        self.assertEqual((first.messages, second.messages), (1, 1))
        # Of Bob's message to the sessions of both at the first node, and to Ann's at the second;
        # of Ann's message, which Bob does not receive, to her other session.
        self.assertEqual((first.deliveries, second.deliveries), (2, 2))
