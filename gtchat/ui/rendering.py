"""How the console shows what happens and what the server answers: data in, safe lines out.

Who sends, waits and decides stands in `console`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from gtchat.client.messages import (
    CommandFailed,
    ConnectionLost,
    ConnectionRestored,
    Event,
    Push,
    Reply,
    Room,
)
from gtchat.ui.commands import LOBBY, Request
from gtchat.ui.terminal import visible

Paint = Callable[[str, str], str]

#: Names of a list that are shown, before the rest is counted.
NAMES_MOST = 20

#: What happened, of `c_event`s; the line is filled with the push's own fields.
EVENTS: dict[str, str] = {
    "login": "{usr} is here",
    "logout": "{usr} has gone",
    "room_created": "{usr} made the room {room}: /join it",
    "room_changed": "{usr} changed {room}: {access}, {owned}{topic}",
    "room_gone": "{room} is no more",
    "join_room": "{usr} joined {room}",
    "leave_room": "{usr} left {room}",
    "kicked": "{by} put {usr} out of {room}",
    "removed": "{by} took {usr} off the members of {room}",
    "replaced": "you have logged in from {address}",
    "address_request": "{usr} asks where your client can be reached: /allow {usr} or /deny {usr}",
    "address_granted": "{usr} can be reached at {host} port {port}",
    "address_denied": "{usr} does not tell an address",
    "lagged": "this client reads too slowly",
}
#: What lines do not show.
QUIET = frozenset({"typing", "marked_read"})
ANSWERS = {"Y": "takes", "N": "declines", "L": "will later answer"}

#: What to do about an error, by its code.
ADVICE: dict[str, str] = {
    "not_logged_in": "/guest NAME, /login NAME or /register NAME",
    "bad_credentials": "check name and password, or /register NAME",
    "name_taken": "take another name, or /login with this one",
    "weak_password": "8 characters or more are wanted",
    "no_such_room": "/rooms lists them, /create ROOM makes one",
    "not_in_room": "/join ROOM first",
    "room_exists": "/join it, or take another name",
    "private_room": "ask somebody in it for an invitation",
    "no_such_user": "/users lists who is here",
    "not_owner": "the owner of the room can",
    "already_logged_in": "/logout first",
    "bad_session": "/login again",
}


def name(text: str) -> str:
    """A name of a person, safe and without a gap that could be mistaken."""
    shown = visible(text)
    return f'"{shown}"' if " " in shown else shown


def room(text: str) -> str:
    """A name of a room, which may have spaces and signs, so that it can't be mistaken."""
    shown = visible(text)
    plain = all(character.isalnum() or character in "_-." for character in shown)
    return f"#{shown}" if plain else '#"' + shown.replace('"', '\\"') + '"'


def names(all_names: tuple[str, ...], total: int = 0) -> str:
    """A list of names in a line."""
    shown = ", ".join(map(name, all_names[:NAMES_MOST]))
    rest = max(total, len(all_names)) - min(len(all_names), NAMES_MOST)
    return f"{shown} and {rest} more" if rest else shown or "nobody"


def moment(at: str, zone: tzinfo | None = None) -> datetime | None:
    """When something was. at: RFC 3339. zone: None: that of this machine. None: never."""
    try:
        return datetime.fromisoformat(at.replace("Z", "+00:00")).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return None


def happened(push: Push) -> str:
    """What a push tells, other than what somebody says."""
    if push.cmd == "c_event":
        return _event(push)
    if push.cmd == "c_invited":
        return f"{name(push.usr)} invites you to {room(push.room_name)}: /accept or /decline"
    if push.cmd == "c_invite_reply":
        answer = ANSWERS.get(push.msg, "answers")
        return f"{name(push.usr)} {answer} your invitation to {room(push.room_name)}"
    return f"something that this client does not know: {visible(push.cmd)}"


