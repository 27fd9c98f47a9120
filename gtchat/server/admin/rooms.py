"""Administrative commands for rooms, the audit log, announcements; the table is in `commands`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import BadRequest
from gtchat.chat.moderation import ROLES
from gtchat.chat.ownership import RoomSettings, keep_fields
from gtchat.chat.retention import Keep
from gtchat.chat.room_admin import RoomQuery
from gtchat.chat.rooms import Room
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import (
    AFTER,
    LIMIT,
    RUNNING,
    SEARCH,
    YES,
    AdminCommand,
    Call,
)
from gtchat.server.admin.output import Output, details, listing, time_of
from gtchat.server.admin.storage import use_of

#: Word for no role.
_NO_ROLE = "none"


def _room(room: Room) -> dict[str, Any]:
    return {
        "name": room.name,
        "public": room.public,
        "owner": room.owner,
        "members": len(room.members),
        "messages": room.message_count,
    }


async def list_rooms(call: Call) -> Output:
    """List rooms."""
    limit = call["limit"]
    query = RoomQuery(call["search"] or "", call["after"] or "", limit + 1)
    found = await call.chat.admin.rooms.listed(query)
    rows = [_room(one) for one in found[:limit]]
    return listing("rooms", rows, rows[-1]["name"] if len(found) > limit else None)


async def show_room(call: Call) -> Output:
    """Show a room."""
    room = await call.chat.admin.rooms.show(call["name"])
    use = use_of(call, "rooms", await call.chat.admin.stored_texts("rooms", room.id))
    return details(
        {
            **_room(room),
            "topic": room.topic,
            "preview": room.preview,
            "max": room.max,
            "guests": len(room.guests),
            "last_seq": room.last_seq,
            **keep_fields(room.keep),
            "bytes": use["bytes"],
            "quota": use["quota"],
        }
    )


async def delete_room(call: Call) -> Output:
    """Delete a room."""
    name = await call.chat.admin.rooms.delete(call["name"], call.actor)
    return Output(f"deleted the room {name}", {"name": name})


async def set_owner(call: Call) -> Output:
    """Make a member the owner of a room."""
    room = await call.chat.admin.rooms.set_owner(call["name"], call["owner"], call.actor)
    text = f"{room.owner} is the owner of {room.name} now"
    return Output(text, {"name": room.name, "owner": room.owner})


async def set_keep(call: Call) -> Output:
    """Limit how much of the log of a room is kept."""
    wanted = RoomSettings(keep_messages=call["messages"], keep_days=call["days"])
    if wanted == RoomSettings():
        raise BadRequest("name --messages or --days; 0 is for what the server keeps.")
    room = await call.chat.admin.rooms.keep(call["name"], wanted, call.actor)
    limits = call.chat.limits
    keep = room.keep.narrowed(Keep(limits.keep_messages, limits.keep_days))
    kept = [f"{keep.messages} messages"] * bool(keep.messages) + [f"{keep.days:g} days"] * bool(
        keep.days
    )
    text = f"of {room.name} is kept from now on: {' and at most '.join(kept) or 'all'}"
    return Output(text, {"name": room.name, **keep_fields(room.keep)})


async def set_role(call: Call) -> Output:
    """Give a member of a room a role, or take it."""
    role = call["role"]
    given = "" if role == _NO_ROLE else role
    name = await call.chat.moderators.appoint(call["name"], call["user"], given, call.actor)
    text = f"the role of {call['user']} in {name} is {role} now"
    return Output(text, {"name": name, "role": role})


def _record(record: AuditRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "at": time_of(record.at),
        "code": record.code,
        "who": record.who,
        "session": record.session,
        "address": record.address,
        "what": dict(record.what),
    }


def _fields(what: Mapping[str, object]) -> str:
    """Return the fields of a record as people read them, without who it was."""
    return ", ".join(f"{name}: {value}" for name, value in what.items() if name != "by")


async def list_audit(call: Call) -> Output:
    """List records of the audit log, newest first."""
    limit = call["limit"]
    query = AuditQuery(
        since=call["since"],
        until=call["until"],
        code=call["code"] or "",
        before=call["before"],
        limit=limit + 1,
    )
    found = await call.chat.admin.audit(query, call["account"] or "")
    rows = [_record(one) for one in found[:limit]]
    shown_rows = [{**row, "what": _fields(row["what"])} for row in rows]
    return listing("records", rows, rows[-1]["id"] if len(found) > limit else None, shown_rows)


async def announce(call: Call) -> Output:
    """Send a message to all users who are online."""
    users = call.chat.admin.rooms.announce(call["text"], call.actor)
    told = "1 user" if users == 1 else f"{users} users"
    return Output(f"sent to {told}", {"users": users})


_ROOM = Argument("name", "the name of the room")


def _keep(name: str, help_: str) -> Argument:
    return Argument(name, help_, "number", option=True, minimum=0)


#: Rows of the table.
ROWS = (
    AdminCommand("rooms list", list_rooms, "list rooms by name", (SEARCH, AFTER, LIMIT)),
    AdminCommand("rooms show", show_room, "show a room", (_ROOM,)),
    AdminCommand(
        "rooms delete",
        delete_room,
        "delete a room with its messages",
        (_ROOM, YES),
        audit="admin_room_deleted",
        question="Delete the room {name} with all of its messages, for good?",
    ),
    AdminCommand(
        "rooms set-owner",
        set_owner,
        "make a member the owner of a room",
        (_ROOM, Argument("owner", "the name of the member")),
        needs="the new owner is a registered member",
        audit="admin_room_set",
    ),
    AdminCommand(
        "rooms keep",
        set_keep,
        "limit how much of a room is kept; older messages are removed for good, within the hour",
        (
            _ROOM,
            _keep("messages", "so many of the newest; 0: as the server"),
            _keep("days", "what is no older than so many days; 0: as the server"),
        ),
        needs="no more than the server keeps",
        audit="admin_room_keep",
    ),
    AdminCommand(
        "rooms role",
        set_role,
        "give a member of a room, or of the lobby, a role",
        (
            _ROOM,
            Argument("user", "the name of the member"),
            Argument("role", "its role", "choice", choices=(*ROLES, _NO_ROLE)),
        ),
        audit="admin_room_role",
    ),
    AdminCommand(
        "audit",
        list_audit,
        "list records of the audit log, newest first",
        (
            Argument("since", "from this time", "time", option=True),
            Argument("until", "before this time", "time", option=True),
            Argument("account", "of this account, or about it", option=True),
            Argument("code", "with this code", option=True),
            Argument("before", "the number that the page begins before", "number", option=True),
            LIMIT,
        ),
    ),
    AdminCommand(
        "announce",
        announce,
        "send a message of Host to all users who are online",
        (Argument("text", "the message", "text"),),
        RUNNING,
        audit="announced",
    ),
)
