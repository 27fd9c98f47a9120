"""What a store does for operators: accounts as lists, marks, links, choices, the audit log.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.audit import AuditRecord
from gtchat.chat.ban_records import Ban, NamePattern
from gtchat.chat.deletion_rules import Erasure
from gtchat.chat.entries import Entry
from gtchat.chat.export_store import IExportStore
from gtchat.chat.records import Account
from gtchat.chat.report_store import IReportStore
from gtchat.chat.session_records import EndedSession
from gtchat.chat.storage_store import IStorageStore

#: The most entries of logs that are read for `IAdminStore.scan`: a second of work for a database.
COUNTED_ENTRIES = 1_000_000
#: Milliseconds for which a former name is reserved for its account.
RESERVED_MS = 30 * 24 * 3600 * 1000


@attrs.frozen
class AccountQuery:
    """Which accounts are listed, in the order of their keys.

    Attributes:
        search: part of a name as it is compared, "" for all.
        after: the key after which the page begins, "" for the first one.
        limit: the most accounts of the page.
        guests: whether temporary accounts are listed, too.
        operators: whether only those with the operator mark are.
    """

    search: str = ""
    after: str = ""
    limit: int = 100
    guests: bool = False
    operators: bool = False


@attrs.frozen
class ListedAccount:
    """An account in a list.

    Attributes:
        id: the account id.
        name: the name as displayed.
        key: the name as compared.
        registered: False for a temporary account.
        operator: whether it has the operator mark.
        created_at: when it was created, in milliseconds since 1970, UTC.
        has_password: whether it has a password.
        has_key: whether it has a UUID or a telephone number as a credential.
        rooms: number of rooms that it is a member of.
    """

    id: int
    name: str
    key: str
    registered: bool
    operator: bool
    created_at: int
    has_password: bool
    has_key: bool
    rooms: int


#: Most names of a query of the audit log.
AUDIT_NAMES = 8


@attrs.frozen
class AuditQuery:
    """Which records of the audit log are listed, newest first.

    Attributes:
        since, until: from and before these times, in milliseconds since 1970, UTC; None for any.
        names: of the account that did it, or that it is about, `AUDIT_NAMES` at most; () for any.
        code: a code, "" for any.
        before: number of the record before which the page begins, None for the newest.
        limit: the most records of the page.
    """

    since: int | None = None
    until: int | None = None
    names: tuple[str, ...] = ()
    code: str = ""
    before: int | None = None
    limit: int = 100


@attrs.frozen
class AuditLimits:
    """How much of the audit log is kept, and of reports.

    Attributes:
        before: records from before this time are deleted, in milliseconds since 1970, UTC; 0 for
            none.
        records: of those that users cause, so many of the newest are kept; 0 for all.
        reports_before: reports from before this time are deleted; 0 for none.
    """

    before: int = 0
    records: int = 0
    reports_before: int = 0


ALL_RECORDS = AuditLimits()


@attrs.frozen
class ScanQuery:
    """A part of all logs whose messages are compared with something, newest first.

    Attributes:
        since: what is older than this is left out, in milliseconds since 1970, UTC.
        room_id: a room, None for all.
        directs: whether direct messages are compared, too.
        before: where the part begins: that of the `Scanned` before; None for the newest entry.
        limit: how many entries are read.
    """

    since: int
    room_id: int | None = None
    directs: bool = False
    before: int | None = None
    limit: int = 1_000


@attrs.frozen
class Scanned:
    """What was found in a part of all logs.

    Attributes:
        messages: how many messages were compared.
        matching: how many of them match.
        users: ids of the accounts that wrote those, or names where there is no id.
        before: where the next part begins, None if there is nothing more.
    """

    messages: int
    matching: int
    users: frozenset[int | str]
    before: int | None


@attrs.frozen
class OwnRoom:
    """A room that an account is a member of; `notify` is that of `MembershipRecord`."""

    name: str
    joined_seq: int
    read_seq: int
    notify: str


@attrs.frozen
class OwnFacts:
    """What is stored of an account besides what it has said, for an export.

    Attributes:
        rooms: its memberships, in the order of the names.
        lobby_read_seq: up to where it has read the lobby.
        blocked: names of the accounts that it blocks.
        networks: key of each network that it came from, and when it last did.
        number: its telephone number, "" for none.
        reserved: former names that are reserved for it, as they are compared.
    """

    rooms: tuple[OwnRoom, ...]
    lobby_read_seq: int
    blocked: tuple[str, ...]
    networks: tuple[tuple[str, int], ...]
    number: str
    reserved: tuple[str, ...]


@attrs.frozen
class OwnEntries:
    """Entries of rooms that are about an account.

    Attributes:
        entries: some of them.
        next: continues them, None at their end.
        newest: the largest value of `next` that there can be, now.
    """

    entries: tuple[Entry, ...]
    next: int | None
    newest: int = 0


class IAdminStore(IReportStore, IStorageStore, IExportStore):
    """Keeps the audit log, and what operators do with accounts."""

    def record(audit: AuditRecord) -> Deferred[None]:
        """Store a record of the audit log; those of changes are stored with their changes."""

    def audit_records(query: AuditQuery) -> Deferred[Sequence[AuditRecord]]:
        """Return records of the audit log, newest first (read)."""

    def scan(query: ScanQuery, matches: Callable[[str], bool]) -> Deferred[Scanned]:
        """Return how many messages of a part of all logs match (read).

        Args:
            query: which part.
            matches: returns whether a text matches; it may be called in another thread.
        """

    def choose(name: str, value: str | None, audit: AuditRecord) -> Deferred[None]:
        """Keep what an operator has chosen at run time; see `access` and `StoredState.choices`.

        Args:
            name: what.
            value: the value, None to forget it.
            audit: the record that is stored with it.
        """

    def list_accounts(query: AccountQuery) -> Deferred[Sequence[ListedAccount]]:
        """Return accounts in the order of their keys, without those being deleted (read)."""

    def listed_account(account_id: int) -> Deferred[ListedAccount | None]:
        """Return an account as it is listed, None if it is not (read)."""

    def first_account(since: int) -> Deferred[int | None]:
        """Return the smallest id of an account that was made at a time or later (read).

        Args:
            since: milliseconds since 1970, UTC.

        Returns:
            None if there is none.
        """

    def set_operator(account_id: int, on: bool, audit: AuditRecord) -> Deferred[None]:
        """Give an account the operator mark, or take it.

        Raises:
            NoSuchUser: there is no such account.
        """

    def rename(
        account_id: int, old: str, name: str, key: str, at: int, audit: AuditRecord
    ) -> Deferred[None]:
        """Rename a registered account that is not connected; reserve its name for `RESERVED_MS`.

        Entries of logs keep the name that they have.

        Args:
            account_id: the account.
            old: its name.
            name, key: the new name.
            at: now.
            audit: the record that is stored with it.

        Raises:
            NoSuchUser: there is no such account, it is temporary, or has another name by now.
            NotAllowed: it has a connected session, at any node.
            NameTaken: another account has the name, or one that looks like it, or it is reserved.
        """

    def add_login_link(
        account_id: int,
        token_hash: bytes,
        expires_at: int,
        audit: AuditRecord,
        made_by: bytes | None = None,
    ) -> Deferred[None]:
        """Keep a link that logs an account in once, in place of the one it had.

        Args:
            account_id: the account.
            token_hash: of its secret, 32 bytes.
            expires_at: when it ends.
            audit: the record that is stored with it.
            made_by: token hash of the session of the account that makes it; None if an operator
                does.

        Raises:
            NoSuchUser: there is no such account, or it is temporary.
            NotLoggedIn: that session has ended, maybe at another node.
        """

    def find_login_link(token_hash: bytes, at: int) -> Deferred[Account | None]:
        """Return the account that a link logs in, None if it is not valid (read)."""

    def begin_deletion(
        account_id: int,
        proved: str | None,
        erasure: Erasure,
        connected: Sequence[EndedSession],
        audit: AuditRecord,
    ) -> Deferred[None]:
        """Begin to delete a registered account, which goes on until `IStore.end_guest`.

        From then on its sessions, devices, credentials and links have ended, its names are reserved
        for ever, and it becomes no member or owner of a room any more.

        Args:
            account_id: the account.
            proved: its password hash, as the right to do this was checked.
            erasure: what of its messages loses its text.
            connected: what its sessions that are connected here were sent.
            audit: the record that is stored with it.

        Raises:
            NoSuchUser: there is no such account, it is temporary, or its deletion has begun.
            BadCredentials: its password was changed meanwhile.
        """

    def deletions() -> Deferred[Sequence[Account]]:
        """Return the accounts whose deletion has begun and has to go on (read)."""

    def own_facts(account_id: int) -> Deferred[OwnFacts]:
        """Return what is stored of an account (read).

        Raises:
            NoSuchUser: there is no such account.
        """

    def own_entries(account_id: int, after: int) -> Deferred[OwnEntries]:
        """Return a part of the entries of rooms that are about an account, in their order (read).

        All entries of the chat are looked through, some thousand at a time.

        Args:
            account_id: the account.
            after: `OwnEntries.next` of the part before, 0 for the first one.
        """

    def count_names(pattern: NamePattern) -> Deferred[int]:
        """Return how many accounts without the operator mark match a pattern (read)."""

    def add_ban(
        ban: Ban, limit: int, connected: Sequence[EndedSession], audit: AuditRecord
    ) -> Deferred[Ban]:
        """Keep a ban, in place of one with its key.

        Of an account, all of its sessions end, and its devices are forgotten.

        Args:
            ban: the ban, with the number 0.
            limit: how many bans that are not over can be kept, 0 for any number.
            connected: of an account: what its sessions that are connected here were sent.
            audit: the record that is stored with it.

        Returns:
            The ban with its number.

        Raises:
            NoSuchUser: the account is temporary, or there is none.
            TooMany: there are as many.
        """

    def remove_ban(ban_id: int, audit: AuditRecord) -> Deferred[None]:
        """Forget a ban, if there is one with that number."""
