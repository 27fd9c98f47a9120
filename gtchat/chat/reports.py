"""Reports of messages: a user reports one to those who moderate it, who answer.

Moderators of a room see and answer the reports of messages of users of a lower rank; operators see
and answer all, and those of direct messages. No user sees a report of the own messages. Blocks do
not matter here: to report and to answer is not to write to each other.

What the word filter flags is a report without an account (`flags`). Operators see its rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.authority import is_operator, moderates
from gtchat.chat.changes import REASON_CHARS, check_reason
from gtchat.chat.conversations import Conversation, Conversations, Target
from gtchat.chat.errors import (
    NEEDS_MODERATOR,
    BadRequest,
    MessageDeleted,
    NoSuchMessage,
    NotAllowed,
    NotOwner,
    RateLimited,
    SelfTarget,
)
from gtchat.chat.events import AnnotatedMessage, MessageSent
from gtchat.chat.history_records import HistoryQuery
from gtchat.chat.limits import Limits, network_key
from gtchat.chat.messages import text
from gtchat.chat.moderation import Rank, rank_of
from gtchat.chat.moderation_events import ReportAnswered, ReportMade
from gtchat.chat.node_records import ForeignHandlers
from gtchat.chat.report_store import Report, ReportAnswer, ReportLimits, ReportQuery
from gtchat.chat.room_admin import shown_name
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.storage_store import DIRECT_MESSAGES
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session, User

#: What can come of a report: something was done about the message, or there is nothing to do.
OUTCOMES = ("accepted", "dismissed")
#: Most reports of a page.
REPORTS_LIMIT = 100
NO_REPORT = "There is no such report."


@attrs.frozen
class MadeReport:
    """A report that is stored.

    Attributes:
        id: its number.
        dup: whether the user had made it before.
    """

    id: int
    dup: bool = False


@attrs.frozen
class ReportPage:
    """A page of reports.

    Attributes:
        reports: the reports, newest first.
        next: number before which the next page begins, None for no further page.
    """

    reports: Sequence[Report]
    next: int | None


def _report_rate(limits: Limits) -> tuple[float, float]:
    return limits.reports_per_hour / 3600, max(limits.reports_per_hour, 1)


class Reports:
    """Takes, lists and answers reports.

    Args:
        state: the chat's shared objects.
        conversations: finds rooms and direct conversations.
    """

    def __init__(self, state: State, conversations: Conversations) -> None:
        self._conversations = conversations
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._loader = state.loader
        self._audit = state.audit
        self._quota = state.quota
        self._limits = state.limits
        self._rates = BucketTable(state.limits.rate(_report_rate), state.clock.seconds)

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {
            ReportMade: lambda _, event: self.tell_made(event),
            ReportAnswered: lambda _, event: self._tell_answered(event),
        }

    # Who reports.

    async def report(
        self, session: Session, target: Target, seq: int, reason: str = ""
    ) -> MadeReport:
        """Report a message of another user to those who moderate it.

        Args:
            session: a session of a user who can read the message.
            target: the room, or the direct conversation.
            seq: the message.
            reason: why, at most `REASON_CHARS` characters; "" for no reason.

        Raises:
            NoSuchRoom, NotInRoom, NoSuchUser, BadRequest, TooLong, NotStored.
            NoSuchMessage, MessageDeleted: there is no such message any more.
            SelfTarget: it is the user's own.
            RateLimited: the user, or the guests of the user's address, report too often.
            TooMany: too many reports are not answered.
        """
        user, reason = session.user, check_reason(reason)
        place = await self._conversations.require(target, user)
        message = await self._find_message(place, user, seq)
        if message.subject_id == user.id:
            raise SelfTarget()
        former = await self._store.find_report(user.id, place.id, seq)
        if former is not None:
            return MadeReport(former, dup=True)
        self._charge(session)
        room = place if isinstance(place, Room) else None
        report = Report(
            log_id=place.id,
            room=place.name,
            seq=seq,
            author_id=message.subject_id,
            author=message.usr,
            msg=message.msg,
            sent_at=message.at,
            reporter_id=user.id,
            reporter=user.name,
            reason=reason,
            at=self._users.now(),
        )
        return MadeReport(await self._add(report, room, session.actor))

    async def _find_message(self, place: Room | Conversation, user: User, seq: int) -> MessageSent:
        """Return a message as it is now. Raises NoSuchMessage, MessageDeleted, NotStored."""
        query = HistoryQuery(
            after=seq - 1, limit=1, kinds=frozenset({MessageSent.kind}), viewer=user.id
        )
        page = await self._store.history(place.id, query) if place.id and seq > 0 else None
        message = page.entries[0] if page is not None and page.entries else None
        if not isinstance(message, MessageSent) or message.seq != seq:
            raise NoSuchMessage()
        if isinstance(message, AnnotatedMessage) and message.deleted is not None:
            raise MessageDeleted()
        return message

    def _charge(self, session: Session) -> None:
        """Charge the rate of a user; guests, who cost nothing, share that of their address."""
        self._quota.check_space()
        user = session.user
        key = user.id if user.registered else network_key(session.connection.address)
        if wait := self._rates.take(key):
            raise RateLimited("You have reported too many messages.", retry_after=wait)

    async def _add(self, report: Report, room: Room | None, actor: Actor) -> int:
        """Store a report, and tell those who may answer it. Return its number."""
        record = self._record("reported", report, actor, seq=report.seq)
        event = self.event_of(report, room)
        report_id = await self._store.add_report(report, event, self.kept, record)
        write_line(record)
        self.tell_made(attrs.evolve(event, report_id=report_id))
        return report_id

    def event_of(self, report: Report, room: Room | None) -> ReportMade:
        """Return what those are told who may answer a report.

        Args:
            report: the report.
            room: the room, None for a direct message.
        """
        return ReportMade(
            report_id=0,
            room_name=report.room,
            usr=report.author,
            of=report.seq,
            by=report.reporter,
            reason=report.reason,
            subject_id=report.author_id,
            log_id=report.log_id,
            to_operators=room is None
            or not any(_moderators(room, report.author_id, report.author)),
            at=report.at,
        )

    @property
    def kept(self) -> ReportLimits:
        """How many reports are kept now."""
        limits = self._limits
        return ReportLimits(limits.reports_per_account, limits.reports_per_room, limits.reports)

    def _record(self, code: str, report: Report, actor: Actor, **fields: object) -> AuditRecord:
        room = report.room or DIRECT_MESSAGES
        return self._audit.record(code, actor, name=report.author, room=room, **fields)

    def tell_made(self, event: ReportMade) -> None:
        """Send a report to those here who may answer it."""
        if event.to_operators:
            for user in self._users:
                for session in user.sessions if user.id != event.subject_id else ():
                    if session.operator:
                        session.send(event)
        elif (room := self._rooms.get(event.log_id)) is not None:
            for account_id in _moderators(room, event.subject_id, event.usr):
                moderator = self._users.get_by_id(account_id)
                if moderator is not None:
                    moderator.send(event)

    # Who answers.

    async def listed(
        self,
        session: Session,
        raw: str | None,
        query: ReportQuery,
        own: bool = False,
    ) -> ReportPage:
        """Return reports, newest first.

        Args:
            session: a session of a moderator, or of an operator.
            raw: the name of the room as it was typed; None for all reports, as an operator.
            query: whether those that are answered are listed, too; where the page begins.
            own: whether those that the user has made are listed, for any user.

        Raises:
            NoSuchRoom, BadRequest, NotStored.
            NotOwner: the user is no moderator of the room, and no operator.
        """
        user, room = session.user, None
        if raw is not None:
            room = await self._loader.look(raw)
            query = attrs.evolve(query, log_id=room.id)
        if own:
            return await self._page(attrs.evolve(query, reporter_id=user.id))
        if await is_operator(self._store, user):
            self._audit.note("admin_read", session.actor, command="get_reports")
            room = None  # sees those of moderators, too
        elif not isinstance(room, Room) or not moderates(room, user):
            raise NotOwner(NEEDS_MODERATOR)
        page = await self._page(query)
        seen = [one for one in page.reports if _may_see(user.id, user.name, one, room)]
        if room is not None:  # only operators see the rules of the word filter
            seen = [attrs.evolve(one, rule="") for one in seen]
        return attrs.evolve(page, reports=seen)

    async def listed_for_operator(
        self, actor: Actor, raw: str | None, query: ReportQuery
    ) -> ReportPage:
        """Return reports, newest first, for an administrative command.

        Args:
            actor: the operator.
            raw, query: as in `listed`.

        Raises:
            NoSuchRoom, BadRequest, NotStored.
        """
        if raw is not None:
            query = attrs.evolve(query, log_id=(await self._loader.look(raw)).id)
        page = await self._page(query)
        seen = [one for one in page.reports if one.author != actor.name]
        return attrs.evolve(page, reports=seen)

    async def _page(self, query: ReportQuery) -> ReportPage:
        limit = query.limit
        if not 1 <= limit <= REPORTS_LIMIT:
            raise BadRequest(f"limit: must be 1 to {REPORTS_LIMIT}.")
        found = await self._store.reports(attrs.evolve(query, limit=limit + 1))
        return ReportPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def answer(
        self, session: Session, report_id: int, outcome: str, answer: str = ""
    ) -> None:
        """Answer a report, as a moderator or an operator; who has made it is told.

        Args:
            session: a session of the user who answers.
            report_id: the number of the report.
            outcome: one of `OUTCOMES`.
            answer: what the reporter is told with it, at most `REASON_CHARS` characters; "" for
                nothing.

        Raises:
            BadRequest, TooLong, NotStored.
            NotAllowed: there is no such report, the user may not answer it, or it was answered.
        """
        report, user = await self._store.report(report_id), session.user
        if report is None or not await self._may_answer(user, report):
            raise NotAllowed(NO_REPORT)
        await self._answer(report, ReportAnswer(outcome, answer, user.name, 0), session.actor)

    async def _may_answer(self, user: User, report: Report) -> bool:
        if report.author_id == user.id:
            return False
        room = self._rooms.get(report.log_id) if report.room else None  # is, if the user is in it
        is_moderator = room is not None and moderates(room, user)
        if is_moderator and _may_see(user.id, user.name, report, room):
            return True
        return await is_operator(self._store, user)

    async def answer_as_operator(
        self, actor: Actor, report_id: int, outcome: str, answer: str
    ) -> Report:
        """Answer a report by an administrative command. Return it as it was.

        Args:
            actor: the operator.
            report_id, outcome, answer: as in `answer`.

        Raises:
            BadRequest, TooLong, NotStored.
            NotAllowed: as of `answer`.
        """
        report = await self._store.report(report_id)
        if report is None or report.author == actor.name:
            raise NotAllowed(NO_REPORT)
        await self._answer(report, ReportAnswer(outcome, answer, shown_name(actor), 0), actor)
        return report

    async def _answer(self, report: Report, given: ReportAnswer, actor: Actor) -> None:
        """Check and store an answer; tell who has made the report."""
        if given.outcome not in OUTCOMES:
            raise BadRequest(f"outcome: must be one of {', '.join(OUTCOMES)}.")
        answer = text(given.answer, REASON_CHARS, "answer") if given.answer else ""
        if (report.outcome, report.answer, report.answered_by) == (
            given.outcome,
            answer,
            given.by,
        ):
            return  # its reply was lost
        given = attrs.evolve(given, answer=answer, at=self._users.now())
        record = self._record("report_answered", report, actor, id=report.id, outcome=given.outcome)
        event = ReportAnswered(
            report_id=report.id,
            room_name=report.room,
            usr=report.author,
            of=report.seq,
            outcome=given.outcome,
            answer=answer,
            subject_id=report.reporter_id,
            at=given.at,
        )
        await self._store.answer_report(report.id, given, event, record)
        write_line(record)
        self._tell_answered(event)

    def _tell_answered(self, event: ReportAnswered) -> None:
        """Tell the user who has made a report, if here, that it was answered."""
        reporter = self._users.get_by_id(event.subject_id)
        if reporter is not None:
            reporter.send(event)


def _moderators(room: Room, author_id: int | None, author: str) -> Iterator[int]:
    """Yield the accounts that may answer reports of messages of an author in a room."""
    ranked = {id_: one.name for id_, one in room.moderation.roles.items()}
    if room.owner_id is not None:  # who may have a role from before
        ranked[room.owner_id] = room.owner
    for account_id, name in ranked.items():
        rank = rank_of(room, account_id, name)
        if rank >= Rank.MODERATOR and rank > rank_of(room, author_id, author):
            yield account_id


def _may_see(account_id: int, name: str, report: Report, room: Room | None) -> bool:
    """Return whether a user may see a report.

    Args:
        account_id, name: the user, a moderator of the room.
        report: the report.
        room: the room; None for an operator, who sees those of all users but of the own messages.
    """
    if report.author_id == account_id:
        return False
    return room is None or rank_of(room, report.author_id, report.author) < rank_of(
        room, account_id, name
    )
