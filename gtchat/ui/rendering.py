"""Formats events, replies and errors as lines for a terminal; the lines are safe to print.

Requests are sent in `interpreter`; this module does no input or output.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from gtchat.client.messages import (
    CommandFailed,
    ConnectionLost,
    ConnectionRestored,
    Event,
    Push,
    Reply,
    Room,
    SessionInfo,
)
from gtchat.ui.commands import LOBBY, ParsedCommand
from gtchat.ui.formatting import (
    Paint,
    format_room,
    format_user,
    format_users,
    local_time,
    marked_lines,
)
from gtchat.ui.notes import after_text, before_text, deletion_text
from gtchat.ui.terminal import escape_controls

#: Type of a `c_event` -> text, a format string over fields of the push.
EVENTS: dict[str, str] = {
    "login": "{usr} logged in",
    "logout": "{usr} logged out",
    "room_created": "{usr} created the room {room}",
    "room_changed": "{usr} changed the settings of {room}: {access}, {owner}{topic}",
    "room_gone": "{room} was deleted",
    "join_room": "{usr} joined {room}",
    "leave_room": "{usr} left {room}",
    "kicked": "{by} kicked {usr} from {room}",
    "removed": "{by} removed {usr} from {room}",
    "edited": "{usr} edited a message in {room}: {msg}",
    "deleted": "{by} deleted a message of {usr} in {room}",
    "reacted": "{usr} {reacted} {emoji} in {room}",
    "pinned": "{usr} pinned a message in {room}",
    "unpinned": "{usr} unpinned a message in {room}",
    "replaced": "you logged in from {address}",
    "address_request": "{usr} asks for the address of your client: /allow {usr} or /deny {usr}",
    "address_granted": "{usr} can be reached at {host} port {port}",
    "address_denied": "{usr} did not send an address",
    "invitation_ended": "the invitation of {usr} to {room} has ended",
}
#: Types of events that lines do not show.
HIDDEN_EVENTS = frozenset({"typing", "marked_read", "notify"})
#: Commands whose effect is an event that is shown: their replies have no lines.
QUIET_COMMANDS = frozenset({"edit", "delete", "react", "pin", "unpin"})
#: Text of a `c_invite_reply`.
INVITATION_REPLIES = {"Y": "accepted", "N": "declined", "L": "postponed"}

#: Error code -> what the user can do.
ADVICE: dict[str, str] = {
    "not_logged_in": "/guest NAME, /login NAME or /register NAME",
    "bad_credentials": "check name and password, or /register NAME",
    "name_taken": "choose another name, or /login if it is yours",
    "weak_password": "use 8 characters or more",
    "no_such_room": "/rooms lists the rooms, /create ROOM creates one",
    "not_in_room": "/join ROOM first",
    "room_exists": "/join it, or choose another name",
    "private_room": "ask a member for an invitation",
    "no_such_user": "/users lists who is online",
    "not_owner": "only the owner of the room can do this",
    "already_logged_in": "/logout first",
    "bad_session": "/login again",
}


def describe_push(push: Push) -> str:
    """Return the text for a push that is not a message of a user."""
    user, room = format_user(push.usr), _place(push)
    if push.blocked:
        return f"a message of {user} is hidden: you block this user"
    if push.cmd == "c_event":
        return _describe_event(push)
    if push.deleted is not None:
        return f"a message of {user} in {room} was {deletion_text(push)}"
    if push.cmd == "c_invited":
        return f"{user} invites you to {room}: /accept or /decline"
    if push.cmd == "c_invite_reply":
        return f"{user} {INVITATION_REPLIES.get(push.msg, 'answered')} your invitation to {room}"
    return f"unknown message from the server: {escape_controls(push.cmd)}"


def _place(push: Push) -> str:
    """Return the room that a push is about, or whose direct messages."""
    if push.target_user:
        return f"the direct messages with {format_user(push.target_user)}"
    return format_room(push.room_name)


def _describe_event(push: Push) -> str:
    if push.type == "presence":
        changes = ((push.logins, "logged in"), (push.logouts, "logged out"))
        return "; ".join(f"{format_users(users)} {verb}" for users, verb in changes if users)
    return EVENTS.get(push.type, "unknown event: {type}").format(
        type=escape_controls(push.type),
        usr=format_user(push.usr),
        room=_place(push),
        by=format_user(push.by),
        access="public" if push.public else "private",
        owner=f"owner {format_user(push.owner)}" if push.owner else "no owner",
        topic=f', topic "{escape_controls(push.topic)}"' if push.topic else "",
        msg=escape_controls(" ".join(push.msg.split())),
        reacted="reacted with" if push.on else "took back the reaction",
        emoji=escape_controls(push.emoji),
        address=escape_controls(push.address),
        host=escape_controls(push.host),
        port=push.port,
    )


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
        if isinstance(event, Push):
            return self._push_lines(event)
        if isinstance(event, ConnectionLost):
            reason = escape_controls(event.reason)
            return [self._notice(f"connection lost ({reason}); reconnecting")]
        if isinstance(event, ConnectionRestored):
            return [self._notice("reconnected")]
        room = format_room(event.room_name)
        if event.gone:
            return [self._notice(f"you are no longer in {room}")]
        return [self._notice(f"{room} was reset; /history shows its messages")]

    def _push_lines(self, push: Push) -> list[str]:
        is_action = push.style == "action"
        sender = f"* {format_user(push.usr)}" if is_action else f"<{format_user(push.usr)}>"
        is_shown = not push.blocked and push.deleted is None
        if push.cmd == "c_speak" and is_shown:
            room = self._paint(format_room(push.room_name), "room")
            return self._message_lines(push, f"{room} {self._paint(sender, 'bold')}")
        if push.cmd == "c_whisper" and is_shown:
            to = f" to {format_user(push.to)}" if push.to else ""
            head = self._paint(f"{sender} direct message{to}:", "direct")
            return self._message_lines(push, head)
        if push.cmd == "c_broadcast":
            return self._message_lines(push, self._paint(f"{sender} to all users:", "bold"))
        if push.cmd == "c_event" and push.type in HIDDEN_EVENTS:
            return []
        return [f"{self._time(push.at)} {self._notice(describe_push(push))}"]

    def _message_lines(self, push: Push, head: str, form: str = "%H:%M") -> list[str]:
        """Return the lines of a message; the second and later ones begin with a bar.

        The bar keeps a line of a text from looking like the message of another user.
        """
        first, *more = map(escape_controls, push.msg.split("\n"))
        lines = [f"{before_text(push)}{first}", *(f"      | {line}" for line in more)]
        number = f"{push.seq} " if self.numbers and push.seq else ""
        lines[0] = f"{self._time(push.at, form)} {number}{head} {lines[0]}"
        return [*lines[:-1], lines[-1] + after_text(push)]

    def _notice(self, text: str) -> str:
        return self._paint(f"* {text}", "dim")

    def _time(self, at: str, form: str = "%H:%M") -> str:
        time = local_time(at, self._zone)
        return self._paint(time.strftime(form) if time else "--:--", "dim")

    # Replies.

    def error_line(self, error: CommandFailed) -> str:
        """Return the line of an error, with advice if there is any."""
        advice = ADVICE.get(error.code, "")
        if error.retry_after is not None:
            advice = f"try again in {max(1, round(error.retry_after))} s"
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
            format_room(room.room_name) + (f" ({_unread(room)})" if room.unread else "")
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
        lines = [line for entry in reply.entries for line in self._push_lines(entry)]
        if reply.more and reply.entries:
            lines.insert(0, self._notice(f"older messages: /history 50 {reply.entries[0].seq}"))
        return lines or [self._notice("no messages")]

    def _search(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        wanted = f'messages for "{escape_controls(str(parsed.fields.get("q", "")))}"'
        if reply.incomplete:
            wanted += "; the search took too long, older ones are missing"
        elif reply.more:
            wanted += "; there are older ones, use before:DAY"
        count = len(reply.entries)
        lines = [self._notice(f"{count} {wanted}" if count else f"no {wanted}")]
        for push in reversed(reply.entries):
            head = self._found_head(push)
            first, *more = [""] if push.blocked else marked_lines(push, self._paint)
            lines.append(f"{self._time(push.at, '%Y-%m-%d %H:%M')} {head} {first}".rstrip())
            lines += [f"      | {line}" for line in more]
        return lines

    def _found_head(self, push: Push) -> str:
        """Return where a message was found, and of which user it is."""
        if push.blocked:
            place = format_room(push.room_name) if push.room_name else "direct message"
            return f"{self._paint(place, 'room')} {self._notice('hidden: you block this user')}"
        sender = f"<{format_user(push.usr)}>"
        if not push.room_name:
            return self._paint(f"{sender} direct message to {format_user(push.to)}:", "direct")
        return f"{self._paint(format_room(push.room_name), 'room')} {self._paint(sender, 'bold')}"

    def _mentions(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        lines = []
        for push in reply.entries:
            sender = self._paint(f"<{format_user(push.usr)}>", "bold")
            head = f"{format_room(push.room_name)} {sender}"
            if not push.room_name:
                head = f"{sender} direct message:"
            lines += self._message_lines(push, head, "%Y-%m-%d %H:%M")
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
            text = escape_controls(" ".join(one.msg.split()))
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
        name = escape_controls(session.device_name) or "no device"
        where = f" ({escape_controls(client)})" if client else ""
        return f"{escape_controls(session.id)}: {name}{where}, {', '.join(details)}"

    def _date(self, at: str) -> str:
        time = local_time(at, self._zone)
        return time.strftime("%Y-%m-%d %H:%M") if time else "?"

    def _ping(self, parsed: ParsedCommand, reply: Reply) -> list[str]:
        return [self._notice(f"the server answered; its time is {escape_controls(reply.at)}")]

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
    return f"{format_room(room.room_name)} ({', '.join(details)}){topic}"


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
    "broadcast": Renderer._broadcast,
    "get_sessions": Renderer._sessions,
}
