"""Which rooms are in memory: those that are in use, and others for a while.

A login brings the rooms of its account, which are in memory as long as it is logged in here. Other
rooms are brought in by commands that name them. A room is not in use when no session is in it, its
owner is not here, and no guest is waited for who is a member; some time later it leaves.

A record that comes in is read at its place in the queue of the store. Nothing can be queued for a
room that is not in memory. So whatever is delivered with the record is in it, and nothing that is
delivered later. Where other nodes write too, the store delivers what they write to the rooms whose
records it has handed out: the same that are in memory here, as far as the queue has come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.background import run_in_background
from gtchat.chat.errors import BadName, NoSuchRoom, NotInRoom
from gtchat.chat.interfaces import FoundRoom, IStore, ListedRoom, RoomRecord
from gtchat.chat.names import room_key
from gtchat.chat.room_store import FIRST_LISTED
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.users import User, UserRegistry

#: Seconds for which a room stays in memory that is not in use, and between two looks for such.
RELEASE_S, LOOK_S = 60.0, 5.0
#: Most such rooms; beyond that the next look releases those that were used longest ago.
MAX_IDLE = 1_000
#: Seconds after which the beginning of the list of public rooms is read again, when it is used and
#: other nodes write too: what it shows of rooms that are not in memory is older by then.
RENEW_S = 10.0


class RoomLoader:
    """Brings rooms into memory, and releases them.

    Args:
        store: has all rooms.
        rooms: those in memory.
        users: the users who are here.
        clock: schedules calls.
    """

    def __init__(
        self, store: IStore, rooms: RoomRegistry, users: UserRegistry, clock: IReactorTime
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._users = users
        self._clock = clock
        #: Rooms without a session -> monotonic seconds when they were used last, and a number for
        #: that use; oldest first.
        self._idle: dict[Room, tuple[float, int]] = {}
        self._uses = count()
        #: Room id -> how many logins rely on its being in memory.
        self._held: Counter[int] = Counter()
        self._timer: IDelayedCall | None = None
        self._is_stopped = False
        #: Room id -> `Room.loads` of rooms that have left, and of which the store may not know it.
        self._released: dict[int, int] = {}
        self._is_renewing = False
        self._renewed_at = clock.seconds()
        rooms.public.on_short = self._renew_soon
        if store.is_shared:
            rooms.public.on_read = self._renew_if_old

    # Finding rooms by name.

    def may_be_stored(self, raw: str) -> bool:
        """Return whether there may be a room with a name that is not in memory."""
        return self._key(raw) is not None

    def _key(self, raw: str) -> str | None:
        """Return a name as it is compared; None if no room that is not in memory can have it."""
        try:
            key = room_key(raw)
        except BadName:
            return None
        return None if self._rooms.has_key(key) else key

    async def find(self, raw: str) -> Room:
        """Return the room with a name as a user typed it, which is in memory then.

        Raises:
            NoSuchRoom: there is none.
            NotStored: it can't be read.
        """
        room = self._in_memory(raw)
        if room is not None:
            return room
        if (key := self._key(raw)) is not None:
            self.add(await self._store.load_rooms((), key))
            room = self._in_memory(raw)
        if room is None:
            raise NoSuchRoom()
        return room

    def _in_memory(self, raw: str) -> Room | None:
        """Return the room with a name if it is in memory, and let it stay there for a while."""
        try:
            room = self._rooms.find(raw)
        except NoSuchRoom:
            return None
        self.idle([room])
        return room

    async def look(self, raw: str) -> Room | FoundRoom:
        """Return the room with a name, which is not brought in.

        Raises:
            NoSuchRoom: there is none.
            NotStored: it can't be found out.
        """
        room = self._in_memory(raw)
        if room is not None:
            return room
        if (key := self._key(raw)) is not None:
            found = (await self._store.find_rooms([key])).get(key)
            room = self._in_memory(raw)  # it may have come in meanwhile
            if room is None and found is not None and not self._rooms.has_key(key):
                return found
        if room is None:
            raise NoSuchRoom()
        return room

    async def require_member(self, raw: str, user: User) -> Room:
        """Return the room with a name, for one of its members.

        Raises:
            NoSuchRoom, NotInRoom: as `RoomRegistry.require_member`.
            NotStored: it can't be found out which of both it is.
        """
        try:
            return self._rooms.require_member(raw, user)
        except NoSuchRoom:
            found = await self.look(raw)
        if isinstance(found, FoundRoom):
            raise NotInRoom()
        return self._rooms.require_member(raw, user)

    async def member_page(
        self, user: User, raw: str, after: str | None, limit: int
    ) -> tuple[list[str], int]:
        """Return names of members of a room in order, and the number of all members.

        Args:
            user: the user who asks.
            raw: the name of the room as it was typed.
            after: the last name before these, None for the first ones.
            limit: the largest number of names.

        Raises:
            NoSuchRoom, NotStored.
            NotInRoom: the user does not see the room.
        """
        room = await self.look(raw)
        if isinstance(room, FoundRoom):
            if not room.public:
                raise NotInRoom()
            return await self._store.member_names(room.id, after, limit)
        if not room.is_lobby and not room.visible_to(user):
            raise NotInRoom()
        names = self._users.online if room.is_lobby else room.member_names
        return names.page(after, limit), len(names)

    # Finding rooms by id.

    async def get(self, room_id: int) -> Room | None:
        """Return the room with an id, which is in memory then; None if there is none.

        Raises:
            NotStored: it can't be read.
        """
        await self.bring_in([room_id])
        room = self._rooms.get(room_id)
        if room is not None:
            self.idle([room])
        return room

    async def bring_in(self, ids: Iterable[int]) -> None:
        """Bring rooms into memory, those that there are.

        Raises:
            NotStored: they can't be read.
        """
        missing = [id_ for id_ in ids if self._rooms.get(id_) is None]
        if missing:
            self.idle(self.add(await self._store.load_rooms(missing)))

    def add(self, records: Iterable[RoomRecord]) -> list[Room]:
        """Add the rooms of records that have just come; return those that were not in memory."""
        new: list[Room] = []
        for record in records:
            room = self._rooms.get(record.id)
            if room is None:
                self._rooms.bring_in(room := Room.from_record(record))
                self._released.pop(room.id, None)
                new.append(room)
            else:
                room.loads = record.loads
        return new

    # The rooms of accounts.

    @contextmanager
    def holding(self, ids: Collection[int]) -> Iterator[frozenset[int]]:
        """Keep those of some rooms in memory that are there, until their account is logged in.

        Yields:
            Their ids: the store does not read these rooms again.
        """
        held = frozenset(id_ for id_ in ids if self._rooms.get(id_) is not None)
        self._held.update(held)
        try:
            yield held
        finally:
            self._held.subtract(held)
            for id_ in held:
                if not self._held[id_]:
                    del self._held[id_]

    # Public rooms.

    async def read_public(self, after: str | None, limit: int) -> Sequence[ListedRoom]:
        """Return public rooms, also of those in memory what is stored; see `IRoomStore`.

        Raises:
            NotStored: they can't be read.
        """
        return await self._store.public_rooms(after, limit)

    def has_listed(self, after: str | None, count: int) -> bool:
        """Return whether a page of the list of public rooms is here, as it is in the store.

        Args:
            after, count: as in `PublicRooms.has_page`.
        """
        return not self._store.is_shared and self._rooms.public.has_page(after, count)

    def _renew_if_old(self) -> None:
        if self._clock.seconds() >= self._renewed_at + RENEW_S:
            self._renew_soon()

    def _renew_soon(self) -> None:
        if not self._is_renewing:
            self._is_renewing, self._renewed_at = True, self._clock.seconds()
            renewing = Deferred.fromCoroutine(self._renew())
            run_in_background(renewing, "reading the list of public rooms")

    async def _renew(self) -> None:
        """Read the beginning of the list of public rooms again."""
        try:
            found = await self._store.public_rooms(None, FIRST_LISTED)
            outside = [room for room in found if not self._rooms.has_key(room.key)]
            in_memory = (room.key for room in self._rooms if room.public and not room.is_lobby)
            until = found[-1].key if len(found) == FIRST_LISTED else None
            self._rooms.public.renew(outside, in_memory, until)
        finally:
            self._is_renewing = False

    # Releasing rooms.

    def idle(self, rooms: Iterable[Room]) -> None:
        """Take note of rooms that may not be in use, now or from now on."""
        for room in rooms:
            if not room.subscribers:
                self._idle.pop(room, None)
                self._idle[room] = (self._clock.seconds(), next(self._uses))
        self._start_timer()

    def _start_timer(self) -> None:
        is_needed = self._idle or self._released
        if self._timer is None and is_needed and not self._is_stopped:
            self._timer = self._clock.callLater(LOOK_S, self._look)

    def _look(self) -> None:
        """Release rooms that have not been used for long."""
        self._timer = None
        before, most = self._clock.seconds() - RELEASE_S, len(self._idle) - MAX_IDLE
        due: dict[Room, tuple[float, int]] = {}
        for room, used in self._idle.items():
            if used[0] > before and len(due) >= most:
                break
            due[room] = used
        if due or self._released:
            run_in_background(Deferred.fromCoroutine(self._release(due)), "releasing rooms")
        self._start_timer()

    async def _release(self, due: Mapping[Room, tuple[float, int]]) -> None:
        """Release rooms that are not used until all that is queued now has its result.

        Args:
            due: the rooms, and when they were used last.
        """
        await self._store.flush()
        for room, used in due.items():
            if self._idle.get(room) != used:
                continue  # it was used meanwhile
            del self._idle[room]
            if self._rooms.get(room.id) is not room or room.subscribers:
                continue
            if self._is_used(room):
                self.idle([room])
            else:
                self._rooms.release(room)
                self._rooms.public.left(_listed(room))
                self._released[room.id] = room.loads
        await self._forget_released()

    async def _forget_released(self) -> None:
        """Tell the store which rooms have left memory; again later if that fails."""
        released = dict(self._released)
        try:
            if released:
                await self._store.release(released)
        finally:
            self._start_timer()
        for room_id, loads in released.items():
            if self._released.get(room_id) == loads:
                del self._released[room_id]

    def _is_used(self, room: Room) -> bool:
        """Return whether a room without a session has to stay in memory."""
        if room.is_lobby or room.deleted or room.queued or room.id in self._held:
            return True
        here = self._users.get_by_id
        return any(here(one) is not None for one in (room.owner_id, *room.guests))

    def clear(self) -> None:
        """Take note that all rooms were forgotten, by the store too."""
        self._idle.clear()
        self._released.clear()

    def stop(self) -> None:
        """Cancel the timer, and release nothing any more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _listed(room: Room) -> ListedRoom:
    """Return a room as it is listed while it is not in memory."""
    return ListedRoom(
        room.id,
        room.name,
        room.key,
        room.topic,
        room.owner,
        room.last_seq,
        room.preview,
        len(room.members),
    )
