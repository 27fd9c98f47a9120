"""The jobs in a store's queue, and how their results are delivered. Both stores use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat.errors import ChatError
from gtchat.chat.events import RoomCreated
from gtchat.chat.interfaces import PendingEntry


@attrs.define(eq=False)
class StoreCall:
    """A write in the queue that does not append an entry.

    Attributes:
        function: does it, with the arguments of `run`, and raises a ChatError before it has
            written anything; None for a call that only waits for the jobs before it.
        deferred: fires with the result.
        result: what the function returned.
        error: why the call failed, None if it did not.
    """

    function: Callable[..., Any] | None
    deferred: Deferred[Any] = attrs.field(factory=Deferred)
    result: object = None
    error: Exception | None = None

    def run(self, *args: object) -> None:
        """Call the function, and keep its result or the ChatError that it raises."""
        if self.function is not None:
            try:
                self.result = self.function(*args)
            except ChatError as error:
                self.error = error


@attrs.define(eq=False)
class BulkCall(StoreCall):
    """A write that can be done together with others of its kind.

    Attributes:
        together: does calls that follow each other, and sets `result` or `error` of each.
        arguments: what `together` needs of this one.
    """

    together: Callable[[Any, Sequence[BulkCall]], None] = attrs.field(kw_only=True)
    arguments: tuple[Any, ...] = attrs.field(kw_only=True)

    def run(self, *args: object) -> None:
        """Do this call alone."""
        self.together(args[0], [self])


Job = PendingEntry | StoreCall


def group_appends(jobs: Iterable[Job]) -> Iterator[list[PendingEntry] | StoreCall]:
    """Yield jobs in order, with entries that follow each other in one list."""
    run: list[PendingEntry] = []
    for job in jobs:
        if isinstance(job, PendingEntry):
            run.append(job)
            continue
        if run:
            yield run
            run = []
        yield job
    if run:
        yield run


def group_writes(
    jobs: Iterable[Job],
) -> Iterator[list[PendingEntry] | tuple[BulkCall, ...] | StoreCall]:
    """Yield jobs in order as `group_appends`, with calls that can be done together in one tuple."""
    calls: list[BulkCall] = []
    for part in group_appends(jobs):
        if calls and not (isinstance(part, BulkCall) and part.together == calls[0].together):
            yield tuple(calls)
            calls = []
        if isinstance(part, BulkCall):
            calls.append(part)
        else:
            yield part
    if calls:
        yield tuple(calls)


def ignore_entries(entries: Sequence[PendingEntry]) -> None:
    """Drop finished entries, until the chat sets `committed`."""


def deliver_results(
    jobs: Iterable[Job], committed: Callable[[Sequence[PendingEntry]], None], log: Logger
) -> None:
    """Deliver the results of finished jobs, in order. Called in the reactor thread.

    Args:
        jobs: the jobs.
        committed: called with entries that follow each other.
        log: gets the failures of `committed`.
    """
    for part in group_appends(jobs):
        if isinstance(part, StoreCall):
            if part.error is None:
                part.deferred.callback(part.result)
            else:
                part.deferred.errback(part.error)
            continue
        try:
            committed(part)
        except Exception:
            log.failure("The chat failed on stored entries.")


def reset(job: Job) -> None:
    """Remove the result that was filled in, because its transaction was rolled back."""
    job.error = None
    if isinstance(job, PendingEntry):
        job.entry.seq = 0
        job.earlier = None
        if isinstance(job.entry, RoomCreated):
            job.room_id = 0
