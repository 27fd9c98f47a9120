"""Handlers of rooms: lists, settings, members, invitations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import attrs
import msgspec

from gtchat.chat.errors import BadRequest, NotInRoom, NotLoggedIn
from gtchat.chat.membership import RoomSettings
from gtchat.chat.room_list import RoomList
from gtchat.chat.rooms import Room
from gtchat.chat.users import User
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.reply_size import NAMES_BYTES, fitting_names, reply_bytes
from gtchat.protocols.gtchat_json.responses import Reply

#: Names or rooms in a reply, and how many may be asked for.
LIST, LIST_LIMIT = 200, 1_000
#: Fewest bytes of a list entry of a room, so that no more are encoded than may fit.
ROOM_BYTES = 110
#: Most list entries that are cached. Logins list the same 200 rooms, less the user's own.
LIST_CACHE_LIMIT = 1_000
_NOT_CACHED = (-1, msgspec.Raw())

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class RoomPage:
    """A page of rooms, as much as a reply has room for.

    Attributes:
        rooms: the encoded list entries.
        next: `after` of the next page; unset if this is the last one.
    """

    rooms: list[msgspec.Raw]
    next: str | msgspec.UnsetType


def first_rooms(context: Context, max_bytes: int) -> RoomPage:
    """Return the first page of rooms for a user who has logged in.

    It has all rooms of the user that fit, also if they are more than 200.

    Args:
        context: the connection.
        max_bytes: the most bytes that the rooms have.
    """
    room_list = RoomList(context.chat.rooms, context.require_session.user)
    limit = max(LIST, room_list.own_count())
    return _room_page(context, room_list.page(None, limit + 1), limit, max_bytes, cached=True)


def _room_page(
    context: Context, rooms: Sequence[Room], limit: int, max_bytes: int, cached: bool
) -> RoomPage:
    """Return a page of the rooms that the user of a connection may see, at least one room.

    Args:
        context: the connection.
        rooms: the rooms of the page, and one more if there are more.
        limit: maximum number of rooms.
        max_bytes: the most bytes that the rooms have.
        cached: whether to cache the entries of rooms that the user is not a member of.
    """
    user, registry = context.require_session.user, context.chat.rooms
    own = {registry.lobby, *user.rooms}
    cache = context.encoder.list_cache if cached else None
    get = context.encoder.list_cache.get  # looked up once: a login lists 200 rooms
    limit = min(limit, max(1, max_bytes // ROOM_BYTES))
    entries = [
        msgspec.Raw(_encode(_own_info(context, room, user)))
        if room in own
        else found[1]
        if (found := get(room.id, _NOT_CACHED))[0] == room.version
        else _outside_entry(room, cache)
        for room in rooms[:limit]
    ]
    if sum(map(len, entries)) + len(entries) > max_bytes:
        sizes = accumulate(len(entry) + 1 for entry in entries)
        del entries[max(1, sum(size <= max_bytes for size in sizes)) :]
    if len(entries) == len(rooms):
        return RoomPage(entries, msgspec.UNSET)
    return RoomPage(entries, RoomList(registry, user).cursor(rooms[len(entries) - 1]))


def _outside_entry(room: Room, cache: dict[int, tuple[int, msgspec.Raw]] | None) -> msgspec.Raw:
    """Return the encoded list entry of a room for users who are not members.

    Args:
        room: the room.
        cache: gets the entry; None to leave it as it is.
    """
    entry = msgspec.Raw(_encode(responses.outside_info(room)))
    if cache is not None:
        if len(cache) >= LIST_CACHE_LIMIT:
            cache.clear()  # it has entries of rooms that are deleted, or that no login lists
        cache[room.id] = (room.version, entry)
    return entry


def _own_info(context: Context, room: Room, user: User) -> responses.RoomInfo:
    """Return the list entry of a room for a member."""
    members = len(context.chat.users.online) if room.is_lobby else len(room.members)
    return responses.room_info(
        room,
        members,
        True,
        user.unread.get(room.id, 0),
        user.read_seq(room),
        user.mentions.get(room.id, 0),
        user.notify.get(room.id),
    )


def _details(context: Context, room: Room) -> responses.RoomDetails:
    """Return a room for a member."""
    member_names = context.chat.users.online if room.is_lobby else room.member_names
    users = fitting_names(member_names.page(None, LIST), NAMES_BYTES)
    return responses.room_details(room, users, len(member_names))


def _limit(request: requests.Paged) -> int:
    if request.limit < 1:
        raise BadRequest(f"limit: must be 1 to {LIST_LIMIT}.")
    return min(request.limit, LIST_LIMIT)


async def get_room_list(context: Context, request: requests.GetRoomList) -> responses.RoomListReply:
    """Return a page of the rooms that the user may see."""
    limit = _limit(request)
    session = context.require_session
    await context.chat.read_state.refresh_unread(session.user)
    if context.session is not session:
        raise NotLoggedIn()
    room_list = RoomList(context.chat.rooms, session.user)
    rooms = room_list.page(request.after, limit + 1, request.joined)
    page = _room_page(context, rooms, limit, reply_bytes(request), cached=False)
    return responses.RoomListReply(
        rooms=page.rooms, rooms_total=room_list.count(request.joined), rooms_next=page.next
    )


def get_user_list(context: Context, request: requests.GetUserList) -> responses.UserListReply:
    """Return a page of the users who are online."""
    online = context.chat.users.online
    users = online.page(request.after, _limit(request))
    return responses.UserListReply(
        users=fitting_names(users, reply_bytes(request)), users_total=len(online)
    )


def get_room_user_list(
    context: Context, request: requests.GetRoomUserList
) -> responses.RoomUserListReply:
    """Return a page of the members of a room."""
    room = context.chat.rooms.find(request.room_name)
    if not room.is_lobby and not room.visible_to(context.require_session.user):
        raise NotInRoom()
    online = context.chat.users.online
    member_names = online if room.is_lobby else room.member_names
    # All of them may be in both lists.
    page = member_names.page(request.after, _limit(request))
    users = fitting_names(page, reply_bytes(request) // 2)
    return responses.RoomUserListReply(
        users=users,
        online=[name for name in users if name in online],
        users_total=len(member_names),
    )


def _wanted(request: requests.CreateRoom | requests.SetRoom) -> RoomSettings:
    return RoomSettings(
        public=request.public, topic=request.topic, max=request.max, preview=request.preview
    )


async def create_room(context: Context, request: requests.CreateRoom) -> responses.RoomReply:
    """Create a room."""
    room = await context.chat.membership.create(
        context.require_session, request.room_name, _wanted(request)
    )
    return responses.RoomReply(room=_details(context, room))


async def set_room(context: Context, request: requests.SetRoom) -> responses.RoomReply:
    """Change a room."""
    room = await context.chat.membership.change(
        context.require_session, request.room_name, _wanted(request), request.master
    )
    return responses.RoomReply(room=_details(context, room))


async def delete_room(context: Context, request: requests.DeleteRoom) -> Reply:
    """Delete a room."""
    await context.chat.membership.delete(context.require_session, request.room_name)
    return Reply()


async def invite(context: Context, request: requests.Invite) -> Reply:
    """Invite a user."""
    await context.chat.invitations.invite(
        context.require_session, request.room_name, request.invitee
    )
    return Reply()


async def invite_reply(
    context: Context, request: requests.InviteReply
) -> Reply | responses.RoomReply:
    """Answer an invitation."""
    room = await context.chat.invitations.answer(
        context.require_session, request.inviter, request.room_name, request.reply
    )
    return Reply() if room is None else responses.RoomReply(room=_details(context, room))


async def add_member(context: Context, request: requests.AddMember) -> responses.RoomReply:
    """Add a user."""
    room = await context.chat.membership.add(
        context.require_session, request.room_name, request.user
    )
    return responses.RoomReply(room=_details(context, room))


async def remove_member(context: Context, request: requests.RemoveMember) -> responses.RoomReply:
    """Remove a user."""
    room = await context.chat.membership.remove(
        context.require_session, request.room_name, request.user
    )
    return responses.RoomReply(room=_details(context, room))


async def join_room(context: Context, request: requests.JoinRoom) -> responses.RoomReply:
    """Join a room."""
    room = await context.chat.membership.join(context.require_session, request.room_name)
    return responses.RoomReply(room=_details(context, room))


async def leave_room(context: Context, request: requests.LeaveRoom) -> Reply:
    """Leave a room."""
    await context.chat.membership.leave(context.require_session, request.room_name)
    return Reply()


async def kick(context: Context, request: requests.Kick) -> Reply:
    """Kick a user."""
    await context.chat.membership.kick(context.require_session, request.room_name, request.user)
    return Reply()
