"""The handler of `search`."""

from __future__ import annotations

import msgspec

from gtchat.chat.blocks import hides
from gtchat.chat.errors import BadRequest
from gtchat.chat.search import SEARCH_LIMIT
from gtchat.chat.search_query import marks
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.pushes import encode_found
from gtchat.protocols.gtchat_json.reply_size import fitting_entries, reply_bytes

#: How a cursor begins: behind a position in the order of all messages.
_AFTER = "m"


async def search(context: Context, request: requests.Search) -> responses.SearchReply:
    """Find messages in the rooms of the user."""
    session = context.require_session
    result = await context.chat.searches.search(
        session,
        request.q,
        request.room_name,
        request.usr,
        _position(request.before),
        min(request.limit, SEARCH_LIMIT),
    )
    page, terms = result.page, result.query.terms
    hidden = hides(session.user)
    encoded = [
        encode_found(one.message, marks(one.message.msg, terms), hidden(one.message))
        for one in page.found
    ]
    fitting = fitting_entries(encoded, 0, reply_bytes(request))
    before = page.before
    if len(fitting) < len(encoded):
        before = page.found[len(fitting) - 1].position
    return responses.SearchReply(
        entries=[msgspec.Raw(entry) for entry in fitting],
        more=before is not None,
        next=msgspec.UNSET if before is None else f"{_AFTER}{before:x}",
        incomplete=page.incomplete or msgspec.UNSET,
    )


def _position(cursor: str | None) -> int | None:
    """Return the position that a cursor stands for. Raises BadRequest."""
    if cursor is None:
        return None
    digits = cursor.removeprefix(_AFTER)
    if digits == cursor or not 1 <= len(digits) <= 15 or set(digits) - set("0123456789abcdef"):
        raise BadRequest("before: must be the next of an earlier reply.")
    return int(digits, 16)
