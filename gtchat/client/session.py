"""A session as its client knows it: what a resume needs, and how what was missed is told.

How commands are sent and when a connection is made stands in `connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gtchat.client.event_stream import Feed
from gtchat.client.messages import CommandFailed, Reply, Resumption
from gtchat.client.requests import Call

#: Errors of a resume or login that pass by themselves.
PASSING = frozenset({"rate_limited", "locked_out", "not_stored", "internal"})
#: Entries asked for at once.
PAGE = 200


class Ask(Protocol):
    """Sends a command; raises CommandFailed, or Unanswered when the connection is lost."""

    async def __call__(self, cmd: str, **fields: Any) -> Reply: ...


class SessionOver(Exception):
    """The session can't be taken up again; the text says why."""


class Session:
    """Who is logged in on a connection.

    Args:
        feed: what the user is told. ask: sends a command. sleep: waits so many seconds.
    """

    def __init__(self, feed: Feed, ask: Ask, sleep: Callable[[float], Deferred[None]]) -> None:
        self._feed = feed
        self._ask = ask
        self._sleep = sleep
        self._reply: Reply | None = None
        self._login: dict[str, Any] = {}

    @property
    def is_open(self) -> bool:
        """Whether somebody is logged in."""
        return self._reply is not None

    @property
    def is_guest(self) -> bool:
        """Whether that is a temporary user, who is another person after each login."""
        return self._login.get("type") == "tmp"

    def end(self) -> None:
        """Forget it."""
        self._reply = None
        self._login = {}

    # What replies tell.

    def learn(self, call: Call, reply: Reply) -> None:
        """Take from a good reply what the next resume needs."""
        room_name = str(call.fields.get("room_name", ""))
        cmd = reply.last_cmd
        if cmd in ("login", "resume"):
            self._enter(call, reply)
        elif cmd == "logout":
            self.end()
            self._leave_all("")
        elif cmd == "update_pwd":
            self._learn_password(call)
        elif cmd == "speak":
            self._feed.said(room_name, reply.seq, reply.id)
        elif cmd in ("create_room", "join_room", "invite_reply") and reply.room:
            self._feed.entered(reply.room.room_name, reply.room.last_seq)
        elif cmd in ("leave_room", "delete_room"):
            self._feed.left(room_name)

    def _enter(self, call: Call, reply: Reply) -> None:
        if reply.last_cmd == "login":
            self._login = {k: v for k, v in call.fields.items() if k not in ("cmd", "tracker")}
        self._leave_all(reply.usr)
        self._know(reply)
        for room in reply.rooms:
            if room.joined:
                self._feed.entered(room.room_name, room.last_seq)

    def _leave_all(self, user: str) -> None:
        for room_name in tuple(self._feed.seen):
            self._feed.left(room_name)
        self._feed.user = user

    def _know(self, reply: Reply) -> None:
        """Somebody is in; what was missed besides rooms is told."""
        self._reply = reply
        self._feed.user = reply.usr
        for push in (*reply.whispers, *reply.invitations):
            self._feed.take(push)

    def _learn_password(self, call: Call) -> None:
        if "pwd" in self._login and call.fields.get("usr") in (None, self._login.get("usr")):
            self._login["pwd"] = call.fields["new_pwd"]

    # Coming back.

    async def come_back(self) -> Reply:
        """Resume, or log in anew.

        Raises:
            CommandFailed: not now. SessionOver: not at all. Unanswered.
        """
        assert self._reply is not None, "there is a session to come back to"
        try:
            reply = await self._ask(
                "resume",
                session_id=self._reply.session_id,
                epoch=self._reply.epoch,
                seen=dict(self._feed.seen),
            )
        except CommandFailed as error:
            if error.code in PASSING:
                raise
            reply = await self._log_in_anew()
        self._know(reply)
        return reply

    async def _log_in_anew(self) -> Reply:
        try:
            return await self._ask("login", **self._login)
        except CommandFailed as error:
            if error.code in PASSING:
                raise
            raise SessionOver(f"the session could not be taken up again: {error.text}") from error

    async def catch_up(self, reply: Reply) -> None:
        """Tell what was missed, room by room, and then what has come since.

        Args:
            reply: of the resume or login that the session came back by.

        Raises:
            Unanswered: the connection is lost again.
        """
        joined = {room.room_name: room.last_seq for room in reply.rooms if room.joined}
        rooms = reply.resumed if reply.last_cmd == "resume" else self._all_anew(joined)
        for room in rooms:
            if room.state == "reset":
                gone = not room.last_seq and room.room_name not in joined
                self._feed.reset(room.room_name, room.last_seq, gone)
            elif room.state == "behind":
                await self._page(room.room_name, room.last_seq)
            else:
                self._feed.take_first(room.entries)
        self._feed.release()

    def _all_anew(self, joined: dict[str, int]) -> tuple[Resumption, ...]:
        """What a login instead of a resume means for each room."""
        return tuple(
            Resumption(room_name=name, state="reset", last_seq=joined.get(name, 0))
            for name in {**self._feed.seen, **joined}
        )

    async def _page(self, room_name: str, last_seq: int) -> None:
        """Read a room's log from what was seen to `last_seq`."""
        more = True
        while more and (after := self._feed.seen.get(room_name, 0)) < last_seq:
            more = await self._read(room_name, after, last_seq)

    async def _read(self, room_name: str, after: int, last_seq: int) -> bool:
        """Read one page of a room's log; whether there is more."""
        try:
            reply = await self._ask("history", room_name=room_name, after=after, limit=PAGE)
        except CommandFailed as error:
            if error.code in PASSING:
                await self._sleep(error.retry_after or 1.0)
                return True
            self._feed.reset(room_name, last_seq, gone=True)
            return False
        self._feed.take_first(reply.entries)
        return reply.more
