"""The methods of `INodeStore` of the store on disk; `SQLStore` inherits them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed

import gtchat.store.session_tells as session_tells
from gtchat.chat.interfaces import Foreign, StoredGuest, StoredState
from gtchat.store.jobs import NO_PLAN, Plan, ignore_foreign, ignore_lost, ignore_restored
from gtchat.store.sql import guest_ends
from gtchat.store.sql.read_pool import ReadPool

T = TypeVar("T")


class NodeCalls(ABC):
    """Calls of `INodeStore`: writes to the queue, reads to the read pool."""

    _reads: ReadPool

    def __init__(self) -> None:
        #: Set by the chat; see `INodeStore`.
        self.foreign: Callable[[Foreign], None] = ignore_foreign
        self.lost: Callable[[], None] = ignore_lost
        self.restored: Callable[[StoredState], None] = ignore_restored

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    def catch_up(self) -> Deferred[None]:
        """See `INodeStore.catch_up`."""
        return succeed(None)

    def announce(self, came: Mapping[int, str], went: Collection[int]) -> None:
        """See `INodeStore.announce`."""
        return None

    def begin_ending(self, account_id: int) -> Deferred[tuple[int, ...] | None]:
        """See `INodeStore.begin_ending`."""
        plan = session_tells.begin_ending(account_id)
        return self._write(guest_ends.begin_ending, account_id, plan=plan)

    def find_guest(self, key: str) -> Deferred[StoredGuest | None]:
        """See `INodeStore.find_guest`."""
        return self._reads.run(lambda db: guest_ends.find_guest(db, key))
