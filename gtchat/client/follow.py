"""Following a room: its history from a position on, then what is pushed, without a gap.

A follower takes a pushed entry only if it is the next one. Wherever a number is missing, it reads
the history from its position on: own entries, which are not pushed, entries of blocked users, and
what came while the connection was lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from unicodedata import normalize

from twisted.internet.defer import Deferred

from gtchat.client.events import Cursor, Entry, RoomReset

#: Entries that all followers together hold, of pages and of pushes; a page of at least MIN_PAGE
#: entries is always asked for.
MAX_HELD = 1_000
MIN_PAGE, MAX_PAGE = 10, 200


def fold(name: str) -> str:
    """Return a name as it is compared."""
    return normalize("NFC", name).casefold()


def parse_cursor(cursor: Cursor | None) -> tuple[str | None, int]:
    """Return epoch and seq of a cursor; without one, the beginning of the log.

    Raises:
        ValueError: it is none.
    """
    if cursor is None:
        return None, 0
    epoch, _, seq = cursor.rpartition(":")
    if not epoch or not (seq.isascii() and seq.isdigit()):
        raise ValueError(f"{cursor!r} is not a cursor")
    return epoch, int(seq)


class FollowBudget:
    """How many entries the followers of a connection hold."""

    def __init__(self) -> None:
        self.held = 0

    def reserve_page(self) -> int:
        """Return how many entries the next page may have; they count until `release`."""
        size = max(MIN_PAGE, min(MAX_PAGE, MAX_HELD - self.held))
        self.held += size
        return size

    def release(self, count: int) -> None:
        """Give back entries that were reserved."""
        self.held -= count


class Follower:
    """The position of one reader in the log of a room, and what it will read next.

    Args:
        position: the last seq that was read.
        budget: shared by all followers of a connection.
        end: the error of a connection that is closed already, or None.

    Attributes:
        position: see there.
        error: of the connection, if it is closed.
        budget: see there.
        was_asked: whether the server was asked for the end of the log.
    """

    def __init__(self, position: int, budget: FollowBudget, end: Exception | None = None) -> None:
        self.position = position
        self.error = end
        self.budget = budget
        self._entries: deque[Entry] = deque()
        self.was_asked = False
        #: The newest seq that the log is known to have.
        self._known = position
        self._reset: RoomReset | None = None
        self._waiter: Deferred[None] | None = None

    # Input.

    def add(self, entry: Entry) -> None:
        """Take an entry that was pushed, or read by the connection."""
        seq = entry.seq or 0
        last = self._entries[-1].seq if self._entries else self.position
        if seq == (last or 0) + 1 and self._reset is None and self.budget.held < MAX_HELD:
            self._hold([entry])
        self.jump(seq)

    def jump(self, seq: int) -> None:
        """Note that the log goes on up to an entry."""
        self._known = max(self._known, seq)
        self._wake()

    def reset(self, reset: RoomReset) -> None:
        """Begin anew, after the reset was read; or end, if the user left."""
        if reset.reason != "left":
            self._drop()
        self._reset = reset
        self._wake()

    def end(self, error: Exception) -> None:
        """End after the entries that wait."""
        self.error = error
        self._wake()

    def add_page(self, entries: Iterable[Entry], more: bool, log_last: int) -> None:
        """Take a page of the history after the position.

        Args:
            entries: oldest first.
            more: whether there are further ones.
            log_last: the end of the log, 0 if the server does not say.
        """
        self._drop()
        new = [entry for entry in entries if (entry.seq or 0) > self.position]
        self._hold(new)
        self.was_asked |= not more or not new
        if new:
            self._known = max(self._known, log_last, new[-1].seq or 0)
        else:  # what is behind the position is of no kind that is known
            self.position = self._known = max(self.position, log_last)

    def _hold(self, entries: list[Entry]) -> None:
        self._entries.extend(entries)
        self.budget.held += len(entries)

    def _drop(self) -> None:
        self.budget.held -= len(self._entries)
        self._entries.clear()

    def close(self) -> None:
        """Give back what is held."""
        self._drop()

    # Output.

    @property
    def is_reset(self) -> bool:
        """Whether a reset is read next: a page that was asked for before is void."""
        return self._reset is not None

    @property
    def needs_page(self) -> bool:
        """Whether the next entry must be read from the history."""
        is_behind = not self.was_asked or self._known > self.position
        return not self._entries and self._reset is None and is_behind

    def take(self) -> Entry | RoomReset | None:
        """Return what is read next, None if it has to be waited for, or read."""
        if self._entries:
            self.budget.held -= 1
            entry = self._entries.popleft()
            self.position = entry.seq or self.position
            return entry
        reset, self._reset = self._reset, None
        if reset is not None:
            self.position, self._known, self.was_asked = 0, 0, False
        return reset

    async def wait(self) -> None:
        """Wait until there is something to read, or the connection is closed."""
        self._waiter = Deferred(self._forget)
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    def _forget(self, _: Deferred[None]) -> None:
        self._waiter = None
