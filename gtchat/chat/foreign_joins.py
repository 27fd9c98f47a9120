"""Users here who become members, at another node, of rooms that may not be in memory here.

What other nodes write is delivered to rooms in memory only. So a node is told of each new member.
Where the user is online the room is brought in, and the sessions of the user are sent what was
stored since: the membership, and all after it. Until then the user is no member for the rules here
(`Room.is_awaited_by`): a reply could come before the entries that it follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.background import InProgress, run_in_background
from gtchat.chat.blocks import hides
from gtchat.chat.errors import NotStored
from gtchat.chat.events import Entry, Joined, RoomCreated
from gtchat.chat.node_records import ForeignHandlers, MemberJoined
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import User

#: Entries that are read at once.
PART = 1_000
#: Seconds until it is tried again what could not be read.
RETRY_S = 1.0


class ForeignJoins:
    """Brings in the rooms that users here join at other nodes.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._clock = state.clock
        self._users = state.users
        self._rooms = state.rooms
        #: The users for each of which one room at a time is brought in.
        self._entering = InProgress()
        self._retries: dict[MemberJoined, IDelayedCall] = {}

    def handlers(self) -> ForeignHandlers:
        """Return what is done with system entries of other nodes."""
        return {MemberJoined: lambda node_id, entry: self.joined(entry)}

    def joined(self, entry: MemberJoined) -> None:
        """Take note of a membership: if the user is here, the room is brought in."""
        user = self._users.get_by_id(entry.account_id)
        if user is None or not user.sessions:
            return
        room = self._rooms.get(entry.room_id)
        # Of a user who is in a room that is not up to date the next entries may tell first that the
        # membership ends.
        if room is None or room not in user.rooms or room.last_seq < entry.seq:
            entering = Deferred.fromCoroutine(self._enter(user, entry))
            run_in_background(entering, "bringing in a room")

    async def finished(self, user: User) -> None:
        """Wait until the rooms are brought in that a user is known to have joined."""
        await self._entering.finished(user)

    async def _enter(self, user: User, entry: MemberJoined) -> None:
        await self._entering.finished(user)
        self._entering.begin(user)
        try:
            entries = await self._read(user, entry.room_id, entry.seq)
            room = self._rooms.get(entry.room_id)
            # The log of a room that is in memory may have told it meanwhile.
            if room is not None and self._is_here(user) and room.is_awaited_by(user):
                _begin(user, room, entries)
        except NotStored:
            self._retries[entry] = self._clock.callLater(RETRY_S, self._retry, entry)
        finally:
            self._entering.end(user)

    async def _read(self, user: User, room_id: int, seq: int) -> Sequence[Entry]:
        """Return the entries of a room from a `seq` on, up to the last that is delivered."""
        entries: list[Entry] = []
        while self._is_here(user):
            part = await self._store.entries_since(room_id, seq + len(entries), PART)
            entries += part
            if len(part) < PART:
                break
        return entries

    def _is_here(self, user: User) -> bool:
        return self._users.get_by_id(user.id) is user and bool(user.sessions)

    def _retry(self, entry: MemberJoined) -> None:
        del self._retries[entry]
        self.joined(entry)

    def stop(self) -> None:
        """Cancel all timers."""
        for timer in self._retries.values():
            timer.cancel()
        self._retries.clear()


def _begin(user: User, room: Room, entries: Sequence[Entry]) -> None:
    """Subscribe the sessions of a user, and send them what is not hidden since the last joining."""
    joins = (
        index
        for index, entry in enumerate(entries)
        if isinstance(entry, RoomCreated | Joined) and entry.subject_id == user.id
    )
    shown = entries[max(joins, default=0) :]
    user.add_room(room, shown[0].seq)
    hidden = hides(user)
    user.send(*(entry for entry in shown if not hidden(entry)))
