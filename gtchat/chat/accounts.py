"""Accounts: registration, and checking of passwords, UUIDs and telephone numbers.

Sessions of accounts are in `sessions`; temporary accounts, which have no credentials, in `guests`.
"""

from __future__ import annotations

import hashlib
import re
import uuid as uuids
from collections.abc import Sequence
from contextlib import suppress

from twisted.internet.defer import Deferred

from gtchat.chat.audit import audit
from gtchat.chat.background import InProgress
from gtchat.chat.errors import BadCredentials, BadName, BadRequest, NameTaken, RateLimited
from gtchat.chat.guesses import Guesses
from gtchat.chat.interfaces import Account, EndedSession, IPasswords, PhoneAccount
from gtchat.chat.limits import BucketTable, network_key
from gtchat.chat.lockout import KNOWN_MS, Turns
from gtchat.chat.names import password, typed_password, user_key, user_name
from gtchat.chat.state import State

#: Names that are tried when the requested one is taken, how many of its characters count, and how
#: many are looked at to find those that count.
NAME_ATTEMPTS, MAX_REQUESTED_NAME, MAX_RAW_NAME = 1_000, 27, 256
#: Longest telephone number as it may be typed, in characters.
MAX_RAW_NUMBER = 64
_UUID = re.compile(r"[0-9a-fA-F-]{36}")
_NOT_IN_NAMES = re.compile(r"[^\w.-]", re.UNICODE)

#: Most passwords of clients in one network that are checked at once, unless the account knows it.
CHECKS_AT_ONCE = 8
#: Stands in the log for a name that no account has: it may be a password in the wrong field.
UNKNOWN_NAME = "(unknown name)"


def uuid_hash(raw: str) -> bytes:
    """Return the hash of a UUID that is stored: SHA-256 of its 16 bytes.

    Its 122 random bits need no slow hash.

    Args:
        raw: a version-4 UUID as text (RFC 9562, section 4).

    Raises:
        BadRequest: it is not a version-4 UUID.
    """
    value = None
    if _UUID.fullmatch(raw):
        with suppress(ValueError):
            value = uuids.UUID(raw)
    if value is None or value.version != 4:
        raise BadRequest("uuid: must be a version-4 UUID (RFC 9562).")
    return hashlib.sha256(value.bytes).digest()


def phone_number(raw: str) -> str:
    """Return a telephone number as it is compared: 3 to 15 digits (E.164), with or without a +.

    Args:
        raw: the number, which may have spaces, brackets, dots, slashes and hyphens.

    Raises:
        BadRequest: it is not a telephone number.
    """
    number = re.sub(r"[ ()./-]", "", raw) if len(raw) <= MAX_RAW_NUMBER else ""
    if not re.fullmatch(r"\+?[0-9]{3,15}", number):
        raise BadRequest("phone: must have 3 to 15 digits.")
    return number


