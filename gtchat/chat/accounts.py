"""Accounts: registration, and checking of passwords, UUIDs and telephone numbers.

Sessions of accounts are in `sessions`; temporary accounts, which have no credentials, in `guests`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.background import InProgress
from gtchat.chat.credentials import uuid_hash
from gtchat.chat.errors import (
    BadCredentials,
    BadName,
    BadRequest,
    ChatError,
    NameTaken,
    RateLimited,
)
from gtchat.chat.guesses import Guesses
from gtchat.chat.interfaces import Account, EndedSession, IPasswords
from gtchat.chat.invite_store import Admission
from gtchat.chat.limits import Limits, network_key
from gtchat.chat.lockout import KNOWN_MS, Turns
from gtchat.chat.names import Name, password, typed_password, user_key, user_name
from gtchat.chat.state import State
from gtchat.chat.token_buckets import BucketTable

T = TypeVar("T")

#: Most passwords of clients in one network that are checked at once, unless the account knows it.
CHECKS_AT_ONCE = 8
#: Stands in the log for a name that no account has: it may be a password in the wrong field.
UNKNOWN_NAME = "(unknown name)"


def _registration_rate(limits: Limits) -> tuple[float, float]:
    return limits.registrations_per_minute / 60, limits.registrations_burst


@attrs.frozen
class Registered:
    """An account that was registered.

    Attributes:
        id: its id.
        name: the name as displayed.
    """

    id: int
    name: str


class Accounts:
    """Registers accounts and checks credentials.

    Args:
        state: the chat's shared objects.
        passwords: hashes passwords.

    Attributes:
        guesses: counts wrong passwords and device tokens.
        password_changes: account ids whose password is being changed by one of their sessions.
    """

    def __init__(self, state: State, passwords: IPasswords) -> None:
        limits, seconds = state.limits, state.clock.seconds
        self._store = state.store
        self._limits = limits
        self._users = state.users
        self._quota = state.quota
        self._audit = state.audit
        self._access = state.access
        self._bans = state.bans
        self._filter = state.word_filter
        self._passwords = passwords
        self.guesses = Guesses(state)
        self.password_changes = InProgress()
        self._turns = Turns(self._checks_at_once)
        self._registrations = BucketTable(limits.rate(_registration_rate), seconds)

    def _checks_at_once(self) -> int:
        """Return how many passwords of a name are checked at once, from one network.

        No more than can be counted at once: else right passwords would be refused.
        """
        rate = self._limits.failed_logins_per_minute
        return min(CHECKS_AT_ONCE, max(int(rate), 1)) if rate else CHECKS_AT_ONCE

    async def register(
        self,
        name: str | None,
        secret: str | None,
        uuid: str | None,
        address: str,
        admission: Admission | None = None,
    ) -> Registered:
        """Create an account with a name and a password, or with a UUID.

        Args:
            name: the user name; None, with a UUID, for one that is made from it.
            secret: the password, None with a UUID.
            uuid: a version-4 UUID as the only credential, None with a password.
            address: IP address of the client, which `charge` has counted.
            admission: what the registration is let in by, None for nothing.

        Raises:
            BadRequest, BadName, Banned, Filtered, WeakPassword, NameTaken, RateLimited, NotStored.
            RegistrationClosed, InviteWanted: the operator lets not all register.
            BadInvite: the admission is not valid any more.
        """
        digest = credential = None
        if uuid is not None:
            credential = uuid_hash(uuid)
            chosen = user_name(name if name is not None else f"mobile-{credential.hex()[:10]}")
            self._bans.check_name(chosen.display)
        else:
            if name is None or secret is None:
                raise BadRequest("usr and pwd, or uuid, are required.")
            chosen, digest = await self._hashed(name, secret)
        self._filter.check_name(chosen.display, address)
        self._access.check_registration(admission)  # it may have been closed meanwhile
        record, now = self.registered(chosen.display, address, admission), self._users.now()
        args = (chosen.display, chosen.key, digest, credential, now, network_key(address), record)
        account_id = await self._store.register(*args, admission)
        write_line(record)
        return Registered(account_id, chosen.display)

    async def _hashed(self, name: str, secret: str) -> tuple[Name, str]:
        """Return the name of a new account, and the hash of its password."""
        chosen, normalized = user_name(name), password(secret)
        self._bans.check_name(chosen.display)
        if await self._store.is_name_taken(chosen.display, chosen.key):
            raise NameTaken()
        return chosen, await self._passwords.hash(normalized)

    async def create(self, name: str, secret: str, actor: Actor) -> str:
        """Create an account on the order of an operator. Return its name as displayed.

        Raises:
            BadName, Banned, WeakPassword, NameTaken, NotStored.
        """
        self._quota.check_space()
        chosen, digest = await self._hashed(name, secret)
        record = self._audit.record("account_created", actor, name=chosen.display)
        await self._store.register(
            chosen.display, chosen.key, digest, None, self._users.now(), None, record
        )
        write_line(record)
        return chosen.display

    def registered(
        self, name: str, address: str, admission: Admission | None = None
    ) -> AuditRecord:
        """Return the record of a registration."""
        record = partial(self._audit.record, name=name, address=address)
        if admission is None:
            return record("registered")
        if admission.operator:
            return record("first_operator")
        return record("invited", inviter=admission.by)

    def charge(self, address: str) -> None:
        """Count a registration of an address. Raises Banned, NotStored, RateLimited."""
        self._bans.check_address(address)
        self._quota.check_space()
        if wait := self._registrations.take(network_key(address)):
            raise RateLimited("Too many registrations from your address.", retry_after=wait)

    async def authenticate(
        self, name: str, secret: str, address: str, lockout_seconds: float | None = None
    ) -> Account:
        """Check a name and a password.

        Args:
            name: the user name as it was typed.
            secret: the password as it was typed.
            address: IP address of the client.
            lockout_seconds: how long a lockout lasts that begins now, None for the setting.

        Returns:
            The account, with the password hash that was checked.

        Raises:
            Banned, BadCredentials, LockedOut, RateLimited, NotStored.
        """
        self._bans.check_address(address)
        key, network = login_key(name), network_key(address)
        await self.guesses.check(key, network)
        account = await self._store.find_account(key, None, network)

        async def verify() -> bool:
            digest = account.password_hash if account is not None else None
            return await self._passwords.verify(digest, typed_password(secret))

        async def check() -> bool:
            if not known:
                await self.guesses.begin(key, network)
            try:
                correct = await verify()
            except Exception:
                if not known:
                    await self.guesses.end(key, network)
                raise
            # Another attempt may have begun a lockout while this one was being checked.
            if correct:
                await self.guesses.succeeded(key, network, not known)
            else:
                await self._fail(account, key, address, lockout_seconds, not known)
            return correct

        known = account is not None and account.seen_at + KNOWN_MS > self._users.now()
        # From an unknown network few are checked at once: the others wait, and are not refused.
        correct = await (check() if known else self._turns.run(network, check))
        if account is None or not correct:
            raise BadCredentials()
        self._bans.check_account(account)  # only its user is told
        return account

    async def _fail(
        self,
        account: Account | None,
        key: str,
        address: str,
        seconds: float | None,
        begun: bool = False,
        rated: bool = False,
    ) -> None:
        """Count and log a wrong password, unless nothing may be guessed by now.

        Args:
            account: the account, None for an unknown one.
            key: the name.
            address: IP address of the client.
            seconds: how long a lockout lasts that begins now, None for the setting.
            begun, rated: as in `Guesses.failed`.

        Raises:
            LockedOut, RateLimited, NotStored.
        """
        name = account.name if account is not None else UNKNOWN_NAME
        seconds = self._limits.lockout_seconds if seconds is None else seconds
        locked = await self.guesses.failed(key, network_key(address), seconds, begun, rated)
        self._audit.note("login_failed", name=name, address=address)
        if locked:
            self._audit.note("locked_out", name=name, address=address, seconds=seconds)

    def attempts_left(self, name: str, address: str) -> int:
        """Return how many wrong passwords are left before a lockout; see `Lockout`.

        Args:
            name: the user name as it was typed.
            address: IP address of the client.
        """
        return self.guesses.own.attempts_left(login_key(name), network_key(address))

    async def authenticate_uuid(self, uuid: str, address: str) -> Account:
        """Check a UUID. Return its account.

        Args:
            uuid: a version-4 UUID as text.
            address: IP address of the client.

        Raises:
            BadRequest, BadCredentials.
        """
        try:
            return await self.authenticate_credential(uuid_hash(uuid))
        except BadCredentials:
            self._audit.note("login_failed", name=UNKNOWN_NAME, address=address)
            raise

    async def authenticate_link(self, link_hash: bytes, address: str) -> Account:
        """Check a login link. A wrong one counts as a failed login.

        Args:
            link_hash: of its secret, 32 bytes.
            address: IP address of the client.

        Raises:
            BadCredentials, LockedOut, RateLimited, NotStored.
        """
        find = partial(self._store.find_login_link, link_hash)
        refusal = BadCredentials("This link was used, or is too old.")
        return await self.find_by_secret("login link", address, find, refusal)

    async def find_by_secret(
        self, kind: str, address: str, find: Callable[[int], Deferred[T | None]], refusal: ChatError
    ) -> T:
        """Return what is kept under a secret. A wrong secret counts as a failed login.

        Args:
            kind: what it is the secret of; it has a space, unlike the names of users.
            address: IP address of the client.
            find: reads it, given the time in milliseconds since 1970, UTC; None if it is not valid.
            refusal: raised then.

        Raises:
            LockedOut, RateLimited, NotStored.
        """
        await self.guesses.check(kind, network_key(address))
        found = await find(self._users.now())
        if found is None:
            await self._fail(None, kind, address, None, rated=True)
            raise refusal
        return found

    async def authenticate_credential(self, credential: bytes) -> Account:
        """Check the hash of a UUID or of a telephone number.

        Args:
            credential: the hash, 32 bytes.

        Returns:
            The account.

        Raises:
            BadCredentials: no account has it.
        """
        account = await self._store.find_by_uuid(credential)
        if account is None:
            raise BadCredentials()
        return account

    async def authenticate_device(
        self, device: str, token_hash: bytes, address: str, tokens_after: int
    ) -> Account:
        """Check the token of a device. A wrong one counts as a failed login.

        A right one is accepted whatever others have tried, as long as this device is not locked
        out for the network.

        Args:
            device: the device.
            token_hash: of its token, 32 bytes.
            address: IP address of the client.
            tokens_after: as in `SessionLimits`.

        Returns:
            The account.

        Raises:
            BadCredentials, LockedOut, RateLimited, NotStored.
        """
        # No user name has a space.
        key, network = f"device {device}", network_key(address)
        await self.guesses.check(key, network)
        found = await self._store.find_device(token_hash, tokens_after)
        # Other attempts may have begun a lockout meanwhile.
        if found is None or found[1] != device:
            await self._fail(None, key, address, None, rated=True)
            raise BadCredentials("This device is logged out. Log in with your password.")
        await self.guesses.succeeded(key, network)
        return found[0]

    async def change_password(
        self,
        account: Account,
        new: str,
        keep: bytes | None,
        ended: Sequence[EndedSession],
        new_token: bytes,
        audit: AuditRecord,
    ) -> bool:
        """Change a password, end the account's other sessions and revoke its device tokens.

        Args:
            account: the account, as its old password was checked.
            new: the new password.
            keep: hash of the id of the session that goes on, 32 bytes; None for no session.
            ended: what the other sessions that are connected were sent.
            new_token: hash of a token, which the device of that session gets if it had one.
            audit: the record that is stored with it.

        Returns:
            Whether it had one.

        Raises:
            BadCredentials: the password was changed meanwhile.
            WeakPassword, RateLimited, NotStored.
        """
        digest, proved = await self._passwords.hash(password(new)), account.password_hash
        return await self._store.set_password(
            account.id, proved, digest, keep, ended, new_token, audit
        )


def login_key(name: str) -> str:
    """Return a typed user name as it is compared, "" if no account can have it."""
    try:
        return user_key(name)
    except BadName:
        return ""
