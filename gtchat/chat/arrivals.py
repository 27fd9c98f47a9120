"""What has arrived of the direct messages that sessions were sent.

A protocol proves it: by a pong to a ping that was sent after the message, by the closing handshake,
or, where a client is called back, by the call itself. Where a protocol has none of these, the
session lived on for longer than a dead connection can go unnoticed.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from itertools import islice

import attrs
from twisted.internet.interfaces import IDelayedCall

from gtchat.chat.background import run_in_background
from gtchat.chat.interfaces import Arrived, DeliveryProof, Direct
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Seconds between two looks for messages that have arrived.
PROOF_INTERVAL_S = 10.0


@attrs.frozen
class Sent:
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

    sent: dict[str, Sent] = attrs.field(factory=dict)
    pinged: int = 0


class Arrivals:
    """Keeps what sessions were sent until it has arrived, and stores that it has.

    Each call takes time for the messages of one session only.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._clock = state.clock
        self._limits = state.limits
        self._unconfirmed: dict[Session, _Unconfirmed] = {}
        #: (monotonic seconds, session, message id) of what was sent without proof of arrival.
        self._unproved: deque[tuple[float, Session, str]] = deque()
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def _is_unconfirmed(self, session: Session, id: str) -> bool:
        """Return whether a session was sent a message and may not have received it."""
        sent = self._unconfirmed.get(session)
        return sent is not None and id in sent.sent

    def _add_unconfirmed(self, session: Session, id: str, sent: Sent) -> None:
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
                told = Sent(direct.id, direct.last_seq, told=True)
                self._add_unconfirmed(session, f"direct {direct.id}", told)

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
