"""Batches: each is done in one transaction, or not at all, and its outcome is known.

`writer` has the thread and the queue. What happens to a batch that fails is said there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import Foreign, PendingEntry
from gtchat.store.jobs import (
    CatchUp,
    Job,
    StoreCall,
    group_writes,
    records_of,
    refuse,
    reset,
)
from gtchat.store.notifying import TellHeads
from gtchat.store.sql import audit_log
from gtchat.store.sql.database import Connection, Database, UncertainCommit
from gtchat.store.sql.follower import Behind, Follower
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.system_log import Outrun

#: Seconds between two questions whether a commit took place.
RETRY_S = 0.2
#: How often a batch is done again that met another transaction, and the longest pause before that
#: in seconds: a random one, so that two writers do not meet again.
MAX_REPEATS = 5
REPEAT_S = 0.05


@attrs.define(eq=False)
class Outcome:
    """The result of a batch.

    Attributes:
        error: why the whole batch failed, None if it is committed.
        rejected: why one of its jobs could not be stored, None if all were.
        foreign: what other nodes have stored, to be delivered before the batch; None for nothing.
        is_unreadable: whether reading that failed for a reason that stays.
        began_at, ended_at: when the batch was begun and done, in monotonic seconds.
    """

    error: Exception | None = None
    rejected: Exception | None = None
    foreign: Foreign | None = None
    is_unreadable: bool = False
    began_at: float = attrs.field(factory=time.monotonic)
    ended_at: float = 0.0


class GivenUp(Exception):
    """Other nodes have given this one up: nothing is written until it is another node."""


#: Writes the jobs of a batch within a transaction.
Strategy = Callable[[Connection, list[Job], Outcome], None]


class BatchWriter:
    """Does batches, and catches up with other nodes. All methods are called in one thread.

    Args:
        reactor: an IReactorFromThreads.
        deliver: called in the reactor thread, without jobs, with what happens meanwhile.
        database: where to write.
        log_writer: stores entries.
        indexer: is told of new entries.
        follower: what several nodes need, None where there is only one.
        notify: see `Writer`.
        expired: see `Writer`.
    """

    def __init__(
        self,
        reactor: Any,
        deliver: Callable[[list[Job], Outcome], None],
        database: Database,
        log_writer: LogWriter,
        indexer: Indexer,
        follower: Follower | None,
        notify: TellHeads,
        expired: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._deliver = deliver
        self._database = database
        self._log_writer = log_writer
        self._indexer = indexer
        self._follower = follower
        self._notify = notify
        self._expired = expired
        self._db: Connection | None = None
        #: Whether the connection was lost in the last try, before the commit.
        self._lost = False
        #: Whether this node was given up: nothing is done until it is another one.
        self._given_up = False

    def _commit(self, batch: list[Job]) -> Outcome:
        """Do a batch in one transaction, and fill in the result of each job."""
        outcome = Outcome()
        outcome.error = self._repeat(self._write_batch, batch, outcome)
        if self._lost:
            outcome.error = self._repeat(self._write_batch, batch, outcome)
        if outcome.error is not None and not self._is_store_failure(outcome.error):
            outcome.error = self._repeat(self._write_each, batch, outcome)
        if outcome.error is not None:
            refuse(batch)
        outcome.ended_at = time.monotonic()
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
            if not self._was_committed(error):
                self._forget(batch, outcome)
                return error
        except Behind as error:
            self._forget(batch, outcome)
            self._roll_back(error)
            return self._catch_up(CatchUp({})) or self._try(strategy, batch, outcome)
        except Exception as error:
            self._forget(batch, outcome)
            self._roll_back(error)
            self._give_up_if_expired(error)
            return error
        if self._follower is not None:
            rows = self._follower.carried(batch)
            self._notify(self._follower.committed(batch), rows)
        return None

    def _forget(self, batch: list[Job], outcome: Outcome) -> None:
        """Drop what is known of a batch that was not committed."""
        self._log_writer.invalidate()
        if self._follower is not None:
            self._follower.rolled_back()
            outcome.foreign = None
        for job in batch:
            reset(job)

    def _was_committed(self, error: Exception) -> bool:
        """Find out whether a commit took place, however long the database does not answer.

        Until then there is no result: one that is wrong would make the chat differ from its log.
        """
        self._reactor.callFromThread(self._deliver, [], Outcome(error=error))
        answer = None
        while answer is None and not self._given_up:
            answer = self._ask()
        return bool(answer)

    def _ask(self) -> bool | None:
        """Return whether the uncertain commit took place; wait and return None if not known."""
        try:
            return self._database.was_committed()
        except self._database.errors as error:
            self._give_up_if_expired(error)
            time.sleep(RETRY_S)
            return None

    def _connection(self) -> Connection:
        """Return the connection, which is opened if there is none."""
        if self._given_up:
            raise GivenUp()
        if self._db is None:
            self._database.check()
            self._db = self._database.open_writer()
            self._indexer.begin()  # what it wrote last may not have been on disk
        return self._db

    def _transact(self, strategy: Strategy, batch: list[Job], outcome: Outcome) -> None:
        """Do a batch with one strategy in a transaction; without jobs it locks nothing first."""
        db = self._connection()
        if self._follower is None or not batch:
            self._database.begin(db)
            strategy(db, batch, outcome)
        else:
            outcome.foreign, accepted = self._follower.prepare(db, batch)
            strategy(db, accepted, outcome)
            self._follower.finish(db, accepted)
            batch = accepted
        audit_log.write(db, records_of(batch))
        self._log_writer.write_heads(db)
        self._database.check()
        self._database.commit(db)

    def _write_batch(self, db: Connection, batch: list[Job], outcome: Outcome) -> None:
        """Do all jobs; the first one that cannot be stored raises its error."""
        for part in group_writes(batch):
            if isinstance(part, list):
                self._log_writer.write(db, part)
            elif isinstance(part, tuple):
                part[0].together(db, part)
                self._begin_sessions(db, part)
            else:
                part.run(db)
                self._begin_sessions(db, (part,))

    def _begin_sessions(self, db: Connection, calls: Sequence[StoreCall]) -> None:
        """Store that sessions are at this node, before a later job asks where they are."""
        if self._follower is not None:
            self._follower.begin_sessions(db, calls)

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
                    self._begin_sessions(db, (job,))
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
        own = isinstance(error, (UncertainCommit, GivenUp, Outrun))
        return own or self._database.is_store_failure(error)

    def _catch_up(self, wanted: CatchUp) -> Exception | None:
        """Deliver what other nodes have stored; return why that failed, None if it did not."""
        assert self._follower is not None
        self._lost = False
        try:
            # One that has to be opened finds out whether this node was given up. Until then it
            # delivers nothing, although rows need no connection.
            self._connection()
            for foreign in self._follower.catch_up(self._connection, wanted):
                self._indexer.entries_stored(sum(map(len, foreign.entries.values())))
                self._reactor.callFromThread(self._deliver, [], Outcome(foreign=foreign))
        except Exception as error:
            self._roll_back(error)
            self._give_up_if_expired(error)
            if not self._given_up:
                outcome = Outcome(rejected=error)
                outcome.is_unreadable = not isinstance(error, self._database.errors)
                self._reactor.callFromThread(self._deliver, [], outcome)
            return error
        return None

    def _give_up_if_expired(self, error: Exception) -> None:
        """Stop if an error says that this node was given up."""
        is_expired = isinstance(error, Outrun) or self._database.is_expired(error)
        if is_expired and not self._given_up:
            self._given_up = True
            self._reactor.callFromThread(self._expired)

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
