"""Sessions: login, logout, and resuming after a lost connection.

The id of a session is a secret that resumes it. The accounts of temporary users are in `guests`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from gtchat.chat.accounts import Accounts, login_key, phone_hash
from gtchat.chat.audit import audit
from gtchat.chat.background import run_in_background
from gtchat.chat.direct import Whispers
from gtchat.chat.errors import (
    AlreadyLoggedIn,
    BadRequest,
    BadSession,
    NameTaken,
    NoSuchUser,
    NotLoggedIn,
    PasswordMismatch,
)
from gtchat.chat.events import SessionReplaced
from gtchat.chat.guests import GUEST_GRACE_S, Guests
from gtchat.chat.interfaces import AccountState, IConnection, IEncoder, UnreadRecord
from gtchat.chat.names import HOST, password, user_name
from gtchat.chat.read_state import count_unread, load_user, set_unread
from gtchat.chat.resume import (
    BACKLOG_LIMIT,
    RESUME_WINDOW_S,
    ResumedSession,
    find_rooms,
    missed_by_name,
)
from gtchat.chat.state import State
from gtchat.chat.users import Session, User


def token_hash(token: str) -> bytes:
    """Return the hash of a session's id that is stored: SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Sessions:
    """Begins, resumes and ends sessions.

    Args:
        state: the chat's shared objects.
        accounts: checks credentials.
        guests: creates and ends temporary accounts.
        whispers: learns what a session has received.
        mode: what a second login of an account does: `replace` ends the first session, `refuse`
            refuses the second, `share` allows both.

    Attributes:
        epoch: names all logs of the store together.
    """

    def __init__(
        self, state: State, accounts: Accounts, guests: Guests, whispers: Whispers, mode: str
    ) -> None:
        self._state = state
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._accounts = accounts
        self._guests = guests
        self._whispers = whispers
        self._mode = mode
        self.epoch = ""

    async def login(
        self,
        name: str | None,
        secret: str | None,
        uuid: str | None,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        lockout_seconds: float | None = None,
        marks_read: bool = False,
    ) -> tuple[Session, str]:
        """Begin a session of a registered account.

        Args:
            name: the user name, None with `uuid`.
            secret: the password, None with `uuid`.
            uuid: a version-4 UUID as the only credential, None with a name and a password.
            encoder: the encoder of the client's protocol.
            connection: the client's connection.
            current: the session that the connection has already; it ends first.
            lockout_seconds: how long a lockout lasts that this begins, None for the setting.
            marks_read: whether the client marks itself what was read (`mark_read`).

        Returns:
            The session and its id.

        Raises:
            BadRequest, BadCredentials, LockedOut, RateLimited, AlreadyLoggedIn, NotStored.
            NotLoggedIn: the connection was lost meanwhile.
        """
        if uuid is not None:
            account_id, key = await self._accounts.authenticate_uuid(uuid, connection.address)
        else:
            if name is None or secret is None:
                raise BadRequest("usr and pwd, or uuid, are required.")
            if current is not None and current.user.key == login_key(name):
                raise AlreadyLoggedIn()
            account_id, key = await self._accounts.authenticate(
                name, secret, connection.address, lockout_seconds
            )
        return await self._login_authenticated(
            account_id, key, encoder, connection, current, marks_read
        )

    async def login_phone(
        self, number: str, encoder: IEncoder, connection: IConnection, current: Session | None
    ) -> Session:
        """Begin a session of the account that has a telephone number.

        Args:
            number: the number as `phone_number` returns it.
            encoder, connection, current: as in `login`.

        Raises:
            BadCredentials: no account has the number.
            AlreadyLoggedIn, NotStored, NotLoggedIn: as in `login`.
        """
        account_id, key = await self._accounts.authenticate_credential(phone_hash(number))
        session, _ = await self._login_authenticated(account_id, key, encoder, connection, current)
        return session

    async def _login_authenticated(
        self,
        account_id: int,
        key: str,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        marks_read: bool = False,
    ) -> tuple[Session, str]:
        """Begin a session of an account whose credentials were checked; see `login`."""
        unread = await count_unread(self._state, account_id, None)
        if connection.closed:
            # The user may have logged in again over another connection: do not replace that.
            raise NotLoggedIn()
        user = self._users.get(key)
        if user is not None and current is not None and current in user.sessions:
            raise AlreadyLoggedIn()
        if user is not None and user.sessions and self._mode == "refuse":
            raise AlreadyLoggedIn("You are logged in on another connection.")
        if current is not None:
            await self.logout(current)
        token = self._state.token()
        account_state = await self._store.login(
            account_id, token_hash(token), self._mode == "replace", self._users.now(), marks_read
        )
        audit("login", name=account_state.account.name, address=connection.address)
        if self._mode != "share":
            for session in self._sessions_of(account_id):
                self._replace(session, connection.address)
        session = self._begin(account_state, unread, encoder, connection, token, marks_read)
        return session, token

    async def login_guest(
        self,
        name: str,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        marks_read: bool = False,
    ) -> tuple[Session, str]:
        """Begin a session of a temporary user.

        Args:
            name: the user name.
            encoder, connection, current, marks_read: as in `login`.

        Returns:
            The session and its id.

        Raises:
            BadName, NameTaken, AlreadyLoggedIn, NotStored.
        """
        chosen = user_name(name)
        if current is not None:
            if current.user.key == chosen.key:
                raise AlreadyLoggedIn()
            similar = await self._store.find_similar(chosen.display, chosen.key)
            ends = None if current.user.registered else current.user.id
            if similar is not None and similar.id != ends:
                raise NameTaken()
            await self.logout(current)
        token = self._state.token()
        session = await self._guests.login(
            chosen, token_hash(token), encoder, connection, marks_read
        )
        return session, token

    async def login_host(self, encoder: IEncoder, connection: IConnection) -> Session:
        """Begin the session of the server itself, under a name that no account can have.

        Args:
            encoder, connection: as in `login`.

        Raises:
            NameTaken: the server has a session already.
            NotStored.
        """
        return await self._guests.login(HOST, token_hash(self._state.token()), encoder, connection)

    async def resume(
        self,
        token: str,
        epoch: str,
        seen: Mapping[str, int],
        encoder: IEncoder,
        connection: IConnection,
        marks_read: bool = False,
    ) -> ResumedSession:
        """Continue a session whose connection was lost.

        Args:
            token: the id of the session.
            epoch: the epoch that the client was given at login.
            seen: name of a room -> last `seq` that the client received.
            encoder, connection, marks_read: as in `login`.

        Raises:
            BadSession: there is no such session, or it has ended.
            NotStored.
        """
        rooms = find_rooms(self._rooms, seen)
        seen_by_id: dict[int, int] = {}
        if hmac.compare_digest(epoch.encode("utf-8", "replace"), self.epoch.encode()):
            seen_by_id = {room.id: seen[name] for name, room in rooms.items() if room is not None}
        hashed, now, limits = token_hash(token), self._users.now(), self._state.limits
        liveness_ms = int((limits.ping_interval + limits.ping_timeout) * 1000)
        oldest = now - RESUME_WINDOW_S * 1000
        unread = await count_unread(self._state, None, hashed)
        resumed = await self._store.resume(
            hashed, now, oldest, seen_by_id, liveness_ms, BACKLOG_LIMIT, marks_read
        )
        account_id = resumed.account_state.account.id
        for old in self._sessions_of(account_id):
            if old.token_hash == hashed:
                self._replace(old, connection.address)
        user = self._users.get_by_id(account_id)
        if user is not None and user.leaving:
            raise BadSession()
        session = self._begin(resumed.account_state, unread, encoder, connection, token, marks_read)
        missed = missed_by_name(session.user, self._rooms.lobby, rooms, resumed.missed)
        return ResumedSession(session, missed)

    def _begin(
        self,
        account_state: AccountState,
        unread: Mapping[int, UnreadRecord],
        encoder: IEncoder,
        connection: IConnection,
        token: str,
        marks_read: bool,
    ) -> Session:
        """Begin a session with what the store has of its account."""
        account = account_state.account
        user = self._users.get_by_id(account.id)
        if user is None:
            user = User(account.id, account.name, account.key, account.registered)
            self._users.add(user)
        if not user.sessions:
            load_user(user, self._rooms, account_state)
        set_unread(user, self._rooms, unread)
        session = Session(user, encoder, connection, token_hash(token), marks_read=marks_read)
        session.invitations = account_state.invitations
        self._users.add_session(session, [self._rooms.lobby, *user.rooms])
        return session

    def _sessions_of(self, account_id: int) -> list[Session]:
        user = self._users.get_by_id(account_id)
        return list(user.sessions) if user is not None else []

    def _replace(self, session: Session, address: str) -> None:
        """End a session because its user logged in from another address."""
        self._detach(session)
        event = SessionReplaced(usr=session.user.name, address=address, at=self._users.now())
        session.connection.close(event, "replaced")

    def _detach(self, session: Session, arrived: bool = False) -> None:
        """Remove a session from memory.

        Args:
            session: the session.
            arrived: whether its client is known to have received all whispers sent to it.
        """
        if arrived and not session.connection.buffered_bytes:
            self._whispers.session_ended(session)
        else:
            self._whispers.session_lost(session)
        self._users.remove_session(session, [self._rooms.lobby, *session.user.rooms])

    async def logout(self, session: Session) -> None:
        """End a session for good, and a temporary account with it.

        Raises:
            NotStored: the session goes on.
        """
        await self._store.end_session(session.user.id, session.token_hash)
        if session not in session.user.sessions:
            return
        self._detach(session, arrived=True)
        if not session.user.registered:
            await self._guests.end(session.user)

    async def disconnect_user(self, name: str) -> str:
        """End all sessions of a user, on the operator's order. The user may log in again.

        Returns:
            The name as displayed.

        Raises:
            NoSuchUser: no user with that name is logged in.
            NotStored.
        """
        user = self._users.get(login_key(name))
        if user is None or not user.sessions:
            raise NoSuchUser()
        for session in list(user.sessions):
            await self._store.end_session(user.id, session.token_hash)
            if session in user.sessions:
                self._detach(session, arrived=True)
                session.connection.close(None, "kicked")
        if not user.registered:
            await self._guests.end(user)
        audit("put_out", name=user.name)
        return user.name

    def connection_lost(self, session: Session, clean: bool, arrived: bool = False) -> None:
        """Take note that the connection of a session is lost. The session can be resumed.

        What was sent to the session counts as read, unless bytes are known not to have left.

        Args:
            session: the session.
            clean: whether the user closed the client. A temporary account ends then.
            arrived: whether its client closed it in order, and so received what was sent to it.
        """
        user = session.user
        if session not in user.sessions:
            return
        self._detach(session, arrived=clean or arrived)
        rooms = () if session.connection.buffered_bytes else (self._rooms.lobby, *user.rooms)
        sent = {room.id: room.last_seq for room in rooms}
        lost = self._store.session_lost(user.id, session.token_hash, self._users.now(), sent)
        run_in_background(lost, "storing a lost connection")
        if not user.registered and not user.sessions:
            self._guests.start_grace_period(user, 0 if clean else GUEST_GRACE_S)

    async def change_password(
        self,
        session: Session | None,
        name: str | None,
        old: str,
        new: str,
        again: str,
        address: str,
    ) -> None:
        """Change the password of an account, and end its other sessions.

        Args:
            session: a session of the account; None if `name` says which account it is.
            name: the user name, None with a session.
            old: the old password.
            new: the new password.
            again: the new password, repeated.
            address: IP address of the client.

        Raises:
            PasswordMismatch, WeakPassword, BadRequest, BadCredentials, LockedOut, RateLimited,
            NotStored.
        """
        if new != again:
            raise PasswordMismatch()
        password(new)
        account_name = session.user.name if session is not None else name
        if account_name is None:
            raise BadRequest("usr is required.")
        account_id, _key = await self._accounts.authenticate(account_name, old, address)
        keep = session.token_hash if session is not None else None
        await self._accounts.change_password(account_id, new, keep)
        for other in self._sessions_of(account_id):
            if other is not session:
                self._detach(other)
                other.connection.close(None, "password")
        audit("password_changed", name=account_name, address=address)
