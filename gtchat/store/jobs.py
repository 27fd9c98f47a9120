"""Jobs in a store's queue, and how their results are handed out."""

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
    """Something to do in the queue, other than appending.

    Attributes:
        act: does it, with what the store gives to `answer`; raises a ChatError before it has
            written anything. None where there is nothing to do but to wait for what was asked for
            before.
        deferred: gets the result.
    """

    function: Callable[..., Any] | None
    deferred: Deferred[Any] = attrs.field(factory=Deferred)
    result: object = None
    error: Exception | None = None

    def run(self, *given: object) -> None:
        """Do it; a ChatError is an answer too."""
        if self.function is not None:
            try:
                self.result = self.function(*given)
            except ChatError as error:
                self.error = error


Job = PendingEntry | StoreCall


def group_appends(jobs: Iterable[Job]) -> Iterator[list[PendingEntry] | StoreCall]:
    """Jobs in order, with appends that follow each other taken together."""
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


def deliver_results(
    jobs: Iterable[Job], committed: Callable[[Sequence[PendingEntry]], None], log: Logger
) -> None:
    """Tell what became of jobs, in order. In the reactor thread."""
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
            log.failure("What is stored could not be told.")


def reset(job: Job) -> None:
    """Take back what was filled in."""
    job.error = None
    if isinstance(job, PendingEntry):
        job.entry.seq = 0
        job.earlier = None
        if isinstance(job.entry, RoomCreated):
            job.room_id = 0
