"""Mutants of the server, each with a deliberate bug, to see that the stress tests detect it.

    early-ack       acknowledges and delivers before the commit
    early-delivery  delivers before the commit, acknowledges after it
    no-dedup        takes a message that is sent again for a new one; replies late, so that a kill
                    often comes between the commit and the reply
    lost-commit     on PostgreSQL: takes a commit without an answer for one that did not take place

`python -m tests.stress crash --mutant MUTANT` runs one, and so does `nodes`, which has further ones
(`node_mutants`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from gtchat.chat.interfaces import PendingEntry
from gtchat.chat.queued import PendingMessage
from gtchat.store.jobs import Job
from gtchat.store.sql import store
from gtchat.store.sql.batch_writer import Outcome, Strategy
from gtchat.store.sql.store import SQLStore
from gtchat.store.sql.writer import Writer
from tests.e2e.server import Server
from tests.stress.node_mutants import NODE_MUTANTS

#: Seconds between the commit and what is too early or late.
GAP = 0.02


class EarlyAckWriter(Writer):
    """Hands out messages before they are committed.

    Attributes:
        acknowledges: whether senders get their replies before the commit, too.
    """

    acknowledges = True

    def __init__(self, *details: Any, **options: Any) -> None:
        super().__init__(*details, **options)
        deliver = self._deliver
        self._handed_out: set[int] = set()

        def deliver_rest(batch: list[Job], outcome: Outcome) -> None:
            deliver([job for job in batch if id(job) not in self._handed_out], outcome)
            self._handed_out.difference_update(map(id, batch))

        self._deliver_early, self._deliver = deliver, deliver_rest

    def _transact(self, way: Strategy, batch: list[Job], outcome: Outcome) -> None:
        late: list[Callable[[], object]] = []

        def write_early(db: sqlite3.Connection, jobs: list[Job], result: Outcome) -> None:
            way(db, jobs, result)
            if jobs and all(isinstance(job, PendingMessage) for job in jobs):
                if not self.acknowledges:
                    late.extend(_withhold_reply(job) for job in jobs)
                self._handed_out.update(map(id, jobs))
                self._reactor.callFromThread(self._deliver_early, list(jobs), result)
                time.sleep(GAP)

        super()._transact(write_early, batch, outcome)
        for reply in late:
            self._reactor.callFromThread(reply)


def _withhold_reply(message: Any) -> Callable[[], object]:
    """Withhold the reply to a message; the returned function sends it."""
    done, kept = message.done, []
    message.done = kept.append
    return lambda: [done(answer) for answer in kept]


class EarlyDeliveryWriter(EarlyAckWriter):
    """Delivers before the commit, acknowledges after it."""

    acknowledges = False


class LateReplyWriter(Writer):
    """Waits between the commit and the replies, which is no bug."""

    def _transact(self, way: Strategy, batch: list[Job], outcome: Outcome) -> None:
        super()._transact(way, batch, outcome)
        time.sleep(GAP)


class NoDedupStore(SQLStore):
    """Does not know which messages were stored before."""

    def append(self, append: PendingEntry) -> None:
        """Store a message without its `txn`."""
        append.txn = None
        super().append(append)


def mutate(mutant: str) -> None:
    """Turn the server of this process into a mutant.

    Raises:
        SystemExit: the name is unknown.
    """
    if mutant == "early-ack":
        store.Writer = EarlyAckWriter  # type: ignore[misc]
    elif mutant == "early-delivery":
        store.Writer = EarlyDeliveryWriter  # type: ignore[misc]
    elif mutant == "no-dedup":
        from gtchat.server import storage

        storage.SQLStore = NoDedupStore  # type: ignore[misc]
        store.Writer = LateReplyWriter  # type: ignore[misc]
    elif mutant == "lost-commit":
        from gtchat.store.sql.postgres import PostgresDatabase

        PostgresDatabase.was_committed = lambda self: False  # type: ignore[method-assign]
    elif mutant in NODE_MUTANTS:
        NODE_MUTANTS[mutant]()
    else:
        raise SystemExit(f"unknown mutant {mutant!r}")


class MutantServer(Server):
    """A server with a deliberate bug.

    Args:
        mutant: its name.
        options: see `Server`.
    """

    def __init__(self, mutant: str, *options: str) -> None:
        super().__init__(*options)
        self.program = f"from {__name__} import mutate; mutate({mutant!r}); {self.program}"
