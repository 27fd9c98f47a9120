"""The writer: one thread, one queue, one transaction for all jobs that wait (group commit).

While one transaction is written to disk the next batch gathers; nothing waits for a batch to fill.
A batch is first written as a whole. If one of its jobs cannot be stored, the batch is rolled back
and written again job by job, so that only this job fails. If the disk or the file fails, the whole
batch fails, and the next batch tries again. Every result that is delivered is committed.

The connection to a server of databases may be lost. If that happens before a commit, nothing is
stored: the batch is done once more on another connection. If it happens during a commit, it is not
known what is stored: no result is delivered until the database has said so, and later jobs wait.
A batch that met another transaction (a deadlock, a lock that is held too long) is done again, too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import PendingEntry
from gtchat.store.jobs import BulkCall, Job, StoreCall, group_writes, reset
from gtchat.store.sql.database import Connection, Database, UncertainCommit
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.search_index import Indexer

#: Seconds between two questions whether a commit took place.
RETRY_S = 0.2
#: How often a batch is done again that met another transaction, and the longest pause before that
#: in seconds: a random one, so that two writers do not meet again.
MAX_REPEATS = 5
REPEAT_S = 0.05
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


#: Writes the jobs of a batch within a transaction.
Strategy = Callable[[Connection, list[Job], Outcome], None]


class Writer:
    """Does jobs in a thread of its own.

    Args:
        reactor: an IReactorTime and IReactorFromThreads.
        deliver: called in the reactor thread with each finished batch and its outcome.
        database: where to write.
        log_writer: stores entries.
        cleanup: what to delete between batches.
        indexer: indexes messages between batches.
    """

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[list[Job], Outcome], None],
        database: Database,
        log_writer: LogWriter,
        cleanup: Cleanup,
        indexer: Indexer,
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._database = database
        self._log_writer = log_writer
        self._cleanup = cleanup
        self._indexer = indexer
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._turn: list[Job] = []
        self._db: Connection | None = None
        self._failing = False
        #: Whether the connection was lost in the last try, before the commit.
        self._lost = False
        self._last: StoreCall | None = None
        self._thread = Thread(target=self._run, name="gtchat store", daemon=True)
        self._thread.start()

    def use(self, db: Connection) -> None:
        """Write with an open connection, unless there is one. Called before there is a job."""
        if self._db is None:
            self._db = db
        else:
            db.close()

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
                    self._leave()
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
        outcome.error = self._repeat(self._write_batch, batch, outcome)
        if self._lost:
            self._indexer.begin()  # what it wrote last may not have been on disk
            outcome.error = self._repeat(self._write_batch, batch, outcome)
        if outcome.error is not None and not self._is_store_failure(outcome.error):
            outcome.error = self._repeat(self._write_each, batch, outcome)
        if outcome.error is not None:
            for job in batch:
                if isinstance(job, (PendingEntry, BulkCall)) or job.function is not None:
                    job.error = NotStored()
        return outcome

    def _repeat(self, strategy: Strategy, batch: list[Job], outcome: Outcome) -> Exception | None:
        """Do a batch as `_try`, again as long as it meets another transaction."""
        for _ in range(MAX_REPEATS):
            outcome.rejected = None
            error = self._try(strategy, batch, outcome)
            if error is None or not self._database.is_conflict(error):
                return error
            time.sleep(random.uniform(0, REPEAT_S))
        return self._try(strategy, batch, outcome)

    def _try(self, strategy: Strategy, batch: list[Job], outcome: Outcome) -> Exception | None:
        """Do a batch with one strategy; return why it failed, None if it is committed."""
        self._lost = False
        try:
            self._transact(strategy, batch, outcome)
        except UncertainCommit as error:
            self._disconnect()
            if self._was_committed(error):
                return None
            self._forget(batch)
            return error
        except Exception as error:
            self._forget(batch)
            self._roll_back(error)
            return error
        return None

    def _forget(self, batch: list[Job]) -> None:
        """Drop what is known of a batch that was not committed."""
        self._log_writer.invalidate()
        for job in batch:
            reset(job)

    def _was_committed(self, error: Exception) -> bool:
        """Find out whether a commit took place, however long the database does not answer.

        Until then there is no result: one that is wrong would make the chat differ from its log.
        """
        self._reactor.callFromThread(self._deliver, [], Outcome(error=error))
        answer = None
        while answer is None:
            answer = self._ask()
        return answer

    def _ask(self) -> bool | None:
        """Return whether the uncertain commit took place; wait and return None if not known."""
        try:
            return self._database.was_committed()
        except self._database.errors:
            time.sleep(RETRY_S)
            return None

    def _transact(self, strategy: Strategy, batch: list[Job], outcome: Outcome) -> None:
        if self._db is None:
            self._database.check()
            self._db = self._database.open_writer()
        self._database.begin(self._db)
        strategy(self._db, batch, outcome)
        self._database.check()
        self._database.commit(self._db)

    def _write_batch(self, db: Connection, batch: list[Job], outcome: Outcome) -> None:
        """Do all jobs; the first one that cannot be stored raises its error."""
        for part in group_writes(batch):
            if isinstance(part, list):
                self._log_writer.write(db, part)
            elif isinstance(part, tuple):
                part[0].together(db, part)
            else:
                part.run(db)
        self._log_writer.write_heads(db)

    def _write_each(self, db: Connection, batch: list[Job], outcome: Outcome) -> None:
        """Do all jobs one by one; those that cannot be stored fail alone."""
        for job in batch:
            db.execute("SAVEPOINT job")
            try:
                if isinstance(job, PendingEntry):
                    self._log_writer.write(db, [job])
                    self._log_writer.write_heads(db)
                else:
                    job.run(db)
                db.execute("RELEASE job")
            except Exception as error:
                if self._is_store_failure(error):
                    raise
                db.execute("ROLLBACK TO job")
                db.execute("RELEASE job")
                self._log_writer.invalidate()
                reset(job)
                outcome.rejected = error
                job.error = NotStored()

    def _roll_back(self, error: Exception) -> None:
        """End the transaction, unless it has ended by itself; drop the connection if that fails."""
        if self._db is None:
            return
        if self._database.is_lost(self._db, error):
            self._lost = True
            self._disconnect()
            return
        try:
            if self._database.in_transaction(self._db):
                self._db.execute("ROLLBACK")
        except self._database.errors:
            self._disconnect()

    def _is_store_failure(self, error: Exception) -> bool:
        return isinstance(error, UncertainCommit) or self._database.is_store_failure(error)

    def _index(self) -> None:
        """Index a slice. Its commit needs no sync of its own: what is lost is indexed again."""
        try:
            self._wait_for_disk(False)
            self._do_between(self._indexer.do_slice)
            self._wait_for_disk(True)
        except self._database.errors:
            self._disconnect()

    def _wait_for_disk(self, on: bool) -> None:
        if self._db is not None:
            self._database.wait_for_disk(self._db, on)

    def _do_between(self, do_slice: Callable[[Connection], None]) -> None:
        """Do something that no request waits for, in a transaction of its own."""
        try:
            self._transact(lambda db, batch, outcome: do_slice(db), [], Outcome())
        except Exception as error:
            if isinstance(error, UncertainCommit):
                self._disconnect()  # what is done between batches may be done again
            self._roll_back(error)
            if self._database.is_conflict(error):
                return  # there is no hurry: it is done after the next batch
            self._failing = True
            self._reactor.callFromThread(self._deliver, [], Outcome(rejected=error))

    def _leave(self) -> None:
        """Take leave of the database, unless there is no connection to it."""
        if self._db is not None:
            with suppress(*self._database.errors):
                self._database.leave(self._db)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
