"""Which rooms are in memory: those that are in use, and others for a while.

A login brings the rooms of its account, which are in memory as long as it is logged in here. Other
rooms are brought in by commands that name them. A room is not in use when no session is in it, its
owner is not here, and no guest is waited for who is a member; some time later it leaves.

A record that comes in is read at its place in the queue of the store. Nothing can be queued for a
room that is not in memory. So whatever is delivered with the record is in it, and nothing that is
delivered later.
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
        self._is_extending = False
        rooms.public.on_short = self._extend_soon

    # Finding rooms by name.

    def may_be_stored(self, raw: str) -> bool:
        """Return whether there may be a room with a name that is not in memory."""
        return not self._store.is_shared and self._key(raw) is not None

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
        if not self._store.is_shared and (key := self._key(raw)) is not None:
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
        if not self._store.is_shared and (key := self._key(raw)) is not None:
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
        if isinstance(found, FoundRoom) or not found.has_member(user):
            raise NotInRoom()
        return found

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
        if missing and not self._store.is_shared:
            self.idle(self.add(await self._store.load_rooms(missing)))

    def add(self, records: Iterable[RoomRecord]) -> list[Room]:
        """Add the rooms of records that have just come; return those that were not in memory."""
        new = [record for record in records if self._rooms.get(record.id) is None]
        rooms = list(map(Room.from_record, new))
        for room in rooms:
            self._rooms.bring_in(room)
        return rooms

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

    def _extend_soon(self) -> None:
        if not self._is_extending:
            self._is_extending = True
            extending = Deferred.fromCoroutine(self._extend())
            run_in_background(extending, "reading the list of public rooms")

    async def _extend(self) -> None:
        """Read more of the list of public rooms, for the first page of it."""
        try:
            after = self._rooms.public.last_key
            found = await self._store.public_rooms(after, FIRST_LISTED)
            outside = [room for room in found if not self._rooms.has_key(room.key)]
            in_memory = (room.key for room in self._rooms if room.public and not room.is_lobby)
            until = found[-1].key if len(found) == FIRST_LISTED else None
            self._rooms.public.extend(outside, in_memory, until)
        finally:
            self._is_extending = False

    # Releasing rooms.

    def idle(self, rooms: Iterable[Room]) -> None:
        """Take note of rooms that may not be in use, now or from now on."""
        if self._store.is_shared:
            return
        for room in rooms:
            if not room.subscribers:
                self._idle.pop(room, None)
                self._idle[room] = (self._clock.seconds(), next(self._uses))
        self._start_timer()

    def _start_timer(self) -> None:
        if self._timer is None and self._idle and not self._is_stopped:
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
        if due:
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
                if room.public:
                    self._rooms.public.left(_listed(room))

    def _is_used(self, room: Room) -> bool:
        """Return whether a room without a session has to stay in memory."""
        if room.is_lobby or room.deleted or room.queued or room.id in self._held:
            return True
        here = self._users.get_by_id
        return any(here(one) is not None for one in (room.owner_id, *room.guests))

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
