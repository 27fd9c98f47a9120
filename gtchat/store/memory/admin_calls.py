"""The methods of `IAdminStore` of the store in memory; `MemoryStore` inherits them.

Those of `IReportStore` are here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

import gtchat.store.admin_tells as admin_tells
from gtchat.chat.admin_store import (
    AccountQuery,
    AuditQuery,
    ListedAccount,
    OwnEntries,
    OwnFacts,
    Scanned,
    ScanQuery,
)
from gtchat.chat.audit import AuditRecord
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.ban_records import Ban, NamePattern
from gtchat.chat.deletion_rules import Erasure
from gtchat.chat.export_store import StoredExportLink
from gtchat.chat.interfaces import Account, EndedSession
from gtchat.chat.measures import SpaceGivenBack
from gtchat.chat.moderation_events import ReportAnswered, ReportMade
from gtchat.chat.profile_store import Profile
from gtchat.chat.records import PendingEntry
from gtchat.chat.report_store import Report, ReportAnswer, ReportLimits, ReportQuery
from gtchat.chat.storage_store import (
    AtQuota,
    CountedBy,
    StorageLimits,
    StorageQuery,
    StorageUse,
    StoredTexts,
)
from gtchat.store.memory.calls import MemoryCalls
from gtchat.store.memory.tables import MemoryTables


class MemoryAdminCalls(MemoryCalls):
    """Calls of `IAdminStore`: writes to the queue, reads past it."""

    _tables: MemoryTables

    def record(self, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.record`."""
        return self._write(lambda: None, plan=admin_tells.record(audit))

    def audit_records(self, query: AuditQuery) -> Deferred[Sequence[AuditRecord]]:
        """See `IAdminStore.audit_records`."""
        return self._read(self._tables.admin.audit_records, query)

    def storage(self, query: StorageQuery) -> Deferred[StorageUse]:
        """See `IStorageStore.storage`."""
        return self._read(self._tables.storage.storage, query)

    def stored_texts(self, by: CountedBy, owner_id: int) -> Deferred[StoredTexts]:
        """See `IStorageStore.stored_texts`."""
        return self._read(self._tables.storage.stored_texts, by, owner_id)

    def over_quota(self, limits: StorageLimits) -> Deferred[AtQuota]:
        """See `IStorageStore.over_quota`."""
        return self._read(self._tables.storage.over_quota, limits)

    def set_quota(
        self, by: CountedBy, owner_id: int, quota: int | None, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IStorageStore.set_quota`."""
        plan = admin_tells.set_quota(by, owner_id, audit)
        return self._write(self._tables.storage.set_quota, by, owner_id, quota, plan=plan)

    def give_back(self, progress: Progress = no_progress) -> Deferred[SpaceGivenBack]:
        """See `IMeasuredStore.give_back`: nothing is on disk."""
        return self._write(lambda: SpaceGivenBack({}, {}))

    def scan(self, query: ScanQuery, matches: Callable[[str], bool]) -> Deferred[Scanned]:
        """See `IAdminStore.scan`."""
        return self._read(self._tables.admin.scan, query, matches)

    def choose(self, name: str, value: str | None, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.choose`."""
        plan = admin_tells.choose(name, value, audit)
        return self._write(self._tables.admin.choose, name, value, plan=plan)

    def list_accounts(self, query: AccountQuery) -> Deferred[Sequence[ListedAccount]]:
        """See `IAdminStore.list_accounts`."""
        return self._read(self._tables.admin.list_accounts, query)

    def listed_account(self, account_id: int) -> Deferred[ListedAccount | None]:
        """See `IAdminStore.listed_account`."""
        return self._read(self._tables.admin.listed_account, account_id)

    def first_account(self, since: int) -> Deferred[int | None]:
        """See `IAdminStore.first_account`."""
        return self._read(self._tables.admin.first_account, since)

    def set_operator(self, account_id: int, on: bool, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.set_operator`."""
        plan = admin_tells.set_operator(account_id, on, audit)
        return self._write(self._tables.admin.set_operator, account_id, on, plan=plan)

    def rename(
        self, account_id: int, old: str, name: str, key: str, at: int, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IAdminStore.rename`."""

        def rename() -> None:
            online = self._tables.is_online(account_id)
            self._tables.admin.rename(account_id, old, name, key, at, online)

        return self._write(rename, plan=admin_tells.rename(account_id, old, name, key, audit))

    def add_login_link(
        self,
        account_id: int,
        token_hash: bytes,
        expires_at: int,
        audit: AuditRecord,
        made_by: bytes | None = None,
    ) -> Deferred[None]:
        """See `IAdminStore.add_login_link`."""
        plan = admin_tells.add_login_link(account_id, audit)
        args = (account_id, token_hash, expires_at, made_by)
        return self._write(self._tables.admin.add_login_link, *args, plan=plan)

    def find_login_link(self, token_hash: bytes, at: int) -> Deferred[Account | None]:
        """See `IAdminStore.find_login_link`."""
        return self._read(self._tables.admin.find_login_link, token_hash, at)

    def begin_deletion(
        self,
        account_id: int,
        proved: str | None,
        erasure: Erasure,
        connected: Sequence[EndedSession],
        audit: AuditRecord,
    ) -> Deferred[None]:
        """See `IAdminStore.begin_deletion`."""
        plan = admin_tells.begin_deletion(account_id, audit)
        args = (account_id, proved, erasure, tuple(connected))
        return self._write(self._tables.begin_deletion, *args, plan=plan)

    def deletions(self) -> Deferred[Sequence[Account]]:
        """See `IAdminStore.deletions`."""
        return self._read(self._tables.deletions.unfinished)

    def find_profile(self, account_id: int) -> Deferred[tuple[Profile, int]]:
        """See `IProfileStore.find_profile`."""
        return self._read(self._tables.accounts.find_profile, account_id)

    def set_profile(self, account_id: int, profile: Profile) -> Deferred[None]:
        """See `IProfileStore.set_profile`."""
        plan = admin_tells.set_profile(account_id)
        return self._write(self._tables.accounts.set_profile, account_id, profile, plan=plan)

    def own_facts(self, account_id: int) -> Deferred[OwnFacts]:
        """See `IAdminStore.own_facts`."""
        return self._read(self._tables.own_facts, account_id)

    def own_entries(self, account_id: int, after: int) -> Deferred[OwnEntries]:
        """See `IAdminStore.own_entries`."""
        return self._read(self._tables.rooms.own_entries, account_id)

    def add_export_link(
        self, link: StoredExportLink, token_hash: bytes, expires_at: int, since: int
    ) -> Deferred[None]:
        """See `IExportStore.add_export_link`."""
        args = (link, token_hash, expires_at, since)
        return self._write(self._tables.exports.add, *args, plan=admin_tells.add_export_link(link))

    def find_export_link(self, token_hash: bytes, at: int) -> Deferred[StoredExportLink | None]:
        """See `IExportStore.find_export_link`."""
        return self._read(self._tables.exports.find, token_hash, at)

    def use_export_link(
        self,
        link: StoredExportLink,
        token_hash: bytes,
        at: int,
        counts_from: int,
        audit: AuditRecord,
    ) -> Deferred[None]:
        """See `IExportStore.use_export_link`."""
        plan, args = admin_tells.use_export_link(link, audit), (link, token_hash, at, counts_from)
        return self._write(self._tables.exports.use, *args, plan=plan)

    def count_export(self, account_id: int, at: int) -> Deferred[None]:
        """See `IExportStore.count_export`."""
        return self._write(self._tables.exports.count, account_id, at)

    def count_names(self, pattern: NamePattern) -> Deferred[int]:
        """See `IAdminStore.count_names`."""
        return self._read(self._tables.bans.count_names, pattern)

    def add_ban(
        self, ban: Ban, limit: int, connected: Sequence[EndedSession], audit: AuditRecord
    ) -> Deferred[Ban]:
        """See `IAdminStore.add_ban`."""

        def add_ban() -> Ban:
            added = self._tables.bans.add(ban, limit, tuple(connected))
            if ban.account_id is not None:
                self._tables.admin.delete_login_link(ban.account_id)
            return added

        return self._write(add_ban, plan=admin_tells.add_ban(ban.account_id, audit))

    def remove_ban(self, ban_id: int, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.remove_ban`."""
        plan = admin_tells.remove_ban(ban_id, audit)
        return self._write(self._tables.bans.remove, ban_id, plan=plan)

    def add_report(
        self,
        report: Report,
        event: ReportMade,
        limits: ReportLimits,
        audit: AuditRecord | None,
        flagged: PendingEntry | None = None,
    ) -> Deferred[int]:
        """See `IReportStore.add_report`."""
        plan = admin_tells.add_report(event, audit, flagged)
        return self._write(self._tables.reports.add_report, report, limits, flagged, plan=plan)

    def find_report(self, reporter_id: int, log_id: int, seq: int) -> Deferred[int | None]:
        """See `IReportStore.find_report`."""
        return self._read(self._tables.reports.find_report, reporter_id, log_id, seq)

    def report(self, report_id: int) -> Deferred[Report | None]:
        """See `IReportStore.report`."""
        return self._read(self._tables.reports.report, report_id)

    def reports(self, query: ReportQuery) -> Deferred[Sequence[Report]]:
        """See `IReportStore.reports`."""
        return self._read(self._tables.reports.reports, query)

    def answer_report(
        self, report_id: int, answer: ReportAnswer, event: ReportAnswered, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IReportStore.answer_report`."""
        plan = admin_tells.answer_report(event, audit)
        return self._write(self._tables.reports.answer_report, report_id, answer, plan=plan)
