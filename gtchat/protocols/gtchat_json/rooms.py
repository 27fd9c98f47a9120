"""Rooms and who is in them: lists, settings, members, invitations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import msgspec

from gtchat.chat.errors import BadRequest, NotInRoom
from gtchat.chat.membership import Settings
from gtchat.chat.people import User
from gtchat.chat.rooms import Room
from gtchat.protocols.gtchat_json import replies, requests
from gtchat.protocols.gtchat_json.replies import Reply

if TYPE_CHECKING:
    from gtchat.protocols.gtchat_json.api import API_Chatroom

Info = replies.RoomInfo | msgspec.Raw

#: How many names or rooms a reply has, and how many may be asked for.
LIST, LIST_MOST = 200, 1_000


def infos(api: API_Chatroom, rooms: list[Room], outside: Callable[[Room], Info]) -> list[Info]:
    """Rooms for a list, each as it looks to the user of this connection.

    Args:
        outside: how one looks that he does not belong to, if that is not kept in the room.
    """
    user = api.present.user
    own = {api.chat.rooms.lobby, *user.rooms}
    found = [
        _own_info(api, room, user) if room in own else room.shown or outside(room) for room in rooms
    ]
    return cast("list[Info]", found)


def _own_info(api: API_Chatroom, room: Room, user: User) -> replies.RoomInfo:
    """A room that a user belongs to."""
    members = len(api.chat.people.online) if room.is_lobby else len(room.members)
    return replies.room_info(room, members, True, user.unread.get(room.id, 0), user.read(room))


def _details(api: API_Chatroom, room: Room) -> replies.RoomDetails:
    """A room as one gets it who is in it."""
    roster = api.chat.people.online if room.is_lobby else room.roster
    return replies.room_details(room, roster.page(None, LIST), len(roster))


def _limit(request: requests.Paged) -> int:
    if request.limit < 1:
        raise BadRequest(f"limit: 1 to {LIST_MOST} is wanted.")
    return min(request.limit, LIST_MOST)


def get_room_list(api: API_Chatroom, request: requests.GetRoomList) -> Reply:
    """The rooms that one may know of."""
    user, rooms = api.present.user, api.chat.rooms
    page = rooms.listed(user, request.after, _limit(request))
    return replies.RoomListReply(
        rooms=infos(api, page, replies.outside_info), rooms_total=rooms.listed_total(user)
    )


def get_user_list(api: API_Chatroom, request: requests.GetUserList) -> Reply:
    """Who is here."""
    online = api.chat.people.online
    return replies.UserListReply(
        users=online.page(request.after, _limit(request)), users_total=len(online)
    )


def get_room_user_list(api: API_Chatroom, request: requests.GetRoomUserList) -> Reply:
    """Who belongs to a room."""
    room = api.chat.rooms.named(request.room_name)
    if not room.is_lobby and not room.visible_to(api.present.user):
        raise NotInRoom()
    here = api.chat.people.online
    roster = here if room.is_lobby else room.roster
    users = roster.page(request.after, _limit(request))
    return replies.RoomUserListReply(
        users=users,
        online=[name for name in users if name in here],
        users_total=len(roster),
    )


async def create_room(api: API_Chatroom, request: requests.CreateRoom) -> Reply:
    """Make a room."""
    wanted = Settings(public=request.public, topic=request.topic, max=request.max)
    room = await api.chat.membership.create(api.present, request.room_name, wanted)
    return replies.RoomReply(room=_details(api, room))


async def set_room(api: API_Chatroom, request: requests.SetRoom) -> Reply:
    """Change a room."""
    wanted = Settings(public=request.public, topic=request.topic, max=request.max)
    room = await api.chat.membership.change(api.present, request.room_name, wanted, request.master)
    return replies.RoomReply(room=_details(api, room))


async def delete_room(api: API_Chatroom, request: requests.DeleteRoom) -> Reply:
    """Delete a room."""
    await api.chat.membership.delete(api.present, request.room_name)
    return Reply()


async def invite(api: API_Chatroom, request: requests.Invite) -> Reply:
    """Invite somebody."""
    await api.chat.invitations.invite(api.present, request.room_name, request.invitee)
    return Reply()


async def invite_reply(api: API_Chatroom, request: requests.InviteReply) -> Reply:
    """Answer an invitation."""
    room = await api.chat.invitations.answer(
        api.present, request.inviter, request.room_name, request.reply
    )
    return Reply() if room is None else replies.RoomReply(room=_details(api, room))


async def add_member(api: API_Chatroom, request: requests.AddMember) -> Reply:
    """Make somebody a member."""
    room = await api.chat.membership.add(api.present, request.room_name, request.user)
    return replies.RoomReply(room=_details(api, room))


async def remove_member(api: API_Chatroom, request: requests.RemoveMember) -> Reply:
    """Take somebody off the list."""
    room = await api.chat.membership.remove(api.present, request.room_name, request.user)
    return replies.RoomReply(room=_details(api, room))


async def join_room(api: API_Chatroom, request: requests.JoinRoom) -> Reply:
    """Become a member."""
    room = await api.chat.membership.join(api.present, request.room_name)
    return replies.RoomReply(room=_details(api, room))


async def leave_room(api: API_Chatroom, request: requests.LeaveRoom) -> Reply:
    """End one's membership."""
    await api.chat.membership.leave(api.present, request.room_name)
    return Reply()


async def kick(api: API_Chatroom, request: requests.Kick) -> Reply:
    """Put somebody out."""
    await api.chat.membership.kick(api.present, request.room_name, request.user)
    return Reply()
