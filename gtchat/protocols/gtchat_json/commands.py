"""What each command does: one function for each, and the table that the API goes by."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, cast

import attrs
import msgspec

from gtchat import __version__
from gtchat.chat.errors import BadRequest, ChatError, NotInRoom
from gtchat.chat.events import ENTRIES
from gtchat.chat.interfaces import Missed, Receipt, Span
from gtchat.chat.membership import Settings
from gtchat.chat.people import Session, User
from gtchat.chat.rooms import Room
from gtchat.protocols.gtchat_json import replies, requests
from gtchat.protocols.gtchat_json.audience import encode
from gtchat.protocols.gtchat_json.replies import Reply, rfc3339
from gtchat.protocols.gtchat_json.requests import Request

if TYPE_CHECKING:
    from gtchat.protocols.gtchat_json.api import API_Chatroom

#: How many names or rooms a reply has, and how many may be asked for.
LIST, LIST_MOST = 200, 1_000

FEATURES = [
    "history",
    "resume",
    "txn",
    "whisper",
    "invite",
    "block",
    "address",
    "broadcast",
    "typing",
    "read",
]

Answer = Reply | ChatError
Do = Callable[["API_Chatroom", Any], Answer | Coroutine[Any, Any, Answer]]


@attrs.frozen
class Command:
    """A command.

    Attributes:
        do: does it.
        said: what a person is told when it is done.
        open: whether it may be sent before login.
        names_user: whether `usr` in it says who comes, and need not be the session's user.
    """

    do: Do
    said: str
    open: bool = False
    names_user: bool = False


def _session(api: API_Chatroom) -> Session:
    assert api.session is not None, "checked before the command runs"
    return api.session


def _user(api: API_Chatroom) -> User:
    return _session(api).user


async def register(api: API_Chatroom, request: requests.Register) -> Reply:
    """Create an account."""
    await api.chat.accounts.register(request.usr, request.pwd, request.uuid, api.address)
    return Reply()


async def login(api: API_Chatroom, request: requests.Login) -> Reply:
    """Come in."""
    sessions, current = api.chat.sessions, api.session
    if request.type == "tmp":
        if request.usr is None:
            raise BadRequest("usr: this field is missing.")
        session, token = await sessions.login_guest(request.usr, api.audience, api, current)
    else:
        session, token = await sessions.login(
            request.usr, request.pwd, request.uuid, api.audience, api, current
        )
    api.session = session
    return replies.LoginReply(**_belongings(api, token))


def _belongings(api: API_Chatroom, token: str) -> dict[str, Any]:
    """What everybody gets who comes."""
    user, chat = _user(api), api.chat
    return {
        "session_id": token,
        "epoch": chat.epoch,
        "usr": user.name,
        "users": chat.people.online.page(None, LIST),
        "users_total": len(chat.people.online),
        "rooms": _infos(api, chat.rooms.listed(user, None, LIST)),
        "rooms_total": chat.rooms.listed_total(user),
        "blocked": sorted(user.blocked.values()),
    }


def _infos(api: API_Chatroom, rooms: list[Room]) -> list[replies.RoomInfo | msgspec.Raw]:
    """Rooms for a list, each as it looks to the user of this connection."""
    user = _user(api)
    own = {api.chat.rooms.lobby, *user.rooms}
    infos = [
        _own_info(api, room, user) if room in own else room.shown or replies.shown(room)
        for room in rooms
    ]
    return cast("list[replies.RoomInfo | msgspec.Raw]", infos)


def _own_info(api: API_Chatroom, room: Room, user: User) -> replies.RoomInfo:
    """A room that a user belongs to."""
    members = len(api.chat.people.online) if room.is_lobby else len(room.members)
    unread, read = user.unread.get(room.id, 0), user.read.get(room.id, 0)
    return replies.room_info(room, members, True, unread, read)


def _details(api: API_Chatroom, room: Room) -> replies.RoomDetails:
    roster = api.chat.people.online if room.is_lobby else room.roster
    return replies.room_details(room, roster.page(None, LIST), len(roster))


async def resume(api: API_Chatroom, request: requests.Resume) -> Reply:
    """Go on after a lost connection."""
    if api.session is not None:
        await api.chat.sessions.logout(api.session)
        api.session = None
    back = await api.chat.sessions.resume(
        request.session_id, request.epoch, request.seen, api.audience, api
    )
    api.session = back.session
    resumed = [_resumption(name, room, missed) for name, (room, missed) in back.missed.items()]
    return replies.ResumeReply(**_belongings(api, request.session_id), resumed=resumed)


def _resumption(name: str, room: Room | None, missed: Missed) -> replies.Resumption:
    state = "reset" if missed.reset else "behind" if missed.behind else "resumed"
    return replies.Resumption(
        room.name if room is not None else name,
        state,
        room.last_seq if room is not None else 0,
        [msgspec.Raw(encode(entry)) for entry in missed.entries],
    )


def hello(api: API_Chatroom, request: requests.Hello) -> Reply:
    """Say what the server is."""
    limits = api.chat.limits
    return replies.HelloReply(
        server="GTChat",
        version=__version__,
        epoch=api.chat.epoch,
        limits=attrs.asdict(limits),
        features=FEATURES,
        ping_interval=limits.ping_interval,
    )


async def logout(api: API_Chatroom, request: requests.Logout) -> Reply:
    """End the session."""
    await api.chat.sessions.logout(_session(api))
    api.session = None
    return Reply()


async def update_pwd(api: API_Chatroom, request: requests.UpdatePwd) -> Reply:
    """Choose another password."""
    await api.chat.sessions.change_password(
        api.session,
        request.usr,
        request.pwd,
        request.new_pwd,
        request.new_pwd2,
        api.address,
    )
    return Reply()


def _limit(request: requests.Paged) -> int:
    if request.limit < 1:
        raise BadRequest(f"limit: 1 to {LIST_MOST} is wanted.")
    return min(request.limit, LIST_MOST)


def get_room_list(api: API_Chatroom, request: requests.GetRoomList) -> Reply:
    """The rooms that one may know of."""
    user, rooms = _user(api), api.chat.rooms
    page = rooms.listed(user, request.after, _limit(request))
    return replies.RoomListReply(rooms=_infos(api, page), rooms_total=rooms.listed_total(user))


def get_user_list(api: API_Chatroom, request: requests.GetUserList) -> Reply:
    """Who is here."""
    online = api.chat.people.online
    return replies.UserListReply(
        users=online.page(request.after, _limit(request)), users_total=len(online)
    )


def get_room_user_list(api: API_Chatroom, request: requests.GetRoomUserList) -> Reply:
    """Who belongs to a room."""
    room = api.chat.rooms.named(request.room_name)
    if not room.is_lobby and not room.visible_to(_user(api)):
        raise NotInRoom()
    here = api.chat.people.online
    roster = here if room.is_lobby else room.roster
    users = roster.page(request.after, _limit(request))
    return replies.RoomUserListReply(
        users=users,
        online=[name for name in users if name in here],
        users_total=len(roster),
    )


async def create_room(api: API_Chatroom, request: requests.CreateRoom) -> Reply:
    """Make a room."""
    wanted = Settings(public=request.public, topic=request.topic, max=request.max)
    room = await api.chat.membership.create(_session(api), request.room_name, wanted)
    return replies.RoomReply(room=_details(api, room))


async def set_room(api: API_Chatroom, request: requests.SetRoom) -> Reply:
    """Change a room."""
    wanted = Settings(public=request.public, topic=request.topic, max=request.max)
    room = await api.chat.membership.change(
        _session(api), request.room_name, wanted, request.master
    )
    return replies.RoomReply(room=_details(api, room))


async def delete_room(api: API_Chatroom, request: requests.DeleteRoom) -> Reply:
    """Delete a room."""
    await api.chat.membership.delete(_session(api), request.room_name)
    return Reply()


async def invite(api: API_Chatroom, request: requests.Invite) -> Reply:
    """Invite somebody."""
    await api.chat.invitations.invite(_session(api), request.room_name, request.invitee)
    return Reply()


async def invite_reply(api: API_Chatroom, request: requests.InviteReply) -> Reply:
    """Answer an invitation."""
    room = await api.chat.invitations.answer(
        _session(api), request.inviter, request.room_name, request.reply
    )
    return Reply() if room is None else replies.RoomReply(room=_details(api, room))


async def add_member(api: API_Chatroom, request: requests.AddMember) -> Reply:
    """Make somebody a member."""
    room = await api.chat.membership.add(_session(api), request.room_name, request.user)
    return replies.RoomReply(room=_details(api, room))


async def remove_member(api: API_Chatroom, request: requests.RemoveMember) -> Reply:
    """Take somebody off the list."""
    room = await api.chat.membership.remove(_session(api), request.room_name, request.user)
    return replies.RoomReply(room=_details(api, room))


async def join_room(api: API_Chatroom, request: requests.JoinRoom) -> Reply:
    """Become a member."""
    room = await api.chat.membership.join(_session(api), request.room_name)
    return replies.RoomReply(room=_details(api, room))


async def leave_room(api: API_Chatroom, request: requests.LeaveRoom) -> Reply:
    """End one's membership."""
    await api.chat.membership.leave(_session(api), request.room_name)
    return Reply()


