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
from gtchat.chat.interfaces import Append
from gtchat.store.connecting import Replaced, SameFile
from gtchat.store.jobs import Job, Request, runs, undo
from gtchat.store.ledger import Ledger
from gtchat.store.rooms import Chores

#: Jobs in one transaction: beyond this no more join it, since the first would wait for no gain.
MOST = 10_000


@attrs.define(eq=False)
class Outcome:
    """How a batch went: what failed for all of it, and what was odd about one job."""

    fault: Exception | None = None
    odd: Exception | None = None


def _is_fault(error: Exception) -> bool:
    """Whether the store failed, rather than one job."""
    if isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError, Replaced)):
        return True
    return type(error) is sqlite3.DatabaseError


#: Does the jobs of a batch within a transaction.
Way = Callable[[sqlite3.Connection, list[Job], Outcome], None]


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
        same: SameFile,
        ledger: Ledger,
        chores: Chores,
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._link = link
        self._same = same
        self._ledger = ledger
        self._chores = chores
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._gathered: list[Job] = []
        self._db: sqlite3.Connection | None = None
        self._resting = False
        self._last: Request | None = None
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
        self._last = Request(None)
        self._gathered.append(self._last)
        self._hand_over()  # at once: there may be no other turn
        return self._last.deferred

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch:
                outcome = self._commit(batch)
                self._resting = outcome.fault is not None
                ended = batch[-1] is self._last
                if ended:
                    self._disconnect()
                self._reactor.callFromThread(self._deliver, batch, outcome)
                if ended:
                    return
            if self._chores.pending() and not self._resting:
                self._do_chore()

    def _take(self) -> list[Job]:
        """Everything that waits; waits for it, unless there are chores to do."""
        if self._queue.empty() and self._chores.pending() and not self._resting:
            return []
        batch = self._queue.get()
        while len(batch) < MOST and not self._queue.empty():
            batch += self._queue.get_nowait()
        return batch

    def _commit(self, batch: list[Job]) -> Outcome:
        """Do a batch in one transaction; what became of each job is filled in."""
        outcome = Outcome()
        outcome.fault = self._try(self._eagerly, batch, outcome)
        if outcome.fault is not None and not _is_fault(outcome.fault):
            outcome.fault = self._try(self._one_by_one, batch, outcome)
        if outcome.fault is not None:
            for job in batch:
                if isinstance(job, Append) or job.act is not None:
                    job.error = NotStored()
        return outcome

    def _try(self, way: Way, batch: list[Job], outcome: Outcome) -> Exception | None:
        """Do a batch in one way; why nothing of it was done, None if it is committed."""
        try:
            self._transact(way, batch, outcome)
        except Exception as error:
            self._ledger.forget()
            for job in batch:
                undo(job)
            self._roll_back()
            return error
        return None

    def _transact(self, way: Way, batch: list[Job], outcome: Outcome) -> None:
        self._same.check()
        if self._db is None:
            self._db = self._link()
        self._db.execute("BEGIN IMMEDIATE")
        way(self._db, batch, outcome)
        self._same.check()
        self._db.execute("COMMIT")

    def _eagerly(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        """All jobs; the first one that can't be stored stops it."""
        for part in runs(batch):
            if isinstance(part, list):
                self._ledger.write(db, part)
            else:
                part.answer(db)

    def _one_by_one(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        """All jobs; those that can't be stored fail alone."""
        for job in batch:
            db.execute("SAVEPOINT job")
            try:
                if isinstance(job, Append):
                    self._ledger.write(db, [job])
                else:
                    job.answer(db)
            except Exception as error:
                if _is_fault(error):
                    raise
                db.execute("ROLLBACK TO job")
                self._ledger.forget()
                undo(job)
                outcome.odd = error
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

    def _do_chore(self) -> None:
        try:
            self._transact(self._chore, [], Outcome())
        except Exception as error:
            self._roll_back()
            self._resting = True
            self._reactor.callFromThread(self._deliver, [], Outcome(odd=error))

    def _chore(self, db: sqlite3.Connection, batch: list[Job], outcome: Outcome) -> None:
        self._chores.do_slice(db)

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
