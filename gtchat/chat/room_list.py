"""The list of rooms of one user: which rooms they can see, page by page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import attrs

from gtchat.chat.errors import NoSuchRoom
from gtchat.chat.interfaces import ListedRoom
from gtchat.chat.names import room_key
from gtchat.chat.room_loader import RoomLoader
from gtchat.chat.rooms import LOBBY, Member, Room, RoomRegistry

#: How a cursor of `RoomList.page` begins: behind one of the user's own rooms, or behind
#: another. A room's key can't begin with a space.
_AFTER_OWN, _AFTER_OTHER = " own ", " other "


@attrs.frozen
class RoomPage:
    """A page of the list.

    Attributes:
        rooms: the rooms; those of the user, and all that are in memory, are `Room`.
        more: whether others follow.
    """

    rooms: Sequence[Room | ListedRoom]
    more: bool


@attrs.frozen
class RoomList:
    """The rooms that a user can see.

    The user's own rooms and the lobby come first, with the private rooms that the user owns and
    has left; then the other public rooms, each in the order of their keys.

    Args:
        registry: the rooms in memory.
        user: a logged-in user.
    """

    _registry: RoomRegistry
    _user: Member

    def first(self, limit: int) -> RoomPage:
        """Return the first page, of rooms that are here: it may be shorter than the limit.

        Args:
            limit: maximum number of rooms.
        """
        public, wanted = self._registry.public, self._wanted(limit)
        public.on_read()
        others = self._registry.listed(public.page(None, wanted))
        return self._page((True, None), limit, others, public.has_page(None, wanted))

    async def page(
        self, loader: RoomLoader, after: str | None, limit: int, joined: bool = False
    ) -> RoomPage:
        """Return a page of the list.

        Args:
            loader: finds rooms that are not in memory.
            after: what `cursor` returned for the last room of the page before, or its name; None,
                or a name that no room has, for the first page.
            limit: maximum number of rooms.
            joined: whether to leave out the rooms that the user is not a member of.

        Raises:
            NotStored: the rooms can't be read.
        """
        start = await self._start(loader, after)
        if joined:
            return self._page(start, limit, None, True)
        public, wanted, behind = self._registry.public, self._wanted(limit), self._behind(start)
        if loader.has_listed(behind, wanted):
            others = self._registry.listed(public.page(behind, wanted))
            return self._page(start, limit, others, True)
        found = await loader.read_public(behind, wanted)
        others = [self._registry.get(room.id) or room for room in found]
        return self._page(start, limit, others, len(found) < wanted)

    def cursor(self, room: Room | ListedRoom) -> str:
        """Return what `page` continues behind a room with, also when the room is deleted."""
        is_here = isinstance(room, Room) and (room in self._user.rooms or room.is_lobby)
        is_own = is_here or not room.public
        return f"{_AFTER_OWN if is_own else _AFTER_OTHER}{room.key}"

    def count(self, joined: bool = False) -> int:
        """Return how many rooms there are in all pages. joined: as in `page`."""
        if joined:
            return 1 + len(self._user.rooms)
        private = sum(not room.public for room in self._user.rooms)
        return 1 + self._registry.public.total + private + len(self._left_by_owner())

    def own_count(self) -> int:
        """Return how many rooms come first: the lobby, the user's, and private ones of the user."""
        return 1 + len(self._user.rooms) + len(self._left_by_owner())

    def _wanted(self, limit: int) -> int:
        """Return how many public rooms to look at: any of them may be the user's own."""
        return limit + 1 + len(self._user.rooms)

    async def _start(self, loader: RoomLoader, after: str | None) -> tuple[bool, str | None]:
        """Return whether a page begins among the user's own rooms, and behind which key."""
        if after is None:
            return True, None
        for prefix in (_AFTER_OWN, _AFTER_OTHER):
            if after.startswith(prefix):
                return prefix == _AFTER_OWN, after[len(prefix) :]
        try:
            await loader.look(after)
        except NoSuchRoom:
            return True, None
        key = room_key(after)
        return key in self._own(True), key

    def _behind(self, start: tuple[bool, str | None]) -> str | None:
        """Return the key behind which the public rooms of a page begin, None for the first ones."""
        among_own, key = start
        return None if among_own else key

    def _page(
        self,
        start: tuple[bool, str | None],
        limit: int,
        others: Iterable[Room | ListedRoom] | None,
        is_all: bool,
    ) -> RoomPage:
        """Return a page.

        Args:
            start: as `_start` returns it.
            limit: maximum number of rooms.
            others: public rooms from the start on; None to leave out those of others.
            is_all: whether no public rooms follow on these.
        """
        own, (among_own, key) = self._own(others is not None), start
        page: list[Room | ListedRoom] = []
        if among_own:
            first = 0 if key is None else bisect_right(own, key)
            page += self._registry.listed(own[first : first + limit + 1])
        mine = set(own)
        page += [room for room in others or () if room.public and room.key not in mine]
        return RoomPage(page[:limit], len(page) > limit or not is_all)

    def _own(self, with_left: bool) -> list[str]:
        """Return the keys of the rooms that come first; without those that the user has left."""
        left = self._left_by_owner() if with_left else []
        return sorted([LOBBY, *(room.key for room in (*self._user.rooms, *left))])

    def _left_by_owner(self) -> list[Room]:
        """Return the private rooms that the user owns without being a member."""
        owned = self._registry.owned_by(self._user.id)
        return [room for room in owned if not room.public and room not in self._user.rooms]
