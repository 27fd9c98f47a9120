"""Methods of `IAdminStore` and `IMeasuredStore` of the store on disk; `SQLStore` inherits them.

Those of `IReportStore`, `IStorageStore` and `IExportStore` are here, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

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
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.sql import (
    administration,
    audit_log,
    bans,
    choices,
    deletions,
    export_links,
    message_scan,
    own_data,
    profiles,
    reports,
    storage,
    vacuum,
)
from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.read_pool import ReadPool
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.writer import Writer

T = TypeVar("T")

#: What operators are told of databases that give back nothing by this.
AUTOVACUUM = (
    "PostgreSQL uses the space of removed rows again; its autovacuum takes care of that."
    " gtchat vacuum runs VACUUM now, while servers go on."
)
STOP_FIRST = (
    "this database was created by an older version: its free pages are used for later messages."
    " To give them back, stop the server and run gtchat vacuum once."
)


class AdminCalls(ABC):
    """Calls of `IAdminStore`: writes to the queue, reads to the read pool."""

    _reads: ReadPool
    _database: Database
    _writer: Writer
    _indexer: Indexer

    @abstractmethod
    def _write(self, function: Callable[..., T], *args: Any, plan: Plan = NO_PLAN) -> Deferred[T]:
        """Queue a call of a function with the writer's connection; return its result."""

    @abstractmethod
    async def _index_waiting(self) -> None:
        """Have messages indexed and counted that wait for idle time, as far as the time allows."""

    async def _counted(self, read: Callable[[Connection], T]) -> T:
        await self._index_waiting()
        return await self._reads.run(read)

    def waiting(self) -> int:
        """See `IMeasuredStore.waiting`."""
        return self._writer.waiting()

    def sizes(self) -> Deferred[Mapping[str, int]]:
        """See `IMeasuredStore.sizes`."""
        return self._reads.run(self._database.sizes)

    def record(self, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.record`."""
        return self._write(_do_nothing, plan=admin_tells.record(audit))

    def audit_records(self, query: AuditQuery) -> Deferred[Sequence[AuditRecord]]:
        """See `IAdminStore.audit_records`."""
        return self._reads.run(lambda db: audit_log.page(db, query))

    def storage(self, query: StorageQuery) -> Deferred[StorageUse]:
        """See `IStorageStore.storage`."""
        return Deferred.fromCoroutine(self._counted(lambda db: storage.page(db, query)))

    def stored_texts(self, by: CountedBy, owner_id: int) -> Deferred[StoredTexts]:
        """See `IStorageStore.stored_texts`."""
        return Deferred.fromCoroutine(self._counted(lambda db: storage.one(db, by, owner_id)))

    def over_quota(self, limits: StorageLimits) -> Deferred[AtQuota]:
        """See `IStorageStore.over_quota`."""
        return self._reads.run(lambda db: storage.over(db, limits))

    def set_quota(
        self, by: CountedBy, owner_id: int, quota: int | None, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IStorageStore.set_quota`."""
        plan = admin_tells.set_quota(by, owner_id, audit)
        return self._write(storage.set_quota, by, owner_id, quota, plan=plan)

    def give_back(self, progress: Progress = no_progress) -> Deferred[SpaceGivenBack]:
        """See `IMeasuredStore.give_back`."""
        return Deferred.fromCoroutine(self._give_back(progress))

    async def _give_back(self, progress: Progress) -> SpaceGivenBack:
        if self._database.has_nodes:
            before = await self.sizes()
            lines = await self._reads.run(vacuum.describe_tables)
            return SpaceGivenBack(before, before, (AUTOVACUUM, *lines))
        before = await self._reads.run(vacuum.count_pages)
        while await self._write(self._indexer.merge_part):
            progress(0, 1)  # how much the index has to give back is not known
        gives_back = await self._write(vacuum.gives_back)
        total = 0
        while gives_back and (left := await self._write(vacuum.give_back_slice)):
            total = max(total, left)
            progress(total - left, total)
        notes = () if gives_back else (STOP_FIRST,)
        return SpaceGivenBack(before, await self._reads.run(vacuum.count_pages), notes)

    def scan(self, query: ScanQuery, matches: Callable[[str], bool]) -> Deferred[Scanned]:
        """See `IAdminStore.scan`."""
        return self._reads.run(lambda db: message_scan.scan(db, query, matches))

    def choose(self, name: str, value: str | None, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.choose`."""
        plan = admin_tells.choose(name, value, audit)
        return self._write(choices.choose, name, value, plan=plan)

    def list_accounts(self, query: AccountQuery) -> Deferred[Sequence[ListedAccount]]:
        """See `IAdminStore.list_accounts`."""
        return self._reads.run(lambda db: administration.listed(db, query))

    def listed_account(self, account_id: int) -> Deferred[ListedAccount | None]:
        """See `IAdminStore.listed_account`."""
        return self._reads.run(lambda db: administration.get(db, account_id))

    def first_account(self, since: int) -> Deferred[int | None]:
        """See `IAdminStore.first_account`."""
        return self._reads.run(lambda db: administration.first_account(db, since))

    def set_operator(self, account_id: int, on: bool, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.set_operator`."""
        plan = admin_tells.set_operator(account_id, on, audit)
        return self._write(administration.set_operator, account_id, on, plan=plan)

    def rename(
        self, account_id: int, old: str, name: str, key: str, at: int, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IAdminStore.rename`."""
        plan = admin_tells.rename(account_id, old, name, key, audit)
        return self._write(administration.rename, account_id, old, name, key, at, plan=plan)

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
        return self._write(administration.add_login_link, *args, plan=plan)

    def find_login_link(self, token_hash: bytes, at: int) -> Deferred[Account | None]:
        """See `IAdminStore.find_login_link`."""
        return self._reads.run(lambda db: administration.find_login_link(db, token_hash, at))

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
        return self._write(deletions.begin, *args, plan=plan)

    def deletions(self) -> Deferred[Sequence[Account]]:
        """See `IAdminStore.deletions`."""
        return self._reads.run(deletions.unfinished)

    def find_profile(self, account_id: int) -> Deferred[tuple[Profile, int]]:
        """See `IProfileStore.find_profile`."""
        return self._reads.run(lambda db: profiles.find(db, account_id))

    def set_profile(self, account_id: int, profile: Profile) -> Deferred[None]:
        """See `IProfileStore.set_profile`."""
        plan = admin_tells.set_profile(account_id)
        return self._write(profiles.save, account_id, profile, plan=plan)

    def own_facts(self, account_id: int) -> Deferred[OwnFacts]:
        """See `IAdminStore.own_facts`."""
        return self._reads.run(lambda db: own_data.facts(db, account_id))

    def own_entries(self, account_id: int, after: int) -> Deferred[OwnEntries]:
        """See `IAdminStore.own_entries`."""
        return self._reads.run(lambda db: own_data.entries(db, account_id, after))

    def add_export_link(
        self, link: StoredExportLink, token_hash: bytes, expires_at: int, since: int
    ) -> Deferred[None]:
        """See `IExportStore.add_export_link`."""
        args = (link, token_hash, expires_at, since)
        return self._write(export_links.add, *args, plan=admin_tells.add_export_link(link))

    def find_export_link(self, token_hash: bytes, at: int) -> Deferred[StoredExportLink | None]:
        """See `IExportStore.find_export_link`."""
        return self._reads.run(lambda db: export_links.find(db, token_hash, at))

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
        return self._write(export_links.use, *args, plan=plan)

    def count_export(self, account_id: int, at: int) -> Deferred[None]:
        """See `IExportStore.count_export`."""
        return self._write(export_links.count, account_id, at)

    def count_names(self, pattern: NamePattern) -> Deferred[int]:
        """See `IAdminStore.count_names`."""
        return self._reads.run(lambda db: bans.count_names(db, pattern))

    def add_ban(
        self, ban: Ban, limit: int, connected: Sequence[EndedSession], audit: AuditRecord
    ) -> Deferred[Ban]:
        """See `IAdminStore.add_ban`."""
        plan = admin_tells.add_ban(ban.account_id, audit)
        return self._write(bans.add, ban, limit, tuple(connected), plan=plan)

    def remove_ban(self, ban_id: int, audit: AuditRecord) -> Deferred[None]:
        """See `IAdminStore.remove_ban`."""
        return self._write(bans.remove, ban_id, plan=admin_tells.remove_ban(ban_id, audit))

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
        return self._write(reports.add, report, limits, flagged, plan=plan)

    def find_report(self, reporter_id: int, log_id: int, seq: int) -> Deferred[int | None]:
        """See `IReportStore.find_report`."""
        return self._reads.run(lambda db: reports.find(db, reporter_id, log_id, seq))

    def report(self, report_id: int) -> Deferred[Report | None]:
        """See `IReportStore.report`."""
        return self._reads.run(lambda db: reports.get(db, report_id))

    def reports(self, query: ReportQuery) -> Deferred[Sequence[Report]]:
        """See `IReportStore.reports`."""
        return self._reads.run(lambda db: reports.page(db, query))

    def answer_report(
        self, report_id: int, answer: ReportAnswer, event: ReportAnswered, audit: AuditRecord
    ) -> Deferred[None]:
        """See `IReportStore.answer_report`."""
        plan = admin_tells.answer_report(event, audit)
        return self._write(reports.answer, report_id, answer, plan=plan)


def _do_nothing(db: Connection) -> None:
    """Do what a call does of which only its plan matters."""
