"""What moderators of rooms do: commands, replies and handlers. Who is kicked is in `rooms`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import msgspec
from msgspec import UNSET, UnsetType

from gtchat.chat.authority import Sanction
from gtchat.chat.moderation import Mute, RoomBan
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.reply_size import encoded_bytes, reply_bytes
from gtchat.protocols.gtchat_json.requests import Request, Whole
from gtchat.protocols.gtchat_json.responses import ChangeReply, Reply, change_reply
from gtchat.protocols.gtchat_json.room_requests import ModerationRequest
from gtchat.protocols.gtchat_json.rooms import once


class SetRole(ModerationRequest, tag="set_role"):
    """Give a member a role in a room: voice or moderator; empty to take the role."""

    role: str


class SanctionRequest(ModerationRequest, kw_only=True):
    """What bans and mutes have: why, and for how long, 0 for no end."""

    reason: str = ""
    seconds: Whole = 0


class BanUser(SanctionRequest, tag="ban"):
    """Ban a user from a room, or all whose names fit: `*` stands for any characters."""


class UnbanUser(ModerationRequest, tag="unban"):
    """End a ban from a room. `user`: the name or the pattern that is banned."""


class MuteUser(SanctionRequest, tag="mute"):
    """Mute a member of a room."""


class UnmuteUser(ModerationRequest, tag="unmute"):
    """End that a user is muted in a room."""


class GetModeration(Request, tag="get_moderation"):
    """List roles, mutes and bans of a room, for its moderators.

    `pattern`: a pattern of names, to ask how many members a ban of it would put out.
    """

    room_name: str
    pattern: str | None = None


class DeleteMessages(Request, tag="delete_messages"):
    """Delete the messages that a user sent to a room within the last hour."""

    room_name: str
    user: str
    reason: str = ""


class SanctionInfo(msgspec.Struct, kw_only=True):
    """A mute or a ban, by `by`; `usr` is a name, or a pattern of names. `until`: when it ends."""

    usr: str
    by: str
    reason: str
    at: str
    until: str | UnsetType = UNSET


class ModerationReply(Reply, kw_only=True):
    """What is moderated in a room. `roles`: user -> role. `mutes`, `bans`: the newest that fit.

    `matches`: how many members a ban of the `pattern` would put out.
    """

    moderated: bool
    slow: int
    roles: dict[str, str]
    mutes: list[SanctionInfo]
    bans: list[SanctionInfo]
    matches: int | UnsetType = UNSET


class DeleteMessagesReply(Reply, kw_only=True):
    """How many messages were deleted."""

    deleted: int


async def set_role(context: Context, request: SetRole) -> ChangeReply:
    """Give a role, or take it."""
    set_role = context.chat.moderators.set_role
    args = (context.require_session, request.room_name, request.user, request.role)
    done = await once(context, request, partial(set_role, *args))
    return change_reply(done.ack)


def _sanction(request: SanctionRequest) -> Sanction:
    return Sanction(request.reason, request.seconds)


async def ban(context: Context, request: BanUser) -> ChangeReply:
    """Ban a user, or names."""
    ban = context.chat.room_bans.ban
    args = (context.require_session, request.room_name, request.user, _sanction(request))
    done = await once(context, request, partial(ban, *args))
    return change_reply(done.ack)


async def unban(context: Context, request: UnbanUser) -> ChangeReply:
    """End a ban."""
    unban = context.chat.room_bans.unban
    args = (context.require_session, request.room_name, request.user)
    done = await once(context, request, partial(unban, *args))
    return change_reply(done.ack)


async def mute(context: Context, request: MuteUser) -> ChangeReply:
    """Mute a member."""
    mute = context.chat.moderators.mute
    args = (context.require_session, request.room_name, request.user, _sanction(request))
    done = await once(context, request, partial(mute, *args))
    return change_reply(done.ack)


async def unmute(context: Context, request: UnmuteUser) -> ChangeReply:
    """End a mute."""
    unmute = context.chat.moderators.unmute
    args = (context.require_session, request.room_name, request.user)
    done = await once(context, request, partial(unmute, *args))
    return change_reply(done.ack)


def _infos(found: Iterable[Mute | RoomBan]) -> list[SanctionInfo]:
    """Return mutes or bans, newest first."""
    return [
        SanctionInfo(
            usr=one.name,
            by=one.by,
            reason=one.reason,
            at=rfc3339(one.at),
            until=rfc3339(one.until) if one.until else UNSET,
        )
        for one in sorted(found, key=lambda one: -one.at)
    ]


async def get_moderation(context: Context, request: GetModeration) -> ModerationReply:
    """List roles, mutes and bans."""
    found = await context.chat.moderators.listed(context.require_session, request.room_name)
    reply = ModerationReply(
        moderated=found.moderated,
        slow=found.slow,
        roles={one.name: one.role for one in found.roles.values()},
        mutes=_infos(found.mutes.values()),
        bans=_infos(found.bans.values()),
    )
    if request.pattern is not None:
        count = context.chat.room_bans.count_fitting
        reply.matches = await count(context.require_session, request.room_name, request.pattern)
    while encoded_bytes(reply) > reply_bytes(request):
        del reply.mutes[len(reply.mutes) // 2 :], reply.bans[len(reply.bans) // 2 :]
    return reply


async def delete_messages(context: Context, request: DeleteMessages) -> DeleteMessagesReply:
    """Delete the newest messages of a user."""
    deleted = await context.chat.changes.delete_recent(
        context.require_session, request.room_name, request.user, request.reason
    )
    return DeleteMessagesReply(deleted=deleted)
