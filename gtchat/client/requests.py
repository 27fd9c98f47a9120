"""Requests that wait for their replies: which are open, and which may be sent twice.

Sending them is up to `connection`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.client.commands import Repeat, repeat_of
from gtchat.client.errors import TooManyCalls, Unanswered
from gtchat.client.replies import Reply

#: Requests without a reply, beyond which a call raises TooManyCalls.
MAX_WAITING = 1_000
#: How often a request is sent for whose reply the connection has waited in vain.
MAX_TIMEOUTS = 3
_RESERVED = frozenset({"cmd", "tracker"})


@attrs.frozen
class ReceivedReply:
    """A reply, decoded and as it was received (UTF-8 JSON)."""

    reply: Reply
    payload: bytes


@attrs.define(eq=False)
class PendingRequest:
    """A request that has no reply yet.

    Attributes:
        cmd: its command.
        fields: its fields.
        payload: the JSON that is sent, UTF-8.
        tracker: identifies its reply.
        reply: fires with the reply.
        internal: whether it is the connection's own; such a request ends with the link.
        sent_count: how often it was sent.
        timeouts: how often its reply did not come in time.
        number: its place in the order of the calls.
    """

    cmd: str
    fields: Mapping[str, Any]
    payload: bytes
    tracker: str
    reply: Deferred[ReceivedReply] = attrs.field(factory=Deferred)
    internal: bool = False
    sent_count: int = 0
    timeouts: int = 0
    number: int = 0
    _timer: IDelayedCall | None = None
    _waiters: list[Deferred[None]] = attrs.field(factory=list)

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no harm, and may help."""
        if self.internal or self.timeouts >= MAX_TIMEOUTS:
            return False
        repeat = repeat_of(self.cmd)
        return repeat is Repeat.ALWAYS or (repeat is Repeat.WITH_TXN and "txn" in self.fields)

    def start_timer(
        self, clock: IReactorTime, seconds: float, expired: Callable[[PendingRequest], None]
    ) -> None:
        """Call `expired` if there is no reply after some seconds."""
        self.stop_timer()
        self._timer = clock.callLater(seconds, expired, self)

    def stop_timer(self) -> None:
        """Wait for the reply no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def when_settled(self) -> Deferred[None]:
        """Return a Deferred that fires when the request is answered or given up."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def settle(self) -> None:
        """Tell all that wait for it that it is answered or given up."""
        self.stop_timer()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def finish(self, result: ReceivedReply | Exception) -> None:
        """Pass the result to the caller and to everything that waits for it."""
        self.settle()
        if not self.reply.called:
            if isinstance(result, Exception):
                self.reply.errback(result)
            else:
                self.reply.callback(result)


