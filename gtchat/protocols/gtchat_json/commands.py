"""The table of commands: their Structs, handlers (`sessions`, `rooms` and so on) and texts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs

from gtchat.chat.errors import ChatError
from gtchat.protocols.gtchat_json import (
    admin,
    changes,
    invite_links,
    messages,
    moderation,
    own_account,
    reports,
    requests,
    room_requests,
    rooms,
    search,
    sessions,
)
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.requests import Request
from gtchat.protocols.gtchat_json.responses import Reply

Answer = Reply | ChatError
Handler = Callable[[Context, Any], Answer | Coroutine[Any, Any, Answer]]


@attrs.frozen
class Command:
    """A command.

    Attributes:
        handler: runs it.
        message: `msg` of its reply, for people.
        before_login: whether it may be sent before login.
        usr_is_subject: whether `usr` is the user that it is about, not the one who is logged in.
        repeatable: whether sending it again after a lost reply does no harm by its nature; commands
            with a `txn` are repeatable by that (see `contract.REPEATABLE`).
        after: what is done once the reply is written.
    """

    handler: Handler
    message: str
    before_login: bool = False
    usr_is_subject: bool = False
    repeatable: bool = False
    after: Callable[[Context], None] | None = None


COMMANDS: dict[type[Request], Command] = {
    requests.Register: Command(
        sessions.register, "Account created.", before_login=True, usr_is_subject=True
    ),
    requests.Login: Command(
        sessions.login,
        "Logged in.",
        before_login=True,
        usr_is_subject=True,
        after=sessions.deliver_pending,
    ),
    requests.Resume: Command(
        sessions.resume,
        "Session resumed.",
        before_login=True,
        after=sessions.deliver_pending,
        repeatable=True,
    ),
    requests.Hello: Command(sessions.hello, "Hello.", before_login=True, repeatable=True),
    requests.Logout: Command(sessions.logout, "Logged out."),
    requests.GetSessions: Command(sessions.get_sessions, "Sessions.", repeatable=True),
    requests.EndSession: Command(sessions.end_session, "Session ended.", repeatable=True),
    requests.EndOtherSessions: Command(
        sessions.end_other_sessions, "Other sessions ended.", repeatable=True
    ),
    requests.UpdatePwd: Command(sessions.update_pwd, "Password changed.", before_login=True),
    own_account.DeleteAccount: Command(
        own_account.delete_account, "Account deleted.", after=own_account.leave
    ),
    own_account.GetProfile: Command(own_account.get_profile, "Profile.", repeatable=True),
    own_account.SetProfile: Command(own_account.set_profile, "Profile changed.", repeatable=True),
    own_account.ExportAccount: Command(own_account.export_account, "Export."),
    requests.GetRoomList: Command(rooms.get_room_list, "Rooms.", repeatable=True),
    requests.GetUserList: Command(rooms.get_user_list, "Users online.", repeatable=True),
    requests.GetRoomUserList: Command(
        rooms.get_room_user_list, "Members of the room.", repeatable=True
    ),
    room_requests.CreateRoom: Command(rooms.create_room, "Room created."),
    room_requests.SetRoom: Command(rooms.set_room, "Room changed."),
    room_requests.DeleteRoom: Command(rooms.delete_room, "Room deleted."),
    room_requests.Invite: Command(rooms.invite, "Invitation sent."),
    room_requests.InviteReply: Command(rooms.invite_reply, "Invitation answered."),
    room_requests.AddMember: Command(rooms.add_member, "Member added."),
    room_requests.RemoveMember: Command(rooms.remove_member, "Member removed."),
    room_requests.JoinRoom: Command(rooms.join_room, "Room joined."),
    room_requests.LeaveRoom: Command(rooms.leave_room, "Room left."),
    room_requests.Kick: Command(rooms.kick, "User kicked."),
    moderation.SetRole: Command(moderation.set_role, "Role changed."),
    moderation.BanUser: Command(moderation.ban, "User banned."),
    moderation.UnbanUser: Command(moderation.unban, "User unbanned."),
    moderation.MuteUser: Command(moderation.mute, "User muted."),
    moderation.UnmuteUser: Command(moderation.unmute, "User unmuted."),
    moderation.GetModeration: Command(
        moderation.get_moderation, "Roles, mutes and bans.", repeatable=True
    ),
    moderation.DeleteMessages: Command(
        moderation.delete_messages, "Messages deleted.", repeatable=True
    ),
    reports.ReportMessage: Command(reports.report, "Message reported.", repeatable=True),
    reports.GetReports: Command(reports.get_reports, "Reports.", repeatable=True),
    reports.AnswerReport: Command(reports.answer_report, "Report answered.", repeatable=True),
    requests.Speak: Command(messages.speak, "Message stored."),
    requests.Edit: Command(changes.edit, "Message edited."),
    requests.Delete: Command(changes.delete, "Message deleted."),
    requests.React: Command(changes.react, "Reaction stored."),
    requests.Pin: Command(changes.pin, "Message pinned."),
    requests.Unpin: Command(changes.unpin, "Message unpinned."),
    requests.Versions: Command(changes.versions, "Versions of the message.", repeatable=True),
    requests.History: Command(messages.history, "History.", repeatable=True),
    requests.Search: Command(
        search.search, "Messages found.", usr_is_subject=True, repeatable=True
    ),
    requests.Typing: Command(messages.typing, "Typing notification sent.", repeatable=True),
    requests.MarkRead: Command(messages.mark_read, "Read position stored.", repeatable=True),
    requests.MarkUnread: Command(messages.mark_unread, "Marked as unread.", repeatable=True),
    requests.SetNotify: Command(messages.set_notify, "Notifications set.", repeatable=True),
    requests.GetMentions: Command(messages.get_mentions, "Mentions.", repeatable=True),
    requests.Whisper: Command(messages.whisper, "Direct message stored."),
    requests.GetDirectList: Command(
        messages.get_direct_list, "Direct conversations.", repeatable=True
    ),
    requests.Broadcast: Command(messages.broadcast, "Broadcast sent."),
    requests.Block: Command(messages.block, "User blocked.", repeatable=True),
    requests.Unblock: Command(messages.unblock, "User unblocked.", repeatable=True),
    requests.SetAddress: Command(messages.set_address, "Address stored.", repeatable=True),
    requests.GetAddress: Command(messages.get_address, "Address requested."),
    requests.Allow: Command(messages.allow, "Address request allowed."),
    requests.Deny: Command(messages.deny, "Address request denied."),
    invite_links.CreateInviteLink: Command(invite_links.create, "Invitation made."),
    invite_links.GetInviteLinks: Command(invite_links.listed, "Invitations.", repeatable=True),
    invite_links.RevokeInviteLink: Command(invite_links.revoke, "Invitation revoked."),
    invite_links.FindInviteLink: Command(
        invite_links.find, "The invitation is valid.", before_login=True, repeatable=True
    ),
    invite_links.CreateLoginLink: Command(invite_links.create_login_link, "Login link made."),
    admin.Admin: Command(admin.admin, "Done."),
    requests.Ping: Command(sessions.ping, "Pong.", before_login=True, repeatable=True),
}

#: Command -> its Struct, and the other way.
BY_CMD: dict[str, type[Request]] = {
    str(request.__struct_config__.tag): request for request in COMMANDS
}
CMD: dict[type[Request], str] = {request: cmd for cmd, request in BY_CMD.items()}
