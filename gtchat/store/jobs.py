"""The jobs in a store's queue, and how their results are delivered. Both stores use it.

What a job needs locked, and what other nodes are told of it, is in `job_tells`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import ChatError, NotStored
from gtchat.chat.events import RoomCreated
from gtchat.chat.interfaces import PendingEntry, PendingRoomChange, StoredState
from gtchat.chat.node_records import Foreign, SystemEntry
from gtchat.store.notifying import CarriedRows


@attrs.frozen
class Locks:
    """What a job needs to have locked, or up to date, before the batch with it runs.

    Only a store that several nodes use has to lock anything.

    Attributes:
        names: names as displayed that it may create; of rooms with "room " before them.
        accounts: account ids.
        tokens: token hashes of sessions whose accounts are locked.
        directs: pairs of accounts whose conversation is locked, if there is one.
        rooms: room ids.
        begins: whether a session of `accounts` or `tokens` begins or goes on: their rooms are
            brought up to date, and brought into memory.
        held: rooms of those that are in memory, and stay there until the job has its result.
        loads: rooms that are brought into memory.
        load_key: key of one more such room, None for none.
        system: whether it may write a system entry, or brings rooms into memory: meanwhile no other
            node changes the settings or members of a room.
    """

    names: tuple[str, ...] = ()
    accounts: tuple[int, ...] = ()
    tokens: tuple[bytes, ...] = ()
    directs: tuple[tuple[int, int], ...] = ()
    rooms: tuple[int, ...] = ()
    begins: bool = False
    held: frozenset[int] = frozenset()
    loads: tuple[int, ...] = ()
    load_key: str | None = None
    system: bool = False


NO_LOCKS = Locks()


def _nothing(result: object) -> Iterable[SystemEntry]:
    """Tell the other nodes nothing."""
    return ()


@attrs.frozen
class Plan:
    """What a call of a store means besides what it does: for other nodes, and the audit log.

    Attributes:
        locks: what it needs.
        tells: returns what the other nodes are told, given the result of the call; asked once it
            is done without an error. What is told needs `locks.system`.
        checked: (room id, `Room.foreign` of the state that the rules saw): the call fails with
            `Stale` if another node has changed that by then. None for nothing to check.
        txn: (account id, txn) of its request: a stale call whose txn was used before is done all
            the same, for its ack.
        begun: token hashes of the sessions that begin, or go on, at this node.
        entry: the entry that the call stores, None if it stores none.
        releases: rooms that have left memory; see `Known.release`.
        audit: the record of the audit log that is stored with it once it is done, None for none.
    """

    locks: Locks = NO_LOCKS
    tells: Callable[[Any], Iterable[SystemEntry]] = _nothing
    checked: tuple[int, int] | None = None
    txn: tuple[int, str] | None = None
    begun: tuple[bytes, ...] = ()
    entry: PendingEntry | None = None
    releases: Mapping[int, int] = MappingProxyType({})
    audit: AuditRecord | None = None


NO_PLAN = Plan()


def audited(plan: Plan, record: AuditRecord | None) -> Plan:
    """Return a plan with a record of the audit log."""
    return plan if record is None else attrs.evolve(plan, audit=record)


@attrs.define(eq=False)
class StoreCall:
    """A write in the queue that does not append an entry.

    Attributes:
        function: does it, with the arguments of `run`, and raises a ChatError before it has
            written anything; None for a call that only waits for the jobs before it.
        deferred: fires with the result.
        result: what the function returned.
        error: why the call failed, None if it did not.
        plan: what it means for other nodes.
    """

    function: Callable[..., Any] | None
    deferred: Deferred[Any] = attrs.field(factory=Deferred)
    result: object = None
    error: Exception | None = None
    plan: Plan = attrs.field(default=NO_PLAN, kw_only=True)

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


@attrs.define(eq=False)
class CatchUp:
    """Waits in the queue like a job: read what other nodes wrote, and deliver it here.

    Attributes:
        heads: room id -> seq that its log may have.
        deferred: fires when it is done, None if no call waits for it.
        rows: rows that were sent here, in the order in which they came; without `heads` and `rows`
            all rooms are looked at.
    """

    heads: dict[int, int]
    deferred: Deferred[None] | None = None
    rows: Sequence[CarriedRows] = ()

    @property
    def is_of_all(self) -> bool:
        """Whether all rooms are looked at."""
        return not self.heads and not self.rows


def raise_heads(heads: dict[int, int], others: Mapping[int, int]) -> None:
    """Add the heads of logs to others, the higher seq of each."""
    for room_id, seq in others.items():
        heads[room_id] = max(seq, heads.get(room_id, 0))


Job = PendingEntry | StoreCall
#: What is in a queue: a batch of jobs is what is left when those that catch up are taken out.
Queued = Job | CatchUp


def records_of(jobs: Iterable[Job]) -> list[AuditRecord]:
    """Return the records of the audit log of those jobs that are done."""
    found = []
    for job in jobs:
        if job.error is not None:
            continue
        if isinstance(job, StoreCall):
            record = job.plan.audit
        else:  # a repeated request stores no entry
            record = job.audit() if job.audit is not None and job.entry.seq else None
        if record is not None:
            found.append(record)
    return found


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


def ignore_foreign(foreign: Foreign) -> None:
    """Drop what other nodes have stored, until the chat sets `foreign`."""


def ignore_lost() -> None:
    """Do nothing when the node is lost, until the chat sets `lost`."""


def ignore_restored(state: StoredState) -> None:
    """Drop the state of a new node, until the chat sets `restored`."""


def deliver_results(
    jobs: Sequence[Job],
    committed: Callable[[Sequence[PendingEntry]], None],
    log: Logger,
    failed: Callable[[Sequence[PendingRoomChange]], None] = ignore_entries,
) -> None:
    """Deliver the results of finished jobs, in order. Called in the reactor thread.

    Args:
        jobs: the jobs.
        committed: called with entries that follow each other.
        log: gets the failures of `committed` and `failed`.
        failed: called before all results with the changes of rooms that were not stored, if any.
    """
    changes = [job for job in jobs if isinstance(job, PendingRoomChange)]
    not_stored = [change for change in changes if not change.entry.seq]
    if not_stored:
        try:
            failed(not_stored)
        except Exception:
            log.failure("The chat failed on changes that were not stored.")
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


def split(queued: Iterable[Queued]) -> tuple[list[Job], list[CatchUp]]:
    """Return the jobs in a queue, and what waits in it to catch up."""
    jobs: list[Job] = []
    waiting: list[CatchUp] = []
    for each in queued:
        if isinstance(each, CatchUp):
            waiting.append(each)
        else:
            jobs.append(each)
    return jobs, waiting


def finish(waiting: Iterable[CatchUp], failed: bool) -> None:
    """Fire what waits to catch up. Called in the reactor thread."""
    for each in waiting:
        if each.deferred is not None:
            if failed:
                each.deferred.errback(NotStored())
            else:
                each.deferred.callback(None)


def refuse(jobs: Iterable[Job]) -> None:
    """Let jobs fail with NotStored, whatever their result was; those that only wait are done."""
    for job in jobs:
        reset(job)
        if isinstance(job, (PendingEntry, BulkCall)) or job.function is not None:
            job.error = NotStored()


def reset(job: Job) -> None:
    """Remove the result that was filled in, because its transaction was rolled back."""
    job.error = None
    if isinstance(job, PendingEntry):
        job.entry.seq = 0
        job.earlier = None
        if isinstance(job.entry, RoomCreated):
            job.room_id = 0
