"""Whispers: from one person to one other, kept while that one is away.

A whisper stays in the store until it has surely arrived: its target's session lived on for longer
than a dead connection can go unnoticed, or ended in an orderly way. Whoever loses his connection
before gets it again, with the same id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.chat.errors import Blocked, SelfTarget
from gtchat.chat.events import Spoke, Whispered
from gtchat.chat.interfaces import IStore, Receipt
from gtchat.chat.limits import Limits
from gtchat.chat.names import check_txn, text
from gtchat.chat.people import People, Session, User
from gtchat.chat.persons import Persons
from gtchat.chat.unattended import unattended

#: Stored whispers given at once, and the seconds until more are, if these could be sent.
PAGE, PAUSE = 100, 0.05
#: Seconds between two looks at what has surely arrived.
LOOK = 10.0


@attrs.frozen
class _Told:
    session: Session
    number: int
    id: str
    at: float


class Whispers:
    """All that is said between two."""

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        limits: Limits,
        people: People,
        persons: Persons,
        next_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._people = people
        self._persons = persons
        self._next_id = next_id
        self._told: deque[_Told] = deque()
        self._look: IDelayedCall | None = None
        self._stopped = False

    async def send(
        self, session: Session, target: str, raw: str, txn: str | None
    ) -> tuple[Receipt, bool]:
        """Say something to somebody.

        Args:
            txn: the client's own mark against doubles.

        Returns:
            The receipt, and whether it was told at once.

        Raises:
            BadRequest, TooLong, NoSuchUser, SelfTarget, Blocked, TxnConflict, NotAllowed (too many
            are stored), NotStored.
        """
        check_txn(txn)
        msg = text(raw, self._limits.text_chars)
        person = await self._persons.named(target, session.user)
        if person.id == session.user.id:
            raise SelfTarget()
        if person.blocks_asker:
            raise Blocked()
        event = Whispered(usr=session.user.name, msg=msg, id=self._next_id(), at=self._people.now())
        receipt, number = await self._store.whisper(
            session.user.id,
            person.id,
            event,
            txn,
            self._limits.stored_whispers_per_user,
        )
        return receipt, not receipt.dup and self._tell(person.id, event, number)

    def _tell(self, account_id: int, event: Whispered, number: int) -> bool:
        """Tell a whisper that is stored to its target's sessions, if there are any."""
        user = self._people.numbered(account_id)
        if user is None or not user.sessions:
            return False
        for session in user.sessions:
            if session.owed is not None:
                session.owed = number
            else:
                session.tell(event)
                self._remember(session, number, event.id)
        return True

    def _remember(self, session: Session, number: int, id: str) -> None:
        self._told.append(_Told(session, number, id, self._clock.seconds()))
        if self._look is None and not self._stopped:
            self._look = self._clock.callLater(LOOK, self._forget_arrived)

    async def give(self, session: Session) -> None:
        """Tell a session that has begun all that waits for its user, as fast as it reads.

        Raises:
            NotStored: it could not be read, and is told at the next login.
        """
        after = 0
        while session in session.user.sessions:
            page = await self._store.whispers(session.user.id, after, PAGE)
            if session not in session.user.sessions:
                return
            for whisper in page:
                session.tell(whisper.event)
                self._remember(session, whisper.number, whisper.event.id)
                after = whisper.number
            if not page and (session.owed or 0) <= after:
                session.owed = None
                return
            if len(page) == PAGE:
                await self._pause(session)

    async def _pause(self, session: Session) -> None:
        """Wait until a session has read what it was given."""
        while session.outlet.unsent and session in session.user.sessions:
            waiting: Deferred[None] = Deferred()
            self._clock.callLater(PAUSE, waiting.callback, None)
            await waiting

    def confirm(self, session: Session, ids: Collection[str]) -> None:
        """A protocol knows that these whispers have arrived.

        Args:
            ids: of whispers that the session was told.
        """
        arrived = [told for told in self._told if told.session is session and told.id in ids]
        self._told = deque(told for told in self._told if told not in arrived)
        self._forget(arrived)

    async def keep(self, user: User, event: Spoke) -> None:
        """Keep something that was said in a room for somebody whom it did not reach, and who gets
        it as a whisper at his next login.

        Raises:
            NoSuchUser: the speaker is no more. NotAllowed (too many are stored), NotStored.
        """
        speaker = await self._persons.named(event.usr)
        whisper = Whispered(usr=event.usr, msg=event.msg, id=self._next_id(), at=event.at)
        most = self._limits.stored_whispers_per_user
        await self._store.whisper(speaker.id, user.id, whisper, None, most)

    def arrived(self, session: Session) -> None:
        """A session ended in an orderly way: what it was told has arrived."""
        self._forget([told for told in self._told if told.session is session])
        self.lost(session)

    def lost(self, session: Session) -> None:
        """A session's connection was lost: what it was told last may not have arrived."""
        if any(told.session is session for told in self._told):
            self._told = deque(told for told in self._told if told.session is not session)

    def _forget_arrived(self) -> None:
        """Forget what was told so long ago that its session would not live had it not arrived."""
        self._look = None
        sure = self._limits.ping_interval + self._limits.ping_timeout
        arrived = []
        while self._told and self._told[0].at + sure <= self._clock.seconds():
            arrived.append(self._told.popleft())
        self._forget(arrived)
        if self._told:
            self._look = self._clock.callLater(LOOK, self._forget_arrived)

    def _forget(self, arrived: list[_Told]) -> None:
        numbers: dict[int, list[int]] = {}
        for told in arrived:
            numbers.setdefault(told.session.user.id, []).append(told.number)
        for account_id, told_numbers in numbers.items():
            # Those that stay come again at the next login, with the same id.
            unattended(
                self._store.forget_whispers(account_id, told_numbers),
                "forgetting whispers",
            )

    def stop(self) -> None:
        """Leave no timer behind."""
        self._stopped = True
        if self._look is not None:
            self._look.cancel()
            self._look = None
