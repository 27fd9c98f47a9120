"""Direct messages (whispers): from one user to one other; entries of the log of the two.

A client that does not show direct conversations itself is sent those messages that have not
arrived at the account, which the store knows. A protocol proves that they arrive: by a
pong to a ping that was sent after the message, by the closing handshake, or, where a client is
called back, by the call itself. Where a protocol has none of these, the session lived on for longer
than a dead connection can go unnoticed. A user who lost the connection before gets them again with
the same ids.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from itertools import islice

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.annotations import ReplyTo
from gtchat.chat.background import run_in_background
from gtchat.chat.blocks import hides
from gtchat.chat.conversations import Conversation, Conversations, DirectTarget
from gtchat.chat.errors import ChatError, SelfTarget
from gtchat.chat.events import MessageSent, WhisperSent
from gtchat.chat.interfaces import (
    Ack,
    Arrived,
    DeliveryProof,
    Direct,
    PendingWhisper,
    WhisperLimits,
)
from gtchat.chat.limits import REPLY_BYTES
from gtchat.chat.messages import check_txn, text
from gtchat.chat.names import HOST
from gtchat.chat.node_records import ForeignHandlers
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Stored whispers that are sent at once, and seconds between two looks whether they have left.
PAGE, PAUSE_S = 100, 0.05
#: Characters of a page that are so much that no more is sent at once: a page has `REPLY_BYTES`.
PAGE_CHARS = REPLY_BYTES // 8
#: Seconds between two looks for messages that have arrived.
PROOF_INTERVAL_S = 10.0
#: Whispers that can wait: from a user to one other, and to one who has never answered.
PENDING_OF_PAIR, PENDING_OF_STRANGER = 1_000, 100


@attrs.frozen
class _Sent:
    """What a session was sent: a message of a log, or word of all that is in it up to there."""

    room_id: int
    seq: int
    told: bool = False


@attrs.define
class _Unconfirmed:
    """What a session was sent and may not have received.

    Attributes:
        sent: message id -> what it is, in the order of sending.
        pinged: how many of `sent` were sent before the last ping that is not answered.
    """

    sent: dict[str, _Sent] = attrs.field(factory=dict)
    pinged: int = 0


class Whispers:
    """Stores and sends direct messages.

    Args:
        state: the chat's shared objects.
        conversations: finds the direct conversations.
    """

    def __init__(self, state: State, conversations: Conversations) -> None:
        self._conversations = conversations
        self._rooms = state.rooms
        self._store = state.store
        self._clock = state.clock
        self._limits = state.limits
        self._users = state.users
        self._next_id = state.next_id
        self._quota = state.quota
        self._unconfirmed: dict[Session, _Unconfirmed] = {}
        #: (monotonic seconds, session, message id) of what was sent without proof of arrival.
        self._unproved: deque[tuple[float, Session, str]] = deque()
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {}

    async def send(
        self,
        session: Session,
        target: DirectTarget,
        raw: str,
        txn: str | None,
        reply: int | None = None,
        style: str = "",
        to_self: bool = False,
    ) -> tuple[Ack, bool]:
        """Send a direct message to a user.

        Args:
            session: the sender's session.
            target: the user, or the conversation with the user.
            raw: the text.
            txn: the client's idempotency key, 1 to 64 characters; None if it has none.
            reply, style: as of `Messages.speak`.
            to_self: whether users can send messages to themselves.

        Returns:
            The ack, and whether the user was online and was sent the message.

        Raises:
            BadRequest, TooLong, NoSuchUser, NoSuchRoom, SelfTarget, Blocked, TxnConflict,
                OverQuota, NotStored, NoSuchMessage, MessageDeleted.
            NotAllowed: the user's account has ended; or too many of the sender's messages wait
                for the user, or, if the user has never written to the sender, too many of such
                senders.
        """
        check_txn(txn)
        msg = text(raw, self._limits.text_chars)
        user = session.user
        if target.usr is not None:
            found = await self._conversations.with_user(target.usr, user)
        else:
            found = await self._conversations.find(target, user)
        if found.other_id == user.id and not to_self:
            raise SelfTarget()
        found.require_open()
        event = WhisperSent(
            usr=user.name,
            subject_id=user.id,
            msg=msg,
            id=self._next_id(),
            at=self._users.now(),
            reply=None if reply is None else ReplyTo(reply),
            style=style,
            guest=not user.registered and user.key != HOST.key,
        )
        pending = PendingWhisper(entry=event, txn=txn, sender_id=user.id, target_id=found.other_id)
        limits = WhisperLimits(
            pair=PENDING_OF_PAIR,
            stranger=PENDING_OF_STRANGER,
            strangers=self._limits.stored_whispers_per_user,
        )
        self._quota.charge(session, msg)
        try:
            ack = await self._store.whisper(pending, limits)
        except ChatError:
            self._quota.give_back(session, msg)
            raise
        if ack.dup:
            self._quota.give_back(session, msg)
            return ack, False
        return ack, self._publish(session, found, pending)

    def _publish(self, sender: Session, found: Conversation, pending: PendingWhisper) -> bool:
        """Send a stored message to the other user, and to the sender's other sessions.

        Returns:
            Whether the other user is online.
        """
        event = pending.entry
        own = attrs.evolve(event, to=found.other)
        for session in sender.user.sessions:
            if session is not sender:
                session.send(own)
        if found.other_id == sender.user.id:
            return False
        other = self._users.get_by_id(found.other_id)
        if other is None or not other.sessions:
            return False
        for session in other.sessions:
            if session.pending_whisper is not None:
                session.pending_whisper += 1
            else:
                self._send(session, event, pending.room_id, event.seq)
        return True

    def _send(self, session: Session, event: WhisperSent, room_id: int, seq: int) -> None:
        """Send a message of a log to a session of its target, once."""
        unconfirmed = self._unconfirmed.setdefault(session, _Unconfirmed())
        if event.id in unconfirmed.sent:
            return
        session.send(event)
        self._add_unconfirmed(session, event.id, _Sent(room_id, seq))

    def _add_unconfirmed(self, session: Session, id: str, sent: _Sent) -> None:
        self._unconfirmed.setdefault(session, _Unconfirmed()).sent[id] = sent
        if session.connection.delivery_proof is not DeliveryProof.TIME:
            return
        self._unproved.append((self._clock.seconds(), session, id))
        if self._timer is None and not self._stopped:
            self._timer = self._clock.callLater(PROOF_INTERVAL_S, self._confirm_old)

    def told(self, session: Session, directs: Iterable[Direct]) -> None:
        """Take note that a client that marks what was read is told of direct conversations.

        It reads them when its user wants to. So what waits in them is delivered by that.
        """
        for direct in directs:
            if direct.pending:
                told = _Sent(direct.id, direct.last_seq, told=True)
                self._add_unconfirmed(session, f"direct {direct.id}", told)

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session all messages that wait for its user, as fast as the client reads.

        What blocked users said is left out.

        Raises:
            NotStored: they could not be read, and are sent at the next login.
        """
        after = 0
        hidden = hides(session.user)
        while session in session.user.sessions:
            newest = session.pending_whisper
            page = await self._store.whispers(session.user.id, after, PAGE)
            if session not in session.user.sessions:
                return
            for whisper in page:
                after = whisper.number
                if not hidden(whisper.event):
                    self._send(session, whisper.event, whisper.room_id, whisper.seq)
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

    # What has arrived. Each of these takes time for the messages of one session only.

    def confirm(self, session: Session, ids: Collection[str]) -> None:
        """Take note that whispers have arrived, for a protocol that knows it of each.

        Args:
            session: the session that they were sent to.
            ids: their message ids.
        """
        sent = self._unconfirmed.get(session)
        if sent is None:
            return
        self._arrived(session, sent, ids)
        if not sent.sent:
            del self._unconfirmed[session]

    def _arrived(self, session: Session, sent: _Unconfirmed, ids: Iterable[str]) -> None:
        """Store what has arrived. If that fails, it is sent again, with the same ids."""
        found = [sent.sent.pop(id) for id in ids if id in sent.sent]
        if not found:
            return
        messages: defaultdict[int, set[int]] = defaultdict(set)
        for one in found:
            if not one.told:
                messages[one.room_id].add(one.seq)
        told = {one.room_id: one.seq for one in found if one.told}
        arrived = Arrived(session.user.id, messages, told, read=not session.marks_read)
        run_in_background(self._store.set_delivered(arrived), "storing what has arrived")

    def ping_sent(self, session: Session) -> None:
        """Take note that a session is sent a ping; no other ping to it is unanswered."""
        sent = self._unconfirmed.get(session)
        if sent is not None:
            sent.pinged = len(sent.sent)

    def pong_received(self, session: Session) -> None:
        """Take note of the answer to that ping: what was sent before the ping has arrived."""
        sent = self._unconfirmed.get(session)
        if sent is not None and sent.pinged:
            arrived = list(islice(sent.sent, sent.pinged))
            sent.pinged = 0
            self.confirm(session, arrived)

    def session_ended(self, session: Session) -> None:
        """Take note that what was sent to a session that was closed in order has arrived.

        What is proved by a call is kept: its client has not said that it arrived.
        """
        sent = self._unconfirmed.pop(session, None)
        if sent is not None and session.connection.delivery_proof is not DeliveryProof.CALL:
            self._arrived(session, sent, list(sent.sent))

    def session_lost(self, session: Session) -> None:
        """Keep what was sent to a session whose connection was lost: it may not have arrived."""
        self._unconfirmed.pop(session, None)

    async def keep(self, user: User, event: MessageSent) -> None:
        """Have a message of the lobby that did not reach a user delivered at the next login.

        Args:
            user: the user who did not get it.
            event: the message.

        Raises:
            NoSuchUser: the account does not exist any more.
            NotStored.
        """
        await self._store.add_missed(
            user.id, self._rooms.lobby.id, event.seq, self._limits.stored_whispers_per_user
        )

    def _confirm_old(self) -> None:
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
            self._timer = self._clock.callLater(PROOF_INTERVAL_S, self._confirm_old)

    def stop(self) -> None:
        """Cancel the timer."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
