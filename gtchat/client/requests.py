"""Commands that are under way: what was asked, and who waits for the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from gtchat.client.messages import CommandFailed, Reply, Unanswered

#: Commands that may be sent again when the answer was lost with the connection. `speak` and
#: `whisper` may if they have a txn; for all others it can't be known whether they were done.
REPEATABLE = frozenset(
    {
        "hello",
        "ping",
        "login",
        "get_room_list",
        "get_user_list",
        "get_room_user_list",
        "history",
        "block",
        "unblock",
        "set_address",
    }
)
WITH_TXN = frozenset({"speak", "whisper"})


@attrs.frozen
class Answer:
    """A reply, and the JSON that it came as."""

    reply: Reply
    payload: bytes

    def checked(self) -> Reply:
        """The reply, if it is a good one. Raises CommandFailed."""
        reply = self.reply
        if reply.status != "ok":
            raise CommandFailed(reply.code, reply.msg, reply.retry_after)
        return reply


@attrs.define(eq=False)
class Call:
    """A command.

    Attributes:
        tracker: what its reply is found by.
        answer: fires with the reply.
        internal: whether it belongs to one link alone.
        sends: how often it was sent. settled: who wants to know when it is answered.
        again: the timer of the next time it is sent.
    """

    cmd: str
    fields: Mapping[str, Any]
    payload: bytes
    tracker: str
    answer: Deferred[Answer] = attrs.field(factory=Deferred)
    internal: bool = False
    sends: int = 0
    settled: list[Deferred[None]] = attrs.field(factory=list)
    again: IDelayedCall | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm to send it twice."""
        if self.internal:
            return False
        return self.cmd in REPEATABLE or (self.cmd in WITH_TXN and "txn" in self.fields)

    def when_settled(self) -> Deferred[None]:
        """Fires when it is answered, or never will be."""
        waiter: Deferred[None] = Deferred()
        self.settled.append(waiter)
        return waiter

    def finish(self, answer: Answer | Exception) -> None:
        """Answer it."""
        if self.again is not None and self.again.active():
            self.again.cancel()
        for waiter in self.settled:
            waiter.callback(None)
        self.settled.clear()
        if not self.answer.called:
            if isinstance(answer, Exception):
                self.answer.errback(answer)
            else:
                self.answer.callback(answer)


class Calls:
    """Commands in their order: those that were sent, then those that wait to be."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._calls)

    def command(self, cmd: str, fields: Mapping[str, Any], *, internal: bool = False) -> Call:
        """Make a call of a command and its fields. Raises TypeError: a field can't be JSON."""
        self._number += 1
        tracker = f"c{self._number}"
        payload = msgspec.json.encode({"cmd": cmd, "tracker": tracker, **fields})
        return Call(cmd, fields, payload, tracker, internal=internal)

    def line(self, text: str) -> Call:
        """Make a call of a request that somebody wrote; it may be anything."""
        payload = text.encode()
        try:
            fields = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.MsgspecError:
            fields = {}
        tracker = fields.get("tracker")
        shown = str(tracker) if isinstance(tracker, str | int) else "0"
        return Call(str(fields.get("cmd", "")), fields, payload, shown)

    def add(self, call: Call) -> None:
        """Remember a call until it is answered."""
        self._calls.append(call)

    def discard(self, call: Call) -> None:
        """Forget a call."""
        if call in self._calls:
            self._calls.remove(call)

    def find(self, reply: Reply) -> Call | None:
        """The call that a reply answers: the first that was sent with its tracker."""
        for call in self._calls:
            if call.sends and call.tracker == reply.tracker:
                return call
        return None

    def waiting(self) -> list[Call]:
        """The calls that are not answered, in their order."""
        return list(self._calls)

    def lost(self, same_user: bool = True) -> None:
        """The connection is lost: those that can't be sent again are answered so.

        Args:
            same_user: whether who comes back is the same to the server; else a txn means nothing.
        """
        for call in self.waiting():
            again = call.repeatable and (same_user or call.cmd not in WITH_TXN)
            if again or not call.sends:
                continue
            self.discard(call)
            call.finish(Unanswered("the connection was lost before the answer came"))

    def end(self, error: Exception) -> None:
        """None will be answered any more."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.finish(error)