def _event(push: Push) -> str:
    if push.type == "presence":
        return "; ".join(
            f"{names(who)} {what}"
            for who, what in ((push.logins, "came"), (push.logouts, "went"))
            if who
        )
    return EVENTS.get(push.type, "something happened: {type}").format(
        type=visible(push.type),
        usr=name(push.usr),
        room=room(push.room_name),
        by=name(push.by),
        access="public" if push.public else "private",
        owned=f"owner {name(push.owner)}" if push.owner else "no owner",
        topic=f', topic "{visible(push.topic)}"' if push.topic else "",
        address=visible(push.address),
        host=visible(push.host),
        port=push.port,
    )


class Renderer:
    """Makes lines.

    Args:
        paint: colours a text. zone: whose clock times are shown by; None: that of this machine.
    """

    def __init__(self, paint: Paint, zone: tzinfo | None = None) -> None:
        self._paint = paint
        self._zone = zone

    def happening(self, what: Event) -> list[str]:
        """The lines of something that happened."""
        if isinstance(what, Push):
            return self._push(what)
        if isinstance(what, ConnectionLost):
            return [self._note(f"connection lost ({visible(what.reason)}); trying again")]
        if isinstance(what, ConnectionRestored):
            return [self._note("connected again")]
        if what.gone:
            return [self._note(f"you are no longer in {room(what.room_name)}")]
        return [self._note(f"{room(what.room_name)} is not what it was: /history shows it")]

    def _push(self, push: Push) -> list[str]:
        who = f"<{name(push.usr)}>"
        if push.cmd == "c_speak":
            where = self._paint(room(push.room_name), "room")
            return self._said(push.at, f"{where} {self._paint(who, 'bold')}", push.msg)
        if push.cmd == "c_whisper":
            return self._said(push.at, self._paint(f"{who} whispers:", "whisper"), push.msg)
        if push.cmd == "c_broadcast":
            return self._said(push.at, self._paint(f"{who} to everybody:", "bold"), push.msg)
        if push.cmd == "c_event" and push.type in QUIET:
            return []
        return [f"{self._time(push.at)} {self._note(happened(push))}"]

    def _said(self, at: str, head: str, text: str) -> list[str]:
        """A text, whose further lines can't be taken for somebody else's."""
        first, *more = text.split("\n")
        lines = [f"{self._time(at)} {head} {visible(first)}"]
        return lines + [f"      | {visible(line)}" for line in more]

    def _note(self, text: str) -> str:
        return self._paint(f"* {text}", "dim")

    def _time(self, at: str) -> str:
        time = moment(at, self._zone)
        return self._paint(time.strftime("%H:%M") if time else "--:--", "dim")

    # Replies.

    def error(self, error: CommandFailed) -> str:
        """What went wrong, and what to do."""
        advice = ADVICE.get(error.code, "")
        if error.retry_after is not None:
            advice = f"try again in {max(1, round(error.retry_after))} s"
        text = f"error: {visible(error.text)} ({visible(error.code)})"
        return f"{text}: {advice}" if advice else text

    def reply(self, request: Request, reply: Reply) -> list[str]:
        """The lines of a good reply; what is said in a room needs none."""
        shows = REPLIES.get(request.command.cmd)
        if shows is not None:
            return shows(self, request, reply)
        return [] if request.command.cmd == "speak" else [self._note(visible(reply.msg))]

    def login(self, request: Request, reply: Reply) -> list[str]:
        """Who one is, who is here, where one is."""
        own = [item for item in reply.rooms if item.joined]
        rooms = ", ".join(
            room(item.room_name) + (f" ({item.unread} unread)" if item.unread else "")
            for item in own
        )
        here = names(reply.users, reply.users_total)
        return [
            self._note(f"you are {name(reply.usr)}; here: {here}"),
            self._note(f"your rooms: {rooms or 'none'}; lines that you type go to #{LOBBY}"),
        ]

    def registered(self, request: Request, reply: Reply) -> list[str]:
        """What comes next."""
        return [self._note(f"registered: now /login {name(str(request.fields['usr']))}")]

    def rooms(self, request: Request, reply: Reply) -> list[str]:
        """A line for each room."""
        shown = [self._note(_room_line(item)) for item in reply.rooms]
        return [*shown, *self._rest(request, len(reply.rooms), reply.rooms_total)]

    def users(self, request: Request, reply: Reply) -> list[str]:
        """All names."""
        here = set(reply.online) if request.command.cmd == "get_room_user_list" else None
        shown = ", ".join(
            name(user) + (" (away)" if here is not None and user not in here else "")
            for user in reply.users
        )
        counted = f"{reply.users_total}: {shown or 'nobody'}"
        return [self._note(counted), *self._rest(request, len(reply.users), reply.users_total)]

    def _rest(self, request: Request, shown: int, total: int) -> list[str]:
        """That there is more than a page."""
        if "after" in request.fields or shown >= total:
            return []
        more = f"{shown} of {total}; /{request.command.name} NAME goes on behind NAME"
        return [self._note(more)]

    def room(self, request: Request, reply: Reply) -> list[str]:
        """A room that one is in."""
        if reply.room is None:
            return [self._note(visible(reply.msg))]
        members = names(reply.room.users, reply.room.users_total)
        return [self._note(_room_line(reply.room)), self._note(f"members: {members}")]

    def history(self, request: Request, reply: Reply) -> list[str]:
        """The entries, and how to see those before."""
        lines = [line for entry in reply.entries for line in self._push(entry)]
        if reply.more and reply.entries:
            lines.insert(0, self._note(f"older: /history 50 {reply.entries[0].seq}"))
        return lines or [self._note("nothing was said yet")]

    def whispered(self, request: Request, reply: Reply) -> list[str]:
        """Whether it was heard."""
        target = name(str(request.fields["target_user"]))
        state = "has it" if reply.delivered == "now" else "is away, and gets it at the next login"
        return [self._note(f"whispered: {target} {state}")]

    def blocked(self, request: Request, reply: Reply) -> list[str]:
        """Whom one does not hear."""
        return [self._note(f"you do not hear: {names(reply.blocked)}")]

    def hello(self, request: Request, reply: Reply) -> list[str]:
        """What the server is."""
        features = ", ".join(map(visible, reply.features))
        return [
            self._note(f"{visible(reply.server)} {visible(reply.version)}; it has: {features}"),
            *(
                self._note(f"{visible(limit)} {value:.12g}")
                for limit, value in sorted(reply.limits.items())
            ),
        ]

    def ping(self, request: Request, reply: Reply) -> list[str]:
        """The server's time."""
        return [self._note(f"the server answers; its time is {visible(reply.at)}")]

    def broadcast(self, request: Request, reply: Reply) -> list[str]:
        """How many heard it."""
        return [self._note(f"said to {reply.recipients}")]


