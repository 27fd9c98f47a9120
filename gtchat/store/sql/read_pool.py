"""Reads: a few threads with connections of their own, which never wait for the writer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from gtchat.chat.errors import NotStored
from gtchat.store.sql.database import Connection, Database

T = TypeVar("T")

#: Threads, and so the number of reads that run at the same time.
THREADS = 3


class ConnectionLost(Exception):
    """A connection has ended by itself."""


def unreadable() -> NotStored:
    """Return the error of a read that fails, without details that are for the operator only."""
    return NotStored("The server can't read this now. Try again later.")


class _ReaderThread(Thread):
    """A thread that keeps no process alive, such as one that can't listen after its first reads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, daemon=True, **kwargs)


class _ReaderThreads(ThreadPool):
    threadFactory = _ReaderThread


class ReadPool:
    """Runs queries on what is committed.

    Args:
        reactor: an IReactorFromThreads.
        database: what to read.
        threads: number of queries that run at the same time.
        connect: opens a connection; None for `Database.open_reader`.
    """

    def __init__(
        self,
        reactor: Any,
        database: Database,
        threads: int = THREADS,
        connect: Callable[[], Connection] | None = None,
    ) -> None:
        self._reactor = reactor
        self._database = database
        self._connect = connect or database.open_reader
        self._idle: deque[Connection] = deque()
        self._threads = threads
        self._pool = _ReaderThreads(minthreads=0, maxthreads=threads, name="gtchat readers")
        self._pool.start()
        self._closed = False
        #: Whether queries are refused.
        self.is_paused = False

    def open(self) -> None:
        """Open all connections, so that none has to be opened when descriptors have run out.

        Raises:
            Exception: the database cannot be read: one of `Database.errors`.
        """
        while len(self._idle) < self._threads:
            self._idle.append(self._connect())

    def run(self, query: Callable[[Connection], T]) -> Deferred[T]:
        """Return the result of a query, which sees the database as of one moment.

        Raises:
            NotStored: the database cannot be read.
        """
        if self._closed or self.is_paused:
            return fail(unreadable())
        return deferToThreadPool(self._reactor, self._pool, self._run, query)

    def _run(self, query: Callable[[Connection], T]) -> T:
        try:
            self._database.check()
            try:
                return self._read(query)
            except ConnectionLost:
                return self._read(query)  # on another connection
        except self._database.errors as error:
            raise unreadable() from error
        except (ConnectionLost, ValueError, OverflowError) as error:
            raise unreadable() from error

    def _read(self, query: Callable[[Connection], T]) -> T:
        """Return the result of a query in a transaction of its own.

        Raises:
            ConnectionLost: the connection has ended by itself, and so have probably all of them.
            Exception: an error of the database or of the query.
        """
        db = self._take()
        try:
            self._database.begin_read(db)
            result = query(db)
            db.execute("COMMIT")
        except self._database.errors as error:
            lost = self._database.is_lost(db, error)
            db.close()
            if lost:
                self._close_idle()
                raise ConnectionLost() from error
            raise
        except Exception:  # an answer such as NoSuchMessage: the connection is as good as before
            db.execute("ROLLBACK")
            self._idle.append(db)
            raise
        self._idle.append(db)
        return result

    def _take(self) -> Connection:
        """Return an idle connection, a new one if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def close(self) -> None:
        """Finish the queries that were asked for, then close the connections."""
        self._closed = True
        self._pool.stop()
        self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
