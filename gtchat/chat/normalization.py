"""Unicode normalization. No other module normalizes: the cost has to be bounded first.

NFC of a run of combining marks takes quadratic time. So the length is checked before, and no more
than 30 non-starters may follow each other, as in the Stream-Safe Text Format (UAX #15, section 13).
"""

from __future__ import annotations

import unicodedata
from unicodedata import combining

from gtchat.chat.errors import BadRequest, TooLong

#: Most code points that compose to one: a text with more than so many times its limit is too long.
MAX_COMPOSED = 4
#: Most non-starters (combining class other than 0) in a row.
MAX_MARKS = 30


def nfc(raw: str, max_chars: int) -> str:
    """Return a text in NFC.

    Args:
        raw: the text as received.
        max_chars: maximum length of the result in characters, 0 for no limit.

    Raises:
        TooLong: it has more than `max_chars` characters.
        BadRequest: it has more than 30 combining marks in a row.
    """
    if raw.isascii():
        normal = raw
    else:
        if max_chars and len(raw) > MAX_COMPOSED * max_chars:
            raise _too_long(max_chars)
        if _has_long_run(raw):
            raise BadRequest(f"More than {MAX_MARKS} combining marks in a row are not allowed.")
        normal = unicodedata.normalize("NFC", raw)
    if max_chars and len(normal) > max_chars:
        raise _too_long(max_chars)
    return normal


def nfd(text: str) -> str:
    """Return a text that `nfc` has accepted in NFD."""
    return unicodedata.normalize("NFD", text)


def _too_long(max_chars: int) -> TooLong:
    return TooLong(f"A text can have at most {max_chars:,} characters.")


def _has_long_run(text: str) -> bool:
    """Return whether a text has more than 30 non-starters in a row."""
    # Such a run covers one of the places 0, 31, 62 …: an ordinary text costs one look at each.
    step = MAX_MARKS + 1
    if not any(map(combining, text[::step])):
        return False
    return any(
        _run_length(text, at) > MAX_MARKS for at in range(0, len(text), step) if combining(text[at])
    )


def _run_length(text: str, at: int) -> int:
    """Return the number of non-starters in a row around a place in a text."""
    start = end = at
    while start > 0 and combining(text[start - 1]):
        start -= 1
    while end < len(text) and combining(text[end]):
        end += 1
    return end - start
