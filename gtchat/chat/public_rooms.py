"""The list of public rooms: its beginning is in memory, the rest is read from the store by pages.

What is here of a room that is not in memory stays true: a room changes only while it is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gtchat.chat.names import SortedNames
from gtchat.chat.room_records import ListedRoom
from gtchat.chat.room_store import FIRST_LISTED


class PublicRooms:
    """The first public rooms by their keys, without the lobby, and how many there are in all.

    Attributes:
        total: number of all public rooms.
        on_short: called when so many rooms have gone that others should be read.
    """

    def __init__(self) -> None:
        self.total = 0
        self.on_short: Callable[[], None] = lambda: None
        self._keys = SortedNames()
        #: Those of `_keys` that are not in memory.
        self._listed: dict[str, ListedRoom] = {}
        #: The last key up to which all are here; None if all are.
        self._until: str | None = None
        #: Whether only the first ones are kept.
        self._is_bounded = False

    def begin(self, first: Sequence[ListedRoom], total: int, is_bounded: bool) -> None:
        """Begin with what is stored.

        Args:
            first: the first public rooms, none of them in memory.
            total: number of all public rooms.
            is_bounded: whether only the first ones are to be kept here.
        """
        self._listed = {room.key: room for room in first}
        self._keys = SortedNames([room.key for room in first])
        self._until = first[-1].key if len(first) < total else None
        self.total, self._is_bounded = total, is_bounded

    def _covers(self, key: str) -> bool:
        return self._until is None or key <= self._until

    def add(self, key: str) -> None:
        """Take note of a public room that is new, or was private until now, and is in memory."""
        self.total += 1
        if self._covers(key):
            self._keys.add(key)
            if self._is_bounded and len(self._keys) > 2 * FIRST_LISTED:
                self._keep(self._keys.page(None, FIRST_LISTED))

    def _keep(self, keys: list[str]) -> None:
        self._keys, self._until = SortedNames(keys), keys[-1]
        self._listed = {key: room for key, room in self._listed.items() if key <= keys[-1]}

    def discard(self, key: str) -> None:
        """Take note that a room in memory is not public any more, or is deleted."""
        self.total -= 1
        self._keys.discard(key)
        if self._until is not None and len(self._keys) <= FIRST_LISTED // 2:
            self.on_short()

    def brought_in(self, key: str) -> None:
        """Take note that a room has come into memory."""
        self._listed.pop(key, None)

    def left(self, room: ListedRoom) -> None:
        """Take note that a public room leaves memory."""
        if self._covers(room.key):
            self._listed[room.key] = room

    def renamed(self, name: str, new_name: str) -> None:
        """Take note that the owner of rooms that are not in memory has another name."""
        for room in self._listed.values():
            if room.owner == name:
                room.owner, room.list_entry = new_name, None

    def listed(self, key: str) -> ListedRoom:
        """Return one of the rooms here that are not in memory."""
        return self._listed[key]

    @property
    def last_key(self) -> str:
        """The key behind which others have to be read; only if not all are here."""
        assert self._until is not None
        return self._until

    def extend(
        self, rooms: Iterable[ListedRoom], in_memory: Iterable[str], until: str | None
    ) -> None:
        """Add the rooms that follow on the last key.

        Args:
            rooms: those that are not in memory, in order.
            in_memory: the keys of the public rooms in memory; those among the others are added.
            until: the key of the last of them; None if no others follow.
        """
        found = {room.key: room for room in rooms}
        last, self._until = self.last_key, until
        keys = {*found, *(key for key in in_memory if key > last and self._covers(key))}
        self._listed |= found
        self._keys = SortedNames(sorted({*self._keys.page(None, len(self._keys)), *keys}))

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
