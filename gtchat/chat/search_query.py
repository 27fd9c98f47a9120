"""What a search looks for: the words and filters of a query, and where a text has them; what a
store is asked, and what it answers.

    tea "green tea" from:ann in:"Tea room" after:2026-01-01 before:2026-02-01 has:link

Nothing here knows rooms, accounts or a store. Words are compared as `normalization.search_form`
says. Source: docs/protocol.md, section "Search".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from functools import lru_cache

import attrs

from gtchat.chat.errors import BadName, BadRequest
from gtchat.chat.events import MessageSent
from gtchat.chat.names import user_key
from gtchat.chat.normalization import nfc, search_form

#: Longest query, in characters, and most words and filters in it.
QUERY_CHARS, QUERY_PARTS = 500, 20
#: Fewest characters of a word that is taken as the beginning of one: too many begin with a letter.
PREFIX_CHARS = 2
#: Most ranges that are marked in a text.
MARKS = 50

_PART = re.compile(r'(?:(from|in|before|after|has):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)
_LINK = re.compile(r"\bhttps?://[^\s/]", re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@attrs.frozen
class SearchTerm:
    """Words that follow each other in a text.

    Attributes:
        words: the words, in their search form, at least one.
        prefix: whether the last one is the beginning of a word.
    """

    words: tuple[str, ...]
    prefix: bool = False


@attrs.frozen(kw_only=True)
class SearchQuery:
    """What to look for; a message has to fulfil all of it.

    Attributes:
        terms: its text has all of them.
        authors: its author has one of these names (`author_key`); empty for any author.
        room: the name of its room as it was typed; None for any.
        after, before: when it was sent, in milliseconds since 1970, UTC: not before `after`, and
            before `before`; None for any time.
        has_link: it has a link.
    """

    terms: tuple[SearchTerm, ...] = ()
    authors: frozenset[str] = frozenset()
    room: str | None = None
    after: int | None = None
    before: int | None = None
    has_link: bool = False

    def matches(self, message: MessageSent) -> bool:
        """Return whether a message is one of those, leaving aside its room."""
        if not message.msg:
            return False
        if self.after is not None and message.at < self.after:
            return False
        if self.before is not None and message.at >= self.before:
            return False
        if self.authors and author_key(message.usr) not in self.authors:
            return False
        if self.has_link and not has_link(message.msg):
            return False
        words = search_form(message.msg).split()
        return all(next(_places(words, term), None) is not None for term in self.terms)


@attrs.frozen(kw_only=True)
class MessageSearch:
    """A search in a store.

    Attributes:
        account_id: only rooms that this account is a member of are searched, and its direct
            conversations.
        log_ids: only the rooms and direct conversations with these ids; None for all.
        query: what to look for; its `room` is in `log_ids`.
        before: only messages before this position; None for all.
        limit: maximum number of messages.
        seconds: the time after which the search ends with what it has.
    """

    account_id: int
    log_ids: tuple[int, ...] | None = None
    query: SearchQuery
    before: int | None = None
    limit: int
    seconds: float


@attrs.frozen
class FoundMessage:
    """A message that was found, without reactions.

    Attributes:
        position: its place among all messages, in the order of sending.
        room_id: its room or direct conversation.
        message: the message as it is now.
        other: in a direct conversation, the name of the other user; None in a room.
    """

    position: int
    room_id: int
    message: MessageSent
    other: str | None = None


@attrs.frozen
class SearchPage:
    """What a search has found.

    Attributes:
        found: the messages, newest first.
        before: the position before which the search can go on; None if nothing more is there.
        incomplete: whether its time was over.
    """

    found: tuple[FoundMessage, ...]
    before: int | None = None
    incomplete: bool = False


@lru_cache(maxsize=4096)
def author_key(name: str) -> str:
    """Return the name of an author as it is compared: also one that no user can have any more."""
    try:
        return user_key(name)
    except BadName:
        return name.casefold()


def has_link(text: str) -> bool:
    """Return whether a text has the address of a web page."""
    return "://" in text and _LINK.search(text) is not None


def parse(raw: str, author: str | None = None) -> SearchQuery:
    """Return what a query asks for.

    Args:
        raw: the query as it was typed.
        author: a name, as in `from:`; None for none.

    Raises:
        BadRequest: it is malformed, or asks for nothing.
        TooLong: it has more than `QUERY_CHARS` characters.
    """
    parts = list(_PART.finditer(nfc(raw, QUERY_CHARS, "q")))
    if len(parts) > QUERY_PARTS:
        raise BadRequest(f"q: at most {QUERY_PARTS} words and filters are allowed.")
    terms: list[SearchTerm] = []
    filters: dict[str, list[str]] = {}
    is_word = False
    for part in parts:
        name, quoted, word = part.groups()
        value = word if quoted is None else quoted
        if name:
            filters.setdefault(name.lower(), []).append(value)
        elif words := tuple(search_form(value).split()):
            terms.append(SearchTerm(words))
            is_word = quoted is None
    if terms and is_word and len(terms[-1].words[-1]) >= PREFIX_CHARS:
        terms[-1] = attrs.evolve(terms[-1], prefix=True)
    authors = filters.get("from", []) + ([] if author is None else [author])
    has = {value.lower() for value in filters.get("has", ())}
    if has - {"link"}:
        raise BadRequest("q: has: must be link.")
    if not (terms or authors or has):
        raise BadRequest("q: must have a word, from: or has:link.")
    return SearchQuery(
        terms=tuple(terms),
        authors=frozenset(map(author_key, authors)),
        room=_one(filters, "in"),
        after=_day(filters, "after"),
        before=_day(filters, "before"),
        has_link=bool(has),
    )


def _one(filters: dict[str, list[str]], name: str) -> str | None:
    """Return the value of a filter that is there once, None if it is not there."""
    values = filters.get(name, [])
    if len(values) > 1:
        raise BadRequest(f"q: {name}: is allowed once.")
    return values[0] if values else None


def _day(filters: dict[str, list[str]], name: str) -> int | None:
    """Return the beginning of the day that a filter names, in milliseconds since 1970, UTC."""
    value = _one(filters, name)
    if value is None:
        return None
    try:
        if not _DAY.fullmatch(value):
            raise ValueError
        day = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        raise BadRequest(f"q: {name}: must be a day, as 2026-01-31.") from None
    return int(day.timestamp() * 1000)


def marks(text: str, terms: Sequence[SearchTerm]) -> tuple[tuple[int, int], ...]:
    """Return where a text has terms: starts and ends in code points, in order, at most `MARKS`.

    Args:
        text: the text of a message.
        terms: what was looked for.
    """
    words, spans = _words(text)
    found = sorted(
        (spans[start][0], spans[stop - 1][1])
        for term in terms
        for start, stop in _places(words, term)
    )
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged[:MARKS])


def _words(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the words of a text in their search form, and the range of each in the text."""
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    is_open = False
    for index, character in enumerate(text):
        form = search_form(character)
        if not form and is_open:  # a mark that belongs to the character before it
            spans[-1] = (spans[-1][0], index + 1)
        for part in form:
            if part == " ":
                is_open = False
                continue
            if is_open:
                words[-1] += part
                spans[-1] = (spans[-1][0], index + 1)
            else:
                words.append(part)
                spans.append((index, index + 1))
                is_open = True
    return words, spans


def _places(words: Sequence[str], term: SearchTerm) -> Iterator[tuple[int, int]]:
    """Yield where a term is among words: the index of its first word, and that behind its last."""
    *first, last = term.words
    size = len(term.words)
    for start in range(len(words) - size + 1):
        stop = start + size
        end = words[stop - 1]
        if (end.startswith(last) if term.prefix else end == last) and (
            not first or list(words[start : stop - 1]) == first
        ):
            yield start, stop
