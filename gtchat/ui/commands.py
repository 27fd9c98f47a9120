"""The slash commands of the terminal clients: one table for parsing, /help and error messages.

A row defines how a typed line becomes a request of docs/protocol.md. Lines are parsed in `parsing`,
requests sent in `interpreter`, replies formatted in `rendering`.
"""

from __future__ import annotations

from gtchat.ui.command import LOBBY as LOBBY
from gtchat.ui.command import CommandArgument as CommandArgument
from gtchat.ui.command import CommandContext as CommandContext
from gtchat.ui.command import InputError as InputError
from gtchat.ui.command import Newest as Newest
from gtchat.ui.command import ParsedCommand as ParsedCommand
from gtchat.ui.command import SlashCommand as SlashCommand

NAME = CommandArgument("usr", "NAME")
USER = CommandArgument("user", "USER")
ROOM = CommandArgument("room_name", "ROOM", "name")
ROOM_OR_CURRENT = CommandArgument("room_name", "ROOM", "name", "room")
CURRENT_ROOM = CommandArgument("room_name", "", "name", "room")
PLACE = CommandArgument("room_name", "", "name", "place")
ROOM_OR_PLACE = CommandArgument("room_name", "ROOM", "name", "place")
MESSAGE = CommandArgument("seq", "#NUMBER", "message", "nothing")
EMOJI = CommandArgument("emoji", "EMOJI", "text")
INVITER = CommandArgument("inviter", "USER", default="inviter")
INVITED_ROOM = CommandArgument("room_name", "ROOM", "name", "invited")
AFTER = CommandArgument("after", "AFTER", "name", "nothing")
PASSWORD = CommandArgument("pwd", "PASSWORD", "secret", prompt="Password")
NEW_PASSWORD = CommandArgument(
    "pwd", "PASSWORD", "secret", prompt="Password (8 characters or more)", again=True
)
SECRET = CommandArgument("invite", "SECRET")
TEXT = CommandArgument("msg", "TEXT", "text")
INVITATION = (INVITER, INVITED_ROOM)
REASON = CommandArgument("reason", "REASON", "text", "nothing")
SANCTION = (USER, CommandArgument("seconds", "TIME", "duration", "nothing"), REASON, CURRENT_ROOM)
SLOW = CommandArgument("slow", "SECONDS", "number")
KEEP_MESSAGES = CommandArgument("keep_messages", "NUMBER", "number")
KEEP_DAYS = CommandArgument("keep_days", "DAYS", "number")
DELETE_ALL = (USER, REASON, CURRENT_ROOM)
HERE, MODERATED = (CURRENT_ROOM,), {"moderated": True}
ROLE = CommandArgument("role", "ROLE", default="nothing")

#: Says that the client marks itself what was read (docs/protocol.md, "Read state").
MARKS = {"marks_read": True}

