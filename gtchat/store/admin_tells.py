"""What calls of operators need locked, and what other nodes are told.

Each function gets arguments of the call of `IAdminStore` with its name. Both stores use them.
"""

from __future__ import annotations

from collections.abc import Iterable

from gtchat.chat.audit import AuditRecord
from gtchat.chat.ban_records import Ban
from gtchat.chat.export_store import StoredExportLink
from gtchat.chat.moderation_events import ReportAnswered, ReportMade
from gtchat.chat.node_records import (
    AccountRenamed,
    BanAdded,
    BanRemoved,
    ChoiceMade,
    OperatorSet,
    SessionsEnded,
    SystemEntry,
)
from gtchat.chat.records import PendingEntry
from gtchat.chat.report_store import with_numbers
from gtchat.chat.storage_store import CountedBy
from gtchat.store.jobs import Locks, Plan


def record(audit: AuditRecord) -> Plan:
    """Return the plan of `record`."""
    return Plan(audit=audit)


def set_operator(account_id: int, on: bool, audit: AuditRecord) -> Plan:
    """Return the plan of `set_operator`."""
    told = OperatorSet(account_id, on)
    return Plan(Locks(accounts=(account_id,), system=True), lambda _: [told], audit=audit)


def rename(account_id: int, old: str, name: str, key: str, audit: AuditRecord) -> Plan:
    """Return the plan of `rename`."""
    # With the lock of the account no session of it begins, at any node; with that of its name it is
    # not taken before it is reserved.
    locks = Locks(names=(old, name), accounts=(account_id,), system=True)
    renamed = AccountRenamed(account_id, name, key)
    return Plan(locks, tells=lambda _: [renamed], audit=audit)


def begin_deletion(account_id: int, audit: AuditRecord) -> Plan:
    """Return the plan of `begin_deletion`."""
    ended = SessionsEnded(account_id, None, "ended")
    return Plan(Locks(accounts=(account_id,), system=True), lambda _: [ended], audit=audit)


def set_profile(account_id: int) -> Plan:
    """Return the plan of `IProfileStore.set_profile`."""
    return Plan(Locks(accounts=(account_id,)))


def add_login_link(account_id: int, audit: AuditRecord) -> Plan:
    """Return the plan of `add_login_link`."""
    return Plan(Locks(accounts=(account_id,)), audit=audit)


def add_export_link(link: StoredExportLink) -> Plan:
    """Return the plan of `IExportStore.add_export_link`."""
    return Plan(Locks(accounts=(link.account_id,)))


def use_export_link(link: StoredExportLink, audit: AuditRecord) -> Plan:
    """Return the plan of `IExportStore.use_export_link`."""
    return Plan(Locks(accounts=(link.account_id,)), audit=audit)


def choose(name: str, value: str | None, audit: AuditRecord) -> Plan:
    """Return the plan of `choose`."""
    return Plan(Locks(system=True), tells=lambda _: [ChoiceMade(name, value)], audit=audit)


def set_quota(by: CountedBy, owner_id: int, audit: AuditRecord) -> Plan:
    """Return the plan of `set_quota`; other nodes find the quota when they look next."""
    accounts = (owner_id,) if by == "accounts" else ()
    return Plan(Locks(accounts=accounts), audit=audit)


def add_ban(account_id: int | None, audit: AuditRecord) -> Plan:
    """Return the plan of `add_ban`."""

    def tells(ban: Ban) -> Iterable[SystemEntry]:
        return (BanAdded(ban),)

    # With the lock of the system log bans are counted one after the other.
    locks = Locks(accounts=() if account_id is None else (account_id,), system=True)
    return Plan(locks, tells, audit=audit)


def remove_ban(ban_id: int, audit: AuditRecord) -> Plan:
    """Return the plan of `remove_ban`."""
    return Plan(Locks(system=True), lambda _: [BanRemoved(ban_id)], audit=audit)


def add_report(event: ReportMade, audit: AuditRecord | None, flagged: PendingEntry | None) -> Plan:
    """Return the plan of `add_report`."""

    def tells(report_id: int) -> Iterable[SystemEntry]:
        return (with_numbers(event, report_id, flagged),) if report_id else ()

    # With the lock of the system log reports are counted one after the other.
    return Plan(Locks(system=True), tells, audit=audit)


def answer_report(event: ReportAnswered, audit: AuditRecord) -> Plan:
    """Return the plan of `answer_report`."""
    return Plan(Locks(system=True), lambda _: [event], audit=audit)
