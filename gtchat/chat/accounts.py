"""Accounts: registering, and proving who one is."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid as uuids
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.audit import audit
from gtchat.chat.errors import (
    BadCredentials,
    BadName,
    BadRequest,
    NameTaken,
    RateLimited,
)
from gtchat.chat.interfaces import IPasswords, IStore, PhoneAccount
from gtchat.chat.limits import BucketTable, Limits
from gtchat.chat.lockout import Lockout
from gtchat.chat.names import password, user_name

#: Names tried for somebody whose wish is taken, and the characters of a wish that count.
NAME_ATTEMPTS, MAX_REQUESTED_NAME = 1_000, 27
_NO_NAME = re.compile(r"[^\w.-]", re.UNICODE)

#: In the log, for a name that nobody has: it may be a password, typed in the wrong place.
UNKNOWN_NAME = "(nobody)"


def uuid_hash(raw: str) -> bytes:
    """What is stored of a UUID that serves as a credential.

    Its 122 random bits need no slow hash.

    Raises:
        BadRequest: it is not a version-4 UUID.
    """
    try:
        value = uuids.UUID(raw)
    except ValueError:
        value = None
    if value is None or value.version != 4 or not re.fullmatch(r"[0-9a-fA-F-]{36}", raw):
        raise BadRequest("uuid: a version-4 UUID is wanted, as in RFC 9562.")
    return hashlib.sha256(value.bytes).digest()


def phone_number(raw: str) -> str:
    """A telephone number as it is compared: 3 to 15 digits (E.164), perhaps with a +.

    Raises:
        BadRequest: it can't be one.
    """
    number = re.sub(r"[ ()./-]", "", raw)
    if not re.fullmatch(r"\+?[0-9]{3,15}", number):
        raise BadRequest("phone: 3 to 15 digits are wanted.")
    return number


def phone_hash(number: str) -> bytes:
    """The credential that a telephone number is; never the same as a UUID's."""
    return hashlib.sha256(b"phone:" + number.encode()).digest()


class Accounts:
    """Who there is, and who one says to be. now: ms since 1970."""

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        limits: Limits,
        passwords: IPasswords,
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._passwords = passwords
        self._now = now
        self._lockout = Lockout(limits, clock.seconds)
        self._registrations = BucketTable(
            limits.registrations_per_minute / 60, limits.registrations_burst, clock.seconds
        )

    async def register(
        self, name: str | None, secret: str | None, uuid: str | None, address: str
    ) -> str:
        """Create an account, by name and password or by UUID and perhaps a name.

        Args:
            address: where the request came from.

        Returns:
            The account's name.

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
                raise BadRequest("usr and pwd, or uuid, are wanted.")
            credential, chosen = None, user_name(name)
            normal = password(secret)
            if await self._store.find_account(chosen.key, None) is not None:
                raise NameTaken()
            digest = await self._passwords.hash(normal)
        await self._store.register(
            chosen.display,
            chosen.key,
            digest,
            credential,
            self._now(),
        )
        audit("registered", name=chosen.display, address=address)
        return chosen.display

    async def register_phone(self, name: str, number: str, address: str) -> PhoneAccount:
        """Create an account that a telephone number opens, under a name like the one wished for.

        Args:
            number: as `phone_number` makes it. address: where the request came from.

        Raises:
            BadName (nothing in the name can be one), NameTaken (the number is known),
            RateLimited, NotStored.
        """
        self._charge_registration(address)
        now = self._now()
        wished = "-".join(_NO_NAME.sub(" ", name).split())[:MAX_REQUESTED_NAME]
        for again in range(1, NAME_ATTEMPTS + 1):
            chosen = user_name(wished if again == 1 else f"{wished}-{again}")
            if await self._store.find_account(chosen.key, None) is not None:
                continue
            account_id = await self._store.register_phone(
                chosen.display, chosen.key, number, phone_hash(number), now
            )
            audit("registered", name=chosen.display, address=address)
            return PhoneAccount(account_id, chosen.display, number, now)
        raise NameTaken()

    def _charge_registration(self, address: str) -> None:
        """Count a registration against its address."""
        if wait := self._registrations.take(address):
            raise RateLimited("Too many registrations from your address.", retry_after=wait)

    async def authenticate(self, name: str, secret: str, address: str) -> tuple[int, str]:
        """Whose name and password these are: account id and key.

        Raises:
            BadCredentials, LockedOut, RateLimited.
        """
        key = login_key(name)
        self._lockout.check(key, address)
        account = await self._store.find_account(key, None)
        digest = account.password_hash if account is not None else None
        right = await self._passwords.verify(digest, _normal(secret))
        if account is None or not right:
            # Another try may have reached the limit while this one was being checked.
            self._lockout.check(key, address)
            self._fail(account.name if account is not None else UNKNOWN_NAME, key, address)
            raise BadCredentials()
        self._lockout.check(key, address)
        self._lockout.succeeded(key, address)
        return account.id, account.key

    def _fail(self, name: str, key: str, address: str) -> None:
        """A password was wrong. name: for the log."""
        locked = self._lockout.failed(key, address)
        audit("login_failed", name=name, address=address)
        if locked:
            audit("locked_out", name=name, address=address, seconds=self._limits.lockout_seconds)

    def attempts_left(self, name: str, address: str) -> int:
        """How many wrong passwords a name has left from an address, after one; 0: it is locked."""
        return self._lockout.attempts_left(login_key(name), address)

    async def authenticate_uuid(self, uuid: str, address: str) -> tuple[int, str]:
        """Whose UUID this is: account id and key.

        Raises:
            BadRequest, BadCredentials.
        """
        try:
            return await self.authenticate_credential(uuid_hash(uuid))
        except BadCredentials:
            audit("login_failed", name=UNKNOWN_NAME, address=address)
            raise

    async def authenticate_credential(self, credential: bytes) -> tuple[int, str]:
        """Whose credential this is: account id and key. Raises BadCredentials."""
        account = await self._store.find_by_uuid(credential)
        if account is None:
            raise BadCredentials()
        return account.id, account.key

    def phones(self) -> Deferred[Sequence[PhoneAccount]]:
        """Return all accounts with telephone numbers, oldest first."""
        return self._store.phones()

    def set_phone_left(self, account_id: int) -> Deferred[None]:
        """Note that an account with a telephone number was connected until now.

        Raises:
            NotStored: (through the Deferred) it could not be kept.
        """
        return self._store.set_phone_left(account_id, self._now())

    async def change_password(self, account_id: int, new: str, keep: bytes | None) -> None:
        """Give an account another password; its sessions but `keep` end in the store.

        Raises:
            WeakPassword, NotStored.
        """
        digest = await self._passwords.hash(password(new))
        await self._store.set_password(account_id, digest, keep)


def login_key(name: str) -> str:
    """The key of a name that somebody wants to log in with; what can't be a name has none."""
    try:
        return user_name(name).key
    except BadName:
        return ""


def _normal(secret: str) -> str:
    """A password as it is compared; one that nobody can have costs no more than others."""
    return unicodedata.normalize("NFC", secret[:4096])
