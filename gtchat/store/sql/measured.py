"""What the store on disk measures of its batches, and of its database."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from gtchat.chat.interfaces import Foreign
from gtchat.chat.measures import StoreMeasures
from gtchat.store.jobs import Job
from gtchat.store.sql.batch_writer import Outcome


@attrs.frozen(eq=False)
class MeasuredDelivery:
    """Delivers batches, and observes how long they took. Called in the reactor thread.

    Args:
        deliver: delivers the results of a batch.
        measures: what is counted.
        wall: returns the time in seconds since 1970, UTC.
    """

    deliver: Callable[[list[Job], Outcome], None]
    measures: StoreMeasures
    wall: Callable[[], float]

    def __call__(self, batch: list[Job], outcome: Outcome) -> None:
        """Deliver a batch; see `Writer`."""
        self.deliver(batch, outcome)
        measures = self.measures
        if outcome.foreign is not None and (at := _last_time(outcome.foreign)):
            measures.lags.observe(max(0.0, self.wall() - at / 1000))
        if batch:
            measures.batches.observe(len(batch))
            measures.commits.observe(outcome.ended_at - outcome.began_at)
            measures.deliveries.observe(time.monotonic() - outcome.ended_at)


def _last_time(foreign: Foreign) -> int:
    """Return when the newest last entry of a room was made, in ms since 1970; 0 for none."""
    return max((entries[-1].at for entries in foreign.entries.values() if entries), default=0)
