"""Search: finds messages in the rooms and direct conversations of a user.

What a query means is in `search_query`.
"""

from __future__ import annotations

import attrs

from gtchat.chat.conversations import Conversations, Target
from gtchat.chat.errors import BadRequest, RateLimited
from gtchat.chat.interfaces import MessageSearch, SearchPage
from gtchat.chat.limits import Limits
from gtchat.chat.message_rules import whisper_of
from gtchat.chat.search_query import FoundMessage, SearchQuery, parse
from gtchat.chat.state import State
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session, User

#: Most messages in a page.
SEARCH_LIMIT = 50
#: Searches of all users that wait or run at the same time, one after the other in the store.
MAX_SEARCHES = 64
#: Seconds after which a search that is one too many may be tried again.
_RETRY_S = 1.0


@attrs.frozen
class FoundMessages:
    """A page of messages that were found, and the query for `search_query.marks`.

    Those of direct conversations are `WhisperSent`.
    """

    page: SearchPage
    query: SearchQuery


def _search_rate(limits: Limits) -> tuple[float, float]:
    return limits.searches_per_minute / 60, limits.searches_per_minute


class Searches:
    """Finds messages.

    Args:
        state: the chat's shared objects.
        conversations: finds rooms and direct conversations.
    """

    def __init__(self, state: State, conversations: Conversations) -> None:
        self._conversations = conversations
        self._store = state.store
        self._rooms = state.rooms
        self._limits = state.limits
        self._rates = BucketTable(state.limits.rate(_search_rate), state.clock.seconds)
        #: Account id -> number of its searches that are not finished.
        self._running: dict[int, int] = {}

    async def search(
        self,
        session: Session,
        raw: str,
        target: Target | None = None,
        author: str | None = None,
        before: int | None = None,
        limit: int = SEARCH_LIMIT,
    ) -> FoundMessages:
        """Return the newest messages that a query finds in the rooms and conversations of a user.

        Args:
            session: a session of the user.
            raw: the query.
            target: search this room or direct conversation only; None for all.
            author: find messages of this user only; None for all.
            before: find messages before this position, from an earlier page; None for the newest.
            limit: maximum number of messages.

        Raises:
            BadRequest: the query or the limit is malformed.
            TooLong: the query is too long.
            NoSuchRoom, NotInRoom, NoSuchUser, NotStored.
            RateLimited: the user searches too often, or there are too many searches.
        """
        if not 1 <= limit <= SEARCH_LIMIT:
            raise BadRequest(f"limit: must be 1 to {SEARCH_LIMIT}.")
        query = parse(raw, author)
        account_id = session.user.id
        self._begin(account_id)
        try:
            log_ids = await self._log_ids(session.user, query, target)
            page = await self._store.search(
                MessageSearch(
                    account_id=account_id,
                    log_ids=log_ids,
                    query=query,
                    before=before,
                    limit=limit,
                    seconds=self._limits.search_timeout or float("inf"),
                )
            )
        finally:
            self._end(account_id)
        return FoundMessages(self._still_readable(session.user, page), query)

    async def _log_ids(
        self, user: User, query: SearchQuery, target: Target | None
    ) -> tuple[int, ...] | None:
        """Return the ids of the logs that a request names, None if it names none."""
        named = [one for one in (query.room, target) if one is not None]
        found = {(await self._conversations.require(one, user)).id for one in named}
        if len(found) > 1:
            raise BadRequest("q: in: names another room than the request.")
        return tuple(found) if found else None

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

    def _still_readable(self, user: User, page: SearchPage) -> SearchPage:
        """Return a page as a user may read it.

        Rooms that the user was removed from during the search are left out; direct conversations
        have no such end.
        """

        def readable(one: FoundMessage) -> FoundMessage | None:
            message = one.message
            if one.other is not None:
                to = one.other if message.subject_id == user.id else user.name
                return attrs.evolve(one, message=whisper_of(message, to))
            room = self._rooms.get(one.room_id)
            is_member = room is not None and not room.deleted and room.has_member(user)
            return one if is_member else None

        found = tuple(one for one in map(readable, page.found) if one is not None)
        return attrs.evolve(page, found=found)
