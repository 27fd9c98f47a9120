"""How replies stay within `REPLY_BYTES`: what of a list fits. The client asks for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gtchat.chat.interfaces import Direct
from gtchat.chat.limits import REPLY_BYTES
from gtchat.protocols.gtchat_json.requests import Request
from gtchat.protocols.gtchat_json.responses import DirectInfo, direct_info

#: What a reply has besides its lists, about, in bytes.
_FIXED_BYTES = 1_024
#: Most bytes of the names of one list of users in a reply that has other lists, too.
NAMES_BYTES = REPLY_BYTES // 4
#: Most bytes of a character in JSON: `\\u0000`.
_CHARACTER_BYTES = 6

_encode = msgspec.json.Encoder().encode


def reply_bytes(request: Request) -> int:
    """Return how many bytes the lists in the reply to a request may have."""
    tracker = request.tracker if isinstance(request.tracker, str) else ""
    return REPLY_BYTES - _FIXED_BYTES - _CHARACTER_BYTES * len(tracker)


def encoded_bytes(part: msgspec.Struct) -> int:
    """Return how many bytes a reply, or a part of one, has as it is now."""
    return len(_encode(part))


def fitting_names(names: list[str], max_bytes: int) -> list[str]:
    """Return the first names that have at most `max_bytes` in a reply, at least one."""
    if 4 * len("".join(names)) + 3 * len(names) <= max_bytes:  # at most 4 bytes a letter
        return names
    for count, name in enumerate(names):
        max_bytes -= len(_encode(name)) + 1
        if max_bytes < 0:
            return names[: max(count, 1)]
    return names


def fitting_entries(entries: Sequence[bytes], position: int, max_bytes: int) -> Sequence[bytes]:
    """Return the encoded entries nearest to a position that fit, in order, at least one.

    Args:
        entries: the entries.
        position: the entries with a lower index are before it.
        max_bytes: the most bytes that they have.
    """
    start = stop = position
    older = iter(range(position - 1, -1, -1))
    newer = iter(range(position, len(entries)))
    sides = [older, newer]
    while sides:
        side = sides.pop(0)
        index = next(side, None)
        if index is None:
            continue
        max_bytes -= len(entries[index]) + 1
        if max_bytes < 0 and start < stop:
            break
        start, stop = min(start, index), max(stop, index + 1)
        sides.append(side)
    return entries[start:stop]


def fitting_directs(directs: Sequence[Direct], max_bytes: int) -> list[DirectInfo]:
    """Return the first direct conversations that fit, at least one."""
    found = list(map(direct_info, directs))
    for count, one in enumerate(found):
        max_bytes -= encoded_bytes(one) + 1
        if max_bytes < 0:
            return found[: max(count, 1)]
    return found
