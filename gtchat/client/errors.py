"""The exceptions of the library: all are `GTChatError`.

Source: docs/protocol.md, "Codes" and "Close codes".
"""

from __future__ import annotations

import enum


class GTChatError(Exception):
    """What the library raises."""


class _Reasoned(GTChatError):
    """An error with a reason: one clause."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class CannotConnect(_Reasoned):
    """The first connection attempt failed; it is not repeated."""


class HistoryChanged(_Reasoned):
    """The room was reset while its history was read: begin anew."""


class TooManyCalls(_Reasoned):
    """More calls wait than are allowed: the caller is faster than the server lets it be."""


class CommandFailed(GTChatError):
    """The server replied to a command with an error.

    Args:
        code: the error code, for programs.
        text: one sentence, for users.
        retry_after: seconds after which a retry makes sense, or None.
        cmd: the command, if it is known.
        incident: the number under which the server logged a fault, or None.
    """

    def __init__(
        self,
        code: str,
        text: str,
        retry_after: float | None = None,
        cmd: str | None = None,
        incident: str | None = None,
    ) -> None:
        self.code, self.text, self.retry_after = code, text, retry_after
        self.cmd, self.incident = cmd, incident
        super().__init__(f"{text} ({code})")


class RateLimited(CommandFailed):
    """Too much: try again after `retry_after`."""


class NotLoggedIn(CommandFailed):
    """No user is logged in, or the session is over."""


class Refused(CommandFailed):
    """This user may not do this, or not here."""


#: Error code -> the class of its exception; others are plain `CommandFailed`.
ERROR_CLASSES: dict[str, type[CommandFailed]] = {
    **dict.fromkeys(("rate_limited", "locked_out", "over_quota"), RateLimited),
    **dict.fromkeys(("not_logged_in", "bad_session"), NotLoggedIn),
    **dict.fromkeys(
        (
            "bad_credentials",
            "bad_invite",
            "bad_key",
            "room_banned",
            "blocked",
            "filtered",
            "invite_wanted",
            "moderated",
            "muted",
            "not_allowed",
            "not_author",
            "not_in_room",
            "not_owner",
            "not_you",
            "private_room",
            "registration_closed",
            "room_full",
            "slow_mode",
            "storage_full",
            "too_late",
        ),
        Refused,
    ),
}


class Unanswered(GTChatError):
    """The command was not answered: it may have been done, or not.

    Args:
        cmd: the command.
        reason: one clause.
    """

    def __init__(self, cmd: str, reason: str) -> None:
        self.cmd, self.reason = cmd, reason
        super().__init__(f"{cmd} was not answered: {reason}")


class CloseReason(enum.Enum):
    """Why a connection is closed for good."""

    CLOSED_BY_US = "closed"
    REPLACED = "replaced"
    PASSWORD_CHANGED = "password_changed"
    KICKED = "kicked"
    BANNED = "banned"
    #: The server rejects what this client sends.
    REFUSED = "refused"
    #: The session was ended, or could not be resumed, and a new login was refused.
    SESSION_OVER = "session_over"


class ConnectionClosed(GTChatError):
    """The connection is closed and does not reconnect.

    Args:
        code: the server's close code, None if there was none.
        reason: why.
        text: the same for users, one clause.
    """

    def __init__(self, code: int | None, reason: CloseReason, text: str) -> None:
        self.code, self.reason, self.text = code, reason, text
        super().__init__(text)


def closed_by_us() -> ConnectionClosed:
    """Return the error of a connection that `close` has closed."""
    return ConnectionClosed(1000, CloseReason.CLOSED_BY_US, "the connection is closed")
