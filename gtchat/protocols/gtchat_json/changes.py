"""Handlers of changes of messages."""

from __future__ import annotations

from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.messages import target_of
from gtchat.protocols.gtchat_json.responses import ChangeReply, VersionsReply, change_reply


async def edit(context: Context, request: requests.Edit) -> ChangeReply:
    """Give a message another text."""
    changes, session = context.chat.changes, context.require_session
    return change_reply(
        await changes.edit(session, target_of(request), request.seq, request.msg, request.txn)
    )


async def delete(context: Context, request: requests.Delete) -> ChangeReply:
    """Delete a message."""
    changes, session = context.chat.changes, context.require_session
    return change_reply(
        await changes.delete(session, target_of(request), request.seq, request.reason, request.txn)
    )


async def react(context: Context, request: requests.React) -> ChangeReply:
    """React to a message, or take that back."""
    ack = await context.chat.changes.react(
        context.require_session,
        target_of(request),
        request.seq,
        request.emoji,
        request.on,
        request.txn,
    )
    return change_reply(ack)


async def pin(context: Context, request: requests.Pin) -> ChangeReply:
    """Pin a message."""
    return await _pin(context, request, True)


async def unpin(context: Context, request: requests.Unpin) -> ChangeReply:
    """Unpin a message."""
    return await _pin(context, request, False)


async def _pin(context: Context, request: requests.MessageChangeRequest, on: bool) -> ChangeReply:
    changes, session = context.chat.changes, context.require_session
    return change_reply(
        await changes.pin(session, target_of(request), request.seq, on, request.txn)
    )


async def versions(context: Context, request: requests.Versions) -> VersionsReply:
    """List the texts that a message had."""
    found = await context.chat.changes.versions(
        context.require_session, target_of(request), request.seq
    )
    return VersionsReply(
        versions=[responses.Version(one.seq, rfc3339(one.at), one.msg) for one in found]
    )
