"""The login of a connection: what a resume needs, and what a resume and a login say was missed.

How requests are sent and when a connection is made is decided in `connection`, reading what was
missed in `catch_up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from itertools import islice
from typing import Any, cast, get_args

import msgspec

from gtchat.client.catch_up import CatchUp, Missed
from gtchat.client.commands import LOGIN_AGAIN_ERRORS, TEMPORARY_ERRORS, Effect, effect_of
from gtchat.client.credentials import Registered, User
from gtchat.client.errors import CommandFailed
from gtchat.client.event_stream import Place
from gtchat.client.events import Direct, Invitation, ResetReason
from gtchat.client.replies import PendingInvitation, Reply
from gtchat.client.requests import PendingRequest

#: Rooms that a resume can name; the server says of others only where their logs end.
SEEN_LIMIT = 1_000


class CannotResume(Exception):
    """The session was lost and a new login failed; the text says why."""


class Session:
    """The login of a connection.

    Args:
        catch_up: reads what was missed; has the stream and the decoder of events.
    """

    def __init__(self, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        self._stream = catch_up.stream
        self._decoder = catch_up.decoder
        self._send = catch_up.send
        self._reply: Reply | None = None
        self._login_fields: dict[str, Any] = {}
        #: Name of the other user -> the direct conversation with the account that has it.
        self._directs: dict[str, Direct] = {}
        self._missed: list[Missed] = []
        #: The rooms that the last resume named.
        self._named: dict[str, int] = {}

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

    # Logging in.

    async def log_in(self, user: User, device: str | None) -> Reply:
        """Log a user in, and return the reply; all rooms of the user are known then.

        Args:
            user: who, and the proof of it.
            device: names the device of the session; None for none.

        Raises:
            CommandFailed: the server refused it.
            Unanswered: the connection was lost.
        """
        fields = {**({} if device is None else {"device": device}), **user.login()}
        try:
            reply = await self._send("login", **fields)
        except CommandFailed as error:
            may_create = isinstance(user, Registered) and user.create
            if not may_create or error.code != "bad_credentials":
                raise
            await self._register(cast(Registered, user), error)
            reply = await self._send("login", **fields)
        self._begin(fields, reply)
        return await self.finish_login(reply)

    async def _register(self, user: Registered, error: CommandFailed) -> None:
        """Create an account. error: why the login was refused, raised if the account exists."""
        try:
            await self._send("register", **user.register())
        except CommandFailed as refused:
            raise (error if refused.code == "name_taken" else refused) from None

    async def finish_login(self, reply: Reply) -> Reply:
        """Learn of all rooms of the user.

        Args:
            reply: to a login or resume that was recorded.

        Returns:
            The reply with all rooms.

        Raises:
            CommandFailed, Unanswered: the rooms could not be read.
        """
        complete = await self._all_rooms(reply)
        for room in complete.rooms[len(reply.rooms) :]:
            self._stream.joined(room.name, room.last_seq)
        return complete

    async def _all_rooms(self, reply: Reply) -> Reply:
        """Return a reply with all rooms of the user."""
        rooms = {room.name: room for room in reply.rooms}
        after = reply.rooms_next
        while after:
            try:
                page = await self._send("get_room_list", joined=True, after=after, limit=1000)
            except CommandFailed as error:
                if error.code not in TEMPORARY_ERRORS:
                    raise
                await self._catch_up.sleep(error.retry_after or 1.0)
                continue
            for room in page.rooms:
                rooms.setdefault(room.name, room)
            after = page.rooms_next if page.rooms else ""
        return msgspec.structs.replace(reply, rooms=tuple(rooms.values()), rooms_next="")

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
        fields = {k: v for k, v in request.fields.items() if k not in ("cmd", "tracker")}
        self._begin(fields, reply)

    def _begin(self, fields: dict[str, Any], reply: Reply) -> None:
        """Record a login. fields: those of its request."""
        self._login_fields = fields
        if reply.device_token:
            # Another login with the password would replace the token, which the user may have kept.
            names = ("device", "marks_read")
            known = {k: v for k, v in fields.items() if k in names}
            self._login_fields = {"type": "device", "device_token": reply.device_token, **known}
        self._record(reply)

    def _resumed(self, request: PendingRequest, reply: Reply) -> None:
        self._record(reply)

    def _record(self, reply: Reply) -> None:
        self._forget_rooms()
        self._know(reply)
        for room in reply.rooms:
            if room.joined:
                self._stream.joined(room.name, room.last_seq)
        self._missed = [*self._missed_directs(reply)]
        self._catch_up.begin(self._missed)

    def _know(self, reply: Reply) -> None:
        """Record a session. reply: to a login or resume."""
        self._reply = reply
        self._decoder.user, self._decoder.epoch = reply.usr or None, reply.epoch

    def _logged_out(self, request: PendingRequest, reply: Reply) -> None:
        self.end()
        self._forget_rooms()
        self._decoder.user = None

    def _forget_rooms(self) -> None:
        self._stream.forget_all()
        self._directs.clear()

    def _password_changed(self, request: PendingRequest, reply: Reply) -> None:
        own = request.fields.get("usr") in (None, self._login_fields.get("usr"))
        if "pwd" in self._login_fields and own:
            self._login_fields["pwd"] = request.fields["new_pwd"]
        if reply.device_token:
            self._login_fields["device_token"] = reply.device_token

    def _entry_stored(self, request: PendingRequest, reply: Reply) -> None:
        if reply.seq is not None:
            self._stream.own_entry(_room_name(request), reply.seq, reply.id)

    def _room_entered(self, request: PendingRequest, reply: Reply) -> None:
        if reply.room is not None:
            self._stream.joined(reply.room.name, reply.seq or reply.room.last_seq)

    def _room_left(self, request: PendingRequest, reply: Reply) -> None:
        self._stream.left(_room_name(request))

    # What waited on the server.

    @property
    def _shows_directs(self) -> bool:
        """Whether the server sends no stored direct messages, since the client marks as read."""
        return bool(self._login_fields.get("marks_read"))

    def deliver_waiting(self, reply: Reply) -> None:
        """Deliver the direct messages and invitations that waited. reply: to a login or resume."""
        for whisper in reply.whispers:
            self._stream.add(whisper)
        for invitation in reply.invitations:
            self._stream.add(_as_event(invitation))

    async def deliver_missed(self) -> None:
        """Deliver what was missed, room by room, and direct messages that are unread.

        Raises:
            Unanswered: the connection was lost.
        """
        missed, self._missed = self._missed, []
        await self._catch_up.deliver(missed)

    def _missed_directs(self, reply: Reply) -> Iterator[Missed]:
        if not self._shows_directs:
            return
        answered = {one.direct: one for one in reply.resumed if one.direct is not None}
        for direct in reversed(reply.directs):
            known = self._directs.get(direct.user)
            is_same = known is not None and known.id == direct.id
            self._directs[direct.user] = direct
            if not is_same:
                self._stream.seen_directs[direct.user] = direct.read_seq
            found = answered.get(direct.id or 0)
            entries = found.entries if found is not None and found.state == "resumed" else None
            place = Direct(user=direct.user)
            if is_same or direct.unread:
                yield Missed(place, {"direct": direct.id}, direct.last_seq, entries)
            else:
                self._stream.skip_to(place, direct.last_seq)

    # Resuming.

    async def resume(self) -> Reply:
        """Resume the session, or log in again; return the reply of either, with all rooms.

        What is pushed from now on of the rooms that are known waits for `report`.

        Raises:
            CommandFailed: it is not possible now, but may be later.
            CannotResume: it is not possible.
            Unanswered: the connection was lost again.
        """
        assert self._reply is not None, "there is a session to resume"
        seen = dict(islice(self._stream.seen.items(), SEEN_LIMIT))
        try:
            reply = await self._send(
                "resume",
                session_id=self._reply.session_id,
                epoch=self._reply.epoch or "",
                seen=seen,
                **self._resume_fields(),
            )
        except CommandFailed as error:
            if error.code in TEMPORARY_ERRORS:
                raise
            reply = await self._log_in_again()
        self._missed = [*self._missed_directs(reply)]
        self._catch_up.begin(self._missed)
        for name in self._stream.seen:
            self._stream.fall_behind(name, 0)
        self._named = seen
        return await self._all_rooms(reply)

    def report(self, reply: Reply) -> None:
        """Report what waited, and the rooms that were reset; the rest is for `deliver_missed`.

        Args:
            reply: of `resume`.
        """
        is_same_epoch = self._reply is not None and self._reply.epoch == reply.epoch
        if not is_same_epoch:
            self._stream.forget_ids()
        self._know(reply)
        self.deliver_waiting(reply)
        rooms = [*self._missed_rooms(reply, is_same_epoch)]
        self._catch_up.begin(rooms)
        self._missed += rooms
        self._missed += self._pushed_meanwhile({one.place for one in self._missed})

    def _pushed_meanwhile(self, known: Set[Place]) -> Iterator[Missed]:
        """Yield the rooms of which something was pushed before it was clear that nothing misses."""
        for place in [place for place in self._stream.behind if place not in known]:
            if last_seq := self._stream.missing(place):
                yield Missed(place, {"room_name": place}, last_seq)
            else:
                self._stream.caught_up(place)

    def _resume_fields(self) -> dict[str, Any]:
        """Return what a client sends besides that marks itself what was read."""
        if not self._shows_directs:
            return {}
        seen = self._stream.seen_directs
        ids = {one.id: seen[name] for name, one in self._directs.items() if name in seen}
        return {"marks_read": True, "seen_directs": {str(id_): seq for id_, seq in ids.items()}}

    async def _log_in_again(self) -> Reply:
        try:
            return await self._send("login", **self._login_fields)
        except CommandFailed as error:
            if error.code in LOGIN_AGAIN_ERRORS:
                raise
            raise CannotResume(f"the session could not be resumed: {error.text}") from error

    def _missed_rooms(self, reply: Reply, is_same_epoch: bool) -> Iterator[Missed]:
        """Yield what each room missed; report the rooms that were reset, and those left.

        Args:
            reply: to a resume or login, with all rooms.
            is_same_epoch: whether seqs mean the same as before.
        """
        joined = {room.name: room.last_seq for room in reply.rooms if room.joined}
        found = {one.room: one for one in reply.resumed if one.room is not None}
        seen = dict(self._stream.seen)
        for name in {**seen, **joined, **found}:
            one, last_seq = found.get(name), joined.get(name, 0)
            if one is not None and one.state != "reset":
                entries = one.entries if one.state == "resumed" else None
                yield Missed(name, {"room_name": name}, one.last_seq, entries)
            elif name not in joined:
                self._stream.reset_room(name, "left", last_seq)
            elif is_same_epoch and name in seen and name not in found.keys() & self._named.keys():
                # There was no space for it in the reply or in the request, or it is a new login.
                if last_seq >= seen[name]:
                    yield Missed(name, {"room_name": name}, last_seq)
                else:
                    self._stream.reset_room(name, "recreated", last_seq)
            else:
                reason = one.reason if one is not None else None
                self._stream.reset_room(name, _reason(reason, is_same_epoch), last_seq)


def _reason(given: str | None, is_same_epoch: bool) -> ResetReason:
    """Return why a room was reset. given: what the server says, None if it does not."""
    if given in get_args(ResetReason):
        return cast(ResetReason, given)
    return "unknown" if is_same_epoch else "epoch"


def _as_event(invitation: PendingInvitation) -> Invitation:
    """Return an invitation of the reply to a login as the event of one."""
    fields = {"cmd": "c_invited", "room_name": invitation.room, "usr": invitation.user}
    return Invitation(room=invitation.room, user=invitation.user, at=invitation.at, raw=fields)


def _room_name(request: PendingRequest) -> str:
    return str(request.fields.get("room_name", ""))


#: What a session does at a reply.
_EFFECTS: dict[Effect, Callable[[Session, PendingRequest, Reply], None]] = {
    Effect.LOGGED_IN: Session._logged_in,
    Effect.RESUMED: Session._resumed,
    Effect.LOGGED_OUT: Session._logged_out,
    Effect.PASSWORD_CHANGED: Session._password_changed,
    Effect.ENTRY_STORED: Session._entry_stored,
    Effect.ROOM_ENTERED: Session._room_entered,
    Effect.ROOM_LEFT: Session._room_left,
}
