"""The payloads of the bus (`bus`): which rooms were written, and events of the relay.

A payload is the number of the bus that it comes from, in hexadecimal, a space, a letter and a body:

    *                  any room may have been written
    r{"room id": seq}  these rooms have been written
    e["kind", {…}]     an event of `relay`
    pN I OF TEXT       part I (from 1) of OF of such an "e…" that is too long, the Nth of this bus
    w{…}               a `CarriedRows`; only where payloads may be longer than those of PostgreSQL

A payload that is not understood is dropped: it is of a newer program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from gtchat.chat.relay import BroadcastMade, DirectTyping, ReadMoved, Relayed, RoomTyping
from gtchat.store.jobs import raise_heads
from gtchat.store.notifying import CarriedRows
from gtchat.store.sql import carried_rows

#: Largest payload in bytes; PostgreSQL allows 7,999.
PAYLOAD_BYTES = 7_900
#: Payloads with rooms that are sent at once; if there were more, all rooms are looked at.
MAX_PAYLOADS = 4
#: Parts of an event, and buses whose events come in parts, at most.
MAX_PARTS, MAX_BUSES = 1_000, 1_000
#: What waits to be sent, at most: rooms, then all are looked at; events, then they are dropped;
#: bytes of rows, then they are not sent.
MAX_ROOMS, MAX_EVENTS, MAX_ROW_BYTES = 2_000, 1_000, 1024 * 1024
#: Bytes of a payload before the text of a part: numbers, spaces and a letter.
_PART_HEAD = 80


_KINDS: dict[str, type[Any]] = {
    "room_typing": RoomTyping,
    "direct_typing": DirectTyping,
    "read": ReadMoved,
    "broadcast": BroadcastMade,
}
#: What a payload says: heads of rooms, None for any room; rows; an event.
Heard = Mapping[int, int] | CarriedRows | Relayed | None
#: What `take` raises of a payload that is not understood.
NOT_UNDERSTOOD = (ValueError, KeyError, RecursionError, msgspec.MsgspecError)

_KIND_OF = {kind: name for name, kind in _KINDS.items()}


def rooms_payloads(heads: Mapping[int, int]) -> list[str]:
    """Return payloads, without the number of the bus, that say which rooms were written.

    Args:
        heads: room id -> seq.
    """
    payloads, part = [], "r"
    for room_id, seq in heads.items():
        item = f'{"{" if part == "r" else ","}"{room_id}":{seq}'
        if len(part) + len(item) > PAYLOAD_BYTES - _PART_HEAD:
            payloads.append(part + "}")
            part, item = "r", f'{{"{room_id}":{seq}'
        part += item
    if part != "r":
        payloads.append(part + "}")
    return payloads if len(payloads) <= MAX_PAYLOADS else ["*"]


def event_payloads(relayed: Relayed, number: int) -> list[str]:
    """Return payloads, without the number of the bus, with an event.

    Args:
        relayed: the event.
        number: of this event among those of the bus.
    """
    text = "e" + msgspec.json.encode([_KIND_OF[type(relayed)], relayed]).decode()
    parts = list(_cut(text, PAYLOAD_BYTES - _PART_HEAD))
    if len(parts) == 1:
        return parts
    return [f"p{number} {at} {len(parts)} {part}" for at, part in enumerate(parts, 1)]


def _cut(text: str, size: int) -> Iterator[str]:
    """Yield a text in parts of at most so many bytes of UTF-8."""
    content = text.encode()
    while content:
        part = content[:size].decode(errors="ignore")
        yield part
        content = content[len(part.encode()) :]


def decoded(body: str) -> Heard:
    """Return what a payload says that is whole.

    Args:
        body: the payload without the number of the bus.

    Raises:
        ValueError, KeyError, msgspec.MsgspecError: it is not understood.
    """
    letter, text = body[:1], body[1:]
    if letter == "*":
        return None
    if letter == "w":
        return carried_rows.decode(text)
    if letter == "r":
        return msgspec.json.decode(text, type=dict[int, int])
    if letter != "e":
        raise ValueError(f"letter: {letter!r} is not known")
    kind, fields = msgspec.json.decode(text, type=tuple[str, msgspec.Raw])
    event: Relayed = msgspec.json.decode(fields, type=_KINDS[kind])
    return event


class Parts:
    """Puts events together that came in parts; those of a bus come in order."""

    def __init__(self) -> None:
        #: Bus -> the event that it sends, and the parts of it that have come.
        self._coming: dict[str, tuple[str, list[str]]] = {}

    def add(self, bus: str, body: str) -> str | None:
        """Take a part; return the event if it is the last one of its parts."""
        number, at, of, text = body.split(" ", 3)
        if int(of) > MAX_PARTS:
            raise ValueError("too many parts")
        if len(self._coming) > MAX_BUSES:
            self._coming.clear()
        begun, parts = self._coming.pop(bus, ("", []))
        if begun != number:
            parts = []
        parts.append(text)
        if int(at) != len(parts):
            return None  # one has not come: the event is lost
        if len(parts) == int(of):
            return "".join(parts)
        self._coming[bus] = number, parts
        return None


@attrs.define(eq=False)
class Hearing:
    """Takes the payloads of other buses.

    Args:
        bus: number of the bus that hears, whose own payloads are left out.
    """

    _bus: str
    _parts: Parts = attrs.field(init=False, factory=Parts)

    def take(self, payload: str) -> tuple[Heard, ...]:
        """Return what a payload says: nothing if it is an own one, or a part that is not the last.

        Raises:
            ValueError, KeyError, msgspec.MsgspecError: it is not understood.
        """
        bus, _, content = payload.partition(" ")
        if bus == self._bus:
            return ()
        body = self._parts.add(bus, content[1:]) if content[:1] == "p" else content
        return () if body is None else (decoded(body),)


@attrs.define(eq=False)
class Outgoing:
    """What waits to be sent. Not thread-safe.

    Args:
        bus: number of the bus that sends.
    """

    _bus: str
    #: Rooms that were written, None for any room.
    _heads: dict[int, int] | None = attrs.field(init=False, factory=dict)
    _rows: list[tuple[Mapping[int, int], str]] = attrs.field(init=False, factory=list)
    _row_bytes: int = attrs.field(init=False, default=0)
    _events: list[str] = attrs.field(init=False, factory=list)

    def __bool__(self) -> bool:
        return self._heads != {} or bool(self._rows or self._events)

    def put_heads(self, heads: Mapping[int, int]) -> None:
        """Have heads sent."""
        if self._heads is not None:
            raise_heads(self._heads, heads)
            if len(self._heads) > MAX_ROOMS:
                self._heads = None

    def put_rows(self, heads: Mapping[int, int], rows: bytes) -> None:
        """Have rows sent, or their heads if there are too many."""
        self._row_bytes += len(rows)
        if self._heads is not None and self._row_bytes <= MAX_ROW_BYTES:
            self._rows.append((heads, "w" + rows.decode()))
        else:
            self.put_heads(heads)

    def put_events(self, payloads: list[str]) -> None:
        """Have an event sent."""
        if len(self._events) < MAX_EVENTS:
            self._events += payloads

    def lose(self) -> None:
        """Have all rooms looked at: it is not known what was sent, or there is no connection."""
        self._heads, self._rows, self._row_bytes = None, [], 0

    def take(self, size: int = PAYLOAD_BYTES) -> list[str]:
        """Return all payloads that are to be sent.

        Args:
            size: bytes that a payload may have.
        """
        rows = []
        for heads, text in self._rows:
            if len(text.encode()) + _PART_HEAD <= size:
                rows.append(text)
            else:
                self.put_heads(heads)
        heads_of_all, events = self._heads, self._events
        self._heads, self._rows, self._row_bytes, self._events = {}, [], 0, []
        rooms = ["*"] if heads_of_all is None else rooms_payloads(heads_of_all)
        return [f"{self._bus} {body}" for body in (*rooms, *rows, *events)]