class RequestQueue:
    """Requests without a reply, in the order of the calls."""

    def __init__(self) -> None:
        self._requests: dict[int, PendingRequest] = {}
        #: Number and request of those that have to be sent, or sent again: a heap.
        self._unsent: list[tuple[int, PendingRequest]] = []
        self._made = 0
        self._added = 0

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def unanswered(self) -> int:
        """How many were sent and wait for their replies, at least."""
        return len(self._requests) - len(self._unsent)

    def make(
        self, cmd: str, fields: Mapping[str, Any], *, internal: bool = False
    ) -> PendingRequest:
        """Make a request of a command; it is not added to the queue.

        Args:
            cmd: the command.
            fields: its fields.
            internal: whether it is the connection's own.

        Raises:
            TypeError: a field can't be encoded as JSON, or is one that the library sets.
            ValueError: a text is not Unicode: it has a lone surrogate.
        """
        if reserved := sorted(_RESERVED & fields.keys()):
            raise TypeError(f"{reserved[0]!r} can't be a field: the library sets it")
        self._made += 1
        tracker = f"c{self._made}"
        try:
            payload = msgspec.json.encode({"cmd": cmd, "tracker": tracker, **fields})
        except UnicodeEncodeError as error:
            raise ValueError("a text has a lone surrogate, which is not Unicode") from error
        return PendingRequest(cmd, fields, payload, tracker, internal=internal)

    def make_raw(self, text: str) -> PendingRequest:
        """Make a request of the text that a user wrote, which need not be valid JSON."""
        payload = text.encode()
        try:
            fields = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.MsgspecError:
            fields = {}
        tracker = fields.get("tracker")
        # The server answers with "0" when there is no valid tracker.
        expected = str(tracker) if isinstance(tracker, str | int) else "0"
        return PendingRequest(str(fields.get("cmd", "")), fields, payload, expected)

    def add(self, request: PendingRequest) -> None:
        """Append a request that `next_unsent` returns in its turn.

        Raises:
            TooManyCalls: as many wait as are allowed.
        """
        if len(self._requests) >= MAX_WAITING:
            raise TooManyCalls(f"{MAX_WAITING} calls wait")
        self._append(request)
        self.send_again(request)

    def add_sent(self, request: PendingRequest) -> None:
        """Append a request that is being sent."""
        self._append(request)

    def _append(self, request: PendingRequest) -> None:
        self._added += 1
        request.number = self._added
        request.reply = Deferred(lambda _: self._cancelled(request))
        self._requests[request.number] = request

    def _cancelled(self, request: PendingRequest) -> None:
        """Forget a request that was not sent; a reply to one that was is dropped."""
        kept = [one for one in self._unsent if one[1] is not request]
        if len(kept) < len(self._unsent):
            heapq.heapify(kept)
            self._unsent = kept
            self.give_up(request)

    def give_up(self, request: PendingRequest) -> None:
        """Forget a request whose caller does not wait any more."""
        self.discard(request)
        request.settle()

    def send_again(self, request: PendingRequest) -> None:
        """Let a request be sent in its turn: before all that were called later."""
        request.stop_timer()
        heapq.heappush(self._unsent, (request.number, request))

    def send_all_again(self) -> None:
        """Let all requests be sent, in the order of the calls: the connection is new."""
        self._unsent = list(self._requests.items())

    def next_unsent(self) -> PendingRequest | None:
        """Return the next request to send, which `sent` removes; None if there is none."""
        while self._unsent and self._unsent[0][1].reply.called:
            heapq.heappop(self._unsent)
        return self._unsent[0][1] if self._unsent else None

    def sent(self) -> None:
        """Remove what `next_unsent` returned: it is being sent."""
        heapq.heappop(self._unsent)

    def discard(self, request: PendingRequest) -> None:
        """Remove a request, if it is there."""
        self._requests.pop(request.number, None)

    def find(self, reply: Reply) -> PendingRequest | None:
        """Return the request that a reply answers: the first that was sent with its tracker.

        A reply without a tracker answers the oldest request: replies come in order.
        """
        # Replies come in order, so it is one of the first that are looked at.
        found = (one for one in self._sent() if one.tracker == reply.tracker)
        return next(found, next(self._sent(), None) if reply.tracker == "0" else None)

    def _sent(self) -> Iterator[PendingRequest]:
        return (request for request in self._requests.values() if request.sent_count)

    def pending(self) -> list[PendingRequest]:
        """Return all requests, in order."""
        return list(self._requests.values())

    def connection_lost(self, same_user: bool = True) -> None:
        """Fail the requests that were sent and can't be sent again with Unanswered.

        Args:
            same_user: whether the server sees the same user after the reconnect; otherwise a
                `txn` does not detect duplicates.
        """
        for request in self.pending():
            request.stop_timer()
            if request.reply.called:  # cancelled after it was sent
                self.give_up(request)
                continue
            again = request.is_repeatable and (
                same_user or repeat_of(request.cmd) is not Repeat.WITH_TXN
            )
            if again or not request.sent_count:
                continue
            self.discard(request)
            request.finish(Unanswered(request.cmd, "the connection was lost"))

    def fail_all(self, error: Exception) -> None:
        """Fail all requests with an error."""
        requests, self._requests = self.pending(), {}
        for request in requests:
            request.finish(error)
