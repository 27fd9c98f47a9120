"""Accounts with a telephone number, which is their only credential; those of RandomChat."""

from __future__ import annotations

import re
from collections.abc import Sequence

from twisted.internet.defer import Deferred

from gtchat.chat.accounts import Accounts
from gtchat.chat.audit import write_line
from gtchat.chat.credentials import phone_hash
from gtchat.chat.errors import NameTaken
from gtchat.chat.interfaces import PhoneAccount
from gtchat.chat.names import user_name
from gtchat.chat.state import State

#: Names that are tried when the requested one is taken, how many of its characters count, and how
#: many are looked at to find those that count.
NAME_ATTEMPTS, MAX_REQUESTED_NAME, MAX_RAW_NAME = 1_000, 27, 256
_NOT_IN_NAMES = re.compile(r"[^\w.-]", re.UNICODE)


class Phones:
    """Registers and lists accounts with telephone numbers.

    Args:
        state: the chat's shared objects.
        accounts: counts registrations.
    """

    def __init__(self, state: State, accounts: Accounts) -> None:
        self._store = state.store
        self._users = state.users
        self._access = state.access
        self._bans = state.bans
        self._filter = state.word_filter
        self._accounts = accounts

    async def register(self, name: str, number: str, address: str) -> PhoneAccount:
        """Create an account with a telephone number, under a name like the requested one.

        Args:
            name: the requested name; what a user name can't have is left out.
            number: the number as `phone_number` returns it.
            address: IP address of the client.

        Raises:
            BadName: there is nothing in the name that a user name can have.
            NameTaken: the number has an account, or all similar names are taken.
            Banned, Filtered, RegistrationClosed, InviteWanted, RateLimited, NotStored.
        """
        self._access.check_registration(None)
        self._accounts.charge(address)
        now = self._users.now()
        requested = "-".join(_NOT_IN_NAMES.sub(" ", name[:MAX_RAW_NAME]).split())[
            :MAX_REQUESTED_NAME
        ]
        for attempt in range(1, NAME_ATTEMPTS + 1):
            chosen = user_name(requested if attempt == 1 else f"{requested}-{attempt}")
            self._bans.check_name(chosen.display)
            self._filter.check_name(chosen.display, address)
            if await self._store.is_name_taken(chosen.display, chosen.key):
                continue
            record = self._accounts.registered(chosen.display, address)
            account_id = await self._store.register_phone(
                chosen.display, chosen.key, number, phone_hash(number), now, record
            )
            write_line(record)
            return PhoneAccount(account_id, chosen.display, number, now)
        raise NameTaken()

    def listed(self) -> Deferred[Sequence[PhoneAccount]]:
        """Return all accounts with a telephone number, oldest first."""
        return self._store.phones()

    def set_left(self, phone: PhoneAccount) -> Deferred[None]:
        """Store when the user of an account with a telephone number was online last.

        Args:
            phone: the account, with that time.

        Raises:
            NotStored: (through the Deferred) it could not be stored.
        """
        return self._store.set_phone_left(phone)
