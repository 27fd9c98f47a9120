"""The lines of a conversation, with days and the mark of what is new between them, to be scrolled.

The view stands on the newest line, or on a line that the reader has gone back to; what comes then,
before or behind it, does not move what he reads. Only what is seen is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, tzinfo
from typing import Any, ClassVar

import attrs
import urwid

from gtchat.ui.rendering import name
from gtchat.ui.tui.buffer import Line, Talk
from gtchat.ui.tui.markup import Markup, Shown, day, day_words, shown, title
from gtchat.ui.tui.model import World

#: Columns below which a line is not in columns of its own.
NARROW = 44
#: Columns of a name, at least and at most.
WHO = (6, 14)


@attrs.frozen
class Item:
    """Something between the first row and the last.

    Attributes:
        key: what it is known by when others come. rule: words in a line across, and their
            attribute. line: of the conversation, if it is one.
    """

    key: object
    rule: tuple[str, str] = ("", "")
    line: Line | None = None


def items(talk: Talk, zone: tzinfo | None = None) -> list[Item]:
    """All that a conversation shows, from the oldest to the newest."""
    found = [Item("top", ("faint", _top(talk)))] if talk.kind == "room" else []
    last: date | None = None
    for line in talk.lines:
        when = day(line.at, zone)
        if when is not None and when != last:
            last = when
            found.append(Item(when, ("faint", day_words(when))))
        if line.number == talk.new_from:
            found.append(Item("new", ("new", "new")))
        found.append(Item(line.number, line=line))
    return found


def _top(talk: Talk) -> str:
    if talk.loading or not talk.loaded:
        return "loading …"
    return f"the beginning of {title(talk)}" if talk.complete else "PageUp shows more"


class Conversation(urwid.Widget):
    """Shows the conversation that is looked at.

    Args:
        world: has it. older: called when its first row is seen. zone: for clock times.
    """

    _sizing = frozenset(["box"])
    _selectable = False
    no_cache: ClassVar[list[str]] = ["render"]

    def __init__(
        self, world: World, older: Callable[[Talk], None], zone: tzinfo | None = None
    ) -> None:
        super().__init__()
        self._world = world
        self._older = older
        self._zone = zone
        self._talk = world.current
        self._size = (80, 20)
        #: The item at the bottom and how many of its rows are below it; None: the newest.
        self._anchor: tuple[object, int] | None = None
        #: Columns of the names.
        self._who = WHO[0]
        self._found: tuple[object, list[Item]] = (None, [])
        self._drawn: dict[object, tuple[Any, Any, Any]] = {}

    @property
    def below(self) -> bool:
        """Whether there is something newer than what is seen."""
        return self._anchor is not None

    # Scrolling.

    def scroll(self, rows: int) -> None:
        """Go back, by so many rows; forth, if they are less than 0."""
        found, at, hidden = self._position()
        hidden += rows
        while hidden < 0 and at < len(found) - 1:
            at += 1
            hidden += self._rows(found[at])
        while at > 0 and hidden >= self._rows(found[at]):
            hidden -= self._rows(found[at])
            at -= 1
        self._stand(found, at, hidden)
        self._clamp()

    def page(self, pages: int) -> None:
        """Go back, by so many pages; forth, if they are less than 0."""
        self.scroll(pages * max(1, self._size[1] - 2))

    def to_newest(self) -> None:
        """Go to the newest line."""
        self._anchor = None
        self._talk.held = False

    def _stand(self, found: list[Item], at: int, hidden: int) -> None:
        """Stand on a row."""
        newest = at >= len(found) - 1 and hidden <= 0
        self._anchor = None if newest or not found else (found[at].key, hidden)
        self._talk.held = self._anchor is not None

    def _position(self) -> tuple[list[Item], int, int]:
        """All items, the one at the bottom, and how many of its rows are below the view."""
        if self._talk is not self._world.current:
            self._talk = self._world.current
            self._anchor = None
            self._drawn.clear()
        elif self._anchor is not None and not self._talk.held:
            self._anchor = None  # the reader has said something
        found = self._all()
        if self._anchor is not None:
            key, hidden = self._anchor
            for at, item in enumerate(found):
                if item.key == key:
                    return found, at, min(hidden, self._rows(item) - 1)
            self._anchor = None
            self._talk.held = False
        return found, len(found) - 1, 0

    def _all(self) -> list[Item]:
        """All items, found anew when something has changed."""
        talk = self._talk
        now = (talk, talk.version, talk.new_from, talk.loaded, talk.complete, talk.loading)
        if now != self._found[0]:
            self._found = now, items(talk, self._zone)
            names = {name(line.usr) for line in talk.lines if line.kind == "said"}
            widest = max((urwid.calc_width(who, 0, len(who)) for who in names), default=0)
            self._who = max(WHO[0], min(WHO[1], widest))
        return self._found[1]

    def _clamp(self) -> None:
        """Do not stand before the beginning; there, ask for what is older."""
        found, at, hidden = self._position()
        height = self._size[1]
        above = -hidden
        for item in reversed(found[: at + 1]):
            above += self._rows(item)
            if above > height:
                return
        missing = height - above
        while missing > 0 and (hidden or at < len(found) - 1):
            if not hidden:
                at += 1
                hidden = self._rows(found[at])
            taken = min(missing, hidden)
            hidden, missing = hidden - taken, missing - taken
        self._stand(found, at, hidden)
        self._older(self._talk)

    # Drawing.

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw what is seen, from the bottom to the top."""
        width, height = self._size = size
        found, at, hidden = self._position()
        canvases: list[Any] = []
        rows = -hidden
        while at >= 0 and rows < height:
            canvas = self._canvas(found[at], width)
            canvases.insert(0, canvas)
            rows += canvas.rows()
            at -= 1
        if at < 0 and self._anchor is None and self._talk.kind == "room":
            self._older(self._talk)
        if not canvases:
            return urwid.SolidCanvas(" ", width, height)
        whole = urwid.CanvasCombine([(canvas, None, False) for canvas in canvases])
        if hidden:
            whole.trim(0, whole.rows() - hidden)
        if whole.rows() > height:
            whole.trim(whole.rows() - height, height)
        elif whole.rows() < height:
            whole.pad_trim_top_bottom(height - whole.rows(), 0)
        return whole

    def _rows(self, item: Item) -> int:
        rows: int = self._canvas(item, self._size[0]).rows()
        return rows

    def _canvas(self, item: Item, width: int) -> Any:
        """An item, drawn; once for each width."""
        what = item.line if item.line is not None else item.rule
        how = width, self._who
        kept = self._drawn.get(item.key)
        if kept is not None and kept[0] is what and kept[1] == how:
            return kept[2]
        widget = self._widget(item, width)
        canvas = urwid.CompositeCanvas(widget.render((width,)))
        if len(self._drawn) > 5_000:
            self._drawn.clear()
        self._drawn[item.key] = what, how, canvas
        return canvas

    def _widget(self, item: Item, width: int) -> Any:
        if item.line is None:
            return _rule(*item.rule, width)
        if item.line.kind == "help":
            return _help(item.line, width)
        line = shown(item.line, self._world.me, self._zone)
        return _narrow(line) if width < NARROW else _wide(line, self._who)