#: All commands, in the order of /help.
TABLE: tuple[SlashCommand, ...] = (
    SlashCommand("guest", "log in as a temporary user", "login", (NAME,), {"type": "tmp", **MARKS}),
    SlashCommand("register", "create an account; then /login", "register", (NAME, NEW_PASSWORD)),
    SlashCommand(
        "invited",
        "create an account with an invitation: SECRET ends its link",
        "register",
        (NAME, SECRET, NEW_PASSWORD),
    ),
    SlashCommand(
        "login", "log in with an account", "login", (NAME, PASSWORD), {"type": "reg", **MARKS}
    ),
    SlashCommand(
        "stay",
        "log in with an account, and stay logged in after the client",
        "login",
        (NAME, PASSWORD),
        {"type": "reg", **MARKS, "remember": True},
    ),
    SlashCommand(
        "logout", "log out and stay connected; ends /stay", "logout", constant={"forget": True}
    ),
    SlashCommand("sessions", "list where you are logged in", "get_sessions"),
    SlashCommand(
        "end-session", "end another session of yours", "end_session", (CommandArgument("id", "ID"),)
    ),
    SlashCommand("end-others", "end all other sessions of yours", "end_other_sessions"),
    SlashCommand(
        "password",
        "change your password",
        "update_pwd",
        (
            CommandArgument("pwd", "OLD", "secret", prompt="Old password"),
            CommandArgument("new_pwd", "NEW", "secret", prompt="New password"),
            CommandArgument("new_pwd2", "NEW", "secret", prompt="Repeat the new password"),
        ),
    ),
    SlashCommand(
        "profile",
        "show the profile of a user, or yours",
        "get_profile",
        (CommandArgument("user", "USER", "name", "nothing"),),
    ),
    SlashCommand(
        "about",
        "say something about you in your profile; or nothing",
        "set_profile",
        (CommandArgument("about", "TEXT", "text", "nothing"),),
        {"about": ""},
    ),
    SlashCommand(
        "export",
        "get a link to an export of your data",
        "export_account",
        (CommandArgument("pwd", "", "secret", prompt="Password"),),
    ),
    SlashCommand(
        "delete-account",
        "delete your account; MESSAGES and DIRECTS: keep or erase",
        "delete_account",
        (
            CommandArgument("messages", "MESSAGES", default="nothing"),
            CommandArgument("directs", "DIRECTS", default="nothing"),
            CommandArgument("pwd", "", "secret", prompt="Password"),
        ),
    ),
    SlashCommand("rooms", "list the rooms", "get_room_list", (AFTER,)),
    SlashCommand("users", "list the users who are online", "get_user_list", (AFTER,)),
    SlashCommand(
        "who",
        "list the members of a room",
        "get_room_user_list",
        (ROOM_OR_CURRENT,),
        aliases=("names",),
    ),
    SlashCommand("room", "switch to another room", "", (ROOM,)),
    SlashCommand("create", "create a public room", "create_room", (ROOM,)),
    SlashCommand(
        "create-private",
        "create a private room; members join by invitation",
        "create_room",
        (ROOM,),
        {"public": False},
    ),
    SlashCommand(
        "preview", "look into a room before joining", "history", (ROOM,), {"preview": True}
    ),
    SlashCommand("join", "join a room and switch to it", "join_room", (ROOM,)),
    SlashCommand("leave", "leave a room", "leave_room", (ROOM_OR_CURRENT,), aliases=("part",)),
    SlashCommand(
        "invite",
        "invite a user to a room",
        "invite",
        (CommandArgument("invitee", "USER"), ROOM_OR_CURRENT),
    ),
    SlashCommand("accept", "accept an invitation", "invite_reply", INVITATION, {"reply": "Y"}),
    SlashCommand("decline", "decline an invitation", "invite_reply", INVITATION, {"reply": "N"}),
    SlashCommand(
        "later", "be asked again at the next login", "invite_reply", INVITATION, {"reply": "L"}
    ),
    SlashCommand(
        "whisper",
        "send a direct message",
        "whisper",
        (CommandArgument("target_user", "USER"), TEXT),
        aliases=("msg",),
    ),
    SlashCommand("me", "say what you are doing", "", (TEXT,)),
    SlashCommand(
        "reply", "reply to a message of another user", "", (MESSAGE, TEXT), newest="other"
    ),
    SlashCommand(
        "edit",
        "give a message of yours a new text",
        "edit",
        (PLACE, MESSAGE, TEXT),
        newest="own",
    ),
    SlashCommand(
        "delete",
        "delete a message of yours; with #NUMBER also REASON",
        "delete",
        (PLACE, MESSAGE, CommandArgument("reason", "REASON", "text", "nothing")),
        newest="own",
    ),
    SlashCommand(
        "react",
        "react to a message, such as: /react :thumbsup:",
        "react",
        (PLACE, MESSAGE, EMOJI),
        newest="other",
    ),
    SlashCommand(
        "unreact",
        "take a reaction back",
        "react",
        (PLACE, MESSAGE, EMOJI),
        {"on": False},
        newest="other",
    ),
    SlashCommand("pin", "pin a message", "pin", (PLACE, MESSAGE), newest="any"),
    SlashCommand("unpin", "unpin a message", "unpin", (PLACE, MESSAGE), newest="any"),
    SlashCommand(
        "versions",
        "show the texts that a message had",
        "versions",
        (PLACE, MESSAGE),
        newest="own",
    ),
    SlashCommand("numbers", "show or hide the numbers of messages", ""),
    SlashCommand(
        "history",
        "show recent messages, or those before number BEFORE",
        "history",
        (
            PLACE,
            CommandArgument("limit", "COUNT", "number", "nothing"),
            CommandArgument("before", "BEFORE", "number", "nothing"),
        ),
    ),
    SlashCommand(
        "search",
        "find messages, such as: tea in:garden from:ann",
        "search",
        (CommandArgument("q", "QUERY", "text"),),
        {"limit": 20},
    ),
    SlashCommand(
        "mentions",
        "list the messages that mention you, newest first",
        "get_mentions",
        (CommandArgument("before", "BEFORE", default="nothing"),),
    ),
    SlashCommand(
        "unread",
        "mark this room as unread, from NUMBER or the last message",
        "mark_unread",
        (PLACE, CommandArgument("seq", "NUMBER", "number", "nothing")),
    ),
    SlashCommand(
        "notify",
        "choose when a room counts as new: all, mentions or none",
        "set_notify",
        (CommandArgument("level", "LEVEL"), ROOM_OR_PLACE),
    ),
    SlashCommand(
        "topic",
        "set the topic of this room",
        "set_room",
        (CURRENT_ROOM, CommandArgument("topic", "TEXT", "text")),
    ),
    SlashCommand("open", "make this room public", "set_room", (CURRENT_ROOM,), {"public": True}),
    SlashCommand("close", "make this room private", "set_room", (CURRENT_ROOM,), {"public": False}),
    SlashCommand(
        "max",
        "set the member limit of this room; 0: no limit",
        "set_room",
        (CURRENT_ROOM, CommandArgument("max", "COUNT", "number")),
    ),
    SlashCommand(
        "owner",
        "make another member the owner of a room",
        "set_room",
        (CommandArgument("master", "USER"), ROOM_OR_CURRENT),
    ),
    SlashCommand("delete-room", "delete a room", "delete_room", (ROOM,)),
    SlashCommand("add", "add a member to a room", "add_member", (USER, ROOM_OR_CURRENT)),
    SlashCommand("remove", "remove a member from a room", "remove_member", (USER, ROOM_OR_CURRENT)),
    SlashCommand("kick", "kick a user from this room", "kick", (USER, REASON, CURRENT_ROOM)),
    SlashCommand("ban", "ban a user or names (spam*) here", "ban", SANCTION),
    SlashCommand("unban", "end a ban", "unban", (USER, CURRENT_ROOM)),
    SlashCommand("mute", "mute a user, such as: /mute bob 10m", "mute", SANCTION),
    SlashCommand("unmute", "end that a user is muted", "unmute", (USER, CURRENT_ROOM)),
    SlashCommand(
        "role",
        "make a user moderator or voice here; or neither",
        "set_role",
        (USER, ROLE, CURRENT_ROOM),
        {"role": ""},
    ),
    SlashCommand("slow", "let members wait between messages; 0: off", "set_room", (SLOW, *HERE)),
    SlashCommand(
        "keep-messages",
        "keep so many messages here; 0: as the server",
        "set_room",
        (KEEP_MESSAGES, *HERE),
    ),
    SlashCommand(
        "keep-days", "keep messages here so long; 0: as the server", "set_room", (KEEP_DAYS, *HERE)
    ),
    SlashCommand("moderate", "let only users with a role speak", "set_room", HERE, MODERATED),
    SlashCommand("unmoderate", "let all members speak", "set_room", HERE, {"moderated": False}),
    SlashCommand("moderation", "list roles, mutes and bans", "get_moderation", (ROOM_OR_CURRENT,)),
    SlashCommand(
        "delete-all", "delete what a user said in the last hour", "delete_messages", DELETE_ALL
    ),
    SlashCommand(
        "report",
        "report a message to those who moderate it",
        "report",
        (PLACE, MESSAGE, REASON),
        newest="other",
    ),
    SlashCommand("reports", "list the reports of messages here", "get_reports", (ROOM_OR_CURRENT,)),
    SlashCommand("all-reports", "list all reports, as an operator", "get_reports"),
    SlashCommand(
        "my-reports",
        "list your reports, and what came of them",
        "get_reports",
        constant={"own": True, "answered": True},
    ),
    SlashCommand(
        "answer",
        "answer a report: /answer NUMBER accepted, or dismissed",
        "answer_report",
        (
            CommandArgument("report_id", "NUMBER", "number"),
            CommandArgument("outcome", "OUTCOME"),
            CommandArgument("answer", "TEXT", "text", "nothing"),
        ),
    ),
    SlashCommand("block", "stop receiving messages from a user", "block", (USER,)),
    SlashCommand("unblock", "receive messages from a user again", "unblock", (USER,)),
    SlashCommand(
        "broadcast",
        "send a message to all users; asks for the operator's key",
        "broadcast",
        (
            TEXT,
            CommandArgument("broadcast_key", "", "secret", prompt="Broadcast key"),
        ),
    ),
    SlashCommand(
        "port",
        "announce the port of this client for peer messages",
        "set_address",
        (CommandArgument("port", "PORT", "number"),),
    ),
    SlashCommand("getaddress", "ask a user for their address", "get_address", (USER,)),
    SlashCommand("allow", "send your address to a user who asked for it", "allow", (USER,)),
    SlashCommand("deny", "refuse to send your address", "deny", (USER,)),
    SlashCommand(
        "private",
        "send a peer message, which does not pass the server",
        "",
        (USER, TEXT),
    ),
    SlashCommand("hello", "show the server's version, features and limits", "hello"),
    SlashCommand("ping", "check whether the server answers", "ping"),
    SlashCommand(
        "help", "show this help", "", (CommandArgument("name", "COMMAND", default="nothing"),)
    ),
    SlashCommand("quit", "quit", ""),
)

#: By name and alias.
COMMANDS: dict[str, SlashCommand] = {name: command for command in TABLE for name in command.names}
