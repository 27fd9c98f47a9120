"""What operators do with accounts: list, create and rename them, passwords, links, the mark.

Who may do what over which connection is in `operators` and in the table of commands; here is what
holds for all. An operator who is not at the server cannot take the account of another operator.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gtchat.chat.account_deletion import AccountDeletions
from gtchat.chat.accounts import Accounts, login_key
from gtchat.chat.admin_store import AccountQuery, ListedAccount
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.errors import BadCredentials, NoSuchUser, NotAllowed, NotStored
from gtchat.chat.interfaces import Account
from gtchat.chat.live_sessions import LiveSessions, token_hash
from gtchat.chat.names import password, user_name
from gtchat.chat.node_records import AccountRenamed, ForeignHandlers, OperatorSet
from gtchat.chat.state import State

#: Seconds for which a login link can be opened.
LOGIN_LINK_S = 24 * 3600
#: Longest part of a name that is searched for, in characters.
SEARCH_CHARS = 64


@attrs.frozen
class LoginLink:
    """A link that logs an account in once, or with which the first operator registers.

    Attributes:
        name: the name of the account, "" for one that is not there yet.
        token: the secret in the link.
        expires_at: when it ends, in milliseconds since 1970, UTC.
    """

    name: str
    token: str
    expires_at: int


class AccountAdmin:
    """Accounts, for operators.

    Args:
        state: the chat's shared objects.
        accounts: registers accounts.
        live: the sessions that are connected.
        deletions: deletes accounts.
    """

    def __init__(
        self, state: State, accounts: Accounts, live: LiveSessions, deletions: AccountDeletions
    ) -> None:
        self._state = state
        self._store = state.store
        self._users = state.users
        self._audit = state.audit
        self._accounts = accounts
        self._live = live
        self._deletions = deletions

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {AccountRenamed: self._renamed, OperatorSet: self._operator_set}

    async def listed(self, query: AccountQuery) -> Sequence[ListedAccount]:
        """Return accounts in the order of their names.

        Args:
            query: the list; `search` and `after` as they were typed.

        Raises:
            NotStored.
        """
        typed = query.search[:SEARCH_CHARS]
        search = login_key(typed) or typed.casefold()
        after = login_key(query.after) or query.after
        return await self._store.list_accounts(attrs.evolve(query, search=search, after=after))

    async def show(self, name: str) -> ListedAccount:
        """Return the account with a name, temporary or not.

        Raises:
            NoSuchUser, NotStored.
        """
        account = await self._store.find_account(login_key(name), None)
        listed = await self._store.listed_account(account.id) if account is not None else None
        if listed is None:
            raise NoSuchUser()
        return listed

    async def find(self, name: str) -> Account:
        """Return the registered account with a name. Raises NoSuchUser, NotStored."""
        account = await self._store.find_account(login_key(name), None)
        if account is None or not account.registered:
            raise NoSuchUser("There is no registered user with that name.")
        return account

    async def create(self, name: str, secret: str, actor: Actor) -> str:
        """Create an account with a password. Return its name as displayed.

        Raises:
            BadName, WeakPassword, NameTaken, NotStored.
        """
        return await self._accounts.create(name, secret, actor)

    async def rename(self, name: str, new_name: str, actor: Actor) -> str:
        """Rename an account that is not logged in. Return its new name as displayed.

        Entries of logs keep the former name, which is reserved for the account for 30 days.

        Args:
            name, new_name: the names as they were typed.
            actor: who does it.

        Raises:
            NoSuchUser, BadName, NameTaken, NotStored.
            NotAllowed: the account is logged in.
        """
        chosen = user_name(new_name)
        account = await self.find(name)
        record = self._audit.record(
            "account_renamed", actor, name=account.name, new_name=chosen.display
        )
        now = self._users.now()
        names = (account.name, chosen.display, chosen.key)
        await self._store.rename(account.id, *names, now, record)
        write_line(record)
        self._state.rooms.public.renamed(account.name, chosen.display)
        self._renamed(0, AccountRenamed(account.id, chosen.display, chosen.key))
        return chosen.display

    async def delete(
        self, name: str, messages: str | None, directs: str | None, actor: Actor
    ) -> str:
        """Delete an account, which goes on in the background. Return its name.

        Args:
            name: as it was typed.
            messages, directs: as in `AccountDeletions.delete_own`.
            actor: who does it.

        Raises:
            NoSuchUser, BadRequest, NotStored.
            NotAllowed: it is an operator's account, and the actor is not at the server; or the
                settings say something else of messages.
        """
        erasure = self._deletions.erasure(messages, directs)
        account = await self.find_others(name, actor)
        record = self._audit.record("account_deleted", actor, name=account.name)
        await self._deletions.begin(account, erasure, record)
        return account.name

    def _renamed(self, node_id: int, entry: AccountRenamed) -> None:
        """Show the new name of an account in all rooms."""
        self._state.rooms.rename(entry.account_id, entry.name, is_deleted=not entry.key)

    async def set_password(self, name: str, secret: str, actor: Actor) -> str:
        """Give an account another password, and end its sessions. Return its name.

        Args:
            name, secret: as they were typed.
            actor: who does it.

        Raises:
            NoSuchUser, WeakPassword, NotStored.
            NotAllowed: it is an operator's account, and the actor is not at the server.
        """
        password(secret)
        account = await self.find_others(name, actor)
        record = self._audit.record("password_set", actor, name=account.name)
        ended = self._live.records(self._live.of(account.id))
        unused = token_hash(self._state.token())
        try:
            await self._accounts.change_password(account, secret, None, ended, unused, record)
        except BadCredentials:
            raise NotStored("The password was changed at the same time.") from None
        for session in self._live.of(account.id):
            self._live.close(session, "password")
        write_line(record)
        return account.name

    async def login_link(self, name: str, actor: Actor) -> LoginLink:
        """Make a link that logs an account in once, without a password.

        Args:
            name: the name as it was typed.
            actor: who does it.

        Raises:
            NoSuchUser, NotStored.
            NotAllowed: it is an operator's account, and the actor is not at the server.
        """
        account = await self.find_others(name, actor)
        token, expires_at = self._state.token(), self._users.now() + LOGIN_LINK_S * 1000
        record = self._audit.record("login_link", actor, name=account.name)
        await self._store.add_login_link(account.id, token_hash(token), expires_at, record)
        write_line(record)
        return LoginLink(account.name, token, expires_at)

    async def are_there(self) -> bool:
        """Return whether there are registered accounts. Raises NotStored."""
        return bool(await self._store.list_accounts(AccountQuery(limit=1)))

    async def operator_link(self, actor: Actor) -> LoginLink:
        """Make a link with which the first operator registers, once.

        Args:
            actor: an operator at the server, or the server itself.

        Raises:
            NotStored.
            NotAllowed: there is an operator.
        """
        token, expires_at = self._state.token(), self._users.now() + LOGIN_LINK_S * 1000
        record = self._audit.record("operator_link", actor)
        await self._store.add_operator_link(token_hash(token), expires_at, record)
        write_line(record)
        return LoginLink("", token, expires_at)

    async def find_others(self, name: str, actor: Actor) -> Account:
        """Return an account that an actor may take over. Raises NoSuchUser, NotAllowed."""
        account = await self.find(name)
        if account.operator and not actor.at_server:
            raise NotAllowed("This is done at the server only for the account of an operator.")
        return account

    async def set_operator(self, name: str, on: bool, actor: Actor) -> str:
        """Give an account the operator mark, or take it. Return its name.

        Args:
            name: the name as it was typed.
            on: whether it has the mark from now on.
            actor: who does it.

        Raises:
            NoSuchUser, NotStored.
            NotAllowed: it has no password, with which operators confirm what they do.
        """
        account = await self.find(name)
        if on and account.password_hash is None:
            raise NotAllowed("This account has no password: set one first.")
        record = self._audit.record(
            "operator_on" if on else "operator_off", actor, name=account.name
        )
        await self._store.set_operator(account.id, on, record)
        write_line(record)
        self._operator_set(0, OperatorSet(account.id, on))
        return account.name

    def _operator_set(self, node_id: int, entry: OperatorSet) -> None:
        """Give the sessions of an account the operator mark, or take it."""
        for session in self._live.of(entry.account_id):
            session.operator = entry.on