async def kick(api: API_Chatroom, request: requests.Kick) -> Reply:
    """Put somebody out."""
    await api.chat.membership.kick(_session(api), request.room_name, request.user)
    return Reply()


def spoke(receipt: Receipt, tracker: str) -> Reply:
    """The answer to a message that is stored."""
    return replies.SpeakReply(
        last_cmd="speak",
        tracker=tracker,
        msg="Said.",
        id=receipt.id,
        seq=receipt.seq,
        at=rfc3339(receipt.at),
        dup=receipt.dup or msgspec.UNSET,
    )


def speak(api: API_Chatroom, request: requests.Speak) -> Reply:
    """Speak to everybody: the seed's spelling of a broadcast, which names no room."""
    if request.broadcast_key is None:
        raise BadRequest("room_name: this field is missing.")
    return _broadcast(api, request.msg, request.broadcast_key)


def broadcast(api: API_Chatroom, request: requests.Broadcast) -> Reply:
    """Speak to everybody."""
    return _broadcast(api, request.msg, request.broadcast_key)


def _broadcast(api: API_Chatroom, msg: str, key: str) -> Reply:
    return replies.BroadcastReply(recipients=api.chat.broadcast(_session(api), msg, key))


async def history(api: API_Chatroom, request: requests.History) -> Reply:
    """Read a room's log."""
    marks = (request.before, request.after, request.around)
    if sum(mark is not None for mark in marks) > 1:
        raise BadRequest("before, after, around: one of them at most is wanted.")
    if any(mark is not None and mark < 0 for mark in marks):
        raise BadRequest("before, after, around: a seq is wanted.")
    span = Span(*marks, limit=_history_limit(request), kinds=_kinds(request.kinds))
    page = await api.chat.history(_session(api), request.room_name, span)
    return replies.HistoryReply(
        entries=[msgspec.Raw(encode(entry)) for entry in page.entries],
        first=page.first,
        last=page.last,
        more=page.more,
    )


