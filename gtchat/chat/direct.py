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

from gtchat.chat.background import run_in_background
from gtchat.chat.errors import Blocked
from gtchat.chat.events import MessageSent, WhisperSent
from gtchat.chat.interfaces import Ack, IStore
from gtchat.chat.limits import Limits
from gtchat.chat.names import check_txn, text
from gtchat.chat.users import Session, User, UserDirectory, UserRegistry

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
        users: UserRegistry,
        directory: UserDirectory,
        next_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._users = users
        self._directory = directory
        self._next_id = next_id
        self._unconfirmed: deque[_Told] = deque()
        self._look: IDelayedCall | None = None
        self._stopped = False

    async def send(
        self, session: Session, target: str, raw: str, txn: str | None
    ) -> tuple[Ack, bool]:
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
        person = await self._directory.resolve_other(target, session.user)
        if person.blocks_asker:
            raise Blocked()
        event = WhisperSent(
            usr=session.user.name, msg=msg, id=self._next_id(), at=self._users.now()
        )
        receipt, number = await self._store.whisper(
            session.user.id,
            person.id,
            event,
            txn,
            self._limits.stored_whispers_per_user,
        )
        return receipt, not receipt.dup and self._push(person.id, event, number)

    def _push(self, account_id: int, event: WhisperSent, number: int) -> bool:
        """Tell a whisper that is stored to its target's sessions, if there are any."""
        user = self._users.get_by_id(account_id)
        if user is None or not user.sessions:
            return False
        for session in user.sessions:
            if session.pending_whisper is not None:
                session.pending_whisper = number
            else:
                session.send(event)
                self._remember(session, number, event.id)
        return True

    def _remember(self, session: Session, number: int, id: str) -> None:
        self._unconfirmed.append(_Told(session, number, id, self._clock.seconds()))
        if self._look is None and not self._stopped:
            self._look = self._clock.callLater(LOOK, self._forget_arrived)

    async def deliver_pending(self, session: Session) -> None:
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
                session.send(whisper.event)
                self._remember(session, whisper.number, whisper.event.id)
                after = whisper.number
            if not page and (session.pending_whisper or 0) <= after:
                session.pending_whisper = None
                return
            if len(page) == PAGE:
                await self._pause(session)

    async def _pause(self, session: Session) -> None:
        """Wait until a session has read what it was given."""
        while session.connection.buffered_bytes and session in session.user.sessions:
            waiting: Deferred[None] = Deferred()
            self._clock.callLater(PAUSE, waiting.callback, None)
            await waiting

    def confirm(self, session: Session, ids: Collection[str]) -> None:
        """A protocol knows that these whispers have arrived.

        Args:
            ids: of whispers that the session was told.
        """
        arrived = [told for told in self._unconfirmed if told.session is session and told.id in ids]
        self._unconfirmed = deque(told for told in self._unconfirmed if told not in arrived)
        self._forget(arrived)

    async def keep(self, user: User, event: MessageSent) -> None:
        """Keep something that was said in a room for somebody whom it did not reach, and who gets
        it as a whisper at his next login.

        Raises:
            NoSuchUser: the speaker is no more. NotAllowed (too many are stored), NotStored.
        """
        speaker = await self._directory.resolve(event.usr)
        whisper = WhisperSent(usr=event.usr, msg=event.msg, id=self._next_id(), at=event.at)
        limit = self._limits.stored_whispers_per_user
        await self._store.whisper(speaker.id, user.id, whisper, None, limit)

    def session_ended(self, session: Session) -> None:
        """A session ended in an orderly way: what it was told has arrived."""
        self._forget([told for told in self._unconfirmed if told.session is session])
        self.session_lost(session)

    def session_lost(self, session: Session) -> None:
        """A session's connection was lost: what it was told last may not have arrived."""
        if any(told.session is session for told in self._unconfirmed):
            self._unconfirmed = deque(
                told for told in self._unconfirmed if told.session is not session
            )

    def _forget_arrived(self) -> None:
        """Forget what was told so long ago that its session would not live had it not arrived."""
        self._look = None
        sure = self._limits.ping_interval + self._limits.ping_timeout
        arrived = []
        while self._unconfirmed and self._unconfirmed[0].at + sure <= self._clock.seconds():
            arrived.append(self._unconfirmed.popleft())
        self._forget(arrived)
        if self._unconfirmed:
            self._look = self._clock.callLater(LOOK, self._forget_arrived)

    def _forget(self, arrived: list[_Told]) -> None:
        numbers: dict[int, list[int]] = {}
        for told in arrived:
            numbers.setdefault(told.session.user.id, []).append(told.number)
        for account_id, told_numbers in numbers.items():
            # Those that stay come again at the next login, with the same id.
            run_in_background(
                self._store.delete_whispers(account_id, told_numbers),
                "forgetting whispers",
            )

    def stop(self) -> None:
        """Leave no timer behind."""
        self._stopped = True
        if self._look is not None:
            self._look.cancel()
            self._look = None
