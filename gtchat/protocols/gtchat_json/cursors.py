"""Cursors of lists: opaque strings that a client sends back to read on."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from gtchat.chat.errors import BadRequest

#: Bytes of a position.
_SIZE = 8
#: Characters of a cursor.
_CHARS = 11


def encode(position: int) -> str:
    """Return the cursor of a position. position: 0 to 2**63 - 1."""
    return urlsafe_b64encode(position.to_bytes(_SIZE, "big")).rstrip(b"=").decode()


def decode(cursor: str) -> int:
    """Return the position of a cursor.

    Raises:
        BadRequest: it is no cursor.
    """
    try:
        position = int.from_bytes(urlsafe_b64decode(f"{cursor[: _CHARS + 1]}="), "big")
        if encode(position) == cursor and position < 2**63:
            return position
    except (ValueError, OverflowError):
        pass
    raise BadRequest("before: must be the next of a reply.")
