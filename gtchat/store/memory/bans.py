"""Bans, as `MemoryStore` keeps them.

Methods with the name of a method of `IAdminStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gtchat.chat.ban_records import Ban, NamePattern
from gtchat.chat.errors import NoSuchUser, TooMany
from gtchat.chat.interfaces import EndedSession
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.sessions import SessionTable


class BanTable:
    """The bans from the server.

    Args:
        accounts: the accounts.
        sessions: their sessions, which a ban ends.
    """

    def __init__(self, accounts: AccountTable, sessions: SessionTable) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._by_key: dict[str, Ban] = {}
        self._last_id = 0

    def stored(self) -> tuple[Ban, ...]:
        """Return all bans."""
        return tuple(self._by_key.values())

    def count_names(self, pattern: NamePattern) -> int:
        """Return how many accounts without the operator mark match a pattern."""
        rows = self._accounts.accounts.values()
        return sum(not row.operator and pattern.matches(row.name) for row in rows)

    def add(self, ban: Ban, limit: int, connected: Sequence[EndedSession]) -> Ban:
        """Keep a ban; see `IAdminStore.add_ban`."""
        self.prune(ban.at)
        if ban.account_id is not None:
            row = self._accounts.accounts.get(ban.account_id)
            if row is None or not row.registered:
                raise NoSuchUser()
        former = self._by_key.get(ban.key)
        if former is None and limit and len(self._by_key) >= limit:
            raise TooMany("There are as many bans as the limit `bans` allows.")
        if former is None:
            self._last_id += 1
        ban = attrs.evolve(ban, id=self._last_id if former is None else former.id)
        self._by_key[ban.key] = ban
        if ban.account_id is not None:
            self._sessions.end_other_sessions(ban.account_id, None, connected)
        return ban

    def remove(self, ban_id: int) -> None:
        """Forget a ban."""
        self._by_key = {key: ban for key, ban in self._by_key.items() if ban.id != ban_id}

    def prune(self, at: int) -> None:
        """Delete the bans that were over at a time, in milliseconds."""
        self._by_key = {key: ban for key, ban in self._by_key.items() if not ban.is_over(at)}