def _history_limit(request: requests.History) -> int:
    return min(request.limit, LIST)


def _kinds(raw: Sequence[str]) -> frozenset[str]:
    """Kinds of entries: `c_speak`, and the types of `c_event`."""
    kinds = frozenset("speak" if kind == "c_speak" else kind for kind in raw)
    if not kinds <= ENTRIES.keys():
        raise BadRequest(f"kinds: {', '.join(ENTRIES)} are those that there are.")
    return kinds


def typing(api: API_Chatroom, request: requests.Typing) -> Reply:
    """Show that one is typing."""
    api.chat.attention.typing(_session(api), request.room_name)
    return Reply()


async def mark_read(api: API_Chatroom, request: requests.MarkRead) -> Reply:
    """Say how far one has read."""
    await api.chat.attention.mark_read(_session(api), request.room_name, request.seq)
    return Reply()


async def whisper(api: API_Chatroom, request: requests.Whisper) -> Reply:
    """Say something to one person."""
    receipt, told = await api.chat.whispers.send(
        _session(api), request.target_user, request.msg, request.txn
    )
    return replies.WhisperReply(
        id=receipt.id,
        at=rfc3339(receipt.at),
        delivered="now" if told else "stored",
        dup=receipt.dup or msgspec.UNSET,
    )


