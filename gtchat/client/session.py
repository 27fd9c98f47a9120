"""The login of a connection: what a resume needs, and catching up on what was missed.

How requests are sent and when a connection is made is decided in `connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred

from gtchat.client.commands import Effect, effect_of
from gtchat.client.event_stream import EventStream
from gtchat.client.messages import (
    CommandFailed,
    Direct,
    PendingInvitation,
    Push,
    Reply,
    Resumption,
    Unanswered,
)
from gtchat.client.requests import PendingRequest

#: Error codes that go away with time (docs/protocol.md, "Codes").
TEMPORARY_ERRORS = frozenset({"rate_limited", "over_quota", "locked_out", "not_stored", "internal"})
#: Entries of a room's history in one request.
PAGE_SIZE = 200


class SendRequest(Protocol):
    """Sends a request and returns its reply.

    Raises CommandFailed, or Unanswered when the connection is lost.
    """

    async def __call__(self, cmd: str, **fields: Any) -> Reply: ...


class CannotResume(Exception):
    """The session was lost and a new login failed; the text says why."""


class Session:
    """The login of a connection.

    Args:
        stream: gets the events that were missed.
        send: sends a request.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        stream: EventStream,
        send: SendRequest,
        sleep: Callable[[float], Deferred[None]],
    ) -> None:
        self._stream = stream
        self._send = send
        self._sleep = sleep
        self._reply: Reply | None = None
        self._login_fields: dict[str, Any] = {}
        #: Name of the other user -> the direct conversation with the account that has it.
        self._directs: dict[str, Direct] = {}

    @property
    def is_open(self) -> bool:
        """Whether a user is logged in."""
        return self._reply is not None

    @property
    def is_guest(self) -> bool:
        """Whether it is a temporary user, which is a different user after each login."""
        return self._login_fields.get("type") == "tmp"

    def end(self) -> None:
        """Forget the login."""
        self._reply = None
        self._login_fields = {}

    # Replies.

    def update_from(self, request: PendingRequest, reply: Reply) -> None:
        """Keep what the next resume needs.

        Args:
            request: a request of the user.
            reply: its reply, with status `ok`.
        """
        handler = _EFFECTS.get(effect_of(reply.last_cmd))
        if handler is not None:
            handler(self, request, reply)

    def _logged_in(self, request: PendingRequest, reply: Reply) -> None:
        fields = request.fields.items()
        self._login_fields = {k: v for k, v in fields if k not in ("cmd", "tracker")}
        if reply.device_token:
            # Another login with the password would replace the token, which the user may have kept.
            names = ("device", "marks_read")
            known = {k: v for k, v in self._login_fields.items() if k in names}
            self._login_fields = {"type": "device", "device_token": reply.device_token, **known}
        self._resumed(request, reply)

    def _resumed(self, request: PendingRequest, reply: Reply) -> None:
        self._forget_rooms(reply.usr)
        self._reply = reply
        for room in reply.rooms:
            if room.joined:
                self._stream.joined(room.room_name, room.last_seq)

    def _logged_out(self, request: PendingRequest, reply: Reply) -> None:
        self.end()
        self._forget_rooms("")

    def _password_changed(self, request: PendingRequest, reply: Reply) -> None:
        own = request.fields.get("usr") in (None, self._login_fields.get("usr"))
        if "pwd" in self._login_fields and own:
            self._login_fields["pwd"] = request.fields["new_pwd"]
        if reply.device_token:
            self._login_fields["device_token"] = reply.device_token

    def _message_stored(self, request: PendingRequest, reply: Reply) -> None:
        self._stream.own_message(_room_name(request), reply.seq, reply.id)

    def _room_entered(self, request: PendingRequest, reply: Reply) -> None:
        if reply.room is not None:
            self._stream.joined(reply.room.room_name, reply.room.last_seq)

    def _room_changed(self, request: PendingRequest, reply: Reply) -> None:
        if reply.seq:
            self._stream.own_entry(_room_name(request), reply.seq)

    def _room_left(self, request: PendingRequest, reply: Reply) -> None:
        self._stream.left(_room_name(request))

    def _forget_rooms(self, user: str) -> None:
        """Forget the rooms of the user before. user: the one who is logged in now, or ""."""
        for room_name in tuple(self._stream.seen):
            self._stream.left(room_name)
        self._stream.user = user
        self._stream.seen_directs.clear()
        self._directs.clear()

    def deliver_waiting(self, reply: Reply) -> None:
        """Deliver the direct messages and invitations that waited on the server.

        Args:
            reply: to a login or resume.
        """
        for push in reply.whispers:
            self._stream.add(push)
        for invitation in reply.invitations:
            self._stream.add(_as_push(invitation))

    @property
    def _shows_directs(self) -> bool:
        """Whether the server sends no stored direct messages, since the client marks as read."""
        return bool(self._login_fields.get("marks_read"))

    async def deliver_after_login(self, reply: Reply) -> None:
        """Deliver what waited on the server. reply: to a login that the user has asked for."""
        self.deliver_waiting(reply)
        with suppress(Unanswered):  # then a resume delivers them
            await self.deliver_directs(reply)

    async def deliver_directs(self, reply: Reply) -> None:
        """Deliver the direct messages that the user has not read, or that the client missed.

        Args:
            reply: to a login or resume.

        Raises:
            Unanswered: the connection was lost.
        """
        if not self._shows_directs:
            return
        answered = {one.direct: one for one in reply.resumed if one.direct}
        for direct in reversed(reply.directs):
            known = self._directs.get(direct.usr)
            is_same = known is not None and known.id == direct.id
            seen = self._stream.seen_directs if is_same else {}
            after = seen.get(direct.usr, direct.read_seq)
            self._directs[direct.usr] = direct
            missed = answered.get(direct.id)
            if missed is not None and missed.state == "resumed":
                self._stream.add_first(missed.entries)
            elif is_same or direct.unread:
                await self._read_direct(direct, after)
            self._stream.seen_directs[direct.usr] = max(after, direct.last_seq)

    async def _read_direct(self, direct: Direct, after: int) -> None:
        """Deliver the entries of a direct conversation after a seq, page by page."""
        while after < direct.last_seq:
            try:
                page = await self._send("history", direct=direct.id, after=after, limit=PAGE_SIZE)
            except CommandFailed as error:
                if error.code not in TEMPORARY_ERRORS:
                    return
                await self._sleep(error.retry_after or 1.0)
                continue
            self._stream.add_first(one for one in page.entries if not one.blocked)
            if not page.more or not page.entries:
                return
            after = page.entries[-1].seq

    # Resuming.

    async def resume(self) -> Reply:
        """Resume the session, or log in again; return the reply of either.

        Raises:
            CommandFailed: it is not possible now, but may be later.
            CannotResume: it is not possible.
            Unanswered: the connection was lost again.
        """
        assert self._reply is not None, "there is a session to resume"
        try:
            reply = await self._send(
                "resume",
                session_id=self._reply.session_id,
                epoch=self._reply.epoch,
                seen=dict(self._stream.seen),
                **self._resume_fields(),
            )
        except CommandFailed as error:
            if error.code in TEMPORARY_ERRORS:
                raise
            reply = await self._log_in_again()
        self._reply = reply = await self._all_rooms(reply)
        self._stream.user = reply.usr
        self.deliver_waiting(reply)
        return reply

    def _resume_fields(self) -> dict[str, Any]:
        """Return what a client sends besides that marks itself what was read."""
        if not self._shows_directs:
            return {}
        seen = self._stream.seen_directs
        ids = {one.id: seen[name] for name, one in self._directs.items() if name in seen}
        return {"marks_read": True, "seen_directs": {str(id_): seq for id_, seq in ids.items()}}

    async def all_rooms(self, reply: Reply) -> Reply:
        """Learn of the rooms of the user that the reply to a login had no space for.

        Args:
            reply: with `rooms_next` if there are more rooms.

        Returns:
            The reply with all rooms of the user, or as it is where they can't be read.
        """
        if not reply.rooms_next:
            return reply
        try:
            complete = await self._all_rooms(reply)
        except (CommandFailed, Unanswered):
            return reply
        for room in complete.rooms[len(reply.rooms) :]:
            self._stream.joined(room.room_name, room.last_seq)
        return complete

    async def _all_rooms(self, reply: Reply) -> Reply:
        """Return a reply with all rooms of the user."""
        rooms, after = list(reply.rooms), reply.rooms_next
        while after:
            page = await self._send("get_room_list", joined=True, after=after, limit=1000)
            known = {room.room_name for room in rooms}
            rooms += [room for room in page.rooms if room.room_name not in known]
            after = page.rooms_next if page.rooms else ""
        return msgspec.structs.replace(reply, rooms=tuple(rooms), rooms_next="")

    async def _log_in_again(self) -> Reply:
        try:
            return await self._send("login", **self._login_fields)
        except CommandFailed as error:
            if error.code in TEMPORARY_ERRORS:
                raise
            raise CannotResume(f"the session could not be resumed: {error.text}") from error

    async def catch_up(self, reply: Reply) -> None:
        """Deliver what was missed, room by room, then what arrived since.

        Args:
            reply: of the resume or login.

        Raises:
            Unanswered: the connection was lost again.
        """
        joined = {room.room_name: room.last_seq for room in reply.rooms if room.joined}
        rooms = self._resumptions(reply, joined)
        for room in rooms:
            if room.state == "reset":
                gone = not room.last_seq and room.room_name not in joined
                self._stream.reset_room(room.room_name, room.last_seq, gone)
            elif room.state == "behind":
                await self._read_history(room.room_name, room.last_seq)
            else:
                self._stream.add_first(room.entries)
        await self.deliver_directs(reply)
        self._stream.release()

    def _resumptions(self, reply: Reply, joined: dict[str, int]) -> tuple[Resumption, ...]:
        """Return what each room missed. joined: last seq of the rooms that the user is in."""
        if reply.last_cmd != "resume":
            return self._reset_all(joined)
        # The server answers for as many rooms as fit into one reply.
        answered = {room.room_name for room in reply.resumed if not room.direct}
        others = [name for name in joined if name in self._stream.seen and name not in answered]
        return *(one for one in reply.resumed if not one.direct), *(
            Resumption(room_name=name, state="behind", last_seq=joined[name]) for name in others
        )

    def _reset_all(self, joined: dict[str, int]) -> tuple[Resumption, ...]:
        """Return a reset of each room, which a new login means. joined: last seq by room."""
        return tuple(
            Resumption(room_name=name, state="reset", last_seq=joined.get(name, 0))
            for name in {**self._stream.seen, **joined}
        )

    async def _read_history(self, room_name: str, last_seq: int) -> None:
        """Deliver the entries of a room up to `last_seq`, page by page."""
        more = True
        while more and (after := self._stream.seen.get(room_name, 0)) < last_seq:
            more = await self._read_page(room_name, after, last_seq)

    async def _read_page(self, room_name: str, after: int, last_seq: int) -> bool:
        """Deliver one page of a room's history; return whether there are more."""
        try:
            reply = await self._send("history", room_name=room_name, after=after, limit=PAGE_SIZE)
        except CommandFailed as error:
            if error.code in TEMPORARY_ERRORS:
                await self._sleep(error.retry_after or 1.0)
                return True
            self._stream.reset_room(room_name, last_seq, gone=True)
            return False
        self._stream.add_first(reply.entries)
        return reply.more


def _as_push(invitation: PendingInvitation) -> Push:
    """Return an invitation of the reply to a login as the push of one."""
    text = f"{invitation.usr} invites you to {invitation.room_name}."
    return Push(
        cmd="c_invited",
        room_name=invitation.room_name,
        usr=invitation.usr,
        msg=text,
        at=invitation.at,
    )


def _room_name(request: PendingRequest) -> str:
    return str(request.fields.get("room_name", ""))


#: What a session does at a reply.
_EFFECTS: dict[Effect, Callable[[Session, PendingRequest, Reply], None]] = {
    Effect.LOGGED_IN: Session._logged_in,
    Effect.RESUMED: Session._resumed,
    Effect.LOGGED_OUT: Session._logged_out,
    Effect.PASSWORD_CHANGED: Session._password_changed,
    Effect.MESSAGE_STORED: Session._message_stored,
    Effect.ROOM_ENTERED: Session._room_entered,
    Effect.ROOM_CHANGED: Session._room_changed,
    Effect.ROOM_LEFT: Session._room_left,
}
