"""One conversation, in a room or with one person: its lines in their order, and who is in it.

An entry of a room stands where its `seq` says. What has none stands where it came: notes behind
the entry that was the last then, one's own messages that are under way behind everything.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from itertools import count
from math import inf
from typing import Any, Literal

import attrs

#: Lines of a conversation that are kept; those before come from the server again.
LINES_MOST = 1_000
#: What one's own message is at.
State = Literal["", "sending", "waiting", "failed"]

_numbers = count(1)


def _order(line: Line) -> tuple[float, int]:
    return line.seq, line.number


@attrs.frozen(eq=False)
class Line:
    """Something to show, as it came: nothing here is safe for a terminal.

    Attributes:
        kind: what somebody said (also to everybody), an event, a note of the client's, an error,
            a row of the help, whose `usr` is what one types.
        seq: of an entry; of others where they stand. at: RFC 3339.
        state: `sending`, `waiting` for somebody who is away, `failed`; "" for done. why: it failed.
        mention: whether it names the reader. number: what it is known by while it changes.
    """

    kind: Literal["said", "broadcast", "event", "note", "error", "help"]
    text: str
    at: str = ""
    usr: str = ""
    seq: float = 0
    state: State = ""
    why: str = ""
    mention: bool = False
    number: int = attrs.field(factory=lambda: next(_numbers))


@attrs.define(eq=False)
class Talk:
    """A room, the whispers with one person, or the place before one has come in.

    Attributes:
        name: of the room or person. kind: which of these.
        lines: in their order. version: changes with them.
        unread: messages that were not seen. mentioned: whether one names the reader.
        new_from: the number of the first line that is new; 0: none is.
        members: names, where it is a room. members_total: how many there are in all.
        loaded: whether its newest entries were asked for. complete: whether it has the oldest.
        looked: whether it was asked who is in it.
        loading: whether some are on their way. tip: the newest that there is, be it here or not.
        read: the last entry that was seen. held: whether the reader looks at what was before.
    """

    name: str
    kind: Literal["room", "whisper", "start"] = "room"
    topic: str = ""
    lines: list[Line] = attrs.field(factory=list)
    version: int = 0
    unread: int = 0
    mentioned: bool = False
    new_from: int = 0
    members: set[str] = attrs.field(factory=set)
    members_total: int = 0
    loaded: bool = False
    complete: bool = False
    loading: bool = False
    looked: bool = False
    tip: int = 0
    read: int = 0
    held: bool = False
    _seqs: set[float] = attrs.field(factory=set)

    @property
    def first(self) -> int:
        """The seq of its oldest entry; 0: there is none."""
        return int(min(self._seqs, default=0))

    def add(self, line: Line) -> bool:
        """Add an entry where it belongs, unless it is here; whether it was not."""
        if line.seq in self._seqs:
            return False
        self._seqs.add(line.seq)
        self.tip = max(self.tip, int(line.seq))
        insort(self.lines, line, key=_order)
        self.version += 1
        return True

    def put(self, line: Line) -> Line:
        """Add, behind what is here, what is no entry: a note, a whisper; as it stands there."""
        line = attrs.evolve(line, seq=inf if line.state == "sending" else self._behind())
        insort(self.lines, line, key=_order)
        self.version += 1
        return line

    def _behind(self) -> float:
        """Where something stands that comes now and is no entry."""
        at = bisect_left(self.lines, inf, key=lambda line: line.seq)
        return max(self.tip, int(self.lines[at - 1].seq) if at else 0) + 0.5

    def settle(self, line: Line, seq: int = 0, **changes: Any) -> None:
        """One's own message is no longer under way.

        Args:
            seq: that it has got; 0: it has none.
        """
        self.lines = [kept for kept in self.lines if kept.number != line.number]
        self.version += 1
        new = attrs.evolve(line, seq=seq or self._behind(), **changes)
        if seq:
            self.add(new)
        else:
            insort(self.lines, new, key=_order)

    def clear(self) -> None:
        """Forget the entries: the log is another one. What is under way stays."""
        self.lines = [line for line in self.lines if line.seq == inf]
        self._seqs.clear()
        self.loaded = self.complete = self.loading = False
        self.new_from = self.tip = 0
        self.version += 1

    def trim(self) -> None:
        """Forget the oldest lines of many."""
        if self.held or len(self.lines) <= LINES_MOST * 3 // 2:
            return
        gone, self.lines = self.lines[:-LINES_MOST], self.lines[-LINES_MOST:]
        self._seqs.difference_update(line.seq for line in gone)
        self.complete = False
        self.version += 1

    # Reading.

    def came(self, line: Line) -> None:
        """Count a message that is not seen yet."""
        self.unread += 1
        self.mentioned |= line.mention
        self.new_from = self.new_from or line.number

    def mark_missed(self, me: str) -> None:
        """Mark where those begin that others said and that are not seen."""
        said = [line for line in self.lines if line.kind == "said" and line.usr != me]
        if self.unread and said:
            self.new_from = said[-min(self.unread, len(said))].number
            self.version += 1

    def seen(self) -> None:
        """All is seen; the mark of what is new stays until the reader goes."""
        self.unread, self.mentioned = 0, False

    def gone_from(self) -> None:
        """The reader has gone to another conversation."""
        self.new_from, self.held = 0, False
        self.version += 1


def mentions(text: str, name: str) -> bool:
    """Whether a text names somebody, as a word of its own."""
    return bool(name) and name_pattern(name).search(text) is not None


def name_pattern(name: str) -> re.Pattern[str]:
    """What finds a name in a text."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
