"""What a store and the life of its node (`node_life`) are to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from gtchat.chat.interfaces import PendingEntry, PendingRoomChange, StoredState
from gtchat.store.jobs import Queued


class LivingStore(Protocol):
    """What a node needs of its store: `SQLStore`."""

    is_lost: bool
    committed: Callable[[Sequence[PendingEntry]], None]
    failed: Callable[[Sequence[PendingRoomChange]], None]
    lost: Callable[[], None]
    restored: Callable[[StoredState], None]

    def reload(self) -> StoredState:
        """Enter, and load the chat. Blocks."""

    def abandon(self) -> Deferred[list[Queued]]:
        """Deliver no result any more; return the jobs that have none, once the writer is idle."""

    def told(self, heads: Mapping[int, int]) -> None:
        """Take note of entries that were stored past the queue: this node reads them, too."""


class Life(Protocol):
    """What a store needs of the life of its node: `NodeLife`. Called in the reactor thread."""

    def start(self) -> None:
        """Keep the node alive from now on: it has loaded the chat."""

    def lose(self) -> None:
        """Give up the node: no client gets a result any more. Then enter as a new one."""

    def failed(self) -> None:
        """Load the chat anew soon: it could not make here what other nodes have stored."""

    def look(self) -> None:
        """Give up the node if its row may have expired: what others store now is not for it."""

    def close(self) -> None:
        """Take note that the store is closing: if the node is lost now, it does not come back."""

    def stop(self) -> None:
        """End: the node has left."""
