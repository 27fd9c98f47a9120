"""Handlers of messages, history, read positions, direct messages, blocks and peer addresses."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import msgspec

from gtchat.chat.blocks import hides
from gtchat.chat.chat import HISTORY_LIMIT
from gtchat.chat.conversations import DirectTarget, Target
from gtchat.chat.direct_records import LISTED_DIRECTS
from gtchat.chat.errors import BadRequest
from gtchat.chat.events import Entry
from gtchat.chat.interfaces import HistoryQuery
from gtchat.chat.read_state import MENTIONS_LIMIT
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import cursors, requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.event_pushes import ENTRY_KINDS
from gtchat.protocols.gtchat_json.pushes import encode, encode_blocked
from gtchat.protocols.gtchat_json.reply_size import fitting_directs, fitting_entries, reply_bytes
from gtchat.protocols.gtchat_json.responses import Reply

#: In `kinds`: all entries, also of kinds that the client does not know.
ALL_KINDS = "all"


def target_of(request: requests.TargetRequest | requests.Speak) -> Target:
    """Return the room or the direct conversation that a request is about.

    Raises:
        BadRequest: it names none, or more than one.
    """
    target = named_target(request)
    if target is None:
        raise BadRequest("room_name: this field is missing.")
    return target


def named_target(request: requests.TargetRequest | requests.Speak) -> Target | None:
    """Return the room or the direct conversation that a request names, None if it names none.

    Raises:
        BadRequest: it names more than one.
    """
    targets = (request.room_name, request.target_user, request.direct)
    if targets.count(None) == len(targets):
        return None
    if targets.count(None) < len(targets) - 1:
        raise BadRequest("room_name, target_user, direct: only one of them is allowed.")
    if request.room_name is not None:
        return request.room_name
    return DirectTarget(request.target_user, request.direct)


async def speak(
    context: Context, request: requests.Speak
) -> responses.SpeakReply | responses.BroadcastReply:
    """Send a direct message; or a broadcast, as the seed writes it, with a key and no target."""
    if request.broadcast_key is not None and (request.target_user, request.direct) == (None, None):
        return await _broadcast(context, request.msg, request.broadcast_key)
    target = target_of(request)
    assert isinstance(target, DirectTarget), "messages to rooms are sent by the API itself"
    ack, _ = await context.chat.whispers.send(
        context.require_session,
        target,
        request.msg,
        request.txn,
        request.reply,
        request.style,
        to_self=True,
    )
    return responses.SpeakReply(
        id=ack.id, seq=ack.seq, at=rfc3339(ack.at), dup=ack.dup or msgspec.UNSET
    )


async def broadcast(context: Context, request: requests.Broadcast) -> responses.BroadcastReply:
    """Send a message to all users who are online."""
    return await _broadcast(context, request.msg, request.broadcast_key)


async def _broadcast(context: Context, msg: str, key: str) -> responses.BroadcastReply:
    recipients = await context.chat.broadcast(context.require_session, msg, key)
    return responses.BroadcastReply(recipients=recipients)


async def history(context: Context, request: requests.History) -> responses.HistoryReply:
    """Return a page of the log of a room."""
    marks = (request.before, request.after, request.around)
    if sum(mark is not None for mark in marks) > 1:
        raise BadRequest("before, after, around: at most one of them is allowed.")
    if any(mark is not None and mark < 0 for mark in marks):
        raise BadRequest("before, after, around: must be a seq, 0 or more.")
    query = HistoryQuery(
        *marks, limit=min(request.limit, HISTORY_LIMIT), kinds=_kinds(request.kinds)
    )
    session, target = context.require_session, target_of(request)
    if not request.preview:
        page = await context.chat.history(session, target, query)
    elif isinstance(target, str):
        page = await context.chat.preview(session, target, query)
        query = attrs.evolve(query, before=None, after=None, around=None)
    else:
        raise BadRequest("preview: of rooms only.")
    hidden = hides(session.user)
    encoded = [encode_blocked(one) if hidden(one) else encode(one) for one in page.entries]
    fitting = fitting_entries(encoded, _position(page.entries, query), reply_bytes(request))
    return responses.HistoryReply(
        entries=[msgspec.Raw(entry) for entry in fitting],
        log_first=page.first,
        log_last=page.last,
        first=page.first,
        last=page.last,
        more=not request.preview and (page.more or len(fitting) < len(encoded)),
    )


def _position(entries: Sequence[Entry], query: HistoryQuery) -> int:
    """Return the index of the first entry behind the position that a query names."""
    if query.after is not None:
        return 0
    if query.around is None:
        return len(entries)
    return sum(entry.seq <= query.around for entry in entries)


def _kinds(raw: Sequence[str]) -> frozenset[str]:
    """Return the kinds of entries that a client names: a `cmd`, a type of `c_event`, or `all`."""
    if ALL_KINDS in raw:
        return frozenset(ENTRY_KINDS.values())
    if not ENTRY_KINDS.keys() >= set(raw):
        raise BadRequest(f"kinds: must be of {ALL_KINDS}, {', '.join(ENTRY_KINDS)}.")
    return frozenset(ENTRY_KINDS[kind] for kind in raw)


async def typing(context: Context, request: requests.Typing) -> Reply:
    """Show the others that the user is typing."""
    await context.chat.read_state.typing(context.require_session, target_of(request))
    return Reply()


async def mark_read(context: Context, request: requests.MarkRead) -> Reply:
    """Set the read position of the user."""
    session = context.require_session
    await context.chat.read_state.mark_read(session, target_of(request), request.seq)
    return Reply()


async def mark_unread(context: Context, request: requests.MarkUnread) -> responses.MarkUnreadReply:
    """Set the read position of the user back."""
    read_seq = await context.chat.read_state.mark_unread(
        context.require_session, target_of(request), request.seq
    )
    return responses.MarkUnreadReply(read_seq=read_seq)


async def set_notify(context: Context, request: requests.SetNotify) -> Reply:
    """Set of which messages of a room the user is notified."""
    await context.chat.read_state.set_notify(
        context.require_session, target_of(request), request.level
    )
    return Reply()


async def get_mentions(context: Context, request: requests.GetMentions) -> responses.MentionsReply:
    """List messages that mention the user."""
    session, chat = context.require_session, context.chat
    before = None if request.before is None else cursors.decode(request.before)
    limit = min(request.limit, MENTIONS_LIMIT)
    page = await chat.read_state.mentions(session, before, limit)
    hidden = hides(session.user)
    encoded = [encode(entry) for entry in page.entries if not hidden(entry)]
    return responses.MentionsReply(
        entries=[msgspec.Raw(entry) for entry in encoded],
        more=page.next is not None,
        next=msgspec.UNSET if page.next is None else cursors.encode(page.next),
    )


async def whisper(context: Context, request: requests.Whisper) -> responses.WhisperReply:
    """Send a direct message."""
    ack, online = await context.chat.whispers.send(
        context.require_session,
        DirectTarget(request.target_user),
        request.msg,
        request.txn,
        to_self=True,
    )
    return responses.WhisperReply(
        id=ack.id,
        seq=ack.seq or msgspec.UNSET,
        at=rfc3339(ack.at),
        delivered="now" if online else "stored",
        dup=ack.dup or msgspec.UNSET,
    )


async def get_direct_list(
    context: Context, request: requests.GetDirectList
) -> responses.DirectListReply:
    """List the direct conversations of the user."""
    session, limit = context.require_session, min(request.limit, LISTED_DIRECTS)
    if limit < 1:
        raise BadRequest("limit: must be 1 or more.")
    before = None if request.before is None else cursors.decode(request.before)
    page = await context.chat.conversations.page(session, before, limit)
    listed = fitting_directs(page.directs, reply_bytes(request))
    last = page.next if len(listed) == len(page.directs) else page.directs[len(listed) - 1].position
    if session.marks_read:
        context.chat.whispers.told(session, page.directs[: len(listed)])
    return responses.DirectListReply(
        directs=listed, next=msgspec.UNSET if last is None else cursors.encode(last)
    )


async def block(context: Context, request: requests.Block) -> responses.BlockedReply:
    """Block a user."""
    blocked = await context.chat.blocks.set_block(context.require_session, request.user, True)
    return responses.BlockedReply(blocked=blocked)


async def unblock(context: Context, request: requests.Unblock) -> responses.BlockedReply:
    """Unblock a user."""
    blocked = await context.chat.blocks.set_block(context.require_session, request.user, False)
    return responses.BlockedReply(blocked=blocked)


def set_address(context: Context, request: requests.SetAddress) -> Reply:
    """Set where the client listens for peers."""
    context.chat.peer_address.set_address(context.require_session, request.port)
    return Reply()


async def get_address(context: Context, request: requests.GetAddress) -> Reply:
    """Ask for the address of a user."""
    await context.chat.peer_address.request(context.require_session, request.user)
    return Reply()


async def allow(context: Context, request: requests.Allow) -> Reply:
    """Give the address of this client."""
    await context.chat.peer_address.allow(context.require_session, request.user)
    return Reply()


async def deny(context: Context, request: requests.Deny) -> Reply:
    """Refuse the address of this client."""
    await context.chat.peer_address.deny(context.require_session, request.user)
    return Reply()
