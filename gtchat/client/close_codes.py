"""Close codes of the server: whether a client comes back, and what it tells the user if not.

Source: docs/protocol.md, "Close codes".
"""

from __future__ import annotations

import enum
import re

from gtchat.client.errors import CloseReason, ConnectionClosed


class ComeBack(enum.Enum):
    """Whether a client reconnects."""

    YES = "yes"
    #: After the seconds that the close reason tells.
    AFTER_WAIT = "after the time told"
    NO = "no"


#: Close code -> whether a client reconnects. It does after any other code, and without one.
COME_BACK: dict[int, ComeBack] = {
    1000: ComeBack.YES,
    1001: ComeBack.YES,
    1002: ComeBack.NO,
    1003: ComeBack.NO,
    1006: ComeBack.YES,
    1007: ComeBack.NO,
    1008: ComeBack.NO,
    1009: ComeBack.NO,
    1011: ComeBack.YES,
    1012: ComeBack.YES,
    1013: ComeBack.YES,
    4001: ComeBack.NO,
    4002: ComeBack.NO,
    4003: ComeBack.YES,
    4008: ComeBack.YES,
    4009: ComeBack.AFTER_WAIT,
}
#: First word of a close reason -> what it means for the user.
MEANINGS: dict[str, str] = {
    "replaced": "the user logged in elsewhere",
    "password_changed": "the password was changed",
    "session_ended": "the user ended this session on another device",
    "kicked": "an operator disconnected this user",
    "banned": "an operator has banned this user or address",
    "protocol_error": "the server does not understand this client",
    "binary": "the server does not understand this client",
    "invalid_utf8": "the server does not understand this client",
    "malformed": "the server rejected too many requests of this client",
    "too_big": "a message was too long for the server",
    "restart": "the server restarts",
    "busy": "the server is busy",
    "internal": "the server has failed",
    "login_timeout": "there was no login in time",
    "slow_reader": "this client reads too slowly",
    "slow_sender": "this client sends too slowly",
    "flood": "this client sent too fast",
}
#: Close code of a connection on which no user logged in in time.
LOGIN_TIMEOUT_CODE = 4003


def is_final(code: int | None) -> bool:
    """Return whether a client must not reconnect. code: None: the server sent none."""
    return COME_BACK.get(code or 0) is ComeBack.NO


def meaning_of(reason: str) -> str:
    """Return what the end of a connection means for the user, one clause.

    Args:
        reason: the close reason, whose first word is for programs; or why the connection was lost.
    """
    return MEANINGS.get(reason.partition(":")[0], reason)


def wait_of(code: int | None, reason: str) -> float:
    """Return the seconds to wait before the next attempt that a close tells, 0 if it tells none.

    Args:
        code: the close code, None: the server sent none.
        reason: the close reason.
    """
    if COME_BACK.get(code or 0) is not ComeBack.AFTER_WAIT:
        return 0.0
    found = re.search(r"(\d+(?:\.\d+)?) s", reason)
    return float(found[1]) if found else 0.0


#: First word of a close reason -> why the connection is closed for good.
_REASONS: dict[str, CloseReason] = {
    "replaced": CloseReason.REPLACED,
    "password_changed": CloseReason.PASSWORD_CHANGED,
    "session_ended": CloseReason.SESSION_OVER,
    "kicked": CloseReason.KICKED,
    "banned": CloseReason.BANNED,
}
#: Close code -> the word that a reason without a known one stands for.
_DEFAULT_WORDS = {4001: "replaced", 4002: "kicked"}


def closed_for_good(code: int, reason: str) -> ConnectionClosed:
    """Return the error of a connection that must not be opened again."""
    word, _, details = reason.partition(": ")
    if word not in _REASONS:
        word = _DEFAULT_WORDS.get(code, word)
    text = details if word == "banned" else ""  # says why, and until when
    text = text or MEANINGS.get(word, reason) or f"the server closed it with code {code}"
    return ConnectionClosed(code, _REASONS.get(word, CloseReason.REFUSED), text)
