"""What an operator may want to look up later: a line of the log each, with a code that stays.

The table says all that there is; no field of it is ever a password, a session's id or a key. Names
are those of accounts and rooms, which have no control characters.
"""

from __future__ import annotations

from twisted.logger import Logger

#: Code -> the line; the words in braces are the event's fields.
AUDIT: dict[str, str] = {
    "started": "started with {settings}",
    "registered": "{name} registered from {address}",
    "login": "{name} logged in from {address}",
    "login_failed": "wrong password for {name} from {address}",
    "locked_out": "{name} is locked out from {address} for {seconds} s",
    "password_changed": "{name} changed the password from {address}",
    "put_out": "the operator put {name} out",
    "kicked": "{by} put {name} out of {room}",
    "removed": "{by} took {name} off {room}",
    "room_set": "{by} changed {room}: public {public}, max {max}, owner {owner}",
    "room_deleted": "{by} deleted {room}",
    "blocked": "{by} blocks {name}",
    "unblocked": "{by} blocks {name} no more",
    "broadcast": "{name} spoke to everybody",
    "broadcast_refused": "{name} had a wrong key to speak to everybody",
}

_log = Logger()


def audit(code: str, **fields: object) -> None:
    """Write a line.

    Args:
        code: a key of the table. fields: what its line names.
    """
    _log.info("{code}: " + AUDIT[code], code=code, **fields)
