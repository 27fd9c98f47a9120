"""Requests of clients: one Struct for each command. Decoding into them is the validation.

Those that change rooms are in `room_requests`, others in the module of their subject.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

#: An integer that every JSON parser reads exactly (RFC 8259 section 6).
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Request(msgspec.Struct, tag_field="cmd", kw_only=True, omit_defaults=True):
    """What every command may have.

    `usr` has to be the user who is logged in, except in commands that say who logs in or registers.
    """

    tracker: str | Whole | None = None
    usr: str | None = None


class TxnRequest(Request, kw_only=True):
    """What every command may have that is done once for each `txn`, however often it comes."""

    txn: str | None = None


def request_content(request: TxnRequest) -> str:
    """Return what a request asks for: the same for each repetition of it.

    Fields that have their defaults are left out, so that a later version can have further ones.
    """
    bare = msgspec.structs.replace(request, tracker=None, usr=None, txn=None)
    return msgspec.json.encode(bare).decode()


class Register(Request, tag="register"):
    """Create an account. `invite`: the secret of an invitation by link.

    With `link`, the secret of the server's link for the first operator, it gets the operator mark.
    """

    pwd: str | None = None
    uuid: str | None = None
    invite: str | None = None
    link: str | None = None


class Login(Request, tag="login"):
    """Log in: a registered user (`reg`), a temporary one (`tmp`), a device that is remembered.

    With `link` an operator's link logs in the account that it was made for, once.

    `marks_read`: see `Resume`. `device` names the device, `device_name` is its name for users.
    `remember`: whether the device gets a token, which it sends as `device_token`.
    """

    type: Literal["reg", "tmp", "device", "link"]
    pwd: str | None = None
    uuid: str | None = None
    marks_read: bool = False
    device: str | None = None
    device_name: str | None = None
    device_token: str | None = None
    remember: bool = False
    link: str | None = None


class Resume(Request, tag="resume"):
    """Resume a session after its connection was lost.

    `seen`: room name -> last seq seen. `seen_directs`: the same by the ids of direct conversations;
    null for a client that does not show them. `marks_read`: whether the client sends `mark_read`
    for all that was read, and shows the invitations and direct conversations of the reply.
    """

    session_id: str
    epoch: str
    seen: dict[str, Whole] = {}
    marks_read: bool = False
    seen_directs: dict[int, Whole] | None = None


class Hello(Request, tag="hello"):
    """Ask for version, limits and features of the server.

    `strict`: whether later requests of the connection must not have unknown fields.
    """

    strict: bool | None = None


class Logout(Request, tag="logout"):
    """Log out. `forget`: whether the token of the device is revoked."""

    forget: bool = False


class GetSessions(Request, tag="get_sessions"):
    """List where the user is logged in."""


class EndSession(Request, tag="end_session"):
    """End another session of the user. `id`: as listed."""

    id: str


class EndOtherSessions(Request, tag="end_other_sessions"):
    """End all other sessions of the user."""


class UpdatePwd(Request, tag="update_pwd"):
    """Change the password."""

    pwd: str
    new_pwd: str
    new_pwd2: str


class Paged(Request, kw_only=True):
    """A page of a list: at most `limit` items after the name `after`."""

    after: str | None = None
    limit: Whole = 200


class GetRoomList(Paged, tag="get_room_list", kw_only=True):
    """List the rooms of the user and, unless `joined`, the other public rooms.

    `after` is a `rooms_next`, or the name of a room.
    """

    joined: bool = False


class GetUserList(Paged, tag="get_user_list"):
    """List the users who are online."""


class GetRoomUserList(Paged, tag="get_room_user_list", kw_only=True):
    """List the members of a room, and those of them who are online."""

    room_name: str


class Speak(Request, tag="speak"):
    """Send a message to a room or a user; with a broadcast key and neither, to all users.

    `reply`: seq of the message that it replies to. `style`: `action` for what the user does.
    """

    msg: str
    room_name: str | None = None
    txn: str | None = None
    broadcast_key: str | None = None
    reply: Whole | None = None
    style: Literal["", "action"] = ""
    target_user: str | None = None
    direct: Whole | None = None


class TargetRequest(Request, kw_only=True):
    """What every command about messages has: a room, or a direct conversation by user or id."""

    room_name: str | None = None
    target_user: str | None = None
    direct: Whole | None = None


class MessageRequest(TargetRequest, kw_only=True):
    """What every command about a message has."""

    seq: Whole


class MessageChangeRequest(MessageRequest, kw_only=True):
    """What every command that changes a message may have."""

    txn: str | None = None


class Edit(MessageChangeRequest, tag="edit", kw_only=True):
    """Give a message of the user's own another text."""

    msg: str


class Delete(MessageChangeRequest, tag="delete", kw_only=True):
    """Delete a message."""

    reason: str = ""


class React(MessageChangeRequest, tag="react", kw_only=True):
    """React to a message; with `on` false, take that back."""

    emoji: str
    on: bool = True


class Pin(MessageChangeRequest, tag="pin"):
    """Pin a message."""


class Unpin(MessageChangeRequest, tag="unpin"):
    """Unpin a message."""


class Versions(MessageRequest, tag="versions"):
    """List the texts that a message had."""


class History(TargetRequest, tag="history", kw_only=True):
    """Read a log: entries before, after or around a seq, or the newest.

    `preview`: whether to read what users who are not members see of a public room.
    """

    before: Whole | None = None
    after: Whole | None = None
    around: Whole | None = None
    limit: Whole = 50
    kinds: list[str] = []
    preview: bool = False


class Search(TargetRequest, tag="search", kw_only=True):
    """Find messages in the rooms and direct conversations of the user, or in one of them.

    `usr` is the author. `before`: `next` of an earlier reply.
    """

    q: str
    before: str | None = None
    limit: Whole = 50


class Typing(TargetRequest, tag="typing"):
    """Show the other members of a room, or a user, that the user is typing."""


class MarkRead(TargetRequest, tag="mark_read", kw_only=True):
    """Set the last entry of a room or a direct conversation that the user has read."""

    seq: Whole


class MarkUnread(TargetRequest, tag="mark_unread", kw_only=True):
    """Mark a room or a direct conversation as unread from an entry on."""

    seq: Whole


class SetNotify(TargetRequest, tag="set_notify", kw_only=True):
    """Set of which messages the user is notified: all, mentions or none."""

    level: str


class GetMentions(Request, tag="get_mentions"):
    """List messages that mention the user, newest first. `before`: a `next`."""

    before: str | None = None
    limit: Whole = 50


class Whisper(Request, tag="whisper"):
    """Send a direct message."""

    target_user: str
    msg: str
    txn: str | None = None


class GetDirectList(Request, tag="get_direct_list"):
    """List the direct conversations of the user, newest first; `before` is a `next`."""

    before: str | None = None
    limit: Whole = 200


class Broadcast(Request, tag="broadcast"):
    """Send a message to all users."""

    msg: str
    broadcast_key: str


class Block(Request, tag="block"):
    """Block a user."""

    user: str


class Unblock(Request, tag="unblock"):
    """Unblock a user."""

    user: str


class SetAddress(Request, tag="set_address"):
    """Set the port where this client listens for peers."""

    port: Whole


class GetAddress(Request, tag="get_address"):
    """Ask a user for the address of their client."""

    user: str


class Allow(Request, tag="allow"):
    """Give the address of this client to a user who asked for it."""

    user: str


class Deny(Request, tag="deny"):
    """Refuse the address of this client to a user who asked for it."""

    user: str


class Ping(Request, tag="ping"):
    """Ask for the time of the server."""
