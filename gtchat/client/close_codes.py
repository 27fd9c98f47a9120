"""Close codes: whether a client comes back after one, and when.

A close code without a row, and the end of a connection without one (1006), mean: come back.
Source: docs/protocol.md, "Close codes".
"""

from __future__ import annotations

import enum
import re

from gtchat.client.errors import CloseReason, ConnectionClosed


class ComeBack(enum.Enum):
    """Whether a client connects again after a close code."""

    YES = enum.auto()
    #: After the time that the reason tells.
    AFTER_WAIT = enum.auto()
    NO = enum.auto()


CLOSE_CODES: dict[int, ComeBack] = {
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
#: Close code of a connection on which no user logged in in time.
LOGIN_TIMEOUT_CODE = 4003
#: First word of the reason of a close code 4001 or 4002 -> what it means, for users too.
_WORDS: dict[str, tuple[CloseReason, str]] = {
    "replaced": (CloseReason.REPLACED, "the user logged in elsewhere"),
    "password_changed": (CloseReason.PASSWORD_CHANGED, "the password was changed"),
    "session_ended": (CloseReason.SESSION_OVER, "another session of the user ended this one"),
    "kicked": (CloseReason.KICKED, "an operator disconnected this user"),
    "banned": (CloseReason.BANNED, "an operator banned this user"),
}
#: Close code -> the word that stands for a reason that is not known.
_DEFAULTS = {4001: "replaced", 4002: "kicked"}
_REFUSED = "the server does not accept what this client sends"
_SECONDS = re.compile(r"(\d+(?:\.\d+)?) s")


def is_final(code: int | None) -> bool:
    """Return whether a client must not connect again. code: None for none."""
    return code is not None and CLOSE_CODES.get(code) is ComeBack.NO


def wait_of(code: int | None, reason: str) -> float:
    """Return the seconds to wait before connecting again that a close tells, 0 if it tells none."""
    found = _SECONDS.search(reason)
    waits = code is not None and CLOSE_CODES.get(code) is ComeBack.AFTER_WAIT
    return float(found[1]) if waits and found else 0.0


def closed_for_good(code: int, reason: str) -> ConnectionClosed:
    """Return the error of a connection that must not be opened again."""
    word = re.split(r"\W", reason, maxsplit=1)[0]
    found = _WORDS.get(word) or _WORDS.get(_DEFAULTS.get(code, ""))
    if found is None:
        return ConnectionClosed(code, CloseReason.REFUSED, f"{_REFUSED}: {reason or code}")
    return ConnectionClosed(code, *found)
