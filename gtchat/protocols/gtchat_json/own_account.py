"""What users do with their own data: requests, replies and handlers."""

from __future__ import annotations

import msgspec

from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.requests import Request
from gtchat.protocols.gtchat_json.responses import Reply


class DeleteAccount(Request, tag="delete_account"):
    """Delete the account of the user, who gives the password or the UUID again.

    `messages`, `directs`: `keep` or `erase`; what becomes of messages in rooms, and of direct ones.
    """

    pwd: str | None = None
    uuid: str | None = None
    messages: str | None = None
    directs: str | None = None


class ExportAccount(Request, tag="export_account"):
    """Ask for an export of all that is stored of the user, until it is made."""


class ExportReply(Reply, kw_only=True):
    """Where an export is. `path`: below the address of the page; absent while it is being made."""

    path: str | msgspec.UnsetType = msgspec.UNSET
    expires: str | msgspec.UnsetType = msgspec.UNSET


async def export_account(context: Context, request: ExportAccount) -> ExportReply:
    """Begin to make an export, or say where it is."""
    link = await context.chat.exports.ask(context.require_session)
    if link is None:
        return ExportReply()
    return ExportReply(path=f"export/{link.token}", expires=rfc3339(link.expires_at))


async def delete_account(context: Context, request: DeleteAccount) -> Reply:
    """Delete the account of the user."""
    await context.chat.deletions.delete_own(
        context.require_session, request.pwd, request.uuid, request.messages, request.directs
    )
    return Reply()


def leave(context: Context) -> None:
    """End the session of a deleted account, once it has its reply."""
    if context.session is not None:
        context.chat.deletions.leave(context.session)
