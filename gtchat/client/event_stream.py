"""The events of a connection: each one once, the entries of a room in their order.

The stream keeps the last `seq` delivered of each room, which a resume sends to the server. While a
connection catches up after a loss, the stream is held: new events wait behind the missed ones. An
event that still waits was not delivered; if the connection is lost again, the server repeats it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import attrs
from twisted.internet.defer import Deferred

from gtchat.client.messages import Event, Push, RoomReset
from gtchat.client.typed_events import typed

#: Ids of whispers, invitations and own messages that are kept to detect duplicates.
MAX_REMEMBERED_IDS = 20_000


@attrs.frozen
class _OwnEntry:
    """A message or change of the user's own got this place in its room."""

    room_name: str
    seq: int


@attrs.frozen
class _JoinedRoom:
    """The user is in a room whose log ends at `seq`."""

    room_name: str
    seq: int


@attrs.frozen
class _LeftRoom:
    """The user is no longer in a room."""

    room_name: str


#: What passes through the stream in order: events, and notes that only advance `seen`.
_Item = Event | _OwnEntry | _JoinedRoom | _LeftRoom


class EventStream:
    """An asynchronous iterator over events.

    Args:
        drained: called after each event that was taken.

    Attributes:
        user: the user who is logged in; "" when none is.
        seen: by room name, the last `seq` delivered.
        seen_directs: the same by the name of the other user of a direct conversation.
    """

    def __init__(self, drained: Callable[[], None]) -> None:
        self.user = ""
        self.seen: dict[str, int] = {}
        self.seen_directs: dict[str, int] = {}
        self._drained = drained
        self._queue: deque[Event] = deque()
        self._reader: Deferred[None] | None = None
        self._held: list[_Item] | None = None
        self._known_ids: dict[object, None] = {}
        self._end: Exception | None = None

    def __len__(self) -> int:
        return len(self._queue)

    # Input.

    def add(self, event: Event) -> None:
        """Append an event, unless it is a duplicate."""
        self._put(event)

    def own_message(self, room_name: str, seq: int, id: str) -> None:
        """Record an own message, which the server does not push.

        Args:
            room_name: its room, in the spelling of the request.
            seq: its number in the room's log.
            id: its id.
        """
        self._is_first(id)
        self.own_entry(room_name, seq)

    def own_entry(self, room_name: str, seq: int) -> None:
        """Record an own change of a room, which the server does not push; arguments as above."""
        self._put(_OwnEntry(room_name, seq))

    def joined(self, room_name: str, seq: int) -> None:
        """Record that the user is in a room.

        Args:
            room_name: the room.
            seq: number of the newest entry of its log.
        """
        self._put(_JoinedRoom(room_name, seq))

    def left(self, room_name: str) -> None:
        """Record that the user is no longer in a room."""
        self._put(_LeftRoom(room_name))

    def _put(self, item: _Item) -> None:
        if self._held is None:
            self._deliver(item)
        else:
            self._held.append(item)

    # Catching up.

    def hold(self) -> None:
        """Keep back what is added, until `release` is called."""
        if self._held is None:
            self._held = []

    def add_first(self, events: Iterable[Event]) -> None:
        """Append events before those that are held."""
        for event in events:
            self._deliver(event)

    def reset_room(self, room_name: str, last_seq: int, gone: bool) -> None:
        """Append a RoomReset before the events that are held.

        Args:
            room_name: the room.
            last_seq: the end of its log.
            gone: whether the user is no longer in it, or it was deleted.
        """
        self._deliver(_LeftRoom(room_name))
        if not gone:
            self._deliver(_JoinedRoom(room_name, last_seq))
        self._deliver(RoomReset(room_name, last_seq, gone))

    def release(self) -> None:
        """Append what was held."""
        held, self._held = self._held or [], None
        for item in held:
            self._deliver(item)

    def connection_lost(self) -> None:
        """Drop the held entries of rooms, which the server sends again; append the rest."""
        held, self._held = self._held or [], None
        for item in held:
            is_entry = isinstance(item, Push) and item.seq and item.room_name
            if not is_entry and not isinstance(item, _OwnEntry):
                self._deliver(item)

    # Output.

    def _deliver(self, item: _Item) -> None:
        """Append an event, unless it is a duplicate; apply a note."""
        if isinstance(item, _OwnEntry):
            self._advance(item)
        elif isinstance(item, _JoinedRoom):
            self.seen[item.room_name] = item.seq
        elif isinstance(item, _LeftRoom):
            self.seen.pop(item.room_name, None)
        elif not isinstance(item, Push) or self._is_new(item):
            self._queue.append(typed(item) if isinstance(item, Push) else item)
            self._wake()

    def _advance(self, entry: _OwnEntry) -> None:
        """Advance a room past an own entry; the request may spell its name in another case."""
        name = entry.room_name
        if name not in self.seen:
            folded = name.casefold()
            name = next((room for room in self.seen if room.casefold() == folded), name)
        if name in self.seen:
            self.seen[name] = max(self.seen[name], entry.seq)

    def _is_new(self, push: Push) -> bool:
        """Return whether a push is no duplicate; an entry advances its room."""
        if push.type == "room_gone":
            self.seen.pop(push.room_name, None)
        elif push.type == "marked_read":  # not an entry, though it has a seq until the next release
            return True
        elif push.seq and push.room_name:
            return self._is_new_entry(push)
        elif push.cmd == "c_whisper" or push.target_user and push.seq:
            return self._is_new_direct(push)
        elif push.cmd == "c_invited":
            return self._is_first((push.room_name, push.usr, push.at))
        return True

    def _is_new_direct(self, entry: Push) -> bool:
        """Return whether an entry of a direct conversation is no duplicate.

        Names are given again, and each account has a log of its own with its own numbers. So ids
        tell messages apart, and not their numbers.
        """
        other = entry.target_user or (
            entry.to if entry.usr == self.user and entry.to else entry.usr
        )
        key = entry.id or (entry.type, other, entry.seq, entry.at)
        if not self._is_first(key):
            return False
        if entry.seq:
            self.seen_directs[other] = entry.seq
        return True

    def _is_new_entry(self, entry: Push) -> bool:
        room, seq = entry.room_name, entry.seq
        about_me = entry.usr == self.user
        # All users are told of a new public room; only its creator is in it.
        if room in self.seen or entry.type != "room_created" or about_me:
            if seq <= self.seen.get(room, 0):
                return False
            self.seen[room] = seq
        if about_me and entry.type in ("leave_room", "kicked", "removed"):
            del self.seen[room]
        return not entry.id or entry.id not in self._known_ids

    def _is_first(self, key: object) -> bool:
        """Return whether an id is new, and remember it."""
        if key in self._known_ids:
            return False
        self._known_ids[key] = None
        if len(self._known_ids) > MAX_REMEMBERED_IDS:
            del self._known_ids[next(iter(self._known_ids))]
        return True

    def end(self, error: Exception | None) -> None:
        """End the stream after the events that wait.

        Args:
            error: raised to the reader; None: the iteration stops.
        """
        self.release()
        self._end = error or StopAsyncIteration()
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._end is not None:
                raise self._end
            if self._reader is not None:
                raise RuntimeError("events() has another reader already")
            self._reader = Deferred(self._forget_reader)
            await self._reader
        event = self._queue.popleft()
        self._drained()
        return event

    def _forget_reader(self, _: Deferred[None]) -> None:
        self._reader = None
