"""Token buckets, which hold rates: one of each, or a table of them by key.

What the rates are is in `limits`, and which of them holds for what stands where it is applied.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import ref

import attrs

#: Part of a token that may be missing: sums of times are rounded.
_TOLERANCE = 1e-3


@attrs.define(eq=False)
class Rate:
    """The rate of token buckets: of all of a kind, which follow a change.

    Attributes:
        per_second: tokens a second, 0 for no limit.
        burst: tokens of a full bucket, 0 for no limit.
    """

    per_second: float
    burst: float

    def __attrs_post_init__(self) -> None:
        self.change(self.per_second, self.burst)

    def change(self, per_second: float, burst: float) -> None:
        """Take other values."""
        self.per_second, self.burst = per_second if burst else 0.0, burst


@attrs.define(eq=False)
class TokenBucket:
    """A token bucket: limits an action to `burst` at once and `rate` a second on average.

    Args:
        rate: tokens a second, and of the full bucket.
    """

    rate: Rate
    _tokens: float = attrs.field(init=False)
    _filled_at: float = attrs.field(init=False, default=-math.inf)
    _promised: float = attrs.field(init=False, default=-math.inf)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.rate.burst

    def take(self, now: float, amount: float = 1.0) -> float:
        """Take tokens if they are there.

        An amount above `burst` needs a full bucket, and leaves a debt.

        Args:
            now: monotonic seconds.
            amount: number of tokens.

        Returns:
            0.0 if they were there, else the seconds until they will be.
        """
        rate = self.rate
        if not rate.per_second:
            return 0.0
        tokens = self._tokens + (now - self._filled_at) * rate.per_second
        if amount <= tokens <= rate.burst:  # each command of a busy client: without further calls
            self._filled_at, self._tokens = now, tokens - amount
            return 0.0
        wait = self.wait(now, amount)
        if not wait:
            self._tokens -= amount
        return wait

    def _fill(self, now: float) -> None:
        """Add the tokens of the time since the last call."""
        burst = self.rate.burst
        tokens = self._tokens + (now - self._filled_at) * self.rate.per_second
        self._filled_at = now
        if tokens > burst:
            if tokens >= burst + 1.0:
                self._promised = -math.inf  # who was told a time did not come
            tokens = burst
        self._tokens = tokens

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Return what `take` would return, without taking any."""
        if not self.rate.per_second:
            return 0.0
        self._fill(now)
        missing = min(amount, self.rate.burst) - self._tokens
        return missing / self.rate.per_second if missing > _TOLERANCE else 0.0

    def promise(self, now: float) -> float:
        """Return the seconds after which one more token will be there, and reserve that time.

        Each call returns a later time than the one before: a token is there for each caller who
        comes at the time that was returned.
        """
        at = max(now + self.wait(now), self._promised + 1.0 / self.rate.per_second)
        self._promised = at
        return at - now

    def draw(self, now: float, amount: float) -> float:
        """Take at most so many tokens, as many as there are; return how many.

        Args:
            now: monotonic seconds.
            amount: number of tokens; all are taken where there is no limit.
        """
        if not self.rate.per_second:
            return amount
        self._fill(now)
        drawn = max(0.0, min(amount, self._tokens))
        self._tokens -= drawn
        return drawn

    def give_back(self, amount: float) -> None:
        """Put tokens back that were taken for something that did not happen."""
        self._tokens = min(self.rate.burst, self._tokens + amount)

    def full(self, now: float) -> bool:
        """Return whether every token is there, so that a new bucket would be the same."""
        return not self.wait(now, self.rate.burst)

    def tokens(self, now: float) -> float:
        """Return how many tokens there are, infinity if there is no limit."""
        if not self.rate.per_second:
            return math.inf
        self._fill(now)
        return self._tokens

    def lower_to(self, tokens: float, now: float) -> None:
        """Take tokens out until there are no more than so many.

        Args:
            tokens: how many may stay.
            now: monotonic seconds.
        """
        if self.rate.per_second:
            self._fill(now)
            self._tokens = min(self._tokens, tokens)


class BucketTable:
    """Token buckets by key: one for each account, name or network that was seen lately.

    Args:
        rate: tokens a second of each bucket, and of a full one.
        seconds: returns monotonic seconds.

    Each new key looks at two old ones, and drops those whose bucket is full: so keys that clients
    invent do not fill the memory, and no call does work that grows with the table. A bucket that
    a connection holds stays.
    """

    def __init__(self, rate: Rate, seconds: Callable[[], float]) -> None:
        self._rate = rate
        self._seconds = seconds
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._buckets

    def get(self, key: Hashable) -> TokenBucket:
        """Return the bucket of a key, a full one if it has none yet."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = TokenBucket(self._rate)
            self._drop_full()
            self._buckets[key] = bucket
        return bucket

    def take(self, key: Hashable, amount: float = 1.0) -> float:
        """Take tokens of a key; see `TokenBucket.take`."""
        if not self._rate.per_second:
            return 0.0
        return self.get(key).take(self._seconds(), amount)

    def wait(self, key: Hashable) -> float:
        """Return the seconds until a key has a token, without taking it."""
        bucket = self._buckets.get(key)
        return 0.0 if bucket is None else bucket.wait(self._seconds())

    def _drop_full(self) -> None:
        """Look at the two buckets that were not looked at for longest; drop the full ones."""
        now = self._seconds()
        for _ in range(min(2, len(self._buckets))):
            key, bucket = self._buckets.popitem(last=False)
            if bucket.full(now):
                # The one reference that is left here is the connection's that holds the bucket.
                dropped = ref(bucket)
                del bucket
                if (held := dropped()) is not None:
                    self._buckets[key] = held
            else:
                self._buckets[key] = bucket
