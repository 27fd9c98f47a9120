"""Why the server closes a WebSocket connection: close codes and the words of close reasons.

A close reason is one word, for programs, and may go on with ": " and a text for people. The words
are those of docs/protocol.md, "Close codes"; the codes are those of RFC 6455 section 7.4.1 and
its registry (section 11.7), and from 4000 on ours (section 7.4.2).
"""

from __future__ import annotations

from enum import Enum
from math import ceil

from autobahn.util import encode_truncate

#: Maximum size of a close reason in bytes: a control frame has 125, the code 2 (section 5.5).
REASON_BYTES = 123


class CloseReason(Enum):
    """A close code and the first word of its reason.

    Attributes:
        code: the close code.
        word: the word.
    """

    PROTOCOL_ERROR = 1002, "protocol_error"
    BINARY = 1003, "binary"
    INVALID_UTF8 = 1007, "invalid_utf8"
    #: For what a repetition can't mend. A client that only sends too fast gets FLOOD.
    MALFORMED = 1008, "malformed"
    TOO_BIG = 1009, "too_big"
    INTERNAL = 1011, "internal"
    RESTART = 1012, "restart"
    BUSY = 1013, "busy"
    REPLACED = 4001, "replaced"
    PASSWORD_CHANGED = 4001, "password_changed"
    SESSION_ENDED = 4001, "session_ended"
    KICKED = 4002, "kicked"
    BANNED = 4002, "banned"
    LOGIN_TIMEOUT = 4003, "login_timeout"
    SLOW_READER = 4008, "slow_reader"
    SLOW_SENDER = 4008, "slow_sender"
    FLOOD = 4009, "flood"

    def __init__(self, code: int, word: str) -> None:
        self.code = code
        self.word = word

    def __call__(self, text: str = "") -> tuple[int, str]:
        """Return the code and the reason to close with. text: for people."""
        return self.code, f"{self.word}: {text}" if text else self.word

    @classmethod
    def flood(cls, seconds: float) -> tuple[int, str]:
        """Return how to close a connection whose client sends too fast.

        Args:
            seconds: after which it may come back; the reason tells them.
        """
        return cls.FLOOD(f"wait {ceil(seconds)} s")


#: Why Autobahn closes a connection by itself, by close code.
BY_LIBRARY: dict[int, CloseReason] = {
    reason.code: reason
    for reason in (CloseReason.PROTOCOL_ERROR, CloseReason.INVALID_UTF8, CloseReason.TOO_BIG)
}


def with_word(code: int | None, reason: bytes) -> bytes:
    """Return a close reason with the word of its code before a text of Autobahn's.

    Args:
        code: close code, None for a frame without payload.
        reason: UTF-8; ours begins with its word already.
    """
    found = BY_LIBRARY.get(code or 0)
    if found is None or reason.startswith(found.word.encode()):
        return reason
    shortened: bytes = encode_truncate(found(reason.decode("utf-8", "replace"))[1], REASON_BYTES)
    return shortened
