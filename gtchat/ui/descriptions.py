"""Describes events in one sentence, safe to print: what a room's members did, and the rest.

How lines of events and messages look is up to `rendering` and to the full screen.
"""

from __future__ import annotations

from gtchat.client import (
    ChatMessage,
    Direct,
    Edited,
    Entry,
    Event,
    Invitation,
    InvitationAnswer,
    Other,
    Presence,
    Reacted,
    ReadUpTo,
    ReportAnswered,
    Reported,
    RoomEvent,
    Typing,
)
from gtchat.ui.formatting import format_room, format_user, format_users
from gtchat.ui.notes import deletion_text
from gtchat.ui.terminal import escape_controls

#: Kind of an event -> text, a format string over what `_described` returns.
EVENTS: dict[str, str] = {
    "room_created": "{user} created the room {room}",
    "room_changed": "{user} changed the settings of {room}: {access}, {owner}{topic}",
    "room_gone": "{room} was deleted",
    "join_room": "{user} joined {room}",
    "leave_room": "{user} left {room}",
    "kicked": "{by} {kicked} {user} from {room}{until}{reason}",
    "role": "{by} gave {user} the role {role} in {room}",
    "muted": "{by} muted {user} in {room}{until}{reason}",
    "unmuted": "{by} unmuted {user} in {room}",
    "banned": "{by} banned {user} from {room}{until}{reason}",
    "unbanned": "{by} unbanned {user} from {room}",
    "removed": "{by} removed {user} from {room}",
    "edited": "{user} edited a message in {room}: {text}",
    "deleted": "{by} deleted a message of {user} in {room}",
    "reacted": "{user} {reacted} {emoji} in {room}",
    "pinned": "{user} pinned a message in {room}",
    "unpinned": "{user} unpinned a message in {room}",
    "replaced": "you logged in from {address}",
    "address_request": "{user} asks for the address of your client: /allow {user} or /deny {user}",
    "address_granted": "{user} can be reached at {host} port {port}",
    "address_denied": "{user} did not send an address",
    "invitation_ended": "the invitation of {user} to {room} has ended",
}
#: Events that the full screen shows wherever the user is.
NOTICES = (Invitation, InvitationAnswer, Reported, ReportAnswered)
#: Text of a `c_invite_reply`.
INVITATION_REPLIES = {"Y": "accepted", "N": "declined", "L": "postponed"}


def describe_event(event: Event) -> str:
    """Return the text for an event that is not shown as a message of a user."""
    if isinstance(event, Entry) and event.blocked:
        return f"a message of {format_user(event.user or '')} is hidden: you block this user"
    if isinstance(event, ChatMessage):
        user, room = format_user(event.user), format_place(event.room)
        return f"a message of {user} in {room} was {deletion_text(event)}"
    if isinstance(event, Invitation):
        user, room = format_user(event.user), format_room(event.room)
        return f"{user} invites you to {room}: /accept or /decline"
    if isinstance(event, InvitationAnswer):
        verb = INVITATION_REPLIES.get(event.answer, "answered")
        return f"{format_user(event.user)} {verb} your invitation to {format_room(event.room)}"
    if isinstance(event, Reported):
        reason = f": {escape_controls(event.reason)}" if event.reason else ""
        lists = "/reports" if event.room is not None else "/all-reports"
        who = "the word filter flags" if event.by_filter else f"{format_user(event.by)} reports"
        message = _reported_message(event)
        return f"{who} {message}{reason} ({lists}, /answer {event.report_id})"
    if isinstance(event, ReportAnswered):
        answer = f": {escape_controls(event.answer)}" if event.answer else ""
        outcome = escape_controls(event.outcome)
        return f"your report of {_reported_message(event)} was {outcome}{answer}"
    if isinstance(event, Presence):
        changes = ((event.came, "logged in"), (event.went, "logged out"))
        return "; ".join(f"{format_users(users)} {verb}" for users, verb in changes if users)
    return _describe_entry(event)


def format_place(room: str | Direct | None) -> str:
    """Return the name of a room, or whose direct messages."""
    if isinstance(room, Direct):
        return f"the direct messages with {format_user(room.user)}"
    return format_room(room or "")


def _reported_message(event: Reported | ReportAnswered) -> str:
    kind = "a message" if event.room is not None else "a direct message"
    where = "" if event.room is None else f" in {format_room(event.room)}"
    return f"{kind} of {format_user(event.user)}{where}"


def _describe_entry(event: Event) -> str:
    """Return the text for a change, an event of a room, or one that has no class."""
    kind = type(event).__name__.lower()
    if isinstance(event, RoomEvent | Other):
        kind = event.kind
    if kind in EVENTS:
        return EVENTS[kind].format(**_described(event))
    raw = event.raw.get("cmd")
    what = "unknown event" if raw in (None, "c_event") else "unknown message from the server"
    return f"{what}: {escape_controls(kind)}"


def _described(event: Event) -> dict[str, str]:
    """Return what the texts of events can name, escaped."""
    described = {
        name: escape_controls(str(event.raw.get(name, ""))) for name in ("address", "host", "port")
    }
    described["text"] = described["emoji"] = described["reacted"] = ""
    if isinstance(event, Entry):
        described["user"] = format_user(event.user or "")
        described["room"] = format_place(event.room)
    described["by"] = format_user(getattr(event, "by", None) or "")
    if isinstance(event, RoomEvent):
        described["access"] = "private" if event.public is False else "public"
        described["owner"] = f"owner {format_user(event.owner)}" if event.owner else "no owner"
        topic = escape_controls(event.topic or "")
        described["topic"] = f', topic "{topic}"' if topic else ""
        if event.moderated:
            described["topic"] += ", moderated"
        if event.slow:
            described["topic"] += f", {event.slow} s between messages"
        if event.keep_messages:
            described["topic"] += f", {event.keep_messages} messages are kept"
        if event.keep_days:
            described["topic"] += f", messages are kept {event.keep_days} days"
        described["kicked"] = "banned" if event.banned else "kicked"
        described["role"] = escape_controls(event.role or "member")
        described["reason"] = f": {escape_controls(event.reason)}" if event.reason else ""
        until = event.until
        described["until"] = f" until {until.astimezone():%Y-%m-%d %H:%M}" if until else ""
    elif isinstance(event, Edited):
        described["text"] = escape_controls(" ".join(event.text.split()))
    elif isinstance(event, Reacted):
        described["emoji"] = escape_controls(event.emoji)
        described["reacted"] = "reacted with" if event.on else "took back the reaction"
    return described


def is_hidden(event: Event) -> bool:
    """Return whether an event is of a kind that lines do not show."""
    is_setting = isinstance(event, Other) and event.kind == "notify"
    return is_setting or isinstance(event, Typing | ReadUpTo)
