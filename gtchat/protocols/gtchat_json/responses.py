"""Replies to requests: one Struct for each kind. `msg` is for people, all else for programs.

The rooms in them are in `room_info`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from gtchat.chat.interfaces import Ack, Direct
from gtchat.chat.read_state import LEVELS
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json.room_info import RoomDetails

#: A field that is sent until the next release, under its former name.
Former = Annotated[int, msgspec.Meta(extra_json_schema={"deprecated": True})]
#: A `RoomInfo` and an entry of a log that are encoded already.
RawRoom = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": "#/$defs/RoomInfo"})]
RawEntry = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": "#/$defs/entry"})]


class Reply(msgspec.Struct, kw_only=True):
    """The reply to one request. Which other fields it has depends on the command."""

    cmd: str = "c_response"
    status: str = "ok"
    last_cmd: str = ""
    tracker: str = "0"
    msg: str = ""


class ErrorReply(Reply, kw_only=True):
    """Why a request was refused; `code` is for programs."""

    status: str = "error"
    code: str
    retry_after: float | UnsetType = UNSET
    window: float | UnsetType = UNSET
    used: int | UnsetType = UNSET
    allowed: int | UnsetType = UNSET
    incident: str | UnsetType = UNSET


class Invitation(msgspec.Struct):
    """A pending invitation of the user, by `usr`."""

    room_name: str
    usr: str
    at: str


class DirectInfo(msgspec.Struct):
    """A direct conversation with `usr`. `guest`: a temporary user. `ended`: it is read-only."""

    id: int
    usr: str
    last_seq: int
    read_seq: int
    unread: int
    at: str
    mentions: int | UnsetType = UNSET
    notify: str | UnsetType = UNSET
    guest: bool | UnsetType = UNSET
    ended: bool | UnsetType = UNSET


class SessionReply(Reply, kw_only=True):
    """A session has begun, or goes on. `operator`: whether its account may use `admin`."""

    session_id: str
    epoch: str
    usr: str
    users: list[str]
    users_total: int
    rooms: list[RawRoom]
    rooms_total: int
    rooms_next: str | UnsetType = UNSET
    blocked: list[str]
    invitations: list[Invitation] | UnsetType = UNSET
    directs: list[DirectInfo] | UnsetType = UNSET
    operator: bool | UnsetType = UNSET


class LoginReply(SessionReply, kw_only=True):
    """The user is logged in. `device_token`: secret of the device. `logged_out`: who was before."""

    device_token: str | UnsetType = UNSET
    logged_out: str | UnsetType = UNSET


class PasswordReply(Reply, kw_only=True):
    """The password is changed. `device_token`: the new secret of the device, if it had one."""

    device_token: str | UnsetType = UNSET


class SessionInfo(msgspec.Struct, kw_only=True):
    """A session of the user, or a device that can begin one; fields that say nothing are unset."""

    id: str
    device: str | UnsetType = UNSET
    device_name: str | UnsetType = UNSET
    protocol: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    began: str
    last_seen: str
    online: bool | UnsetType = UNSET
    current: bool | UnsetType = UNSET
    remembered: bool | UnsetType = UNSET


class SessionsReply(Reply, kw_only=True):
    """Where the user is logged in."""

    sessions: list[SessionInfo]
    sessions_total: int


class Resumption(msgspec.Struct, kw_only=True):
    """What happened to a room or a direct conversation since the connection was lost.

    `reason`: why it is `reset`. `log_first`: where not all that was missed is kept, the first entry
    that is.
    """

    room_name: str | UnsetType = UNSET
    direct: int | UnsetType = UNSET
    target_user: str | UnsetType = UNSET
    state: str
    reason: str | UnsetType = UNSET
    log_first: int | UnsetType = UNSET
    last_seq: int
    entries: list[RawEntry]


class ResumeReply(SessionReply, kw_only=True):
    """The session is resumed."""

    resumed: list[Resumption]


class HelloReply(Reply, kw_only=True):
    """Version, limits and features of the server."""

    server: str
    version: str
    epoch: str
    limits: dict[str, float]
    features: list[str]
    ping_interval: float
    name: str
    registration: str
    guests: bool


class RoomListReply(Reply, kw_only=True):
    """A page of rooms."""

    rooms: list[RawRoom]
    rooms_total: int
    rooms_next: str | UnsetType = UNSET


class UserListReply(Reply, kw_only=True):
    """A page of users."""

    users: list[str]
    users_total: int


class RoomUserListReply(UserListReply, kw_only=True):
    """A page of the members of a room, and those of them who are online, or have a role."""

    online: list[str]
    roles: dict[str, str] | UnsetType = UNSET


class DoneReply(Reply, kw_only=True):
    """What was asked for is done. `dup`: it was done before, when the same `txn` came first."""

    dup: bool | UnsetType = UNSET


class SpeakReply(Reply, kw_only=True):
    """A message is stored."""

    id: str
    seq: int
    at: str
    dup: bool | UnsetType = UNSET


class ChangeReply(DoneReply, kw_only=True):
    """A change is stored as an entry; without `seq` and `at` there was nothing to change."""

    seq: int | UnsetType = UNSET
    at: str | UnsetType = UNSET


class RoomReply(ChangeReply, kw_only=True):
    """A room as it is after a change; absent if the user, with a repeated request, sees it no more.

    The answer to an invitation has it if the user has joined.
    """

    room: RoomDetails | UnsetType = UNSET


class Version(msgspec.Struct):
    """A text of a message, from the entry `seq` on."""

    seq: int
    at: str
    msg: str


class VersionsReply(Reply, kw_only=True):
    """The texts of a message, oldest first."""

    versions: list[Version]


class DirectListReply(Reply, kw_only=True):
    """A page of direct conversations; `next` is the `before` of the next page."""

    directs: list[DirectInfo]
    next: str | UnsetType = UNSET


class WhisperReply(Reply, kw_only=True):
    """A direct message is stored, and delivered if its recipient is online."""

    id: str
    seq: int | UnsetType = UNSET
    at: str
    delivered: str
    dup: bool | UnsetType = UNSET


class HistoryReply(Reply, kw_only=True):
    """A page of a log. `first` and `last` are the former names of `log_first` and `log_last`."""

    entries: list[RawEntry]
    log_first: int
    log_last: int
    first: Former
    last: Former
    more: bool


class MarkUnreadReply(Reply, kw_only=True):
    """The last entry of a room that counts as read."""

    read_seq: int


class MentionsReply(Reply, kw_only=True):
    """A page of messages that mention the user; `next` is there if there are more."""

    entries: list[RawEntry]
    more: bool
    next: str | UnsetType = UNSET


class SearchReply(Reply, kw_only=True):
    """A page of messages that were found, newest first; `next` is there if there may be more."""

    entries: list[RawEntry]
    more: bool
    next: str | UnsetType = UNSET
    incomplete: bool | UnsetType = UNSET


class BroadcastReply(Reply, kw_only=True):
    """The number of users who received a broadcast."""

    recipients: int


class BlockedReply(Reply, kw_only=True):
    """The names of the users that the user blocks."""

    blocked: list[str]


class PingReply(Reply, kw_only=True):
    """The time of the server."""

    at: str


def change_reply(ack: Ack) -> ChangeReply:
    """Return the reply to a change."""
    if not ack.seq:
        return ChangeReply(dup=ack.dup or UNSET)
    return ChangeReply(seq=ack.seq, at=rfc3339(ack.at), dup=ack.dup or UNSET)


def direct_info(direct: Direct) -> DirectInfo:
    """Return a direct conversation in a list."""
    return DirectInfo(
        direct.id,
        direct.other,
        direct.last_seq,
        direct.read_seq,
        direct.unread,
        rfc3339(direct.at),
        direct.mentions or UNSET,
        UNSET if direct.notify == LEVELS[0] else direct.notify,
        direct.guest or UNSET,
        direct.ended or UNSET,
    )
