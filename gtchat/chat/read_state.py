"""Read state: typing notifications, and how far a user has read a room.

Typing notifications go to the sessions of the room and are not stored. Read marks are stored, and
go to the user's other sessions.
"""

from __future__ import annotations

from gtchat.chat.errors import BadRequest, RateLimited
from gtchat.chat.events import ReadMarked, UserTyping
from gtchat.chat.rooms import Room, connections_of
from gtchat.chat.state import State
from gtchat.chat.users import Session, User


class ReadState:
    """Sends typing notifications and read marks.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._clock = state.clock
        self._limits = state.limits
        self._users = state.users
        self._rooms = state.rooms

    def typing(self, session: Session, raw: str) -> None:
        """Notify the other members of a room that a user is typing, except those who block them.

        Args:
            session: a session of the user who is typing.
            raw: the name of the room as it was typed.

        Raises:
            NoSuchRoom, NotInRoom.
            RateLimited: the last notification to the room is less than `typing_interval` ago.
        """
        user = session.user
        room = self._rooms.require_member(raw, user)
        self._charge(user, room)
        event = UserTyping(room_name=room.name, usr=user.name, at=self._users.now())
        excluded = [*user.sessions, *self._users.blockers(user)]
        room.subscribers.publish([event], exclude=connections_of(excluded))

    def _charge(self, user: User, room: Room) -> None:
        """Check the rate of notifications. Raises RateLimited."""
        now, interval = self._clock.seconds(), self._limits.typing_interval
        # Older ones are dropped, so that the table does not grow with the user's rooms.
        recent = {room_id: at for room_id, at in user.typed_at.items() if now - at < interval}
        if room.id in recent:
            raise RateLimited(retry_after=interval - (now - recent[room.id]))
        user.typed_at = {**recent, room.id: now}

    async def mark_read(self, session: Session, raw: str, seq: int) -> None:
        """Mark a room as read up to an entry; an entry before the last mark changes nothing.

        Args:
            session: a session of the user.
            raw: the name of the room as it was typed.
            seq: the entry, 0 for none.

        Raises:
            NoSuchRoom, NotInRoom, NotStored.
            BadRequest: the room has no such entry.
        """
        user = session.user
        room = self._rooms.require_member(raw, user)
        if not 0 <= seq <= room.last_seq:
            raise BadRequest(f"seq: must be 0 to {room.last_seq}, the room's last entry.")
        before = user.read_seq(room)
        record = await self._store.mark_read(user.id, session.token_hash, room.id, seq)
        user.set_read_seq(room, record.read_seq, room.message_count - record.messages_read)
        if record.read_seq > before:
            event = ReadMarked(room_name=room.name, seq=record.read_seq, at=self._users.now())
            for other in user.sessions:
                if other is not session:
                    other.send(event)
