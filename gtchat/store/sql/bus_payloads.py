"""The payloads of the bus (`bus`): which rooms were written, and events of the relay.

A payload is the number of the bus that it comes from, in hexadecimal, a space, a letter and a body:

    *                  any room may have been written
    r{"room id": seq}  these rooms have been written
    e["kind", {…}]     an event of `relay`
    pN I OF TEXT       part I (from 1) of OF of such an "e…" that is too long, the Nth of this bus

A payload that is not understood is dropped: it is of a newer program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gtchat.chat.relay import BroadcastMade, DirectTyping, ReadMoved, Relayed, RoomTyping

#: Largest payload in bytes; PostgreSQL allows 7,999.
PAYLOAD_BYTES = 7_900
#: Payloads with rooms that are sent at once; if there were more, all rooms are looked at.
MAX_PAYLOADS = 4
#: Bytes of a payload before the text of a part: numbers, spaces and a letter.
_PART_HEAD = 80


_KINDS: dict[str, type[Any]] = {
    "room_typing": RoomTyping,
    "direct_typing": DirectTyping,
    "read": ReadMoved,
    "broadcast": BroadcastMade,
}
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


def decoded(body: str) -> Mapping[int, int] | Relayed | None:
    """Return what a payload says that is whole: the heads of rooms, or an event.

    Args:
        body: the payload without the number of the bus.

    Returns:
        None if any room may have been written.

    Raises:
        ValueError, KeyError, msgspec.MsgspecError: it is not understood.
    """
    letter, text = body[:1], body[1:]
    if letter == "*":
        return None
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
