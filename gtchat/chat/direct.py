"""Direct messages (whispers): from one user to one other, stored until they have arrived.

A whisper stays in the store until its target has received it for certain. A protocol proves that:
by a pong to a ping that was sent after the whisper, by the closing handshake, or, where a client is
called back, by the call itself. Where a protocol has none of these, the session lived on for longer
than a dead connection can go unnoticed. A user who lost the connection before gets it again with
the same id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import islice

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.background import run_in_background
from gtchat.chat.errors import Blocked, ChatError
from gtchat.chat.events import MessageSent, WhisperSent
from gtchat.chat.interfaces import Ack, DeliveryProof, WhisperLimits
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
#: Whispers that can wait: from a user to one other, and to one who has never answered.
PENDING_OF_PAIR, PENDING_OF_STRANGER = 1_000, 100


@attrs.define
class _Unconfirmed:
    """What a session was sent and may not have received.

    Attributes:
        numbers: message id -> number in the store, in the order of sending.
        pinged: how many of them were sent before the last ping that is not answered.
    """

    numbers: dict[str, int] = attrs.field(factory=dict)
    pinged: int = 0


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
        self._unconfirmed: dict[Session, _Unconfirmed] = {}
        #: (monotonic seconds, session, message id) of what was sent without proof of arrival.
        self._unproved: deque[tuple[float, Session, str]] = deque()
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
            NotAllowed: too many of the sender's messages wait for the user, or, if the user has
                never written to the sender, too many of such senders.
        """
        check_txn(txn)
        msg = text(raw, self._limits.text_chars)
        found = await self._directory.resolve_other(target, session.user)
        if found.blocks_asker:
            raise Blocked()
        event = WhisperSent(
            usr=session.user.name, msg=msg, id=self._next_id(), at=self._users.now()
        )
        limits = WhisperLimits(
            pair=PENDING_OF_PAIR,
            stranger=PENDING_OF_STRANGER,
            strangers=self._limits.stored_whispers_per_user,
        )
        self._quota.charge(session, msg)
        try:
            ack, number = await self._store.whisper(session.user.id, found.id, event, txn, limits)
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
        self._unconfirmed.setdefault(session, _Unconfirmed()).numbers[id] = number
        if session.connection.delivery_proof is not DeliveryProof.TIME:
            return
        self._unproved.append((self._clock.seconds(), session, id))
        if self._timer is None and not self._stopped:
            self._timer = self._clock.callLater(DELETE_INTERVAL_S, self._delete_old)

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session all whispers that wait for its user, as fast as the client reads.

        Raises:
            NotStored: they could not be read, and are sent at the next login.
        """
        after = 0
        while session in session.user.sessions:
            newest = session.pending_whisper
            page = await self._store.whispers(session.user.id, after, PAGE)
            if session not in session.user.sessions:
                return
            for whisper in page:
                session.send(whisper.event)
                self._add_unconfirmed(session, whisper.number, whisper.event.id)
                after = whisper.number
            # The newest one may be gone: another session of the user has received it.
            if not page and session.pending_whisper == newest:
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

    # What has arrived. Each of these takes time for the whispers of one session only.

    def confirm(self, session: Session, ids: Collection[str]) -> None:
        """Take note that whispers have arrived, for a protocol that knows it of each.

        Args:
            session: the session that they were sent to.
            ids: their message ids.
        """
        sent = self._unconfirmed.get(session)
        if sent is None:
            return
        numbers = [sent.numbers.pop(id) for id in ids if id in sent.numbers]
        if not sent.numbers:
            del self._unconfirmed[session]
        if numbers:
            self._delete(session.user.id, numbers)

    def ping_sent(self, session: Session) -> None:
        """Take note that a session is sent a ping; no other ping to it is unanswered."""
        sent = self._unconfirmed.get(session)
        if sent is not None:
            sent.pinged = len(sent.numbers)

    def pong_received(self, session: Session) -> None:
        """Take note of the answer to that ping: what was sent before the ping has arrived."""
        sent = self._unconfirmed.get(session)
        if sent is not None and sent.pinged:
            arrived = list(islice(sent.numbers, sent.pinged))
            sent.pinged = 0
            self.confirm(session, arrived)

    def session_ended(self, session: Session) -> None:
        """Delete what was sent to a session that was closed in order: it has arrived.

        What is proved by a call is kept: its client has not said that it arrived.
        """
        sent = self._unconfirmed.pop(session, None)
        if sent is not None and session.connection.delivery_proof is not DeliveryProof.CALL:
            self._delete(session.user.id, sent.numbers.values())

    def session_lost(self, session: Session) -> None:
        """Keep what was sent to a session whose connection was lost: it may not have arrived."""
        self._unconfirmed.pop(session, None)

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
        limits = WhisperLimits(
            pair=PENDING_OF_PAIR, strangers=self._limits.stored_whispers_per_user
        )
        await self._store.whisper(sender.id, user.id, whisper, None, limits, is_direct=False)

    def _delete_old(self) -> None:
        """Confirm what was sent so long ago that a lost connection would have been noticed."""
        self._timer = None
        liveness_s = self._limits.ping_interval + self._limits.ping_timeout
        arrived: dict[Session, list[str]] = {}
        while self._unproved and self._unproved[0][0] + liveness_s <= self._clock.seconds():
            _, session, id = self._unproved.popleft()
            arrived.setdefault(session, []).append(id)
        for session, ids in arrived.items():
            self.confirm(session, ids)
        if self._unproved:
            self._timer = self._clock.callLater(DELETE_INTERVAL_S, self._delete_old)

    def _delete(self, account_id: int, numbers: Collection[int]) -> None:
        # If this fails, they are sent again at the next login, with the same ids.
        run_in_background(self._store.delete_whispers(account_id, numbers), "deleting whispers")

    def stop(self) -> None:
        """Cancel the timer."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
