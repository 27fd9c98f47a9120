"""Delivers what was missed while the connection was lost, room by room.

A page of a history is asked for only when there is space for its events. What is pushed of a room
meanwhile is not kept: its history is read up to there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred

from gtchat.client.commands import TEMPORARY_ERRORS
from gtchat.client.errors import CommandFailed
from gtchat.client.event_decoder import ENTRY_KINDS, EventDecoder
from gtchat.client.event_stream import EventStream, Place
from gtchat.client.replies import Reply

#: Entries of a history in one request.
PAGE_SIZE = 200


class SendRequest(Protocol):
    """Sends a request and returns its reply.

    Raises CommandFailed, or Unanswered when the connection is lost.
    """

    async def __call__(self, cmd: str, /, **fields: Any) -> Reply: ...


@attrs.frozen
class Missed:
    """What was missed of a room.

    Attributes:
        place: the room, or the direct conversation by its user.
        fields: how a request names it.
        last_seq: the newest entry that is known.
        entries: all of them, as the server sent them; None: they have to be read.
    """

    place: Place
    fields: dict[str, Any]
    last_seq: int
    entries: Sequence[dict[str, Any]] | None = None


@attrs.frozen
class CatchUp:
    """Reads what was missed.

    Attributes:
        stream: gets the events.
        decoder: makes them.
        send: sends a request.
        sleep: waits for a number of seconds; fails with Unanswered if the connection is lost.
    """

    stream: EventStream
    decoder: EventDecoder
    send: SendRequest
    sleep: Callable[[float], Deferred[None]]

    async def deliver(self, rooms: Sequence[Missed]) -> None:
        """Deliver what was missed of some rooms, which `begin` was told of.

        Raises:
            Unanswered: the connection was lost.
        """
        # What has to be read waits until there is space: it must not hold up the other rooms.
        for room in sorted(rooms, key=self._has_to_be_read):
            await self._deliver(room)
            self.stream.caught_up(room.place)

    def _has_to_be_read(self, room: Missed) -> bool:
        return room.entries is None and self.stream.missing(room.place) > 0

    def begin(self, rooms: Sequence[Missed]) -> None:
        """Note that some rooms are behind."""
        for room in rooms:
            self.stream.fall_behind(room.place, room.last_seq)

    async def _deliver(self, room: Missed) -> None:
        stream, place = self.stream, room.place
        if room.entries is not None:
            await stream.space_for(len(room.entries))
            if place in stream.behind:
                events = [self.decoder.event(entry) for entry in room.entries]
                stream.add_missed(place, events)
                stream.skip_to(place, room.last_seq)
        while last := stream.missing(place):
            if not stream.wants_entries() and isinstance(place, str):
                stream.skip_to(place, last)
            else:
                await stream.space_for(PAGE_SIZE)
                await self._read_page(room)

    async def _read_page(self, room: Missed) -> None:
        """Deliver one page of a history after what was delivered."""
        stream, place = self.stream, room.place
        after, last = stream.position(place), stream.missing(place)
        try:
            reply = await self.send(
                "history", **room.fields, after=after, limit=PAGE_SIZE, kinds=ENTRY_KINDS
            )
        except CommandFailed as error:
            if error.code in TEMPORARY_ERRORS:
                await self.sleep(error.retry_after or 1.0)
            elif isinstance(place, str):
                stream.reset_room(place, "left", last)
            else:
                stream.caught_up(place)
            return
        if place not in stream.behind:  # the user left the room meanwhile
            return
        stream.add_missed(place, reply.entries)
        if not reply.entries:
            stream.skip_to(place, max(reply.log_last, last))
        elif not reply.more:
            stream.skip_to(place, reply.log_last or last)
