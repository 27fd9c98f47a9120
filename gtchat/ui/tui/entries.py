"""Messages in a buffer: their lines, their changes, what they reply to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import attrs
from msgspec import structs

from gtchat.client import (
    Change,
    ChatMessage,
    Direct,
    Entry,
    Event,
    Message,
    Reply,
    ReplyTo,
    RoomEvent,
    Whisper,
    apply_change,
)
from gtchat.ui.descriptions import describe_event
from gtchat.ui.tui.buffer import Buffer, BufferLine, mentions

#: Characters of a message that are quoted above a reply to it.
QUOTE_CHARS = 60


def own_message(
    buffer: Buffer, me: str, text: str, style: str, replied: ReplyTo | None
) -> ChatMessage:
    """Return a message that is being sent.

    Args:
        buffer: where it is sent.
        me: name of the user.
        text: of the message.
        style: "action" for what the user does.
        replied: what it replies to.
    """
    if buffer.kind == "room":
        return Message(room=buffer.name, user=me, text=text, style=style or None, reply=replied)
    room = Direct(user=buffer.name)
    message = Whisper(room=room, to=buffer.name, user=me, text=text, style=style or None)
    return structs.replace(message, reply=replied)


def entry_line(entry: Entry, me: str) -> BufferLine:
    """Return the line of an entry of a log. me: name of the user."""
    if not isinstance(entry, ChatMessage) or entry.blocked:
        return BufferLine("event", describe_event(entry), entry.at, seq=entry.seq or 0)
    line = BufferLine("message", "", entry.at, entry.user, entry.seq or 0)
    return _with_message(line, entry, me)


def _with_message(line: BufferLine, message: ChatMessage, me: str) -> BufferLine:
    """Return a line with a message, which may have changed."""
    may_mention = isinstance(message, Message) and message.user != me
    is_mention = may_mention and mentions(message.text, me)
    return attrs.evolve(line, text=message.text, mention=is_mention, message=message)


def finish_sending(buffer: Buffer, line: BufferLine, reply: Reply) -> None:
    """Replace the line of an own message that is stored now.

    Args:
        buffer: where it was sent.
        line: its line.
        reply: to `speak` or `whisper`.
    """
    assert line.message is not None, "it was being sent"
    seq = reply.seq or 0
    is_direct = buffer.kind == "direct"
    message = structs.replace(line.message, id=reply.id, seq=reply.seq, at=reply.at or line.at)
    message = _present(buffer, message, line.usr)
    # The numbers of direct messages begin again with another account of the same name.
    is_next = not is_direct or seq > buffer.last_seq
    buffer.finish_sending(
        line,
        seq if is_next else 0,
        text=message.text,
        at=message.at,
        state="stored" if reply.delivered == "stored" else "",
        message=message,
    )
    if is_direct:
        buffer.last_seq = buffer.read_seq = seq
    quote(buffer)


def add_entries(buffer: Buffer, entries: Iterable[Event], me: str) -> None:
    """Insert entries of a page of history, with the changes that came before the page did."""
    known = {line.message.id for line in buffer.lines if line.message is not None}
    for entry in entries:
        if isinstance(entry, ChatMessage):
            if not entry.id or entry.id not in known:
                buffer.add_entry(entry_line(_present(buffer, entry, me), me))
        elif isinstance(entry, Entry):
            buffer.add_entry(entry_line(entry, me))
    quote(buffer)


def add_message(buffer: Buffer, message: ChatMessage, me: str) -> BufferLine | None:
    """Add a message that was pushed, and return its line, None if it is there already.

    The numbers of direct messages begin again with another account of the same name: such a
    message is placed at the end.
    """
    line = entry_line(message, me)
    if buffer.kind == "direct" and (message.seq or 0) <= buffer.last_seq:
        ids = (kept.message.id for kept in buffer.lines if kept.message is not None)
        if message.id and message.id in ids:
            return None
        line = buffer.append(line)
        buffer.last_seq = message.seq or buffer.last_seq
    elif not buffer.add_entry(line):
        return None
    if message.reply is not None:
        quote(buffer)
    return line


def change_message(buffer: Buffer, change: Change, me: str) -> None:
    """Change a message, if its line is there; else when a page of history has it."""
    buffer.last_seq = max(buffer.last_seq, change.seq or 0)
    buffer.changes.append(change)
    line = buffer.find(change.of)
    if line is None or line.message is None:
        return
    message = apply_change(line.message, change, me)
    was_unread = line.usr != me and line.seq > buffer.read_seq
    if message.deleted is not None and line.message.deleted is None and was_unread:
        buffer.unread = max(0, buffer.unread - 1)
    buffer.replace(_with_message(line, message, me))
    quote(buffer)


def _present(buffer: Buffer, message: ChatMessage, me: str) -> ChatMessage:
    for change in buffer.changes:
        message = apply_change(message, change, me)
    return message


def quote(buffer: Buffer) -> None:
    """Give each line of a reply what it replies to, as that is now."""
    originals = {line.message.seq: line for line in buffer.lines if line.message is not None}
    for line in list(buffer.lines):
        if line.message is not None and line.message.reply is not None:
            _set_quote(buffer, line, originals.get(line.message.reply.seq))


def quoting(buffer: Buffer, line: BufferLine) -> BufferLine:
    """Give a line what it replies to, if it is a reply; return the line as it is then."""
    if line.message is None or line.message.reply is None:
        return line
    return _set_quote(buffer, line, buffer.find(line.message.reply.seq))


def _set_quote(buffer: Buffer, line: BufferLine, original: BufferLine | None) -> BufferLine:
    text = "" if original is None else _quoted(original)
    if text != line.quote:
        line = attrs.evolve(line, quote=text)
        buffer.replace(line)
    return line


def _quoted(line: BufferLine) -> str:
    if line.message is not None and line.message.deleted is not None:
        return "(deleted)"
    text = line.text.split("\n", 1)[0]
    return text if len(text) <= QUOTE_CHARS else text[:QUOTE_CHARS] + "…"


#: Command that changes a room, but not that the user is in it -> kind of the entry.
OWN_CHANGES = {
    "set_room": "room_changed",
    "add_member": "join_room",
    "remove_member": "removed",
    "kick": "kicked",
    "ban": "kicked",
    "set_role": "role",
    "mute": "muted",
    "unmute": "unmuted",
    "unban": "unbanned",
}


#: Settings of a room that a reply has only where they are set.
MODERATION_SETTINGS = ("moderated", "slow", "keep_messages", "keep_days")


def own_change(request: Mapping[str, Any], reply: Reply, me: str) -> RoomEvent | None:
    """Return the entry of a change of a room, which the server does not push to who asked for it.

    Args:
        request: the fields of the request.
        reply: its reply, with status `ok`.
        me: name of the user.

    Returns:
        The entry; None for another command, or if no entry was made.
    """
    kind = OWN_CHANGES.get(reply.last_cmd)
    if kind is None or not reply.seq:
        return None
    entry = RoomEvent(kind=kind, room=str(request.get("room_name", "")), seq=reply.seq, at=reply.at)
    if kind == "room_changed" and reply.room is not None:
        room = reply.room
        settings = {name: getattr(room, name) for name in ("public", "topic", "max", "owner")}
        told = reply.raw.get("room", {})
        settings |= {name: told[name] for name in MODERATION_SETTINGS if name in told}
        return structs.replace(entry, user=me, **settings)
    by = None if kind == "join_room" else me
    if reason := request.get("reason"):
        entry = structs.replace(entry, reason=str(reason))
    if reply.at is not None and (seconds := request.get("seconds")):
        entry = structs.replace(entry, until=reply.at + timedelta(seconds=float(seconds)))
    if reply.last_cmd == "ban":
        entry = structs.replace(entry, banned=True)
    if role := request.get("role"):
        entry = structs.replace(entry, role=str(role))
    return structs.replace(entry, user=str(request.get("user", "")), by=by)
