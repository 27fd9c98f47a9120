"""Formats replies and errors as lines for a terminal; the lines are safe to print.

How an event looks is in `rendering`, whose `Renderer` has the styles and the time zone.
"""

from __future__ import annotations

from collections.abc import Callable

from gtchat.client import ChatMessage, CommandFailed, Reply, Report, Room, SessionInfo, Whisper
from gtchat.ui.commands import LOBBY, ParsedCommand
from gtchat.ui.formatting import (
    OLDER_REMOVED,
    format_room,
    format_user,
    format_users,
    format_wait,
    marked_lines,
)
from gtchat.ui.profiles import export_line, profile_lines
from gtchat.ui.rendering import DATE, Renderer
from gtchat.ui.terminal import escape_controls

#: Commands whose effect is an event that is shown: their replies have no lines.
QUIET_COMMANDS = frozenset({"edit", "delete", "react", "pin", "unpin"})

#: Error code -> what the user can do, where the text of the server does not say it.
ADVICE: dict[str, str] = {
    "not_logged_in": "/guest NAME, /login NAME or /register NAME",
    "bad_credentials": "/register NAME, if you have no account",
    "name_taken": "choose another name, or /login if it is yours",
    "no_such_room": "/rooms lists the rooms, /create ROOM creates one",
    "not_in_room": "/join ROOM first",
    "room_exists": "/join it, or choose another name",
    "no_such_user": "/users lists who is online",
    "already_logged_in": "/logout first",
    "bad_session": "/login again",
    "bad_invite": "ask for another one",
    "invite_wanted": "/invited NAME SECRET, where SECRET ends the link of an invitation",
}


def error_line(error: CommandFailed) -> str:
    """Return the line of an error, with advice if there is any."""
    advice = ADVICE.get(error.code, "")
    if error.retry_after is not None:
        advice = f"try again in {format_wait(error.retry_after)}"
    text = f"error: {escape_controls(error.text)} ({escape_controls(error.code)})"
    return f"{text}: {advice}" if advice else text


