"""The writer: one thread, one queue, one transaction for all jobs that wait (group commit).

While one transaction is written to disk the next batch gathers; nothing waits for a batch to fill.
A batch is first written as a whole. If one of its jobs cannot be stored, the batch is rolled back
and written again job by job, so that only this job fails. If the disk or the file fails, the whole
batch fails, and the next batch tries again. Every result that is delivered is committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import PendingEntry
from gtchat.store.jobs import BulkCall, Job, StoreCall, group_writes, reset
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.sqlite import FileGuard, FileReplaced

#: Jobs in a batch after which no more are added: the first one would wait longer without a gain.
MAX_BATCH = 10_000


@attrs.define(eq=False)
class Outcome:
    """The result of a batch.

    Attributes:
        error: why the whole batch failed, None if it is committed.
        rejected: why one of its jobs could not be stored, None if all were.
    """

    error: Exception | None = None
    rejected: Exception | None = None


def _is_store_failure(error: Exception) -> bool:
    """Return whether an error means that the store failed, rather than one job."""
    if isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError, FileReplaced)):
        return True
    return type(error) is sqlite3.DatabaseError


#: Writes the jobs of a batch within a transaction.
Strategy = Callable[[sqlite3.Connection, list[Job], Outcome], None]


class Writer:
    """Does jobs in a thread of its own.

    Args:
        reactor: an IReactorTime and IReactorFromThreads.
        deliver: called in the reactor thread with each finished batch and its outcome.
        open_connection: opens the connection to write with.
        file_guard: tells whether the file is still the same.
        log_writer: stores entries.
        cleanup: what to delete between batches.
        indexer: indexes messages between batches.
    """

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[list[Job], Outcome], None],
        open_connection: Callable[[], sqlite3.Connection],
        file_guard: FileGuard,
        log_writer: LogWriter,
        cleanup: Cleanup,
        indexer: Indexer,
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._open_connection = open_connection
        self._file_guard = file_guard
        self._log_writer = log_writer
        self._cleanup = cleanup
        self._indexer = indexer
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._turn: list[Job] = []
        self._db: sqlite3.Connection | None = None
        self._failing = False
        self._last: StoreCall | None = None
        self._thread = Thread(target=self._run, name="gtchat store", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job. Called in the reactor thread.

        The jobs of one reactor turn go to the thread together. If the first one woke the thread in
        the middle of the turn, both threads would compete for the interpreter's lock.
        """
        if not self._turn:
            self._reactor.callLater(0, self._hand_over)
        self._turn.append(job)

    def _hand_over(self) -> None:
        if self._turn:
            self._queue.put(self._turn)
            self._turn = []

    def close(self) -> Deferred[None]:
        """Finish the queue and end the thread; `put` must not be called any more."""
        self._last = StoreCall(None)
        self._turn.append(self._last)
        self._hand_over()  # at once: the reactor may have no other turn
        return self._last.deferred

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch:
                outcome = self._commit(batch)
                self._failing = outcome.error is not None
                is_last = batch[-1] is self._last
                if is_last:
                    self._disconnect()
                if not self._failing:
                    self._indexer.entries_stored(len(batch))
                self._reactor.callFromThread(self._deliver, batch, outcome)
                if is_last:
                    return
            if not self._failing and self._indexer.is_due():
                self._index()
            if not self._failing and self._cleanup.has_work():
                self._do_between(self._cleanup.do_slice)

    def _take(self) -> list[Job]:
        """Return all jobs in the queue; wait for one until there is something else to do."""
        wait = None
        if not self._failing:
            wait = 0.0 if self._cleanup.has_work() else self._indexer.wait()
        try:
            batch = self._queue.get(timeout=wait)
        except Empty:
            return []
        while len(batch) < MAX_BATCH and not self._queue.empty():
            batch += self._queue.get_nowait()
        return batch

    def _commit(self, batch: list[Job]) -> Outcome:
        """Do a batch in one transaction, and fill in the result of each job."""
        outcome = Outcome()
        outcome.error = self._try(self._write_batch, batch, outcome)
        if outcome.error is not None and not _is_store_failure(outcome.error):
            outcome.error = self._try(self._write_each, batch, outcome)
        if outcome.error is not None:
            for job in batch:
                if isinstance(job, (PendingEntry, BulkCall)) or job.function is not None:
                    job.error = NotStored()
        return outcome

    def _try(self, strategy: Strategy, batch: list[Job], outcome: Outcome) -> Exception | None:
        """Do a batch with one strategy; return why it failed, None if it is committed."""
        try:
            self._transact(strategy, batch, outcome)
        except Exception as error:
            self._log_writer.invalidate()
            for job in batch:
                reset(job)
            self._roll_back()
            return error
        return None

    def _transact(self, strategy: Strategy, batch: list[Job], outcome: Outcome) -> None:
        if self._db is None:
            self._file_guard.check()
            self._db = self._open_connection()
        self._db.execute("BEGIN IMMEDIATE")
        strategy(self._db, batch, outcome)
        self._file_guard.check()
        self._db.execute("COMMIT")

    def _write_batch(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        """Do all jobs; the first one that cannot be stored raises its error."""
        for part in group_writes(batch):
            if isinstance(part, list):
                self._log_writer.write(db, part)
            elif isinstance(part, tuple):
                part[0].together(db, part)
            else:
                part.run(db)
        self._log_writer.write_heads(db)

    def _write_each(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        """Do all jobs one by one; those that cannot be stored fail alone."""
        for job in batch:
            db.execute("SAVEPOINT job")
            try:
                if isinstance(job, PendingEntry):
                    self._log_writer.write(db, [job])
                    self._log_writer.write_heads(db)
                else:
                    job.run(db)
            except Exception as error:
                if _is_store_failure(error):
                    raise
                db.execute("ROLLBACK TO job")
                self._log_writer.invalidate()
                reset(job)
                outcome.rejected = error
                job.error = NotStored()
            db.execute("RELEASE job")

    def _roll_back(self) -> None:
        """End the transaction, unless SQLite has ended it; drop the connection if that fails."""
        if self._db is None or not self._db.in_transaction:
            return
        try:
            self._db.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _index(self) -> None:
        """Index a slice. Its commit needs no sync of its own: what is lost is indexed again."""
        try:
            self._set_synchronous("NORMAL")
            self._do_between(self._indexer.do_slice)
            self._set_synchronous("FULL")
        except sqlite3.Error:
            self._disconnect()

    def _set_synchronous(self, value: str) -> None:
        if self._db is not None:
            self._db.execute(f"PRAGMA synchronous = {value}")

    def _do_between(self, do_slice: Callable[[sqlite3.Connection], None]) -> None:
        """Do something that no request waits for, in a transaction of its own."""
        try:
            self._transact(lambda db, batch, outcome: do_slice(db), [], Outcome())
        except Exception as error:
            self._roll_back()
            self._failing = True
            self._reactor.callFromThread(self._deliver, [], Outcome(rejected=error))

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
