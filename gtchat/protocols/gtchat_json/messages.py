"""What people say to each other, what was said, and whom they want to hear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from gtchat.chat.chat import HISTORY_LIMIT
from gtchat.chat.errors import BadRequest
from gtchat.chat.events import ENTRY_TYPES
from gtchat.chat.interfaces import Ack, HistoryQuery
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.encoder import encode
from gtchat.protocols.gtchat_json.responses import Reply, rfc3339

if TYPE_CHECKING:
    from gtchat.protocols.gtchat_json.api import API_Chatroom


def spoke(receipt: Ack, tracker: str) -> Reply:
    """The answer to a message that is stored."""
    return responses.SpeakReply(
        last_cmd="speak",
        tracker=tracker,
        msg="Said.",
        id=receipt.id,
        seq=receipt.seq,
        at=rfc3339(receipt.at),
        dup=receipt.dup or msgspec.UNSET,
    )


def speak(api: API_Chatroom, request: requests.Speak) -> Reply:
    """Speak to everybody: the seed's spelling of a broadcast, which names no room."""
    if request.broadcast_key is None:
        raise BadRequest("room_name: this field is missing.")
    return _broadcast(api, request.msg, request.broadcast_key)


def broadcast(api: API_Chatroom, request: requests.Broadcast) -> Reply:
    """Speak to everybody."""
    return _broadcast(api, request.msg, request.broadcast_key)


def _broadcast(api: API_Chatroom, msg: str, key: str) -> Reply:
    return responses.BroadcastReply(recipients=api.chat.broadcast(api.require_session, msg, key))


async def history(api: API_Chatroom, request: requests.History) -> Reply:
    """Read a room's log."""
    marks = (request.before, request.after, request.around)
    if sum(mark is not None for mark in marks) > 1:
        raise BadRequest("before, after, around: one of them at most is wanted.")
    if any(mark is not None and mark < 0 for mark in marks):
        raise BadRequest("before, after, around: a seq is wanted.")
    span = HistoryQuery(
        *marks, limit=min(request.limit, HISTORY_LIMIT), kinds=_kinds(request.kinds)
    )
    page = await api.chat.history(api.require_session, request.room_name, span)
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


def typing(api: API_Chatroom, request: requests.Typing) -> Reply:
    """Show that one is typing."""
    api.chat.read_state.typing(api.require_session, request.room_name)
    return Reply()


async def mark_read(api: API_Chatroom, request: requests.MarkRead) -> Reply:
    """Say how far one has read."""
    await api.chat.read_state.mark_read(api.require_session, request.room_name, request.seq)
    return Reply()


async def whisper(api: API_Chatroom, request: requests.Whisper) -> Reply:
    """Say something to one person."""
    receipt, told = await api.chat.whispers.send(
        api.require_session, request.target_user, request.msg, request.txn
    )
    return responses.WhisperReply(
        id=receipt.id,
        at=rfc3339(receipt.at),
        delivered="now" if told else "stored",
        dup=receipt.dup or msgspec.UNSET,
    )


async def block(api: API_Chatroom, request: requests.Block) -> Reply:
    """Hear somebody no more."""
    blocked = await api.chat.blocks.set_block(api.require_session, request.user, True)
    return responses.BlockedReply(blocked=blocked)


async def unblock(api: API_Chatroom, request: requests.Unblock) -> Reply:
    """Hear somebody again."""
    blocked = await api.chat.blocks.set_block(api.require_session, request.user, False)
    return responses.BlockedReply(blocked=blocked)


def set_address(api: API_Chatroom, request: requests.SetAddress) -> Reply:
    """Say where one listens."""
    api.chat.peer_address.set_address(api.require_session, request.port)
    return Reply()


async def get_address(api: API_Chatroom, request: requests.GetAddress) -> Reply:
    """Ask for somebody's address."""
    await api.chat.peer_address.request(api.require_session, request.user)
    return Reply()


async def allow(api: API_Chatroom, request: requests.Allow) -> Reply:
    """Tell one's address."""
    await api.chat.peer_address.allow(api.require_session, request.user)
    return Reply()


async def deny(api: API_Chatroom, request: requests.Deny) -> Reply:
    """Do not tell one's address."""
    await api.chat.peer_address.deny(api.require_session, request.user)
    return Reply()
