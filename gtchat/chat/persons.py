"""Persons: whom somebody means by a name, whether that one is here or away."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import BadName, NoSuchUser
from gtchat.chat.interfaces import IStore
from gtchat.chat.names import user_name
from gtchat.chat.people import People, User


@attrs.frozen
class Person:
    """Somebody who has an account.

    Attributes:
        user: who that is, if known here; not so if a registered account is away.
        blocks_asker: whether he blocks the one who asked.
    """

    id: int
    name: str
    registered: bool
    user: User | None
    blocks_asker: bool


class Persons:
    """Everybody who has an account."""

    def __init__(self, store: IStore, people: People) -> None:
        self._store = store
        self._people = people

    async def named(self, raw: str, asker: User | None = None) -> Person:
        """The person of that name.

        Args:
            asker: who wants to know, to learn whether he is blocked.

        Raises:
            NoSuchUser.
        """
        try:
            key = user_name(raw).key
        except BadName:
            raise NoSuchUser() from None
        user = self._people.get(key)
        if user is not None:
            blocks = asker is not None and asker.id in user.blocked
            return Person(user.id, user.name, user.registered, user, blocks)
        account = await self._store.find(key, asker.id if asker is not None else None)
        if account is None:
            raise NoSuchUser()
        return Person(
            account.id,
            account.name,
            account.registered,
            self._people.numbered(account.id),
            account.blocks_asker,
        )
