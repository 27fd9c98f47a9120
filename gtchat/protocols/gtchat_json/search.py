"""The handler of `search`."""

from __future__ import annotations

import msgspec

from gtchat.chat.blocks import hides
from gtchat.chat.search import SEARCH_LIMIT
from gtchat.chat.search_query import marks
from gtchat.protocols.gtchat_json import cursors, requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.messages import named_target
from gtchat.protocols.gtchat_json.pushes import encode_found
from gtchat.protocols.gtchat_json.reply_size import fitting_entries, reply_bytes


async def search(context: Context, request: requests.Search) -> responses.SearchReply:
    """Find messages in the rooms and direct conversations of the user."""
    session = context.require_session
    result = await context.chat.searches.search(
        session,
        request.q,
        named_target(request),
        request.usr,
        None if request.before is None else cursors.decode(request.before),
        min(request.limit, SEARCH_LIMIT),
    )
    page, terms = result.page, result.query.terms
    hidden = hides(session.user)
    encoded = [
        encode_found(one, marks(one.message.msg, terms), hidden(one.message)) for one in page.found
    ]
    fitting = fitting_entries(encoded, 0, reply_bytes(request))
    before = page.before
    if len(fitting) < len(encoded):
        before = page.found[len(fitting) - 1].position
    return responses.SearchReply(
        entries=[msgspec.Raw(entry) for entry in fitting],
        more=before is not None,
        next=msgspec.UNSET if before is None else cursors.encode(before),
        incomplete=page.incomplete or msgspec.UNSET,
    )
