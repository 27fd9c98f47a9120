"""Builds of the server that are wrong on purpose: what a proof of robustness has to catch.

    promises    acknowledges and tells before the commit
    tells       tells the room before the commit, acknowledges after it
    forgets     takes a message that is sent again for a new one

`python -m tests.stress.mutants FAULT [options of twistd]`
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any

import attrs

from gtchat.chat.delivery import PendingMessage
from gtchat.chat.interfaces import PendingEntry
from gtchat.store.jobs import Job
from gtchat.store.sql import store
from gtchat.store.sql.store import SQLStore
from gtchat.store.sql.writer import Outcome, Strategy, Writer
from tests.e2e.server import Server

#: Seconds between telling and committing.
GAP = 0.02


class HastyWriter(Writer):
    """Hands out messages before they are committed.

    Attributes:
        promises: whether speakers are answered then, too.
    """

    promises = True

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)
        deliver = self._deliver
        self._told: set[int] = set()

        def rest(batch: list[Job], outcome: Outcome) -> None:
            deliver([job for job in batch if id(job) not in self._told], outcome)
            self._told.difference_update(map(id, batch))

        self._tell, self._deliver = deliver, rest

    def _transact(self, way: Strategy, batch: list[Job], outcome: Outcome) -> None:
        late: list[Callable[[], object]] = []

        def hasty(db: sqlite3.Connection, jobs: list[Job], result: Outcome) -> None:
            way(db, jobs, result)
            if jobs and all(isinstance(job, PendingMessage) for job in jobs):
                if not self.promises:
                    late.extend(_later(job) for job in jobs)
                self._told.update(map(id, jobs))
                self._reactor.callFromThread(self._tell, list(jobs), result)
                time.sleep(GAP)

        super()._transact(hasty, batch, outcome)
        for answer in late:
            self._reactor.callFromThread(answer)


def _later(speech: Any) -> Callable[[], object]:
    """Keep a speech's answer back; what this returns gives it."""
    done, kept = speech.done, []
    speech.done = kept.append
    return lambda: [done(answer) for answer in kept]


class TellingWriter(HastyWriter):
    """Tells before the commit, answers after it."""

    promises = False


class ForgetfulStore(SQLStore):
    """Knows nothing of what was said before."""

    def append(self, append: PendingEntry) -> None:
        """Take a message without its mark."""
        append.txn = None
        super().append(append)


def break_it(fault: str) -> None:
    """From now on the server of this process is wrong."""
    if fault == "promises":
        store.Writer = HastyWriter  # type: ignore[misc]
    elif fault == "tells":
        store.Writer = TellingWriter  # type: ignore[misc]
    elif fault == "forgets":
        from gtchat.server import service

        service.SQLStore = ForgetfulStore  # type: ignore[misc]
    else:
        raise SystemExit(f"there is no fault {fault!r}")


@attrs.define(eq=False, init=False)
class BrokenServer(Server):
    """A server that is wrong."""

    fault: str

    def __init__(self, fault: str, *options: str) -> None:
        super().__init__(*options)
        self.fault = fault

    def command(self) -> list[str]:
        """What is run."""
        python, _, _, *words = super().command()
        return [python, "-m", "tests.stress.mutants", self.fault, *words]


if __name__ == "__main__":
    from twisted.scripts.twistd import run

    break_it(sys.argv.pop(1))
    run()
