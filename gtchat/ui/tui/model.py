"""What the client knows: buffers, who is online, who is typing, which buffer is current.

Replies and events change it. It sends nothing (see `controller`) and draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone

from gtchat.client.messages import Direct, Event, Push, Reply, ReplyTo, Room, RoomReset
from gtchat.client.typed_events import is_change
from gtchat.ui.commands import LOBBY
from gtchat.ui.formatting import format_room
from gtchat.ui.rendering import HIDDEN_EVENTS, describe_push
from gtchat.ui.tui import entries
from gtchat.ui.tui.buffer import Buffer, BufferLine

#: Seconds for which a user counts as typing after a notification.
TYPING_TIMEOUT = 5.0
#: Direct conversations that are in the list after a login: the newest ones, and what is unread.
MAX_DIRECTS = 20
#: Types of events after which a user is no longer a member.
LEAVING = frozenset({"leave_room", "kicked", "removed"})


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Model:
    """The data of the client.

    Args:
        now: returns the current time, aware.

    Attributes:
        me: name of the user; "" before the login.
        current: the buffer that is shown.
        rooms: buffers of joined rooms, by name.
        directs: buffers of direct messages, by the other user's name.
        known_rooms: names of all rooms heard of, for completion.
        online: names of users who are logged in.
        numbers: whether the numbers of messages are shown.
        changed: called after each change.
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self.changed: Callable[[], None] = lambda: None
        self.reset()

    def reset(self) -> None:
        """Return to the state before the login."""
        self.me = ""
        self.rooms: dict[str, Buffer] = {}
        self.directs: dict[str, Buffer] = {}
        self.known_rooms: set[str] = set()
        self.online: set[str] = set()
        self.current = Buffer("GTChat", "start")
        self.numbers = False

    @property
    def buffers(self) -> list[Buffer]:
        """All buffers in the order of the list: the lobby, other rooms, direct messages."""
        rooms = sorted(self.rooms.values(), key=lambda buffer: buffer.name.casefold())
        rooms.sort(key=lambda buffer: buffer.name != LOBBY)
        return [*rooms, *self.directs.values()] or [self.current]

    # The current buffer.

    def show(self, buffer: Buffer) -> None:
        """Make a buffer the current one."""
        if buffer is not self.current:
            self.current.hide()
            self.current.trim()
        self.current = buffer
        if buffer.loaded or buffer.kind != "room":
            buffer.mark_seen()
        self.changed()

    def direct_with(self, user: str) -> Buffer:
        """Return the buffer of direct messages with a user; make it if there is none."""
        folded = user.casefold()
        found = next((b for name, b in self.directs.items() if name.casefold() == folded), None)
        if found is None:
            found = self.directs[user] = Buffer(user, "direct")
        return found

    def _buffer_of(self, push: Push) -> Buffer | None:
        """Return the buffer that an event is about, None if there is none."""
        if push.target_user:
            folded = push.target_user.casefold()
            return next((b for name, b in self.directs.items() if name.casefold() == folded), None)
        return self.rooms.get(push.room_name)

    def buffer_at(self, place: Mapping[str, object]) -> Buffer | None:
        """Return the buffer that a request was about. place: its fields."""
        if "target_user" in place:
            return self._buffer_of(Push(cmd="", target_user=str(place["target_user"])))
        return self.find_room(str(place.get("room_name", "")))

    def find_room(self, name: str) -> Buffer | None:
        """Return the buffer of a joined room, or None. name: in any case."""
        folded = name.casefold()
        return next((b for room, b in self.rooms.items() if room.casefold() == folded), None)

    def close(self, buffer: Buffer) -> None:
        """Remove a buffer."""
        (self.rooms if buffer.kind == "room" else self.directs).pop(buffer.name, None)
        if buffer is self.current:
            self.show(self.buffers[0] if self.rooms else Buffer("GTChat", "start"))
        self.changed()

    # Replies.

    def logged_in(self, reply: Reply) -> None:
        """Start over with the reply to a login."""
        self.reset()
        self.me = reply.usr
        self.online = {*reply.users, reply.usr}
        for room in reply.rooms:
            self.known_rooms.add(room.room_name)
            if room.joined or room.room_name == LOBBY:
                self.joined(room).notify = room.notify
        for direct in reply.directs[:MAX_DIRECTS]:
            self._list_direct(direct)
        self.show(self.rooms.setdefault(LOBBY, Buffer(LOBBY)))

    def _list_direct(self, direct: Direct) -> None:
        """Add a direct conversation to the list. What is unread in it comes as events."""
        buffer = self.direct_with(direct.usr)
        buffer.notify, buffer.direct_id = direct.notify, direct.id if direct.ended else 0

    def joined(self, room: Room) -> Buffer:
        """Return the buffer of a joined room, updated from a reply."""
        self.known_rooms.add(room.room_name)
        buffer = self.rooms.setdefault(room.room_name, Buffer(room.room_name))
        buffer.topic = room.topic
        buffer.last_seq = max(buffer.last_seq, room.last_seq)
        buffer.read_seq = max(buffer.read_seq, room.read_seq)
        buffer.unread = max(buffer.unread, room.unread)
        buffer.mentioned |= room.mentions > 0
        if room.users:
            buffer.members, buffer.members_total = set(room.users), room.users_total
        self.changed()
        return buffer

    def set_users(self, reply: Reply) -> None:
        """Take who is online from the reply to `get_user_list`."""
        self.online = {*reply.users, self.me}
        self.changed()

    def set_members(self, buffer: Buffer, reply: Reply) -> None:
        """Take the members of a room from a reply.

        Args:
            buffer: of the room.
            reply: to `get_room_user_list`.
        """
        buffer.members, buffer.members_total = set(reply.users), reply.users_total
        self.online |= set(reply.online)
        self.changed()

    def add_history(self, buffer: Buffer, reply: Reply) -> None:
        """Insert a page of a history.

        Args:
            buffer: of the room or direct conversation.
            reply: to `history`, with the newest entries or those before the ones loaded.
        """
        entries.add_entries(buffer, reply.entries, self.me)
        buffer.complete = not reply.more
        if not buffer.loaded:
            buffer.loaded = True
            buffer.mark_unread(self.me)
            if buffer is self.current:
                buffer.mark_seen()
        self.changed()

    def marked_unread(self, buffer: Buffer | None, read_seq: int) -> None:
        """Show that a room or direct conversation was marked as unread.

        This client sends no mark for what it has shown so far, or it would be read at once.

        Args:
            buffer: of the room or direct conversation; None if it has none.
            read_seq: the last entry that counts as read.
        """
        if buffer is not None:
            buffer.set_unread(read_seq, self.me)
            self.changed()

    def set_notify(self, buffer: Buffer | None, level: str) -> None:
        """Take note of which messages of a buffer the user is notified. buffer: None for none."""
        if buffer is not None:
            buffer.notify = level
            self.changed()

    # Own messages and notices.

    def add_own_message(
        self, buffer: Buffer, text: str, style: str = "", replied: ReplyTo | None = None
    ) -> BufferLine:
        """Add a message that is being sent, and return its line.

        Args:
            buffer: where it is sent.
            text: of the message.
            style: "action" for what the user does.
            replied: what it replies to.
        """
        at = self._timestamp()
        message = Push(cmd="", usr=self.me, msg=text, at=at, style=style, reply=replied)
        line = BufferLine("message", text, at, self.me, state="sending", message=message)
        line = entries.quoting(buffer, buffer.append(line))
        buffer.hide()
        self.changed()
        return line

    def message_sent(self, buffer: Buffer, line: BufferLine, reply: Reply) -> None:
        """Mark an own message as sent.

        Args:
            buffer: where it was sent.
            line: its line.
            reply: to `speak` or `whisper`.
        """
        entries.finish_sending(buffer, line, reply)
        self.changed()

    def message_failed(self, buffer: Buffer, line: BufferLine, error: str) -> None:
        """Mark an own message as not sent.

        Args:
            buffer: where it should have been sent.
            line: its line.
            error: the reason.
        """
        buffer.finish_sending(line, state="failed", error=error)
        self.changed()

    def add_notice(self, text: str, error: bool = False) -> None:
        """Add a line of this client to the current buffer.

        Args:
            text: one line.
            error: whether it is an error message.
        """
        self.current.append(BufferLine("error" if error else "notice", text, self._timestamp()))
        self.changed()

    def add_help(self, rows: Iterable[tuple[str, str]]) -> None:
        """Add rows of the help, and let the view begin at the first of them.

        Args:
            rows: what to type, what it does.
        """
        lines = [self.current.append(BufferLine("help", text, usr=typed)) for typed, text in rows]
        self.current.show_from = lines[0].number if lines else 0
        self.changed()

    # Events.

    def handle_event(self, event: Event) -> None:
        """Apply an event."""
        if isinstance(event, Push):
            self._handle_push(event)
        elif isinstance(event, RoomReset):
            self._handle_reset(event)
        self.changed()

    def _handle_reset(self, reset: RoomReset) -> None:
        buffer = self.rooms.get(reset.room_name)
        if not reset.gone:
            buffer = buffer or self.rooms.setdefault(reset.room_name, Buffer(reset.room_name))
            buffer.clear()
            buffer.last_seq = reset.last_seq
        elif buffer is not None:
            self.close(buffer)
            self.add_notice(f"you are no longer in {format_room(reset.room_name)}")

    def _handle_push(self, push: Push) -> None:
        if push.cmd == "c_speak":
            buffer = self.rooms.setdefault(push.room_name, Buffer(push.room_name))
            self._handle_message(buffer, push)
        elif push.cmd == "c_whisper":
            own = push.usr == self.me and push.to
            self._handle_message(self.direct_with(push.to if own else push.usr), push)
        elif push.cmd == "c_broadcast":
            self.current.append(BufferLine("broadcast", push.msg, push.at, push.usr))
        elif push.cmd != "c_event":
            self.add_notice(describe_push(push))
        elif push.type in ("login", "logout", "presence"):
            self._handle_presence(push)
        elif push.type in HIDDEN_EVENTS:
            self._handle_hidden(push)
        elif is_change(push):
            changed = self._buffer_of(push)
            if changed is not None:
                entries.change_message(changed, push, self.me)
        elif push.seq and push.room_name:
            self._handle_room_entry(push)
        elif push.type == "room_gone":
            self.known_rooms.discard(push.room_name)
            self._left(push)
        else:
            self.add_notice(describe_push(push))

    def _handle_message(self, buffer: Buffer, push: Push) -> None:
        line = entries.add_message(buffer, push, self.me)
        if line is not None:
            self._count_unread(buffer, line)
        buffer.typing.pop(push.usr, None)

    def _count_unread(self, buffer: Buffer, line: BufferLine) -> None:
        """Count a message as unread, unless it is an own one or its buffer is shown."""
        if line.usr == self.me:
            return
        if buffer is not self.current:
            buffer.count_unread(line)
        buffer.trim()

    def _handle_presence(self, push: Push) -> None:
        logins = {push.usr} if push.type == "login" else set(push.logins)
        logouts = {push.usr} if push.type == "logout" else set(push.logouts)
        self.online = (self.online - logouts) | logins | {self.me}

    def _handle_hidden(self, push: Push) -> None:
        """Apply a typing notification, or what another session of the user has set."""
        buffer = self._buffer_of(push)
        if buffer is None:
            return
        if push.type == "typing":
            buffer.typing[push.usr] = self._now()
        elif push.type == "marked_read":
            if push.read_seq < buffer.read_seq:
                self.marked_unread(buffer, push.read_seq)
                return
            buffer.read_seq = push.read_seq
            if buffer.read_seq >= buffer.last_seq:
                buffer.mark_seen()
        elif push.type == "notify":
            self.set_notify(buffer, push.level)

    def _handle_room_entry(self, push: Push) -> None:
        """Apply an entry that is no message: it may change the members or the topic."""
        name, own = push.room_name, push.usr == self.me
        if push.type == "room_created":
            self.known_rooms.add(name)
        if own and push.type in LEAVING:
            self._left(push)
            return
        buffer = self.rooms.get(name)
        if buffer is None:
            if not (own and push.type in ("join_room", "room_created")):
                return
            buffer = self.rooms[name] = Buffer(name)
        buffer.add_entry(entries.entry_line(push, self.me))
        if push.type == "room_changed":
            buffer.topic = push.topic
        elif push.type == "join_room" and push.usr not in buffer.members:
            buffer.members.add(push.usr)
            buffer.members_total += 1
        elif push.type in LEAVING and push.usr in buffer.members:
            buffer.members.discard(push.usr)
            buffer.members_total -= 1

    def _left(self, push: Push) -> None:
        """Close the buffer of a room that the user is no longer in; say why."""
        buffer = self.rooms.get(push.room_name)
        if buffer is not None:
            self.close(buffer)
            if push.type != "leave_room":
                self.add_notice(describe_push(push))

    def _timestamp(self) -> str:
        return self._now().isoformat()

    # Queries.

    def is_open(self, buffer: Buffer) -> bool:
        """Return whether a buffer is still in the list."""
        return buffer in self.buffers

    def members(self, buffer: Buffer) -> set[str]:
        """Return the members of a buffer, online or not; in the lobby all users online."""
        if buffer.kind == "room":
            return self.online if buffer.name == LOBBY else buffer.members
        return {buffer.name, self.me} if buffer.kind == "direct" else set()

    def typing_users(self) -> list[str]:
        """Return who is typing in the current room or direct conversation, sorted."""
        now = self._now()
        typing = self.current.typing.items()
        return sorted(n for n, at in typing if (now - at).total_seconds() < TYPING_TIMEOUT)
