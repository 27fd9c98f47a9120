"""Sessions: login, logout, and resuming after a lost connection.

The id of a session is a secret that resumes it. The accounts of temporary users are in `guests`,
the sessions that are connected in `live_sessions`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat.accounts import Accounts, login_key, phone_hash
from gtchat.chat.audit import audit
from gtchat.chat.background import InProgress, run_in_background
from gtchat.chat.direct import Whispers
from gtchat.chat.errors import (
    AlreadyLoggedIn,
    BadRequest,
    BadSession,
    NoSuchUser,
    NotLoggedIn,
    PasswordMismatch,
)
from gtchat.chat.guests import GUEST_GRACE_S, Guests
from gtchat.chat.interfaces import Account, IConnection, IEncoder
from gtchat.chat.limits import network_key
from gtchat.chat.live_sessions import LiveSessions, token_hash
from gtchat.chat.names import HOST, Name, password, user_name
from gtchat.chat.read_state import count_unread
from gtchat.chat.resume import (
    BACKLOG_LIMIT,
    LOGS_SHORTENED,
    RESUME_WINDOW_S,
    ResumedSession,
    find_rooms,
    known_ids,
    missed_by_name,
    missed_directs,
)
from gtchat.chat.state import State
from gtchat.chat.users import Session

_log = Logger()


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
        epoch: names all logs of the store together; it changes when a backup or another copy of
            the database is put back.
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
        self._live = LiveSessions(state, whispers)
        self._mode = mode
        self._password_changes = InProgress()
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
            name, secret: the user name and the password, None with `uuid`.
            uuid: a version-4 UUID as the only credential, None with a name and a password.
            encoder, connection: the encoder of the client's protocol, and its connection.
            current: the session that the connection has already; it ends if the login succeeds.
            lockout_seconds: how long a lockout lasts, None for the setting.
            marks_read: whether the client marks itself what was read (`mark_read`).

        Returns:
            The session and its id.

        Raises:
            BadRequest, BadCredentials, LockedOut, RateLimited, AlreadyLoggedIn, NotStored.
            NotLoggedIn: the connection was lost meanwhile.
        """
        if uuid is not None:
            account = await self._accounts.authenticate_uuid(uuid, connection.address)
        else:
            if name is None or secret is None:
                raise BadRequest("usr and pwd, or uuid, are required.")
            if current is not None and current.user.key == login_key(name):
                raise AlreadyLoggedIn()
            account = await self._accounts.authenticate(
                name, secret, connection.address, lockout_seconds
            )
        return await self._login_authenticated(account, encoder, connection, current, marks_read)

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
        account = await self._accounts.authenticate_credential(phone_hash(number))
        session, _ = await self._login_authenticated(account, encoder, connection, current)
        return session

    async def _login_authenticated(
        self,
        account: Account,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        marks_read: bool = False,
    ) -> tuple[Session, str]:
        """Begin a session of an account whose credentials were checked; see `login`."""
        unread = await count_unread(self._state, account.id, None)
        # The session that changes the password is answered before a login can replace it.
        await self._password_changes.finished(account.id)
        if connection.closed:
            # The user may have logged in again over another connection: do not replace that.
            raise NotLoggedIn()
        others = self._live.of(account.id)
        if current in others:
            raise AlreadyLoggedIn()
        if others and self._mode == "refuse":
            raise AlreadyLoggedIn("You are logged in on another connection.")
        ending = others if self._mode != "share" else []
        if current is not None:
            ending = [*ending, current]
        token = self._state.token()
        account_state = await self._store.login(
            account.id,
            account.password_hash,
            self._live.new(token, connection, ending, marks_read),
            self._mode != "share",
        )
        audit("login", name=account_state.account.name, address=connection.address)
        self._end_previous(current)
        if self._mode != "share":
            for session in self._live.of(account.id):
                self._live.replace(session, connection.address)
        session = self._live.begin(account_state, unread, encoder, connection, token, marks_read)
        return session, token

    def _end_previous(self, session: Session | None) -> None:
        """End the session that a connection had before its login, None if it had none."""
        if session is None or session not in session.user.sessions:
            return
        self._live.detach(session, arrived=True)
        if not session.user.registered:
            ending = Deferred.fromCoroutine(self._guests.end(session.user))
            run_in_background(ending, "ending a temporary user")

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

        Returns the session and its id.

        Raises:
            BadName, NameTaken, AlreadyLoggedIn, NotStored.
        """
        chosen = user_name(name)
        if current is not None and current.user.key == chosen.key:
            raise AlreadyLoggedIn()
        return await self._login_guest(chosen, encoder, connection, current, marks_read)

    async def login_host(self, encoder: IEncoder, connection: IConnection) -> Session:
        """Begin the session of the server itself, under a name that no account can have.

        Args:
            encoder, connection: as in `login`.

        Raises:
            NameTaken: the server has a session already.
            NotStored.
        """
        return (await self._login_guest(HOST, encoder, connection, None, False))[0]

    async def _login_guest(
        self,
        name: Name,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        marks_read: bool,
    ) -> tuple[Session, str]:
        token, ending = self._state.token(), [] if current is None else [current]
        new = self._live.new(token, connection, ending, marks_read)
        if not connection.resumable:
            new = attrs.evolve(new, token_hash=None)
        user = await self._guests.create(name, new)
        audit("login", name=user.name, address=connection.address)
        self._end_previous(current)
        self._users.add(user)
        session = Session(user, encoder, connection, token_hash(token), None, None, marks_read)
        self._users.add_session(session, [self._rooms.lobby])
        return session, token

    async def resume(
        self,
        token: str,
        epoch: str,
        seen: Mapping[str, int],
        encoder: IEncoder,
        connection: IConnection,
        marks_read: bool = False,
        seen_directs: Mapping[int, int] | None = None,
    ) -> ResumedSession:
        """Continue a session whose connection was lost.

        Args:
            token: the id of the session.
            epoch: the epoch that the client was given at login.
            seen: name of a room -> last `seq` that the client received.
            encoder, connection, marks_read: as in `login`.
            seen_directs: id of a direct conversation -> last `seq` that the client received.

        Raises:
            BadSession: there is no such session, or it has ended.
            NotStored.
        """
        rooms, directs = find_rooms(self._rooms, seen), known_ids(self._rooms, seen_directs)
        seen_by_id: dict[int, int] = {}
        if hmac.compare_digest(epoch.encode("utf-8", "replace"), self.epoch.encode()):
            seen_by_id = {room.id: seen[name] for name, room in rooms.items() if room is not None}
            seen_by_id |= directs
        hashed, now, limits = token_hash(token), self._users.now(), self._state.limits
        liveness_ms = int((limits.ping_interval + limits.ping_timeout) * 1000)
        unread = await count_unread(self._state, None, hashed)
        resumed = await self._store.resume(
            hashed,
            now,
            now - RESUME_WINDOW_S * 1000,
            seen_by_id,
            liveness_ms,
            BACKLOG_LIMIT,
            network_key(connection.address),
            marks_read,
        )
        if resumed.epoch is not None:
            self.epoch = resumed.epoch
            _log.warn(LOGS_SHORTENED)
        account_id = resumed.account_state.account.id
        for old in self._live.of(account_id):
            if old.token_hash == hashed:
                self._live.replace(old, connection.address)
        user = self._users.get_by_id(account_id)
        if user is not None and user.ending:
            raise BadSession()
        session = self._live.begin(
            resumed.account_state, unread, encoder, connection, token, marks_read
        )
        user = session.user
        missed = missed_by_name(user, self._rooms.lobby, rooms, resumed.missed)
        return ResumedSession(session, missed, missed_directs(user, directs, resumed))

    async def logout(self, session: Session) -> None:
        """End a session for good, and a temporary account with it.

        Raises:
            NotStored: the session goes on.
        """
        await self._store.end_session(self._live.record(session))
        if session not in session.user.sessions:
            return
        self._live.detach(session, arrived=True)
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
            await self._store.end_session(self._live.record(session))
            if session in user.sessions:
                self._live.detach(session)
                session.connection.close(None, "kicked")
        if not user.registered:
            await self._guests.end(user)
        audit("put_out", name=user.name)
        return user.name

    def connection_lost(self, session: Session, clean: bool, arrived: bool = False) -> None:
        """Take note that the connection of a session is lost. The session can be resumed.

        Args:
            session: the session.
            clean: whether the user closed the client. A temporary account ends then.
            arrived: whether its client closed it in order, and so received what was sent to it.
        """
        user = session.user
        if session not in user.sessions:
            return
        self._live.detach(session, arrived=clean or arrived)
        lost = self._store.session_lost(self._live.record(session), self._users.now())
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
            new, again: the new password, twice.
            address: IP address of the client.

        Raises:
            PasswordMismatch, WeakPassword, BadRequest, BadCredentials, LockedOut, RateLimited,
            NotStored.
        """
        if new != again:
            raise PasswordMismatch()
        password(new)
        if session is not None:
            account_id = session.user.id
            await self._password_changes.finished(account_id)
            self._password_changes.begin(account_id)
            try:
                await self._change_password(session, session.user.name, old, new, address)
            finally:
                self._password_changes.end(account_id)
        elif name is not None:
            await self._change_password(None, name, old, new, address)
        else:
            raise BadRequest("usr is required.")

    async def _change_password(
        self, session: Session | None, name: str, old: str, new: str, address: str
    ) -> None:
        account = await self._accounts.authenticate(name, old, address)
        keep = session.token_hash if session is not None else None
        ended = [self._live.record(one) for one in self._live.of(account.id) if one is not session]
        await self._accounts.change_password(account, new, keep, ended)
        for other in self._live.of(account.id):
            if other.token_hash != keep:
                self._live.detach(other)
                other.connection.close(None, "password")
        audit("password_changed", name=name, address=address)
