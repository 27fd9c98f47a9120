"""Read marks that follow from speaking: a sender has read the room up to the own message.

A write for each message would cost the store as much as the message. So the marks gather in memory
and are stored together: some seconds later, and before unread messages are counted. Those that a
crash loses leave messages of other users unread. The mark of a client that has not read all that it
was sent waits until it has, or its session ends: what comes before the message may never leave.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gtchat.chat.background import run_in_background
from gtchat.chat.errors import ChatError
from gtchat.chat.interfaces import IStore
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session, User

#: Seconds until a mark is stored.
STORE_INTERVAL_S = 5.0

_log = Logger()


@attrs.define(eq=False)
class SenderMarks:
    """Gathers and stores the read marks of senders.

    Args:
        store: keeps them.
        clock: schedules calls.

    Attributes:
        pending: sender and room -> `seq` of the sender's last message, and its session. Delivery
            adds them itself, to spare a call for each message; it calls `start_timer` before the
            first one.
    """

    _store: IStore
    _clock: IReactorTime
    pending: dict[tuple[User, Room], tuple[int, Session]] = attrs.field(init=False, factory=dict)
    _timer: IDelayedCall | None = attrs.field(init=False, default=None)

    def start_timer(self) -> None:
        """Store the marks later."""
        self._timer = self._clock.callLater(STORE_INTERVAL_S, self.store_in_background)

    async def store(self) -> None:
        """Apply and store all marks now. Those that can't be stored are lost."""
        if not self.pending:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        gathered, self.pending = self.pending, {}
        pending: dict[tuple[User, Room], int] = {}
        for key, (seq, session) in gathered.items():
            if _is_read(session):
                pending[key] = seq
            elif session in session.user.sessions:
                self.pending[key] = seq, session
        if self.pending:
            self.start_timer()
        if not pending:
            return
        _apply(pending)
        marks = {(user.id, room.id): seq for (user, room), seq in pending.items()}
        try:
            # In one order at all nodes, so that they do not wait for each other in a circle.
            await self._store.set_read(dict(sorted(marks.items())))
            _apply(pending)  # again: a request that was queued before may have set them back
        except ChatError as error:
            _log.warn("read marks of senders were not stored: {code}", code=error.code)

    def store_in_background(self) -> None:
        """Store all marks, without waiting for it."""
        run_in_background(Deferred.fromCoroutine(self.store()), "storing read marks")


def _is_read(session: Session) -> bool:
    """Return whether a client says itself what was read, or has been sent everything."""
    return session.marks_read or not session.connection.buffered_bytes


def _apply(marks: Mapping[tuple[User, Room], int]) -> None:
    """Advance the read marks of users to those of their messages."""
    for (user, room), seq in marks.items():
        user.set_read_seq(room, max(seq, user.read_seq(room)))
