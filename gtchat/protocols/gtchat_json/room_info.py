"""Rooms as replies show them: in a list (`RoomInfo`), and to a member (`RoomDetails`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import UNSET, UnsetType

from gtchat.chat.interfaces import ListedRoom
from gtchat.chat.rooms import Room
from gtchat.protocols.gtchat_json.standing import Standing, roles_of


class RoomInfo(Standing):
    """A room in a list.

    `mentions`: how many unread messages mention the user. `max`: the member limit of a room of the
    user that has one.
    """

    room_name: str
    public: bool
    topic: str
    owner: str
    members: int
    last_seq: int
    joined: bool
    unread: int
    read_seq: int
    mentions: int | UnsetType = UNSET
    notify: str | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    max: int | UnsetType = UNSET


class RoomDetails(Standing):
    """A room, for a member. `roles`: user -> role, of those in `users` who have one."""

    room_name: str
    public: bool
    topic: str
    owner: str
    max: int
    members: int
    last_seq: int
    users: list[str]
    users_total: int
    preview: bool | UnsetType = UNSET
    roles: dict[str, str] | UnsetType = UNSET


def room_info(
    room: Room | ListedRoom,
    members: int,
    joined: bool,
    unread: int,
    read_seq: int,
    mentions: int = 0,
    notify: str | None = None,
    max: int = 0,
    standing: Mapping[str, Any] = MappingProxyType({}),
) -> RoomInfo:
    """Return a room in a list.

    Args:
        room: the room.
        members: number of its members.
        joined: whether the user is a member.
        unread: messages that the user has not read.
        read_seq: the last entry that the user has read.
        mentions: how many of the unread messages mention the user.
        notify: of which messages the user is notified, None for all.
        max: the member limit, 0 for none, or to a user who is not a member.
        standing: the fields of `Standing`.
    """
    return RoomInfo(
        room.name,
        room.public,
        room.topic,
        room.owner,
        members,
        room.last_seq,
        joined,
        unread,
        read_seq,
        mentions or UNSET,
        notify or UNSET,
        room.preview or UNSET,
        max or UNSET,
        **standing,
    )


def outside_info(room: Room | ListedRoom) -> RoomInfo:
    """Return the list entry of a room for users who are not members."""
    members = len(room.members) if isinstance(room, Room) else room.member_count
    return room_info(room, members, joined=False, unread=0, read_seq=0)


def room_details(
    room: Room, users: list[str], total: int, standing: Mapping[str, Any]
) -> RoomDetails:
    """Return a room for a member.

    Args:
        room: the room.
        users: the first names of its members, in order.
        total: number of its members.
        standing: the fields of `Standing`.
    """
    return RoomDetails(
        room.name,
        room.public,
        room.topic,
        room.owner,
        room.max,
        total,
        room.last_seq,
        users,
        total,
        room.preview or UNSET,
        roles_of(room, users) or UNSET,
        **standing,
    )
