"""Background work, whose errors are logged, and work that others wait for or watch."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.errors import ChatError

#: Shows how far work is: how much is done, and of how much.
Progress = Callable[[int, int], None]

_log = Logger()


def no_progress(done: int, total: int) -> None:
    """Show nothing of the progress of work."""


def run_in_background(result: Deferred[Any], what: str) -> None:
    """Log the error of a result that no caller waits for.

    Args:
        result: fires when the work is done.
        what: what is done, for the log: "ending a temporary user".
    """
    result.addErrback(_log_failure, what)


def _log_failure(failure: Failure, what: str) -> None:
    error = failure.value
    if isinstance(error, ChatError):
        _log.warn("{what} failed: {code}", what=what, code=error.code)
    else:
        _log.failure("{what} failed", failure=failure, what=what)


def within(seconds: float, clock: IReactorTime, work: Deferred[None]) -> Deferred[None]:
    """Wait for work, but not long; it goes on.

    Args:
        seconds: how long.
        clock: calls later.
        work: fires when it is done, and does not fail.

    Returns:
        Fires then, or when the time is over.
    """
    waiting: Deferred[None] = Deferred()
    timer = clock.callLater(seconds, waiting.callback, None)

    def done(_: None) -> None:
        if timer.active():
            timer.cancel()
            waiting.callback(None)

    work.addCallback(done)
    return waiting


class InProgress:
    """Work that is under way, by a key, so that others can wait for its end."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Deferred[None]]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def begin(self, key: Hashable) -> None:
        """Begin the work of a key that has none under way."""
        self._waiting[key] = []

    def end(self, key: Hashable) -> None:
        """End the work of a key, and let those go on who wait for it."""
        for waiting in self._waiting.pop(key):
            waiting.callback(None)

    async def finished(self, key: Hashable) -> None:
        """Wait until no work of a key is under way."""
        while key in self._waiting:
            waiting: Deferred[None] = Deferred()
            self._waiting[key].append(waiting)
            await waiting
