"""Blocks: whose messages a user does not receive.

A block hides what a user says, whenever that was. Entries that change a room are never hidden: the
state of a room is the fold of its log.
"""

from __future__ import annotations

from collections.abc import Callable

from gtchat.chat.audit import write_line
from gtchat.chat.events import Edited, Entry, MessageSent, Reacted
from gtchat.chat.node_records import BlockChanged, ForeignHandlers
from gtchat.chat.state import State
from gtchat.chat.users import Session, User


def hides(user: User) -> Callable[[Entry], bool]:
    """Return a function that returns whether the blocks of a user hide an entry from the user.

    Names are given again, so accounts decide; the name does where the account is not known.
    """
    accounts, names = frozenset(user.blocked), frozenset(user.blocked.values())

    def hidden(entry: Entry) -> bool:
        if not isinstance(entry, MessageSent | Edited | Reacted):
            return False
        if entry.subject_id is None:
            return entry.usr in names
        return entry.subject_id in accounts

    return hidden


#: Most users that a user can block; replies have all their names.
BLOCK_LIMIT = 500


class Blocks:
    """Begins and ends blocks between two accounts.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._audit = state.audit
        self._users = state.users
        self._directory = state.directory

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {BlockChanged: self._set_foreign}

    async def set_block(self, session: Session, target: str, on: bool) -> list[str]:
        """Block or unblock a user.

        Args:
            session: a session of the user who blocks.
            target: the name of the user to block, as it was typed.
            on: True to block, False to unblock.

        Returns:
            The names of all users that the user blocks, in order.

        Raises:
            NoSuchUser, SelfTarget, NotStored.
            NotAllowed: the user blocks `BLOCK_LIMIT` others already.
        """
        found = await self._directory.resolve_other(target, session.user)
        user_id = session.user.id
        code = "blocked" if on else "unblocked"
        record = self._audit.record(code, session.actor, name=found.name)
        await self._store.block(user_id, found.id, on, BLOCK_LIMIT, found.name, record)
        # A login in the meantime made a new `User`.
        user = self._users.get_by_id(user_id) or session.user
        self._set(user, BlockChanged(user_id, found.id, found.name, on))
        write_line(record)
        return sorted(user.blocked.values())

    def _set_foreign(self, node_id: int, block: BlockChanged) -> None:
        """Take note of a block that another node has stored."""
        self._set(self._users.get_by_id(block.account_id), block)

    def _set(self, user: User | None, block: BlockChanged) -> None:
        """Keep with the two users of a block that it has begun or ended.

        Args:
            user: the user who blocks, None if not known here.
            block: the block.
        """
        if user is not None:
            if block.on:
                user.blocked[block.blocked_id] = block.name
            else:
                user.blocked.pop(block.blocked_id, None)
            if user.sessions:
                self._users.set_block(user, block.blocked_id, block.on)
        blocked = self._users.get_by_id(block.blocked_id)
        if blocked is not None:
            others = blocked.blocked_by - {block.account_id}
            blocked.blocked_by = others | {block.account_id} if block.on else others
