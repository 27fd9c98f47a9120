"""The sessions that are connected: begin and end them in memory.

What a session was sent counts as read when it ends, in whatever way: the store is told of each end
by an `EndedSession`, and knows which sessions mark for themselves what was read.
"""

from __future__ import annotations

import hashlib

from gtchat.chat.direct import Whispers
from gtchat.chat.events import SessionReplaced
from gtchat.chat.interfaces import AccountState, EndedSession, IConnection, IEncoder
from gtchat.chat.state import State
from gtchat.chat.users import Session, User


def token_hash(token: str) -> bytes:
    """Return the hash of a session's id that is stored: SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class LiveSessions:
    """Keeps the sessions of users and rooms as the store's results say.

    Args:
        state: the chat's shared objects.
        whispers: learns what a session has received.
    """

    def __init__(self, state: State, whispers: Whispers) -> None:
        self._users = state.users
        self._quota = state.quota
        self._rooms = state.rooms
        self._whispers = whispers

    def of(self, account_id: int) -> list[Session]:
        """Return the sessions of an account, oldest first."""
        user = self._users.get_by_id(account_id)
        return list(user.sessions) if user is not None else []

    def record(self, session: Session) -> EndedSession:
        """Return the record of a session that ends, with what it was sent.

        Nothing counts as sent if bytes are known not to have left.
        """
        user = session.user
        rooms = () if session.connection.buffered_bytes else (self._rooms.lobby, *user.rooms)
        sent = {room.id: room.last_seq for room in rooms}
        return EndedSession(user.id, session.token_hash, sent)

    def begin(
        self, account_state: AccountState, encoder: IEncoder, connection: IConnection, token: str
    ) -> Session:
        """Begin a session with what the store has of its account."""
        account = account_state.account
        user = self._users.get_by_id(account.id)
        if user is None:
            user = User(
                id=account.id,
                name=account.name,
                key=account.key,
                registered=account.registered,
            )
            self._users.add(user)
        if not user.sessions:
            self._load(user, account_state)
        session = Session(user, encoder, connection, token_hash(token))
        self._users.add_session(session, [self._rooms.lobby, *user.rooms])
        return session

    def _load(self, user: User, account_state: AccountState) -> None:
        """Set the rooms, read marks and blocks of a user from the store's record."""
        user.rooms, user.unread = {}, {}
        for record in account_state.memberships:
            room = self._rooms.get(record.room_id)
            if room is not None and room.has_member(user):
                if not room.is_lobby:
                    user.rooms[room] = 0
                unread = room.message_count - record.messages_read
                user.set_read_seq(room, record.read_seq, unread)
        user.blocked = dict(account_state.blocked)
        user.blocked_by = account_state.blocked_by

    def replace(self, session: Session, address: str) -> None:
        """End a session because its user logged in from another address."""
        self.detach(session)
        event = SessionReplaced(usr=session.user.name, address=address, at=self._users.now())
        session.connection.close(event, "replaced")

    def detach(self, session: Session, arrived: bool = False) -> None:
        """Remove a session from memory.

        Args:
            session: the session.
            arrived: whether its client is known to have received all whispers sent to it.
        """
        if arrived:
            self._whispers.session_ended(session)
        else:
            self._whispers.session_lost(session)
        self._users.remove_session(session, [self._rooms.lobby, *session.user.rooms])
        self._quota.settle(session)
