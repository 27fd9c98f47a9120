"""The search in the newest messages of a room: it reads pages of the history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from gtchat.client.messages import Push, Reply

#: Messages that a search reads at most, and shows at most.
MAX_SEARCHED, MAX_MATCHES = 1_000, 20
#: Messages in a page of the history.
PAGE_SIZE = 200


@attrs.frozen
class SearchResult:
    """What a search found.

    Attributes:
        matches: oldest first.
        searched: number of messages that were read.
        more: whether there are older ones.
    """

    matches: tuple[Push, ...]
    searched: int
    more: bool


async def find_messages(
    call: Callable[..., Awaitable[Reply]], room_name: str, text: str
) -> SearchResult:
    """Find the newest messages of a room that contain a text, in any case.

    Args:
        call: sends a command and returns its reply.
        room_name: the room.
        text: what to find.

    Raises:
        What `call` raises.
    """
    wanted = text.casefold()
    matches: list[Push] = []
    searched, more = 0, True
    before: dict[str, Any] = {}
    while more and searched < MAX_SEARCHED and len(matches) < MAX_MATCHES:
        limit = min(PAGE_SIZE, MAX_SEARCHED - searched)
        page = await call("history", room_name=room_name, kinds=["c_speak"], limit=limit, **before)
        searched += len(page.entries)
        readable = [entry for entry in reversed(page.entries) if not entry.blocked]
        matches += [entry for entry in readable if wanted in entry.msg.casefold()]
        more = page.more and bool(page.entries)
        before = {"before": page.entries[0].seq} if page.entries else {}
    more = more or len(matches) > MAX_MATCHES
    return SearchResult(tuple(reversed(matches[:MAX_MATCHES])), searched, more)
