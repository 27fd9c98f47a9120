"""Audit log: events that an operator may have to look up later, one log line each.

Each line has a code that stays the same. No field is ever a password, a session id or a key; names
are those of accounts and rooms, which have no control characters.
"""

from __future__ import annotations

from twisted.logger import Logger

#: Code -> text of the line; the words in braces are the fields of the event.
AUDIT: dict[str, str] = {
    "started": "started with {settings}",
    "registered": "{name} registered from {address}",
    "login": "{name} logged in from {address}",
    "login_failed": "wrong password for {name} from {address}",
    "locked_out": "{name} is locked out from {address} for {seconds} s",
    "password_changed": "{name} changed the password from {address}",
    "sessions_ended": "{name} ended other sessions from {address}",
    "put_out": "the operator disconnected {name}",
    "kicked": "{by} kicked {name} from {room}",
    "removed": "{by} removed {name} from {room}",
    "room_set": "{by} changed {room}: public {public}, max {max}, owner {owner}",
    "message_deleted": "{by} deleted message {seq} of {name} in {room}",
    "room_deleted": "{by} deleted {room}",
    "blocked": "{by} blocked {name}",
    "unblocked": "{by} unblocked {name}",
    "broadcast": "{name} sent a broadcast",
    "broadcast_refused": "{name} sent a broadcast with a wrong key",
}

_log = Logger()


def audit(code: str, **fields: object) -> None:
    """Write a line of the audit log.

    Args:
        code: a key of `AUDIT`.
        fields: the fields that its text names.
    """
    _log.info("{code}: " + AUDIT[code], code=code, **fields)
