"""Blocks: whose messages a user does not receive."""

from __future__ import annotations

from gtchat.chat.audit import audit
from gtchat.chat.interfaces import IStore
from gtchat.chat.users import Session, UserDirectory, UserRegistry


class Blocks:
    """Starts and ends blocks between two accounts."""

    def __init__(self, store: IStore, users: UserRegistry, directory: UserDirectory) -> None:
        self._store = store
        self._users = users
        self._directory = directory

    async def set_block(self, session: Session, target: str, on: bool) -> list[str]:
        """Begin or end not to hear somebody.

        Returns:
            The names of all whom the user blocks, in order.

        Raises:
            NoSuchUser, SelfTarget, NotStored.
        """
        person = await self._directory.resolve_other(target, session.user)
        user = session.user
        await self._store.block(user.id, person.id, on)
        blocked = self._users.get_by_id(person.id)
        if on:
            user.blocked[person.id] = person.name
        else:
            user.blocked.pop(person.id, None)
        if blocked is not None:
            one = frozenset({user.id})
            blocked.blocked_by = blocked.blocked_by | one if on else blocked.blocked_by - one
        audit("blocked" if on else "unblocked", by=user.name, name=person.name)
        return sorted(user.blocked.values())