def _room_line(item: Room) -> str:
    """A room in a line."""
    access = "" if item.public else ", private"
    most = f" of {item.max}" if item.max else ""
    owner = f", owner {name(item.owner)}" if item.owner else ""
    joined = ", yours" if item.joined else ""
    unread = f", {item.unread} unread" if item.unread else ""
    topic = f': "{visible(item.topic)}"' if item.topic else ""
    count = f"{item.members}{most} in it"
    return f"{room(item.room_name)} ({count}{access}{owner}{joined}{unread}){topic}"


#: How replies are shown, by command; those that are not here say the server's own words.
REPLIES: dict[str, Callable[[Renderer, Request, Reply], list[str]]] = {
    "login": Renderer.login,
    "register": Renderer.registered,
    "get_room_list": Renderer.rooms,
    "get_user_list": Renderer.users,
    "get_room_user_list": Renderer.users,
    "create_room": Renderer.room,
    "set_room": Renderer.room,
    "join_room": Renderer.room,
    "invite_reply": Renderer.room,
    "history": Renderer.history,
    "whisper": Renderer.whispered,
    "block": Renderer.blocked,
    "unblock": Renderer.blocked,
    "hello": Renderer.hello,
    "ping": Renderer.ping,
    "broadcast": Renderer.broadcast,
}
