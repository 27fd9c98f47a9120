"""Events that are pushed as `c_event`: one row for each kind.

A kind of event has a `type`, and its attributes are the fields of the push. Messages, invitations
and broadcasts have Structs of their own (`pushes`).
"""

from __future__ import annotations

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from gtchat.chat import events, moderation_events
from gtchat.chat.events import Event
from gtchat.protocols.base.text import rfc3339


class CEvent(msgspec.Struct, kw_only=True):
    """An event without a Struct of its own; which fields there are depends on `type`."""

    cmd: str = "c_event"
    tracker: str = "0"
    type: str
    at: str
    usr: str | UnsetType = UNSET
    room_name: str | UnsetType = UNSET
    target_user: str | UnsetType = UNSET
    direct: int | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    read_seq: int | UnsetType = UNSET
    by: str | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    max: int | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    host: str | UnsetType = UNSET
    port: int | UnsetType = UNSET
    logins: tuple[str, ...] | UnsetType = UNSET
    logouts: tuple[str, ...] | UnsetType = UNSET
    of: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    emoji: str | UnsetType = UNSET
    on: bool | UnsetType = UNSET
    level: str | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    blocked: bool | UnsetType = UNSET
    moderated: bool | UnsetType = UNSET
    slow: int | UnsetType = UNSET
    keep_messages: int | UnsetType = UNSET
    keep_days: int | UnsetType = UNSET
    role: str | UnsetType = UNSET
    banned: bool | UnsetType = UNSET
    until: str | UnsetType = UNSET
    report_id: int | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    answer: str | UnsetType = UNSET


#: Events that are sent as `c_event`, with its `type`; their attributes are its fields.
EVENT_TYPES: dict[type[Event], str] = {
    events.LoggedIn: "login",
    events.LoggedOut: "logout",
    events.PresenceChanged: "presence",
    events.RoomCreated: "room_created",
    events.RoomListed: "room_created",
    events.RoomChanged: "room_changed",
    events.RoomDeleted: "room_gone",
    events.Joined: "join_room",
    events.Left: "leave_room",
    events.Kicked: "kicked",
    events.Removed: "removed",
    moderation_events.RoleChanged: "role",
    moderation_events.Muted: "muted",
    moderation_events.Unmuted: "unmuted",
    moderation_events.UserBanned: "banned",
    moderation_events.UserUnbanned: "unbanned",
    moderation_events.ReportMade: "reported",
    moderation_events.ReportAnswered: "report_answered",
    events.SessionReplaced: "replaced",
    events.AddressRequested: "address_request",
    events.AddressGranted: "address_granted",
    events.AddressDenied: "address_denied",
    events.Edited: "edited",
    events.Deleted: "deleted",
    events.Reacted: "reacted",
    events.Pinned: "pinned",
    events.Unpinned: "unpinned",
    events.UserTyping: "typing",
    events.ReadMarked: "marked_read",
    events.NotifySet: "notify",
    events.InvitationEnded: "invitation_ended",
}

#: Fields that are not copied: `at` is formatted, `members` of a deleted room are for RandomChat,
#: what only `fold` uses is not told.
_OTHER_FIELDS = frozenset({"at", "members", "subject_id", "guest", "log_id", "to_operators"})
#: Fields that are told where they are true, and others that are told where they are not 0.
TRUE_ONLY = frozenset({"preview", "moderated", "banned"})
OPTIONAL = TRUE_ONLY | {"slow", "keep_messages", "keep_days", "until", "reason"}
_ABOUT_REPORTS = (moderation_events.ReportMade, moderation_events.ReportAnswered)
#: Former names of fields, which are sent too until the next release, and their present names.
FORMER_NAMES: dict[type[Event], dict[str, str]] = {events.ReadMarked: {"seq": "read_seq"}}
#: Where there is `target_user` among the fields of an event, it has one of these.
PLACES = frozenset({"room_name", "target_user", "direct"})
#: The fields of each `c_event` besides `cmd`, `tracker`, `type` and `at`.
EVENT_FIELDS: dict[type[Event], tuple[str, ...]] = {
    kind: tuple(field.name for field in attrs.fields(kind) if field.name not in _OTHER_FIELDS)
    for kind in EVENT_TYPES
}

#: Names of kinds of entries in requests (`cmd`, or `type` of a `c_event`) -> kinds in the log.
ENTRY_KINDS: dict[str, str] = {
    "c_speak": events.MessageSent.kind,
    "c_whisper": events.MessageSent.kind,
    **{EVENT_TYPES[kind]: name for name, kind in events.ENTRY_TYPES.items() if kind in EVENT_TYPES},
}


def optional(kind: type[Event]) -> frozenset[str]:
    """Return the fields of events that are left out where they say nothing."""
    if kind in _ABOUT_REPORTS:
        return OPTIONAL | {"room_name", "answer"}
    return OPTIONAL - {"reason"} if kind is events.Deleted else OPTIONAL


def event_push(event: Event) -> CEvent:
    """Return the push of an event of `EVENT_TYPES`."""
    kind = type(event)
    fields = {name: getattr(event, name) for name in EVENT_FIELDS[kind]}
    if "target_user" in fields:
        fields = {name: value for name, value in fields.items() if value or name not in PLACES}
    for name in optional(kind) & fields.keys():
        fields[name] = fields[name] or UNSET
    if fields.get("until"):
        fields["until"] = rfc3339(fields["until"])
    for former, name in FORMER_NAMES.get(kind, {}).items():
        fields[former] = fields[name]
    return CEvent(type=EVENT_TYPES[kind], at=rfc3339(event.at), **fields)
