"""Whether writes to the database succeed, and what the log says of that."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gtchat.store.jobs import Job
from gtchat.store.sql.batch_writer import Outcome


@attrs.define(eq=False)
class StoreHealth:
    """Notes the outcomes of the writer's batches.

    Args:
        clock: tells monotonic seconds.
        log: gets failures, at most one a second, and their end.
        reason: see `Database.reason`.

    Attributes:
        healthy: whether the last write succeeded.
    """

    _clock: IReactorTime
    _log: Logger
    _reason: Callable[[Exception], str]
    healthy: bool = attrs.field(init=False, default=True)
    _reported: float = attrs.field(init=False, default=-math.inf)

    def note(self, batch: list[Job], outcome: Outcome) -> None:
        """Take note of the outcome of a batch."""
        if outcome.error is not None:
            self.healthy = False
            self._report("Writes to the database fail: {reason}", outcome.error)
        elif batch and not self.healthy:
            self.healthy = True
            self._log.info("Writes to the database work again.")
        if outcome.rejected is not None:
            self._report("A write to the database was rejected: {reason}", outcome.rejected)

    def _report(self, text: str, reason: Exception) -> None:
        """Log an error, at most once a second."""
        now = self._clock.seconds()
        if now - self._reported >= 1.0:
            self._reported = now
            self._log.error(text, reason=self._reason(reason))
