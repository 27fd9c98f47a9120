"""Frames of text messages: the ones that we write, and those of clients as nearly all of them are.

A client's frame is handled here if it is a whole message of its own (final, text, not compressed)
under 64 KiB, masked as it has to be, of valid UTF-8, and all there. No other frame is judged here.
Source: RFC 6455 section 5.2.
"""

from __future__ import annotations

FINAL_TEXT = 0x81


def text_frame(payload: bytes) -> bytes:
    """The unmasked frame of a text message."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def text_messages(data: bytes, start: int, largest: int, limit: int) -> tuple[list[bytes], int]:
    """The text messages that data begins with, up to the first frame of another kind.

    Args:
        data: what was read; a frame begins at `start`.
        largest: bytes that a message may have.
        most: messages to look for.

    Returns:
        Payloads, and where the frame begins that comes after them.
    """
    messages: list[bytes] = []
    number = int.from_bytes
    end = len(data)
    while end - start >= 6 and data[start] == FINAL_TEXT and len(messages) < limit:
        size = data[start + 1]
        if 128 <= size < 254:
            size -= 128
            body = start + 6
        elif size == 254:
            size = data[start + 2] << 8 | data[start + 3]
            body = start + 8
            if size < 126:
                break
        else:
            break
        stop = body + size
        if size > largest or stop > end:
            break
        mask = data[body - 4 : body] * ((size + 3) >> 2)
        payload = (number(data[body:stop], "little") ^ number(mask[:size], "little")).to_bytes(
            size, "little"
        )
        if not payload.isascii() and not _is_utf8(payload):
            break
        messages.append(payload)
        start = stop
    return messages, start


def header_size(data: bytes, start: int) -> int:
    """Bytes of the header of the frame at `start`, of which two are there at least."""
    size = data[start + 1]
    extended = {126: 2, 127: 8}.get(size & 0x7F, 0)
    return 2 + extended + (4 if size & 0x80 else 0)


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
