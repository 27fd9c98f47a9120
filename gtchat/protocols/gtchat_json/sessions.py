"""Handlers of accounts, logins, sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import attrs
import msgspec

from gtchat import __version__
from gtchat.chat.devices import device
from gtchat.chat.errors import AlreadyLoggedIn, BadRequest
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import Backlog, Direct
from gtchat.chat.logins import BegunSession
from gtchat.chat.room_list import RoomList
from gtchat.chat.rooms import Room
from gtchat.chat.session_records import ListedSession
from gtchat.protocols.base import login as steps
from gtchat.protocols.base.text import rfc3339
from gtchat.protocols.gtchat_json import requests, responses
from gtchat.protocols.gtchat_json.context import Context
from gtchat.protocols.gtchat_json.pushes import encode
from gtchat.protocols.gtchat_json.reply_size import (
    NAMES_BYTES,
    encoded_bytes,
    fitting_directs,
    fitting_names,
    reply_bytes,
)
from gtchat.protocols.gtchat_json.responses import Reply
from gtchat.protocols.gtchat_json.rooms import LIST, first_rooms

#: The features of servers whose accounts can be logged in on several devices, that keep earlier
#: texts of messages, and whose members can invite people who have no account.
DEVICES, VERSIONS, INVITE_LINKS = "devices", "versions", "invite_links"
#: What a client can rely on when `hello` lists it, in one line each.
FEATURES: dict[str, str] = {
    "history": "`history` reads the log of a room",
    "resume": "`resume` continues a session after a lost connection",
    "txn": "a request with a `txn` that is sent twice is done once",
    "whisper": "`whisper` sends direct messages, also to users who are offline",
    "invite": "`invite` and `invite_reply`",
    "block": "`block` and `unblock`",
    "address": "`set_address`, `get_address`, `allow` and `deny`",
    "broadcast": "`broadcast`, with the key of the operator",
    "typing": "`typing`",
    "read": "`mark_read`, and `unread` and `read_seq` in lists of rooms",
    "marks_read": "a client with `marks_read` says itself what was read",
    "sessions": "`get_sessions`, `end_session` and `end_other_sessions`",
    "edit": "`edit`",
    "delete": "`delete`",
    "react": "`react`",
    "reply": "`reply` in `speak`",
    "action": "`style` in `speak`",
    "pin": "`pin` and `unpin`",
    "search": "`search`",
    "direct": "direct conversations have a log, as rooms do",
    "mentions": "the server finds mentions; `get_mentions`",
    "mark_unread": "`mark_unread`",
    "notify": "`set_notify`",
    "strict": "`hello` with `strict` refuses unknown fields",
    "preview": "`history` with `preview` reads public rooms without joining",
    DEVICES: "accounts can be logged in on several devices (setting `sessions`)",
    "admin": "`admin` runs administrative commands for operators; `login` with `type` `link`",
    "login_link": "`create_login_link` logs the user in on another device",
    INVITE_LINKS: "`create_invite_link`, `get_invite_links` and `revoke_invite_link`",
    "profile": "`get_profile` and `set_profile`",
    "export_account": "`export_account` gives a link to an export of what is stored of the user",
    "delete_account": "`delete_account` deletes the account of the user",
    "moderation": "roles, bans, mutes, `moderated` and `slow`",
    "report": "`report`, `get_reports` and `answer_report`",
    VERSIONS: "earlier texts of messages are kept; `versions`",
}


async def register(context: Context, request: requests.Register) -> Reply:
    """Create an account."""
    await context.chat.invite_links.register(
        request.usr, request.pwd, request.uuid, context.address, request.invite, request.link
    )
    return Reply()


async def login(context: Context, request: requests.Login) -> responses.LoginReply:
    """Log a user in; the user of the connection before is logged out."""
    previous = context.session
    begun = await _begin(context, request)
    steps.keep_session(context, begun.session)
    reply = responses.LoginReply(**_account_state(context, begun.session_id))
    reply.device_token = begun.device_token or msgspec.UNSET
    if previous is not None:
        reply.logged_out = previous.user.name
    _list_rooms(context, reply, reply_bytes(request) - encoded_bytes(reply))
    return reply


async def _begin(context: Context, request: requests.Login) -> BegunSession:
    """Begin a session in the chat."""
    logins, client = context.chat.logins, (context.encoder, context, context.session)
    marks_read = request.marks_read
    if request.type == "tmp":
        if request.usr is None:
            raise BadRequest("usr: this field is missing.")
        return await logins.login_guest(request.usr, *client, marks_read)
    on = device(request.device, request.device_name, request.remember)
    if request.type == "device":
        if on is None or request.device_token is None:
            raise BadRequest("device and device_token are required.")
        return await logins.login_device(on, request.device_token, *client, marks_read)
    if request.type == "link":
        if request.link is None:
            raise BadRequest("link: this field is missing.")
        return await logins.login_link(request.link, *client, marks_read=marks_read, device=on)
    return await logins.login(
        request.usr, request.pwd, request.uuid, *client, marks_read=marks_read, device=on
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
    directs, session.directs = session.directs, ()
    listed = fitting_directs(directs, NAMES_BYTES)
    if session.marks_read:
        chat.whispers.told(session, directs[: len(listed)])
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
        "directs": listed or msgspec.UNSET,
        "operator": session.operator or msgspec.UNSET,
    }


def _list_rooms(context: Context, reply: responses.SessionReply, max_bytes: int) -> None:
    """Add the first page of rooms to a reply."""
    page = first_rooms(context, max_bytes)
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
        request.seen_directs,
    )
    steps.keep_session(context, resumed.session)
    reply = responses.ResumeReply(**_account_state(context, request.session_id), resumed=[])
    left = reply_bytes(request) - encoded_bytes(reply)
    _list_rooms(context, reply, left // 2)
    left -= sum(len(room) + 1 for room in reply.rooms)
    rooms = ((_of_room(name, *one), one[1]) for name, one in resumed.missed.items())
    directs = ((_of_direct(id_, *one), one[1]) for id_, one in resumed.directs.items())
    reply.resumed = _resumptions(chain(rooms, directs), left)
    return reply


def _resumptions(
    missed: Iterable[tuple[responses.Resumption, Backlog]], max_bytes: int
) -> list[responses.Resumption]:
    """Add the entries of each room. What does not fit is `behind`, the longest first.

    Rooms for which there is no place at all are left out.
    """
    found: list[responses.Resumption] = []
    waiting: list[tuple[int, int, list[bytes]]] = []
    for resumption, backlog in missed:
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


def _of_room(name: str, room: Room | None, missed: Backlog) -> responses.Resumption:
    return responses.Resumption(
        room_name=room.name if room is not None else name,
        state=_state(missed),
        reason=missed.reset or msgspec.UNSET,
        log_first=missed.first or msgspec.UNSET,
        last_seq=room.last_seq if room is not None else 0,
        entries=[],
    )


def _of_direct(id_: int, direct: Direct | None, missed: Backlog) -> responses.Resumption:
    return responses.Resumption(
        direct=id_,
        target_user=direct.other if direct is not None else msgspec.UNSET,
        state=_state(missed),
        reason=missed.reset or msgspec.UNSET,
        log_first=missed.first or msgspec.UNSET,
        last_seq=direct.last_seq if direct is not None else 0,
        entries=[],
    )


def _state(missed: Backlog) -> str:
    return "reset" if missed.reset else "behind" if missed.behind else "resumed"


def hello(context: Context, request: requests.Hello) -> responses.HelloReply:
    """Return version, limits and features of the server."""
    limits = context.chat.limits
    uses = {
        DEVICES: context.chat.session_rules.uses_devices,
        VERSIONS: context.chat.changes.keep_versions,
        INVITE_LINKS: context.chat.access.invites,
    }
    return responses.HelloReply(
        server="GTChat",
        version=__version__,
        epoch=context.chat.epoch,
        limits=attrs.asdict(limits),
        features=[name for name in FEATURES if uses.get(name, True)],
        ping_interval=limits.ping_interval,
        name=context.chat.access.name,
        registration=context.chat.access.registration,
        guests=context.chat.access.guests,
    )


async def logout(context: Context, request: requests.Logout) -> Reply:
    """Log out."""
    await context.chat.sessions.logout(context.require_session, request.forget)
    context.session = None
    return Reply()


async def get_sessions(context: Context, request: requests.GetSessions) -> responses.SessionsReply:
    """List where the user is logged in; of a list that is too long the end."""
    listed = await context.chat.sessions.listed(context.require_session)
    reply = responses.SessionsReply(sessions=[], sessions_total=len(listed))
    left = reply_bytes(request)
    now = context.chat.users.now()
    for one in reversed(listed):
        info = _session_info(one, now)
        left -= encoded_bytes(info) + 1
        if left < 0:
            break
        reply.sessions.append(info)
    reply.sessions.reverse()
    return reply


def _session_info(listed: ListedSession, now: int) -> responses.SessionInfo:
    """Return a session as it is listed. now: milliseconds since 1970, UTC."""
    record, unset = listed.record, msgspec.UNSET
    return responses.SessionInfo(
        id=listed.id,
        device=record.device or unset,
        device_name=record.device_name or unset,
        protocol=record.protocol or unset,
        address=record.address or unset,
        began=rfc3339(record.began_at),
        last_seen=rfc3339(now if record.seen_at is None else record.seen_at),
        online=record.seen_at is None or unset,
        current=listed.is_current or unset,
        remembered=record.remembered or unset,
    )


async def end_session(context: Context, request: requests.EndSession) -> Reply:
    """End another session of the user."""
    await context.chat.sessions.end(context.require_session, request.id)
    return Reply()


async def end_other_sessions(context: Context, request: requests.EndOtherSessions) -> Reply:
    """End all other sessions of the user."""
    await context.chat.sessions.end_others(context.require_session)
    return Reply()


async def update_pwd(context: Context, request: requests.UpdatePwd) -> responses.PasswordReply:
    """Change the password."""
    token = await context.chat.sessions.change_password(
        context.session,
        request.usr,
        request.pwd,
        request.new_pwd,
        request.new_pwd2,
        context.address,
    )
    return responses.PasswordReply(device_token=token or msgspec.UNSET)


def ping(context: Context, request: requests.Ping) -> responses.PingReply:
    """Return the time of the server."""
    return responses.PingReply(at=rfc3339(context.chat.users.now()))
