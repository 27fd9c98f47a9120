"""What waits to be written to a client that takes each read for one message."""

from __future__ import annotations

from collections import deque

import attrs

from gtchat.chat.limits import Limits

#: Bytes that such a client reads at once.
READ_SIZE = 4096


@attrs.define(eq=False)
class WriteQueue:
    """What waits to be written to a client.

    Args:
        limits: `outbox_bytes` is used, the most bytes that wait; a line beyond it is left out.

    Attributes:
        size: bytes that wait.
        events: lines that wait and are written alone.
        left_out: lines left out since the last one that was not.
    """

    limits: Limits
    size: int = 0
    events: int = 0
    left_out: int = 0
    _lines: deque[tuple[bytes, bool]] = attrs.field(factory=deque)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def fits(self, data: bytes) -> bool:
        """Return whether there is room for a line."""
        limit = self.limits.outbox_bytes
        return not limit or self.size + len(data) <= limit

    def append(self, data: bytes, alone: bool = False) -> None:
        """Add a line. alone: whether it is written alone."""
        self._lines.append((data, alone))
        self.size += len(data)
        self.events += alone

    def append_first(self, data: bytes) -> None:
        """Add a line that is written alone, before all others."""
        self._lines.appendleft((data, True))
        self.size += len(data)
        self.events += 1

    def take(self) -> bytes:
        """Return what is written next: one line that stays alone, or as many others as fit."""
        line, alone = self._lines.popleft()
        self.size -= len(line)
        if alone:
            self.events -= 1
            return line
        lines, size = [line], len(line)
        while self._lines and not self._lines[0][1]:
            size += 1 + len(self._lines[0][0])
            if size > READ_SIZE:
                break
            line, _ = self._lines.popleft()
            self.size -= len(line)
            lines.append(line)
        return b"\n".join(lines)
