"""Searches for messages as `MemoryStore` does them: all messages are read, the newest first."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import attrs

from gtchat.chat.events import AnnotatedMessage, MessageSent
from gtchat.chat.search_query import FoundMessage, MessageSearch, SearchPage
from gtchat.store.memory.rooms import RoomTable


def search(
    table: RoomTable, readable: Mapping[int, str | None], wanted: MessageSearch
) -> SearchPage:
    """Return the newest messages that fulfil a query; see `IStore.search`.

    Args:
        table: the rooms.
        readable: the rooms that the account is a member of and its direct conversations, with the
            names of the other users.
        wanted: the search.
    """
    ends = time.monotonic() + wanted.seconds
    found: list[FoundMessage] = []
    for row, room_id, message in _messages(table, readable, wanted):
        if time.monotonic() >= ends:
            return SearchPage(tuple(found), row + 1, incomplete=True)
        if wanted.query.matches(message):
            if len(found) == wanted.limit:
                return SearchPage(tuple(found), found[-1].position)
            if isinstance(message, AnnotatedMessage):
                message = attrs.evolve(message, reactions=())
            found.append(FoundMessage(row, room_id, message, readable[room_id]))
    return SearchPage(tuple(found))


def _messages(
    table: RoomTable, readable: Collection[int], wanted: MessageSearch
) -> list[tuple[int, int, MessageSent]]:
    """Return the messages that can be found at all, with their rows and rooms, newest first."""
    logs = [
        table.rooms[room_id]
        for room_id in (readable if wanted.log_ids is None else wanted.log_ids)
        if room_id in readable and room_id in table.rooms
    ]
    messages = [
        (room.rows[entry.seq], room.id, entry)
        for room in logs
        for entry in room.log
        if isinstance(entry, MessageSent)
    ]
    before = wanted.before
    chosen = [one for one in messages if before is None or one[0] < before]
    return sorted(chosen, key=lambda one: one[0], reverse=True)
