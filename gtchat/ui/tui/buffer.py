"""A buffer: the lines of one conversation in order, its members and what is unread.

Entries of a room are ordered by their `seq`. Lines without one are placed where they arrived:
notices after the entry that was the last one then, own messages that are being sent at the end.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections import deque
from datetime import datetime
from itertools import count
from math import inf
from typing import Any, Literal

import attrs

from gtchat.client import Change, ChatMessage

#: Lines kept in a buffer; older ones are loaded from the server again.
MAX_LINES = 1_000
#: Changes of messages that are kept for messages whose page of history is on its way.
MAX_CHANGES = 200
#: State of an own message; `stored`: the recipient is offline and gets it at the next login.
State = Literal["", "sending", "stored", "failed"]

_numbers = count(1)


def _order(line: BufferLine) -> tuple[float, int]:
    return line.seq, line.number


@attrs.frozen(eq=False)
class BufferLine:
    """A line as it was received; control characters are not escaped.

    Attributes:
        kind: a message, a broadcast, an event, a notice or an error of this client, or a row of
            the help, whose `usr` is what to type.
        text: may contain newlines.
        at: time, aware; None for none.
        usr: the sender.
        seq: number of an entry; for other lines the position among the entries.
        state: of an own message.
        error: why it failed.
        mention: whether it contains the user's name.
        message: the message as it is now, without `seq` while it is being sent; None for others.
        quote: what it replies to; "" for no reply, and where that is not there.
        number: identifies the line while it changes.
    """

    kind: Literal["message", "broadcast", "event", "notice", "error", "help"]
    text: str
    at: datetime | None = None
    usr: str = ""
    seq: float = 0
    state: State = ""
    error: str = ""
    mention: bool = False
    message: ChatMessage | None = None
    quote: str = ""
    number: int = attrs.field(factory=lambda: next(_numbers))


@attrs.define(eq=False)
class Buffer:
    """A room, the direct messages with one user, or the start page before the login.

    Attributes:
        name: of the room or user.
        kind: which of the three.
        topic: of the room.
        lines: in order.
        version: changes with the lines.
        unread: number of unread messages.
        mentioned: whether one of them contains the user's name.
        notify: of which messages the user is notified: all, mentions or none.
        new_from: number of the first new line; 0: none.
        members: names, in a room.
        members_total: number of members.
        loaded: whether the newest entries were requested.
        complete: whether the oldest entry is there.
        shortened: whether there were older ones, which are removed.
        loading: whether a page of the history is on its way.
        members_requested: whether the members were requested.
        last_seq: the newest entry of the room, loaded or not.
        read_seq: the last entry that the user has read.
        scrolled_back: whether the user looks at older lines.
        show_from: number of the line that the view has to scroll to; 0: none.
        selected: number of the line that the user has selected; 0: none.
        direct_id: id of a direct conversation that can only be read; 0: none.
        changes: the last changes of messages, oldest first.
        typing: the time of the last typing notification of each user.
    """

    name: str
    kind: Literal["room", "direct", "start"] = "room"
    topic: str = ""
    lines: list[BufferLine] = attrs.field(factory=list)
    version: int = 0
    unread: int = 0
    mentioned: bool = False
    notify: str = "all"
    new_from: int = 0
    members: set[str] = attrs.field(factory=set)
    members_total: int = 0
    loaded: bool = False
    complete: bool = False
    shortened: bool = False
    loading: bool = False
    members_requested: bool = False
    last_seq: int = 0
    read_seq: int = 0
    scrolled_back: bool = False
    show_from: int = 0
    selected: int = 0
    direct_id: int = 0
    changes: deque[Change] = attrs.field(factory=lambda: deque(maxlen=MAX_CHANGES))
    typing: dict[str, datetime] = attrs.field(factory=dict)
    _seqs: set[float] = attrs.field(factory=set)

    @property
    def place(self) -> dict[str, str | int]:
        """The fields of a request about it."""
        if self.direct_id:
            return {"direct": self.direct_id}
        return {"room_name" if self.kind == "room" else "target_user": self.name}

    def find(self, seq: int) -> BufferLine | None:
        """Return the line of a message, the newest one with its number; None if it is not there."""
        for line in reversed(self.lines):
            if line.message is not None and line.message.seq == seq:
                return line
        return None

    def replace(self, line: BufferLine) -> None:
        """Put a line in the place of that with the same number."""
        self.lines = [line if one.number == line.number else one for one in self.lines]
        self.version += 1

    @property
    def messages(self) -> list[BufferLine]:
        """The lines of messages that commands can be about."""
        stored = (line for line in self.lines if line.message is not None and line.message.seq)
        return [line for line in stored if line.message and line.message.deleted is None]

    def select(self, step: int) -> None:
        """Select a message: the newest at first, then the one before (-1) or after (1)."""
        numbers = [line.number for line in self.messages]
        if self.selected in numbers:
            at = numbers.index(self.selected) + step
            self.selected = numbers[max(0, at)] if at < len(numbers) else 0
        else:
            self.selected = numbers[-1] if numbers and step < 0 else 0
        self.show_from = self.selected

    @property
    def first_seq(self) -> int:
        """The oldest entry that is loaded; 0: none."""
        return int(min(self._seqs, default=0))

    def add_entry(self, line: BufferLine) -> bool:
        """Insert an entry in order; return False if it was there already."""
        if line.seq in self._seqs:
            return False
        self._seqs.add(line.seq)
        self.last_seq = max(self.last_seq, int(line.seq))
        insort(self.lines, line, key=_order)
        self.version += 1
        return True

    def append(self, line: BufferLine) -> BufferLine:
        """Add a line that is no entry after the present ones; return it with its position."""
        line = attrs.evolve(line, seq=inf if line.state == "sending" else self._end_position())
        insort(self.lines, line, key=_order)
        self.version += 1
        return line

    def _end_position(self) -> float:
        """Return the position after the last entry and before the messages being sent."""
        at = bisect_left(self.lines, inf, key=lambda line: line.seq)
        return max(self.last_seq, int(self.lines[at - 1].seq) if at else 0) + 0.5

    def finish_sending(self, line: BufferLine, seq: int = 0, **changes: Any) -> None:
        """Replace an own message that was being sent.

        Args:
            line: as it was added.
            seq: number of the entry that it became; 0: none.
            changes: new values of its other attributes.
        """
        self.lines = [kept for kept in self.lines if kept.number != line.number]
        self.version += 1
        new = attrs.evolve(line, seq=seq or self._end_position(), **changes)
        if seq:
            self.add_entry(new)
        else:
            insort(self.lines, new, key=_order)

    def clear(self) -> None:
        """Remove all lines, because the room was reset; keep messages that are being sent."""
        self.lines = [line for line in self.lines if line.seq == inf]
        self._seqs.clear()
        self.changes.clear()
        self.loaded = self.complete = self.loading = False
        self.new_from = self.last_seq = self.read_seq = 0
        self.version += 1

    def trim(self) -> None:
        """Remove the oldest lines above MAX_LINES, unless the user is looking at older ones."""
        if self.scrolled_back or len(self.lines) <= MAX_LINES * 3 // 2:
            return
        removed, self.lines = self.lines[:-MAX_LINES], self.lines[-MAX_LINES:]
        self._seqs.difference_update(line.seq for line in removed)
        self.complete = False
        self.version += 1

    # Unread messages.

    @property
    def is_new(self) -> bool:
        """Whether there are unread messages of which the user wants to be notified."""
        wanted = self.notify == "all" or (self.notify == "mentions" and self.mentioned)
        return self.unread > 0 and wanted

    def count_unread(self, line: BufferLine) -> None:
        """Count a message that arrived while another buffer was shown."""
        self.unread += 1
        self.mentioned |= line.mention
        self.new_from = self.new_from or line.number

    def mark_unread(self, me: str) -> None:
        """Place the mark of new lines before the unread messages. me: name of the user."""
        messages = [line for line in self.lines if line.kind == "message" and line.usr != me]
        if self.unread and messages:
            self.new_from = messages[-min(self.unread, len(messages))].number
            self.version += 1

    def set_unread(self, read_seq: int, me: str) -> None:
        """Count what is behind an entry as unread, which the user has seen.

        Args:
            read_seq: the last entry that counts as read.
            me: name of the user.
        """
        self.read_seq = self.last_seq
        new = [line for line in self.messages if line.usr != me]
        new = [line for line in new if line.message and (line.message.seq or 0) > read_seq]
        self.unread, self.mentioned = len(new), any(line.mention for line in new)
        self.mark_unread(me)

    def mark_seen(self) -> None:
        """Reset the count of unread messages; the mark of new lines stays until `hide`."""
        self.unread, self.mentioned = 0, False

    def hide(self) -> None:
        """Remove the mark of new lines: another buffer is shown, or the user sent a message."""
        self.new_from, self.scrolled_back, self.selected = 0, False, 0
        self.version += 1


def mentions(text: str, name: str) -> bool:
    """Return whether a text contains a name as a word.

    Args:
        text: of a message.
        name: of a user; "" for none.
    """
    return bool(name) and name_pattern(name).search(text) is not None


def name_pattern(name: str) -> re.Pattern[str]:
    """Return a pattern that finds a name as a word, in any case."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
