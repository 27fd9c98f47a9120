"""What docs/protocol.md promises for each command, error code, close code and feature.

Clients decide by these tables what to do after a lost reply, an error and a lost connection. Tests
compare them with the page and with the tables of our own client.
"""

from __future__ import annotations

from enum import Enum

from gtchat.chat.direct_records import LISTED_DIRECTS
from gtchat.chat.errors import CODES
from gtchat.chat.messages import HISTORY_LIMIT
from gtchat.chat.read_state import MENTIONS_LIMIT
from gtchat.chat.reports import REPORTS_LIMIT
from gtchat.chat.search import SEARCH_LIMIT
from gtchat.protocols.gtchat_json.commands import BY_CMD, COMMANDS
from gtchat.protocols.gtchat_json.requests import Request
from gtchat.protocols.gtchat_json.rooms import LIST_LIMIT


class Repeatable(Enum):
    """Whether a command may be sent again when the connection was lost before its reply."""

    ALWAYS = "always"
    #: With the same `txn`, by which the server detects the duplicate.
    TXN = "txn"
    #: The second may be refused, or be done a second time.
    NO = "no"


class ComeBack(Enum):
    """Whether a client reconnects after a close code."""

    YES = "yes"
    #: After the seconds that the close reason tells.
    AFTER_WAIT = "after the time told"
    #: The client has a bug, or its user has to act.
    NO = "no"


def _repeatable(request: type[Request]) -> Repeatable:
    if "txn" in request.__struct_fields__:
        return Repeatable.TXN
    return Repeatable.ALWAYS if COMMANDS[request].repeatable else Repeatable.NO


#: Command -> whether it may be repeated.
REPEATABLE: dict[str, Repeatable] = {cmd: _repeatable(request) for cmd, request in BY_CMD.items()}

#: Command -> the most items of a page. A greater `limit` counts as this one, and one below 1 is
#: refused; the default is that of the request.
PAGE_LIMITS: dict[str, int] = {
    "get_room_list": LIST_LIMIT,
    "get_user_list": LIST_LIMIT,
    "get_room_user_list": LIST_LIMIT,
    "history": HISTORY_LIMIT,
    "search": SEARCH_LIMIT,
    "get_mentions": MENTIONS_LIMIT,
    "get_direct_list": LISTED_DIRECTS,
    "get_reports": REPORTS_LIMIT,
}

#: Error codes with which the same request may succeed later: after `retry_after`, or after a while.
_TEMPORARY = frozenset({"internal", "locked_out", "not_stored", "over_quota", "rate_limited"})
#: Error code -> whether it is temporary.
TEMPORARY: dict[str, bool] = {code: code in _TEMPORARY for code in CODES}
#: Error codes of the login that follows `bad_session` after which it is tried again: with
#: `sessions = refuse`, the server may not have noticed yet that a connection of the user is lost.
LOGIN_AGAIN: frozenset[str] = _TEMPORARY | {"already_logged_in"}

#: Close code -> whether a client comes back. 1000 and 1001 may be those of a proxy; 1006 is never
#: sent, libraries report it for a connection that was lost without a close code.
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
#: The same for codes that are not in that table.
COME_BACK_FROM_OTHERS = ComeBack.YES
