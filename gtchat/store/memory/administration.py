"""What operators do with accounts, and the audit log, as `MemoryStore` keeps them.

Methods with the name of a method of `IAdminStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import attrs

from gtchat.chat.admin_store import (
    RESERVED_MS,
    AccountQuery,
    AuditLimits,
    AuditQuery,
    ListedAccount,
    Scanned,
    ScanQuery,
)
from gtchat.chat.audit import AUDIT, AuditRecord
from gtchat.chat.errors import BadCredentials, NameTaken, NoSuchUser, NotAllowed, NotLoggedIn
from gtchat.chat.events import MessageSent
from gtchat.chat.interfaces import Account
from gtchat.store.memory.accounts import AccountTable
from gtchat.store.memory.rooms import RoomTable
from gtchat.store.memory.rows import AccountRow


class AdminTable:
    """The audit log, and what operators do.

    Args:
        accounts: the accounts.
        rooms: the rooms that they own.
    """

    def __init__(self, accounts: AccountTable, rooms: RoomTable) -> None:
        self._accounts = accounts
        self._rooms = rooms
        self._audit: list[AuditRecord] = []
        self._last_id = 0
        #: Account id -> hash of its login link, and when that ends.
        self._links: dict[int, tuple[bytes, int]] = {}
        #: What operators have chosen; see `StoredState.choices`.
        self.choices: dict[str, str] = {}

    def write(self, records: Iterable[AuditRecord]) -> None:
        """Write records of the audit log."""
        for record in records:
            self._last_id += 1
            self._audit.append(attrs.evolve(record, id=self._last_id))

    def audit_records(self, query: AuditQuery) -> Sequence[AuditRecord]:
        """Return records of the audit log, newest first."""
        found = (record for record in reversed(self._audit) if _is_wanted(record, query))
        return list(islice(found, query.limit))

    def scan(self, query: ScanQuery, matches: Callable[[str], bool]) -> Scanned:
        """Return how many messages of a part of all logs match."""
        before = query.before
        entries = [
            (room.rows[entry.seq], room, entry)
            for room in self._rooms.rooms.values()
            for entry in room.log
        ]
        newest = [one for one in entries if before is None or one[0] < before]
        part = sorted(newest, key=lambda one: -one[0])[: query.limit]
        compared = [
            entry
            for _, room, entry in part
            if isinstance(entry, MessageSent)
            and entry.msg
            and entry.at >= query.since
            and query.room_id in (None, room.id)
            and (query.directs or self._rooms.keys.get(room.key) is room)
        ]
        found = [entry for entry in compared if matches(entry.msg)]
        users = frozenset(entry.subject_id or entry.usr for entry in found)
        is_end = len(part) < query.limit or all(one.at < query.since for _, _, one in part)
        return Scanned(len(compared), len(found), users, None if is_end else part[-1][0])

    def prune(self, limits: AuditLimits, at: int) -> None:
        """Delete old records, links and reserved names; see `IStore.prune`."""
        kept = self._last_id - limits.records if limits.records else 0
        self._audit = [
            record
            for record in self._audit
            if record.at >= limits.before and (record.id > kept or not AUDIT[record.code].counted)
        ]
        self._links = {one: link for one, link in self._links.items() if link[1] >= at}
        reserved = self._accounts.reserved
        for key in [key for key, name in reserved.items() if name.until < at]:
            del reserved[key]

    def choose(self, name: str, value: str | None) -> None:
        """Keep what an operator has chosen, None to forget it."""
        self.choices.pop(name, None)
        if value is not None:
            self.choices[name] = value

    def list_accounts(self, query: AccountQuery) -> Sequence[ListedAccount]:
        """Return accounts in the order of their keys."""
        rows = (
            row
            for row in sorted(self._accounts.accounts.values(), key=lambda row: row.key)
            if not row.is_ending
            and row.key > query.after
            and query.search in row.key
            and (row.registered or query.guests)
            and (row.operator or not query.operators)
        )
        return list(map(_listed, islice(rows, query.limit)))

    def listed_account(self, account_id: int) -> ListedAccount | None:
        """Return an account as it is listed, None if there is none."""
        row = self._accounts.accounts.get(account_id)
        return None if row is None or row.is_ending else _listed(row)

    def first_account(self, since: int) -> int | None:
        """Return the smallest id of an account that was made at a time or later."""
        rows = self._accounts.accounts.values()
        return min((row.id for row in rows if row.created_at >= since), default=None)

    def _registered(self, account_id: int) -> AccountRow:
        """Return a registered account that is not being deleted. Raises NoSuchUser."""
        row = self._accounts.require_lasting(account_id)
        if not row.registered:
            raise NoSuchUser()
        return row

    def set_operator(self, account_id: int, on: bool) -> None:
        """Give an account the operator mark, or take it."""
        self._registered(account_id).operator = on

    def rename(self, account_id: int, old: str, name: str, key: str, at: int, online: bool) -> None:
        """Rename a registered account; `online`: whether it is online at a node."""
        row = self._registered(account_id)
        if row.name != old:
            raise NoSuchUser()
        sessions = map(self._accounts.sessions.__getitem__, row.sessions)
        if online or any(one.expires_from is None for one in sessions):
            raise NotAllowed("This user is logged in: end the sessions first.")
        old_key = row.key
        if not self._accounts.rename(row, name, key):
            raise NameTaken()
        for room in self._rooms.rooms.values():
            if room.owner_id == account_id:
                room.owner = name
            room.moderation = room.moderation.renamed(account_id, name)
        self._accounts.reserved.pop(key, None)
        if old_key != key:
            self._accounts.reserve(account_id, old, old_key, at + RESERVED_MS)

    def add_login_link(
        self, account_id: int, token_hash: bytes, expires_at: int, made_by: bytes | None
    ) -> None:
        """Keep a link that logs an account in once."""
        row = self._registered(account_id)
        if made_by is not None and made_by not in row.sessions:
            raise NotLoggedIn()
        self._links[account_id] = token_hash, expires_at

    def find_login_link(self, token_hash: bytes, at: int) -> Account | None:
        """Return the account that a link logs in, None if it is not valid."""
        for account_id, (kept, expires_at) in self._links.items():
            if kept == token_hash and expires_at > at:
                return self._accounts.require_account(account_id).record()
        return None

    def use_login_link(self, account_id: int, token_hash: bytes, at: int) -> None:
        """End the link that a login is proved with. Raises BadCredentials: it is not valid."""
        kept, expires_at = self._links.get(account_id, (b"", 0))
        if kept != token_hash or expires_at <= at:
            raise BadCredentials()
        del self._links[account_id]

    def delete_login_link(self, account_id: int) -> None:
        """Delete the login link of an account, if it has one."""
        self._links.pop(account_id, None)


def _is_wanted(record: AuditRecord, query: AuditQuery) -> bool:
    """Return whether a record is one that a query asks for."""
    return (
        (query.before is None or record.id < query.before)
        and (query.since is None or record.at >= query.since)
        and (query.until is None or record.at < query.until)
        and (not query.names or not {record.who, record.subject}.isdisjoint(query.names))
        and query.code in ("", record.code)
    )


def _listed(row: AccountRow) -> ListedAccount:
    return ListedAccount(
        row.id,
        row.name,
        row.key,
        row.registered,
        row.operator,
        row.created_at,
        row.password_hash is not None,
        row.uuid_hash is not None,
        len(row.rooms),
    )
