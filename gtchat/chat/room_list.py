"""The list of rooms of one user: which rooms they can see, page by page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import attrs

from gtchat.chat.errors import NoSuchRoom
from gtchat.chat.rooms import LOBBY, Member, Room, RoomRegistry

#: How a cursor of `RoomList.page` begins: behind one of the user's own rooms, or behind
#: another. A room's key can't begin with a space.
_AFTER_OWN, _AFTER_OTHER = " own ", " other "


@attrs.frozen
class RoomList:
    """The rooms that a user can see.

    The user's own rooms and the lobby come first, with the private rooms that the user owns and
    has left; then the other public rooms, each in the order of their keys.

    Args:
        registry: all rooms.
        user: a logged-in user.
    """

    _registry: RoomRegistry
    _user: Member

    def page(self, after: str | None, limit: int, joined: bool = False) -> list[Room]:
        """Return a page of the list.

        Args:
            after: what `cursor` returned for the last room of the page before, or its name; None,
                or a name that no room has, for the first page.
            limit: maximum number of rooms.
            joined: whether to leave out the rooms that the user is not a member of.
        """
        left = [] if joined else [room.key for room in self._left_by_owner()]
        own = sorted([LOBBY, *(room.key for room in self._user.rooms), *left])
        among_own, key = self._position(own, after)
        page: list[str] = []
        if among_own:
            start = 0 if key is None else bisect_right(own, key)
            page, key = own[start : start + limit], None
        if not joined:
            page += self._public_page(key, limit - len(page))
        return self._registry.by_keys(page)

    def cursor(self, room: Room) -> str:
        """Return what `page` continues behind a room with, also when the room is deleted."""
        own = room in self._user.rooms or room.is_lobby or not room.public
        return f"{_AFTER_OWN if own else _AFTER_OTHER}{room.key}"

    def count(self, joined: bool = False) -> int:
        """Return how many rooms there are in all pages. joined: as in `page`."""
        if joined:
            return 1 + len(self._user.rooms)
        private = sum(not room.public for room in self._user.rooms)
        return 1 + len(self._registry.public) + private + len(self._left_by_owner())

    def own_count(self) -> int:
        """Return how many rooms come first: the lobby, the user's, and private ones of the user."""
        return 1 + len(self._user.rooms) + len(self._left_by_owner())

    def _position(self, own: Sequence[str], after: str | None) -> tuple[bool, str | None]:
        """Return whether a page begins among the user's own rooms, and behind which key."""
        if after is None:
            return True, None
        for prefix in (_AFTER_OWN, _AFTER_OTHER):
            if after.startswith(prefix):
                return prefix == _AFTER_OWN, after[len(prefix) :]
        try:
            key = self._registry.find(after).key
        except NoSuchRoom:
            return True, None
        return key in own, key

    def _public_page(self, after: str | None, limit: int) -> list[str]:
        """Return keys of public rooms that the user is not a member of."""
        public = self._registry.public
        if not self._user.rooms:
            return public.page(after, limit)
        own = {room.key for room in self._user.rooms}
        found: list[str] = []
        while len(found) < limit:
            page = public.page(after, limit)
            found += [key for key in page if key not in own]
            if len(page) < limit:
                break
            after = page[-1]
        return found[:limit]

    def _left_by_owner(self) -> list[Room]:
        """Return the private rooms that the user owns without being a member."""
        owned = self._registry.owned_by(self._user.id)
        return [room for room in owned if not room.public and room not in self._user.rooms]
