"""What the chat tells, encoded and framed once for all who hear it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import cast

import attrs
import msgspec
from zope.interface import implementer

from gtchat.chat.events import Event
from gtchat.chat.interfaces import IConnection, IEncodedBatch, IEncoder
from gtchat.protocols.base.outbox import HasOutbox, WriteBatcher
from gtchat.protocols.gtchat_json.responses import push

_encode = msgspec.json.Encoder().encode


def encode(event: Event) -> bytes:
    """The JSON object that tells an event: the same in a push, in history and at resume."""
    return _encode(push(event))


@implementer(IEncoder)
@attrs.define(eq=False)
class JSONEncoder:
    """All sessions that speak the JSON API.

    Args:
        turn: what writes at the end of the reactor's turn.
        frame: makes a frame of a message.

    Attributes:
        list_cache: room id -> version of the room, and its encoded list entry for users who are
            not members.
    """

    turn: WriteBatcher
    frame: Callable[[bytes], bytes]
    list_cache: dict[int, tuple[int, msgspec.Raw]] = attrs.field(init=False, factory=dict)

    def encode(self, events: Sequence[Event]) -> JSONBatch:
        """Encode events, each once."""
        frame = self.frame
        return JSONBatch(self.turn, [frame(_encode(push(event))) for event in events])


@implementer(IEncodedBatch)
@attrs.define(eq=False)
class JSONBatch:
    """Some frames in order."""

    _turn: WriteBatcher
    _frames: list[bytes]
    _whole: bytes = b""
    _view: memoryview | None = None
    _starts: Sequence[int] = ()

    def send(self, connections: Collection[IConnection]) -> None:
        """Append all frames, as one piece, to each outlet."""
        written = cast("Collection[HasOutbox]", connections)
        self._turn.write_all([connection.outbox for connection in written], self._joined())

    def send_part(self, connection: IConnection, start: int, stop: int) -> None:
        """Append the frames [start:stop] to one outlet."""
        if self._view is None:
            # In a room where many speak at once everybody gets other parts, and together they are
            # large: they are views of what was joined once, until each is sent.
            self._view = memoryview(self._joined())
            self._starts = list(accumulate(map(len, self._frames), initial=0))
        starts = self._starts
        part = self._view[starts[start] : starts[stop]]
        cast("HasOutbox", connection).outbox.write(part)

    def _joined(self) -> bytes:
        if not self._whole:
            frames = self._frames
            self._whole = frames[0] if len(frames) == 1 else b"".join(frames)
        return self._whole
