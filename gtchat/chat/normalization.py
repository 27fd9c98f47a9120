"""Unicode normalization. No other module normalizes: the cost has to be bounded first.

NFC of a run of combining marks takes quadratic time. So the length is checked before, and no more
than 30 non-starters may follow each other in NFD, as in the Stream-Safe Text Format (UAX #15,
section 13): what a character is decomposed to counts, not its own combining class.
"""

from __future__ import annotations

import unicodedata
from unicodedata import combining

from gtchat.chat.errors import BadRequest, TooLong

#: Most code points that compose to one: a text with more than so many times its limit is too long.
MAX_COMPOSED = 4
#: Most non-starters (combining class other than 0) in a row, in NFD.
MAX_MARKS = 30
#: The characters of combining class 0 that are decomposed to non-starters only. A test derives this
#: and the next from the Unicode data of each Python.
_MARKS_OF_CLASS_0 = frozenset("\u0f73\u0f75\u0f81")
#: Fewest characters in a row that are decomposed to non-starters only, in a row of more than 30: a
#: letter before them adds 3 at most, and each of them 2.
_FEWEST_MARKS = 14


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


def short_nfc(text: str) -> str:
    """Return a text in NFC that is no longer than a name, whatever it consists of."""
    return unicodedata.normalize("NFC", text)


def nfd(text: str) -> str:
    """Return a text that `nfc` has accepted in NFD."""
    return unicodedata.normalize("NFD", text)


def _too_long(max_chars: int) -> TooLong:
    return TooLong(f"A text can have at most {max_chars:,} characters.")


def _has_long_run(text: str) -> bool:
    """Return whether a text has more than 30 non-starters in a row, in NFD."""
    # Such a row covers one of the places 0, 14, 28 …: an ordinary text costs one look at each.
    sample = text[::_FEWEST_MARKS]
    if not any(map(combining, sample)) and _MARKS_OF_CLASS_0.isdisjoint(sample):
        return False
    return any(
        _row_length(text[at : at + MAX_MARKS + 1], 1)
        + _row_length(text[max(0, at - MAX_MARKS) : at], -1)
        > MAX_MARKS
        for at in range(0, len(text), _FEWEST_MARKS)
    )


def _row_length(text: str, step: int) -> int:
    """Return with how many non-starters a text begins in NFD.

    Args:
        text: the text.
        step: 1; or -1 to count those that it ends with.
    """
    count = 0
    for character in text[::step]:
        parts = nfd(character)[::step]
        marks = next((n for n, part in enumerate(parts) if not combining(part)), len(parts))
        count += marks
        if marks < len(parts):
            break
    return count
