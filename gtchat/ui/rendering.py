"""Formats events, replies and errors as lines for a terminal; the lines are safe to print.

Requests are sent in `interpreter`; this module does no input or output.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from gtchat.client import (
    Broadcast,
    ChatMessage,
    CommandFailed,
    ConnectionLost,
    ConnectionRestored,
    Event,
    Reply,
    Report,
    Room,
    RoomReset,
    SessionInfo,
    Whisper,
)
from gtchat.ui.commands import LOBBY, ParsedCommand
from gtchat.ui.descriptions import describe_event, format_place, is_hidden
from gtchat.ui.formatting import (
    OLDER_REMOVED,
    Paint,
    format_room,
    format_user,
    format_users,
    format_wait,
    local_time,
    marked_lines,
)
from gtchat.ui.notes import after_text, before_text
from gtchat.ui.profiles import export_line, profile_lines
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


class Renderer:
    """Formats lines.

    Args:
        paint: styles a text.
        zone: time zone of the times shown; None for that of this machine.

    Attributes:
        numbers: whether the numbers of messages are shown.
    """

    def __init__(self, paint: Paint, zone: tzinfo | None = None) -> None:
        self._paint = paint
        self._zone = zone
        self.numbers = False

    def event_lines(self, event: Event) -> list[str]:
        """Return the lines of an event."""
        if isinstance(event, ConnectionLost):
            reason = escape_controls(event.reason)
            return [self._notice(f"connection lost ({reason}); reconnecting")]
        if isinstance(event, ConnectionRestored):
            return [self._notice("reconnected")]
        if isinstance(event, RoomReset):
            room = format_room(event.room)
            if event.reason == "left":
                return [self._notice(f"you are no longer in {room}")]
            return [self._notice(f"{room} was reset; /history shows its messages")]
        return self._pushed_lines(event)

    def _pushed_lines(self, event: Event) -> list[str]:
        """Return the lines of an event that the server sent."""
        if isinstance(event, ChatMessage) and not event.blocked and event.deleted is None:
            is_action = event.style == "action"
            sender = f"* {format_user(event.user)}" if is_action else f"<{format_user(event.user)}>"
            return self._message_lines(event, self._head(event, sender))
        if isinstance(event, Broadcast):
            head = self._paint(f"<{format_user(event.user)}> to all users:", "bold")
            return self._text_lines(event.text, event.at, head)
        if is_hidden(event):
            return []
        at = getattr(event, "at", None)
        return [f"{self._time(at)} {self._notice(describe_event(event))}"]

    def _head(self, message: ChatMessage, sender: str) -> str:
        """Return what stands before a message: where it is, and of which user."""
        if isinstance(message, Whisper):
            to = f" to {format_user(message.to)}" if message.to else ""
            return self._paint(f"{sender} direct message{to}:", "direct")
        room = self._paint(format_place(message.room), "room")
        return f"{room} {self._paint(sender, 'bold')}"

    def _message_lines(self, message: ChatMessage, head: str, form: str = "%H:%M") -> list[str]:
        """Return the lines of a message."""
        number = f"{message.seq} " if self.numbers and message.seq else ""
        text = f"{before_text(message)}{message.text}"
        lines = self._text_lines(text, message.at, f"{number}{head}", form)
        return [*lines[:-1], lines[-1] + after_text(message)]

    def _text_lines(
        self, text: str, at: datetime | None, head: str, form: str = "%H:%M"
    ) -> list[str]:
        """Return the lines of a text; the second and later ones begin with a bar.

        The bar keeps a line of a text from looking like the message of another user.
        """
        first, *more = map(escape_controls, text.split("\n"))
        return [f"{self._time(at, form)} {head} {first}", *(f"      | {line}" for line in more)]

    def _notice(self, text: str) -> str:
        return self._paint(f"* {text}", "dim")

    def _time(self, at: datetime | None, form: str = "%H:%M") -> str:
        time = local_time(at, self._zone)
        return self._paint(time.strftime(form) if time else "--:--", "dim")

    # Replies.

    def error_line(self, error: CommandFailed) -> str:
        """Return the line of an error, with advice if there is any."""
        advice = ADVICE.get(error.code, "")
        if error.retry_after is not None:
            advice = f"try again in {format_wait(error.retry_after)}"
        text = f"error: {escape_controls(error.text)} ({escape_controls(error.code)})"
        return f"{text}: {advice}" if advice else text

    def reply_lines(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        """Return the lines of a reply with status `ok`.

        Args:
            parsed: the command.
            reply: its reply. Those of `QUIET_COMMANDS` have no lines.
        """
        formatter = REPLY_FORMATTERS.get(parsed.command.cmd)
        if formatter is not None:
            return formatter(self, parsed, reply)
        if parsed.command.cmd in QUIET_COMMANDS:
            return [] if reply.seq else [self._notice("nothing has changed")]
        return [self._notice(escape_controls(reply.msg))]

    def _login(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        rooms = ", ".join(
            format_room(room.name) + (f" ({_unread(room)})" if room.unread else "")
            for room in reply.rooms
            if room.joined
        )
        online = format_users(reply.users, reply.users_total)
        return [
            self._notice(f"logged in as {format_user(reply.usr)}; online: {online}"),
            self._notice(f"your rooms: {rooms or 'none'}; what you type is sent to #{LOBBY}"),
        ]

    def _registered(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        name = format_user(str(parsed.fields["usr"]))
        return [self._notice(f"account created; /login {name} logs in")]

    def _rooms(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        lines = [self._notice(_room_line(room)) for room in reply.rooms]
        return [*lines, *self._more(parsed, len(reply.rooms), reply.rooms_total)]

    def _users(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        is_member_list = parsed.command.cmd == "get_room_user_list"
        online = set(reply.online) if is_member_list else set(reply.users)
        listed = ", ".join(
            format_user(user) + ("" if user in online else " (offline)") for user in reply.users
        )
        counted = f"{reply.users_total}: {listed or 'none'}"
        return [self._notice(counted), *self._more(parsed, len(reply.users), reply.users_total)]

    def _more(self, parsed: ParsedCommand, count: int, total: int) -> list[str]:
        """Return a line that says how to list the rest, if there is one."""
        if "after" in parsed.fields or count >= total:
            return []
        return [
            self._notice(f"{count} of {total}; /{parsed.command.name} NAME lists those after NAME")
        ]

    def _room(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        if reply.room is None:
            return [self._notice(escape_controls(reply.msg))]
        members = format_users(reply.room.users, reply.room.users_total)
        return [self._notice(_room_line(reply.room)), self._notice(f"members: {members}")]

    def _history(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        lines = [line for entry in reply.entries for line in self._pushed_lines(entry)]
        if reply.more and reply.entries:
            first = getattr(reply.entries[0], "seq", None)
            lines.insert(0, self._notice(f"older messages: /history 50 {first}"))
        elif reply.log_first > 1:
            lines.insert(0, self._notice(OLDER_REMOVED))
        return lines or [self._notice("no messages")]

    def _search(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        wanted = f'messages for "{escape_controls(str(parsed.fields.get("q", "")))}"'
        if reply.incomplete:
            wanted += "; the search took too long, older ones are missing"
        elif reply.more:
            wanted += "; there are older ones, use before:DAY"
        count = len(reply.entries)
        lines = [self._notice(f"{count} {wanted}" if count else f"no {wanted}")]
        for found in reversed(reply.entries):
            if isinstance(found, ChatMessage):
                lines += self._found_lines(found)
        return lines

    def _found_lines(self, message: ChatMessage) -> list[str]:
        """Return the lines of a message that was found."""
        head = self._found_head(message)
        first, *more = [""] if message.blocked else marked_lines(message, self._paint)
        line = f"{self._time(message.at, '%Y-%m-%d %H:%M')} {head} {first}".rstrip()
        return [line, *(f"      | {one}" for one in more)]

    def _found_head(self, message: ChatMessage) -> str:
        """Return where a message was found, and of which user it is."""
        room = format_room(message.room) if isinstance(message.room, str) else "direct message"
        if message.blocked:
            return f"{self._paint(room, 'room')} {self._notice('hidden: you block this user')}"
        sender = f"<{format_user(message.user)}>"
        if isinstance(message, Whisper):
            to = format_user(message.to or "")
            return self._paint(f"{sender} direct message to {to}:", "direct")
        return f"{self._paint(room, 'room')} {self._paint(sender, 'bold')}"

    def _mentions(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        lines = []
        for message in reply.entries:
            if not isinstance(message, ChatMessage):
                continue
            sender = self._paint(f"<{format_user(message.user)}>", "bold")
            head = f"{sender} direct message:"
            if isinstance(message.room, str):
                head = f"{format_room(message.room)} {sender}"
            lines += self._message_lines(message, head, "%Y-%m-%d %H:%M")
        if reply.next:
            lines.append(self._notice(f"older ones: /mentions {escape_controls(reply.next)}"))
        return lines or [self._notice("no messages mention you")]

    def _direct_message(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        user = format_user(str(parsed.fields["target_user"]))
        if reply.delivered == "now":
            return [self._notice(f"delivered to {user}")]
        return [self._notice(f"{user} is offline and gets the message at the next login")]

    def _versions(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        lines = []
        for one in reply.versions:
            text = escape_controls(" ".join(one.text.split()))
            lines.append(f"{self._paint(self._date(one.at), 'dim')} {text}")
        return lines

    def _blocked(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [self._notice(f"blocked users: {format_users(reply.blocked)}")]

    def _hello(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        server = f"{escape_controls(reply.server)} {escape_controls(reply.version)}"
        features = ", ".join(map(escape_controls, reply.features))
        return [
            self._notice(f"{server}; features: {features}"),
            *(
                self._notice(f"{escape_controls(limit)}: {value:.12g}")
                for limit, value in sorted(reply.limits.items())
            ),
        ]

    def _sessions(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [self._notice(self._session_line(one)) for one in reply.sessions]

    def _session_line(self, session: SessionInfo) -> str:
        """Return a session as it is listed: what it is on, since when, and when it was seen."""
        client = ", ".join(filter(None, (session.protocol, session.address)))
        seen = "online" if session.online else f"last seen {self._date(session.last_seen)}"
        details = [f"since {self._date(session.began)}", seen]
        if session.remembered:
            details.append("stays logged in")
        if session.current:
            details.append("this session")
        name = escape_controls(session.device_name or "") or "no device"
        where = f" ({escape_controls(client)})" if client else ""
        return f"{escape_controls(session.id)}: {name}{where}, {', '.join(details)}"

    def _date(self, at: datetime | None) -> str:
        time = local_time(at, self._zone)
        return time.strftime("%Y-%m-%d %H:%M") if time else "?"

    def _moderation(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        raw = reply.raw
        roles = [f"{user}: {role}" for user, role in raw.get("roles", {}).items()]
        lines = [*roles]
        for kind, what in (("mutes", "muted"), ("bans", "banned")):
            for one in raw.get(kind, ()):
                until = f" until {one['until']}" if "until" in one else ""
                reason = f": {one['reason']}" if one["reason"] else ""
                lines.append(f"{one['usr']}: {what} by {one['by']}{until}{reason}")
        found = [self._notice(escape_controls(line)) for line in lines]
        return found or [self._notice("no roles, mutes or bans")]

    def _reported(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        before = "you had reported this message before" if reply.dup else "reported"
        return [self._notice(f"{before}: report {reply.report_id}")]

    def _reports(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        lines = [line for one in reversed(reply.reports) for line in self._report_lines(one)]
        if reply.next:
            lines.insert(0, self._notice("there are older ones: answer these first"))
        return lines or [self._notice("no reports")]

    def _report_lines(self, report: Report) -> list[str]:
        """Return the lines of a report: the copy of the message, who reports it, the answer."""
        place = format_room(report.room) if report.room is not None else "direct message"
        head = f"{report.id} {place} {self._paint(f'<{format_user(report.user)}>', 'bold')}"
        lines = self._text_lines(report.text, report.sent, head, "%Y-%m-%d %H:%M")
        why = report.rule if report.by_filter else report.reason
        reason = f": {escape_controls(why)}" if why else ""
        who = (
            "flagged by the word filter"
            if report.by_filter
            else f"reported by {format_user(report.by)}"
        )
        lines.append(self._notice(f"{who}{reason}"))
        if report.outcome:
            answer = f": {escape_controls(report.answer)}" if report.answer else ""
            by = format_user(report.answered_by or "")
            lines.append(self._notice(f"{escape_controls(report.outcome)} by {by}{answer}"))
        return lines

    def _deleted(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        deleted = escape_controls(str(reply.raw.get("deleted")))
        return [self._notice(f"{deleted} messages were deleted")]

    def _ping(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [
            self._notice(
                f"the server answered; its time is {escape_controls(str(reply.raw.get('at')))}"
            )
        ]

    def _exported(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [self._notice(export_line(reply))]

    def _profile(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [self._notice(line) for line in profile_lines(reply)]

    def _broadcast(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [self._notice(f"sent to {reply.recipients} users")]


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
    "login": Renderer._login,
    "register": Renderer._registered,
    "get_room_list": Renderer._rooms,
    "get_user_list": Renderer._users,
    "get_room_user_list": Renderer._users,
    "create_room": Renderer._room,
    "set_room": Renderer._room,
    "join_room": Renderer._room,
    "invite_reply": Renderer._room,
    "history": Renderer._history,
    "search": Renderer._search,
    "get_mentions": Renderer._mentions,
    "versions": Renderer._versions,
    "whisper": Renderer._direct_message,
    "block": Renderer._blocked,
    "unblock": Renderer._blocked,
    "hello": Renderer._hello,
    "ping": Renderer._ping,
    "get_moderation": Renderer._moderation,
    "delete_messages": Renderer._deleted,
    "report": Renderer._reported,
    "get_reports": Renderer._reports,
    "broadcast": Renderer._broadcast,
    "export_account": Renderer._exported,
    "get_profile": Renderer._profile,
    "get_sessions": Renderer._sessions,
}
