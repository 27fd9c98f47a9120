"""The pace of requests: no faster than the server says in `hello`, so that it refuses none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gtchat.client.requests import PendingRequest, RequestQueue

#: How much of the server's burst is sent at once, and how much may be without a reply; the rate.
#: However requests are bunched on their way, what arrives in a time is at most both parts of the
#: burst and what the rate allows in it: so the server refuses none, and the order is kept.
BURST_SHARE, RATE_SHARE = 0.5, 0.9


class Pacer:
    """A token bucket with the limits of the server.

    Args:
        clock: tells the time.

    Attributes:
        max_unanswered: requests that may be without a reply.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.max_unanswered = inf
        self._clock = clock
        self._burst = 1.0
        self._rate = 0.0
        self._tokens = 1.0
        self._at = self._not_before = clock.seconds()

    def configure(self, limits: Mapping[str, float]) -> None:
        """Follow the limits of a server; what was used up stays used up.

        Args:
            limits: of the reply to `hello`: `commands_burst` and `commands_per_second`; 0 or
                missing: no limit.
        """
        burst, rate = limits.get("commands_burst", 0), limits.get("commands_per_second", 0)
        if not burst or not rate:
            self._rate = 0.0
            self.max_unanswered = inf
            return
        new = not self._rate
        self._burst, self._rate = max(burst * BURST_SHARE, 1.0), rate * RATE_SHARE
        self.max_unanswered = self._burst
        self._fill()
        self._tokens = self._burst if new else min(self._tokens, self._burst)

    def _fill(self) -> None:
        now = self._clock.seconds()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now

    def take(self) -> float:
        """Take the token of a request. Return 0, or the seconds to wait and take none."""
        if (wait := self._not_before - self._clock.seconds()) > 0:
            return wait
        if not self._rate:
            return 0.0
        self._fill()
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= 1.0
        return 0.0

    def spend(self) -> None:
        """Count a request that does not wait."""
        self._fill()
        self._tokens -= 1.0

    def refused(self, seconds: float) -> None:
        """Send nothing for some seconds: the server refused a request."""
        self._not_before = self._clock.seconds() + seconds
        self._fill()
        self._tokens = min(self._tokens, 1.0 - seconds * self._rate)


class PacedSender:
    """Sends the requests of a queue in the order of the calls, at the pace of the server.

    Args:
        requests: the queue.
        clock: schedules calls.
        send: sends a request on the connection.
    """

    def __init__(
        self, requests: RequestQueue, clock: IReactorTime, send: Callable[[PendingRequest], None]
    ) -> None:
        self.pacer = Pacer(clock)
        self._requests = requests
        self._clock = clock
        self._send = send
        self._running = False
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Send all requests that have no reply, and go on: the connection is up."""
        self._running = True
        self._requests.send_all_again()
        self.send_waiting()

    def stop(self) -> None:
        """Send nothing more: the connection is lost."""
        self._running = False
        self._cancel()

    def refused(self, request: PendingRequest, seconds: float) -> None:
        """Send a refused request again after some seconds, and what waits behind it."""
        self.pacer.refused(seconds)
        request.sent_count -= 1  # it was certainly not done
        if request.reply.called:
            self._requests.give_up(request)
        else:
            self._requests.send_again(request)
        self._cancel()
        self.send_waiting()

    def send_waiting(self) -> None:
        """Send what waits, as far as the pace allows."""
        if self._timer is not None:
            return
        while self._running and (request := self._requests.next_unsent()) is not None:
            if self._requests.unanswered >= self.pacer.max_unanswered:
                return  # a reply goes on
            if wait := self.pacer.take():
                self._timer = self._clock.callLater(wait, self._go_on)
                return
            self._requests.sent()
            self._send(request)

    def _go_on(self) -> None:
        self._timer = None
        self.send_waiting()

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
