"""The writer: one thread, one queue, one transaction for everything that waits (group commit).

While one transaction is on its way to the disk the next one gathers; nothing lingers for company.
A batch is tried as a whole first. If one job in it can't be stored the batch is taken back and
done again job by job, so that it fails alone; if the disk or the file fails, all of it fails, and
the next batch tries anew. What is handed out as done is committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import PendingEntry
from gtchat.store.jobs import Job, StoreCall, group_appends, reset
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.sqlite import FileGuard, FileReplaced

#: Jobs in one transaction: beyond this no more join it, since the first would wait for no gain.
MOST = 10_000


@attrs.define(eq=False)
class Outcome:
    """How a batch went: what failed for all of it, and what was odd about one job."""

    error: Exception | None = None
    rejected: Exception | None = None


def _is_store_failure(error: Exception) -> bool:
    """Whether the store failed, rather than one job."""
    if isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError, FileReplaced)):
        return True
    return type(error) is sqlite3.DatabaseError


#: Does the jobs of a batch within a transaction.
Strategy = Callable[[sqlite3.Connection, list[Job], Outcome], None]


class Writer:
    """Does jobs in a thread of its own.

    Args:
        reactor: an IReactorTime and IReactorFromThreads.
        deliver: called in the reactor thread with a batch that is done and how it went.
        link: opens the connection to write with. same: tells if the file is still the same.
    """

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[list[Job], Outcome], None],
        link: Callable[[], sqlite3.Connection],
        same: FileGuard,
        log_writer: LogWriter,
        cleanup: Cleanup,
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._open_connection = link
        self._same = same
        self._log_writer = log_writer
        self._cleanup = cleanup
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._gathered: list[Job] = []
        self._db: sqlite3.Connection | None = None
        self._paused = False
        self._last: StoreCall | None = None
        self._thread = Thread(target=self._run, name="gtchat store", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job. From the reactor thread.

        What is asked for in one reactor turn goes to the thread together: one that is woken in the
        middle of the turn fights with the reactor for the interpreter, for a handful of jobs.
        """
        if not self._gathered:
            self._reactor.callLater(0, self._hand_over)
        self._gathered.append(job)

    def _hand_over(self) -> None:
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def close(self) -> Deferred[None]:
        """Finish what is queued; nothing may be put after this."""
        self._last = StoreCall(None)
        self._gathered.append(self._last)
        self._hand_over()  # at once: there may be no other turn
        return self._last.deferred

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch:
                outcome = self._commit(batch)
                self._paused = outcome.error is not None
                ended = batch[-1] is self._last
                if ended:
                    self._disconnect()
                self._reactor.callFromThread(self._deliver, batch, outcome)
                if ended:
                    return
            if self._cleanup.has_work() and not self._paused:
                self._do_cleanup()

    def _take(self) -> list[Job]:
        """Everything that waits; waits for it, unless there are chores to do."""
        if self._queue.empty() and self._cleanup.has_work() and not self._paused:
            return []
        batch = self._queue.get()
        while len(batch) < MOST and not self._queue.empty():
            batch += self._queue.get_nowait()
        return batch

    def _commit(self, batch: list[Job]) -> Outcome:
        """Do a batch in one transaction; what became of each job is filled in."""
        outcome = Outcome()
        outcome.error = self._try(self._write_batch, batch, outcome)
        if outcome.error is not None and not _is_store_failure(outcome.error):
            outcome.error = self._try(self._write_each, batch, outcome)
        if outcome.error is not None:
            for job in batch:
                if isinstance(job, PendingEntry) or job.function is not None:
                    job.error = NotStored()
        return outcome

    def _try(self, way: Strategy, batch: list[Job], outcome: Outcome) -> Exception | None:
        """Do a batch in one way; why nothing of it was done, None if it is committed."""
        try:
            self._transact(way, batch, outcome)
        except Exception as error:
            self._log_writer.invalidate()
            for job in batch:
                reset(job)
            self._roll_back()
            return error
        return None

    def _transact(self, way: Strategy, batch: list[Job], outcome: Outcome) -> None:
        self._same.check()
        if self._db is None:
            self._db = self._open_connection()
        self._db.execute("BEGIN IMMEDIATE")
        way(self._db, batch, outcome)
        self._same.check()
        self._db.execute("COMMIT")

    def _write_batch(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        """All jobs; the first one that can't be stored stops it."""
        for part in group_appends(batch):
            if isinstance(part, list):
                self._log_writer.write(db, part)
            else:
                part.run(db)

    def _write_each(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        """All jobs; those that can't be stored fail alone."""
        for job in batch:
            db.execute("SAVEPOINT job")
            try:
                if isinstance(job, PendingEntry):
                    self._log_writer.write(db, [job])
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
        """End the transaction, if SQLite has not done so itself; else connect anew."""
        if self._db is None or not self._db.in_transaction:
            return
        try:
            self._db.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _do_cleanup(self) -> None:
        try:
            self._transact(self._cleanup_slice, [], Outcome())
        except Exception as error:
            self._roll_back()
            self._paused = True
            self._reactor.callFromThread(self._deliver, [], Outcome(rejected=error))

    def _cleanup_slice(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        self._cleanup.do_slice(db)

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
