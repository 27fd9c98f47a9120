"""The methods of `INodeStore` of the store on disk; `SQLStore` inherits them.

So are those that let the node live: how it loads the chat, catches up, and is given up.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

import gtchat.store.room_tells as room_tells
import gtchat.store.session_tells as session_tells
from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import Foreign, StoredGuest, StoredState
from gtchat.chat.node_records import AddressAnswered, AddressAsked, CountFailures, FailureCount
from gtchat.store.jobs import (
    NO_PLAN,
    CatchUp,
    Plan,
    Queued,
    ignore_foreign,
    ignore_lost,
    ignore_restored,
)
from gtchat.store.sql import failures, guest_ends, joining, rooms, system_log
from gtchat.store.sql.announcements import Announcements
from gtchat.store.sql.catch_ups import CatchUps
from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.follower import Follower
from gtchat.store.sql.living import Life
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.public_count import PublicCount
from gtchat.store.sql.read_pool import ReadPool
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.session_calls import new_epoch
from gtchat.store.sql.writer import Writer

T = TypeVar("T")

#: Seconds: for how long it is tried to load the chat while other nodes get in the way, and between
#: two tries. The clients of a node that stops begin sessions at others for a while.
LOAD_S, LOAD_PAUSE_S = 60.0, 0.05


class NodeCalls(ABC):
    """Calls of `INodeStore`: writes to the queue, reads to the read pool."""

    _log: Logger
    _database: Database
    _wall: Callable[[], float]
    _writer: Writer
    _log_writer: LogWriter
    _follower: Follower | None
    _catch_ups: CatchUps | None = None
    _life: Life | None
    _public_count: PublicCount
    _reads: ReadPool
    _searches: ReadPool
    _cleanup: rooms.Cleanup
    _indexer: Indexer
    _closed: bool

    def __init__(self) -> None:
        #: Set by the chat; see `INodeStore`.
        self.foreign: Callable[[Foreign], None] = ignore_foreign
        self.lost: Callable[[], None] = ignore_lost
        self.restored: Callable[[StoredState], None] = ignore_restored
        self._is_lost = False
        self._failures = failures.Failures()
        self._announcements = Announcements(self._store_presence)

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    @property
    def is_lost(self) -> bool:
        """Whether the node was given up, and is not another one yet: nothing is stored or read."""
        return self._is_lost

    @is_lost.setter
    def is_lost(self, is_lost: bool) -> None:
        self._is_lost = self._reads.is_paused = self._searches.is_paused = is_lost
        if is_lost:
            self._announcements.forget()

    def reload(self) -> StoredState:
        """Load the chat as `load` does, also as another node. Blocks.

        Raises:
            StoreError: the database cannot be written to.
        """
        try:
            db = self._database.open_writer()
            try:
                state = self._load(db)
            except BaseException:
                db.close()
                raise
            self._writer.use(db)
            self._reads.open()
            self._searches.open()
        except self._database.errors as error:
            raise self._database.refused(error) from error
        self._cleanup.pending_deletes = self._cleanup.deletions = True
        self._indexer.begin()
        return state

    def _load(self, db: Connection) -> StoredState:
        """Load the chat, again while other nodes get in the way."""
        ends = time.monotonic() + LOAD_S
        while time.monotonic() < ends:
            state = self._try_to_load(db)
            if state is not None:
                return state
            time.sleep(LOAD_PAUSE_S)
        return self._load_once(db)

    def _try_to_load(self, db: Connection) -> StoredState | None:
        """Load the chat; return None if another node got in the way."""
        try:
            return self._load_once(db)
        except self._database.errors as error:
            if not self._database.is_conflict(error):
                raise
            db.execute("ROLLBACK")
            return None

    def _load_once(self, db: Connection) -> StoredState:
        self._database.begin_load(db)
        now = int(self._wall() * 1000)
        node_id, chat = self._database.node_id, ""
        state = rooms.load(db, new_epoch(), now, node_id)
        if self._follower is not None and node_id is not None:
            self._follower.begin(state, system_log.head(db))
            chat = rooms.chat_id(db, node_id)
        self._public_count.begin(db)
        self._database.commit(db)
        if self._catch_ups is not None:
            self._catch_ups.join(chat)
        return state

    def catch_up(self, rooms: Collection[int] = ()) -> Deferred[None]:
        """See `INodeStore.catch_up`."""
        return succeed(None) if self._catch_ups is None else self._catch_ups.catch_up(rooms)

    def _put_catch_up(self, job: CatchUp) -> None:
        if self._closed or self.is_lost:
            assert job.deferred is not None
            job.deferred.errback(NotStored())
        else:
            self._writer.put(job)

    def _look(self) -> Deferred[dict[int, int]]:
        """Return which rooms are behind; tell again what other nodes could not be told."""
        assert self._follower is not None
        self._announcements.tell()
        return self._reads.run(self._follower.look)

    def told(self, heads: Mapping[int, int]) -> None:
        """See `LivingStore.told`."""
        if self._catch_ups is not None:
            self._catch_ups.notify(heads)
            self._catch_ups.received(heads)

    def abandon(self) -> Deferred[list[Queued]]:
        """See `LivingStore.abandon`."""
        return self._writer.abandon()

    def _expired(self) -> None:
        """Give up the node: the database says that it is none any more."""
        if self._life is not None:
            self._life.lose()

    def _count_failed(self, failure: Failure) -> None:
        """Have the chat loaded anew, which counts the public rooms again."""
        if self._life is not None and not self._closed and not self.is_lost:
            self._log.failure("The public rooms can't be counted.", failure)
            self._life.lose()

    def _failed(self) -> None:
        """Have the chat loaded anew: what other nodes have stored is not all delivered."""
        if self._life is not None:
            self._life.failed()

    def announce(self, came: Mapping[int, str], went: Collection[int]) -> None:
        """See `INodeStore.announce`."""
        if self._follower is not None:
            self._announcements.add(came, went)

    def _store_presence(self, came: Mapping[int, str], went: Collection[int]) -> Deferred[None]:
        """Queue the write that tells other nodes who is online here, and changes nothing else."""
        return self._write(_do_nothing, plan=room_tells.announce(came, went))

    @property
    def is_shared(self) -> bool:
        """See `INodeStore.is_shared`."""
        return self._follower is not None

    def has_others(self) -> Deferred[bool]:
        """See `INodeStore.has_others`."""
        node_id = self._database.node_id
        if node_id is None:
            return succeed(False)
        return self._reads.run(lambda db: joining.has_others(db, node_id))

    def count_failures(
        self, keys: Sequence[tuple[str, str]], at: int, change: CountFailures[T]
    ) -> Deferred[tuple[T, FailureCount]]:
        """See `INodeStore.count_failures`."""
        return self._write(self._failures.count, keys, at, change)

    def tell(self, entry: AddressAsked | AddressAnswered) -> Deferred[None]:
        """See `INodeStore.tell`."""
        if self._follower is None:
            return succeed(None)
        return self._write(_do_nothing, plan=room_tells.tell(entry))

    def begin_ending(self, account_id: int) -> Deferred[tuple[int, ...] | None]:
        """See `INodeStore.begin_ending`."""
        plan = session_tells.begin_ending(account_id)
        node_id = self._database.node_id
        return self._write(guest_ends.begin_ending, account_id, node_id, plan=plan)

    def find_guest(self, key: str) -> Deferred[StoredGuest | None]:
        """See `INodeStore.find_guest`."""
        return self._reads.run(lambda db: guest_ends.find_guest(db, key))


def _do_nothing(db: Connection) -> None:
    """Do what a call does of which only its plan matters."""
