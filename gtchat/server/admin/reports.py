"""Administrative commands for reports of messages; the table is in `commands`."""

from __future__ import annotations

from typing import Any

from gtchat.chat.report_store import Report, ReportQuery
from gtchat.chat.reports import OUTCOMES, REPORTS_LIMIT
from gtchat.chat.storage_store import DIRECT_MESSAGES
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import AdminCommand, Call
from gtchat.server.admin.output import Output, listing, time_of


def _report(report: Report) -> dict[str, Any]:
    return {
        "id": report.id,
        "room": report.room or DIRECT_MESSAGES,
        "seq": report.seq,
        "author": report.author,
        "sent": time_of(report.sent_at),
        "by": report.reporter,
        "at": time_of(report.at),
        "reason": report.reason,
        "rule": report.rule,
        "outcome": report.outcome,
        "answered_by": report.answered_by,
        "answer": report.answer,
        "message": report.msg,
    }


async def list_reports(call: Call) -> Output:
    """List reports, newest first."""
    query = ReportQuery(answered=call["answered"], before=call["before"], limit=call["limit"])
    page = await call.chat.reports.listed_for_operator(call.actor, call["room"], query)
    return listing("reports", [_report(one) for one in page.reports], page.next)


async def answer_report(call: Call) -> Output:
    """Answer a report."""
    args = (call["id"], call["outcome"], call["answer"] or "")
    report = await call.chat.reports.answer_as_operator(call.actor, *args)
    text = f"report {report.id} of {report.reporter} is {call['outcome']}"
    return Output(text, {"id": report.id, "outcome": call["outcome"]})


#: Rows of the table.
ROWS = (
    AdminCommand(
        "reports list",
        list_reports,
        "list reports of messages that wait for an answer, newest first",
        (
            Argument("room", "of messages of this room", option=True),
            Argument(
                "answered", "also those that are answered", "flag", option=True, default=False
            ),
            Argument("before", "the number that the page begins before", "number", option=True),
            Argument(
                "limit",
                "items of a page",
                "number",
                option=True,
                default=REPORTS_LIMIT,
                maximum=REPORTS_LIMIT,
            ),
        ),
    ),
    AdminCommand(
        "reports answer",
        answer_report,
        "answer a report; who has made it is told",
        (
            Argument("id", "its number, as it is listed", "number"),
            Argument("outcome", "what comes of it", "choice", choices=OUTCOMES),
            Argument("answer", "what the user is told with it", option=True),
        ),
        audit="report_answered",
    ),
)
