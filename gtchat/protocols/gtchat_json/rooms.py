"""Handlers of rooms: lists, settings, members, invitations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import accumulate

import attrs
import msgspec

from gtchat.chat.errors import BadRequest, NotLoggedIn
from gtchat.chat.interfaces import ListedRoom, RepeatableRequest
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.repeats import RoomAck
from gtchat.chat.room_list import RoomList, RoomPage
from gtchat.chat.rooms import Room
from gtchat.chat.users import User
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import requests, responses, room_requests
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.reply_size import NAMES_BYTES, fitting_names, reply_bytes
from gtchat.protocols.gtchat_json.requests import request_content
from gtchat.protocols.gtchat_json.room_info import (
    RoomDetails,
    RoomInfo,
    outside_info,
    room_details,
    room_info,
)
from gtchat.protocols.gtchat_json.standing import roles_of, standing_of

#: Names or rooms in a reply, and how many may be asked for.
LIST, LIST_LIMIT = 200, 1_000
#: Fewest bytes of a list entry of a room, so that no more are encoded than may fit.
ROOM_BYTES = 110

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class EncodedRooms:
    """A page of rooms, as much as a reply has room for.

    Attributes:
        rooms: the encoded list entries.
        next: `after` of the next page; unset if this is the last one.
    """

    rooms: list[msgspec.Raw]
    next: str | msgspec.UnsetType


def first_rooms(context: Context, max_bytes: int) -> EncodedRooms:
    """Return the first page of rooms for a user who has logged in.

    It has all rooms of the user that fit, also if they are more than 200.

    Args:
        context: the connection.
        max_bytes: the most bytes that the rooms have.
    """
    room_list = RoomList(context.chat.rooms, context.require_session.user)
    limit = max(LIST, room_list.own_count())
    return _encode_page(context, room_list.first(limit), max_bytes, keep=True)


def _encode_page(context: Context, page: RoomPage, max_bytes: int, keep: bool) -> EncodedRooms:
    """Return a page of the rooms that the user of a connection may see, at least one room.

    Args:
        context: the connection.
        page: the rooms of the page.
        max_bytes: the most bytes that the rooms have.
        keep: whether the rooms keep their entries for users who are not members. Logins list the
            same 200 rooms, less the user's own; nothing else does.
    """
    user, registry = context.require_session.user, context.chat.rooms
    room_list, own = RoomList(registry, user), {registry.lobby, *user.rooms}
    own_count = room_list.own_count()  # these come first
    limit = max(1, max_bytes // ROOM_BYTES)
    rooms = page.rooms
    entries = [
        msgspec.Raw(_encode(_own_info(context, room, user)))
        if isinstance(room, Room) and room in own
        else _outside_entry(room, keep)
        for room in rooms[: min(limit, own_count)]
    ]
    # A login lists 200 of these: a room whose entry is kept costs a look at an attribute.
    entries += [room.list_entry or _outside_entry(room, keep) for room in rooms[own_count:limit]]  # type: ignore[misc] # kept by `_outside_entry`
    if sum(map(len, entries)) + len(entries) > max_bytes:
        sizes = accumulate(len(entry) + 1 for entry in entries)
        del entries[max(1, sum(size <= max_bytes for size in sizes)) :]
    if len(entries) == len(rooms) and not page.more:
        return EncodedRooms(entries, msgspec.UNSET)
    return EncodedRooms(entries, room_list.cursor(rooms[len(entries) - 1]))


def _outside_entry(room: Room | ListedRoom, keep: bool) -> msgspec.Raw:
    """Return the encoded list entry of a room for users who are not members. keep: see above."""
    entry = msgspec.Raw(_encode(outside_info(room)))
    if keep:
        room.list_entry = entry
    return entry


def _own_info(context: Context, room: Room, user: User) -> RoomInfo:
    """Return the list entry of a room for a member."""
    members = len(context.chat.users.online) if room.is_lobby else len(room.members)
    return room_info(
        room,
        members,
        True,
        user.unread.get(room.id, 0),
        user.read_seq(room),
        user.mentions.get(room.id, 0),
        user.notify.get(room.id),
        room.max,
        standing_of(room, user, context.chat.users.now()),
    )


def _details(context: Context, room: Room) -> RoomDetails:
    """Return a room for a member."""
    member_names = context.chat.users.online if room.is_lobby else room.member_names
    users = fitting_names(member_names.page(None, LIST), NAMES_BYTES)
    standing = standing_of(room, context.require_session.user, context.chat.users.now())
    return room_details(room, users, len(member_names), standing)


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
    page = await room_list.page(context.chat.loader, request.after, limit, request.joined)
    if context.session is not session:
        raise NotLoggedIn()
    encoded = _encode_page(context, page, reply_bytes(request), keep=False)
    return responses.RoomListReply(
        rooms=encoded.rooms, rooms_total=room_list.count(request.joined), rooms_next=encoded.next
    )


def get_user_list(context: Context, request: requests.GetUserList) -> responses.UserListReply:
    """Return a page of the users who are online."""
    online = context.chat.users.online
    users = online.page(request.after, _limit(request))
    return responses.UserListReply(
        users=fitting_names(users, reply_bytes(request)), users_total=len(online)
    )


async def get_room_user_list(
    context: Context, request: requests.GetRoomUserList
) -> responses.RoomUserListReply:
    """Return a page of the members of a room."""
    user, online = context.require_session.user, context.chat.users.online
    page, total = await context.chat.loader.member_page(
        user, request.room_name, request.after, _limit(request)
    )
    # All of them may be in both lists, and have a role.
    users = fitting_names(page, reply_bytes(request) // 3)
    room = context.chat.rooms.find_displayed(request.room_name)
    return responses.RoomUserListReply(
        users=users,
        online=[name for name in users if name in online],
        users_total=total,
        roles=(roles_of(room, users) if room is not None else {}) or msgspec.UNSET,
    )


def _wanted(request: room_requests.CreateRoom | room_requests.SetRoom) -> RoomSettings:
    return RoomSettings(
        public=request.public,
        topic=request.topic,
        max=request.max,
        preview=request.preview,
        moderated=request.moderated,
        slow=request.slow,
        keep_messages=request.keep_messages,
        keep_days=request.keep_days,
    )


async def once(
    context: Context,
    request: room_requests.RoomRequest,
    do: Callable[[RepeatableRequest | None], Awaitable[RoomAck]],
) -> RoomAck:
    """Do what a request asks for, unless it is a repeated one."""
    content = request_content(request) if request.txn is not None else ""
    session, once = context.require_session, context.chat.repeats.once
    return await once(session, request.txn, content, request.room_name, do)


def _done_reply(done: RoomAck) -> responses.DoneReply:
    return responses.DoneReply(dup=done.ack.dup or msgspec.UNSET)


def _room_reply(context: Context, done: RoomAck) -> responses.RoomReply:
    ack, unset = done.ack, msgspec.UNSET
    return responses.RoomReply(
        room=unset if done.room is None else _details(context, done.room),
        seq=ack.seq or unset,
        at=rfc3339(ack.at) if ack.seq else unset,
        dup=ack.dup or unset,
    )


async def create_room(context: Context, request: room_requests.CreateRoom) -> responses.RoomReply:
    """Create a room."""
    create = context.chat.membership.create
    args = (context.require_session, request.room_name, _wanted(request))
    return _room_reply(context, await once(context, request, partial(create, *args)))


async def set_room(context: Context, request: room_requests.SetRoom) -> responses.RoomReply:
    """Change a room."""
    change = context.chat.membership.change
    args = (context.require_session, request.room_name, _wanted(request), request.master)
    return _room_reply(context, await once(context, request, partial(change, *args)))


async def delete_room(context: Context, request: room_requests.DeleteRoom) -> responses.DoneReply:
    """Delete a room."""
    delete = context.chat.membership.delete
    args = (context.require_session, request.room_name)
    return _done_reply(await once(context, request, partial(delete, *args)))


async def invite(context: Context, request: room_requests.Invite) -> responses.DoneReply:
    """Invite a user."""
    send = context.chat.invitations.invite
    args = (context.require_session, request.room_name, request.invitee)
    return _done_reply(await once(context, request, partial(send, *args)))


async def invite_reply(context: Context, request: room_requests.InviteReply) -> responses.RoomReply:
    """Answer an invitation."""
    answer = context.chat.invitations.answer
    args = (context.require_session, request.inviter, request.room_name, request.reply)
    return _room_reply(context, await once(context, request, partial(answer, *args)))


async def add_member(context: Context, request: room_requests.AddMember) -> responses.RoomReply:
    """Add a user."""
    add = context.chat.membership.add
    args = (context.require_session, request.room_name, request.user)
    return _room_reply(context, await once(context, request, partial(add, *args)))


async def remove_member(
    context: Context, request: room_requests.RemoveMember
) -> responses.RoomReply:
    """Remove a user."""
    remove = context.chat.membership.remove
    args = (context.require_session, request.room_name, request.user)
    return _room_reply(context, await once(context, request, partial(remove, *args)))


async def join_room(context: Context, request: room_requests.JoinRoom) -> responses.RoomReply:
    """Join a room."""
    join = context.chat.membership.join
    args = (context.require_session, request.room_name)
    return _room_reply(context, await once(context, request, partial(join, *args)))


async def leave_room(context: Context, request: room_requests.LeaveRoom) -> responses.ChangeReply:
    """Leave a room."""
    leave = context.chat.membership.leave
    args = (context.require_session, request.room_name)
    done = await once(context, request, partial(leave, *args))
    return responses.change_reply(done.ack)


async def kick(context: Context, request: room_requests.Kick) -> responses.ChangeReply:
    """Kick a user."""
    kick = context.chat.room_bans.kick
    args = (context.require_session, request.room_name, request.user, request.reason)
    done = await once(context, request, partial(kick, *args))
    return responses.change_reply(done.ack)
