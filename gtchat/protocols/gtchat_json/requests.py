"""What clients say: one Struct for each command. Decoding into them is the validation."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

#: A number that any JSON reader takes exactly, of either sign.
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Request(msgspec.Struct, tag_field="cmd", kw_only=True):
    """What every command may have: `usr` has to be oneself, where it does not say who comes."""

    tracker: str | Whole | None = None
    usr: str | None = None


class Register(Request, tag="register"):
    """Create an account."""

    pwd: str | None = None
    uuid: str | None = None


class Login(Request, tag="login"):
    """Come in, as a registered or a temporary user."""

    type: Literal["reg", "tmp"]
    pwd: str | None = None
    uuid: str | None = None


class Resume(Request, tag="resume"):
    """Go on after a lost connection."""

    session_id: str
    epoch: str
    seen: dict[str, Whole] = {}


class Hello(Request, tag="hello"):
    """Ask what the server is and can."""


class Logout(Request, tag="logout"):
    """End the session."""


class UpdatePwd(Request, tag="update_pwd"):
    """Choose another password."""

    pwd: str
    new_pwd: str
    new_pwd2: str


class Paged(Request, kw_only=True):
    """A list of which a page is asked for."""

    after: str | None = None
    limit: Whole = 200


class GetRoomList(Paged, tag="get_room_list"):
    """The public rooms and one's own."""


class GetUserList(Paged, tag="get_user_list"):
    """Who is here."""


class GetRoomUserList(Paged, tag="get_room_user_list", kw_only=True):
    """Who belongs to a room, and who of them is here."""

    room_name: str


class CreateRoom(Request, tag="create_room"):
    """Make a room of one's own."""

    room_name: str
    public: bool = True
    topic: str = ""
    max: Whole = 0


class SetRoom(Request, tag="set_room"):
    """Change a room, or hand it over."""

    room_name: str
    topic: str | None = None
    public: bool | None = None
    max: Whole | None = None
    master: str | None = None


class DeleteRoom(Request, tag="delete_room"):
    """Delete a room."""

    room_name: str


class Invite(Request, tag="invite"):
    """Invite somebody into a room."""

    room_name: str
    invitee: str


class InviteReply(Request, tag="invite_reply"):
    """Answer an invitation."""

    inviter: str
    room_name: str
    reply: str


class AddMember(Request, tag="add_member"):
    """Make somebody a member."""

    room_name: str
    user: str


class RemoveMember(Request, tag="remove_member"):
    """Take somebody off the list of members."""

    room_name: str
    user: str


class JoinRoom(Request, tag="join_room"):
    """Become a member."""

    room_name: str


class LeaveRoom(Request, tag="leave_room"):
    """End one's membership."""

    room_name: str


class Kick(Request, tag="kick"):
    """Put somebody out of a room."""

    room_name: str
    user: str


class Speak(Request, tag="speak"):
    """Say something in a room; with a broadcast key and no room, to everybody."""

    msg: str
    room_name: str | None = None
    txn: str | None = None
    broadcast_key: str | None = None

    def quotes(self) -> int:
        """Quotation marks that its JSON has if no key stands twice and none is null or unknown.

        Any other has more of them, as long as none is escaped.
        """
        quotes = 8 if self.room_name is None else 12
        if self.txn is not None:
            quotes += 4
        if self.tracker is not None:
            quotes += 4 if type(self.tracker) is str else 2
        if self.usr is not None:
            quotes += 4
        return quotes if self.broadcast_key is None else quotes + 4


class History(Request, tag="history"):
    """Read a room's log."""

    room_name: str
    before: Whole | None = None
    after: Whole | None = None
    around: Whole | None = None
    limit: Whole = 50
    kinds: list[str] = []


class Typing(Request, tag="typing"):
    """Show that one is typing."""

    room_name: str


class MarkRead(Request, tag="mark_read"):
    """Say how far one has read."""

    room_name: str
    seq: Whole


class Whisper(Request, tag="whisper"):
    """Say something to one person."""

    target_user: str
    msg: str
    txn: str | None = None


class Broadcast(Request, tag="broadcast"):
    """Say something to everybody."""

    msg: str
    broadcast_key: str


class Block(Request, tag="block"):
    """Hear somebody no more."""

    user: str


class Unblock(Request, tag="unblock"):
    """Hear somebody again."""

    user: str


class SetAddress(Request, tag="set_address"):
    """Say on which port one listens for peers."""

    port: Whole


class GetAddress(Request, tag="get_address"):
    """Ask somebody for his address."""

    user: str


class Allow(Request, tag="allow"):
    """Tell one's address to somebody who asked."""

    user: str


class Deny(Request, tag="deny"):
    """Do not tell it."""

    user: str


class Ping(Request, tag="ping"):
    """See whether the server answers."""


REQUESTS: tuple[type[Request], ...] = (
    Register,
    Login,
    Resume,
    Hello,
    Logout,
    UpdatePwd,
    GetRoomList,
    GetUserList,
    GetRoomUserList,
    CreateRoom,
    SetRoom,
    DeleteRoom,
    Invite,
    InviteReply,
    AddMember,
    RemoveMember,
    JoinRoom,
    LeaveRoom,
    Kick,
    Speak,
    History,
    Typing,
    MarkRead,
    Whisper,
    Broadcast,
    Block,
    Unblock,
    SetAddress,
    GetAddress,
    Allow,
    Deny,
    Ping,
)

#: Command -> its Struct.
BY_CMD: dict[str, type[Request]] = {
    str(request.__struct_config__.tag): request for request in REQUESTS
}
CMD: dict[type[Request], str] = {request: cmd for cmd, request in BY_CMD.items()}
