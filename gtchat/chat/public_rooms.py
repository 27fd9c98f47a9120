"""The list of public rooms: its beginning is in memory, the rest is read from the store by pages.

What is here of a room that is not in memory stays true on a server that is alone: a room changes
only while it is in memory. What other nodes change is told of its settings, not of its members and
entries: so pages are read from the store there, and the beginning is read again when it is old.

How many public rooms there are is what the store counts behind the start, and what is done here or
told by other nodes since: not the entries of their logs, which a node may have or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred

from gtchat.chat.errors import NotStored
from gtchat.chat.names import SortedNames
from gtchat.chat.room_records import ListedRoom
from gtchat.chat.room_store import FIRST_LISTED


class PublicRooms:
    """The first public rooms by their keys, without the lobby, and how many there are in all.

    Attributes:
        total: number of all public rooms, once they are `counted`.
        on_short: called when so many rooms have gone that others should be read.
        on_read: called when the beginning of the list is read.
    """

    def __init__(self) -> None:
        self.total = 0
        self.on_short: Callable[[], None] = lambda: None
        self.on_read: Callable[[], None] = lambda: None
        self._keys = SortedNames()
        #: Those of `_keys` that are not in memory.
        self._listed: dict[str, ListedRoom] = {}
        #: The count of what was stored; None once it is known, or if nothing is.
        self._counting: Deferred[int] | None = None
        self._waiting: list[Deferred[None]] = []
        #: The last key up to which all are here; None if all are.
        self._until: str | None = None

    def begin(self, first: Sequence[ListedRoom], counting: Deferred[int]) -> None:
        """Begin with what is stored.

        Args:
            first: the first public rooms, `FIRST_LISTED` at most, none of them in memory.
            counting: the number of all that are stored; it never comes if it can't be found out.
        """
        self.renew(first, (), first[-1].key if len(first) == FIRST_LISTED else None)
        self.total, self._counting = 0, counting
        counting.addCallbacks(self._count, lambda _: None, callbackArgs=(counting,))

    def _count(self, stored: int, counting: Deferred[int]) -> None:
        """Add what was stored to what was done since."""
        if counting is self._counting:
            self.total += stored
            self._counting = None
            for waiting in self._take_waiting():
                waiting.callback(None)

    async def counted(self) -> None:
        """Return once the number of all public rooms is known.

        Raises:
            NotStored: this node is lost, and loads the chat anew.
        """
        if self._counting is not None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    def clear(self) -> None:
        """Forget all rooms."""
        self.renew((), (), None)
        self.total, self._counting = 0, None
        for waiting in self._take_waiting():
            waiting.errback(NotStored())

    def _take_waiting(self) -> list[Deferred[None]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def renew(
        self, outside: Iterable[ListedRoom], in_memory: Iterable[str], until: str | None
    ) -> None:
        """Begin anew with the first public rooms.

        Args:
            outside: those of the first rooms that are not in memory.
            in_memory: the keys of all public rooms in memory; those among the first are listed.
            until: the key of the last of the first rooms; None if no others follow.
        """
        self._until = until
        self._listed = {room.key: room for room in outside}
        self._keys = SortedNames(sorted({*self._listed, *filter(self._covers, in_memory)}))

    def _covers(self, key: str) -> bool:
        return self._until is None or key <= self._until

    def show(self, key: str) -> None:
        """List a room in memory that is public now."""
        if self._covers(key) and key not in self._keys:
            self._keys.add(key)
            if len(self._keys) > 2 * FIRST_LISTED:
                self._keep(self._keys.page(None, FIRST_LISTED))

    def _keep(self, keys: list[str]) -> None:
        self._keys, self._until = SortedNames(keys), keys[-1]
        self._listed = {key: room for key, room in self._listed.items() if key <= keys[-1]}

    def hide(self, key: str) -> None:
        """List a room no more: it is not public, or deleted."""
        self._keys.discard(key)
        self._listed.pop(key, None)
        if self._until is not None and len(self._keys) <= FIRST_LISTED // 2:
            self.on_short()

    def brought_in(self, key: str, is_public: bool) -> None:
        """Take note that a room has come into memory."""
        if is_public:
            self.show(key)
            self._listed.pop(key, None)
        elif key in self._keys:
            self.hide(key)

    def left(self, room: ListedRoom) -> None:
        """Take note that a room leaves memory, or that one which is not there is public."""
        if room.key in self._keys:
            self._listed[room.key] = room

    def told(self, room: ListedRoom) -> None:
        """Take note of what another node tells of a public room that is not in memory."""
        self.show(room.key)
        self.left(room)

    def renamed(self, name: str, new_name: str) -> None:
        """Take note that the owner of rooms that are not in memory has another name."""
        for room in self._listed.values():
            if room.owner == name:
                room.owner, room.list_entry = new_name, None

    def listed(self, key: str) -> ListedRoom:
        """Return one of the rooms here that are not in memory."""
        return self._listed[key]

    def has_page(self, after: str | None, count: int) -> bool:
        """Return whether the next rooms are here, so many or all.

        Args:
            after: the key of the last room before them, None for the first ones.
            count: how many.
        """
        return self._until is None or len(self._keys.page(after, count)) == count

    def page(self, after: str | None, limit: int) -> list[str]:
        """Return the keys of public rooms that are here; the arguments are those of `has_page`."""
        return self._keys.page(after, limit)
