"""Reports of messages: commands of those who report, and of those who answer; replies, handlers."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from gtchat.chat.report_store import Report, ReportQuery
from gtchat.chat.reports import REPORTS_LIMIT
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import cursors
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.messages import target_of
from gtchat.protocols.gtchat_json.reply_size import encoded_bytes, reply_bytes
from gtchat.protocols.gtchat_json.requests import MessageRequest, Request, Whole
from gtchat.protocols.gtchat_json.responses import Reply


class ReportMessage(MessageRequest, tag="report", kw_only=True):
    """Report a message of another user to those who moderate it, with the reason."""

    reason: str = ""


class GetReports(Request, tag="get_reports"):
    """List reports, newest first: of a room, for its moderators; all, for operators.

    `own`: those that the user has made. `answered`: also those that are answered.
    """

    room_name: str | None = None
    own: bool = False
    answered: bool = False
    before: str | None = None
    limit: Whole = 50


class AnswerReport(Request, tag="answer_report"):
    """Answer a report. `answer`: what the user who has made it is told with the outcome."""

    report_id: Whole
    outcome: Literal["accepted", "dismissed"]
    answer: str = ""


class ReportReply(Reply, kw_only=True):
    """A report that is stored. `dup`: the user has made it before."""

    report_id: int
    dup: bool | UnsetType = UNSET


class ReportInfo(msgspec.Struct, kw_only=True):
    """A report by `by` of a message of `usr`, with a copy of it: `msg`, sent at `sent`.

    Without `room_name` it was a direct message. The word filter is `word filter`; operators see its
    `rule`.
    """

    report_id: int
    room_name: str | UnsetType = UNSET
    seq: int
    usr: str
    msg: str
    sent: str
    by: str
    reason: str
    rule: str | UnsetType = UNSET
    at: str
    outcome: str | UnsetType = UNSET
    answer: str | UnsetType = UNSET
    answered_by: str | UnsetType = UNSET
    answered: str | UnsetType = UNSET


class ReportsReply(Reply, kw_only=True):
    """A page of reports. `next`: `before` of the next page."""

    reports: list[ReportInfo]
    next: str | UnsetType = UNSET


async def report(context: Context, request: ReportMessage) -> ReportReply:
    """Report a message."""
    made = await context.chat.reports.report(
        context.require_session, target_of(request), request.seq, request.reason
    )
    return ReportReply(report_id=made.id, dup=made.dup or UNSET)


def _info(report: Report) -> ReportInfo:
    info = ReportInfo(
        report_id=report.id,
        room_name=report.room or UNSET,
        seq=report.seq,
        usr=report.author,
        msg=report.msg,
        sent=rfc3339(report.sent_at),
        by=report.reporter,
        reason=report.reason,
        rule=report.rule or UNSET,
        at=rfc3339(report.at),
    )
    if report.outcome:
        info.outcome, info.answer = report.outcome, report.answer
        info.answered_by, info.answered = report.answered_by, rfc3339(report.answered_at)
    return info


async def get_reports(context: Context, request: GetReports) -> ReportsReply:
    """List reports."""
    query = ReportQuery(
        answered=request.answered,
        before=None if request.before is None else cursors.decode(request.before),
        limit=min(request.limit, REPORTS_LIMIT),
    )
    page = await context.chat.reports.listed(
        context.require_session, request.room_name, query, request.own
    )
    reports: list[ReportInfo] = []
    room_left = reply_bytes(request)
    for info in map(_info, page.reports):
        room_left -= encoded_bytes(info) + 1
        if room_left < 0 and reports:
            return ReportsReply(reports=reports, next=cursors.encode(reports[-1].report_id))
        reports.append(info)
    return ReportsReply(
        reports=reports, next=UNSET if page.next is None else cursors.encode(page.next)
    )


async def answer_report(context: Context, request: AnswerReport) -> Reply:
    """Answer a report."""
    await context.chat.reports.answer(
        context.require_session, request.report_id, request.outcome, request.answer
    )
    return Reply()
