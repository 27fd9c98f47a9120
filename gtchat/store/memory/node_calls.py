"""The methods of `INodeStore` of the store in memory, and the life of a node over shared tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

import gtchat.store.room_tells as room_tells
import gtchat.store.session_tells as session_tells
from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import (
    Foreign,
    PendingEntry,
    PendingRoomChange,
    StoredGuest,
    StoredState,
)
from gtchat.chat.measures import StoreMeasures
from gtchat.chat.node_records import AddressAnswered, AddressAsked, CountFailures, FailureCount
from gtchat.store.jobs import (
    Job,
    StoreCall,
    deliver_results,
    ignore_entries,
    ignore_foreign,
    ignore_lost,
    ignore_restored,
)
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.follower import MemoryFollower
from gtchat.store.memory.tables import MemoryTables

T = TypeVar("T")


class MemoryNodeCalls(MemoryCalls):
    """Calls of `INodeStore`: writes to the queue, reads past it.

    Args:
        reactor: as given to `MemoryStore`.
        tables: what the nodes share; None for a store that is alone.

    Attributes:
        node_id: names the node from `load` on; None for a store that is alone.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, tables: MemoryTables | None) -> None:
        #: Set by the chat; see `IStore` and `INodeStore`.
        self.committed: Callable[[Sequence[PendingEntry]], None] = ignore_entries
        self.failed: Callable[[Sequence[PendingRoomChange]], None] = ignore_entries
        self.foreign: Callable[[Foreign], None] = ignore_foreign
        self.lost: Callable[[], None] = ignore_lost
        self.restored: Callable[[StoredState], None] = ignore_restored
        self.node_id: int | None = None
        self.measures = StoreMeasures()
        self._reactor = reactor
        self._tables = tables if tables is not None else MemoryTables()
        self._is_node = tables is not None
        self._follower: MemoryFollower | None = None
        self._queue: list[Job] = []
        self._closed = False
        #: The calls of `catch_up` that wait for the next look, and whether it is coming.
        self._waiting: list[Job] = []
        self._looks_soon = False

    # Beginning and ending.

    def load(self) -> StoredState:
        """See `IStore.load`. A node that has begun before ends, and begins as another one."""
        tables, at = self._tables, self._now()
        if not self._is_node:
            tables.sessions.mark_disconnected(at)
            tables.rooms.begin_start()
            return tables.load(tables.accounts.guests())
        if self.node_id in tables.nodes:
            tables.end_node(self.node_id, None, at)
        self.node_id = tables.enter(self, at)
        state = tables.load(tables.orphans(self.node_id), self.node_id)
        self._follower = MemoryFollower(tables, self.node_id, state)
        return state

    def _now(self) -> int:
        """Return the time of day in milliseconds since 1970, UTC."""
        return int(self._reactor.seconds() * 1000)

    def _leave(self, result: object) -> None:
        """End as a node, in order."""
        if self.node_id in self._tables.nodes:
            self._tables.end_node(self.node_id, None, self._now())
            self._wake_others()

    def expire(self, gone: MemoryNodeCalls) -> None:
        """End another node, and take over its guests."""
        assert gone.node_id is not None
        self._tables.end_node(gone.node_id, self.node_id, self._now())
        self._wake_others()
        self.wake()

    def _is_lost(self) -> bool:
        """Return whether other nodes have given this one up."""
        return self.node_id not in self._tables.nodes

    def _fail(self, batch: Sequence[Job]) -> None:
        """Give up as a node, without results for its clients, and begin again as another one."""
        jobs = [*self._waiting, *batch, *self._queue]
        self._waiting, self._queue = [], []
        begins_again, self._closed = not self._closed, True
        self.lost()
        for job in jobs:
            job.error = NotStored()
        deliver_results(jobs, self.committed, self._log, self.failed)
        if begins_again:
            self._begin_soon()

    def _begin_soon(self) -> None:
        self._reactor.callLater(0, self.begin_again)

    def begin_again(self) -> None:
        """Begin as another node, after this one was lost."""
        self._closed = False
        self.restored(self.load())

    # Calls.

    def waiting(self) -> int:
        """See `IMeasuredStore.waiting`."""
        return len(self._queue) + len(self._waiting)

    def sizes(self) -> Deferred[Mapping[str, int]]:
        """See `IMeasuredStore.sizes`."""
        return succeed({})

    def catch_up(self, rooms: Collection[int] = ()) -> Deferred[None]:
        """See `INodeStore.catch_up`; here all rooms are looked at."""
        if not self._is_node:
            return succeed(None)
        if self._closed:
            return fail(NotStored())
        call = StoreCall(None)
        self._waiting.append(call)
        self.wake()
        return call.deferred

    def announce(self, came: Mapping[int, str], went: Collection[int]) -> None:
        """See `INodeStore.announce`."""
        if self._is_node:
            plan = room_tells.announce(came, went)
            told = self._write(self._set_online, dict(came), tuple(went), plan=plan)
            told.addErrback(lambda failure: failure.trap(NotStored))

    def tell(self, entry: AddressAsked | AddressAnswered) -> Deferred[None]:
        """See `INodeStore.tell`."""
        if not self._is_node:
            return succeed(None)
        return self._write(lambda: None, plan=room_tells.tell(entry))

    def _set_online(self, came: dict[int, str], went: tuple[int, ...]) -> None:
        assert self.node_id is not None
        self._tables.set_online(self.node_id, came, went)

    @property
    def is_shared(self) -> bool:
        """See `INodeStore.is_shared`."""
        return self._is_node

    def has_others(self) -> Deferred[bool]:
        """See `INodeStore.has_others`."""
        return self._read(lambda: len(self._tables.nodes) > 1)

    def count_failures(
        self, keys: Sequence[tuple[str, str]], at: int, change: CountFailures[T]
    ) -> Deferred[tuple[T, FailureCount]]:
        """See `INodeStore.count_failures`."""
        return self._write(self._tables.count_failures, keys, change)

    def begin_ending(self, account_id: int) -> Deferred[tuple[int, ...] | None]:
        """See `INodeStore.begin_ending`."""
        plan = session_tells.begin_ending(account_id)

        def begin_ending() -> tuple[int, ...] | None:
            return self._tables.begin_ending(account_id, self.node_id)

        return self._write(begin_ending, plan=plan)

    def find_guest(self, key: str) -> Deferred[StoredGuest | None]:
        """See `INodeStore.find_guest`."""
        return self._read(self._tables.find_guest, key, self._is_node)

    # What other nodes write.

    def wake(self) -> None:
        """Look soon for what other nodes have written."""
        if not (self._looks_soon or self._closed):
            self._looks_soon = True
            self._reactor.callLater(0, self.look)

    def look(self) -> None:
        """Deliver all that other nodes have written."""
        self._looks_soon = False
        if self._is_lost():
            self._fail(())
            return
        assert self._follower is not None
        waiting, self._waiting = self._waiting, []
        self._deliver(self._follower.catch_up(), waiting)

    def _prepare(self, batch: Sequence[Job]) -> tuple[Foreign, list[Job]]:
        """Begin a batch; see `MemoryFollower.prepare`."""
        assert self._follower is not None
        if self._waiting:
            self.look()
        self._tables.sessions.writing = self.node_id
        return self._follower.prepare(batch)

    def _finish(self, foreign: Foreign, batch: Sequence[Job]) -> None:
        """Deliver the results of a batch, and wake the nodes that may have to know of it."""
        assert self._follower is not None
        if self._follower.wrote:
            self._follower.wrote = False
            self._wake_others()
        self._follower.known.failed(batch)
        self._deliver(foreign, batch)

    def _wake_others(self) -> None:
        for node in self._tables.nodes.values() if self._tables.wakes else ():
            if node is not self:
                node.wake()

    def _deliver(self, foreign: Foreign, jobs: Sequence[Job]) -> None:
        """Deliver what other nodes have stored, then results."""
        if foreign != Foreign():
            try:
                self.foreign(foreign)
            except Exception:
                self._log.failure("The chat failed on what other nodes have stored.")
        deliver_results(jobs, self.committed, self._log, self.failed)
