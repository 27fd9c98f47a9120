"""Reading: a few threads with connections of their own, which never wait for the writer."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gtchat.chat.errors import NotStored
from gtchat.store.sql.sqlite import FileGuard, FileReplaced

T = TypeVar("T")

#: How many read at the same time.
THREADS = 3


def unreadable() -> NotStored:
    """What a person is told whose question can't be answered."""
    return NotStored("The server can't read this now. Try again later.")


class ReadPool:
    """Answers questions about what is committed.

    Args:
        reactor: an IReactorFromThreads.
        link: opens a connection to read with. same: tells if the file is still the same.
    """

    def __init__(
        self, reactor: Any, link: Callable[[], sqlite3.Connection], same: FileGuard
    ) -> None:
        self._reactor = reactor
        self._open_connection = link
        self._same = same
        self._idle: deque[sqlite3.Connection] = deque()
        self._pool = ThreadPool(minthreads=0, maxthreads=THREADS, name="gtchat readers")
        self._pool.start()
        self._closed = False

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """The answer to a question, all of it as of one moment. Fails with NotStored."""
        if self._closed:
            return fail(unreadable())
        return deferToThreadPool(self._reactor, self._pool, self._answer, question)

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        db = None
        try:
            self._same.check()
            db = self._idle.pop() if self._idle else self._open_connection()
            db.execute("BEGIN")
            answer = question(db)
            db.execute("COMMIT")
        except (sqlite3.Error, ValueError, OverflowError, FileReplaced) as error:
            if db is not None:
                db.close()
            raise unreadable() from error
        self._idle.append(db)
        return answer

    def close(self) -> None:
        """Answer what was asked, then let go of the file."""
        self._closed = True
        self._pool.stop()
        while self._idle:
            self._idle.pop().close()
