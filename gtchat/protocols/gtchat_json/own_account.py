"""What users do with their own data: requests, replies and handlers."""

from __future__ import annotations

import msgspec

from gtchat.chat.profile_store import NO_COLOUR
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
    """Ask for a link to an export of all that is stored of the user.

    `pwd`, `uuid`: one of them is given again.
    """

    pwd: str | None = None
    uuid: str | None = None


class ExportReply(Reply, kw_only=True):
    """Where an export is. `path`: below the address of the page, until `expires`."""

    path: str
    expires: str


async def export_account(context: Context, request: ExportAccount) -> ExportReply:
    """Return a link to an export."""
    asked = context.require_session, request.pwd, request.uuid
    link = await context.chat.exports.ask(*asked)
    return ExportReply(path=f"export/{link.token}", expires=rfc3339(link.expires_at))


class GetProfile(Request, tag="get_profile"):
    """Ask who a user is. `user`: the name; absent for the user who asks."""

    user: str | None = None


class SetProfile(Request, tag="set_profile"):
    """Change the profile of the user; a field that is absent stays as it is.

    `colour`: hue of the avatar in degrees, -1 for that of the name.
    """

    about: str | None = None
    colour: int | None = None
    hide_last_seen: bool | None = None


class ProfileReply(Reply, kw_only=True):
    """The profile of `user`. `last_seen`: absent while online, where it is not known or hidden."""

    user: str
    about: str | msgspec.UnsetType = msgspec.UNSET
    colour: int | msgspec.UnsetType = msgspec.UNSET
    last_seen: str | msgspec.UnsetType = msgspec.UNSET
    is_online: bool | msgspec.UnsetType = msgspec.UNSET
    guest: bool | msgspec.UnsetType = msgspec.UNSET
    hide_last_seen: bool | msgspec.UnsetType = msgspec.UNSET


async def get_profile(context: Context, request: GetProfile) -> ProfileReply:
    """Return the profile of a user."""
    session, unset = context.require_session, msgspec.UNSET
    name = session.user.name if request.user is None else request.user
    shown = await context.chat.profiles.show(session, name)
    profile, is_own = shown.profile, shown.name == session.user.name
    return ProfileReply(
        user=shown.name,
        about=profile.about or unset,
        colour=unset if profile.colour == NO_COLOUR else profile.colour,
        last_seen=unset if shown.seen_at is None else rfc3339(shown.seen_at),
        is_online=shown.online or unset,
        guest=not shown.registered or unset,
        hide_last_seen=(is_own and profile.hides_seen) or unset,
    )


async def set_profile(context: Context, request: SetProfile) -> Reply:
    """Change the profile of the user."""
    wanted = request.about, request.colour, request.hide_last_seen
    await context.chat.profiles.change(context.require_session, *wanted)
    return Reply()


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
