"""Requests that change a room or its members: one Struct for each command."""

from __future__ import annotations

from gtchat.protocols.gtchat_json.requests import TxnRequest, Whole


class CreateRoom(TxnRequest, tag="create_room"):
    """Create a room. `max`: member limit, 0 for none. `preview`: unset for what `public` is.

    `moderated`, `slow`, `keep_messages`, `keep_days`: as of `set_room`.
    """

    room_name: str
    public: bool = True
    topic: str = ""
    max: Whole = 0
    preview: bool | None = None
    moderated: bool = False
    slow: Whole = 0
    keep_messages: Whole = 0
    keep_days: Whole = 0


class SetRoom(TxnRequest, tag="set_room"):
    """Change a room. `master`: the new owner.

    `moderated`: whether members need a role to speak. `slow`: seconds between two messages of a
    member, 0 for none. `keep_messages`, `keep_days`: how many of the newest messages are kept,
    and for how many days; 0 for what the server keeps.
    """

    room_name: str
    topic: str | None = None
    public: bool | None = None
    max: Whole | None = None
    master: str | None = None
    preview: bool | None = None
    moderated: bool | None = None
    slow: Whole | None = None
    keep_messages: Whole | None = None
    keep_days: Whole | None = None


class DeleteRoom(TxnRequest, tag="delete_room"):
    """Delete a room."""

    room_name: str


class Invite(TxnRequest, tag="invite"):
    """Invite a user into a room."""

    room_name: str
    invitee: str


class InviteReply(TxnRequest, tag="invite_reply"):
    """Answer an invitation: Y, N or L (later)."""

    inviter: str
    room_name: str
    reply: str


class AddMember(TxnRequest, tag="add_member"):
    """Add a user to a room."""

    room_name: str
    user: str


class RemoveMember(TxnRequest, tag="remove_member"):
    """Remove a user from a room."""

    room_name: str
    user: str


class JoinRoom(TxnRequest, tag="join_room"):
    """Join a room."""

    room_name: str


class LeaveRoom(TxnRequest, tag="leave_room"):
    """Leave a room."""

    room_name: str


class Kick(TxnRequest, tag="kick"):
    """Kick a user from a room, for a `reason`."""

    room_name: str
    user: str
    reason: str = ""


class ModerationRequest(TxnRequest, kw_only=True):
    """What most commands of moderators have (`moderation`)."""

    room_name: str
    user: str


#: What may be done once, and has to do with a room.
RoomRequest = (
    CreateRoom
    | SetRoom
    | DeleteRoom
    | Invite
    | InviteReply
    | AddMember
    | RemoveMember
    | JoinRoom
    | LeaveRoom
    | Kick
    | ModerationRequest
)
