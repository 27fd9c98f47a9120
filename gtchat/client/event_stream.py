"""The events of a connection: each one once, the entries of a room in their order.

The stream keeps the last `seq` delivered of each room, which a resume sends to the server. While a
room is caught up after a loss, what is pushed of it is not kept: it is read from the history with
what was missed. An event that waits counts as delivered, unless the program ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred

from gtchat.client.errors import Unanswered, closed_by_us
from gtchat.client.event_decoder import EventDecoder
from gtchat.client.events import (
    Direct,
    Entry,
    Event,
    Invitation,
    ResetReason,
    RoomEvent,
    RoomReset,
    Whisper,
)
from gtchat.client.follow import FollowBudget, Follower, fold
from gtchat.client.handlers import Handlers, Spawn

#: Ids of whispers, invitations and own messages that are kept to detect duplicates.
MAX_REMEMBERED_IDS = 20_000
#: Events that wait, beyond which nothing is read but to find the reply to a call; beyond the
#: second number nothing at all is read. With a page of a history that is on its way then, and with
#: `follow.MAX_HELD`, they are 5,000 events.
FULL, BRIMFUL = 2_800, 3_800

#: A room by its name, or a direct conversation by its user.
Place = str | Direct


class EventStream:
    """An asynchronous iterator over events, which also passes them to handlers and followers.

    Args:
        decoder: knows who is logged in.
        drained: called after an event that was taken.
        spawn: runs the coroutine of a handler.

    Attributes:
        seen: by room name, the last `seq` delivered.
        seen_directs: the same by the name of the other user of a direct conversation.
        handlers: the handlers of events.
        resets: by room, how often it was reset.
        behind: places that are being caught up, and the newest seq that is known of each.
    """

    def __init__(self, decoder: EventDecoder, drained: Callable[[], None], spawn: Spawn) -> None:
        self.seen: dict[str, int] = {}
        self.seen_directs: dict[str, int] = {}
        self.handlers = Handlers(spawn, self._drained_one)
        self.resets: dict[str, int] = {}
        self._decoder = decoder
        self._drained = drained
        self._queue: deque[Event] = deque()
        self._reader: Deferred[None] | None = None
        #: Whether events are kept for `events`.
        self._kept = True
        self._was_read = False
        self.behind: dict[Place, int] = {}
        self._known_ids: dict[object, None] = {}
        self._followers: dict[str, list[Follower]] = {}
        self._budget = FollowBudget()
        self._space_waiters: list[Deferred[None]] = []
        self._end: Exception | None = None

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._queue) + self.handlers.waiting

    # Who wants events.

    def read(self) -> EventStream:
        """Return the iterator; what happens from now on is kept for it."""
        self._was_read = self._kept = True
        return self

    def read_otherwise(self) -> None:
        """Keep no events for `events`, unless it was called: the program gets them otherwise."""
        if not self._was_read:
            self._kept = False
            self._queue.clear()
            self._drained_one()

    def wants_entries(self) -> bool:
        """Return whether entries that were missed are delivered, but to followers."""
        return self._kept or self.handlers.any

    @contextmanager
    def follower(self, room: str, position: int) -> Iterator[Follower]:
        """Return a follower of a room, as long as the context lasts."""
        follower = Follower(position, self._budget, self._end)
        followers = self._followers.setdefault(fold(room), [])
        followers.append(follower)
        try:
            yield follower
        finally:
            follower.close()
            followers.remove(follower)
            if not followers:
                self._followers.pop(fold(room), None)

    def _followers_of(self, room: str) -> list[Follower]:
        return self._followers.get(fold(room), [])

    # Input.

    def add(self, event: Event) -> None:
        """Append an event that was pushed, unless it is a duplicate or its room is behind."""
        place = self._place(event)
        if place in self.behind:
            if not self._ends_membership(event):
                self.behind[place] = max(self.behind[place], _seq(event))
                return
            del self.behind[place]
        self._deliver(event)

    def own_entry(self, room: str, seq: int, id: str | None = None) -> None:
        """Record an own entry, which the server does not push to this connection.

        Args:
            room: its room, in the spelling of the request.
            seq: its number in the room's log.
            id: its id, if it is a message.
        """
        if id is not None:
            self._is_first(id)
        names = (name for name in self.seen if fold(name) == fold(room))
        name = room if room in self.seen else next(names, room)
        if name in self.behind:
            self.behind[name] = max(self.behind[name], seq)
        elif name in self.seen:
            self.seen[name] = max(self.seen[name], seq)
        for follower in self._followers_of(name):
            follower.jump(seq)

    def joined(self, room: str, seq: int) -> None:
        """Record that the user is in a room. seq: the last entry that is not pushed."""
        if room in self.behind:  # the reply to a request that was sent again
            self.behind[room] = max(seq, self.behind[room])
        else:
            self.seen[room] = max(seq, self.seen.get(room, 0))
        for follower in self._followers_of(room):
            follower.jump(seq)

    def left(self, room: str) -> None:
        """Record that the user is no longer in a room. room: in the spelling of the request."""
        for name in [name for name in self.seen if fold(name) == fold(room)]:
            self._forget(name)

    def _forget(self, room: str) -> None:
        """Forget a room that the user is no longer in, and end its followers."""
        self.behind.pop(room, None)
        self.seen.pop(room, None)
        gone = RoomReset(room=room, reason="left", epoch=self._decoder.epoch)
        self._reset_followers(gone)

    def forget_all(self) -> None:
        """Forget all rooms: another user is logged in, or none."""
        for room in tuple(self.seen):
            self._forget(room)
        self.seen_directs.clear()
        self.behind.clear()

    def forget_ids(self) -> None:
        """Forget the ids that are known: another database may use them again."""
        self._known_ids.clear()

    # Catching up.

    def fall_behind(self, place: Place, seq: int) -> None:
        """Note that a room has entries that were missed. seq: the newest one that is known."""
        self.behind[place] = max(seq, self.behind.get(place, 0))

    def missing(self, place: Place) -> int:
        """Return the newest seq of a room that is not caught up to, 0 if it is."""
        seq = self.behind.get(place, 0)
        return seq if seq > self.position(place) else 0

    def position(self, place: Place) -> int:
        """Return the last seq that was delivered of a room."""
        known = self.seen_directs if isinstance(place, Direct) else self.seen
        return known.get(place.user if isinstance(place, Direct) else place, 0)

    def add_missed(self, place: Place, events: Iterable[Event]) -> None:
        """Append entries of a room that is behind; what blocked users said is left out."""
        for event in events:
            if isinstance(event, Entry) and event.blocked:
                self.skip_to(place, event.seq or 0)
            else:
                self._deliver(event)

    def skip_to(self, place: Place, seq: int) -> None:
        """Note that there is nothing to deliver up to an entry."""
        if isinstance(place, Direct):
            self.seen_directs[place.user] = max(seq, self.position(place))
            return
        if place in self.seen:
            self.seen[place] = max(seq, self.seen[place])
        for follower in self._followers_of(place):
            follower.jump(seq)

    def caught_up(self, place: Place) -> None:
        """Note that what is pushed of a room is delivered again."""
        self.behind.pop(place, None)

    async def space_for(self, count: int) -> None:
        """Wait until there is space for a number of events.

        Raises:
            Unanswered: the connection was lost.
        """
        while self.waiting and self.waiting + count > FULL:
            waiter: Deferred[None] = Deferred()
            self._space_waiters.append(waiter)
            await waiter

    def reset_room(self, room: str, reason: ResetReason, last_seq: int) -> None:
        """Append a RoomReset. last_seq: the end of its log."""
        reset = RoomReset(room=room, reason=reason, epoch=self._decoder.epoch, last_seq=last_seq)
        if reason == "left":
            self.seen.pop(room, None)
            self.behind.pop(room, None)
        else:
            self.seen[room] = last_seq
        self._reset_followers(reset)
        self._append(reset)

    def _reset_followers(self, reset: RoomReset) -> None:
        self.resets[fold(reset.room)] = self.resets.get(fold(reset.room), 0) + 1
        for follower in self._followers_of(reset.room):
            follower.reset(reset)

    def connection_lost(self) -> None:
        """End all catching up: the next resume begins anew."""
        self.behind.clear()
        self._end_space_waiters(Unanswered("history", "the connection was lost"))

    # Output.

    def _deliver(self, event: Event) -> None:
        """Append an event, unless it is a duplicate; an entry advances its room."""
        if not self._is_new(event):
            return
        self._append(event)
        if isinstance(event, Entry) and isinstance(event.room, str) and event.seq is not None:
            for follower in self._followers_of(event.room):
                follower.add(event)
        if self._ends_membership(event) and isinstance(event, RoomEvent):
            self._forget(event.room)

    def _append(self, event: Event) -> None:
        if self._kept:
            if not self._was_read and self._queue and self.waiting >= BRIMFUL - 1:
                self._queue.popleft()  # or a program that only calls would get no reply any more
            self._queue.append(event)
            self._wake()
        self.handlers.dispatch(event)

    def is_entry_of_room(self, event: Event) -> bool:
        """Return whether an event is an entry of a room, which a resume repeats if it is lost."""
        return isinstance(self._place(event), str)

    def _ends_membership(self, event: Event) -> bool:
        """Return whether the user is no longer in a room after an event."""
        if not isinstance(event, RoomEvent):
            return False
        about_me = event.user == self._decoder.user
        return event.kind == "room_gone" or (
            about_me and event.kind in ("leave_room", "kicked", "removed")
        )

    def _place(self, event: Event) -> Place | None:
        """Return what an entry is an entry of, None if the event is none."""
        if not isinstance(event, Entry) or event.room is None:
            return None
        if isinstance(event.room, Direct):
            return Direct(user=event.room.user) if event.seq is not None else None
        is_entry = event.seq is not None or self._ends_membership(event)
        return event.room if is_entry else None

    def _is_new(self, event: Event) -> bool:
        """Return whether an event is no duplicate; an entry advances its room."""
        if isinstance(event, Invitation):
            return self._is_first((event.room, event.user, event.at))
        if not isinstance(event, Entry):
            return True
        if isinstance(event, Whisper) or (isinstance(event.room, Direct) and event.seq):
            return self._is_new_direct(event)
        return event.seq is None or not isinstance(event.room, str) or self._is_new_entry(event)

    def _is_new_direct(self, entry: Entry) -> bool:
        """Return whether an entry of a direct conversation is no duplicate.

        Names are given again, and each account has a log of its own with its own numbers. So ids
        tell messages apart, and not their numbers.
        """
        other = entry.room.user if isinstance(entry.room, Direct) else ""
        key = _id(entry) or (type(entry), other, entry.seq, entry.at)
        if not self._is_first(key):
            return False
        if entry.seq is not None:
            self.seen_directs[other] = entry.seq
        return True

    def _is_new_entry(self, entry: Entry) -> bool:
        room, seq = str(entry.room), _seq(entry)
        is_creation = isinstance(entry, RoomEvent) and entry.kind == "room_created"
        # All users are told of a new public room; only its creator is in it.
        if room in self.seen or not is_creation or entry.user == self._decoder.user:
            if seq <= self.seen.get(room, 0):
                return False
            self.seen[room] = seq
        id = _id(entry)
        if id is None or id not in self._known_ids:
            return True
        for follower in self._followers_of(room):
            follower.jump(seq)
        return False

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
        self._end = error or StopAsyncIteration()
        self._wake()
        self._end_space_waiters(closed_by_us())
        for followers in list(self._followers.values()):
            for follower in followers:
                follower.end(self._end)

    def _drained_one(self) -> None:
        if self.waiting <= FULL // 2:
            self._end_space_waiters(None)
        self._drained()

    def _end_space_waiters(self, error: Exception | None) -> None:
        waiters, self._space_waiters = self._space_waiters, []
        for waiter in waiters:
            if error is None:
                waiter.callback(None)
            else:
                waiter.errback(error)

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
        self._drained_one()
        return event

    def _forget_reader(self, _: Deferred[None]) -> None:
        self._reader = None


def _seq(event: Event) -> int:
    """Return the seq of an entry, 0 for an event that has none."""
    return (event.seq or 0) if isinstance(event, Entry) else 0


def _id(entry: Entry) -> str | None:
    """Return the id of a message, None for other entries."""
    return getattr(entry, "id", None)
