"""How lines look: escaped texts with the attributes that they are drawn in.

Text of other users reaches urwid only through this module and `rendering`, which escape it.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from zlib import crc32

import attrs

from gtchat.client import ChatMessage, ReplyTo
from gtchat.ui.formatting import format_room, format_user, local_time
from gtchat.ui.notes import deletion_text, reaction_text
from gtchat.ui.terminal import escape_controls
from gtchat.ui.tui.buffer import Buffer, BufferLine, name_pattern
from gtchat.ui.tui.message_markup import STYLES, parse_message

#: Colors of user names, of 16 and of 256. Each of the 256 has a contrast of at least 3.9 to black
#: and to white (WCAG 2.2, relative luminance); of the 16, the darker ones are used.
NAME_COLORS: tuple[tuple[str, str], ...] = (
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

#: Style of a mark in a message -> setting of the terminal. Struck text is faint too, because not
#: every terminal can strike it.
MARK_SETTINGS = {"strong": "bold", "em": "italics", "del": "strikethrough,faint"}


def _text_style(style: str) -> tuple[str, str, str, str, str, str]:
    """Return the row of the palette for a style of text in messages."""
    settings = ",".join(MARK_SETTINGS[mark] for mark in style.split())
    colored = f"default,{settings}"
    return style, colored, "default", settings, colored, "default"


#: Attribute; foreground and background of 16 colors; settings without colors; foreground and
#: background of 256 colors.
PALETTE: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("faint", "default,faint", "default", "default,faint", FAINT, "default"),
    ("bold", "default,bold", "default", "bold", "default,bold", "default"),
    ("status", "default,standout", "default", "standout", "default,standout", "default"),
    ("lost", "white,bold", "dark red", "standout,bold", "h231,bold", "h124"),
    ("current", "default,standout", "default", "standout", "default,standout", "default"),
    ("topic", "default,underline", "default", "underline", "default,underline", "default"),
    ("unread", "default,bold", "default", "bold", "default,bold", "default"),
    ("mention", "black,bold", "brown", "bold,underline", "h16,bold", "h220"),
    ("new", "dark red,bold", "default", "bold", "h161,bold", "default"),
    ("error", "dark red", "default", "bold", "h161", "default"),
    ("online", "dark green", "default", "default", "h28", "default"),
    ("prompt", "default,bold", "default", "bold", "default,bold", "default"),
    ("code", "dark cyan", "default", "underline", "h30", "default"),
    *(_text_style(style) for style in STYLES),
    *(
        (f"name{number}", f"{low},bold", "default", "bold", f"{high},bold", "default")
        for number, (low, high) in enumerate(NAME_COLORS)
    ),
)

#: Pieces of text with their attributes; None: the terminal's default.
Markup = list[tuple[str | None, str]]


@attrs.frozen
class StyledLine:
    """A line as it is drawn, in three columns.

    Attributes:
        time: `HH:MM`, or five spaces.
        who: attribute and text of the second column: the sender, or a sign.
        text: takes as many rows as it needs.
    """

    time: str
    who: tuple[str, str]
    text: Markup


def name_color(user: str) -> str:
    """Return the attribute of a user's name; it is the same in each session."""
    return f"name{crc32(user.casefold().encode()) % len(NAME_COLORS)}"


def author_text(line: BufferLine) -> str:
    """Return the author of a message as it is shown: behind `*` for what the author does."""
    is_action = line.message is not None and line.message.style == "action"
    return f"* {format_user(line.usr)}" if is_action else format_user(line.usr)


def style_line(
    line: BufferLine, me: str, zone: tzinfo | None = None, numbers: bool = False
) -> StyledLine:
    """Return a line as it is drawn.

    Args:
        line: of a buffer.
        me: name of the user, which is marked in messages.
        zone: time zone of the times shown; None for that of this machine.
        numbers: whether the numbers of messages are shown.
    """
    at = local_time(line.at, zone)
    time = at.strftime("%H:%M") if at else "     "
    if line.kind in ("message", "broadcast"):
        sender = (name_color(line.usr), author_text(line))
        number: Markup = []
        if numbers and line.message is not None and line.message.seq:
            number = [("faint", f"#{line.message.seq} ")]
        return StyledLine(time, sender, [*number, *_style_message(line, me)])
    text = _escape_lines(line.text)
    if line.kind == "error":
        return StyledLine(time, ("error", "!"), [("error", text)])
    if line.kind == "event":
        return StyledLine(time, ("faint", "·"), [("faint", text)])
    return StyledLine(time, ("faint", "*"), [(None, text)])


def _style_message(line: BufferLine, me: str) -> Markup:
    """Return a message with its markup drawn, the user's name marked, its notes and its state."""
    message = line.message
    if message is not None and message.deleted is not None:
        return [("faint", deletion_text(message))]
    text: Markup = [("bold", "to all users: ")] if line.kind == "broadcast" else []
    if message is not None and message.reply is not None:
        text.append(("faint", f"{_escape_lines(_reply_head(line, message.reply))}\n"))
    spans = [span for span in parse_message(line.text) if span.shown]
    body = [(span.style or None, _escape_lines(span.shown)) for span in spans]
    if line.state == "sending":
        return [*text, *(("faint", shown) for _, shown in body), ("faint", "  (sending …)")]
    for attribute, shown in body:
        text += _mark_name(attribute, shown, me) if line.mention else [(attribute, shown)]
    text += _notes(message) if message is not None else []
    if line.state == "stored":
        text.append(("faint", "  (offline; delivered at the next login)"))
    elif line.state == "failed":
        text.append(("error", f"  (not sent: {escape_controls(line.error)})"))
    return text


def _reply_head(line: BufferLine, reply: ReplyTo) -> str:
    """Return what stands above the text of a reply."""
    return (
        f"\u21aa {format_user(reply.user)}: {line.quote}" if line.quote else f"\u21aa {reply.user}"
    )


def _notes(message: ChatMessage) -> Markup:
    """Return what stands behind the text of a message, the user's own reactions in bold."""
    words = [word for word, on in (("edited", message.edited), ("pinned", message.pinned)) if on]
    notes: Markup = [("faint", "".join(f"  ({word})" for word in words))] if words else []
    for number, reaction in enumerate(message.reactions):
        notes.append((None, "  " if number else "\n"))
        notes.append(("bold" if reaction.me else "faint", reaction_text(reaction)))
    return notes


def _mark_name(attribute: str | None, text: str, me: str) -> Markup:
    """Return a part of a message with the user's name marked."""
    pieces: Markup = []
    end = 0
    for found in name_pattern(escape_controls(me)).finditer(text):
        pieces += [(attribute, text[end : found.start()]), ("mention", found[0])]
        end = found.end()
    return [(style, piece) for style, piece in [*pieces, (attribute, text[end:])] if piece]


def _escape_lines(text: str) -> str:
    """Return a text escaped, except its newlines."""
    return "\n".join(escape_controls(line) for line in text.split("\n"))


def local_day(at: datetime | None, zone: tzinfo | None = None) -> date | None:
    """Return the day of a time, or None for none.

    Args:
        at: aware.
        zone: time zone; None for that of this machine.
    """
    time = local_time(at, zone)
    return time.date() if time else None


def format_day(day: date) -> str:
    """Return a day such as `Monday, 6 May 2030`."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def buffer_title(buffer: Buffer) -> str:
    """Return the name of a buffer, escaped."""
    return format_room(buffer.name) if buffer.kind == "room" else format_user(buffer.name)
