"""The directory of accounts: finds them by name, whether they are logged in, here, or not."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import BadName, NoSuchUser, SelfTarget
from gtchat.chat.interfaces import IStore
from gtchat.chat.names import user_key
from gtchat.chat.users import User, UserRegistry


@attrs.frozen
class ResolvedUser:
    """The account that a name stands for.

    Attributes:
        id: the account id.
        name: the name as displayed.
        registered: False for a temporary account.
        user: the user, None if not known here.
        blocks_asker: whether the account blocks the user who asked.
        memberships: the number of rooms that the account is a member of, without the lobby.
    """

    id: int
    name: str
    registered: bool
    user: User | None
    blocks_asker: bool
    memberships: int


class UserDirectory:
    """Finds accounts by name, whether they are logged in or not.

    Args:
        store: has all accounts.
        users: has those that are known here.
    """

    def __init__(self, store: IStore, users: UserRegistry) -> None:
        self._store = store
        self._users = users

    async def resolve(self, raw: str, asker: User | None = None) -> ResolvedUser:
        """Return the account with a name.

        Args:
            raw: the name as it was typed.
            asker: the user who asks, to find out whether the account blocks that user.

        Raises:
            NoSuchUser: there is no such account, or it is ending.
        """
        try:
            key = user_key(raw)
        except BadName:
            raise NoSuchUser() from None
        user = self._users.get(key)
        if user is None:
            asker_id = asker.id if asker is not None else None
            account = await self._store.find_account(key, asker_id)
            user = self._users.get_by_id(account.id) if account is not None else None
            if account is not None and user is None:  # a temporary one is at another node
                return ResolvedUser(
                    account.id,
                    account.name,
                    account.registered,
                    None,
                    account.blocks_asker,
                    account.memberships,
                )
        if user is None or user.ending:
            raise NoSuchUser()
        blocks = asker is not None and asker.id in user.blocked
        return ResolvedUser(user.id, user.name, user.registered, user, blocks, user.memberships)

    async def resolve_other(self, raw: str, user: User) -> ResolvedUser:
        """Return the account with a name, which must not be the user's own.

        Args:
            raw: the name as it was typed.
            user: the user who asks.

        Raises:
            NoSuchUser: there is no such account.
            SelfTarget: it is the user's own.
        """
        found = await self.resolve(raw, user)
        if found.id == user.id:
            raise SelfTarget()
        return found
