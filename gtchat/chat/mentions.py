"""Mentions: which accounts a text mentions, by `@` and a name.

A store calls `find_mentions` within the transaction that stores the message, and only for a text
with an `@`, so that names are those of the members of that moment. What it keeps of them is in
`IStore`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

import attrs

from gtchat.chat.events import Entry
from gtchat.chat.moderation import ModeratedPlace, Rank, rank_of
from gtchat.chat.names import USER_CHARS, fold_user, is_name_character

#: After an `@`, the word that mentions all members of a room.
ROOM = "room"
#: Names that are looked up for one message.
MAX_LOOKUPS = 200

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`\n]*$)|~{3,})")
_QUOTE = re.compile(r"(?: {0,3}> ?)+")
_RUN = re.compile("`+")
#: In a text of ASCII characters, an `@` that begins a mention, and the longest name behind it.
_ASCII_MENTION = re.compile(rf"@(?<!\w@)([\w.-]{{1,{USER_CHARS}}})(?!\w)", re.ASCII)
#: Code, or a name within which a shorter one can end.
_SPECIAL = re.compile(r"[`~.-]")
_ASCII_WORD = frozenset(string.ascii_letters + string.digits + "_")
#: First words of the Unicode names of letters that are written without spaces between words: next
#: to one, a name can end.
_SPACELESS = frozenset(
    ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER")
)


@attrs.frozen(kw_only=True)
class MentionLimits:
    """Limits of mentions; 0 for no limit.

    Attributes:
        message: accounts that one message mentions.
        kept: mentions that are kept of an account, and of all members of a room: the newest.
    """

    message: int = 0
    kept: int = 0


@attrs.frozen
class MentionsPage:
    """Messages that mention an account.

    Attributes:
        entries: the messages, newest mention first.
        next: what continues the list, None at its end.
    """

    entries: tuple[Entry, ...]
    next: int | None


def find_mentions(
    text: str,
    author_id: int | None,
    find_member: Callable[[str], int | None],
    may_mention_all: Callable[[], bool],
    limit: int,
) -> list[int | None]:
    """Return the accounts that a message mentions, in order, without its author.

    At each `@` the longest name counts that a member has.

    Args:
        text: the text of the message.
        author_id: the account of its author, None if it is not known.
        find_member: returns the account of the member with a name as it is compared, None for none.
        may_mention_all: returns whether the author may mention all members with `@room`.
        limit: largest number of mentions, 0 for no limit.

    Returns:
        Account ids, each once; None stands for all members.
    """
    known: dict[str, int | None] = {}
    found: dict[int | None, None] = {}
    for names in mentioned_names(text):
        for key in names:
            if key == ROOM and (None in found or may_mention_all()):
                found[None] = None
                break
            if key not in known:
                if len(known) >= MAX_LOOKUPS:
                    return list(found)
                known[key] = find_member(key)
            account_id = known[key]
            if account_id is not None:
                if account_id != author_id:
                    found[account_id] = None
                break
        if limit and len(found) >= limit:
            break
    return list(found)


def may_mention_room(room: ModeratedPlace, author_id: int | None, author: str) -> bool:
    """Return whether a user may mention all members of a room: its owner, and its moderators.

    Args:
        room: the room.
        author_id: the account of the user, None if it is not known.
        author: the name of the user.
    """
    return rank_of(room, author_id, author) >= Rank.MODERATOR


def possible_names(text: str) -> set[str]:
    """Return the first `MAX_LOOKUPS` names that a text can mention, as they are compared."""
    names: Iterable[str]
    if text.isascii() and not _SPECIAL.search(text):
        names = _ASCII_MENTION.findall(text.lower())
    else:
        names = chain.from_iterable(mentioned_names(text))
    return set(islice(dict.fromkeys(names), MAX_LOOKUPS))


def mentioned_names(text: str) -> Iterator[list[str]]:
    """Yield, for each `@` that may begin a mention, the names it can mean, as they are compared.

    Args:
        text: the text of a message.

    Yields:
        The names, longest first. A name ends where the word ends.
    """
    for part in _parts_without_code(text):
        if part.isascii():
            for found in _ASCII_MENTION.finditer(part):
                yield _ascii_names(found[1].lower())
            continue
        at = part.find("@")
        while at >= 0:
            if at == 0 or not _is_word(part[at - 1]):
                names = _names_at(part, at + 1)
                if names:
                    yield names
            at = part.find("@", at + 1)


def _names_at(text: str, start: int) -> list[str]:
    """Return the names that can begin at a position, longest first."""
    end = start
    while end < len(text) and end - start < USER_CHARS and is_name_character(text[end]):
        end += 1
    return [fold_user(text[start:n]) for n in range(end, start, -1) if _ends_name(text, n)]


def _ascii_names(longest: str) -> list[str]:
    """Return a name of ASCII characters, and those that end within it where a word ends."""
    names = [longest]
    end = len(longest)
    while (end := max(longest.rfind(".", 0, end), longest.rfind("-", 0, end))) > 0:
        names.append(longest[:end])
    return names


def _ends_name(text: str, end: int) -> bool:
    """Return whether a name can end before a position: no word goes on there."""
    following = text[end : end + 1]
    return (
        not following
        or not _is_word(following)
        or _is_spaceless(following)
        or (_is_spaceless(text[end - 1]) and not unicodedata.combining(following))
    )


def _is_word(character: str) -> bool:
    """Return whether a character is part of a word: a letter, digit, mark or underscore."""
    return character in _ASCII_WORD or unicodedata.category(character)[0] in "LMN"


def _is_spaceless(character: str) -> bool:
    if character.isascii():
        return False
    name = unicodedata.name(character, "").replace("-", " ").split(" ", 1)[0]
    return name in _SPACELESS


def _parts_without_code(text: str) -> Iterator[str]:
    """Yield the parts of a text that are not code, which the page shows as it was written.

    Code is between lines of three or more backticks or tildes, or between equal runs of backticks
    in a paragraph. The time is proportional to the text.
    """
    if "`" not in text and "~~~" not in text:
        yield text
        return
    fence: re.Pattern[str] | None = None
    paragraph: list[str] = []
    for line in text.split("\n"):
        line = _QUOTE.sub("", line, count=1) if _QUOTE.match(line) else line
        if fence is not None:
            if fence.match(line):
                fence = None
            continue
        begins = _FENCE.match(line)
        if begins or not line.strip():
            yield from _without_spans("\n".join(paragraph))
            paragraph = []
        else:
            paragraph.append(line)
        if begins:
            fence = re.compile(rf" {{0,3}}{re.escape(begins[1])}[~`]* *$")
    yield from _without_spans("\n".join(paragraph))


def _without_spans(text: str) -> Iterator[str]:
    """Yield the parts of a paragraph between its code spans (CommonMark 0.31, section 6.1)."""
    runs = [(found.start(), found.end()) for found in _RUN.finditer(text)]
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for start, end in runs:
        by_length[end - start].append(start)
    at = 0
    for start, end in runs:
        if start < at:
            continue
        same = by_length[end - start]
        closing = bisect_right(same, start)
        if closing < len(same):
            yield text[at:start]
            at = same[closing] + end - start
    yield text[at:]
