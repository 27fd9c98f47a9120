"""Things that are done while nobody waits for them: what goes wrong there is logged."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gtchat.chat.errors import ChatError

_log = Logger()


def run_in_background(result: Deferred[Any], what: str) -> None:
    """Let something go on by itself.

    Args:
        what: what it does, for the log.
    """
    result.addErrback(_failed, what)


def _failed(failure: Failure, what: str) -> None:
    error = failure.value
    if isinstance(error, ChatError):
        _log.warn("{what} failed: {code}", what=what, code=error.code)
    else:
        _log.failure("{what} failed", failure=failure, what=what)
