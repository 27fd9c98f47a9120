"""Opens the connection to the server: the first attempt, retries after a loss, cancelling.

When to retry and when to give up is decided in `connection`; what runs on an open connection is
in `link`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure

from gtchat.client.backoff import Backoff
from gtchat.client.link import WebSocketLink, describe_failure


class Dialer:
    """Connects to one endpoint, one attempt at a time.

    Args:
        endpoint: the address to connect to.
        factory: makes the protocol of a connection, which reports by itself that it is open.
        clock: schedules retries.
        backoff: computes their delays.
        failed: called with the reason, a clause, when an attempt fails.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        factory: IProtocolFactory,
        clock: IReactorTime,
        backoff: Backoff,
        failed: Callable[[str], None],
    ) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._clock = clock
        self._backoff = backoff
        self._failed = failed
        self._attempt: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._handshake: WebSocketLink | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no attempt is running or scheduled, nor the handshake after one."""
        return self._attempt is None and self._timer is None and self._handshake is None

    @property
    def retry_in(self) -> float:
        """Seconds until the next attempt; 0 when none is scheduled."""
        if self._timer is None:
            return 0.0
        return max(0.0, self._timer.getTime() - self._clock.seconds())

    def dial(self) -> None:
        """Start an attempt now."""
        self._timer = None
        self._attempt = self._endpoint.connect(self._factory)
        self._attempt.addCallbacks(self._succeed, self._fail)

    def retry(self, at_least: float = 0.0) -> float:
        """Schedule an attempt and return its delay in seconds.

        Args:
            at_least: seconds that the server asked to wait.
        """
        delay = max(self._backoff.next(), at_least)
        self._timer = self._clock.callLater(delay, self.dial)
        return delay

    def handshake_ended(self) -> None:
        """Note that the WebSocket of the last attempt has opened, or was lost."""
        self._handshake = None

    def connected(self) -> None:
        """Note that the connection is in use, so that later delays can start over."""
        self._backoff.connected()

    def stop(self) -> None:
        """Cancel the attempt that is running or scheduled, or the handshake after one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._attempt is not None:
            self._attempt.cancel()
        if self._handshake is not None:
            self._handshake.drop("closed")

    def _succeed(self, link: WebSocketLink) -> None:
        self._attempt = None
        self._handshake = link

    def _fail(self, failure: Failure) -> None:
        self._attempt = None
        self._failed(describe_failure(failure.value))