async def block(api: API_Chatroom, request: requests.Block) -> Reply:
    """Hear somebody no more."""
    blocked = await api.chat.consent.block(_session(api), request.user, True)
    return replies.BlockedReply(blocked=blocked)


async def unblock(api: API_Chatroom, request: requests.Unblock) -> Reply:
    """Hear somebody again."""
    blocked = await api.chat.consent.block(_session(api), request.user, False)
    return replies.BlockedReply(blocked=blocked)


def set_address(api: API_Chatroom, request: requests.SetAddress) -> Reply:
    """Say where one listens."""
    api.chat.consent.set_address(_session(api), request.port)
    return Reply()


async def get_address(api: API_Chatroom, request: requests.GetAddress) -> Reply:
    """Ask for somebody's address."""
    await api.chat.consent.request(_session(api), request.user)
    return Reply()


async def allow(api: API_Chatroom, request: requests.Allow) -> Reply:
    """Tell one's address."""
    await api.chat.consent.allow(_session(api), request.user)
    return Reply()


async def deny(api: API_Chatroom, request: requests.Deny) -> Reply:
    """Do not tell one's address."""
    await api.chat.consent.deny(_session(api), request.user)
    return Reply()


def ping(api: API_Chatroom, request: requests.Ping) -> Reply:
    """Answer."""
    return replies.PingReply(at=rfc3339(api.chat.people.now()))


COMMANDS: dict[type[Request], Command] = {
    requests.Register: Command(register, "Registered.", open=True, names_user=True),
    requests.Login: Command(login, "Welcome.", open=True, names_user=True),
    requests.Resume: Command(resume, "Welcome back.", open=True),
    requests.Hello: Command(hello, "Hello.", open=True),
    requests.Logout: Command(logout, "Goodbye."),
    requests.UpdatePwd: Command(update_pwd, "Your password is changed.", open=True),
    requests.GetRoomList: Command(get_room_list, "Rooms."),
    requests.GetUserList: Command(get_user_list, "Who is here."),
    requests.GetRoomUserList: Command(get_room_user_list, "Who belongs to the room."),
    requests.CreateRoom: Command(create_room, "The room is yours."),
    requests.SetRoom: Command(set_room, "The room is changed."),
    requests.DeleteRoom: Command(delete_room, "The room is deleted."),
    requests.Invite: Command(invite, "Invited."),
    requests.InviteReply: Command(invite_reply, "Answered."),
    requests.AddMember: Command(add_member, "Added."),
    requests.RemoveMember: Command(remove_member, "Removed."),
    requests.JoinRoom: Command(join_room, "You are in the room."),
    requests.LeaveRoom: Command(leave_room, "You have left the room."),
    requests.Kick: Command(kick, "Put out of the room."),
    requests.Speak: Command(speak, "Said to everybody."),
    requests.History: Command(history, "History."),
    requests.Typing: Command(typing, "Shown."),
    requests.MarkRead: Command(mark_read, "Noted."),
    requests.Whisper: Command(whisper, "Whispered."),
    requests.Broadcast: Command(broadcast, "Said to everybody."),
    requests.Block: Command(block, "Blocked."),
    requests.Unblock: Command(unblock, "No longer blocked."),
    requests.SetAddress: Command(set_address, "Your address is noted."),
    requests.GetAddress: Command(get_address, "Asked."),
    requests.Allow: Command(allow, "Allowed."),
    requests.Deny: Command(deny, "Denied."),
    requests.Ping: Command(ping, "Here.", open=True),
}
