"""Lockout: how often a secret can be guessed: the password of an account, the broadcast key.

Addresses are those of `network_key`. Three rules, in this order:

1. Wrong guesses for one name from one network suspend that pair for a while, for the right
   password and for known networks too.
2. From a network where the account registered or logged in lately, nothing else counts: failures
   of others can't keep a user out who has the right password.
3. From other networks there is a rate for each network, for all names, and a rate for each name,
   for all networks. A guess that is being checked counts as a wrong one until the result is there.

Where the counts are, for one node and for several, is in `guesses`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from itertools import islice
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import DeferredSemaphore

from gtchat.chat.errors import LockedOut, RateLimited
from gtchat.chat.limits import Limits
from gtchat.chat.token_buckets import BucketTable, Rate

#: Wrong guesses for a name from all networks: at once, and a second.
NAME_BURST, NAME_RATE = 30, 0.5
#: Milliseconds for which a network stays known to an account after a login.
KNOWN_MS = 30 * 24 * 3600 * 1000
#: Pairs of name and network whose wrong guesses are remembered, and for how many seconds at least;
#: the oldest are forgotten.
MAX_PAIRS, REMEMBER_S = 100_000, 3600.0
#: Of so many of the oldest the first one that is not suspended is forgotten.
MAX_LOOKED_AT = 1_000

T = TypeVar("T")


@attrs.define
class _Attempts:
    """Wrong guesses for a name from a network.

    Attributes:
        wrong: how many since the last suspension.
        until: monotonic seconds when the suspension ends.
        expires_at: monotonic seconds from which on this can be forgotten.
    """

    wrong: int = 0
    until: float = 0.0
    expires_at: float = 0.0


def _failure_rate(limits: Limits) -> tuple[float, float]:
    per_minute = limits.failed_logins_per_minute
    return per_minute / 60, max(per_minute, 1)


class Lockout:
    """Counts wrong guesses.

    Args:
        limits: `lockout_tries`, `lockout_seconds` and `failed_logins_per_minute` are used.
        seconds: returns monotonic seconds.
    """

    def __init__(self, limits: Limits, seconds: Callable[[], float]) -> None:
        self._limits = limits
        self._seconds = seconds
        self._attempts: OrderedDict[tuple[str, str], _Attempts] = OrderedDict()
        self._by_name = BucketTable(Rate(NAME_RATE, NAME_BURST), seconds)
        self._by_network = BucketTable(limits.rate(_failure_rate), seconds)

    def check(self, name: str, network: str) -> None:
        """Check that a name is not suspended for a network.

        Args:
            name: the user name as it is compared, or what else is guessed.
            network: where the client is; see `network_key`.

        Raises:
            LockedOut: there were too many wrong guesses for this name from there.
        """
        attempts = self._attempts.get((name, network))
        if attempts is not None and (wait := attempts.until - self._seconds()) > 0:
            raise LockedOut(retry_after=wait)

    def check_rates(self, name: str, network: str) -> None:
        """Check that a network that the account does not know can guess now.

        Args:
            name, network: as in `check`.

        Raises:
            LockedOut: there were too many wrong guesses for this name.
            RateLimited: there were too many wrong guesses from this network.
        """
        if wait := self._by_network.wait(network):
            raise RateLimited("Too many failed logins from your address.", retry_after=wait)
        if wait := self._by_name.wait(name):
            raise LockedOut(retry_after=wait)

    def begin_guess(self, name: str, network: str) -> None:
        """Count a guess from a network that the account does not know, before it is checked.

        Args:
            name, network: as in `check`.

        Raises:
            LockedOut, RateLimited: as in `check_rates`; nothing is counted.
        """
        self.check_rates(name, network)
        self._take(name, network)

    def end_guess(self, name: str, network: str) -> None:
        """Count a guess no longer that was checked; `failed` counts it if it was wrong."""
        self._by_network.get(network).give_back(1.0)
        self._by_name.get(name).give_back(1.0)

    def _take(self, name: str, network: str) -> None:
        self._by_network.take(network)
        self._by_name.take(name)

    def attempts_left(self, name: str, network: str) -> int:
        """Return how many wrong guesses are left before a suspension, after a wrong one.

        Args:
            name, network: as in `check`.

        Returns:
            0 if the name is suspended for the network, or no wrong guess is on record.
        """
        attempts = self._attempts.get((name, network))
        if attempts is None or attempts.until > self._seconds():
            return 0
        return self._limits.lockout_tries - attempts.wrong

    def failed(self, name: str, network: str, seconds: float | None = None) -> bool:
        """Count a wrong guess.

        Args:
            name, network: as in `check`.
            seconds: how long a suspension lasts, None for `lockout_seconds`.

        Returns:
            Whether a suspension begins.
        """
        now = self._seconds()
        self._drop_old(now)
        attempts = self._attempts.setdefault((name, network), _Attempts())
        attempts.wrong += 1
        locked = bool(self._limits.lockout_tries) and attempts.wrong >= self._limits.lockout_tries
        seconds = self._limits.lockout_seconds if seconds is None else seconds
        if locked:
            attempts.wrong, attempts.until = 0, now + seconds
        attempts.expires_at = now + max(seconds, REMEMBER_S)
        self._attempts.move_to_end((name, network))
        self._take(name, network)
        return locked

    def succeeded(self, name: str, network: str) -> None:
        """Forget the wrong guesses before a right one.

        Args:
            name, network: as in `check`.
        """
        self._attempts.pop((name, network), None)

    # Counts that are kept elsewhere.

    def pair(self, name: str, network: str) -> tuple[int, float]:
        """Return the wrong guesses for a name from a network, and for how long it is suspended.

        Args:
            name, network: as in `check`.
        """
        attempts = self._attempts.get((name, network), _Attempts())
        return attempts.wrong, max(0.0, attempts.until - self._seconds())

    def set_pair(self, name: str, network: str, wrong: int, suspended: float) -> None:
        """Set what `pair` returns; a time that is over, in seconds, is below 0."""
        now = self._seconds()
        self._attempts.pop((name, network), None)
        if wrong or suspended > 0:
            self._drop_old(now)
            expires_at = now + max(suspended, REMEMBER_S)
            self._attempts[name, network] = _Attempts(wrong, now + suspended, expires_at)

    def rates(self, name: str, network: str) -> tuple[float, float]:
        """Return the seconds until all guesses for a name, and from a network, are forgotten.

        Args:
            name, network: as in `check`.
        """
        now = self._seconds()
        buckets = self._by_name.get(name), self._by_network.get(network)
        by_name, by_network = (bucket.wait(now, bucket.rate.burst) for bucket in buckets)
        return by_name, by_network

    def set_rates(self, name: str, network: str, waits: Sequence[float]) -> None:
        """Set what `rates` returns; times that are over are below 0."""
        buckets = self._by_name.get(name), self._by_network.get(network)
        for bucket, wait in zip(buckets, waits, strict=True):
            rate = bucket.rate
            bucket.lower_to(rate.burst - max(0.0, wait) * rate.per_second, self._seconds())

    def _drop_old(self, now: float) -> None:
        """Forget the two oldest pairs if they are of no use, and more of a full table.

        Others could end a suspension by guesses for many names else.
        """
        for _ in range(2):
            if not self._attempts:
                return
            oldest = next(iter(self._attempts))
            if self._attempts[oldest].expires_at > now:
                if len(self._attempts) < MAX_PAIRS:
                    return
                looked_at = islice(self._attempts.items(), MAX_LOOKED_AT)
                oldest = next((pair for pair, one in looked_at if one.until <= now), oldest)
            del self._attempts[oldest]


class Turns:
    """Lets a few pieces of work of one key run at once; others wait for their turn.

    Args:
        limit: returns how many run at once; asked where none of a key does.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._semaphores: dict[Hashable, DeferredSemaphore] = {}

    def __len__(self) -> int:
        return len(self._semaphores)

    async def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a piece of work when it is its turn; return its result.

        Args:
            key: what the limit is for.
            work: the work; its errors are raised here.
        """
        semaphore = self._semaphores.get(key)
        if semaphore is None:
            semaphore = self._semaphores[key] = DeferredSemaphore(self._limit())
        await semaphore.acquire()
        try:
            return await work()
        finally:
            semaphore.release()
            if semaphore.tokens == semaphore.limit:
                self._semaphores.pop(key, None)
