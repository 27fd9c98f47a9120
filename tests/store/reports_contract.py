"""What every store does with reports of messages."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.admin_store import AuditLimits, AuditQuery
from gtchat.chat.audit import audit_record
from gtchat.chat.errors import NotAllowed, TooMany
from gtchat.chat.interfaces import HistoryQuery, PendingEntry
from gtchat.chat.moderation_events import ReportAnswered, ReportMade
from gtchat.chat.report_store import (
    WORD_FILTER,
    Report,
    ReportAnswer,
    ReportLimits,
    ReportQuery,
)
from tests.store.changes_contract import ChangeCase, edited
from tests.store.contract import message

REPORT = Report(
    log_id=7,
    room="Garden",
    seq=3,
    author_id=2,
    author="Bob",
    msg="buy this",
    sent_at=90,
    reporter_id=1,
    reporter="Ann",
    reason="spam",
    at=100,
)
FLAG = attrs.evolve(
    REPORT, reporter_id=None, reporter=WORD_FILTER, rule="spam", reason="", seq=0, log_id=0
)
MADE = ReportMade(report_id=0, room_name="Garden", usr="Bob", of=3, by="Ann", reason="spam", at=100)
ANSWERED = ReportAnswered(report_id=1, room_name="Garden", usr="Bob", of=3, outcome="x", at=200)
ANSWER = ReportAnswer("accepted", "Thank you", "Mod", 200)
NO_LIMITS = ReportLimits()
RECORD = audit_record("reported", 100, by="Ann", name="Bob", room="Garden", seq=3)
DONE = audit_record("report_answered", 200, by="Mod", name="Bob", room="Garden", id=1, outcome="x")


class ReportsContract(ChangeCase):
    """Reports, their bounds and their answers."""

    def add(self, limits: ReportLimits = NO_LIMITS, **fields: Any) -> Any:
        return self.store.add_report(attrs.evolve(REPORT, **fields), MADE, limits, RECORD)

    def answer(self, report_id: int) -> Any:
        return self.store.answer_report(report_id, ANSWER, ANSWERED, DONE)

    async def ids(self, **query: Any) -> list[int]:
        return [one.id for one in await self.store.reports(ReportQuery(**query))]

    async def codes(self) -> list[str]:
        return [one.code for one in await self.store.audit_records(AuditQuery())]

    async def test_a_report_is_found_as_it_was_stored(self) -> None:
        number = await self.add()
        self.assertEqual(await self.store.report(number), attrs.evolve(REPORT, id=number))
        self.assertEqual(await self.store.find_report(1, 7, 3), number)
        for other in ((2, 7, 3), (1, 8, 3), (1, 7, 4)):
            self.assertIsNone(await self.store.find_report(*other))
        self.assertIsNone(await self.store.report(number + 1))
        self.assertEqual(await self.codes(), ["reported"])

    async def test_an_account_reports_a_message_once(self) -> None:
        first = await self.add()
        await self.assertFails(self.add(reason="again"), NotAllowed)
        await self.answer(first)
        await self.assertFails(self.add(), NotAllowed)
        self.assertNotEqual(await self.add(reporter_id=5), first)
        self.assertEqual(await self.codes(), ["reported", "report_answered", "reported"])

    async def test_a_report_is_answered_once(self) -> None:
        number = await self.add()
        await self.answer(number)
        found = await self.store.report(number)
        self.assertEqual(
            (found.outcome, found.answer, found.answered_by, found.answered_at),
            attrs.astuple(ANSWER),
        )
        await self.assertFails(self.answer(number), NotAllowed)
        await self.assertFails(self.answer(number + 1), NotAllowed)
        self.assertEqual(await self.codes(), ["report_answered", "reported"])

    async def test_pages_are_newest_first(self) -> None:
        first = await self.add()
        second = await self.add(seq=4)
        other = await self.add(log_id=8, reporter_id=5)
        await self.answer(second)
        for query, wanted in (
            ({}, [other, first]),
            ({"answered": True}, [other, second, first]),
            ({"answered": True, "before": other}, [second, first]),
            ({"limit": 1}, [other]),
            ({"log_id": 7}, [first]),
            ({"log_id": 7, "answered": True}, [second, first]),
            ({"reporter_id": 5}, [other]),
            ({"reporter_id": 5, "log_id": 7}, []),
            ({"reporter_id": 1, "log_id": 7}, [first]),
        ):
            self.assertEqual(await self.ids(**query), wanted, query)

    async def test_what_is_not_answered_is_bounded(self) -> None:
        first = await self.add()
        of_account, of_room = ReportLimits(account=1), ReportLimits(room=1)
        await self.assertFails(self.add(of_account, seq=4, log_id=8), TooMany)
        await self.assertFails(self.add(of_room, reporter_id=5), TooMany)
        await self.add(of_account, reporter_id=5)
        await self.add(of_room, log_id=8)
        await self.answer(first)
        await self.add(ReportLimits(account=2), seq=5, log_id=9)

    async def test_an_answered_report_makes_place(self) -> None:
        limits = ReportLimits(total=2)
        first = await self.add(limits)
        second = await self.add(limits, seq=4)
        await self.assertFails(self.add(limits, seq=5), TooMany)
        await self.answer(second)
        third = await self.add(limits, seq=5)
        self.assertEqual(await self.ids(answered=True), [third, first])

    async def test_of_reports_at_the_same_time_no_more_are_kept(self) -> None:
        calls = [self.add(ReportLimits(total=1), reporter_id=number) for number in (1, 2)]
        await calls[0]
        await self.assertFails(calls[1], TooMany)

    def flag(self, limits: ReportLimits = NO_LIMITS, author: int = 2) -> Any:
        """Store a message with its flag; return the Deferred of their numbers."""

        async def flag() -> tuple[int, int]:
            entry = self.append(self.lobby, message("x"))
            number = await self.add_flag(entry, limits, author)
            return entry.entry.seq, number

        return Deferred.fromCoroutine(flag())

    def add_flag(
        self, entry: PendingEntry, limits: ReportLimits = NO_LIMITS, author: int = 2
    ) -> Any:
        report = attrs.evolve(FLAG, author_id=author)
        return self.store.add_report(report, MADE, limits, None, entry)

    async def test_a_flag_has_the_numbers_of_its_message(self) -> None:
        seq, number = await self.flag()
        found = await self.store.report(number)
        wanted = attrs.evolve(FLAG, id=number, log_id=self.lobby, seq=seq)
        self.assertEqual(found, wanted)
        self.assertEqual(await self.codes(), [])

    async def test_an_edit_has_the_number_of_the_message_and_a_flag_of_its_own(self) -> None:
        await self.prepare()
        numbers = []
        for text in ("y", "z", "z"):
            entry = self.change(edited(3, text), self.ann)
            numbers.append(await self.add_flag(entry))
        self.assertEqual(numbers[2], 0, "it has changed nothing")
        found = [await self.store.report(number) for number in numbers[:2]]
        self.assertEqual([(one.log_id, one.seq) for one in found], [(self.room_id, 3)] * 2)

    async def test_what_is_refused_or_sent_again_has_no_flag(self) -> None:
        bob = await self.account("Bob")
        first = self.append(self.lobby, message("x"), bob, "t")
        again = self.append(self.lobby, message("x"), bob, "t")
        refused = self.append(self.lobby, message("y"), bob, "t")
        numbers = [await self.add_flag(entry) for entry in (first, again, refused)]
        self.assertEqual(numbers[1:], [0, 0])
        self.assertEqual(await self.ids(), numbers[:1])

    async def test_flags_and_reports_of_a_message_do_not_meet(self) -> None:
        seq, number = await self.flag()
        for reporter in (1, 5):
            await self.add(log_id=self.lobby, seq=seq, reporter_id=reporter)
        self.assertEqual(len(await self.ids(log_id=self.lobby)), 3)
        self.assertEqual(await self.ids(reporter_id=5, log_id=self.lobby), [number + 2])

    async def test_flags_take_half_of_a_room(self) -> None:
        limits = ReportLimits(room=3)
        _, first = await self.flag(limits)
        await self.assertFails(self.flag(limits, author=3), TooMany)
        for reporter in (1, 2):
            await self.add(limits, log_id=self.lobby, reporter_id=reporter)
        await self.assertFails(self.add(limits, log_id=self.lobby, reporter_id=3), TooMany)
        await self.answer(first)
        await self.flag(limits)
        await self.assertFails(self.flag(ReportLimits(room=1)), TooMany)

    async def test_flags_of_an_author_are_bounded(self) -> None:
        limits = ReportLimits(account=1)
        _, first = await self.flag(limits)
        await self.assertFails(self.flag(limits), TooMany)
        await self.flag(limits, author=3)
        await self.add(limits, author_id=2)
        await self.answer(first)
        await self.flag(limits)

    async def test_a_flag_makes_place_for_a_flag_only(self) -> None:
        limits = ReportLimits(total=4)
        users = [await self.add(limits, reporter_id=reporter) for reporter in (1, 2)]
        await self.answer(users[0])
        _, first = await self.flag(limits)
        _, second = await self.flag(limits)
        await self.assertFails(self.flag(limits), TooMany)
        third = await self.add(limits, reporter_id=3)
        self.assertEqual(await self.ids(answered=True), [third, second, first, users[1]])
        await self.answer(second)
        _, last = await self.flag(limits)
        self.assertEqual(await self.ids(answered=True), [last, third, first, users[1]])
        await self.answer(first)
        newest = await self.add(limits, reporter_id=4)
        self.assertEqual(await self.ids(answered=True), [newest, last, third, users[1]])

    async def test_flags_take_half_of_all(self) -> None:
        limits = ReportLimits(total=3)
        await self.flag(limits)
        await self.assertFails(self.flag(limits), TooMany)
        for reporter in (1, 2):
            await self.add(limits, reporter_id=reporter)
        await self.assertFails(self.add(limits, reporter_id=3), TooMany)

    async def test_users_may_have_more_than_half(self) -> None:
        limits = ReportLimits(total=2)
        for reporter in (1, 2):
            await self.add(limits, reporter_id=reporter)
        await self.assertFails(self.flag(limits), TooMany)
        self.assertEqual(len(await self.texts(self.lobby, HistoryQuery())), 1)

    async def test_old_reports_are_deleted(self) -> None:
        await self.add()
        kept = await self.add(seq=4, at=101)
        await self.store.prune(0, 0, 0, AuditLimits(reports_before=101))
        self.assertEqual(await self.ids(), [kept])
        await self.store.prune(0, 0, 0, AuditLimits())
        self.assertEqual(await self.ids(), [kept])
