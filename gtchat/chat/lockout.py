"""Lockout: how often a wrong password can be tried.

Wrong passwords are counted by name and address together, so that a user can't be locked out from
another address. Above that are a rate by name, which slows down guesses from many addresses, and
a rate by address. An address from which the right password came before is not slowed down for
that name.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from gtchat.chat.errors import LockedOut, RateLimited
from gtchat.chat.limits import TABLE_LIMIT, BucketTable, Limits

#: Wrong passwords for a name from all addresses: at once, and a second.
NAME_BURST, NAME_RATE = 30, 0.5


@attrs.define
class _Attempts:
    """Wrong passwords for a name from an address.

    Attributes:
        wrong: how many since the last lockout.
        until: monotonic seconds when the lockout ends.
        at: monotonic seconds of the last one.
    """

    wrong: int = 0
    until: float = 0.0
    at: float = 0.0


class Lockout:
    """Counts wrong passwords.

    Args:
        limits: `lockout_tries`, `lockout_seconds` and `failed_logins_per_minute` are used.
        seconds: returns monotonic seconds.
    """

    def __init__(self, limits: Limits, seconds: Callable[[], float]) -> None:
        self._limits = limits
        self._seconds = seconds
        self._attempts: dict[tuple[str, str], _Attempts] = {}
        per_minute = limits.failed_logins_per_minute
        self._by_name = BucketTable(NAME_RATE, NAME_BURST, seconds)
        self._by_address = BucketTable(per_minute / 60, max(per_minute, 1), seconds)
        self._known_good: dict[tuple[str, str], None] = {}

    def check(self, key: str, address: str) -> None:
        """Check that a password may be tried now.

        Args:
            key: the user name as it is compared.
            address: IP address of the client.

        Raises:
            LockedOut: there were too many wrong passwords for this name.
            RateLimited: there were too many wrong passwords from this address.
        """
        now = self._seconds()
        attempts = self._attempts.get((key, address))
        if attempts is not None and attempts.until > now:
            raise LockedOut(retry_after=attempts.until - now)
        if wait := self._by_address.wait(address):
            raise RateLimited("Too many failed logins from your address.", retry_after=wait)
        if (key, address) in self._known_good:
            return
        if wait := self._by_name.wait(key):
            raise LockedOut(retry_after=wait)

    def attempts_left(self, key: str, address: str) -> int:
        """Return how many wrong passwords are left before a lockout, after a wrong one.

        Args:
            key: the user name as it is compared.
            address: IP address of the client.

        Returns:
            0 if the name is locked out from the address, or no wrong password is on record.
        """
        attempts = self._attempts.get((key, address))
        if attempts is None or attempts.until > self._seconds():
            return 0
        return self._limits.lockout_tries - attempts.wrong

    def failed(self, key: str, address: str, lockout_seconds: float | None = None) -> bool:
        """Count a wrong password.

        Args:
            key: the user name as it is compared.
            address: IP address of the client.
            lockout_seconds: how long a lockout lasts that it begins, None for the setting.

        Returns:
            Whether it begins a lockout.
        """
        now = self._seconds()
        self._drop_old(now)
        attempts = self._attempts.setdefault((key, address), _Attempts())
        attempts.wrong += 1
        attempts.at = now
        locked = bool(self._limits.lockout_tries) and attempts.wrong >= self._limits.lockout_tries
        seconds = self._limits.lockout_seconds if lockout_seconds is None else lockout_seconds
        if locked:
            attempts.wrong, attempts.until = 0, now + seconds
        self._by_address.take(address)
        self._by_name.take(key)
        return locked

    def succeeded(self, key: str, address: str) -> None:
        """Forget the wrong passwords before a right one.

        Args:
            key: the user name as it is compared.
            address: IP address of the client.
        """
        self._attempts.pop((key, address), None)
        self._known_good.pop((key, address), None)
        self._known_good[key, address] = None
        if len(self._known_good) > TABLE_LIMIT:
            del self._known_good[next(iter(self._known_good))]

    def _drop_old(self, now: float) -> None:
        """Drop old entries of a full table, which grows with every name that a client invents."""
        if len(self._attempts) >= TABLE_LIMIT:
            fresh = now - max(self._limits.lockout_seconds, 60.0)
            self._attempts = {
                k: t for k, t in self._attempts.items() if t.at > fresh or t.until > now
            }
