"""What a chat and its store count for metrics: plain numbers, read when they are asked for.

The path of a message adds to integers, once a batch. What metrics are called is in
`gtchat.server.metrics`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.background import Progress, no_progress

#: Upper bounds of the buckets of times, in seconds, and of numbers of jobs.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOBS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class Histogram:
    """Counts values by their size.

    Args:
        bounds: upper bounds of the buckets, ascending; one more bucket has all larger values.

    Attributes:
        counts: number of values in each bucket alone.
        sum: of all values.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@attrs.define(eq=False)
class ChatMeasures:
    """What a chat counts.

    Attributes:
        messages: messages to rooms that were stored by this server.
        deliveries: messages that were appended to the outboxes of sessions other than the sender's.
        refusals: code of an error -> how often a client was answered with it.
    """

    messages: int = 0
    deliveries: int = 0
    refusals: Counter[str] = attrs.field(factory=Counter)


@attrs.define(eq=False)
class StoreMeasures:
    """What a store counts. Only the reactor thread adds to it.

    Attributes:
        commits: seconds from the begin of the transaction of a batch to the end of its commit.
        deliveries: seconds from there until its results are delivered to the chat.
        batches: jobs of a batch.
        lags: seconds between the time of the last entry of another server in a batch, by that
            server's clock, and its delivery here.
    """

    commits: Histogram = attrs.field(factory=Histogram)
    deliveries: Histogram = attrs.field(factory=Histogram)
    batches: Histogram = attrs.field(factory=lambda: Histogram(JOBS))
    lags: Histogram = attrs.field(factory=Histogram)


@attrs.frozen
class SpaceGivenBack:
    """What has come of giving back the space of what was removed.

    Attributes:
        before, after: sizes of the database in bytes by part; see `sizes`.
        notes: what the operator has to know besides, in lines.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    notes: tuple[str, ...] = ()


class IMeasuredStore(Interface):
    """Says how a store does; a part of `interfaces.IStore`, whose conventions hold."""

    measures: StoreMeasures = Attribute("what it counts")

    def waiting() -> int:
        """Return how many writes wait for their turn, without those of the present batch."""

    def sizes() -> Deferred[Mapping[str, int]]:
        """Return bytes of the database by part (read), {} in memory.

        `database`, `wal`, and `free`: what is in the database for later rows.
        """

    def give_back(progress: Progress = no_progress) -> Deferred[SpaceGivenBack]:
        """Give back the space of what was removed, in slices between other writes.

        What was taken out of the index of messages leaves its files.

        Args:
            progress: shows how far it is, after each slice.
        """
