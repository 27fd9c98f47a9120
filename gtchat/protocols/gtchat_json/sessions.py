"""Handlers of accounts, logins, sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from gtchat import __version__
from gtchat.chat.errors import AlreadyLoggedIn, BadRequest
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import Backlog
from gtchat.chat.room_list import RoomList
from gtchat.chat.rooms import Room
from gtchat.chat.users import Session
from gtchat.protocols.base import login as steps
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.pushes import encode
from gtchat.protocols.gtchat_json.reply_size import (
    NAMES_BYTES,
    encoded_bytes,
    fitting_names,
    reply_bytes,
)
from gtchat.protocols.gtchat_json.responses import Reply
from gtchat.protocols.gtchat_json.rooms import LIST, room_page

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
    "marks_read",
    "edit",
    "delete",
    "react",
    "reply",
    "action",
    "pin",
    "search",
]
#: The rooms in a reply to `login` and to `resume`.
_FIRST_PAGE = requests.GetRoomList(limit=LIST)


async def register(context: Context, request: requests.Register) -> Reply:
    """Create an account."""
    await context.chat.accounts.register(request.usr, request.pwd, request.uuid, context.address)
    return Reply()


async def login(context: Context, request: requests.Login) -> responses.LoginReply:
    """Log a user in."""
    session, token = await _begin(context, request)
    steps.keep_session(context, session)
    reply = responses.LoginReply(**_account_state(context, token))
    _list_rooms(context, reply, reply_bytes(request) - encoded_bytes(reply))
    return reply


async def _begin(context: Context, request: requests.Login) -> tuple[Session, str]:
    """Begin a session in the chat; return it and its id."""
    sessions, current = context.chat.sessions, context.session
    if request.type == "reg":
        return await sessions.login(
            request.usr,
            request.pwd,
            request.uuid,
            context.encoder,
            context,
            current,
            marks_read=request.marks_read,
        )
    if request.usr is None:
        raise BadRequest("usr: this field is missing.")
    return await sessions.login_guest(
        request.usr, context.encoder, context, current, request.marks_read
    )


def deliver_pending(context: Context) -> None:
    """Deliver what is pending for the user who has logged in, after the reply."""
    if context.session is not None:
        steps.deliver_pending(context.chat, context.session)


def _account_state(context: Context, token: str) -> dict[str, Any]:
    """Return the fields that a reply to `login` and to `resume` has, but for the rooms."""
    session, chat = context.require_session, context.chat
    user = session.user
    invitations, session.invitations = session.invitations, ()
    return {
        "session_id": token,
        "epoch": chat.epoch,
        "usr": user.name,
        "users": fitting_names(chat.users.online.page(None, LIST), NAMES_BYTES),
        "users_total": len(chat.users.online),
        "rooms": [],
        "rooms_total": RoomList(chat.rooms, user).count(),
        "blocked": fitting_names(sorted(user.blocked.values()), NAMES_BYTES),
        "invitations": _newest_fitting(invitations) or msgspec.UNSET,
    }


def _list_rooms(context: Context, reply: responses.LoginReply, max_bytes: int) -> None:
    """Add the first page of rooms to a reply."""
    page = room_page(context, _FIRST_PAGE, max_bytes, cached=True)
    reply.rooms, reply.rooms_next = page.rooms, page.next


def _newest_fitting(invitations: Sequence[Invited]) -> list[responses.Invitation]:
    """Return the newest of pending invitations that fit in a reply, in order."""
    found = [responses.Invitation(one.room_name, one.usr, rfc3339(one.at)) for one in invitations]
    left = NAMES_BYTES
    for index in range(len(found) - 1, -1, -1):
        left -= encoded_bytes(found[index]) + 1
        if left < 0:
            return found[index + 1 :]
    return found


async def resume(context: Context, request: requests.Resume) -> responses.ResumeReply:
    """Resume a session after its connection was lost."""
    if context.session is not None:
        raise AlreadyLoggedIn()
    resumed = await context.chat.sessions.resume(
        request.session_id,
        request.epoch,
        request.seen,
        context.encoder,
        context,
        request.marks_read,
    )
    steps.keep_session(context, resumed.session)
    reply = responses.ResumeReply(**_account_state(context, request.session_id), resumed=[])
    left = reply_bytes(request) - encoded_bytes(reply)
    _list_rooms(context, reply, left // 2)
    left -= sum(len(room) + 1 for room in reply.rooms)
    reply.resumed = _resumptions(resumed.missed, left)
    return reply


def _resumptions(
    missed: Mapping[str, tuple[Room | None, Backlog]], max_bytes: int
) -> list[responses.Resumption]:
    """Return what happened to each room. What does not fit is `behind`, the longest first.

    Rooms for which there is no place at all are left out.
    """
    found: list[responses.Resumption] = []
    waiting: list[tuple[int, int, list[bytes]]] = []
    for name, (room, backlog) in missed.items():
        resumption = _resumption(name, room, backlog)
        size = encoded_bytes(resumption) + 1
        if size > max_bytes:
            break
        max_bytes -= size
        entries = [encode(entry) for entry in backlog.entries]
        waiting.append((sum(len(entry) + 1 for entry in entries), len(found), entries))
        found.append(resumption)
    for size, index, entries in sorted(waiting):
        if size <= max_bytes:
            found[index].entries = [msgspec.Raw(entry) for entry in entries]
        else:
            found[index].state = "behind"
        max_bytes -= size
    return found


def _resumption(name: str, room: Room | None, missed: Backlog) -> responses.Resumption:
    state = "reset" if missed.reset else "behind" if missed.behind else "resumed"
    return responses.Resumption(
        room.name if room is not None else name,
        state,
        room.last_seq if room is not None else 0,
        [],
    )


def hello(context: Context, request: requests.Hello) -> responses.HelloReply:
    """Return version, limits and features of the server."""
    limits = context.chat.limits
    keeps_versions = context.chat.changes.keep_versions
    return responses.HelloReply(
        server="GTChat",
        version=__version__,
        epoch=context.chat.epoch,
        limits=attrs.asdict(limits),
        features=[*FEATURES, "versions"] if keeps_versions else FEATURES,
        ping_interval=limits.ping_interval,
    )


async def logout(context: Context, request: requests.Logout) -> Reply:
    """Log out."""
    await context.chat.sessions.logout(context.require_session)
    context.session = None
    return Reply()


async def update_pwd(context: Context, request: requests.UpdatePwd) -> Reply:
    """Change the password."""
    await context.chat.sessions.change_password(
        context.session,
        request.usr,
        request.pwd,
        request.new_pwd,
        request.new_pwd2,
        context.address,
    )
    return Reply()


def ping(context: Context, request: requests.Ping) -> responses.PingReply:
    """Return the time of the server."""
    return responses.PingReply(at=rfc3339(context.chat.users.now()))