def _wide(line: Shown, columns: int) -> Any:
    """A line in columns: so nobody can write what looks like somebody else's line."""
    attribute, who = line.who
    return urwid.Columns(
        [
            (5, urwid.Text(("faint", line.time), wrap="clip")),
            (columns, urwid.Text((attribute, who), align="right", wrap="ellipsis")),
            urwid.Text(_text(line.text)),
        ],
        dividechars=1,
    )


def _narrow(line: Shown) -> Any:
    """A line whose name stands before its text."""
    attribute, who = line.who
    text: Markup = [(attribute, who), (None, "  " if len(who) == 1 else ": "), *line.text]
    return urwid.Columns(
        [(5, urwid.Text(("faint", line.time), wrap="clip")), urwid.Text(_text(text))],
        dividechars=1,
    )


def _help(line: Line, width: int) -> Any:
    """A row of the help: what one types, and what it does."""
    return urwid.Columns(
        [(min(30, width // 2), urwid.Text(("bold", line.usr))), urwid.Text(line.text)],
        dividechars=1,
    )


def _text(markup: Markup) -> Any:
    """Markup as urwid wants it."""
    return [text if attribute is None else (attribute, text) for attribute, text in markup] or ""


def _rule(attribute: str, words: str, width: int) -> Any:
    """Words in a line across."""
    room = max(0, width - urwid.calc_width(words, 0, len(words)) - 2)
    left = min(6, room // 2)
    text = f"{'─' * left} {words} {'─' * (room - left)}"
    return urwid.Text((attribute, text), wrap="clip")
