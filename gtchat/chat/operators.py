"""Operators: accounts that may run administrative commands, and how they prove it is them.

The commands are a table of the server, which knows more than the chat; this is the gate before it
for commands that come over the connection of an account. An operator gives the password again, and
has ten minutes then, for each session.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from zope.interface import Interface

from gtchat.chat.access_admin import AccessAdmin
from gtchat.chat.account_admin import AccountAdmin
from gtchat.chat.account_deletion import AccountDeletions
from gtchat.chat.accounts import Accounts, login_key
from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import Actor, AuditRecord
from gtchat.chat.audit_names import names_of
from gtchat.chat.authority import is_operator
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.ban_admin import BanAdmin
from gtchat.chat.devices import SessionRules
from gtchat.chat.errors import ChatError, ConfirmPassword, NotAllowed, RateLimited, UnknownCommand
from gtchat.chat.filter_admin import FilterAdmin
from gtchat.chat.guests import Guests
from gtchat.chat.limit_admin import LimitAdmin
from gtchat.chat.limits import Limits
from gtchat.chat.live_sessions import LiveSessions
from gtchat.chat.measures import SpaceGivenBack
from gtchat.chat.ownership import Ownership
from gtchat.chat.quota_admin import QuotaAdmin
from gtchat.chat.room_admin import RoomAdmin, SessionAdmin
from gtchat.chat.state import State
from gtchat.chat.storage_store import CountedBy, StorageQuery, StorageUse, StoredTexts
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session

#: Seconds for which a password that was given again is valid, for a session.
CONFIRMED_S = 600


class IAdminCommands(Interface):
    """The table of administrative commands, as accounts with the operator mark use it."""

    def run(
        actor: Actor, name: str, arguments: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Mapping[str, Any]]:
        """Run a command that accounts may use. Return its result, which can be encoded as JSON.

        Args:
            actor: the operator.
            name: the name of the command.
            arguments: its arguments by name.

        Raises:
            UnknownCommand: there is no such command.
            NotAllowed: it is one for the console only.
            ChatError: what the command raises.
        """


def _command_rate(limits: Limits) -> tuple[float, float]:
    per_minute = limits.admin_commands_per_minute
    return per_minute / 60, max(per_minute, 1)


class Operators:
    """Lets accounts with the operator mark run administrative commands.

    Args:
        state: the chat's shared objects.
        accounts: checks passwords.
    """

    def __init__(self, state: State, accounts: Accounts) -> None:
        self._store = state.store
        self._audit = state.audit
        self._seconds = state.clock.seconds
        self._accounts = accounts
        #: The table of commands; set by the server.
        self.commands: IAdminCommands | None = None
        self._rates = BucketTable(state.limits.rate(_command_rate), self._seconds)
        #: Session -> monotonic seconds until which it has proved that it is its operator's.
        self._confirmed: WeakKeyDictionary[Session, float] = WeakKeyDictionary()

    async def run(
        self, session: Session, name: str, arguments: Mapping[str, Any], secret: str | None
    ) -> Mapping[str, Any]:
        """Run an administrative command for a session of an operator. Return its result.

        Args:
            session: the session.
            name: the name of the command.
            arguments: its arguments by name.
            secret: the password of the operator, None if it was given before.

        Raises:
            RateLimited: the account sends too many.
            NotAllowed: it is not an operator's, or the command is for the console only.
            ConfirmPassword: the password is wanted.
            BadCredentials, LockedOut: it is wrong.
            UnknownCommand, NotStored, ChatError: what the command raises.
        """
        if wait := self._rates.take(session.user.id):
            raise RateLimited("Too many administrative commands.", retry_after=wait)
        try:
            await self._check(session, secret)
            if self.commands is None:
                raise UnknownCommand()
            return await self.commands.run(session.actor, name, arguments)
        except ConfirmPassword:
            raise
        except ChatError as error:
            # What clients send may be anything: of the name only what a name can have.
            shown = "".join(each for each in name[:40] if each.isalpha() or each in " -")
            self._audit.note("admin_refused", session.actor, command=shown, reason=error.code)
            raise

    async def _check(self, session: Session, secret: str | None) -> None:
        """Check that a session is an operator's, and that the password was given."""
        user = session.user
        if not await is_operator(self._store, user):
            raise NotAllowed("This is for operators.")
        now = self._seconds()
        if secret is not None:
            await self._accounts.authenticate(user.name, secret, session.connection.address)
            self._confirmed[session] = now + CONFIRMED_S
        elif self._confirmed.get(session, now) <= now:
            raise ConfirmPassword()


