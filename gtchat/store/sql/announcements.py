"""Who is online at this node, as far as the other nodes have not been told yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gtchat.chat.errors import NotStored


@attrs.define(eq=False)
class Announcements:
    """Has the other nodes told, by one write at a time; what was not stored is told again.

    Args:
        store: queues the write, given who came (account id -> name as displayed) and who went.
    """

    _store: Callable[[Mapping[int, str], Collection[int]], Deferred[None]]
    #: Account id -> its name if it has come online, None if it is not online any more.
    _changes: dict[int, str | None] = attrs.field(init=False, factory=dict)
    #: Those that are being stored.
    _telling: dict[int, str | None] = attrs.field(init=False, factory=dict)

    def add(self, came: Mapping[int, str], went: Collection[int]) -> None:
        """Tell this; see `INodeStore.announce`."""
        self._changes.update(came)
        self._changes.update(dict.fromkeys(went))
        self.tell()

    def tell(self) -> None:
        """Tell what waits, unless something is being told."""
        if self._changes and not self._telling:
            self._telling, self._changes = self._changes, {}
            came = {id_: name for id_, name in self._telling.items() if name is not None}
            went = tuple(id_ for id_, name in self._telling.items() if name is None)
            self._store(came, went).addCallbacks(self._told, self._failed)

    def forget(self) -> None:
        """Tell nothing of what waits: this node is given up, and so are its sessions."""
        self._changes.clear()
        self._telling.clear()

    def _told(self, result: None) -> None:
        self._telling = {}
        self.tell()

    def _failed(self, failure: Failure) -> None:
        failure.trap(NotStored)
        self._changes = self._telling | self._changes
        self._telling = {}
