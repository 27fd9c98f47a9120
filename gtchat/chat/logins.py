"""Logins: how sessions begin, of registered and of temporary users.

Credentials are checked in `accounts`; how many sessions an account can have is decided by
`devices.SessionRules` and made true by the store, in the transaction that begins the new one.
Temporary users have one session, and no device.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.account_admin import LoginLink
from gtchat.chat.accounts import Accounts, login_key
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.background import run_in_background
from gtchat.chat.credentials import phone_hash
from gtchat.chat.devices import Device, SessionRules
from gtchat.chat.errors import (
    AlreadyLoggedIn,
    BadRequest,
    Banned,
    NotAllowed,
    NotLoggedIn,
    RateLimited,
)
from gtchat.chat.guests import Guests
from gtchat.chat.interfaces import Account, IConnection, IEncoder, NewDevice
from gtchat.chat.limits import Limits
from gtchat.chat.live_sessions import LiveSessions, token_hash
from gtchat.chat.names import HOST, Name, user_name
from gtchat.chat.read_state import read_account
from gtchat.chat.session_records import listed_session_id
from gtchat.chat.state import State
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session

#: Seconds for which a link that a user makes can be opened.
OWN_LINK_S = 120


@attrs.frozen
class BegunSession:
    """A session that has begun.

    Attributes:
        session: the session.
        session_id: the secret that resumes it.
        device_token: the secret that begins further sessions on its device, None if there is none.
    """

    session: Session
    session_id: str
    device_token: str | None = None


@attrs.frozen
class _Client:
    """The client that logs in: arguments of `Logins.login`, and `NewSession.link`."""

    encoder: IEncoder
    connection: IConnection
    current: Session | None
    marks_read: bool = False
    link: bytes | None = None


def _link_rate(limits: Limits) -> tuple[float, float]:
    return limits.login_links_per_minute / 60, max(limits.login_links_per_minute, 1)


class Logins:
    """Begins sessions.

    Args:
        state: the chat's shared objects.
        accounts: checks credentials.
        guests: creates and ends temporary accounts.
        live: the sessions that are connected.
        rules: how many places an account can be logged in at.
    """

    def __init__(
        self,
        state: State,
        accounts: Accounts,
        guests: Guests,
        live: LiveSessions,
        rules: SessionRules,
    ) -> None:
        self._state = state
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._loader = state.loader
        self._accounts = accounts
        self._guests = guests
        self._live = live
        self._rules = rules
        self._bans = state.bans
        self._link_rates = BucketTable(state.limits.rate(_link_rate), state.clock.seconds)
        #: Joins the rooms of an invitation that are left; set by the chat.
        self.finish_invitation: Callable[[Account], Awaitable[None]] | None = None

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
        device: Device | None = None,
    ) -> BegunSession:
        """Begin a session of a registered account.

        Args:
            name: the user name, None with `uuid`.
            secret: the password, None with `uuid`.
            uuid: a version-4 UUID as the only credential, None with a name and a password.
            encoder: the encoder of the client's protocol.
            connection: the client's connection.
            current: the session that the connection has already; it ends if the login succeeds.
            lockout_seconds: how long a lockout lasts that this begins, None for the setting.
            marks_read: whether the client marks itself what was read (`mark_read`).
            device: the client's device, None if it names none.

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
        client = _Client(encoder, connection, current, marks_read)
        return await self._login_authenticated(account, client, device)

    async def login_device(
        self,
        device: Device,
        token: str,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        marks_read: bool = False,
    ) -> BegunSession:
        """Begin a further session on a device, which proves with its token that it may.

        Args:
            device: the device. It gets no new token, which could be lost on the way.
            token: its token.
            encoder, connection, current, marks_read: as in `login`.

        Raises:
            NotAllowed: accounts have no devices here.
            BadCredentials: the device has no such token, or it has expired.
            LockedOut, RateLimited, AlreadyLoggedIn, NotStored, NotLoggedIn: as in `login`.
        """
        if not self._rules.uses_devices:
            raise NotAllowed("This server does not keep devices logged in.")
        proved = token_hash(token)
        tokens_after = self._rules.tokens_after(self._users.now())
        account = await self._accounts.authenticate_device(
            device.id, proved, connection.address, tokens_after
        )
        client = _Client(encoder, connection, current, marks_read)
        return await self._login_authenticated(account, client, device, proved)

    async def login_link(
        self,
        link: str,
        encoder: IEncoder,
        connection: IConnection,
        current: Session | None,
        marks_read: bool = False,
        device: Device | None = None,
    ) -> BegunSession:
        """Begin a session with a link that an operator has made, which ends then.

        Args:
            link: the secret in the link.
            encoder, connection, current, marks_read, device: as in `login`.

        Raises:
            BadCredentials: the link was used, or is too old.
            LockedOut, RateLimited, AlreadyLoggedIn, NotStored, NotLoggedIn: as in `login`.
        """
        link_hash = token_hash(link)
        account = await self._accounts.authenticate_link(link_hash, connection.address)
        client = _Client(encoder, connection, current, marks_read, link_hash)
        return await self._login_authenticated(account, client, device)

    async def make_link(self, session: Session) -> LoginLink:
        """Make a link that logs the user of a session in on another device, once and soon.

        It replaces the link that the account had.

        Raises:
            NotAllowed: the user is temporary.
            NotLoggedIn: the session was ended at another node.
            RateLimited, NotStored.
        """
        user = session.user
        if not user.registered:
            raise NotAllowed("Guests are logged in at one place.")
        if wait := self._link_rates.take(user.id):
            raise RateLimited("Too many login links.", retry_after=wait)
        token, expires_at = self._state.token(), self._users.now() + OWN_LINK_S * 1000
        address = session.connection.address
        record = self._state.audit.record(
            "own_login_link", session.actor, name=user.name, address=address
        )
        link = token_hash(token)
        await self._store.add_login_link(user.id, link, expires_at, record, session.token_hash)
        write_line(record)
        return LoginLink(user.name, token, expires_at)

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
        client = _Client(encoder, connection, current)
        return (await self._login_authenticated(account, client, None)).session

    async def _login_authenticated(
        self,
        account: Account,
        client: _Client,
        device: Device | None,
        proved: bytes | None = None,
    ) -> BegunSession:
        """Begin a session of an account whose credentials were checked; see `login`.

        Args:
            account: the account.
            client: the client.
            device: its device, None if it names none.
            proved: hash of the token that was checked, None if it was another credential.

        Raises:
            Banned: the account or the address is.
        """
        self._bans.check(account, client.connection.address)
        if account.invite_id is not None and self.finish_invitation is not None:
            await self.finish_invitation(account)
        rooms, unread = await read_account(self._state, account.id, None)
        # The session that changes the password is answered before a login can replace it.
        await self._accounts.password_changes.finished(account.id)
        connection = client.connection
        if connection.closed:
            # The user may have logged in again over another connection: do not replace that.
            raise NotLoggedIn()
        others = self._live.of(account.id)
        if client.current in others:
            raise AlreadyLoggedIn()
        if not self._rules.uses_devices:
            device = None
        token = self._state.token()
        device_token = self._state.token() if device is not None and device.remember else None
        new = self._live.new(token, connection, client.current, client.marks_read)
        # The store would refuse for ever what it takes for connected because of a full disk.
        lost = self._live.unstored(account.id) if self._rules.refuses else ()
        actor = Actor(account.name, listed_session_id(token_hash(token)), connection.address)
        record = self._state.audit.record(
            "login", actor, name=account.name, address=connection.address
        )
        new = attrs.evolve(
            new,
            ended=new.ended + lost,
            connected=self._live.records(others),
            device=_new_device(device, device_token, proved),
            replaces=self._rules.replaces(device is not None),
            limits=self._rules.session_limits(new.at),
            refuses=self._rules.refuses,
            link=client.link,
            audit=record,
        )
        with self._loader.holding(rooms) as known:
            new = attrs.evolve(new, known=known)
            account_state = await self._store.login(account.id, account.password_hash, new)
        write_line(record)
        self._end_previous(client.current)
        for session in self._live.of(account.id):
            if session.token_hash in account_state.ended:
                self._live.replace(session, connection.address)
        self._live.check_banned(account_state.account, connection, token)
        session = self._live.begin(
            account_state, unread, client.encoder, connection, token, client.marks_read
        )
        return BegunSession(session, token, device_token)

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
    ) -> BegunSession:
        """Begin a session of a temporary user.

        Args:
            name: the user name.
            encoder, connection, current, marks_read: as in `login`.

        Raises:
            BadName, Banned, Filtered, NameTaken, AlreadyLoggedIn, NotStored.
            GuestsRefused: there are no temporary users here.
        """
        await self._rooms.public.counted()  # a session is told how many there are
        self._state.access.check_guests()
        chosen = user_name(name)
        self._check_guest(chosen, connection)
        self._state.word_filter.check_name(chosen.display, connection.address)
        if current is not None and current.user.key == chosen.key:
            raise AlreadyLoggedIn()
        return await self._login_guest(chosen, _Client(encoder, connection, current, marks_read))

    def _check_guest(self, name: Name, connection: IConnection) -> None:
        """Raise Banned if a temporary user is; Host never is."""
        if name is not HOST:
            self._bans.check_address(connection.address)
            self._bans.check_name(name.display)

    async def login_host(self, encoder: IEncoder, connection: IConnection) -> Session:
        """Begin the session of the server itself, under a name that no account can have.

        Args:
            encoder, connection: as in `login`.

        Raises:
            NameTaken: the server has a session already.
            NotStored.
        """
        return (await self._login_guest(HOST, _Client(encoder, connection, None))).session

    async def _login_guest(self, name: Name, client: _Client) -> BegunSession:
        token, connection = self._state.token(), client.connection
        new = self._live.new(token, connection, client.current, client.marks_read)
        if not connection.resumable:
            new = attrs.evolve(new, token_hash=None)
        user = await self._guests.create(name, new)
        # Guests come and go in any number: their logins have a line, and no record.
        audit = self._state.audit
        write_line(audit.record("login", name=user.name, address=connection.address))
        self._end_previous(client.current)
        self._users.add(user)
        try:
            self._check_guest(name, connection)
        except Banned:  # that was added meanwhile, maybe by another node
            ending = Deferred.fromCoroutine(self._guests.end(user))
            run_in_background(ending, "ending a temporary user who is banned")
            raise
        session = Session(
            user,
            client.encoder,
            connection,
            token_hash(token),
            pending=None,
            marks_read=client.marks_read,
        )
        self._users.add_session(session, [self._rooms.lobby])
        return BegunSession(session, token)


def _new_device(device: Device | None, token: str | None, proved: bytes | None) -> NewDevice | None:
    """Return the record of a device on which a session begins."""
    if device is None:
        return None
    return NewDevice(device.id, device.name, token_hash(token) if token else None, proved)
