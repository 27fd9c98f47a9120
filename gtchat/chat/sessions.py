"""Sessions: coming, going, coming back after a lost connection.

A session's id is a secret that brings it back. A temporary user whose connection was lost is
waited for; then he leaves his rooms, and his name is free.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.accounts import Accounts, login_key, phone_hash
from gtchat.chat.audit import audit
from gtchat.chat.background import run_in_background
from gtchat.chat.direct import Whispers
from gtchat.chat.errors import (
    AlreadyLoggedIn,
    BadRequest,
    BadSession,
    ChatError,
    NameTaken,
    NoSuchRoom,
    NoSuchUser,
    NotLoggedIn,
    PasswordMismatch,
)
from gtchat.chat.events import SessionReplaced
from gtchat.chat.interfaces import AccountState, Backlog, IConnection, IEncoder, IStore
from gtchat.chat.limits import Limits
from gtchat.chat.membership import Membership
from gtchat.chat.names import HOST, Name, password, user_name
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.users import Session, User, UserRegistry

#: How long a session can be resumed, and how long a temporary user is waited for, in seconds.
RESUME_WINDOW_S = 24 * 3600
GUEST_GRACE_S = 120
#: Entries of a room that a resumed session is given; whoever missed more reads the history.
BACKLOG_LIMIT = 500


@attrs.frozen
class ResumedSession:
    """A session that came back.

    Attributes:
        session: the session.
        missed: what it missed, by the room's name as the client gave it.
    """

    session: Session
    missed: Mapping[str, tuple[Room | None, Backlog]]


def token_hash(token: str) -> bytes:
    """What is stored of a session's id."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Sessions:
    """Everybody's coming and going.

    Args:
        token: makes an unguessable string.
        mode: what becomes of an account that comes from a second place: `replace` ends the first
            session, `refuse` refuses the second, `share` allows both.
    """

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        limits: Limits,
        accounts: Accounts,
        users: UserRegistry,
        rooms: RoomRegistry,
        membership: Membership,
        whispers: Whispers,
        token: Callable[[], str],
        mode: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._accounts = accounts
        self._users = users
        self._rooms = rooms
        self._membership = membership
        self._whispers = whispers
        self._token = token
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
    ) -> tuple[Session, str]:
        """Begin a session of a registered account.

        Args:
            current: the session that this connection has already; it ends first.

        Returns:
            The session and its id.

        Raises:
            BadRequest, BadCredentials, LockedOut, RateLimited, AlreadyLoggedIn, NotStored.
        """
        if uuid is not None:
            account_id, key = await self._accounts.authenticate_uuid(uuid, connection.address)
        else:
            if name is None or secret is None:
                raise BadRequest("usr and pwd, or uuid, are wanted.")
            if current is not None and current.user.key == login_key(name):
                raise AlreadyLoggedIn()
            account_id, key = await self._accounts.authenticate(name, secret, connection.address)
        return await self._enter(account_id, key, encoder, connection, current)

    async def login_phone(
        self, number: str, encoder: IEncoder, connection: IConnection, current: Session | None
    ) -> Session:
        """Begin a session of an account that a telephone number opens; see `login`.

        Raises:
            BadCredentials: nobody has that number. AlreadyLoggedIn, NotStored.
        """
        account_id, key = await self._accounts.authenticate_credential(phone_hash(number))
        return (await self._enter(account_id, key, encoder, connection, current))[0]

    async def _enter(
        self,
        account_id: int,
        key: str,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
    ) -> tuple[Session, str]:
        """Begin a session of an account that is proved."""
        if connection.closed:
            raise NotLoggedIn()  # his next connection may have come already: it is not replaced
        here = self._users.get(key)
        if here is not None and current is not None and current in here.sessions:
            raise AlreadyLoggedIn()
        if here is not None and here.sessions and self._mode == "refuse":
            raise AlreadyLoggedIn("You are logged in from somewhere else.")
        if current is not None:
            await self.logout(current)
        token = self._token()
        belongings = await self._store.login(
            account_id, token_hash(token), self._mode == "replace", self._users.now()
        )
        audit("login", name=belongings.account.name, address=connection.address)
        if self._mode != "share":
            self._end_sessions(account_id, connection.address)
        return self._begin(belongings, encoder, connection, token), token

    async def login_guest(
        self, name: str, encoder: IEncoder, connection: IConnection, current: Session | None
    ) -> tuple[Session, str]:
        """Begin a session of a temporary user.

        Args:
            current: the session that this connection has already; it ends first.

        Returns:
            The session and its id.

        Raises:
            BadName, NameTaken, AlreadyLoggedIn, NotStored.
        """
        chosen = user_name(name)
        if current is not None:
            if current.user.key == chosen.key:
                raise AlreadyLoggedIn()
            if await self._store.find_account(chosen.key, None) is not None:
                raise NameTaken()
            await self.logout(current)
        return await self._enter_guest(chosen, encoder, connection)

    async def login_host(self, encoder: IEncoder, connection: IConnection) -> Session:
        """Begin the session of the server itself, whose name nobody else can have.

        Raises:
            NameTaken: it has one. NotStored.
        """
        return (await self._enter_guest(HOST, encoder, connection))[0]

    async def _enter_guest(
        self, chosen: Name, encoder: IEncoder, connection: IConnection
    ) -> tuple[Session, str]:
        """Begin a session of a temporary user under a name that may be had."""
        here = self._users.get(chosen.key)
        if here is not None and here.grace_timer is not None and here.address == connection.address:
            # The same person, whose connection was lost, without the id of the old session.
            await self._end_guest(here)
        token = self._token()
        account_id = await self._store.login_guest(
            chosen.display, chosen.key, token_hash(token), self._users.now()
        )
        user = User(id=account_id, name=chosen.display, key=chosen.key, registered=False)
        user.lobby_read_seq = self._rooms.lobby.last_seq
        audit("login", name=chosen.display, address=connection.address)
        self._users.add(user)
        session = Session(user, encoder, connection, token_hash(token), pending_whisper=None)
        self._users.add_session(session, [self._rooms.lobby])
        return session, token

    async def resume(
        self,
        token: str,
        epoch: str,
        seen: Mapping[str, int],
        encoder: IEncoder,
        connection: IConnection,
    ) -> ResumedSession:
        """Go on with a session whose connection was lost.

        Args:
            token: the session's id. epoch: the log's, at login.
            seen: by room name, the last seq seen.

        Raises:
            BadSession: it has ended, or there is none of that id. NotStored.
        """
        rooms = {name: self._find_room(name) for name in seen}
        asked = (
            {room.id: seen[name] for name, room in rooms.items() if room is not None}
            if hmac.compare_digest(epoch.encode("utf-8", "replace"), self.epoch.encode())
            else {}
        )
        hashed = token_hash(token)
        now = self._users.now()
        sure = (self._limits.ping_interval + self._limits.ping_timeout) * 1000
        resumed = await self._store.resume(
            hashed, now, now - RESUME_WINDOW_S * 1000, asked, int(sure), BACKLOG_LIMIT
        )
        for old in self._sessions_of(resumed.belongings.account.id):
            if old.token_hash == hashed:
                self._end(old, connection.address)
        user = self._users.get_by_id(resumed.belongings.account.id)
        if user is not None and user.leaving:
            raise BadSession()
        session = self._begin(resumed.belongings, encoder, connection, token)
        own = {*session.user.rooms, self._rooms.lobby}
        missed: dict[str, tuple[Room | None, Backlog]] = {}
        for name, room in rooms.items():
            found = resumed.missed.get(room.id) if room in own and room is not None else None
            missed[name] = (room if room in own else None, found or Backlog(reset=True))
        for room in own.difference(room for room in rooms.values() if room is not None):
            missed[room.name] = (room, Backlog(reset=True))
        return ResumedSession(session, missed)

    def _find_room(self, name: str) -> Room | None:
        try:
            return self._rooms.find(name)
        except NoSuchRoom:
            return None

    def _begin(
        self, belongings: AccountState, encoder: IEncoder, connection: IConnection, token: str
    ) -> Session:
        """A session starts with what its account has."""
        account = belongings.account
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
            user.rooms, user.unread = {}, {}
            for place in belongings.memberships:
                room = self._rooms.get(place.room_id)
                if room is not None and room.has_member(user):
                    if not room.is_lobby:
                        user.rooms[room] = 0
                    user.set_read_seq(
                        room, place.read_seq, room.message_count - place.messages_read
                    )
            user.blocked = dict(belongings.blocked)
            user.blocked_by = belongings.blocked_by
        session = Session(user, encoder, connection, token_hash(token))
        self._users.add_session(session, [self._rooms.lobby, *user.rooms])
        return session

    def _sessions_of(self, account_id: int) -> list[Session]:
        user = self._users.get_by_id(account_id)
        return list(user.sessions) if user is not None else []

    def _end_sessions(self, account_id: int, address: str) -> None:
        """Its user came from elsewhere: older sessions are told so, and end."""
        for session in self._sessions_of(account_id):
            self._end(session, address)

    def _end(self, session: Session, address: str) -> None:
        """This session ends here, since its user came from `address`."""
        self._detach(session)
        event = SessionReplaced(usr=session.user.name, address=address, at=self._users.now())
        session.connection.close(event, "replaced")

    def _detach(self, session: Session, arrived: bool = False) -> None:
        """A session is here no more.

        Args:
            arrived: whether what it was told has surely arrived.
        """
        if arrived:
            self._whispers.session_ended(session)
        else:
            self._whispers.session_lost(session)
        self._users.remove_session(session, [self._rooms.lobby, *session.user.rooms])

    async def logout(self, session: Session) -> None:
        """End a session for good; a temporary user goes with it.

        Raises:
            NotStored: it could not be kept, and goes on.
        """
        await self._store.end_session(session.user.id, session.token_hash)
        if session not in session.user.sessions:
            return
        self._detach(session, arrived=True)
        if not session.user.registered:
            await self._end_guest(session.user)

    async def disconnect_user(self, name: str) -> str:
        """End all sessions of somebody, by order of the operator.

        Returns:
            The name as it is shown.

        Raises:
            NoSuchUser: nobody of that name is here. NotStored.
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
            await self._end_guest(user)
        audit("put_out", name=user.name)
        return user.name

    def connection_lost(self, session: Session, clean: bool) -> None:
        """A session's connection is gone; it can be resumed.

        What its user was told counts as read, unless some of it is known not to have been sent.

        Args:
            clean: its client closed it by intention: a temporary user leaves with it.
        """
        user = session.user
        if session not in user.sessions:
            return
        self._detach(session, arrived=clean)
        rooms = () if session.connection.buffered_bytes else (self._rooms.lobby, *user.rooms)
        told = {room.id: room.last_seq for room in rooms}
        lost = self._store.session_lost(user.id, session.token_hash, self._users.now(), told)
        run_in_background(lost, "losing a session")
        if not user.registered and not user.sessions:
            self.start_grace_period(user, 0 if clean else GUEST_GRACE_S)

    def start_grace_period(self, user: User, seconds: float) -> None:
        """Wait for a temporary user to come back; then he goes."""
        user.grace_timer = self._clock.callLater(seconds, self._expire, user)

    def _expire(self, user: User) -> None:
        user.grace_timer = None
        run_in_background(Deferred.fromCoroutine(self._end_guest(user)), "ending a temporary user")

    async def _end_guest(self, user: User) -> None:
        """A temporary user goes: he leaves his rooms, and his name is free."""
        if user.grace_timer is not None:
            user.grace_timer.cancel()
            user.grace_timer = None
        user.leaving = True
        try:
            await self._membership.leave_all(user)
            await self._store.end_guest(user.id)
        except ChatError:
            user.leaving = False
            self.start_grace_period(user, GUEST_GRACE_S)
        else:
            self._users.discard(user)

    async def change_password(
        self,
        session: Session | None,
        name: str | None,
        old: str,
        new: str,
        again: str,
        address: str,
    ) -> None:
        """Give an account another password; its other sessions end.

        Args:
            session: whose password it is; where None, `name` and the old one prove it.

        Raises:
            PasswordMismatch, WeakPassword, BadCredentials, LockedOut, RateLimited, NotStored.
        """
        if new != again:
            raise PasswordMismatch()
        password(new)
        whose = session.user.name if session is not None else name
        if whose is None:
            raise BadRequest("usr is wanted.")
        account_id, _key = await self._accounts.authenticate(whose, old, address)
        keep = session.token_hash if session is not None else None
        await self._accounts.change_password(account_id, new, keep)
        for other in self._sessions_of(account_id):
            if other is not session:
                self._detach(other)
                other.connection.close(None, "password")
        audit("password_changed", name=whose, address=address)
