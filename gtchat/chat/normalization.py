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


def nfc(raw: str, max_chars: int, field: str = "msg") -> str:
    """Return a text in NFC.

    Args:
        raw: the text as received.
        max_chars: maximum length of the result in characters, 0 for no limit.
        field: what errors call it.

    Raises:
        TooLong: it has more than `max_chars` characters.
        BadRequest: it has more than 30 combining marks in a row.
    """
    if raw.isascii():
        normal = raw
    else:
        if max_chars and len(raw) > MAX_COMPOSED * max_chars:
            raise too_long(max_chars, field)
        if _has_long_run(raw):
            raise BadRequest(f"{field}: at most {MAX_MARKS} combining marks in a row are allowed.")
        normal = unicodedata.normalize("NFC", raw)
    if max_chars and len(normal) > max_chars:
        raise too_long(max_chars, field)
    return normal


def short_nfc(text: str) -> str:
    """Return a text in NFC that is no longer than a name, whatever it consists of."""
    return unicodedata.normalize("NFC", text)


def nfd(text: str) -> str:
    """Return a text that `nfc` has accepted in NFD."""
    return unicodedata.normalize("NFD", text)


def too_long(max_chars: int, field: str) -> TooLong:
    """Return the error of a text with more characters than allowed; see `nfc`."""
    return TooLong(f"{field}: at most {max_chars:,} characters are allowed.")


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


#: Version of `search_form`: what is written in an index is compared with what is looked for, so an
#: index of another version has to be made again. It depends on the tables of Unicode, too.
SEARCH_FORM = f"1 {unicodedata.unidata_version}"
#: Characters whose forms are remembered, at most.
_REMEMBERED = 16_384
#: Scripts that are written without spaces, and Hangul, whose words have endings: CJK and its
#: radicals, Bopomofo, Kana, Hangul, Thai. First and last code points.
_UNSPACED = (
    *((0x0E00, 0x0E7F), (0x1100, 0x11FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029)),
    *((0x3031, 0x303C), (0x3040, 0x318F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0x1AFF0, 0x1B16F)),
    (0x20000, 0x3FFFF),
)
#: What is invisible although it is a letter or a mark: fillers and variation selectors.
_IGNORED = frozenset(
    map(
        chr,
        [
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0x1F3FB, 0x1F400),  # colours of skin: an emoji is found with and without one
            *range(0xE0100, 0xE01F0),
        ],
    )
)


def search_form(text: str) -> str:
    """Return the words of a text as they are compared in a search, with spaces between them.

    That is NFKD without combining marks (characters of a combining class other than 0), in folded
    case; each CJK, Kana, Hangul and Thai character and each symbol such as an emoji is a word.
    What is no letter, mark or number separates words. Character by character, so that it takes
    linear time, and a place in the result belongs to one character.

    Args:
        text: any text.
    """
    if text.isascii():
        return text.encode("ascii").translate(_ASCII_FORMS).decode("ascii")
    if len(_search_forms) > _REMEMBERED:
        _search_forms.clear()
    return text.translate(_search_forms)


class _SearchForms(dict[int, str]):
    """Code point -> its part of `search_form`, made when it is needed."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in _IGNORED:
            form = ""
        else:
            folded = unicodedata.normalize("NFKD", character).casefold()
            parts = unicodedata.normalize("NFKD", folded)
            starters = "".join(part for part in parts if not combining(part))
            # Puts syllables of Hangul and vowels in two parts together again.
            composed = unicodedata.normalize("NFC", starters)
            form = "".join(map(_search_part, composed))
        self[code] = form
        return form


_search_forms = _SearchForms()


def _search_part(part: str) -> str:
    """Return what stands in a search form for a character that is decomposed and folded."""
    category = unicodedata.category(part)
    if part in _IGNORED or category == "Cf":
        return ""
    if category == "So" or any(first <= ord(part) <= last for first, last in _UNSPACED):
        # Punctuation among these characters separates words as other punctuation does.
        return f" {part} " if category[0] in "LNMS" else " "
    if category == "Cn" and ord(part) & 0xFFFE == 0xFFFE:  # no character, in no version
        return " "
    # Letters of a later version of Unicode than this Python has are letters, too.
    return part if category[0] in "LNM" or category in ("Co", "Cn") else " "


#: The forms of the ASCII characters, each of which is one ASCII character.
_ASCII_FORMS = "".join(_search_forms[code] for code in range(128)).encode("ascii").ljust(256)
