"""The sessions that are connected: begin and end them in memory.

What a session was sent counts as read when it ends, in whatever way: the store is told of each end
by an `EndedSession`, and knows which sessions mark for themselves what was read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gtchat.chat.background import run_in_background
from gtchat.chat.direct import Whispers
from gtchat.chat.errors import Banned
from gtchat.chat.events import SessionReplaced
from gtchat.chat.interfaces import (
    Account,
    AccountState,
    EndedSession,
    IConnection,
    IEncoder,
    NewSession,
    UnreadRecord,
)
from gtchat.chat.limits import network_key
from gtchat.chat.read_state import advance_marks, load_user, set_unread, with_unread
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: What was sent to a session of which bytes have not left.
_NOTHING: Mapping[int, int] = MappingProxyType({})
#: Most accounts with lost connections that could not be stored; the oldest are forgotten.
_MAX_UNSTORED = 10_000


def token_hash(token: str) -> bytes:
    """Return the hash of a session's id, or of a device's token: SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class LiveSessions:
    """Keeps the sessions of users and rooms as the store's results say.

    Args:
        state: the chat's shared objects.
        whispers: learns what a session has received.
    """

    def __init__(self, state: State, whispers: Whispers) -> None:
        self._store = state.store
        self._bans = state.bans
        self._users = state.users
        self._quota = state.quota
        self._rooms = state.rooms
        self._loader = state.loader
        self._whispers = whispers
        #: Account id -> its session that the store takes for connected, and is not.
        self._unstored: dict[int, EndedSession] = {}

    def of(self, account_id: int) -> list[Session]:
        """Return the sessions of an account, oldest first."""
        user = self._users.get_by_id(account_id)
        return list(user.sessions) if user is not None else []

    def record(self, session: Session) -> EndedSession:
        """Return the record of a session that ends, with what it was sent.

        Nothing counts as sent if bytes are known not to have left.
        """
        return self.records([session])[0]

    def records(self, sessions: Iterable[Session]) -> tuple[EndedSession, ...]:
        """Return the records of sessions that end, or may end, as `record` does for one."""
        by_user: dict[User, Mapping[int, int]] = {}
        found: list[EndedSession] = []
        for session in sessions:
            user, sent = session.user, _NOTHING
            if not session.connection.buffered_bytes:
                if user not in by_user:  # all sessions of a user are sent the same
                    rooms = (self._rooms.lobby, *user.rooms)
                    by_user[user] = {room.id: room.last_seq for room in rooms}
                sent = by_user[user]
            found.append(EndedSession(user.id, session.token_hash, sent))
        return tuple(found)

    def new(
        self, token: str, connection: IConnection, current: Session | None, marks_read: bool
    ) -> NewSession:
        """Return the record of a session that begins, and ends the one of its connection.

        Args:
            token: the id of the session.
            connection: the client's connection.
            current: the session that the connection has already, None if it has none.
            marks_read: whether the client marks itself what was read.
        """
        return NewSession(
            token_hash=token_hash(token),
            at=self._users.now(),
            network=network_key(connection.address),
            ended=self.records([current] if current is not None else []),
            marks_read=marks_read,
            protocol=connection.protocol,
            address=connection.address,
        )

    def check_banned(self, account: Account, connection: IConnection, token: str) -> None:
        """Check that a session may go on which has begun in the store.

        A ban may have been added since its login was checked, maybe by another node.

        Args:
            account: the account.
            connection: the client's connection.
            token: the id of the session.

        Raises:
            Banned: it may not, and ends.
        """
        try:
            self._bans.check(account, connection.address)
        except Banned:
            ended = EndedSession(account.id, token_hash(token), {})
            ending = self._store.end_session(ended, self._users.now(), reason="banned")
            run_in_background(ending, "ending a session of a banned user")
            raise

    def begin(
        self,
        account_state: AccountState,
        unread: Mapping[int, UnreadRecord],
        encoder: IEncoder,
        connection: IConnection,
        token: str,
        marks_read: bool,
    ) -> Session:
        """Begin a session with what the store has of its account.

        Args:
            account_state: the account.
            unread: room id -> unread messages.
            encoder: the encoder of the client's protocol.
            connection: the client's connection.
            token: the id of the session.
            marks_read: whether the client marks itself what was read.
        """
        account = account_state.account
        user = self._users.get_by_id(account.id)
        if user is None:
            user = User(account.id, account.name, account.key, account.registered)
            self._users.add(user)
        brought_in = self._loader.add(account_state.rooms)
        if user.sessions:
            advance_marks(user, self._rooms, account_state)
        else:
            load_user(user, self._rooms, account_state)
        set_unread(user, self._rooms, unread)
        self._unstored.pop(user.id, None)
        session = Session(user, encoder, connection, token_hash(token), marks_read=marks_read)
        session.invitations = account_state.invitations
        session.operator = account.operator
        session.directs = with_unread(account_state.directs, unread)
        if marks_read:
            session.pending = None
        self._users.add_session(session, [self._rooms.lobby, *user.rooms])
        self._loader.idle(brought_in)
        return session

    def not_stored(self, ended: EndedSession) -> None:
        """Take note that the end of a session, or the loss of its connection, was not stored."""
        self._unstored[ended.account_id] = ended
        if len(self._unstored) > _MAX_UNSTORED:
            del self._unstored[next(iter(self._unstored))]

    def unstored(self, account_id: int) -> tuple[EndedSession, ...]:
        """Return the last session of an account that is connected only in the store."""
        ended = self._unstored.get(account_id)
        return () if ended is None else (ended,)

    def replace(self, session: Session, address: str) -> None:
        """End a session because its user logged in again, from an address."""
        self.detach(session)
        event = SessionReplaced(usr=session.user.name, address=address, at=self._users.now())
        session.connection.close(event, "replaced")

    def close(self, session: Session, reason: str, text: str = "") -> None:
        """End a session, and close its connection for a reason; see `IConnection.close`."""
        self.detach(session)
        session.connection.close(None, reason, text)

    def detach(self, session: Session, arrived: bool = False) -> None:
        """Remove a session from memory.

        Args:
            session: the session.
            arrived: whether its client is known to have received all whispers sent to it.
        """
        if arrived and not session.connection.buffered_bytes:
            self._whispers.session_ended(session)
        else:
            self._whispers.session_lost(session)
        user = session.user
        self._users.remove_session(session, [self._rooms.lobby, *user.rooms])
        self._loader.idle((*user.rooms, *self._rooms.owned_by(user.id)))
        self._quota.settle(session)
