"""Whether writes to the database succeed, and what the log says of that."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gtchat.store.jobs import Job
from gtchat.store.sql import choices
from gtchat.store.sql.batch_writer import Outcome
from gtchat.store.sql.database import Connection

#: Seconds between two trials whether writes succeed again.
TRIAL_S = 1.0


def write_trial(db: Connection) -> None:
    """Write something of which nothing is left. It needs space on the disk, as any write."""
    choices.set_value(db, "trial", "")
    choices.set_value(db, "trial", None)


@attrs.define(eq=False)
class StoreHealth:
    """Notes the outcomes of the writer's batches, and tries to write for as long as they fail.

    A proxy sends no users to a server that is not healthy: it must not wait for their writes.

    Args:
        clock: tells monotonic seconds.
        log: gets failures, at most one a second, and their end.
        reason: see `Database.reason`.
        write: queues `write_trial`; what it returns fires or fails when that is done.

    Attributes:
        healthy: whether the last write succeeded.
    """

    _clock: IReactorTime
    _log: Logger
    _reason: Callable[[Exception], str]
    _write: Callable[[], Deferred[Any]]
    healthy: bool = attrs.field(init=False, default=True)
    _reported: float = attrs.field(init=False, default=-math.inf)
    _next: IDelayedCall | None = attrs.field(init=False, default=None)
    #: Whether a trial has no result yet.
    _trying: bool = attrs.field(init=False, default=False)
    _stopped: bool = attrs.field(init=False, default=False)

    def note(self, batch: list[Job], outcome: Outcome) -> None:
        """Take note of the outcome of a batch."""
        if outcome.error is not None:
            self.healthy = False
            if not self._trying:
                self._report("Writes to the database fail: {reason}", outcome.error)
            self._try_later()
        elif batch and not self.healthy:
            self.healthy = True
            self._log.info("Writes to the database work again.")
        if outcome.rejected is not None:
            self._report("A write to the database was rejected: {reason}", outcome.rejected)

    def stop(self) -> None:
        """Try no more: the store closes."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _try_later(self) -> None:
        if self._next is None and not self._trying and not self._stopped:
            self._next = self._clock.callLater(TRIAL_S, self._try)

    def _try(self) -> None:
        self._next, self._trying = None, True
        self._write().addBoth(self._tried)

    def _tried(self, _: object) -> None:
        self._trying = False
        if not self.healthy:
            self._try_later()

    def _report(self, text: str, reason: Exception) -> None:
        """Log an error, at most once a second."""
        now = self._clock.seconds()
        if now - self._reported >= 1.0:
            self._reported = now
            self._log.error(text, reason=self._reason(reason))
