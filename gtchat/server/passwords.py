"""Passwords: Argon2id (RFC 9106) in threads of its own: nobody waits for somebody's login."""

from __future__ import annotations

from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from gtchat.chat.errors import RateLimited
from gtchat.chat.interfaces import IPasswords

#: Hashes that may wait; who comes then is asked to come again.
QUEUE_LIMIT = 256


@implementer(IPasswords)
class Passwords:
    """Hashes and verifies passwords.

    Args:
        reactor: runs the threads' results.
        threads: how many passwords are hashed at once; as many as there are cores.
    """

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="passwords")
        self._hasher = PasswordHasher()
        self._nobody: str | None = None
        self._waiting = 0

    def start(self) -> None:
        """Begin to hash."""
        self._pool.start()
        self._pool.callInThread(self._prepare)

    def stop(self) -> None:
        """End the threads, once they have done what they are at."""
        self._pool.stop()

    def hash(self, password: str) -> Deferred[str]:
        """Argon2id of a password. Fails with RateLimited when too many wait."""
        return self._in_thread(self._hasher.hash, password)

    def verify(self, hash: str | None, password: str) -> Deferred[bool]:
        """Whether the hash is of the password; None (nobody) costs the same and is False."""
        return self._in_thread(self._verify, hash, password)

    def _verify(self, hash: str | None, password: str) -> bool:
        if hash is None:
            self._matches(self._nobody or self._prepare(), password)
            return False
        return self._matches(hash, password)

    def _prepare(self) -> str:
        """The hash that the passwords of nobody are compared with. It is made before anybody comes:
        else the first unknown name would take longer than known ones.
        """
        self._nobody = self._hasher.hash("nobody's")
        return self._nobody

    def _matches(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def _in_thread(self, work: Any, *args: Any) -> Deferred[Any]:
        if self._waiting >= QUEUE_LIMIT:
            return fail(RateLimited("Too many people are logging in. Try again.", retry_after=1))
        self._waiting += 1
        result: Deferred[Any] = deferToThreadPool(self._reactor, self._pool, work, *args)
        return result.addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self._waiting -= 1
        return result
