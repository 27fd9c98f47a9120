"""How lines look: words, which are made harmless here, and the attributes that they are drawn in.

Nothing that others wrote reaches urwid but through this module and `rendering`.
"""

from __future__ import annotations

from datetime import date, tzinfo
from zlib import crc32

import attrs

from gtchat.ui.rendering import moment, name, room
from gtchat.ui.terminal import visible
from gtchat.ui.tui.buffer import Line, Talk, name_pattern

#: Colours of names that are told apart on a dark and on a light ground: of 256, each has a contrast
#: of at least 3.9 to black and to white (WCAG 2.2, relative luminance); of 16, the darker ones.
NAMES: tuple[tuple[str, str], ...] = (
    ("dark blue", "h27"),
    ("dark green", "h28"),
    ("dark cyan", "h30"),
    ("dark cyan", "h31"),
    ("dark blue", "h63"),
    ("brown", "h64"),
    ("dark magenta", "h98"),
    ("brown", "h130"),
    ("dark red", "h131"),
    ("dark magenta", "h133"),
    ("dark red", "h161"),
    ("dark magenta", "h164"),
)
FAINT = "h244"

#: Attribute, colour and ground of 16, what it is without colours, colour and ground of 256.
PALETTE: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("faint", "default,faint", "default", "default,faint", FAINT, "default"),
    ("bold", "default,bold", "default", "bold", "default,bold", "default"),
    ("status", "default,standout", "default", "standout", "default,standout", "default"),
    ("lost", "white,bold", "dark red", "standout,bold", "h231,bold", "h124"),
    ("chosen", "default,standout", "default", "standout", "default,standout", "default"),
    ("unread", "default,bold", "default", "bold", "default,bold", "default"),
    ("mention", "black,bold", "brown", "bold,underline", "h16,bold", "h220"),
    ("new", "dark red,bold", "default", "bold", "h161,bold", "default"),
    ("error", "dark red", "default", "bold", "h161", "default"),
    ("here", "dark green", "default", "default", "h28", "default"),
    ("prompt", "default,bold", "default", "bold", "default,bold", "default"),
    *(
        (f"name{number}", f"{colour},bold", "default", "bold", f"{high},bold", "default")
        for number, (colour, high) in enumerate(NAMES)
    ),
)

#: Pieces of text, each with its attribute.
Markup = list[tuple[str | None, str]]


@attrs.frozen
class Shown:
    """A line as it is drawn: three columns, the last of which takes as many rows as it needs."""

    time: str
    who: tuple[str, str]
    text: Markup


def colour_of(user: str) -> str:
    """The attribute of somebody's name, always the same."""
    return f"name{crc32(user.casefold().encode()) % len(NAMES)}"


def shown(line: Line, me: str, zone: tzinfo | None = None) -> Shown:
    """A line. me: whose name is a mention. zone: whose clock times are shown by."""
    at = moment(line.at, zone)
    time = at.strftime("%H:%M") if at else "     "
    if line.kind in ("said", "broadcast"):
        return Shown(time, (colour_of(line.usr), name(line.usr)), _said(line, me))
    if line.kind == "error":
        return Shown(time, ("error", "!"), [("error", _lines(line.text))])
    return Shown(time, ("faint", "·" if line.kind == "event" else "*"), _told(line))


def _told(line: Line) -> Markup:
    return [("faint" if line.kind == "event" else None, _lines(line.text))]


def _said(line: Line, me: str) -> Markup:
    """What somebody said, with his readers' names marked, and what has become of it."""
    text: Markup = [("bold", "to everybody: ")] if line.kind == "broadcast" else []
    body = _lines(line.text)
    if line.state == "sending":
        return [*text, ("faint", body), ("faint", "  (sending …)")]
    if line.mention:
        text += _marked(body, me)
    else:
        text.append((None, body))
    if line.state == "waiting":
        text.append(("faint", "  (is away, and gets it at the next login)"))
    elif line.state == "failed":
        text.append(("error", f"  (not sent: {visible(line.why)})"))
    return text


def _marked(body: str, me: str) -> Markup:
    pieces: Markup = []
    end = 0
    for found in name_pattern(visible(me)).finditer(body):
        pieces += [(None, body[end : found.start()]), ("mention", found[0])]
        end = found.end()
    return [(attribute, text) for attribute, text in [*pieces, (None, body[end:])] if text]


def _lines(text: str) -> str:
    """A text of several lines, harmless."""
    return "\n".join(visible(line) for line in text.split("\n"))


def day(at: str, zone: tzinfo | None = None) -> date | None:
    """The day that something was on. at: RFC 3339."""
    when = moment(at, zone)
    return when.date() if when else None


def day_words(when: date) -> str:
    """A day, such as `Monday, 6 May 2030`."""
    return f"{when:%A}, {when.day} {when:%B %Y}"


def title(talk: Talk) -> str:
    """What a conversation is called."""
    if talk.kind == "room":
        return room(talk.name)
    return name(talk.name)