def phone_hash(number: str) -> bytes:
    """Return the credential of a telephone number, 32 bytes, never the same as a UUID's."""
    return hashlib.sha256(b"phone:" + number.encode()).digest()


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
        self._passwords = passwords
        self.guesses = Guesses(state)
        self.password_changes = InProgress()
        # No more than can be counted at once: else right passwords would be refused.
        rate = limits.failed_logins_per_minute
        self._turns = Turns(min(CHECKS_AT_ONCE, max(int(rate), 1)) if rate else CHECKS_AT_ONCE)
        self._registrations = BucketTable(
            limits.registrations_per_minute / 60, limits.registrations_burst, seconds
        )

    async def register(
        self, name: str | None, secret: str | None, uuid: str | None, address: str
    ) -> str:
        """Create an account with a name and a password, or with a UUID.

        Args:
            name: the user name; None, with a UUID, for one that is made from it.
            secret: the password, None with a UUID.
            uuid: a version-4 UUID as the only credential, None with a password.
            address: IP address of the client.

        Returns:
            The name as displayed.

        Raises:
            BadRequest, BadName, WeakPassword, NameTaken, RateLimited, NotStored.
        """
        self._charge_registration(address)
        if uuid is not None:
            credential = uuid_hash(uuid)
            chosen = user_name(name if name is not None else f"mobile-{credential.hex()[:10]}")
            digest = None
        else:
            if name is None or secret is None:
                raise BadRequest("usr and pwd, or uuid, are required.")
            credential, chosen = None, user_name(name)
            normalized = password(secret)
            if await self._store.find_similar(chosen.display, chosen.key) is not None:
                raise NameTaken()
            digest = await self._passwords.hash(normalized)
        await self._store.register(
            chosen.display,
            chosen.key,
            digest,
            credential,
            self._users.now(),
            network_key(address),
        )
        audit("registered", name=chosen.display, address=address)
        return chosen.display

    async def register_phone(self, name: str, number: str, address: str) -> PhoneAccount:
        """Create an account with a telephone number, under a name like the requested one.

        Args:
            name: the requested name; what a user name can't have is left out.
            number: the number as `phone_number` returns it.
            address: IP address of the client.

        Raises:
            BadName: there is nothing in the name that a user name can have.
            NameTaken: the number has an account, or all similar names are taken.
            RateLimited, NotStored.
        """
        self._charge_registration(address)
        now = self._users.now()
        requested = "-".join(_NOT_IN_NAMES.sub(" ", name[:MAX_RAW_NAME]).split())[
            :MAX_REQUESTED_NAME
        ]
        for attempt in range(1, NAME_ATTEMPTS + 1):
            chosen = user_name(requested if attempt == 1 else f"{requested}-{attempt}")
            if await self._store.find_similar(chosen.display, chosen.key) is not None:
                continue
            account_id = await self._store.register_phone(
                chosen.display, chosen.key, number, phone_hash(number), now
            )
            audit("registered", name=chosen.display, address=address)
            return PhoneAccount(account_id, chosen.display, number, now)
        raise NameTaken()

    def phones(self) -> Deferred[Sequence[PhoneAccount]]:
        """Return all accounts with a telephone number, oldest first."""
        return self._store.phones()

    def set_phone_left(self, phone: PhoneAccount) -> Deferred[None]:
        """Store when the user of an account with a telephone number was online last.

        Args:
            phone: the account, with that time.

        Raises:
            NotStored: (through the Deferred) it could not be stored.
        """
        return self._store.set_phone_left(phone)

    def _charge_registration(self, address: str) -> None:
        """Check the disk and the rate of registrations. Raises NotStored, RateLimited."""
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
            BadCredentials, LockedOut, RateLimited, NotStored.
        """
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
        audit("login_failed", name=name, address=address)
        if locked:
            audit("locked_out", name=name, address=address, seconds=seconds)

    def attempts_left(self, name: str, address: str) -> int:
        """Return how many wrong passwords are left before a lockout; see `Lockout`.

        Args:
            name: the user name as it was typed.
            address: IP address of the client.
        """
        return self.guesses.own.attempts_left(login_key(name), network_key(address))

    async def authenticate_uuid(self, uuid: str, address: str) -> Account:
        """Check a UUID.

        Args:
            uuid: a version-4 UUID as text.
            address: IP address of the client.

        Returns:
            The account.

        Raises:
            BadRequest, BadCredentials.
        """
        try:
            return await self.authenticate_credential(uuid_hash(uuid))
        except BadCredentials:
            audit("login_failed", name=UNKNOWN_NAME, address=address)
            raise

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
    ) -> bool:
        """Change a password, end the account's other sessions and revoke its device tokens.

        Args:
            account: the account, as its old password was checked.
            new: the new password.
            keep: hash of the id of the session that goes on, 32 bytes; None for no session.
            ended: what the other sessions that are connected were sent.
            new_token: hash of a token, which the device of that session gets if it had one.

        Returns:
            Whether it had one.

        Raises:
            BadCredentials: the password was changed meanwhile.
            WeakPassword, RateLimited, NotStored.
        """
        digest = await self._passwords.hash(password(new))
        proved = account.password_hash or ""
        return await self._store.set_password(account.id, proved, digest, keep, ended, new_token)


def login_key(name: str) -> str:
    """Return a typed user name as it is compared, "" if no account can have it."""
    try:
        return user_key(name)
    except BadName:
        return ""
