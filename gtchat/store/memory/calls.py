"""How the parts of the store in memory are called; `MemoryStore` says how that is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from gtchat.store.jobs import NO_PLAN, Plan

T = TypeVar("T")


class MemoryCalls(ABC):
    """Writes to the queue, reads past it."""

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function; return its result."""

    @abstractmethod
    def _read(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        """Return the result of a function, which is called in the next turn, past the queue."""
