"""Attention: that somebody is typing, and how far he has read.

That somebody is typing is told to those who are here and kept nowhere. How far he has read is
kept, and told to himself wherever else he is.
"""

from __future__ import annotations

from collections.abc import Callable

from gtchat.chat.errors import BadRequest, RateLimited
from gtchat.chat.events import ReadMarked, UserTyping
from gtchat.chat.interfaces import IStore
from gtchat.chat.limits import Limits
from gtchat.chat.rooms import Room, RoomRegistry, connections_of
from gtchat.chat.users import Session, User, UserRegistry


class ReadState:
    """What people show without words.

    Args:
        limits: typing_interval.
        seconds: tells the time, on a clock that does not go backwards.
    """

    def __init__(
        self,
        store: IStore,
        limits: Limits,
        users: UserRegistry,
        rooms: RoomRegistry,
        seconds: Callable[[], float],
    ) -> None:
        self._store = store
        self._limits = limits
        self._users = users
        self._rooms = rooms
        self._seconds = seconds

    def typing(self, session: Session, raw: str) -> None:
        """Show everybody else in a room, but those who block one, that one is typing.

        Raises:
            NoSuchRoom, NotInRoom, RateLimited.
        """
        user = session.user
        room = self._rooms.require_member(raw, user)
        self._pace(user, room)
        event = UserTyping(room_name=room.name, usr=user.name, at=self._users.now())
        apart = [*user.sessions, *self._users.blockers(user)]
        room.subscribers.publish([event], exclude=connections_of(apart))

    def _pace(self, user: User, room: Room) -> None:
        """See that nobody types too often; only the last interval is remembered."""
        now, interval = self._seconds(), self._limits.typing_interval
        typed = {where: at for where, at in user.typed_at.items() if now - at < interval}
        if room.id in typed:
            raise RateLimited(retry_after=interval - (now - typed[room.id]))
        user.typed_at = {**typed, room.id: now}

    async def mark_read(self, session: Session, raw: str, seq: int) -> None:
        """Say that one has read a room up to an entry; a lower one than before changes nothing.

        Raises:
            NoSuchRoom, NotInRoom, BadRequest (there is no such entry), NotStored.
        """
        user = session.user
        room = self._rooms.require_member(raw, user)
        if not 0 <= seq <= room.last_seq:
            raise BadRequest(f"seq: the room has the entries 1 to {room.last_seq}.")
        before = user.read_seq(room)
        place = await self._store.mark_read(user.id, session.token_hash, room.id, seq)
        user.set_read_seq(room, place.read_seq, room.message_count - place.messages_read)
        if place.read_seq > before:
            event = ReadMarked(room_name=room.name, seq=place.read_seq, at=self._users.now())
            for other in user.sessions:
                if other is not session:
                    other.send(event)
