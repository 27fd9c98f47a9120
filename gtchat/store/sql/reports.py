"""Reports as a table: write, read, answer and prune them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, bindparam, delete, func, or_, select, update

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
from gtchat.store.sql import schema
from gtchat.store.sql.database import Connection
from gtchat.store.sql.statements import Statement, insert

_reports = schema.reports
#: The columns, which have the names of the attributes of `Report`, but the id.
_COLUMNS = tuple(column.name for column in _reports.c if column.name != "id")
_is_open = _reports.c.outcome == ""
_all = select(*(_reports.c[name] for name in ("id", *_COLUMNS)))
_GET = Statement(_all.where(_reports.c.id == bindparam("id")))
_wanted = _all.where(
    _reports.c.id < bindparam("before"), or_(_is_open, bindparam("answered", type_=Boolean))
)


def _list(*conditions: Any) -> Statement:
    return Statement(
        _wanted.where(*conditions).order_by(_reports.c.id.desc()).limit(bindparam("limit"))
    )


_of_log = _reports.c.log_id == bindparam("log")
_of_reporter = _reports.c.reporter_id == bindparam("reporter")
_LIST, _LIST_OF_LOG, _LIST_OF_REPORTER = _list(), _list(_of_log), _list(_of_reporter)
_LIST_OF_BOTH = _list(_of_log, _of_reporter)
_FIND = Statement(
    select(_reports.c.id).where(_of_reporter, _of_log, _reports.c.seq == bindparam("seq"))
)
_ADD = Statement(insert(_reports).returning(_reports.c.id), columns=_COLUMNS)
_count = select(func.count()).select_from(_reports)
_is_flag = _reports.c.reporter_id.is_(None)
_COUNT = Statement(_count)
_COUNT_FLAGS = Statement(_count.where(_is_flag))
_COUNT_FLAGS_OF_AUTHOR = Statement(
    _count.where(_is_open, _is_flag, _reports.c.author_id == bindparam("author"))
)
_COUNT_FLAGS_OF_LOG = Statement(_count.where(_is_open, _is_flag, _of_log))
_COUNT_OF_REPORTER = Statement(_count.where(_is_open, _of_reporter))
_COUNT_OF_LOG = Statement(_count.where(_is_open, _of_log))


def _delete_oldest(*conditions: Any) -> Statement:
    oldest = select(func.min(_reports.c.id)).where(~_is_open, *conditions).scalar_subquery()
    return Statement(delete(_reports).where(_reports.c.id == oldest).returning(_reports.c.id))


_DELETE_ANSWERED, _DELETE_ANSWERED_FLAG = _delete_oldest(), _delete_oldest(_is_flag)
_ANSWER = Statement(
    update(_reports)
    .where(_reports.c.id == bindparam("report"), _is_open)
    .values(
        outcome=bindparam("to_outcome"),
        answer=bindparam("to_answer"),
        answered_by=bindparam("to_by"),
        answered_at=bindparam("to_at"),
    )
    .returning(_reports.c.id)
)
_PRUNE = Statement(delete(_reports).where(_reports.c.at < bindparam("before")))
#: Above all ids.
_ABOVE = 2**63 - 1


def add(
    db: Connection, report: Report, limits: ReportLimits, flagged: PendingEntry | None = None
) -> int:
    """Keep a report; see `IReportStore.add_report`."""
    reporter_id = report.reporter_id
    of_filter: int | None = None
    if flagged is not None:
        found = about_flagged(report, flagged)
        if found is None:
            return 0
        report = found
    if reporter_id is None:
        own = _COUNT_FLAGS_OF_AUTHOR.scalar(db, author=report.author_id)
        of_room = _COUNT_FLAGS_OF_LOG.scalar(db, log=report.log_id)
        of_filter = _COUNT_FLAGS.scalar(db)
    elif find(db, reporter_id, report.log_id, report.seq) is None:
        own = _COUNT_OF_REPORTER.scalar(db, reporter=reporter_id)
        of_room = _COUNT_OF_LOG.scalar(db, log=report.log_id)
    else:
        raise NotAllowed(report_rules.REPORTED)
    report_rules.check_counts(limits, own, of_room, reporter_id is None)
    if report_rules.is_full(limits, _COUNT.scalar(db), of_filter):
        makes_place = _DELETE_ANSWERED if of_filter is None else _DELETE_ANSWERED_FLAG
        if makes_place.scalar(db) is None:
            raise report_rules.refuse_total()
    added: int = _ADD.scalar(db, **{name: getattr(report, name) for name in _COLUMNS})
    return added


def find(db: Connection, reporter_id: int, log_id: int, seq: int) -> int | None:
    """Return the number of a report; see `IReportStore.find_report`."""
    found: int | None = _FIND.scalar(db, reporter=reporter_id, log=log_id, seq=seq)
    return found


def get(db: Connection, report_id: int) -> Report | None:
    """Return a report; see `IReportStore.report`."""
    row = _GET(db, id=report_id).fetchone()
    return None if row is None else _from_row(row)


def page(db: Connection, query: ReportQuery) -> list[Report]:
    """Return reports, newest first; see `IReportStore.reports`."""
    wanted: dict[str, Any] = {
        "before": _ABOVE if query.before is None else query.before,
        "answered": query.answered,
        "limit": query.limit,
    }
    log, reporter = query.log_id is not None, query.reporter_id is not None
    statement = {
        (False, False): _LIST,
        (True, False): _LIST_OF_LOG,
        (False, True): _LIST_OF_REPORTER,
        (True, True): _LIST_OF_BOTH,
    }[log, reporter]
    if log:
        wanted["log"] = query.log_id
    if reporter:
        wanted["reporter"] = query.reporter_id
    return list(map(_from_row, statement(db, **wanted)))


def _from_row(row: Any) -> Report:
    return Report(**dict(zip(("id", *_COLUMNS), row, strict=True)))


def answer(db: Connection, report_id: int, given: ReportAnswer) -> None:
    """Answer a report; see `IReportStore.answer_report`."""
    answered = _ANSWER.scalar(
        db,
        report=report_id,
        to_outcome=given.outcome,
        to_answer=given.answer,
        to_by=given.by,
        to_at=given.at,
    )
    if answered is None:
        raise NotAllowed(report_rules.ANSWERED)


def prune(db: Connection, before: int) -> None:
    """Delete the reports from before a time, in milliseconds since 1970, UTC."""
    _PRUNE(db, before=before)
