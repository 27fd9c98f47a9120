"""Reports of messages to those who moderate: records, and what a store does with them.

`IReportStore` is part of `interfaces.IStore`, whose conventions hold. Reports refer to rooms and
accounts by ids that are never given again, and stay when these are gone.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.audit import AuditRecord
from gtchat.chat.moderation_events import ReportAnswered, ReportMade
from gtchat.chat.records import PendingEntry

#: Stands for the reporter where the word filter has flagged the message; no user has such a name.
WORD_FILTER = "word filter"


@attrs.frozen(kw_only=True)
class Report:
    """A report of a message, with a copy of it as it was then.

    Attributes:
        id: its number; 0 as long as it is not stored.
        log_id: the room, or the log of the direct conversation.
        room: name of the room, "" for a direct message.
        seq: number of the message.
        author_id, author: who has sent it; the id is None if it was not known any more.
        msg: its text.
        sent_at: when it was sent, in milliseconds since 1970, UTC.
        reporter_id, reporter: who reports it; the word filter has no account, and is `WORD_FILTER`.
        rule: what the word filter has found: the pattern of the rule. "" of a user's report.
        reason: why, "" for no reason.
        at: when it was reported.
        outcome: one of `reports.OUTCOMES`, "" as long as it is not answered.
        answer: what the reporter is told with the outcome, "" for nothing.
        answered_by: name of who has answered it, "" as long as it is not answered.
        answered_at: when, 0 for not yet.
    """

    id: int = 0
    log_id: int
    room: str
    seq: int
    author_id: int | None
    author: str
    msg: str
    sent_at: int
    reporter_id: int | None
    reporter: str
    rule: str = ""
    reason: str
    at: int
    outcome: str = ""
    answer: str = ""
    answered_by: str = ""
    answered_at: int = 0


@attrs.frozen
class ReportLimits:
    """How many reports are kept; 0 for no limit.

    The word filter takes at most half of `room` and of `total`: the rest is for users.

    Attributes:
        account: of an account, that are not answered; of the word filter about an account.
        room: of messages of a room or a direct conversation, that are not answered.
        total: in all; the oldest that is answered makes place for another one. For one of the word
            filter it is one of the word filter.
    """

    account: int = 0
    room: int = 0
    total: int = 0


@attrs.frozen
class ReportQuery:
    """Which reports are listed, newest first.

    Attributes:
        log_id: of messages of a room; None for all rooms, and direct messages.
        reporter_id: of an account, None for all.
        answered: whether those that are answered are listed, too.
        before: number of the report before which the page begins, None for the newest.
        limit: the most reports of the page.
    """

    log_id: int | None = None
    reporter_id: int | None = None
    answered: bool = False
    before: int | None = None
    limit: int = 100


@attrs.frozen
class ReportAnswer:
    """An answer to a report; see `Report`."""

    outcome: str
    answer: str
    by: str
    at: int


class IReportStore(Interface):
    """Keeps reports."""

    def add_report(
        report: Report,
        event: ReportMade,
        limits: ReportLimits,
        audit: AuditRecord | None,
        flagged: PendingEntry | None = None,
    ) -> Deferred[int]:
        """Keep a report. Return its number, 0 if nothing was flagged.

        Args:
            report: the report, with the number 0.
            event: what other nodes are told, with the number of the report.
            limits: how many are kept.
            audit: the record that is stored with it, None for none.
            flagged: of the word filter: the message or the edit that it reports. It was queued
                before in the same turn of the reactor: so both are stored, or none. Its numbers are
                those of the report; if it was refused, or sent before, nothing is kept.

        Raises:
            NotAllowed: the account has reported the message before.
            TooMany: a limit is reached.
        """

    def find_report(reporter_id: int, log_id: int, seq: int) -> Deferred[int | None]:
        """Return the number of the report of a message by an account, None for none (read)."""

    def report(report_id: int) -> Deferred[Report | None]:
        """Return the report with a number, None if there is none (read)."""

    def reports(query: ReportQuery) -> Deferred[Sequence[Report]]:
        """Return reports, newest first (read)."""

    def answer_report(
        report_id: int, answer: ReportAnswer, event: ReportAnswered, audit: AuditRecord
    ) -> Deferred[None]:
        """Answer a report.

        Args:
            report_id: its number.
            answer: the answer.
            event: what other nodes are told.
            audit: the record that is stored with it.

        Raises:
            NotAllowed: it was answered before, or there is none.
        """


def number_of(flagged: PendingEntry) -> int:
    """Return the number of the message that an entry is, or changes; 0 if it was not stored."""
    entry = flagged.entry
    return getattr(entry, "of", entry.seq) if entry.seq else 0


def about_flagged(report: Report, flagged: PendingEntry) -> Report | None:
    """Return a report with the place of the message that was flagged, None if it was not stored."""
    seq = number_of(flagged)
    return attrs.evolve(report, log_id=flagged.room_id, seq=seq) if seq else None


def with_numbers(event: ReportMade, report_id: int, flagged: PendingEntry | None) -> ReportMade:
    """Return what is told of a report once it is stored; the arguments are of `add_report`."""
    if flagged is not None:
        event = attrs.evolve(event, of=number_of(flagged), log_id=flagged.room_id)
    return attrs.evolve(event, report_id=report_id)
