"""What people say to each other, what was said, and whom they want to hear."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gtchat.chat.chat import HISTORY_LIMIT
from gtchat.chat.errors import BadRequest
from gtchat.chat.events import ENTRY_TYPES
from gtchat.chat.interfaces import HistoryQuery
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.encoder import encode
from gtchat.protocols.gtchat_json.responses import Reply


def speak(context: Context, request: requests.Speak) -> Reply:
    """Speak to everybody: the seed's spelling of a broadcast, which names no room."""
    if request.broadcast_key is None:
        raise BadRequest("room_name: this field is missing.")
    return _broadcast(context, request.msg, request.broadcast_key)


def broadcast(context: Context, request: requests.Broadcast) -> Reply:
    """Speak to everybody."""
    return _broadcast(context, request.msg, request.broadcast_key)


def _broadcast(context: Context, msg: str, key: str) -> Reply:
    return responses.BroadcastReply(
        recipients=context.chat.broadcast(context.require_session, msg, key)
    )


async def history(context: Context, request: requests.History) -> Reply:
    """Read a room's log."""
    marks = (request.before, request.after, request.around)
    if sum(mark is not None for mark in marks) > 1:
        raise BadRequest("before, after, around: one of them at most is wanted.")
    if any(mark is not None and mark < 0 for mark in marks):
        raise BadRequest("before, after, around: a seq is wanted.")
    span = HistoryQuery(
        *marks, limit=min(request.limit, HISTORY_LIMIT), kinds=_kinds(request.kinds)
    )
    page = await context.chat.history(context.require_session, request.room_name, span)
    return responses.HistoryReply(
        entries=[msgspec.Raw(encode(entry)) for entry in page.entries],
        first=page.first,
        last=page.last,
        more=page.more,
    )


def _kinds(raw: Sequence[str]) -> frozenset[str]:
    """Kinds of entries: `c_speak`, and the types of `c_event`."""
    kinds = frozenset("speak" if kind == "c_speak" else kind for kind in raw)
    if not kinds <= ENTRY_TYPES.keys():
        raise BadRequest(f"kinds: {', '.join(ENTRY_TYPES)} are those that there are.")
    return kinds


def typing(context: Context, request: requests.Typing) -> Reply:
    """Show that one is typing."""
    context.chat.read_state.typing(context.require_session, request.room_name)
    return Reply()


async def mark_read(context: Context, request: requests.MarkRead) -> Reply:
    """Say how far one has read."""
    await context.chat.read_state.mark_read(context.require_session, request.room_name, request.seq)
    return Reply()


async def whisper(context: Context, request: requests.Whisper) -> Reply:
    """Say something to one person."""
    receipt, told = await context.chat.whispers.send(
        context.require_session, request.target_user, request.msg, request.txn
    )
    return responses.WhisperReply(
        id=receipt.id,
        at=rfc3339(receipt.at),
        delivered="now" if told else "stored",
        dup=receipt.dup or msgspec.UNSET,
    )


async def block(context: Context, request: requests.Block) -> Reply:
    """Hear somebody no more."""
    blocked = await context.chat.blocks.set_block(context.require_session, request.user, True)
    return responses.BlockedReply(blocked=blocked)


async def unblock(context: Context, request: requests.Unblock) -> Reply:
    """Hear somebody again."""
    blocked = await context.chat.blocks.set_block(context.require_session, request.user, False)
    return responses.BlockedReply(blocked=blocked)


def set_address(context: Context, request: requests.SetAddress) -> Reply:
    """Say where one listens."""
    context.chat.peer_address.set_address(context.require_session, request.port)
    return Reply()


async def get_address(context: Context, request: requests.GetAddress) -> Reply:
    """Ask for somebody's address."""
    await context.chat.peer_address.request(context.require_session, request.user)
    return Reply()


async def allow(context: Context, request: requests.Allow) -> Reply:
    """Tell one's address."""
    await context.chat.peer_address.allow(context.require_session, request.user)
    return Reply()


async def deny(context: Context, request: requests.Deny) -> Reply:
    """Do not tell one's address."""
    await context.chat.peer_address.deny(context.require_session, request.user)
    return Reply()
