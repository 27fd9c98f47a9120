"""Events of other nodes for the users who are here: those of the system log, and of the relay.

What the relay brings may be lost, come twice or late. So it changes nothing but read marks, which
the store has too, and is sent to clients as it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gtchat.chat.background import run_in_background
from gtchat.chat.events import Invited, NotifySet
from gtchat.chat.node_records import ForeignHandlers
from gtchat.chat.read_state import send_direct_typing, send_typing, set_level
from gtchat.chat.relay import BroadcastMade, DirectTyping, ReadMoved, Relayed, RoomTyping
from gtchat.chat.state import State
from gtchat.chat.told import Told
from gtchat.chat.users import User


class RemoteEvents:
    """Sends events of other nodes to the sessions here.

    Args:
        state: the chat's shared objects. Its relay reports to this from now on.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._receivers: dict[type[Relayed], Callable[[Any], None]] = {
            RoomTyping: self._room_typing,
            DirectTyping: self._direct_typing,
            ReadMoved: self._read_moved,
            BroadcastMade: self._broadcast,
        }
        state.relay.received = self._received

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {Told: self._tell}

    def _tell(self, node_id: int, told: Told) -> None:
        """Send an event to the sessions of an account, unless it blocks who has caused it."""
        user = self._users.get_by_id(told.account_id)
        if user is None or told.sender_id in user.blocked:
            return
        if isinstance(told.event, NotifySet) and not self._set_level(user, told.event):
            return
        user.send(told.event)
        if isinstance(told.event, Invited) and user.sessions:
            self._take(user, told.event)

    def _take(self, user: User, event: Invited) -> None:
        """Take note that the sessions of a user were sent an invitation."""
        pending = [session.pending for session in user.sessions if session.pending is not None]
        for one in pending:
            one.invitations.append(event)
        if not pending:  # else `deliver_pending` does it, and sends others that wait
            taken = self._store.invitations(user.id)
            run_in_background(taken, "storing that an invitation has arrived")

    def _set_level(self, user: User, event: NotifySet) -> bool:
        """Keep a level of notifications; return whether the user need be told."""
        if not event.room_name:
            return True
        room = self._rooms.find_displayed(event.room_name)
        if room is None or not room.has_member(user):
            return False
        before = user.notify
        set_level(user, room, event.level)
        return user.notify != before

    # What the relay brings.

    def _received(self, relayed: Relayed) -> None:
        self._receivers[type(relayed)](relayed)

    def _room_typing(self, typing: RoomTyping) -> None:
        room = self._rooms.get(typing.room_id)
        if room is not None:
            send_typing(self._users, room, typing.account_id, typing.usr)

    def _direct_typing(self, typing: DirectTyping) -> None:
        send_direct_typing(self._users, typing.account_id, typing.sender_id, typing.usr)

    def _read_moved(self, moved: ReadMoved) -> None:
        user, room = self._users.get_by_id(moved.account_id), self._rooms.get(moved.room_id)
        if user is None:
            return
        if room is not None:  # of direct conversations nothing is kept here
            if not room.has_member(user) or user.read_seq(room) == moved.read_seq:
                return
            user.set_read_seq(room, moved.read_seq)
        user.send(moved.event)

    def _broadcast(self, broadcast: BroadcastMade) -> None:
        self._users.broadcast(broadcast.event)