class Administration:
    """What operators do, at the server or with their accounts.

    Args:
        state: the chat's shared objects.
        accounts: registers accounts, and checks passwords.
        live: the sessions that are connected.
        guests: ends temporary accounts.
        ownership: changes owners and deletes rooms.
        rules: how many places an account can be logged in at.
        deletions: deletes accounts.

    Attributes:
        operators: lets accounts run commands.
        accounts, sessions, rooms, bans, quotas, word_filter: what is done with them.
        access: who may come in.
        limits: which limits count.
    """

    def __init__(
        self,
        state: State,
        accounts: Accounts,
        live: LiveSessions,
        guests: Guests,
        ownership: Ownership,
        rules: SessionRules,
        deletions: AccountDeletions,
    ) -> None:
        self._state = state
        self.operators = Operators(state, accounts)
        self.accounts = AccountAdmin(state, accounts, live, deletions)
        self.sessions = SessionAdmin(state, live, guests, rules)
        self.rooms = RoomAdmin(state, ownership)
        self.access = AccessAdmin(state)
        self.limits = LimitAdmin(state)
        self.bans = BanAdmin(state, self.accounts, live, guests)
        self.word_filter = FilterAdmin(state)
        self.quotas = QuotaAdmin(state, self.accounts)

    def is_chosen(self, key: str) -> bool:
        """Return whether operators have chosen a value at run time that goes before a setting.

        Args:
            key: the name of the setting.
        """
        return key in self.limits.chosen or self._state.access.is_chosen(key)

    async def storage(self, query: StorageQuery) -> tuple[StorageUse, Mapping[str, int]]:
        """Return what the texts of messages take, and the sizes of the database in bytes by part.

        Raises:
            NotStored.
        """
        store = self._state.store
        return await store.storage(query), await store.sizes()

    async def stored_texts(self, by: CountedBy, owner_id: int) -> StoredTexts:
        """Return what the messages of one room or account take. Raises NotStored."""
        found: StoredTexts = await self._state.store.stored_texts(by, owner_id)
        return found

    async def give_back_space(
        self, actor: Actor, progress: Progress = no_progress
    ) -> SpaceGivenBack:
        """Have the database give back the space of what was removed.

        Args:
            actor: who does it.
            progress: shows how far it is.

        Raises:
            NotStored.
        """
        given = await self._state.store.give_back(progress)
        size = given.before.get("database", 0) - given.after.get("database", 0)
        self._state.audit.note("space_given_back", actor, bytes=size)
        return given

    async def audit(self, query: AuditQuery, name: str = "") -> list[AuditRecord]:
        """Return records of the audit log, newest first.

        Args:
            query: which, without names.
            name: of the account that did it, or that it is about, as it was typed; "" for any. If
                there is such an account, it is found however it was written at that time.

        Raises:
            NotStored.
        """
        store = self._state.store
        names: tuple[str, ...] = (name,) if name else ()
        account = await store.find_account(login_key(name), None)
        listed = None if account is None else await store.listed_account(account.id)
        if listed is not None:
            names = (await names_of(store, listed.name, listed.created_at)).names
        return list(await store.audit_records(attrs.evolve(query, names=names)))
