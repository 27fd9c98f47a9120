"""What a member may do in a room, and what is kept of it, in lists of rooms and in replies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from gtchat.chat.moderation import UNMODERATED
from gtchat.chat.ownership import keep_fields
from gtchat.chat.retention import KEEP_ALL
from gtchat.chat.rooms import Room
from gtchat.chat.users import User
from gtchat.protocols.base.text import rfc3339


class Standing(msgspec.Struct, kw_only=True):
    """What a member may do in a room.

    Attributes:
        role: `moderator` or `voice`, if the user has one; `owner` names the owner.
        muted_until: as long as the user is muted: when that ends, "" for no end.
        moderated: whether members need a role to speak.
        slow: seconds between two messages of a member.
        keep_messages, keep_days: how many of the newest messages, and for how many days entries are
            kept, where the owner limits that.
    """

    role: str | UnsetType = UNSET
    muted_until: str | UnsetType = UNSET
    moderated: bool | UnsetType = UNSET
    slow: int | UnsetType = UNSET
    keep_messages: int | UnsetType = UNSET
    keep_days: int | UnsetType = UNSET


def standing_of(room: Room, user: User, now: int) -> dict[str, Any]:
    """Return the fields of the `Standing` of a user that say something.

    Args:
        room: a room of the user.
        user: the user.
        now: in milliseconds since 1970, UTC.
    """
    moderation = room.moderation
    fields: dict[str, Any] = {}
    if room.keep != KEEP_ALL:
        fields |= {name: value for name, value in keep_fields(room.keep).items() if value}
    if moderation is UNMODERATED:
        return fields
    role = moderation.roles.get(user.id)
    if role is not None:
        fields["role"] = role.role
    mute = moderation.lasting(now).mutes.get(user.id)
    if mute is not None:
        fields["muted_until"] = rfc3339(mute.until) if mute.until else ""
    if moderation.moderated:
        fields["moderated"] = True
    if moderation.slow:
        fields["slow"] = moderation.slow
    return fields


def roles_of(room: Room, names: Iterable[str]) -> dict[str, str]:
    """Return user -> role, of those among some users who have one."""
    roles = {one.name: one.role for one in room.moderation.roles.values()}
    return {name: roles[name] for name in names if name in roles} if roles else {}
