"""Search: finds messages in the rooms of a user. What a query means is in `search_query`."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import BadRequest, RateLimited
from gtchat.chat.interfaces import MessageSearch, SearchPage
from gtchat.chat.limits import BucketTable
from gtchat.chat.rooms import Room
from gtchat.chat.search_query import SearchQuery, parse
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Most messages in a page.
SEARCH_LIMIT = 50
#: Searches of all users that wait or run at the same time, one after the other in the store.
MAX_SEARCHES = 64
#: Seconds after which a search that is one too many may be tried again.
_RETRY_S = 1.0


@attrs.frozen
class FoundMessages:
    """A page of messages that were found, and the query for `search_query.marks`."""

    page: SearchPage
    query: SearchQuery


class Searches:
    """Finds messages.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._rooms = state.rooms
        self._limits = state.limits
        rate = state.limits.searches_per_minute
        self._rates = BucketTable(rate / 60, rate, state.clock.seconds)
        #: Account id -> number of its searches that are not finished.
        self._running: dict[int, int] = {}

    async def search(
        self,
        session: Session,
        raw: str,
        room_name: str | None = None,
        author: str | None = None,
        before: int | None = None,
        limit: int = SEARCH_LIMIT,
    ) -> FoundMessages:
        """Return the newest messages that a query finds in the rooms of a user.

        Args:
            session: a session of the user.
            raw: the query.
            room_name: search this room only, as the user typed it; None for all.
            author: find messages of this user only; None for all.
            before: find messages before this position, from an earlier page; None for the newest.
            limit: maximum number of messages.

        Raises:
            BadRequest: the query or the limit is malformed.
            TooLong: the query is too long.
            NoSuchRoom, NotInRoom, NotStored.
            RateLimited: the user searches too often, or there are too many searches.
        """
        if not 1 <= limit <= SEARCH_LIMIT:
            raise BadRequest(f"limit: must be 1 to {SEARCH_LIMIT}.")
        query = parse(raw, author)
        account_id = session.user.id
        rooms = self._named_rooms(session, query, room_name)
        self._begin(account_id)
        try:
            page = await self._store.search(
                MessageSearch(
                    account_id=account_id,
                    log_ids=rooms,
                    query=query,
                    before=before,
                    limit=limit,
                    seconds=self._limits.search_timeout or float("inf"),
                )
            )
        finally:
            self._end(account_id)
        return FoundMessages(self._still_readable(session, page), query)

    def _named_rooms(
        self, session: Session, query: SearchQuery, room_name: str | None
    ) -> tuple[int, ...] | None:
        """Return the ids of the rooms that a request names, None if it names none."""
        found = [
            self._rooms.require_member(raw, session.user)
            for raw in (room_name, query.room)
            if raw is not None
        ]
        if len({room.id for room in found}) > 1:
            raise BadRequest("q: in: names another room than room_name.")
        return tuple({room.id for room in found}) if found else None

    def _begin(self, account_id: int) -> None:
        """Count a search that begins. Raises RateLimited."""
        running, at_once = self._running.get(account_id, 0), self._limits.searches_at_once
        if at_once and running >= at_once or sum(self._running.values()) >= MAX_SEARCHES:
            raise RateLimited("Wait until other searches are finished.", retry_after=_RETRY_S)
        if wait := self._rates.take(account_id):
            raise RateLimited(retry_after=wait)
        self._running[account_id] = running + 1

    def _end(self, account_id: int) -> None:
        self._running[account_id] -= 1
        if not self._running[account_id]:
            del self._running[account_id]

    def _still_readable(self, session: Session, page: SearchPage) -> SearchPage:
        """Return a page without rooms that the user was removed from during the search."""

        def is_readable(room: Room | None) -> bool:
            return room is not None and not room.deleted and room.has_member(session.user)

        found = (one for one in page.found if is_readable(self._rooms.get(one.room_id)))
        return attrs.evolve(page, found=tuple(found))
