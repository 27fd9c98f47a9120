"""Searches of the store on disk, and its index; `SQLStore` inherits them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import MessageSearch, SearchPage
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.sql import search
from gtchat.store.sql.read_pool import ReadPool
from gtchat.store.sql.search_horizon import Rest
from gtchat.store.sql.search_index import MAX_WAITING, SLICE, Indexer

T = TypeVar("T")


class SearchCalls(ABC):
    """`IStore.search`: searches have a read pool of their own, and index what waits first."""

    _searches: ReadPool
    _indexer: Indexer

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    def search(self, wanted: MessageSearch) -> Deferred[SearchPage]:
        """See `IStore.search`."""
        return Deferred.fromCoroutine(self._search(wanted))

    async def _index_waiting(self) -> None:
        """Have messages indexed and counted that wait for idle time, as far as the time allows."""
        with suppress(NotStored):
            for _ in range(MAX_WAITING // SLICE if self._indexer.has_waiting() else 0):
                if await self._write(self._indexer.add_waiting) is not Rest.MORE:
                    break

    async def _search(self, wanted: MessageSearch) -> SearchPage:
        await self._index_waiting()
        return await self._searches.run(lambda db: search.search(db, wanted))

    def index_now(self, *, merge: bool = False) -> Deferred[None]:
        """Index all messages that are stored, and merge the index, without waiting for idle time.

        For tests: the server does so by itself.
        """
        return Deferred.fromCoroutine(self._index_now(merge))

    async def _index_now(self, merge: bool) -> None:
        while await self._write(self._indexer.add_waiting) is not Rest.NOTHING:
            pass
        if merge:
            await self._write(self._indexer.merge)
