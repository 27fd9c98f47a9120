"""Reads: a few threads with connections of their own, which never wait for the writer."""

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

#: Threads, and so the number of reads that run at the same time.
THREADS = 3


def unreadable() -> NotStored:
    """Return the error of a read that fails, without details that are for the operator only."""
    return NotStored("The server can't read this now. Try again later.")


class ReadPool:
    """Runs queries on what is committed.

    Args:
        reactor: an IReactorFromThreads.
        open_connection: opens a connection to read with.
        file_guard: tells whether the file is still the same.
        threads: number of queries that run at the same time.
    """

    def __init__(
        self,
        reactor: Any,
        open_connection: Callable[[], sqlite3.Connection],
        file_guard: FileGuard,
        threads: int = THREADS,
    ) -> None:
        self._reactor = reactor
        self._open_connection = open_connection
        self._file_guard = file_guard
        self._idle: deque[sqlite3.Connection] = deque()
        self._threads = threads
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="gtchat readers")
        self._pool.start()
        self._closed = False

    def open(self) -> None:
        """Open all connections, so that none has to be opened when descriptors have run out.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        while len(self._idle) < self._threads:
            db = self._open_connection()
            self._idle.append(db)
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the files

    def run(self, query: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """Return the result of a query, which sees the database as of one moment.

        Raises:
            NotStored: the database cannot be read.
        """
        if self._closed:
            return fail(unreadable())
        return deferToThreadPool(self._reactor, self._pool, self._run, query)

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        db: Any = None
        try:
            self._file_guard.check()
            db = self._take()
            db.execute("BEGIN")
            result = query(db)
            db.execute("COMMIT")
        except (sqlite3.Error, FileReplaced) as error:
            if db is not None:
                db.close()
            raise unreadable() from error
        except (ValueError, OverflowError) as error:
            db.execute("ROLLBACK")
            self._idle.append(db)
            raise unreadable() from error
        self._idle.append(db)
        return result

    def _take(self) -> sqlite3.Connection:
        """Return an idle connection, a new one if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._open_connection()

    def close(self) -> None:
        """Finish the queries that were asked for, then close the connections."""
        self._closed = True
        self._pool.stop()
        while self._idle:
            self._idle.pop().close()
