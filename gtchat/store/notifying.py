"""How a store hears at once that other nodes have written, and tells them that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class INotifier(Interface):
    """Wakes the other nodes of a database. What it loses, a look at the heads of logs finds."""

    received: Callable[[Mapping[int, int] | None], None] = Attribute(
        "Set by the store: called in the reactor thread with room id -> seq that another node has "
        "written; None: any room may have been written."
    )

    def start() -> None:
        """Begin to listen."""

    def notify(heads: Mapping[int, int]) -> None:
        """Tell the other nodes what is committed.

        Called in the thread of the writer. Never waits, never fails.

        Args:
            heads: room id -> seq of its newest entry.
        """

    def stop() -> Deferred[None]:
        """End all threads and connections; fires when they have ended."""
