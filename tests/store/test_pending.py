"""What both stores ask of what is to be stored."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import SlowMode
from gtchat.chat.interfaces import PendingEntry
from gtchat.store.pending import CLOCKS_MS, check_slow
from tests.store.contract import message


class SlowTests(SynchronousTestCase):
    def test_a_message_waits_also_behind_a_later_one_of_another_node(self) -> None:
        last = 100_000
        for after, refused in (
            (5_000, False),
            (4_999, True),
            (0, True),
            (-3, True),
            (-CLOCKS_MS, True),
            (-CLOCKS_MS - 1, False),  # the clock was set back
        ):
            entry = attrs.evolve(message(), at=last + after)
            pending = PendingEntry(1, entry, slow=5)
            with self.subTest(after):
                if refused:
                    found = self.assertRaises(SlowMode, check_slow, pending, last)
                    self.assertEqual(found.retry_after, (5_000 - after) / 1000)
                else:
                    check_slow(pending, last)
