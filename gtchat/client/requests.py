"""Requests that wait for their replies: which are open, and which may be sent twice.

Sending them is up to `connection`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred

from gtchat.client.commands import Repeat, repeat_of
from gtchat.client.messages import CommandFailed, Reply, Unanswered


@attrs.frozen
class ReceivedReply:
    """A reply, decoded and as it was received (UTF-8 JSON)."""

    reply: Reply
    payload: bytes

    def checked(self) -> Reply:
        """Return the reply if its status is `ok`; raise CommandFailed otherwise."""
        reply = self.reply
        if reply.status != "ok":
            raise CommandFailed(reply.code, reply.msg, reply.retry_after)
        return reply


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
        number: its place in the order of the calls.
    """

    cmd: str
    fields: Mapping[str, Any]
    payload: bytes
    tracker: str
    reply: Deferred[ReceivedReply] = attrs.field(factory=Deferred)
    internal: bool = False
    sent_count: int = 0
    number: int = 0
    _waiters: list[Deferred[None]] = attrs.field(factory=list)

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no harm."""
        if self.internal:
            return False
        repeat = repeat_of(self.cmd)
        return repeat is Repeat.ALWAYS or (repeat is Repeat.WITH_TXN and "txn" in self.fields)

    def when_settled(self) -> Deferred[None]:
        """Return a Deferred that fires when the request is answered or given up."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def settle(self) -> None:
        """Tell all that wait for it that it is answered or given up."""
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
        self._requests: list[PendingRequest] = []
        #: Number and request of those that have to be sent, or sent again: a heap.
        self._unsent: list[tuple[int, PendingRequest]] = []
        self._number = 0
        self._added = 0

    def __len__(self) -> int:
        return len(self._requests)

    def make(
        self, cmd: str, fields: Mapping[str, Any], *, internal: bool = False
    ) -> PendingRequest:
        """Make a request of a command; it is not added to the queue.

        Args:
            cmd: the command.
            fields: its fields.
            internal: whether it is the connection's own.

        Raises:
            TypeError: a field can't be encoded as JSON.
        """
        self._number += 1
        tracker = f"c{self._number}"
        payload = msgspec.json.encode({"cmd": cmd, "tracker": tracker, **fields})
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
        """Append a request that `next_unsent` returns in its turn."""
        self._append(request)
        self.send_again(request)

    def add_sent(self, request: PendingRequest) -> None:
        """Append a request that is being sent."""
        self._append(request)

    def _append(self, request: PendingRequest) -> None:
        self._added += 1
        request.number = self._added
        request.reply = Deferred(lambda _: self._cancelled(request))
        self._requests.append(request)

    def _cancelled(self, request: PendingRequest) -> None:
        """Forget a request that was not sent; a reply to one that was is dropped."""
        if any(unsent is request for _, unsent in self._unsent):
            self.give_up(request)

    def give_up(self, request: PendingRequest) -> None:
        """Forget a request whose caller does not wait any more."""
        self.discard(request)
        request.settle()

    def send_again(self, request: PendingRequest) -> None:
        """Let a request be sent in its turn: before all that were called later."""
        heapq.heappush(self._unsent, (request.number, request))

    def send_all_again(self) -> None:
        """Let all requests be sent, in the order of the calls: the connection is new."""
        self._unsent = [(request.number, request) for request in self._requests]

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
        if request in self._requests:
            self._requests.remove(request)

    def find(self, reply: Reply) -> PendingRequest | None:
        """Return the request that a reply answers: the first that was sent with its tracker."""
        for request in self._requests:
            if request.sent_count and request.tracker == reply.tracker:
                return request
        return None

    def pending(self) -> list[PendingRequest]:
        """Return all requests, in order."""
        return list(self._requests)

    def connection_lost(self, same_user: bool = True) -> None:
        """Fail the requests that were sent and can't be sent again with Unanswered.

        Args:
            same_user: whether the server sees the same user after the reconnect; otherwise a
                `txn` does not detect duplicates.
        """
        for request in self.pending():
            if request.reply.called:  # cancelled after it was sent
                self.give_up(request)
                continue
            again = request.is_repeatable and (
                same_user or repeat_of(request.cmd) is not Repeat.WITH_TXN
            )
            if again or not request.sent_count:
                continue
            self.discard(request)
            request.finish(Unanswered("the connection was lost before the reply"))

    def fail_all(self, error: Exception) -> None:
        """Fail all requests with an error."""
        requests, self._requests = self._requests, []
        for request in requests:
            request.finish(error)
