"""The writer: one thread, one queue, one transaction for all jobs that wait (group commit).

While one transaction is written to disk the next batch gathers; nothing waits for a batch to fill.
A batch is first written as a whole. If one of its jobs cannot be stored, the batch is rolled back
and written again job by job, so that only this job fails. If the disk or the file fails, the whole
batch fails, and the next batch tries again. Every result that is delivered is committed.

The connection to a server of databases may be lost. If that happens before a commit, nothing is
stored: the batch is done once more on another connection. If it happens during a commit, it is not
known what is stored: no result is delivered until the database has said so, and later jobs wait.
A batch that met another transaction (a deadlock, a lock that is held too long) is done again, too.

Where several nodes write, a `Follower` locks what a batch needs, and reads what others have stored;
that is delivered before the results of the batch. A node that the others have given up delivers
nothing more: it keeps its jobs until `abandon` asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, cast

from twisted.internet.defer import Deferred

from gtchat.store.jobs import (
    CatchUp,
    Job,
    Queued,
    StoreCall,
    finish,
    raise_heads,
    refuse,
    split,
)
from gtchat.store.notifying import TellHeads, ignore_heads
from gtchat.store.sql.batch_writer import BatchWriter, GivenUp, Outcome
from gtchat.store.sql.database import Connection, Database, UncertainCommit
from gtchat.store.sql.follower import Follower
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.search_index import Indexer

#: Jobs in a batch after which no more are added: the first one would wait longer without a gain.
MAX_BATCH = 10_000


def merged(waiting: Sequence[CatchUp]) -> CatchUp:
    """Return what is all that waits to catch up."""
    if any(each.is_of_all for each in waiting):
        return CatchUp({})
    heads: dict[int, int] = {}
    for each in waiting:
        raise_heads(heads, each.heads)
    return CatchUp(heads, rows=[rows for each in waiting for rows in each.rows])


class Writer(BatchWriter):
    """Does jobs in a thread of its own.

    Args:
        reactor: an IReactorTime and IReactorFromThreads.
        deliver: called in the reactor thread with each finished batch and its outcome.
        database: where to write.
        log_writer: stores entries.
        cleanup: what to delete between batches.
        indexer: indexes messages between batches.
        follower: what several nodes need, None where there is only one.
        notify: called in the writer's thread after each commit of a batch, with what other nodes
            have to read.
        expired: called in the reactor thread when the database says that other nodes have given
            this one up. From then on nothing is done until `use` is called.
    """

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[list[Job], Outcome], None],
        database: Database,
        log_writer: LogWriter,
        cleanup: Cleanup,
        indexer: Indexer,
        *,
        follower: Follower | None = None,
        notify: TellHeads = ignore_heads,
        expired: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(reactor, deliver, database, log_writer, indexer, follower, notify, expired)
        self._cleanup = cleanup
        self._queue: SimpleQueue[list[Queued]] = SimpleQueue()
        self._turn: list[Queued] = []
        #: How many jobs have gone to the thread, and how many it has taken.
        self._handed = self._taken = 0
        self._failing = False
        self._last: StoreCall | None = None
        #: Jobs that a node has which was given up, and what waits for them.
        self._kept: list[Queued] = []
        self._abandoned: Deferred[list[Queued]] | None = None
        self._thread = Thread(target=self._run, name="gtchat store", daemon=True)
        self._thread.start()

    def use(self, db: Connection) -> None:
        """Write with an open connection, unless there is one. Called while there is no job."""
        if self._db is None:
            self._db = db
            if self._given_up:
                self._given_up = False
                self._queue.put([])  # wakes the thread
        else:
            db.close()

    def put(self, job: Queued) -> None:
        """Queue a job. Called in the reactor thread.

        The jobs of one reactor turn go to the thread together. If the first one woke the thread in
        the middle of the turn, both threads would compete for the interpreter's lock.
        """
        if not self._turn:
            self._reactor.callLater(0, self._hand_over)
        self._turn.append(job)

    def _hand_over(self) -> None:
        if self._turn:
            self._handed += len(self._turn)
            self._queue.put(self._turn)
            self._turn = []

    def waiting(self) -> int:
        """Return how many jobs wait that are in no batch yet. Called in the reactor thread."""
        return len(self._turn) + self._handed - self._taken

    def abandon(self) -> Deferred[list[Queued]]:
        """Deliver nothing any more, and do nothing until `use` is called: this node was given up.

        Called in the reactor thread. What the thread waits for may take long: cut its connection.

        Returns:
            Fires with the jobs that have no result, once the thread does nothing.
        """
        self._hand_over()
        done = self._abandoned = Deferred[list[Queued]]()
        self._given_up = True
        self._queue.put([])  # wakes the thread
        return done

    def close(self) -> Deferred[None]:
        """Finish the queue and end the thread; `put` must not be called any more."""
        self._last = StoreCall(None)
        self._turn.append(self._last)
        self._hand_over()  # at once: the reactor may have no other turn
        return self._last.deferred

    def _run(self) -> None:
        while True:
            batch = self._catch_up_first(self._take())
            if batch and not self._given_up:
                outcome = self._commit(batch)
            if self._given_up:
                if self._keep(batch):
                    return
                continue
            if batch:
                self._failing = outcome.error is not None
                is_last = batch[-1] is self._last
                if is_last:
                    self._leave()
                if not self._failing:
                    self._indexer.entries_stored(len(batch))
                if self._follower is not None:
                    self._follower.known.failed(batch)
                self._reactor.callFromThread(self._deliver, batch, outcome)
                if is_last:
                    return
            if not self._failing and self._indexer.is_due():
                self._index()
            if not self._failing and self._cleanup.has_work():
                self._do_between(self._cleanup.do_slice)

    def _take(self) -> list[Queued]:
        """Return all jobs in the queue; wait for one until there is something else to do."""
        wait = None
        if not self._failing and not self._given_up:
            wait = 0.0 if self._cleanup.has_work() else self._indexer.wait()
        try:
            batch = self._queue.get(timeout=wait)
        except Empty:
            return []
        while len(batch) < MAX_BATCH and not self._queue.empty():
            batch += self._queue.get_nowait()
        self._taken += len(batch)
        return batch

    def _catch_up_first(self, taken: list[Queued]) -> list[Job]:
        """Catch up if that is asked for; return the jobs of the batch."""
        if self._follower is None:
            return cast(list[Job], taken)
        jobs, waiting = split(taken)
        if waiting:
            error = None
            if not self._given_up:
                error = self._catch_up(merged(waiting))
                if self._lost:
                    error = self._catch_up(merged(waiting))
            if self._given_up:
                self._kept += waiting
            else:
                self._reactor.callFromThread(finish, waiting, error is not None)
        return jobs

    def _keep(self, jobs: Sequence[Queued]) -> bool:
        """Keep jobs until `abandon` asks for them; return whether the thread has to end."""
        self._disconnect()
        self._failing = False
        # All that was queued before the call of `abandon` is in the queue once this is set.
        done, self._abandoned = self._abandoned, None
        self._kept += jobs
        while not self._queue.empty():
            more = self._queue.get_nowait()
            self._taken += len(more)
            self._kept += more
        kept = self._kept
        is_last = bool(kept) and kept[-1] is self._last
        if done is None and not is_last:
            return False
        self._kept = []
        if done is not None:
            self._reactor.callFromThread(done.callback, kept[:-1] if is_last else kept)
            kept = kept[-1:]
        if is_last:
            self._reactor.callFromThread(self._refuse, kept)
        return is_last

    def _refuse(self, kept: Sequence[Queued]) -> None:
        """Fail jobs. Called in the reactor thread."""
        batch, waiting = split(kept)
        finish(waiting, True)
        refuse(batch)
        self._deliver(batch, Outcome(error=GivenUp("other nodes have given this one up")))

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
            self._give_up_if_expired(error)
            if self._database.is_conflict(error):
                return  # there is no hurry: it is done after the next batch
            self._failing = True
            self._reactor.callFromThread(self._deliver, [], Outcome(rejected=error))

    def _leave(self) -> None:
        """Take leave of the database, unless there is no connection to it, and tell other nodes."""
        if self._db is not None:
            with suppress(*self._database.errors):
                self._notify(self._database.leave(self._db))
        self._disconnect()
