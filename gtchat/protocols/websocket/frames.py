"""The quick path for text messages, in both directions (RFC 6455 section 5.2).

A client's frame is decoded here if it is a whole message (FIN set, opcode text, no reserved bit),
shorter than 64 KiB, masked, valid UTF-8, and completely received. All other frames, invalid ones
included, are left to Autobahn: nothing is rejected here.
"""

from __future__ import annotations

#: First byte of a frame: FIN set, RSV1 to RSV3 clear, opcode 1 (RFC 6455 section 5.2).
FINAL_TEXT = 0x81


def text_frame(payload: bytes) -> bytes:
    """Return the frame of a text message, unmasked as a server's must be (RFC 6455 section 5.1)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def text_messages(data: bytes, start: int, largest: int, limit: int) -> tuple[list[bytes], int]:
    """Decode the text messages that data begins with, up to the first other frame.

    Args:
        data: bytes that were received.
        start: offset in data at which a frame begins.
        largest: maximum size of a payload in bytes.
        limit: maximum number of messages to decode.

    Returns:
        The payloads, and the offset of the frame behind the last of them.
    """
    messages: list[bytes] = []
    number = int.from_bytes
    end = len(data)
    while end - start >= 6 and data[start] == FINAL_TEXT and len(messages) < limit:
        # The mask bit and the length, in 7 or in 16 bits (section 5.2).
        size = data[start + 1]
        if 128 <= size < 254:
            size -= 128
            body = start + 6
        elif size == 254:
            size = data[start + 2] << 8 | data[start + 3]
            body = start + 8
            if size < 126:  # not the minimal number of bytes (section 5.2): an error
                break
        else:
            break
        stop = body + size
        if size > largest or stop > end:
            break
        # Unmask (section 5.3). XOR of two integers of any length is one call for the whole frame.
        mask = data[body - 4 : body] * ((size + 3) >> 2)
        payload = (number(data[body:stop], "little") ^ number(mask[:size], "little")).to_bytes(
            size, "little"
        )
        if not payload.isascii() and not _is_utf8(payload):  # section 8.1
            break
        messages.append(payload)
        start = stop
    return messages, start


def header_size(data: bytes, start: int) -> int:
    """Return the size in bytes of the frame header at an offset (RFC 6455 section 5.2).

    Args:
        data: bytes that were received.
        start: offset of the header, of which at least two bytes must be there.
    """
    size = data[start + 1]
    extended = {126: 2, 127: 8}.get(size & 0x7F, 0)
    return 2 + extended + (4 if size & 0x80 else 0)


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
