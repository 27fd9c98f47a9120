"""Messages: speaking in a room, reading its history, and the operator's broadcast.

`speak` checks the rules and queues the entry; `delivery` takes it from there once it is stored.
Direct messages are in `direct`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from twisted.internet.defer import Deferred

from gtchat.chat.audit import audit
from gtchat.chat.delivery import PendingMessage
from gtchat.chat.errors import BadKey, BadRequest, ChatError
from gtchat.chat.events import BroadcastSent, MessageSent
from gtchat.chat.interfaces import Ack, HistoryPage, HistoryQuery
from gtchat.chat.names import check_txn, text
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Most entries in a page of history.
HISTORY_LIMIT = 200


class Messages:
    """Sends and reads messages of rooms.

    Args:
        state: the chat's shared objects.
        broadcast_key: the key that a broadcast needs; None if broadcasts are not allowed.
    """

    def __init__(self, state: State, broadcast_key: str | None) -> None:
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._wall = state.wall
        self._next_id = state.next_id
        self._max_chars = state.limits.text_chars
        self._broadcast_key = broadcast_key

    def speak(
        self,
        session: Session,
        room_name: str,
        msg: str,
        txn: str | None,
        done: Callable[[Ack | ChatError], None],
    ) -> None:
        """Queue a message to a room.

        Args:
            session: the sender's session.
            room_name: the room, as the sender typed it.
            msg: the text.
            txn: the client's idempotency key, 1 to 64 characters; None if it has none.
            done: called later with the receipt, or with `NotStored` or `TxnConflict`. The calls
                come in the order of the requests of a session. It is a plain call because a
                Deferred would cost as much as the rules.

        Raises:
            NoSuchRoom, NotInRoom, BadRequest, TooLong: at once; then `done` is not called.
        """
        user = session.user
        room = self._rooms.require_member(room_name, user)
        if txn is not None:
            check_txn(txn)
        entry = MessageSent(
            room_name=room.name,
            usr=user.name,
            msg=text(msg, self._max_chars),
            id=self._next_id(),
            at=int(self._wall() * 1000),
        )
        self._store.append(
            PendingMessage(
                room_id=room.id,
                entry=entry,
                subject_id=user.id,
                txn=txn,
                room=room,
                session=session,
                done=done,
            )
        )

    def history(
        self, session: Session, room_name: str, query: HistoryQuery
    ) -> Deferred[HistoryPage]:
        """Read part of the log of a room.

        Args:
            session: a session of a member.
            room_name: the room, as the member typed it.
            query: which entries.

        Raises:
            NoSuchRoom, NotInRoom.
            BadRequest: the query asks for no entries or for more than `HISTORY_LIMIT`.
        """
        if not 1 <= query.limit <= HISTORY_LIMIT:
            raise BadRequest(f"limit: must be 1 to {HISTORY_LIMIT}.")
        room = self._rooms.require_member(room_name, session.user)
        return self._store.history(room.id, query)

    def broadcast(self, session: Session, msg: str, key: str) -> int:
        """Send a message to every logged-in user. It is not stored.

        Args:
            session: the sender's session.
            msg: the text.
            key: the operator's broadcast key.

        Returns:
            The number of users who received it.

        Raises:
            BadKey, BadRequest, TooLong.
        """
        expected = self._broadcast_key
        given = key.encode("utf-8", "replace")
        if not hmac.compare_digest(given, (expected or "").encode()) or not expected:
            audit("broadcast_refused", name=session.user.name)
            raise BadKey()
        event = BroadcastSent(
            usr=session.user.name, msg=text(msg, self._max_chars), at=self._users.now()
        )
        audit("broadcast", name=session.user.name)
        return self._users.broadcast(event, exclude=session)
