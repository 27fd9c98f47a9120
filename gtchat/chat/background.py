"""Background work: results that no caller waits for, whose errors are logged."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.errors import ChatError

_log = Logger()


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
