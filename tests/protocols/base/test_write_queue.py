"""What waits for a client that takes each read for one message."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base.write_queue import READ_SIZE, WriteQueue


class Queue(SynchronousTestCase):
    def test_a_write_has_one_event_or_as_many_lines_as_fit(self) -> None:
        queue = WriteQueue(Limits(outbox_bytes=0))
        large = b"x" * (READ_SIZE - 2)
        for line in (b"a", b"b", b"E1", b"E2", b"c", large, b"d", b"e" * READ_SIZE * 2, b"f"):
            queue.append(line, line.startswith(b"E"))
        queue.append_first(b"first")
        self.assertEqual(queue.events, 3)
        writes = []
        while queue:
            writes.append(queue.take())
        self.assertEqual(
            writes,
            [b"first", b"a\nb", b"E1", b"E2", b"c\n" + large, b"d", b"e" * READ_SIZE * 2, b"f"],
        )
        self.assertEqual((queue.size, queue.events), (0, 0))

    def test_a_limit_of_zero_is_none(self) -> None:
        self.assertTrue(WriteQueue(Limits(outbox_bytes=0)).fits(b"x" * 10**6))
        self.assertTrue(WriteQueue(Limits(outbox_bytes=2)).fits(b"xx"))
        self.assertFalse(WriteQueue(Limits(outbox_bytes=2)).fits(b"xxx"))