def reply_lines(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    """Return the lines of a reply with status `ok`.

    Args:
        renderer: has the styles and the time zone.
        parsed: the command.
        reply: its reply. Those of `QUIET_COMMANDS` have no lines.
    """
    formatter = REPLY_FORMATTERS.get(parsed.command.cmd)
    if formatter is not None:
        return formatter(renderer, parsed, reply)
    if parsed.command.cmd in QUIET_COMMANDS:
        return [] if reply.seq else [renderer.notice("nothing has changed")]
    return [renderer.notice(escape_controls(reply.msg))]


def _login(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    rooms = ", ".join(
        format_room(room.name) + (f" ({_unread(room)})" if room.unread else "")
        for room in reply.rooms
        if room.joined
    )
    online = format_users(reply.users, reply.users_total)
    return [
        renderer.notice(f"logged in as {format_user(reply.usr)}; online: {online}"),
        renderer.notice(f"your rooms: {rooms or 'none'}; what you type is sent to #{LOBBY}"),
    ]


def _registered(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    name = format_user(str(parsed.fields["usr"]))
    return [renderer.notice(f"account created; /login {name} logs in")]


def _rooms(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    lines = [renderer.notice(_room_line(room)) for room in reply.rooms]
    return [*lines, *_more(renderer, parsed, len(reply.rooms), reply.rooms_total)]


def _users(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    is_member_list = parsed.command.cmd == "get_room_user_list"
    online = set(reply.online) if is_member_list else set(reply.users)
    listed = ", ".join(
        format_user(user) + ("" if user in online else " (offline)") for user in reply.users
    )
    counted = f"{reply.users_total}: {listed or 'none'}"
    return [renderer.notice(counted), *_more(renderer, parsed, len(reply.users), reply.users_total)]


def _more(renderer: Renderer, parsed: ParsedCommand, count: int, total: int) -> list[str]:
    """Return a line that says how to list the rest, if there is one."""
    if "after" in parsed.fields or count >= total:
        return []
    return [
        renderer.notice(f"{count} of {total}; /{parsed.command.name} NAME lists those after NAME")
    ]


def _room(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    if reply.room is None:
        return [renderer.notice(escape_controls(reply.msg))]
    members = format_users(reply.room.users, reply.room.users_total)
    return [renderer.notice(_room_line(reply.room)), renderer.notice(f"members: {members}")]


def _history(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    lines = [line for entry in reply.entries for line in renderer.pushed_lines(entry)]
    if reply.more and reply.entries:
        first = getattr(reply.entries[0], "seq", None)
        lines.insert(0, renderer.notice(f"older messages: /history 50 {first}"))
    elif reply.log_first > 1:
        lines.insert(0, renderer.notice(OLDER_REMOVED))
    return lines or [renderer.notice("no messages")]


def _search(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    wanted = f'messages for "{escape_controls(str(parsed.fields.get("q", "")))}"'
    if reply.incomplete:
        wanted += "; the search took too long, older ones are missing"
    elif reply.more:
        wanted += "; there are older ones, use before:DAY"
    count = len(reply.entries)
    lines = [renderer.notice(f"{count} {wanted}" if count else f"no {wanted}")]
    for found in reversed(reply.entries):
        if isinstance(found, ChatMessage):
            lines += _found_lines(renderer, found)
    return lines


def _found_lines(renderer: Renderer, message: ChatMessage) -> list[str]:
    """Return the lines of a message that was found."""
    head = _found_head(renderer, message)
    first, *more = [""] if message.blocked else marked_lines(message, renderer.paint)
    line = f"{renderer.time(message.at, DATE)} {head} {first}".rstrip()
    return [line, *(f"      | {one}" for one in more)]


def _found_head(renderer: Renderer, message: ChatMessage) -> str:
    """Return where a message was found, and of which user it is."""
    room = format_room(message.room) if isinstance(message.room, str) else "direct message"
    if message.blocked:
        return f"{renderer.paint(room, 'room')} {renderer.notice('hidden: you block this user')}"
    sender = f"<{format_user(message.user)}>"
    if isinstance(message, Whisper):
        to = format_user(message.to or "")
        return renderer.paint(f"{sender} direct message to {to}:", "direct")
    return f"{renderer.paint(room, 'room')} {renderer.paint(sender, 'bold')}"


def _mentions(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    lines = []
    for message in reply.entries:
        if not isinstance(message, ChatMessage):
            continue
        sender = renderer.paint(f"<{format_user(message.user)}>", "bold")
        head = f"{sender} direct message:"
        if isinstance(message.room, str):
            head = f"{format_room(message.room)} {sender}"
        lines += renderer.message_lines(message, head, DATE)
    if reply.next:
        lines.append(renderer.notice(f"older ones: /mentions {escape_controls(reply.next)}"))
    return lines or [renderer.notice("no messages mention you")]


def _direct_message(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    user = format_user(str(parsed.fields["target_user"]))
    if reply.delivered == "now":
        return [renderer.notice(f"delivered to {user}")]
    return [renderer.notice(f"{user} is offline and gets the message at the next login")]


def _versions(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    lines = []
    for one in reply.versions:
        text = escape_controls(" ".join(one.text.split()))
        lines.append(f"{renderer.paint(renderer.date(one.at), 'dim')} {text}")
    return lines


def _blocked(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    return [renderer.notice(f"blocked users: {format_users(reply.blocked)}")]


def _hello(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    server = f"{escape_controls(reply.server)} {escape_controls(reply.version)}"
    features = ", ".join(map(escape_controls, reply.features))
    return [
        renderer.notice(f"{server}; features: {features}"),
        *(
            renderer.notice(f"{escape_controls(limit)}: {value:.12g}")
            for limit, value in sorted(reply.limits.items())
        ),
    ]


def _sessions(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    return [renderer.notice(_session_line(renderer, one)) for one in reply.sessions]


def _session_line(renderer: Renderer, session: SessionInfo) -> str:
    """Return a session as it is listed: what it is on, since when, and when it was seen."""
    client = ", ".join(filter(None, (session.protocol, session.address)))
    seen = "online" if session.online else f"last seen {renderer.date(session.last_seen)}"
    details = [f"since {renderer.date(session.began)}", seen]
    if session.remembered:
        details.append("stays logged in")
    if session.current:
        details.append("this session")
    name = escape_controls(session.device_name or "") or "no device"
    where = f" ({escape_controls(client)})" if client else ""
    return f"{escape_controls(session.id)}: {name}{where}, {', '.join(details)}"


def _moderation(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    raw = reply.raw
    roles = [f"{user}: {role}" for user, role in raw.get("roles", {}).items()]
    lines = [*roles]
    for kind, what in (("mutes", "muted"), ("bans", "banned")):
        for one in raw.get(kind, ()):
            until = f" until {one['until']}" if "until" in one else ""
            reason = f": {one['reason']}" if one["reason"] else ""
            lines.append(f"{one['usr']}: {what} by {one['by']}{until}{reason}")
    found = [renderer.notice(escape_controls(line)) for line in lines]
    return found or [renderer.notice("no roles, mutes or bans")]


def _reported(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    before = "you had reported this message before" if reply.dup else "reported"
    seq, report_id = parsed.fields["seq"], reply.report_id
    return [renderer.notice(f"{before}: message #{seq}, report {report_id}")]


def _reports(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    lines = [line for one in reversed(reply.reports) for line in _report_lines(renderer, one)]
    if reply.next:
        lines.insert(0, renderer.notice("there are older ones: answer these first"))
    return lines or [renderer.notice("no reports")]


def _report_lines(renderer: Renderer, report: Report) -> list[str]:
    """Return the lines of a report: the copy of the message, who reports it, the answer."""
    place = format_room(report.room) if report.room is not None else "direct message"
    head = f"{report.id} {place} {renderer.paint(f'<{format_user(report.user)}>', 'bold')}"
    lines = renderer.text_lines(report.text, report.sent, head, DATE)
    why = report.rule if report.by_filter else report.reason
    reason = f": {escape_controls(why)}" if why else ""
    who = (
        "flagged by the word filter"
        if report.by_filter
        else f"reported by {format_user(report.by)}"
    )
    lines.append(renderer.notice(f"{who}{reason}"))
    if report.outcome:
        answer = f": {escape_controls(report.answer)}" if report.answer else ""
        by = format_user(report.answered_by or "")
        lines.append(renderer.notice(f"{escape_controls(report.outcome)} by {by}{answer}"))
    return lines


def _deleted(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    deleted = escape_controls(str(reply.raw.get("deleted")))
    return [renderer.notice(f"{deleted} messages were deleted")]


def _ping(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    return [
        renderer.notice(
            f"the server answered; its time is {escape_controls(str(reply.raw.get('at')))}"
        )
    ]


def _exported(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    return [renderer.notice(export_line(reply))]


def _profile(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    return [renderer.notice(line) for line in profile_lines(reply)]


def _broadcast(renderer: Renderer, parsed: ParsedCommand, reply: Reply) -> list[str]:
    return [renderer.notice(f"sent to {reply.recipients} users")]


def _unread(room: Room) -> str:
    """Return how much of a room is unread."""
    return f"{room.unread} unread" + (f", @{room.mentions}" if room.mentions else "")


def _room_line(room: Room) -> str:
    limit = f" of at most {room.max}" if room.max else ""
    details = [f"members: {room.members}{limit}"]
    if not room.public:
        details.append("private")
    if room.owner:
        details.append(f"owner {format_user(room.owner)}")
    if room.joined:
        details.append("joined")
    if room.unread:
        details.append(_unread(room))
    if room.notify != "all":
        details.append(f"notifications: {escape_controls(room.notify)}")
    topic = f': "{escape_controls(room.topic)}"' if room.topic else ""
    return f"{format_room(room.name)} ({', '.join(details)}){topic}"


#: Command -> formatter of its reply; for others the server's own text is shown.
REPLY_FORMATTERS: dict[str, Callable[[Renderer, ParsedCommand, Reply], list[str]]] = {
    "login": _login,
    "register": _registered,
    "get_room_list": _rooms,
    "get_user_list": _users,
    "get_room_user_list": _users,
    "create_room": _room,
    "set_room": _room,
    "join_room": _room,
    "invite_reply": _room,
    "history": _history,
    "search": _search,
    "get_mentions": _mentions,
    "versions": _versions,
    "whisper": _direct_message,
    "block": _blocked,
    "unblock": _blocked,
    "hello": _hello,
    "ping": _ping,
    "get_moderation": _moderation,
    "delete_messages": _deleted,
    "report": _reported,
    "get_reports": _reports,
    "broadcast": _broadcast,
    "export_account": _exported,
    "get_profile": _profile,
    "get_sessions": _sessions,
}
