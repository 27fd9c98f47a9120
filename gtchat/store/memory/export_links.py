"""Links to exports of accounts, as `MemoryStore` keeps them; see `IExportStore`."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import BadCredentials, NoSuchUser, NotLoggedIn
from gtchat.chat.export_store import StoredExportLink, check_interval
from gtchat.store.memory.accounts import AccountTable


@attrs.define
class _Row:
    """The link of an account, and from when the last export of it counts."""

    link: StoredExportLink
    token_hash: bytes | None
    until: int
    begun_at: int


class ExportLinks:
    """One link for an account at most.

    Args:
        accounts: the accounts, with their sessions.
    """

    def __init__(self, accounts: AccountTable) -> None:
        self._accounts = accounts
        self._rows: dict[int, _Row] = {}

    def add(self, link: StoredExportLink, token_hash: bytes, expires_at: int, since: int) -> None:
        """Keep a link; see `IExportStore.add_export_link`."""
        account = self._accounts.require_lasting(link.account_id)
        if not account.registered:
            raise NoSuchUser()
        if link.session not in account.sessions:
            raise NotLoggedIn()
        row = self._rows.get(link.account_id)
        begun_at = 0 if row is None else row.begun_at
        check_interval(begun_at, since)
        self._rows[link.account_id] = _Row(link, token_hash, expires_at, begun_at)

    def find(self, token_hash: bytes, at: int) -> StoredExportLink | None:
        """Return a link; see `IExportStore.find_export_link`."""
        rows = (row for row in self._rows.values() if row.token_hash == token_hash)
        return next((row.link for row in rows if row.until > at), None)

    def use(self, link: StoredExportLink, token_hash: bytes, at: int, counts_from: int) -> None:
        """End a link; see `IExportStore.use_export_link`."""
        found = self.find(token_hash, at)
        if found is None or found.session not in self._accounts.sessions:
            raise BadCredentials()
        row = self._rows[link.account_id]
        row.token_hash, row.begun_at = None, counts_from

    def count(self, account_id: int, at: int) -> None:
        """Let an export count; see `IExportStore.count_export`."""
        row = self._rows.get(account_id)
        if row is not None and row.begun_at < at:
            row.token_hash, row.begun_at = None, at

    def prune(self, at: int) -> None:
        """Delete the rows with nothing that is later than a time, in milliseconds."""
        self._rows = {
            one: row for one, row in self._rows.items() if max(row.until, row.begun_at) >= at
        }

    def delete_account(self, account_id: int) -> None:
        """Delete the link of an account that has ended."""
        self._rows.pop(account_id, None)
