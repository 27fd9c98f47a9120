"""Guesses: counts them by the rules of `Lockout`, for all nodes of the chat together.

The rules read and change three counts: of a name and a network, of the name, of the network. A
store of several nodes keeps these and runs the rules on them, one guess after the other, so that N
nodes allow no more than one. A chat of one node keeps them in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from gtchat.chat.limits import Limits
from gtchat.chat.lockout import Lockout
from gtchat.chat.node_records import PAIR, FailureCount
from gtchat.chat.state import State

T = TypeVar("T")


class Guesses:
    """Runs the rules of `Lockout` where the counts are.

    Args:
        state: the chat's shared objects.

    Attributes:
        own: the counts of this node; of several, only what it knows of a name and a network.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._limits = state.limits
        self._now = state.users.now
        self.own = Lockout(state.limits, state.clock.seconds)

    async def check(self, name: str, network: str) -> None:
        """See `Lockout.check`."""
        await self._count(name, network, lambda counts: counts.check(name, network))

    async def begin(self, name: str, network: str) -> None:
        """See `Lockout.begin_guess`."""
        await self._count(name, network, lambda counts: counts.begin_guess(name, network))

    async def end(self, name: str, network: str) -> None:
        """See `Lockout.end_guess`, for a guess that was not checked."""
        await self._count(name, network, lambda counts: counts.end_guess(name, network))

    async def succeeded(
        self, name: str, network: str, begun: bool = False, rated: bool = False
    ) -> None:
        """Forget the wrong guesses before a right one.

        Args:
            name, network: as in `Lockout.check`.
            begun: whether `begin` has counted the guess.
            rated: whether the rates are to be checked, too; see `Lockout.check_rates`.

        Raises:
            LockedOut: a suspension has begun while the guess was being checked.
            LockedOut, RateLimited: the rates refuse it.
            NotStored.
        """

        def succeed(counts: Lockout) -> None:
            if begun:
                counts.end_guess(name, network)
            counts.check(name, network)
            if rated:
                counts.check_rates(name, network)
            counts.succeeded(name, network)

        await self._count(name, network, succeed)

    async def failed(
        self, name: str, network: str, seconds: float, begun: bool = False, rated: bool = False
    ) -> bool:
        """Count a wrong guess.

        Args:
            name, network, seconds: as in `Lockout.failed`.
            begun: whether `begin` has counted the guess.
            rated: whether the rates are to be checked, too; see `Lockout.check_rates`.

        Returns:
            Whether a suspension begins.

        Raises:
            LockedOut, RateLimited: it is refused: others were faster.
            NotStored.
        """

        def fail(counts: Lockout) -> bool:
            if begun:
                counts.end_guess(name, network)
            counts.check(name, network)
            if rated:
                counts.check_rates(name, network)
            return counts.failed(name, network, seconds)

        return await self._count(name, network, fail)

    async def _count(self, name: str, network: str, rule: Callable[[Lockout], T]) -> T:
        """Run a rule on the counts of a name and a network.

        Args:
            name, network: as in `Lockout.check`.
            rule: calls methods of the lockout with them, and nothing else: it may run in another
                thread, and twice. What it raises is raised; then it has changed nothing.

        Returns:
            What the rule returns.

        Raises:
            NotStored.
        """
        if not self._store.is_shared:
            return rule(self.own)
        now = self._now() / 1000
        keys = (f"{PAIR}{name}", network), (f"name {name}", ""), ("network", network)

        def change(counts: Sequence[FailureCount]) -> tuple[T, Sequence[FailureCount]]:
            return _run(self._limits, now, (name, network), counts, rule)

        result, pair = await self._store.count_failures(keys, int(now * 1000), change)
        self.own.set_pair(name, network, pair.failures, pair.until / 1000 - now)
        return result


def _run(
    limits: Limits,
    now: float,
    names: tuple[str, str],
    counts: Sequence[FailureCount],
    rule: Callable[[Lockout], T],
) -> tuple[T, Sequence[FailureCount]]:
    """Run a rule on stored counts; return its result, and the counts after it.

    Args:
        limits: as in `Lockout`.
        now: seconds since 1970, UTC.
        names: the name and the network.
        counts: of both, of the name, of the network.
        rule: as in `Guesses._count`.
    """
    lockout = Lockout(limits, lambda: now)
    pair, *rates = counts
    lockout.set_pair(*names, pair.failures, pair.until / 1000 - now)
    lockout.set_rates(*names, [rate.until / 1000 - now for rate in rates])
    result = rule(lockout)
    wrong, suspended = lockout.pair(*names)
    after = [FailureCount(wrong, _at(now, suspended))]
    return result, after + [FailureCount(0, _at(now, wait)) for wait in lockout.rates(*names)]


def _at(now: float, wait: float) -> int:
    """Return when a time is over, in milliseconds since 1970, UTC; 0 if there is none."""
    return math.ceil((now + wait) * 1000) if wait > 0 else 0
