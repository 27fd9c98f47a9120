"""The methods of `INodeStore` of the store in memory; `MemoryStore` inherits them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from twisted.internet.defer import Deferred, succeed

from gtchat.chat.interfaces import Foreign, StoredGuest, StoredState
from gtchat.store import session_tells
from gtchat.store.jobs import ignore_foreign, ignore_lost, ignore_restored
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.calls import MemoryCalls


class MemoryNodeCalls(MemoryCalls):
    """Calls of `INodeStore`: writes to the queue, reads past it."""

    _accounts: AccountTable

    def __init__(self) -> None:
        #: Set by the chat; see `INodeStore`.
        self.foreign: Callable[[Foreign], None] = ignore_foreign
        self.lost: Callable[[], None] = ignore_lost
        self.restored: Callable[[StoredState], None] = ignore_restored

    def catch_up(self) -> Deferred[None]:
        """See `INodeStore.catch_up`."""
        return succeed(None)

    def announce(self, came: Mapping[int, str], went: Collection[int]) -> None:
        """See `INodeStore.announce`."""

    def begin_ending(self, account_id: int) -> Deferred[tuple[int, ...] | None]:
        """See `INodeStore.begin_ending`."""

        def begin_ending() -> tuple[int, ...] | None:
            row = self._accounts.accounts.get(account_id)
            if row is None or row.registered:
                return None
            self._accounts.end_sessions(row, None)
            return tuple(sorted(row.rooms))

        return self._write(begin_ending, plan=session_tells.begin_ending(account_id))

    def find_guest(self, key: str) -> Deferred[StoredGuest | None]:
        """See `INodeStore.find_guest`."""

        def find_guest() -> StoredGuest | None:
            account = self._accounts.find(key, None)
            if account is None or account.registered:
                return None
            row = self._accounts.accounts[account.id]
            return StoredGuest(account, row.network, bool(row.sessions))

        return self._read(find_guest)
