"""Direct messages (whispers): from one user to one other, stored until they have arrived.

A whisper stays in the store until its target has received it for certain: the session that it was
sent to lived on for longer than a dead connection can go unnoticed, or it was closed in order, or
the protocol confirmed it. A user who lost the connection before gets it again with the same id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.background import run_in_background
from gtchat.chat.errors import Blocked, ChatError
from gtchat.chat.events import MessageSent, WhisperSent
from gtchat.chat.interfaces import Ack
from gtchat.chat.limits import REPLY_BYTES
from gtchat.chat.messages import check_txn, text
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Stored whispers that are sent at once, and seconds between two looks whether they have left.
PAGE, PAUSE_S = 100, 0.05
#: Characters of a page that are so much that no more is sent at once: a page has `REPLY_BYTES`.
PAGE_CHARS = REPLY_BYTES // 8
#: Seconds between two deletions of whispers that have arrived.
DELETE_INTERVAL_S = 10.0


@attrs.frozen
class _SentWhisper:
    """A whisper that was sent and may not have arrived.

    Attributes:
        session: the session that it was sent to.
        number: its number in the store.
        at: monotonic seconds when it was sent.
    """

    session: Session
    number: int
    at: float


class Whispers:
    """Stores and sends direct messages.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._clock = state.clock
        self._limits = state.limits
        self._users = state.users
        self._directory = state.directory
        self._next_id = state.next_id
        self._quota = state.quota
        #: Oldest first; those of sessions that have ended are skipped.
        self._unconfirmed: deque[_SentWhisper] = deque()
        self._of_session: dict[Session, deque[_SentWhisper]] = {}
        #: Session whose protocol confirms -> message id -> number of what it was sent.
        self._to_confirm: dict[Session, dict[str, int]] = {}
        self._timer: IDelayedCall | None = None
        self._stopped = False

    async def send(
        self, session: Session, target: str, raw: str, txn: str | None
    ) -> tuple[Ack, bool]:
        """Send a direct message to a user.

        Args:
            session: the sender's session.
            target: the name of the user as it was typed.
            raw: the text.
            txn: the client's idempotency key, 1 to 64 characters; None if it has none.

        Returns:
            The ack, and whether the user was online and was sent the message.

        Raises:
            BadRequest, TooLong, NoSuchUser, SelfTarget, Blocked, TxnConflict, OverQuota,
                NotStored.
            NotAllowed: too many messages wait for the user.
        """
        check_txn(txn)
        msg = text(raw, self._limits.text_chars)
        found = await self._directory.resolve_other(target, session.user)
        if found.blocks_asker:
            raise Blocked()
        event = WhisperSent(
            usr=session.user.name, msg=msg, id=self._next_id(), at=self._users.now()
        )
        self._quota.charge(session, msg)
        try:
            ack, number = await self._store.whisper(
                session.user.id,
                found.id,
                event,
                txn,
                self._limits.stored_whispers_per_user,
            )
        except ChatError:
            self._quota.give_back(session, msg)
            raise
        if ack.dup:
            self._quota.give_back(session, msg)
        return ack, not ack.dup and self._push(found.id, event, number)

    def _push(self, account_id: int, event: WhisperSent, number: int) -> bool:
        """Send a stored whisper to its target's sessions. Return whether there are any."""
        user = self._users.get_by_id(account_id)
        if user is None or not user.sessions:
            return False
        for session in user.sessions:
            if session.pending_whisper is not None:
                session.pending_whisper = number
            else:
                session.send(event)
                self._add_unconfirmed(session, number, event.id)
        return True

    def _add_unconfirmed(self, session: Session, number: int, id: str) -> None:
        if session.connection.confirms_delivery:
            self._to_confirm.setdefault(session, {})[id] = number
            return
        sent = _SentWhisper(session, number, self._clock.seconds())
        self._unconfirmed.append(sent)
        self._of_session.setdefault(session, deque()).append(sent)
        if self._timer is None and not self._stopped:
            self._timer = self._clock.callLater(DELETE_INTERVAL_S, self._delete_old)

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session all whispers that wait for its user, as fast as the client reads.

        Raises:
            NotStored: they could not be read, and are sent at the next login.
        """
        after = 0
        while session in session.user.sessions:
            page = await self._store.whispers(session.user.id, after, PAGE)
            if session not in session.user.sessions:
                return
            for whisper in page:
                session.send(whisper.event)
                self._add_unconfirmed(session, whisper.number, whisper.event.id)
                after = whisper.number
            if not page and (session.pending_whisper or 0) <= after:
                session.pending_whisper = None
                return
            if len(page) == PAGE or sum(len(one.event.msg) for one in page) >= PAGE_CHARS:
                await self._wait_for_reader(session)

    async def _wait_for_reader(self, session: Session) -> None:
        """Wait until a client has read what it was sent, or its session has ended."""
        while session.connection.buffered_bytes and session in session.user.sessions:
            waiting: Deferred[None] = Deferred()
            self._clock.callLater(PAUSE_S, waiting.callback, None)
            await waiting

    def confirm(self, session: Session, ids: Collection[str]) -> None:
        """Take note that whispers have arrived, for a protocol whose clients confirm them.

        Args:
            session: the session that they were sent to.
            ids: their message ids.
        """
        waiting = self._to_confirm.get(session, {})
        numbers = [waiting.pop(id) for id in ids if id in waiting]
        if numbers:
            self._delete(session.user.id, numbers)

    async def keep(self, user: User, event: MessageSent) -> None:
        """Store a message of a room that did not reach a user, as a whisper for the next login.

        Its text counts for the user: the sender is not to blame, and the room's log has it anyway.

        Args:
            user: the user who did not get it.
            event: the message.

        Raises:
            NoSuchUser: the sender's account does not exist any more.
            NotAllowed: too many messages wait for the user.
            OverQuota, NotStored.
        """
        self._quota.charge_user(user, event.msg)
        sender = await self._directory.resolve(event.usr)
        whisper = WhisperSent(usr=event.usr, msg=event.msg, id=self._next_id(), at=event.at)
        limit = self._limits.stored_whispers_per_user
        await self._store.whisper(sender.id, user.id, whisper, None, limit)

    def session_ended(self, session: Session) -> None:
        """Delete what was sent to a session that was closed in order: it has arrived.

        What a protocol confirms is kept until it is confirmed.
        """
        self._delete_all(self._of_session.get(session, ()))
        self.session_lost(session)

    def session_lost(self, session: Session) -> None:
        """Keep what was sent to a session whose connection was lost: it may not have arrived."""
        self._to_confirm.pop(session, None)
        self._of_session.pop(session, None)

    def _delete_old(self) -> None:
        """Delete what was sent so long ago that a lost connection would have been noticed."""
        self._timer = None
        liveness_s = self._limits.ping_interval + self._limits.ping_timeout
        arrived = []
        while self._unconfirmed and self._unconfirmed[0].at + liveness_s <= self._clock.seconds():
            sent = self._unconfirmed.popleft()
            if sent.session in self._of_session:
                self._of_session[sent.session].popleft()
                arrived.append(sent)
        self._delete_all(arrived)
        if self._unconfirmed:
            self._timer = self._clock.callLater(DELETE_INTERVAL_S, self._delete_old)

    def _delete_all(self, arrived: Iterable[_SentWhisper]) -> None:
        """Delete whispers from the store."""
        numbers: dict[int, list[int]] = {}
        for sent in arrived:
            numbers.setdefault(sent.session.user.id, []).append(sent.number)
        for account_id, account_numbers in numbers.items():
            self._delete(account_id, account_numbers)

    def _delete(self, account_id: int, numbers: list[int]) -> None:
        # If this fails, they are sent again at the next login, with the same ids.
        run_in_background(self._store.delete_whispers(account_id, numbers), "deleting whispers")

    def stop(self) -> None:
        """Cancel the timer."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
