"""The markup of messages: **bold**, *emphasis*, ~~strikethrough~~, `code`, > quotes, :emoji:.

What is no markup is shown as it was written: there are no escapes, entities, headings or HTML, and
links, indentation and lists stay as they are. The rules are those of static/js/markup.js.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator

import attrs

from gtchat.ui.tui.emoji import EMOJI, EMOJI_NAME

#: What is nested deeper, a text with more markup characters, a longer text and one with a longer
#: word are shown as written: the time to parse them grows with their product.
MAX_DEPTH, MAX_MARKUP_CHARS, MAX_CHARS, MAX_WORD, MAX_QUOTES = 6, 300, 10_000, 1_000, 20
#: Drawn for the `>` of a quote.
QUOTE_BAR = "▌ "

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`\n]*$)|~{3,})")
_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r" {0,3}(?:[-*]|(?:0|[1-9]\d{0,8})\.)[ \t]+(?=\S)")
#: What may begin markup or a link.
_SPECIAL = re.compile(r"[*`~]|!?\[|https?://|www\.", re.IGNORECASE)
_EMPHASIS = re.compile(r"(\*{1,3})(?![\s*])([\s\S]*?[^\s*])\1(?!\*)")
_STRIKE = re.compile(r"(~~)(?![\s~])([\s\S]*?[^\s~])~~(?!~)")
_CODE = re.compile(r"(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)")
_RUN = re.compile(r"`+|~+")
_TEXT_LINK = re.compile(
    r"!?\[[^\[\]\n]+\]\((?:https?://|mailto:)(?:[^\s()<>\"\\]|\([^\s()<>\"\\]{0,500}\))+\)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:https?://|www\.[^\s/.]+\.[^\s/.])[^\s<>\"\\`]+", re.IGNORECASE)
_PUNCTUATION = ".,:;!?'*~"
#: Parts in which a `*` ends no emphasis: links, code, what looks like a tag, after a backslash.
_OPAQUE = re.compile(r"\[[^\[\]]*?\]\([^()]*\)|(?<!`)(`+)[^`]+\1(?!`)|<[^<>]*?>|\\[!-/:-@\[-`{-~]")
_FENCED = re.compile(r"```[\s\S]*?```")
_QUOTES = re.compile(rf"^(?: *>){{{MAX_QUOTES}}}", re.MULTILINE)
#: First words of the Unicode names of letters that are written without spaces between words: next
#: to one, `*` is markup also inside of a word.
_SPACELESS = {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER"}

#: Mark -> styles of what is between two of them.
_MARKS = {"*": {"em"}, "**": {"strong"}, "***": {"strong", "em"}, "~~": {"del"}}

#: Marks around a text.
Styles = frozenset[str]
#: All combinations of marks as styles.
STYLES = ("strong", "em", "del", "strong em", "strong del", "em del", "strong em del")


@attrs.frozen
class Span:
    """A part of a message.

    Attributes:
        source: as it was written; all of them in order are the message.
        shown: what is drawn for it: the same, an emoji, the bar of a quote, or nothing.
        style: one of STYLES, `code`, `faint`, or "".
    """

    source: str
    shown: str
    style: str = ""


def parse_message(text: str) -> list[Span]:
    """Return the parts of a message. text: not escaped."""
    if _is_too_complex(text):
        return [Span(text, text)]
    return list(_blocks(text, 0))


def _is_too_complex(text: str) -> bool:
    if len(text) > MAX_CHARS or any(len(word) > MAX_WORD for word in text.split()):
        return True
    unfenced = _FENCED.sub("", text)
    return sum(map(unfenced.count, "*~[]`<")) > MAX_MARKUP_CHARS or bool(_QUOTES.search(text))


# Blocks: code, quotes, items of lists, paragraphs.


def _blocks(text: str, depth: int) -> Iterator[Span]:
    lines = deque(re.findall(r"[^\n]*\n|[^\n]+", text))
    while lines:
        if fence := _FENCE.match(lines[0]):
            yield from _fenced_code(lines, fence[1])
        elif _QUOTE.match(lines[0]):
            yield from _quote(lines, depth)
        else:
            yield from _paragraph(lines, depth)


def _fenced_code(lines: deque[str], fence: str) -> Iterator[Span]:
    """Take code and the lines around it, which are shown. fence: begins the first line."""
    closing = re.compile(rf" {{0,3}}{re.escape(fence)}[~`]* *$")
    line = lines.popleft()
    yield Span(line, line, "faint")
    while lines:
        line = lines.popleft()
        closes = closing.match(line)
        yield Span(line, line, "faint" if closes else "code")
        if closes:
            return


def _quote(lines: deque[str], depth: int) -> Iterator[Span]:
    """Take the lines that begin with `>`; what is in them is parsed again."""
    marks: list[str] = []
    content = ""
    while lines and (mark := _QUOTE.match(lines[0])):
        marks.append(mark[0])
        content += lines.popleft()[mark.end() :]
    parts = _blocks(content, depth + 1) if depth < MAX_DEPTH else iter([Span(content, content)])
    at_start = iter(marks)
    yield _bar(next(at_start))
    for span in parts:
        # Only text that is shown as it was written has newlines.
        if "\n" not in span.source:
            yield span
            continue
        for line in re.findall(r"[^\n]*\n|[^\n]+", span.source):
            yield Span(line, line, span.style)
            if line.endswith("\n") and (following := next(at_start, None)) is not None:
                yield _bar(following)


def _bar(mark: str) -> Span:
    return Span(mark, QUOTE_BAR, "faint")


def _paragraph(lines: deque[str], depth: int) -> Iterator[Span]:
    """Take lines up to an empty line or the next block."""
    text = lines.popleft()
    item = _ITEM.match(text)
    begin = item.end() if item else 0
    while text.strip() and lines and lines[0].strip() and not _begins_block(lines[0]):
        text += lines.popleft()
    if begin:
        yield Span(text[:begin], text[:begin])
    yield from _inline(text[begin:], frozenset(), depth)


def _begins_block(line: str) -> bool:
    return any(start.match(line) for start in (_FENCE, _QUOTE, _ITEM))


# Markup in a line of text.


def _inline(text: str, styles: Styles, depth: int) -> Iterator[Span]:
    """Yield the parts of a text.

    Args:
        text: of a block, or between two marks.
        styles: of the marks around it.
        depth: number of marks and quotes around it.
    """
    opaque = _OPAQUE.sub(lambda found: "a" * len(found[0]), text)
    style = _style(styles)
    plain, at = 0, 0  # where the text begins that is not yielded yet; how far it is parsed
    while found := _SPECIAL.search(text, at):
        start = found.start()
        spans = _part_at(text, opaque, start, plain, styles, depth)
        if not spans:
            run = _RUN.match(text, start)
            at = run.end() if run else start + 1
            continue
        yield from _with_emoji(text[plain:start], style)
        yield from spans
        plain = at = start + sum(len(span.source) for span in spans)
    yield from _with_emoji(text[plain:], style)


def _part_at(
    text: str, opaque: str, start: int, plain: int, styles: Styles, depth: int
) -> list[Span]:
    """Return the spans of the markup or link at a position; none if there is none.

    Args:
        text: as in `_inline`.
        opaque: the same with the parts made unrecognizable in which `*` is no markup.
        start: the position.
        plain: where the text before it begins that is no markup.
        styles: as in `_inline`.
        depth: as in `_inline`.
    """
    if code := _CODE.match(text, start):
        return [Span(code[1], ""), Span(code[2], code[2], "code"), Span(code[1], "")]
    if link := _TEXT_LINK.match(text, start) or _ADDRESS.match(text, start):
        shown = link[0] if link[0].endswith(")") else link[0].rstrip(_PUNCTUATION)
        return [Span(shown, shown, _style(styles))]
    before = text[start - 1] if start > plain else ""
    found = _STRIKE.match(text, start) or _emphasis_at(text, opaque, start, before)
    if found is None:
        return []
    end = found.end()
    if depth >= MAX_DEPTH:
        return [Span(text[start:end], text[start:end], _style(styles))]
    mark = found[1]
    inner = text[start + len(mark) : end - len(mark)]
    inside = _inline(inner, styles | _MARKS[mark], depth + 1)
    return [Span(mark, ""), *inside, Span(mark, "")]


def _style(styles: Styles) -> str:
    return " ".join(style for style in ("strong", "em", "del") if style in styles)


def _emphasis_at(text: str, opaque: str, start: int, before: str) -> re.Match[str] | None:
    """Return the emphasis at a position, if it begins and ends at the edge of a word.

    Args:
        text: as in `_inline`.
        opaque: as in `_part_at`.
        start: the position.
        before: the character before it; "" for none.
    """
    found = _EMPHASIS.match(opaque, start)
    if found is None or before == "*" or _is_word(before) or _is_word(text[found.end() :][:1]):
        return None
    return found


def _is_word(character: str) -> bool:
    """Return whether `*` next to a character is no markup. character: "" for none."""
    if character in ("_", "\\"):
        return True
    if not character or unicodedata.category(character)[0] not in "LN":
        return False
    name = unicodedata.name(character, "").replace("-", " ").split(" ", 1)[0]
    return name not in _SPACELESS


def _with_emoji(text: str, style: str) -> Iterator[Span]:
    """Yield a text with the names of emoji replaced."""
    end = 0
    for found in EMOJI_NAME.finditer(text):
        if (emoji := EMOJI.get(found[1])) is None:
            continue
        if found.start() > end:
            before = text[end : found.start()]
            yield Span(before, before, style)
        yield Span(found[0], emoji, style)
        end = found.end()
    if end < len(text):
        yield Span(text[end:], text[end:], style)
