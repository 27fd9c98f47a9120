"""Passwords: Argon2id (RFC 9106) in threads of its own, so that logins do not delay the chat."""

from __future__ import annotations

import secrets
from base64 import b64encode
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from gtchat.chat.errors import RateLimited
from gtchat.chat.interfaces import IPasswords

#: Hashes and verifications that may wait; beyond it requests fail with RateLimited.
QUEUE_LIMIT = 256


def decoy_hash(hasher: PasswordHasher) -> str:
    """Return an encoded hash that no password has, and that takes as long to verify as any other.

    It is random, not computed: that would take the memory of a hash, 64 MiB, at each start.

    Args:
        hasher: computes the hashes of users, whose cost the returned one has.
    """
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, tag = (
        b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${tag}"


@implementer(IPasswords)
class Passwords:
    """Hash and verify passwords (IPasswords).

    Args:
        reactor: runs the results of the threads.
        threads: number of passwords hashed at once; the number of cores is best.

    Attributes:
        waiting: passwords that are hashed now, or wait for that.
    """

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="passwords")
        self._hasher = PasswordHasher()
        self._decoy = decoy_hash(self._hasher)
        self.waiting = 0

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads when they have finished their current work."""
        self._pool.stop()

    def hash(self, password: str) -> Deferred[str]:
        """Return the Argon2id hash of a password. Fails with RateLimited when too many wait."""
        return self._in_thread(self._hasher.hash, password)

    def verify(self, hash: str | None, password: str) -> Deferred[bool]:
        """Return whether a password matches a hash.

        Args:
            hash: the hash; None for an unknown name, which takes as long and is False.
            password: the password.

        Returns:
            Fires with the answer; fails with RateLimited when too many wait.
        """
        return self._in_thread(self._verify, hash, password)

    def _verify(self, hash: str | None, password: str) -> bool:
        if hash is None:
            self._matches(self._decoy, password)
            return False
        return self._matches(hash, password)

    def _matches(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def _in_thread(self, work: Any, *args: Any) -> Deferred[Any]:
        if self.waiting >= QUEUE_LIMIT:
            return fail(RateLimited("Too many users are logging in. Try again.", retry_after=1))
        self.waiting += 1
        result: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, work, *args)
        return result.addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self.waiting -= 1
        return result
