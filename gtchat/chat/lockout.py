"""Guessing passwords: how often somebody may be wrong before he has to wait.

Counted by name and address together, so that nobody can lock out somebody else from elsewhere; a
slow-down by name alone stands above it, and a rate by address alone. Whoever came in from an
address before is not slowed down there.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from gtchat.chat.errors import LockedOut, RateLimited
from gtchat.chat.limits import TABLE_LIMIT, BucketTable, Limits

#: Wrong passwords for one name from all addresses: so many at once, so many a second.
NAME_BURST, NAME_RATE = 30, 0.5


@attrs.define
class _Tries:
    wrong: int = 0
    until: float = 0.0
    at: float = 0.0


class Lockout:
    """Wrong passwords so far.

    Args:
        limits: lockout_tries, lockout_seconds, failed_logins_per_minute.
        seconds: tells the time.
    """

    def __init__(self, limits: Limits, seconds: Callable[[], float]) -> None:
        self._limits = limits
        self._seconds = seconds
        self._attempts: dict[tuple[str, str], _Tries] = {}
        per_minute = limits.failed_logins_per_minute
        self._by_name = BucketTable(NAME_RATE, NAME_BURST, seconds)
        self._by_address = BucketTable(per_minute / 60, max(per_minute, 1), seconds)
        self._known_good: dict[tuple[str, str], None] = {}

    def check(self, key: str, address: str) -> None:
        """Whether somebody may try a password now.

        Raises:
            LockedOut: too many were wrong for this name from this address.
            RateLimited: too many were wrong from this address.
        """
        now = self._seconds()
        tries = self._attempts.get((key, address))
        if tries is not None and tries.until > now:
            raise LockedOut(retry_after=tries.until - now)
        if wait := self._by_address.wait(address):
            raise RateLimited("Too many failed logins from your address.", retry_after=wait)
        if (key, address) in self._known_good:
            return
        if wait := self._by_name.wait(key):
            raise LockedOut(retry_after=wait)

    def attempts_left(self, key: str, address: str) -> int:
        """How often a password for a name may still be wrong from an address; 0: it is locked."""
        tries = self._attempts.get((key, address))
        if tries is None or tries.until > self._seconds():
            return 0
        return self._limits.lockout_tries - tries.wrong

    def failed(self, key: str, address: str) -> bool:
        """A password was wrong; whether that was one too many."""
        now = self._seconds()
        self._forget(now)
        tries = self._attempts.setdefault((key, address), _Tries())
        tries.wrong += 1
        tries.at = now
        locked = bool(self._limits.lockout_tries) and tries.wrong >= self._limits.lockout_tries
        if locked:
            tries.wrong, tries.until = 0, now + self._limits.lockout_seconds
        self._by_address.take(address)
        self._by_name.take(key)
        return locked

    def succeeded(self, key: str, address: str) -> None:
        """A password was right."""
        self._attempts.pop((key, address), None)
        self._known_good.pop((key, address), None)
        self._known_good[key, address] = None
        if len(self._known_good) > TABLE_LIMIT:
            del self._known_good[next(iter(self._known_good))]

    def _forget(self, now: float) -> None:
        """Keep the tables from growing with every name that somebody makes up."""
        if len(self._attempts) >= TABLE_LIMIT:
            fresh = now - max(self._limits.lockout_seconds, 60.0)
            self._attempts = {
                k: t for k, t in self._attempts.items() if t.at > fresh or t.until > now
            }
