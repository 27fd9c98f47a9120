"""What a connection tells its user: everything once, a room's entries in their order.

The feed knows the last `seq` of each room that was told, which is what a resume needs. While a
connection catches up with what it missed, the feed is held: what comes then waits behind it. What
waits has not been told; if the connection is lost again, the server gives it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import attrs
from twisted.internet.defer import Deferred

from gtchat.client.messages import Happening, Push, Reset

#: Whispers, invitations and messages of one's own that are remembered against doubles.
REMEMBERED = 20_000


@attrs.frozen
class _Said:
    """One's own message has this place in its room."""

    room_name: str
    seq: int
    id: str


@attrs.frozen
class _Entered:
    """One is in a room since this entry."""

    room_name: str
    seq: int


@attrs.frozen
class _Left:
    """One is not in a room any more."""

    room_name: str


_Item = Happening | _Said | _Entered | _Left


class Feed:
    """Happenings in order, to be iterated over.

    Args:
        drained: called when something was taken out.

    Attributes:
        user: whose feed it is; "" as long as nobody is logged in.
        seen: by room, the last seq that was told.
    """

    def __init__(self, drained: Callable[[], None]) -> None:
        self.user = ""
        self.seen: dict[str, int] = {}
        self._drained = drained
        self._out: deque[Happening] = deque()
        self._waiting: Deferred[None] | None = None
        self._held: list[_Item] | None = None
        self._given: dict[object, None] = {}
        self._end: Exception | None = None

    def __len__(self) -> int:
        return len(self._out)

    # What comes in.

    def take(self, happening: Happening) -> None:
        """Tell something, in its turn."""
        self._take(happening)

    def said(self, room_name: str, seq: int, id: str) -> None:
        """Note one's own message, which the server does not push."""
        self._is_first(id)
        self._take(_Said(room_name, seq, id))

    def entered(self, room_name: str, seq: int) -> None:
        """Note that one is in a room, whose log is at `seq`."""
        self._take(_Entered(room_name, seq))

    def left(self, room_name: str) -> None:
        """Note that one is no longer in a room."""
        self._take(_Left(room_name))

    def _take(self, item: _Item) -> None:
        if self._held is None:
            self._deliver(item)
        else:
            self._held.append(item)

    # Catching up.

    def hold(self) -> None:
        """Let what comes wait."""
        if self._held is None:
            self._held = []

    def take_first(self, happenings: Iterable[Happening]) -> None:
        """Tell something before all that waits."""
        for happening in happenings:
            self._deliver(happening)

    def reset(self, room_name: str, last_seq: int, gone: bool) -> None:
        """Tell, before all that waits, that a room is to be loaded anew."""
        self._deliver(_Left(room_name))
        if not gone:
            self._deliver(_Entered(room_name, last_seq))
        self._deliver(Reset(room_name, last_seq, gone))

    def release(self) -> None:
        """Tell what waited."""
        held, self._held = self._held or [], None
        for item in held:
            self._deliver(item)

    def lost(self) -> None:
        """The connection is lost: forget those that wait and that come again."""
        held, self._held = self._held or [], None
        for item in held:
            if not (isinstance(item, Push) and item.seq) and not isinstance(item, _Said):
                self._deliver(item)

    # What goes out.

    def _deliver(self, item: _Item) -> None:
        """Give an item to the user, unless it is a double or a note for the feed itself."""
        if isinstance(item, _Said):
            self._note(item)
        elif isinstance(item, _Entered):
            self.seen[item.room_name] = item.seq
        elif isinstance(item, _Left):
            self.seen.pop(item.room_name, None)
        elif not isinstance(item, Push) or self._is_new(item):
            self._out.append(item)
            self._wake()

    def _note(self, said: _Said) -> None:
        """Advance a room by one's own message; the room may have been named in another case."""
        name = said.room_name
        if name not in self.seen:
            folded = name.casefold()
            name = next((room for room in self.seen if room.casefold() == folded), name)
        if name in self.seen:
            self.seen[name] = max(self.seen[name], said.seq)

    def _is_new(self, push: Push) -> bool:
        """Whether something was not told before; an entry moves its room on."""
        if push.type == "room_gone":
            self.seen.pop(push.room_name, None)
        elif push.type == "marked_read":  # its seq says how far one has read
            return True
        elif push.seq and push.room_name:
            return self._is_new_entry(push)
        elif push.cmd in ("c_whisper", "c_invited"):
            return self._is_first(push.id or (push.room_name, push.usr, push.at))
        return True

    def _is_new_entry(self, entry: Push) -> bool:
        room, seq = entry.room_name, entry.seq
        about_me = entry.usr == self.user
        if room in self.seen or entry.type != "room_created" or about_me:
            if seq <= self.seen.get(room, 0):
                return False
            self.seen[room] = seq
        if about_me and entry.type in ("leave_room", "kicked", "removed"):
            del self.seen[room]
        return not entry.id or entry.id not in self._given

    def _is_first(self, key: object) -> bool:
        """Whether something was not given before; from now on it was."""
        if key in self._given:
            return False
        self._given[key] = None
        if len(self._given) > REMEMBERED:
            del self._given[next(iter(self._given))]
        return True

    def end(self, error: Exception | None) -> None:
        """Nothing more comes. error: what iterating raises behind the last; None: it stops."""
        self.release()
        self._end = error or StopAsyncIteration()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Happening:
        while not self._out:
            if self._end is not None:
                raise self._end
            if self._waiting is not None:
                raise RuntimeError("pushes() are iterated over in two places at once")
            self._waiting = Deferred(self._forget_waiting)
            await self._waiting
        happening = self._out.popleft()
        self._drained()
        return happening

    def _forget_waiting(self, _: Deferred[None]) -> None:
        self._waiting = None
