"""The commands of one client: their order, their rate, and when to stop reading. For all protocols.

A command is either *serial*, so that the next one starts when it is answered, or *pipelined*, so
that several are under way whose answers come back in order (messages to rooms, which the store
answers in its own order). A serial command starts when nothing else is under way.

The rate is a token bucket. A connection has its own until its user is logged in; from then on it
is the bucket of the account (`Chat.rates`), so that the rate holds over many short connections and
over all protocols. A guest's account is new at each login: it begins with what is left of the
bursts of its network (`Chat.guest_bursts`).

A command that is refused is told a time of its own at which it will find a token. A client that
repeats each command at its time is never disconnected.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Coroutine
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.chat import Chat
from gtchat.chat.errors import RateLimited
from gtchat.chat.limits import Limits, command_rate, network_key
from gtchat.chat.token_buckets import TokenBucket
from gtchat.chat.users import Session

#: Commands that wait for those before them; from this number on the client is not read.
QUEUE_LIMIT = 64
#: A client that goes on at so many times the allowed rate and burst is disconnected.
FLOOD_FACTOR = 10
#: Refused commands of a client whose times are remembered.
TOLD_LIMIT = 1_000

Command = TypeVar("Command")
Contravariant = TypeVar("Contravariant", contravariant=True)

_log = Logger()


class CommandClient(Protocol[Contravariant]):
    """What a queue asks of the client whose commands it holds."""

    def run_command(self, command: Contravariant) -> Coroutine[Any, Any, None] | None:
        """Start a command: None if it is answered already, else what answers it."""

    def pause_reading(self) -> None:
        """Read no more commands for now."""

    def resume_reading(self) -> None:
        """Read commands again."""

    def disconnect_flood(self) -> None:
        """Disconnect the client, which sent many times more than it may."""


def _flood_rate(limits: Limits) -> tuple[float, float]:
    per_second, burst = command_rate(limits)
    return per_second * FLOOD_FACTOR, max(burst, 1) * FLOOD_FACTOR


class CommandQueue(Generic[Command]):
    """Starts the commands of one client in order.

    Args:
        client: runs the commands.
        chat: its limits, the rates of its accounts and its clock.

    Attributes:
        bucket: the rate of the client.
        closed: whether nothing more is started.
        in_flight: pipelined commands that were started and are not answered.
    """

    __slots__ = (
        "_busy",
        "_chat",
        "_client",
        "_flood",
        "_paused",
        "_told",
        "_waiting",
        "bucket",
        "closed",
        "in_flight",
    )

    def __init__(self, client: CommandClient[Command], chat: Chat) -> None:
        self._client = client
        self._chat = chat
        self._busy = False
        self.closed = False
        self._paused = False
        self._waiting: deque[tuple[Command, bool]] | None = None
        self._flood: TokenBucket | None = None
        #: When refused commands were told to come again, in monotonic seconds, earliest first.
        self._told: deque[float] | None = None
        self.in_flight = 0
        self.bucket = TokenBucket(chat.limits.rate(command_rate))

    # Rates.

    def use_account_rate(self, session: Session) -> None:
        """Go on with the token bucket of the account that has logged in.

        What the connection has used up before the login stays used up. A guest whose account has
        no bucket yet takes the tokens of a burst from those of its network.
        """
        chat, now, user = self._chat, self._chat.clock.seconds(), session.user
        is_new = user.id not in chat.rates
        bucket = chat.rates.get(user.id)
        if bucket is self.bucket:
            return
        bucket.lower_to(self.bucket.tokens(now), now)
        if is_new and not user.registered:
            bursts = chat.guest_bursts.get(network_key(session.connection.address))
            bucket.lower_to(bursts.draw(now, bucket.tokens(now)), now)
        self.bucket = bucket

    @property
    def recovery_seconds(self) -> int:
        """The seconds after which a client that sends nothing may send a whole burst again."""
        return math.ceil(self.bucket.wait(self._chat.clock.seconds(), self.bucket.rate.burst))

    def charge(self) -> RateLimited | None:
        """Count a command; return why it is refused if it is one too many, else None."""
        bucket = self.bucket
        if not bucket.rate.per_second:
            return None
        now = self._chat.clock.seconds()
        refused = bucket.take(now) > 0.0
        if self._told is None and not refused:
            return None
        was_told = self._is_expected(now)
        if not refused:
            return None
        wait = bucket.promise(now)
        if self._told is None:
            self._told = deque(maxlen=TOLD_LIMIT)
        self._told.append(now + wait)
        if not was_told:
            self._count_flood(now)
        return RateLimited(retry_after=wait)

    def _is_expected(self, now: float) -> bool:
        """Return whether a command was told to come again by now, and take it off the list."""
        told = self._told
        if not told or told[0] > now:
            return False
        told.popleft()
        if not told:
            self._told = None
        return True

    def _count_flood(self, now: float) -> None:
        """Count a refused command that came unasked; disconnect the client at too many."""
        if self._flood is None:
            self._flood = TokenBucket(self._chat.limits.rate(_flood_rate))
        if self._flood.take(now):
            self._client.disconnect_flood()

    # Order.

    @property
    def idle(self) -> bool:
        """Whether a pipelined command may start at once."""
        return self._waiting is None and not self._busy

    @property
    def full(self) -> bool:
        """Whether so many commands wait that no more should be read."""
        return self._waiting is not None and len(self._waiting) >= QUEUE_LIMIT

    def submit(self, command: Command, pipelined: bool = False) -> None:
        """Start a command, or let it wait until those before it are answered.

        Args:
            command: what `run_command` takes. It is dropped if the queue is closed.
            pipelined: whether it may start while other pipelined commands are under way.
        """
        if self._waiting is None and self._ready(pipelined):
            self._start(command)
            if self._waiting is not None and not self._busy:
                # The command submitted another one while it ran.
                self._chat.users.call_soon(self._drain)
            return
        if self.closed:
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((command, pipelined))
        if len(self._waiting) >= QUEUE_LIMIT and not self._paused:
            self._paused = True
            self._client.pause_reading()

    def submit_first(self, command: Command) -> None:
        """Let a serial command wait for the pipelined ones under way, before all that waits."""
        if self.closed:
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.appendleft((command, False))

    def answered(self) -> None:
        """A pipelined command is answered: what waited for it starts soon."""
        self.in_flight -= 1
        if self._waiting is not None and not self.in_flight:
            self._chat.users.call_soon(self._drain)

    def close(self) -> list[Command]:
        """Start nothing more, and return the commands that waited. The current one goes on."""
        waiting, self._waiting = self._waiting or (), None
        self.closed = self._busy = True
        return [command for command, _ in waiting]

    def _ready(self, pipelined: bool) -> bool:
        return not self._busy and (pipelined or not self.in_flight)

    def _start(self, command: Command) -> None:
        self._busy = True
        try:
            work = self._client.run_command(command)
        except Exception:
            _log.failure("a command failed")
            work = None
        if work is None:
            self._busy = self.closed
        else:
            Deferred.fromCoroutine(work).addErrback(_log_failure).addBoth(self._finished)

    def _finished(self, _: object) -> None:
        """A serial command is answered."""
        self._busy = self.closed
        if self._waiting is not None:
            self._chat.users.call_soon(self._drain)

    def _drain(self) -> None:
        """Start what waited, as far as it may start."""
        while self._waiting and self._ready(self._waiting[0][1]):
            self._start(self._waiting.popleft()[0])
        if self._waiting is not None and not self._waiting:
            self._waiting = None
            if self._paused:
                self._paused = False
                self._client.resume_reading()


def _log_failure(failure: Failure) -> None:
    _log.failure("a command failed", failure)
