"""The table of commands that the API goes by; `sessions`, `rooms` and `talk` do them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import attrs

from gtchat.chat.errors import ChatError
from gtchat.protocols.gtchat_json import messages, requests, rooms, sessions
from gtchat.protocols.gtchat_json.requests import Request
from gtchat.protocols.gtchat_json.responses import Reply

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

    handler: Do
    message: str
    before_login: bool = False
    usr_is_subject: bool = False


COMMANDS: dict[type[Request], Command] = {
    requests.Register: Command(
        sessions.register, "Registered.", before_login=True, usr_is_subject=True
    ),
    requests.Login: Command(sessions.login, "Welcome.", before_login=True, usr_is_subject=True),
    requests.Resume: Command(sessions.resume, "Welcome back.", before_login=True),
    requests.Hello: Command(sessions.hello, "Hello.", before_login=True),
    requests.Logout: Command(sessions.logout, "Goodbye."),
    requests.UpdatePwd: Command(
        sessions.update_pwd, "Your password is changed.", before_login=True
    ),
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
    requests.Speak: Command(messages.speak, "Said to everybody."),
    requests.History: Command(messages.history, "History."),
    requests.Typing: Command(messages.typing, "Shown."),
    requests.MarkRead: Command(messages.mark_read, "Noted."),
    requests.Whisper: Command(messages.whisper, "Whispered."),
    requests.Broadcast: Command(messages.broadcast, "Said to everybody."),
    requests.Block: Command(messages.block, "Blocked."),
    requests.Unblock: Command(messages.unblock, "No longer blocked."),
    requests.SetAddress: Command(messages.set_address, "Your address is noted."),
    requests.GetAddress: Command(messages.get_address, "Asked."),
    requests.Allow: Command(messages.allow, "Allowed."),
    requests.Deny: Command(messages.deny, "Denied."),
    requests.Ping: Command(sessions.ping, "Here.", before_login=True),
}
