"""Flags: the word filter reports messages, as users do, to those who moderate.

A report is queued right behind its message, in the same turn of the reactor: a store has both in
one transaction, so that no message is kept without its report.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gtchat.chat.background import run_in_background
from gtchat.chat.errors import TooMany
from gtchat.chat.events import Edited, MessageSent
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.interfaces import PendingEntry
from gtchat.chat.report_store import WORD_FILTER, Report, number_of, with_numbers
from gtchat.chat.reports import Reports
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session


class Flags:
    """Reports messages that the word filter flags.

    Args:
        state: the chat's shared objects.
        reports: tells those who may answer.
    """

    def __init__(self, state: State, reports: Reports) -> None:
        self._reports = reports
        self._store = state.store
        self._filter = state.word_filter

    def report(
        self, rule: FilterRule, session: Session, room: Room | None, pending: PendingEntry
    ) -> None:
        """Report a message, or an edit, in the background.

        Args:
            rule: the rule that flags it.
            session: a session of the author.
            room: the room, None for a direct message.
            pending: the message, or the edit, which was queued in this turn of the reactor.
        """
        reporting = Deferred.fromCoroutine(self._report(rule, session, room, pending))
        run_in_background(reporting, "reporting what the word filter has flagged")

    async def _report(
        self, rule: FilterRule, session: Session, room: Room | None, pending: PendingEntry
    ) -> None:
        """Store a report, or a record of the audit log if no more reports are kept."""
        entry, user, actor = pending.entry, session.user, session.actor
        assert isinstance(entry, MessageSent | Edited)
        report = Report(
            log_id=pending.room_id,
            room="" if room is None else room.name,
            seq=0,
            author_id=user.id,
            author=user.name,
            msg=entry.msg,
            sent_at=entry.at,
            reporter_id=None,
            reporter=WORD_FILTER,
            rule=rule.pattern,
            reason="",
            at=entry.at,
        )
        event, kept = self._reports.event_of(report, room), self._reports.kept
        try:
            report_id = await self._store.add_report(report, event, kept, None, pending)
        except TooMany:
            self._filter.note(rule, actor, user.name, report.room, number_of(pending))
            return
        if report_id:
            self._reports.tell_made(with_numbers(event, report_id, pending))
