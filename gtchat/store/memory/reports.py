"""Reports, as `MemoryStore` keeps them.

Methods with the name of a method of `IReportStore` do the same, but return the result at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import attrs

import gtchat.store.report_rules as report_rules
from gtchat.chat.errors import NotAllowed
from gtchat.chat.records import PendingEntry
from gtchat.chat.report_store import (
    Report,
    ReportAnswer,
    ReportLimits,
    ReportQuery,
    about_flagged,
)


class ReportTable:
    """The reports."""

    def __init__(self) -> None:
        self._by_id: dict[int, Report] = {}
        self._last_id = 0

    def add_report(
        self, report: Report, limits: ReportLimits, flagged: PendingEntry | None = None
    ) -> int:
        """Keep a report. Return its number."""
        reporter_id = report.reporter_id
        of_filter: int | None = None
        if flagged is not None:
            found = about_flagged(report, flagged)
            if found is None:
                return 0
            report = found
        counted = list(self._by_id.values())
        if reporter_id is None:
            counted = [one for one in counted if one.reporter_id is None]
            of_filter = len(counted)
            own = [one for one in counted if one.author_id == report.author_id]
        elif self.find_report(reporter_id, report.log_id, report.seq) is None:
            own = [one for one in counted if one.reporter_id == reporter_id]
        else:
            raise NotAllowed(report_rules.REPORTED)
        of_room = [one for one in counted if one.log_id == report.log_id]
        open_own, open_of_room = (sum(not one.outcome for one in found) for found in (own, of_room))
        report_rules.check_counts(limits, open_own, open_of_room, reporter_id is None)
        if report_rules.is_full(limits, len(self._by_id), of_filter):
            answered = next((one.id for one in counted if one.outcome), None)
            if answered is None:
                raise report_rules.refuse_total()
            del self._by_id[answered]
        self._last_id += 1
        self._by_id[self._last_id] = attrs.evolve(report, id=self._last_id)
        return self._last_id

    def find_report(self, reporter_id: int, log_id: int, seq: int) -> int | None:
        """Return the number of the report of a message by an account, None for none."""
        wanted = (reporter_id, log_id, seq)
        found = (
            one.id
            for one in self._by_id.values()
            if (one.reporter_id, one.log_id, one.seq) == wanted
        )
        return next(found, None)

    def report(self, report_id: int) -> Report | None:
        """Return the report with a number, None if there is none."""
        return self._by_id.get(report_id)

    def reports(self, query: ReportQuery) -> Sequence[Report]:
        """Return reports, newest first."""
        found = (
            one
            for one in reversed(self._by_id.values())
            if query.log_id in (None, one.log_id)
            and query.reporter_id in (None, one.reporter_id)
            and (query.answered or not one.outcome)
            and (query.before is None or one.id < query.before)
        )
        return list(islice(found, query.limit))

    def answer_report(self, report_id: int, answer: ReportAnswer) -> None:
        """Answer a report."""
        report = self._by_id.get(report_id)
        if report is None or report.outcome:
            raise NotAllowed(report_rules.ANSWERED)
        self._by_id[report_id] = attrs.evolve(
            report,
            outcome=answer.outcome,
            answer=answer.answer,
            answered_by=answer.by,
            answered_at=answer.at,
        )

    def prune(self, before: int) -> None:
        """Delete the reports from before a time, in milliseconds."""
        self._by_id = {id_: one for id_, one in self._by_id.items() if one.at >= before}
