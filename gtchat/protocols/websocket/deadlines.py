"""The deadlines of one OPEN connection: its login, its next ping, and the answer to the last.

Times are seconds of the server's monotonic clock, intervals and timeouts are seconds; 0 disables
them. `TimerWheel` calls the connection when the earliest deadline has passed.
"""

from __future__ import annotations

from enum import Enum
from math import inf

import attrs

#: A deadline that is not set.
NEVER = inf


class Keepalive(Enum):
    """What is known of the peer since the last ping (RFC 6455 section 5.5.2)."""

    #: No ping is unanswered. A pong in this state is unsolicited.
    IDLE = "idle"
    #: A ping was sent, and no byte was received since.
    PING_SENT = "ping sent"
    #: A ping was sent, and bytes were received since: the peer is there, its pong may follow.
    RECEIVED = "received"


@attrs.define(eq=False, weakref_slot=False)
class Deadlines:
    """The deadlines of one connection.

    Attributes:
        keepalive: what is known of the peer.
        ping_sent: time of the oldest ping that is unanswered.
        ping_due: time of the next ping.
        login_due: time at which a user must be logged in.
    """

    keepalive: Keepalive = Keepalive.IDLE
    ping_sent: float = NEVER
    ping_due: float = NEVER
    login_due: float = NEVER

    @classmethod
    def start(cls, now: float, ping_interval: float, login_timeout: float) -> Deadlines:
        """Return the deadlines of a connection that has just become OPEN.

        Args:
            now: the time.
            ping_interval: from one ping to the next.
            login_timeout: until a user must be logged in.
        """
        return cls(
            ping_due=now + ping_interval if ping_interval else NEVER,
            login_due=now + login_timeout if login_timeout else NEVER,
        )

    @property
    def ping_payload(self) -> bytes:
        """The payload of the oldest ping that is unanswered; its pong has the same."""
        return b"%d" % (self.ping_sent * 1000) if self.ping_sent < NEVER else b""

    def login_passed(self, now: float) -> bool:
        """Return whether the time for the login has passed. It is true once."""
        passed = now >= self.login_due
        if passed:
            self.login_due = NEVER
        return passed

    def answered(self) -> bool:
        """Note a pong. Return whether a ping was unanswered (RFC 6455 section 5.5.3)."""
        solicited = self.keepalive is not Keepalive.IDLE
        self.keepalive = Keepalive.IDLE
        return solicited

    def peer_lost(self, now: float, timeout: float, reading: bool) -> bool:
        """Return whether a ping has been unanswered for too long.

        Args:
            now: the time.
            timeout: from a ping to the first byte that is received.
            reading: whether what the peer sends is read. It is not judged by what is not read.
        """
        if self.keepalive is Keepalive.RECEIVED or not reading:
            self.keepalive = Keepalive.IDLE
        return now >= self._answer_due(timeout)

    def take_ping(self, now: float, interval: float) -> bool:
        """Return whether a ping is to be sent now, and note it as sent.

        Args:
            now: the time.
            interval: from this ping to the next.
        """
        if now < self.ping_due:
            return False
        if self.keepalive is Keepalive.IDLE:
            self.keepalive, self.ping_sent = Keepalive.PING_SENT, now
        self.ping_due = now + interval
        return True

    def next(self, timeout: float) -> float:
        """Return the earliest deadline. timeout: of the answer to a ping."""
        return min(self.ping_due, self.login_due, self._answer_due(timeout))

    def _answer_due(self, timeout: float) -> float:
        if not timeout or self.keepalive is Keepalive.IDLE:
            return NEVER
        return self.ping_sent + timeout
