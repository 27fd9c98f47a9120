"""Names that look alike: skeletons, and which scripts a name may mix (UTS 39).

A skeleton (section 4) is what a name looks like: each character is replaced by the one that stands
for all that look like it. Names are compared without case, so letters are folded after that, small
capitals count as letters, and `i` looks like `l` since `I` does.

Two names in ASCII never count as alike, although UTS 39 takes `user1` for `userl`, `g0` for `gO`
and `rn` for `m`: users and bots number their names. A stored skeleton therefore begins with a mark
that says whether its name is in ASCII.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from gtchat.chat.normalization import nfd
from gtchat.chat.unicode_tables import CONFUSABLES, SCRIPTS

_ASCII_MARK, _OTHER_MARK = "=", "~"
#: What most names are made of, and what of it looks alike.
_PLAIN = re.compile(r"[A-Za-z0-9_. -]*", re.ASCII)
_PLAIN_SHAPES = str.maketrans({"i": "l", "1": "l", "0": "o", "m": "rn"})
#: Characters without a shape: ZERO WIDTH NON-JOINER and JOINER, variation selectors.
_SHAPELESS = re.compile("[\u200c\u200d\ufe0e\ufe0f]")
#: Sets of scripts that a word may mix (UTS 39, section 5.2, "Highly Restrictive").
_MIXES = (
    frozenset({"Latin", "Han", "Hiragana", "Katakana"}),
    frozenset({"Latin", "Han", "Bopomofo"}),
    frozenset({"Latin", "Han", "Hangul"}),
)


def shape(name: str) -> str:
    """Return the skeleton of a name: two names with the same one look alike.

    Args:
        name: a name as it is displayed.
    """
    if _PLAIN.fullmatch(name):
        return name.lower().translate(_PLAIN_SHAPES)
    table = _shapes()
    characters = nfd(_SHAPELESS.sub("", name))
    return nfd("".join(table.get(each, each) for each in characters).casefold())


def skeleton(name: str) -> str:
    """Return the skeleton of a name as it is stored, with the mark of names in ASCII.

    Args:
        name: a name as it is displayed.
    """
    return (_ASCII_MARK if name.isascii() else _OTHER_MARK) + shape(name)


def rivals(new: str) -> tuple[str, str]:
    """Return which stored skeletons are those of names that look like a new one.

    Args:
        new: the skeleton of the new name, as it is stored.

    Returns:
        Two skeletons, which are the same if the new name is in ASCII.
    """
    mark, looks = new[0], new[1:]
    return _OTHER_MARK + looks, (_OTHER_MARK if mark == _ASCII_MARK else _ASCII_MARK) + looks


@lru_cache(maxsize=1)
def _shapes() -> dict[str, str]:
    """Return character -> part of a skeleton, for the characters that are not their own."""
    table = {}
    for group in CONFUSABLES.split(";"):
        target, _, sources = group.partition("=")
        part = "".join(chr(int(code, 16)) for code in target.split("+"))
        code = 0
        for difference in sources.split(","):
            code += int(difference, 16)
            table[chr(code)] = part
    return table


@lru_cache(maxsize=1)
def _script_ranges() -> tuple[list[str], list[tuple[str, str]]]:
    """Return the first characters of all ranges, and the last one and the script of each."""
    ranges = []
    for group in SCRIPTS.split(";"):
        script, _, found = group.partition("=")
        for one in found.split(","):
            first, _, last = one.partition("-")
            ranges.append((chr(int(first, 16)), (chr(int(last, 16)), script)))
    ranges.sort()
    return [first for first, _ in ranges], [rest for _, rest in ranges]


def _script(character: str) -> str | None:
    """Return the script of a character (UAX 24), None if it is of several, as digits are."""
    firsts, rest = _script_ranges()
    at = bisect_right(firsts, character) - 1
    return rest[at][1] if at >= 0 and character <= rest[at][0] else None


def may_mix(word: str) -> bool:
    """Return whether a word may have the scripts that its letters are of: one, or a usual mix."""
    if word.isascii():
        return True
    scripts = {script for each in word if (script := _script(each))}
    return len(scripts) <= 1 or any(scripts <= mix for mix in _MIXES)
