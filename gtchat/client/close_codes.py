"""Close codes of the server: after which a client stays away, and how long it waits after others.

Source: docs/protocol.md, "Close codes".
"""

from __future__ import annotations

import re

#: Close codes after which a client must not reconnect, with their meaning (docs/protocol.md).
FATAL_CLOSE_CODES: dict[int, str] = {
    4001: "the user logged in elsewhere, changed the password or ended this session",
    4002: "an operator disconnected this user",
    1002: "the server does not understand this client",
    1003: "the server does not understand this client",
    1007: "the server does not understand this client",
    1008: "the server rejected too many requests of this client",
    1009: "a message was too long for the server",
}
#: Close code of a connection on which no user logged in in time.
LOGIN_TIMEOUT_CODE = 4003
#: Close code of a client that sent too fast; the reason says for how many seconds to wait.
TOO_FAST_CODE = 4009


def wait_of(reason: str) -> float:
    """Return the seconds to wait that the reason of a close tells, 0 if it tells none."""
    found = re.search(r"(\d+(?:\.\d+)?) s", reason)
    return float(found[1]) if found else 0.0
