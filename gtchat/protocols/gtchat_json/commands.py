"""The table of commands that the API goes by; `sessions`, `rooms` and `talk` do them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import attrs

from gtchat.chat.errors import ChatError
from gtchat.protocols.gtchat_json import requests, rooms, sessions, talk
from gtchat.protocols.gtchat_json.replies import Reply
from gtchat.protocols.gtchat_json.requests import Request

if TYPE_CHECKING:
    from gtchat.protocols.gtchat_json.api import API_Chatroom

Answer = Reply | ChatError
Do = Callable[["API_Chatroom", Any], Answer | Coroutine[Any, Any, Answer]]


@attrs.frozen
class Command:
    """A command.

    Attributes:
        do: does it.
        said: what a person is told when it is done.
        open: whether it may be sent before login.
        names_user: whether `usr` in it says who comes, and need not be the session's user.
    """

    do: Do
    said: str
    open: bool = False
    names_user: bool = False


COMMANDS: dict[type[Request], Command] = {
    requests.Register: Command(sessions.register, "Registered.", open=True, names_user=True),
    requests.Login: Command(sessions.login, "Welcome.", open=True, names_user=True),
    requests.Resume: Command(sessions.resume, "Welcome back.", open=True),
    requests.Hello: Command(sessions.hello, "Hello.", open=True),
    requests.Logout: Command(sessions.logout, "Goodbye."),
    requests.UpdatePwd: Command(sessions.update_pwd, "Your password is changed.", open=True),
    requests.GetRoomList: Command(rooms.get_room_list, "Rooms."),
    requests.GetUserList: Command(rooms.get_user_list, "Who is here."),
    requests.GetRoomUserList: Command(rooms.get_room_user_list, "Who belongs to the room."),
    requests.CreateRoom: Command(rooms.create_room, "The room is yours."),
    requests.SetRoom: Command(rooms.set_room, "The room is changed."),
    requests.DeleteRoom: Command(rooms.delete_room, "The room is deleted."),
    requests.Invite: Command(rooms.invite, "Invited."),
    requests.InviteReply: Command(rooms.invite_reply, "Answered."),
    requests.AddMember: Command(rooms.add_member, "Added."),
    requests.RemoveMember: Command(rooms.remove_member, "Removed."),
    requests.JoinRoom: Command(rooms.join_room, "You are in the room."),
    requests.LeaveRoom: Command(rooms.leave_room, "You have left the room."),
    requests.Kick: Command(rooms.kick, "Put out of the room."),
    requests.Speak: Command(talk.speak, "Said to everybody."),
    requests.History: Command(talk.history, "History."),
    requests.Typing: Command(talk.typing, "Shown."),
    requests.MarkRead: Command(talk.mark_read, "Noted."),
    requests.Whisper: Command(talk.whisper, "Whispered."),
    requests.Broadcast: Command(talk.broadcast, "Said to everybody."),
    requests.Block: Command(talk.block, "Blocked."),
    requests.Unblock: Command(talk.unblock, "No longer blocked."),
    requests.SetAddress: Command(talk.set_address, "Your address is noted."),
    requests.GetAddress: Command(talk.get_address, "Asked."),
    requests.Allow: Command(talk.allow, "Allowed."),
    requests.Deny: Command(talk.deny, "Denied."),
    requests.Ping: Command(sessions.ping, "Here.", open=True),
}
