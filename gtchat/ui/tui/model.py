"""What the client knows: buffers, who is online, who is typing, which buffer is current.

Replies and events change it. It sends nothing (see `controller`) and draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone

from gtchat.client import (
    Broadcast,
    Change,
    ChatMessage,
    Direct,
    Entry,
    Event,
    Message,
    Other,
    Presence,
    ReadUpTo,
    Reply,
    ReplyTo,
    Room,
    RoomEvent,
    RoomReset,
    Typing,
    Whisper,
)
from gtchat.ui.commands import LOBBY
from gtchat.ui.descriptions import NOTICES, describe_event
from gtchat.ui.formatting import format_room
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

    def _buffer_of(self, room: str | Direct | None) -> Buffer | None:
        """Return the buffer of what an event is about, None if there is none."""
        if isinstance(room, Direct):
            folded = room.user.casefold()
            return next((b for name, b in self.directs.items() if name.casefold() == folded), None)
        return self.rooms.get(room or "")

    def buffer_at(self, place: Mapping[str, object]) -> Buffer | None:
        """Return the buffer that a request was about. place: its fields."""
        if "target_user" in place:
            return self._buffer_of(Direct(user=str(place["target_user"])))
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
            self.known_rooms.add(room.name)
            if room.joined or room.name == LOBBY:
                self.joined(room).notify = room.notify
        for direct in reply.directs[:MAX_DIRECTS]:
            self._list_direct(direct)
        self.show(self.rooms.setdefault(LOBBY, Buffer(LOBBY)))

    def _list_direct(self, direct: Direct) -> None:
        """Add a direct conversation to the list. What is unread in it comes as events."""
        buffer = self.direct_with(direct.user)
        buffer.notify, buffer.direct_id = direct.notify, (direct.id or 0) if direct.ended else 0

    def joined(self, room: Room) -> Buffer:
        """Return the buffer of a joined room, updated from a reply."""
        self.known_rooms.add(room.name)
        buffer = self.rooms.setdefault(room.name, Buffer(room.name))
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
        buffer.complete, buffer.shortened = not reply.more, reply.log_first > 1
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
        message = entries.own_message(buffer, self.me, text, style, replied)
        line = BufferLine("message", text, self._now(), self.me, state="sending", message=message)
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
        self.current.append(BufferLine("error" if error else "notice", text, self._now()))
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
        if isinstance(event, RoomReset):
            self._handle_reset(event)
        elif isinstance(event, Entry):
            self._handle_entry(event)
        elif isinstance(event, Broadcast):
            self.current.append(BufferLine("broadcast", event.text, event.at, event.user))
        elif isinstance(event, Presence):
            self.online = (self.online - set(event.went)) | set(event.came) | {self.me}
        elif isinstance(event, Typing):
            buffer = self._buffer_of(event.room)
            if buffer is not None:
                buffer.typing[event.user] = self._now()
        elif isinstance(event, ReadUpTo):
            self._handle_mark(event)
        elif isinstance(event, NOTICES):
            self.add_notice(describe_event(event))
        self.changed()

    def _handle_reset(self, reset: RoomReset) -> None:
        buffer = self.rooms.get(reset.room)
        if reset.reason != "left":
            buffer = buffer or self.rooms.setdefault(reset.room, Buffer(reset.room))
            buffer.clear()
            buffer.last_seq = reset.last_seq
        elif buffer is not None:
            self.close(buffer)
            self.add_notice(f"you are no longer in {format_room(reset.room)}")

    def _handle_entry(self, entry: Entry) -> None:
        if isinstance(entry, Message):
            buffer = self.rooms.setdefault(entry.room, Buffer(entry.room))
            self._handle_message(buffer, entry)
        elif isinstance(entry, Whisper):
            self._handle_message(self.direct_with(entry.room.user), entry)
        elif isinstance(entry, Change):
            changed = self._buffer_of(entry.room)
            if changed is not None:
                entries.change_message(changed, entry, self.me)
        elif isinstance(entry, RoomEvent):
            self._handle_room_event(entry)
        elif isinstance(entry, Other) and entry.kind == "notify":
            self.set_notify(self._buffer_of(entry.room), str(entry.raw.get("level", "")))
        else:
            self.add_notice(describe_event(entry))

    def _handle_message(self, buffer: Buffer, message: ChatMessage) -> None:
        """Add a message; it is unread, unless it is an own one or its buffer is shown."""
        line = entries.add_message(buffer, message, self.me)
        buffer.typing.pop(message.user, None)
        if line is not None and line.usr != self.me:
            if buffer is not self.current:
                buffer.count_unread(line)
            buffer.trim()

    def _handle_mark(self, mark: ReadUpTo) -> None:
        """Apply what another session of the user has marked as read."""
        buffer = self._buffer_of(mark.room)
        if buffer is None:
            return
        if mark.read_seq < buffer.read_seq:
            self.marked_unread(buffer, mark.read_seq)
            return
        buffer.read_seq = mark.read_seq
        if buffer.read_seq >= buffer.last_seq:
            buffer.mark_seen()

    def _handle_room_event(self, event: RoomEvent) -> None:
        """Apply an event that may change the members or the topic of a room."""
        own = event.user == self.me
        if event.kind == "room_gone":
            self.known_rooms.discard(event.room)
        elif event.kind == "room_created":
            self.known_rooms.add(event.room)
        if event.kind == "room_gone" or (own and event.kind in LEAVING):
            self._left(event)
            return
        buffer = self.rooms.get(event.room)
        if buffer is None:
            if not (own and event.kind in ("join_room", "room_created")):
                return
            buffer = self.rooms[event.room] = Buffer(event.room)
        buffer.add_entry(entries.entry_line(event, self.me))
        if event.kind == "room_changed":
            buffer.topic = event.topic or ""
        elif event.kind == "join_room" and event.user not in buffer.members:
            buffer.members.add(event.user or "")
            buffer.members_total += 1
        elif event.kind in LEAVING and event.user in buffer.members:
            buffer.members.discard(event.user)
            buffer.members_total -= 1

    def _left(self, event: RoomEvent) -> None:
        """Close the buffer of a room that the user is no longer in; say why."""
        buffer = self.rooms.get(event.room)
        if buffer is not None:
            self.close(buffer)
            if event.kind != "leave_room":
                self.add_notice(describe_event(event))

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
