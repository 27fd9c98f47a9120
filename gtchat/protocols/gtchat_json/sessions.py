"""Coming and going: accounts, logins, resumption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from gtchat import __version__
from gtchat.chat.errors import BadRequest
from gtchat.chat.interfaces import Backlog
from gtchat.chat.rooms import Room
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.encoder import encode
from gtchat.protocols.gtchat_json.responses import Reply, rfc3339
from gtchat.protocols.gtchat_json.rooms import LIST, infos

if TYPE_CHECKING:
    from gtchat.protocols.gtchat_json.api import API_Chatroom

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
        session, token = await sessions.login_guest(request.usr, api.encoder, api, current)
    else:
        session, token = await sessions.login(
            request.usr, request.pwd, request.uuid, api.encoder, api, current
        )
    api.session = session
    return responses.LoginReply(**_belongings(api, token))


def _belongings(api: API_Chatroom, token: str) -> dict[str, Any]:
    """What everybody gets who comes."""
    user, chat = api.require_session.user, api.chat
    return {
        "session_id": token,
        "epoch": chat.epoch,
        "usr": user.name,
        "users": chat.users.online.page(None, LIST),
        "users_total": len(chat.users.online),
        "rooms": infos(api, chat.rooms.list_rooms(user, None, LIST), responses.shown),
        "rooms_total": chat.rooms.count_listed(user),
        "blocked": sorted(user.blocked.values()),
    }


async def resume(api: API_Chatroom, request: requests.Resume) -> Reply:
    """Go on after a lost connection."""
    if api.session is not None:
        await api.chat.sessions.logout(api.session)
        api.session = None
    back = await api.chat.sessions.resume(
        request.session_id, request.epoch, request.seen, api.encoder, api
    )
    api.session = back.session
    resumed = [_resumption(name, room, missed) for name, (room, missed) in back.missed.items()]
    return responses.ResumeReply(**_belongings(api, request.session_id), resumed=resumed)


def _resumption(name: str, room: Room | None, missed: Backlog) -> responses.Resumption:
    state = "reset" if missed.reset else "behind" if missed.behind else "resumed"
    return responses.Resumption(
        room.name if room is not None else name,
        state,
        room.last_seq if room is not None else 0,
        [msgspec.Raw(encode(entry)) for entry in missed.entries],
    )


def hello(api: API_Chatroom, request: requests.Hello) -> Reply:
    """Say what the server is."""
    limits = api.chat.limits
    return responses.HelloReply(
        server="GTChat",
        version=__version__,
        epoch=api.chat.epoch,
        limits=attrs.asdict(limits),
        features=FEATURES,
        ping_interval=limits.ping_interval,
    )


async def logout(api: API_Chatroom, request: requests.Logout) -> Reply:
    """End the session."""
    await api.chat.sessions.logout(api.require_session)
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


def ping(api: API_Chatroom, request: requests.Ping) -> Reply:
    """Answer."""
    return responses.PingReply(at=rfc3339(api.chat.users.now()))
