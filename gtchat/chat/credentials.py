"""Credentials that need no password: UUIDs and telephone numbers, and their hashes."""

from __future__ import annotations

import hashlib
import re
import uuid as uuids
from contextlib import suppress

from gtchat.chat.errors import BadRequest

#: Longest telephone number as it may be typed, in characters.
MAX_RAW_NUMBER = 64
_UUID = re.compile(r"[0-9a-fA-F-]{36}")


def uuid_hash(raw: str) -> bytes:
    """Return the hash of a UUID that is stored: SHA-256 of its 16 bytes.

    Its 122 random bits need no slow hash.

    Args:
        raw: a version-4 UUID as text (RFC 9562, section 4).

    Raises:
        BadRequest: it is not a version-4 UUID.
    """
    value = None
    if _UUID.fullmatch(raw):
        with suppress(ValueError):
            value = uuids.UUID(raw)
    if value is None or value.version != 4:
        raise BadRequest("uuid: must be a version-4 UUID (RFC 9562).")
    return hashlib.sha256(value.bytes).digest()


def phone_number(raw: str) -> str:
    """Return a telephone number as it is compared: 3 to 15 digits (E.164), with or without a +.

    Args:
        raw: the number, which may have spaces, brackets, dots, slashes and hyphens.

    Raises:
        BadRequest: it is not a telephone number.
    """
    number = re.sub(r"[ ()./-]", "", raw) if len(raw) <= MAX_RAW_NUMBER else ""
    if not re.fullmatch(r"\+?[0-9]{3,15}", number):
        raise BadRequest("phone: must have 3 to 15 digits.")
    return number


def phone_hash(number: str) -> bytes:
    """Return the credential of a telephone number, 32 bytes, never the same as a UUID's."""
    return hashlib.sha256(b"phone:" + number.encode()).digest()
