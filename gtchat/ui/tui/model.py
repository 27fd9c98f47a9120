"""What one person knows of a server: conversations, who is here, how the connection is.

The fold of what replies and pushes tell. It sends nothing (see `desk`) and draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from gtchat.client.messages import Event, Push, Reply, Room, RoomReset
from gtchat.ui.commands import LOBBY
from gtchat.ui.rendering import QUIET, happened, room
from gtchat.ui.tui.buffer import Line, Talk, mentions

#: Seconds for which somebody who is typing is shown.
TYPING = 5.0
#: Events by which somebody is no longer in a room.
OUT = frozenset({"leave_room", "kicked", "removed"})


def _now() -> datetime:
    return datetime.now(timezone.utc)


class World:
    """Conversations, one of which is looked at.

    Args:
        now: tells the time.

    Attributes:
        me: who one is; "" for nobody yet. current: what is looked at.
        rooms, whispers: by name. known: names of rooms that one may join.
        here: who is logged in. typing: by room, who types, and until when.
        changed: called when there is something else to draw.
    """

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self.changed: Callable[[], None] = lambda: None
        self.reset()

    def reset(self) -> None:
        """Nobody is in."""
        self.me = ""
        self.rooms: dict[str, Talk] = {}
        self.whispers: dict[str, Talk] = {}
        self.known: set[str] = set()
        self.here: set[str] = set()
        self.typing: dict[str, dict[str, datetime]] = {}
        self.current = Talk("GTChat", "start")

    @property
    def talks(self) -> list[Talk]:
        """All conversations, in the order in which they are shown."""
        rooms = sorted(self.rooms.values(), key=lambda talk: talk.name.casefold())
        rooms.sort(key=lambda talk: talk.name != LOBBY)
        return [*rooms, *self.whispers.values()] or [self.current]

    # Where one is.

    def show(self, talk: Talk) -> None:
        """Look at a conversation."""
        if talk is not self.current:
            self.current.gone_from()
            self.current.trim()
        self.current = talk
        if talk.loaded or talk.kind != "room":
            talk.seen()
        self.changed()

    def whispers_with(self, user: str) -> Talk:
        """The whispers with somebody."""
        found = next((t for n, t in self.whispers.items() if n.casefold() == user.casefold()), None)
        if found is None:
            found = self.whispers[user] = Talk(user, "whisper", complete=True, loaded=True)
        return found

    def room_named(self, name: str) -> Talk | None:
        """A room that one is in, whatever case its name is written in."""
        folded = name.casefold()
        return next((talk for n, talk in self.rooms.items() if n.casefold() == folded), None)

    def close(self, talk: Talk) -> None:
        """Forget a conversation."""
        (self.rooms if talk.kind == "room" else self.whispers).pop(talk.name, None)
        if talk is self.current:
            self.show(self.talks[0] if self.rooms else Talk("GTChat", "start"))
        self.changed()

    # What replies tell.

    def came_in(self, reply: Reply) -> None:
        """One has logged in."""
        self.reset()
        self.me = reply.usr
        self.here = {*reply.users, reply.usr}
        for item in reply.rooms:
            self.known.add(item.room_name)
            if item.joined or item.room_name == LOBBY:
                self.entered(item)
        self.show(self.rooms.setdefault(LOBBY, Talk(LOBBY)))

    def entered(self, item: Room) -> Talk:
        """One is in a room, as a list or a reply has it."""
        self.known.add(item.room_name)
        talk = self.rooms.setdefault(item.room_name, Talk(item.room_name))
        talk.topic = item.topic
        talk.tip = max(talk.tip, item.last_seq)
        talk.unread = max(talk.unread, item.unread)
        if item.users:
            talk.members, talk.members_total = set(item.users), item.users_total
        self.changed()
        return talk

    def heard_users(self, reply: Reply) -> None:
        """Who is here, all over the server."""
        self.here = {*reply.users, self.me}
        self.changed()

    def heard_members(self, talk: Talk, reply: Reply) -> None:
        """Who is in a room."""
        talk.members, talk.members_total = set(reply.users), reply.users_total
        self.here |= set(reply.online)
        self.changed()

    def heard_history(self, talk: Talk, reply: Reply) -> None:
        """Entries of a room, older than those that are known, or the newest."""
        for entry in reply.entries:
            talk.add(self._entry(entry))
        talk.complete = not reply.more
        if not talk.loaded:
            talk.loaded = True
            talk.mark_missed(self.me)
            if talk is self.current:
                talk.seen()
        self.changed()

    # What one says.

    def say(self, talk: Talk, text: str) -> Line:
        """One says something, which is under way from now on."""
        line = talk.put(Line("said", text, self._at(), self.me, state="sending"))
        talk.gone_from()
        self.changed()
        return line

    def said(self, talk: Talk, line: Line, reply: Reply) -> None:
        """It is said."""
        talk.settle(
            line,
            reply.seq,
            at=reply.at or line.at,
            state="waiting" if reply.delivered == "stored" else "",
        )
        self.changed()

    def not_said(self, talk: Talk, line: Line, why: str) -> None:
        """It could not be said."""
        talk.settle(line, state="failed", why=why)
        self.changed()

    def note(self, text: str, error: bool = False) -> None:
        """The client tells something."""
        self.current.put(Line("error" if error else "note", text, self._at()))
        self.changed()

    def help(self, rows: Iterable[tuple[str, str]]) -> None:
        """The client tells what can be done, in rows of what is typed and what it does."""
        for typed, what in rows:
            self.current.put(Line("help", what, usr=typed))
        self.changed()

    # What happens.

    def happened(self, what: Event) -> None:
        """Follow what is told."""
        if isinstance(what, Push):
            self._pushed(what)
        elif isinstance(what, RoomReset):
            self._was_reset(what)
        self.changed()

    def _was_reset(self, reset: RoomReset) -> None:
        talk = self.rooms.get(reset.room_name)
        if not reset.gone:
            talk = talk or self.rooms.setdefault(reset.room_name, Talk(reset.room_name))
            talk.clear()
            talk.tip = reset.last_seq
        elif talk is not None:
            self.close(talk)
            self.note(f"you are no longer in {room(reset.room_name)}")

    def _pushed(self, push: Push) -> None:
        if push.cmd == "c_speak":
            self._heard(self.rooms.setdefault(push.room_name, Talk(push.room_name)), push)
        elif push.cmd == "c_whisper":
            talk = self.whispers_with(push.usr)
            line = talk.put(Line("said", push.msg, push.at, push.usr))
            self._count(talk, line)
        elif push.cmd == "c_broadcast":
            self.current.put(Line("broadcast", push.msg, push.at, push.usr))
        elif push.cmd != "c_event":
            self.note(happened(push))
        elif push.type in ("login", "logout", "presence"):
            self._presence(push)
        elif push.type in QUIET:
            self._quiet(push)
        elif push.seq and push.room_name:
            self._in_room(push)
        elif push.type == "room_gone":
            self.known.discard(push.room_name)
            self._out(push)
        else:
            self.note(happened(push))

    def _heard(self, talk: Talk, push: Push) -> None:
        line = self._entry(push)
        if talk.add(line):
            self._count(talk, line)
        self.typing.get(talk.name, {}).pop(push.usr, None)

    def _count(self, talk: Talk, line: Line) -> None:
        """A message has come: is it seen?"""
        if line.usr == self.me:
            return
        if talk is not self.current:
            talk.came(line)
        talk.trim()

    def _presence(self, push: Push) -> None:
        came = {push.usr} if push.type == "login" else set(push.logins)
        went = {push.usr} if push.type == "logout" else set(push.logouts)
        self.here = (self.here - went) | came | {self.me}

    def _quiet(self, push: Push) -> None:
        if push.type == "typing":
            self.typing.setdefault(push.room_name, {})[push.usr] = self._now()
        elif push.type == "marked_read" and (talk := self.rooms.get(push.room_name)):
            talk.read = max(talk.read, push.seq)
            if talk.read >= talk.tip:
                talk.seen()

    def _in_room(self, push: Push) -> None:
        """An entry that is no message: it may change who is in a room, and its topic."""
        name, mine = push.room_name, push.usr == self.me
        if push.type == "room_created":
            self.known.add(name)
        if mine and push.type in OUT:
            self._out(push)
            return
        talk = self.rooms.get(name)
        if talk is None:
            if not (mine and push.type in ("join_room", "room_created")):
                return
            talk = self.rooms[name] = Talk(name)
        talk.add(self._entry(push))
        if push.type == "room_changed":
            talk.topic = push.topic
        elif push.type == "join_room" and push.usr not in talk.members:
            talk.members.add(push.usr)
            talk.members_total += 1
        elif push.type in OUT and push.usr in talk.members:
            talk.members.discard(push.usr)
            talk.members_total -= 1

    def _out(self, push: Push) -> None:
        """One is no longer in a room."""
        talk = self.rooms.get(push.room_name)
        if talk is not None:
            self.close(talk)
            if push.type != "leave_room":
                self.note(happened(push))

    def _entry(self, push: Push) -> Line:
        """An entry of a room's log as a line."""
        if push.cmd != "c_speak":
            return Line("event", happened(push), push.at, seq=push.seq)
        mention = push.usr != self.me and mentions(push.msg, self.me)
        return Line("said", push.msg, push.at, push.usr, push.seq, mention=mention)

    def _at(self) -> str:
        return self._now().isoformat()

    # For those who show it.

    def members(self, talk: Talk) -> set[str]:
        """Who is in a conversation, here or away; in the lobby, all who are here."""
        if talk.kind == "room":
            return self.here if talk.name == LOBBY else talk.members
        return {talk.name, self.me} if talk.kind == "whisper" else set()

    def typists(self) -> list[str]:
        """Who types where one is."""
        now = self._now()
        typing = self.typing.get(self.current.name, {}) if self.current.kind == "room" else {}
        return sorted(n for n, at in typing.items() if (now - at).total_seconds() < TYPING)
