"""Token buckets: when tokens are there, promised times, which buckets of a table are dropped."""

from __future__ import annotations

import math
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.token_buckets import BucketTable, Rate, TokenBucket


class Buckets(SynchronousTestCase):
    def test_tokens_come_back_with_time(self) -> None:
        bucket = TokenBucket(Rate(2.0, 3))
        self.assertEqual([bucket.take(5.0) for _ in range(4)], [0.0, 0.0, 0.0, 0.5])
        self.assertEqual([bucket.take(5.5), bucket.take(5.5)], [0.0, 0.5])
        self.assertEqual([bucket.take(99.0) for _ in range(4)], [0.0, 0.0, 0.0, 0.5])

    def test_a_burst_or_a_rate_of_zero_is_no_limit(self) -> None:
        for bucket in (TokenBucket(Rate(1.0, 0)), TokenBucket(Rate(0.0, 2))):
            self.assertEqual([bucket.take(0.0) for _ in range(3)], [0.0] * 3)
            self.assertEqual((bucket.wait(0.0), bucket.draw(0.0, 7.0)), (0.0, 7.0))
            bucket.lower_to(0.0, 0.0)
            self.assertEqual(bucket.tokens(0.0), math.inf)
            self.assertTrue(bucket.full(0.0))

    def test_an_unused_bucket_is_full(self) -> None:
        bucket = TokenBucket(Rate(1.0, 2))
        self.assertTrue(bucket.full(0.0))
        bucket.take(0.0)
        self.assertFalse(bucket.full(0.5))
        self.assertTrue(bucket.full(1.0))

    def test_several_tokens_are_taken_at_once_or_none(self) -> None:
        bucket = TokenBucket(Rate(1.0, 10))
        self.assertEqual(bucket.take(0.0, 7), 0.0)
        self.assertEqual(bucket.take(0.0, 5), 2.0)
        self.assertEqual(bucket.wait(0.0, 5), 2.0)
        self.assertEqual(bucket.take(0.0, 3), 0.0)

    def test_an_amount_above_the_burst_needs_a_full_bucket_and_leaves_a_debt(self) -> None:
        bucket = TokenBucket(Rate(1.0, 10))
        bucket.take(0.0, 1)
        self.assertEqual(bucket.take(0.0, 25), 1.0)
        self.assertEqual(bucket.take(1.0, 25), 0.0)
        self.assertEqual(bucket.take(1.0), 16.0)

    def test_tokens_are_given_back(self) -> None:
        bucket = TokenBucket(Rate(1.0, 3))
        bucket.take(0.0, 3)
        bucket.give_back(2)
        self.assertEqual(bucket.tokens(0.0), 2)
        bucket.give_back(9)
        self.assertEqual(bucket.tokens(0.0), 3)

    def test_what_is_there_is_drawn(self) -> None:
        bucket = TokenBucket(Rate(1.0, 3))
        self.assertEqual([bucket.draw(0.0, 2.0), bucket.draw(0.0, 2.0)], [2.0, 1.0])
        bucket.take(3.0, 9)
        self.assertEqual(bucket.draw(3.0, 2.0), 0.0)

    def test_a_bucket_is_lowered(self) -> None:
        bucket = TokenBucket(Rate(1.0, 3))
        bucket.lower_to(1.0, 0.0)
        self.assertEqual([bucket.take(0.0), bucket.take(0.0)], [0.0, 1.0])
        bucket.lower_to(5.0, 9.0)
        self.assertEqual(bucket.tokens(9.0), 3)

    def test_promised_times_are_all_different(self) -> None:
        bucket = TokenBucket(Rate(10.0, 2))
        bucket.take(0.0, 2)
        waits = [bucket.promise(0.0) for _ in range(3)]
        for wait, expected in zip(waits, (0.1, 0.2, 0.3), strict=True):
            self.assertAlmostEqual(wait, expected)

    def test_promises_that_are_not_used_end(self) -> None:
        bucket = TokenBucket(Rate(10.0, 2))
        bucket.take(0.0, 2)
        for _ in range(50):
            bucket.promise(0.0)
        bucket.take(1.0, 2)
        self.assertAlmostEqual(bucket.promise(1.0), 0.1)

    def test_a_token_is_there_at_each_promised_time(self) -> None:
        """Whatever is lost in rounding: who comes at the time that was told succeeds."""
        for rate, burst, now in product((0.3, 3, 7.3, 10, 100), (1, 2, 20), (0.1, 12_345.6, 1.8e9)):
            bucket = TokenBucket(Rate(rate, burst))
            bucket.take(now, burst)
            promised = [now + bucket.promise(now) for _ in range(60)]
            self.assertEqual([bucket.take(at) for at in promised], [0.0] * 60, (rate, burst, now))


class Tables(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.table = BucketTable(Rate(1.0, 2), lambda: self.now)

    def test_buckets_that_are_full_are_dropped(self) -> None:  # G11
        for number in range(1000):
            self.assertEqual(self.table.take(number), 0.0)
            self.now += 1.0
        self.assertLessEqual(len(self.table), 3)
        self.assertNotIn(0, self.table)

    def test_buckets_that_are_not_full_stay(self) -> None:
        for key in "abcde":
            self.table.take(key)
        self.assertEqual(len(self.table), 5)
        self.now += 0.5
        self.assertEqual([self.table.take("a"), self.table.take("a")], [0.0, 0.5])
        for key in "fghi":
            self.table.take(key)
        self.assertEqual(self.table.wait("a"), 0.5)
        self.assertEqual(self.table.wait("unknown"), 0.0)

    def test_a_bucket_that_a_connection_holds_stays(self) -> None:
        held = self.table.get("held")
        for number in range(10):
            self.table.take(number)
            self.now += 9.0
        self.assertIs(self.table.get("held"), held)
        del held
        for number in range(10):
            self.table.take(number)
            self.now += 9.0
        self.assertNotIn("held", self.table)

    def test_without_a_limit_nothing_is_kept(self) -> None:
        table = BucketTable(Rate(0.0, 2), lambda: self.now)
        self.assertEqual([table.take("a") for _ in range(5)], [0.0] * 5)
        self.assertEqual((len(table), table.wait("a")), (0, 0.0))
