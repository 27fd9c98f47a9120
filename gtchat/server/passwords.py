"""Passwords: Argon2id (RFC 9106) in threads of its own, so that logins do not delay the chat.

Verifications, of logins, go before hashes, most of which are of registrations: many new accounts at
once, as in a raid, shall not keep users out who have one. Hashes are not put off for ever, either:
after some verifications in a row the next thread takes a hash.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from functools import partial
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

#: Hashes that may wait for a thread, and verifications; beyond it they fail with RateLimited.
QUEUE_LIMIT = 256
#: Verifications that begin between two hashes, at most, while a hash waits.
VERIFICATIONS_IN_A_ROW = 4

#: What waits for a thread: what gets the result, and the work.
_Queue = deque[tuple[Deferred[Any], Callable[[], Any]]]


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
    """

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="passwords")
        self._hasher = PasswordHasher()
        self._decoy = decoy_hash(self._hasher)
        self._threads = self._idle = threads
        self._verifications: _Queue = deque()
        self._hashes: _Queue = deque()
        self._in_a_row = 0  # verifications begun since the last hash

    @property
    def waiting(self) -> int:
        """Passwords that are hashed or verified now, or wait for that."""
        return self._threads - self._idle + len(self._verifications) + len(self._hashes)

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads when they have finished their current work."""
        self._pool.stop()

    def hash(self, password: str) -> Deferred[str]:
        """Return the Argon2id hash of a password. Fails with RateLimited when too many wait."""
        return self._enqueue(self._hashes, partial(self._hasher.hash, password))

    def verify(self, hash: str | None, password: str) -> Deferred[bool]:
        """Return whether a password matches a hash.

        Args:
            hash: the hash; None for an unknown name, which takes as long and is False.
            password: the password.

        Returns:
            Fires with the answer; fails with RateLimited when too many wait.
        """
        return self._enqueue(self._verifications, partial(self._verify, hash, password))

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

    def _enqueue(self, queue: _Queue, work: Callable[[], Any]) -> Deferred[Any]:
        if len(queue) >= QUEUE_LIMIT:
            return fail(RateLimited("Too many users are logging in. Try again.", retry_after=1))
        result: Deferred[Any] = Deferred()
        queue.append((result, work))
        self._begin_next()
        return result

    def _begin_next(self) -> None:
        """Begin what is next, if there is a thread for it."""
        queue = self._next_queue()
        if not queue or not self._idle:
            return
        self._in_a_row = self._in_a_row + 1 if queue is self._verifications else 0
        self._idle -= 1
        result, work = queue.popleft()
        ended: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, work)
        ended.addBoth(self._end).chainDeferred(result)

    def _next_queue(self) -> _Queue:
        if self._hashes and self._in_a_row >= VERIFICATIONS_IN_A_ROW:
            return self._hashes
        return self._verifications or self._hashes

    def _end(self, result: Any) -> Any:
        self._idle += 1
        self._begin_next()
        return result
