"""Links with which others register, or the user logs in: requests, replies and handlers."""

from __future__ import annotations

import msgspec

from gtchat.chat.invite_links import Wanted
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.requests import Request, Whole
from gtchat.protocols.gtchat_json.responses import Reply


class CreateInviteLink(Request, tag="create_invite_link"):
    """Make a link with which others register.

    `uses`: for how many accounts. `days`: how long it is good. `room_names`: rooms that these join.
    """

    uses: Whole = 1
    days: Whole = 7
    room_names: list[str] = []


class GetInviteLinks(Request, tag="get_invite_links"):
    """List the links of the user that are valid."""


class RevokeInviteLink(Request, tag="revoke_invite_link"):
    """Revoke a link of the user. `link_id`: as listed."""

    link_id: Whole


class FindInviteLink(Request, tag="find_invite_link"):
    """Ask what an invitation is for, before registering with it. `invite`: its secret."""

    invite: str


class CreateLoginLink(Request, tag="create_login_link"):
    """Make a link that logs the user in on another device, once, within two minutes."""


class LoginLinkReply(Reply, kw_only=True):
    """A link that was made. `link` is its secret."""

    link: str
    expires: str


class InviteLinkReply(Reply, kw_only=True):
    """A link that was made. `invite` is its secret, which is not told again."""

    link_id: int
    invite: str
    expires: str


class InviteLinkInfo(msgspec.Struct):
    """A link as it is listed. `used`: how many accounts were registered with it."""

    link_id: int
    uses: int
    used: int
    created: str
    expires: str
    room_names: list[str]


class InviteLinksReply(Reply, kw_only=True):
    """The links of the user, newest first."""

    links: list[InviteLinkInfo]


class FoundInviteReply(Reply, kw_only=True):
    """An invitation that is valid. `inviter`: who made it, absent for an operator at the server."""

    inviter: str | msgspec.UnsetType = msgspec.UNSET
    expires: str
    room_names: list[str]


async def create(context: Context, request: CreateInviteLink) -> InviteLinkReply:
    """Make a link."""
    wanted = Wanted(request.uses, request.days, request.room_names)
    made = await context.chat.invite_links.create(context.require_session, wanted)
    return InviteLinkReply(link_id=made.id, invite=made.secret, expires=rfc3339(made.expires_at))


async def listed(context: Context, request: GetInviteLinks) -> InviteLinksReply:
    """List the links of the user."""
    found = await context.chat.invite_links.listed(context.require_session.user.id)
    links = [
        InviteLinkInfo(
            link_id=one.link.id,
            uses=one.link.uses,
            used=one.link.used,
            created=rfc3339(one.link.created_at),
            expires=rfc3339(one.link.expires_at),
            room_names=list(one.rooms),
        )
        for one in found
    ]
    return InviteLinksReply(links=links)


async def revoke(context: Context, request: RevokeInviteLink) -> Reply:
    """Revoke a link of the user."""
    session = context.require_session
    await context.chat.invite_links.revoke(request.link_id, session.user.id, session.actor)
    return Reply()


async def find(context: Context, request: FindInviteLink) -> FoundInviteReply:
    """Return what an invitation is for."""
    found = await context.chat.invite_links.find(request.invite, context.address)
    return FoundInviteReply(
        inviter=found.link.maker or msgspec.UNSET,
        expires=rfc3339(found.link.expires_at),
        room_names=list(found.rooms),
    )


async def create_login_link(context: Context, request: CreateLoginLink) -> LoginLinkReply:
    """Make a link that logs the user in on another device."""
    link = await context.chat.logins.make_link(context.require_session)
    return LoginLinkReply(link=link.token, expires=rfc3339(link.expires_at))
