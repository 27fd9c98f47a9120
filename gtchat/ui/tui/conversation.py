"""The lines of the current buffer, with a rule before each day and before the first new line.

The view is anchored at the newest line, or at a line that the user has scrolled back to; lines that
are added before or after the anchor do not move it. Only visible lines are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, tzinfo
from typing import Any, ClassVar

import attrs
import urwid

from gtchat.ui.formatting import OLDER_REMOVED
from gtchat.ui.tui.buffer import Buffer, BufferLine
from gtchat.ui.tui.markup import (
    Markup,
    StyledLine,
    author_text,
    buffer_title,
    format_day,
    local_day,
    style_line,
)
from gtchat.ui.tui.model import Model

#: Columns below which a name stands before its text instead of in a column of its own.
NARROW = 44
#: Minimum and maximum width of the column of names.
MIN_NAME_COLUMNS, MAX_NAME_COLUMNS = 6, 14
#: Drawn items that are kept.
MAX_CANVASES = 5_000


@attrs.frozen
class ViewItem:
    """A line of the buffer, or a rule between two lines.

    Attributes:
        key: identifies it while others are added.
        rule: attribute and text of a rule.
        line: the line; None for a rule.
    """

    key: object
    rule: tuple[str, str] = ("", "")
    line: BufferLine | None = None


def view_items(buffer: Buffer, zone: tzinfo | None = None) -> list[ViewItem]:
    """Return all that is shown of a buffer, oldest first.

    Args:
        buffer: the buffer.
        zone: time zone that days begin in; None for that of this machine.
    """
    items = [ViewItem("top", ("faint", _top_text(buffer)))] if buffer.kind != "start" else []
    last: date | None = None
    for line in buffer.lines:
        day = local_day(line.at, zone)
        if day is not None and day != last:
            last = day
            items.append(ViewItem(day, ("faint", format_day(day))))
        if line.number == buffer.new_from:
            items.append(ViewItem("new", ("new", "new messages")))
        items.append(ViewItem(line.number, line=line))
    return items


def _top_text(buffer: Buffer) -> str:
    if buffer.loading or not buffer.loaded:
        return "loading …"
    if not buffer.complete:
        return "PageUp: older messages"
    return OLDER_REMOVED if buffer.shortened else f"beginning of {buffer_title(buffer)}"


class ConversationView(urwid.Widget):
    """Shows the current buffer.

    Args:
        model: the data of the client.
        load_older: called with the buffer when its first row is visible.
        zone: time zone of the times shown; None for that of this machine.
    """

    _sizing = frozenset(["box"])
    _selectable = False
    no_cache: ClassVar[list[str]] = ["render"]

    def __init__(
        self, model: Model, load_older: Callable[[Buffer], None], zone: tzinfo | None = None
    ) -> None:
        super().__init__()
        self._model = model
        self._load_older = load_older
        self._zone = zone
        self._buffer = model.current
        self._size = (80, 20)
        #: Key of the item at the bottom and how many of its rows are below the view; None: the
        #: view is at the end.
        self._anchor: tuple[object, int] | None = None
        self._name_columns = MIN_NAME_COLUMNS
        self._cached_items: tuple[object, list[ViewItem]] = (None, [])
        #: By key: what was drawn, how, and the canvas.
        self._canvases: dict[object, tuple[Any, Any, Any]] = {}

    @property
    def scrolled_back(self) -> bool:
        """Whether there are newer lines below the view."""
        return self._anchor is not None

    # Scrolling.

    def scroll(self, rows: int) -> None:
        """Scroll back by a number of rows; forward, if it is negative."""
        items, at, hidden = self._position()
        hidden += rows
        while hidden < 0 and at < len(items) - 1:
            at += 1
            hidden += self._height(items[at])
        while at > 0 and hidden >= self._height(items[at]):
            hidden -= self._height(items[at])
            at -= 1
        self._set_anchor(items, at, hidden)
        self._stop_at_top()

    def page(self, pages: int) -> None:
        """Scroll back by a number of pages; forward, if it is negative."""
        self.scroll(pages * max(1, self._size[1] - 2))

    def scroll_to_end(self) -> None:
        """Scroll to the newest line."""
        self._anchor = None
        self._buffer.scrolled_back = False

    def _follow_request(self) -> None:
        """Put the line that the model wants to be shown into the first row, or scroll to the end.

        The view is at the end if all lines from that one on fit into it.
        """
        number, self._model.current.show_from = self._model.current.show_from, 0
        if not number:
            return
        items, _, _ = self._position()
        at = next((at for at, item in enumerate(items) if item.key == number), len(items) - 1)
        rows = self._height(items[at])
        while rows < self._size[1] and at < len(items) - 1:
            at += 1
            rows += self._height(items[at])
        self._set_anchor(items, at, max(0, rows - self._size[1]))

    def _set_anchor(self, items: list[ViewItem], at: int, hidden: int) -> None:
        """Put an item at the bottom of the view, with some of its rows hidden below."""
        at_end = at >= len(items) - 1 and hidden <= 0
        self._anchor = None if at_end or not items else (items[at].key, hidden)
        self._buffer.scrolled_back = self._anchor is not None

    def _position(self) -> tuple[list[ViewItem], int, int]:
        """Return all items, the index of the one at the bottom, and its rows below the view."""
        if self._buffer is not self._model.current:
            self._buffer = self._model.current
            self._anchor = None
            self._canvases.clear()
        elif self._anchor is not None and not self._buffer.scrolled_back:
            self._anchor = None  # the user sent a message, which resets the buffer's flag
        items = self._items()
        if self._anchor is not None:
            key, hidden = self._anchor
            for at, item in enumerate(items):
                if item.key == key:
                    return items, at, min(hidden, self._height(item) - 1)
            self._anchor = None
            self._buffer.scrolled_back = False
        return items, len(items) - 1, 0

    def _items(self) -> list[ViewItem]:
        """Return all items; they are made again only when the buffer has changed."""
        buffer = self._buffer
        loaded = buffer.loaded, buffer.complete, buffer.shortened, buffer.loading
        state = (buffer, buffer.version, buffer.new_from, loaded)
        if state != self._cached_items[0]:
            self._cached_items = state, view_items(buffer, self._zone)
            names = {author_text(line) for line in buffer.lines if line.kind == "message"}
            widest = max((urwid.calc_width(name, 0, len(name)) for name in names), default=0)
            self._name_columns = max(MIN_NAME_COLUMNS, min(MAX_NAME_COLUMNS, widest))
        return self._cached_items[1]

    def _stop_at_top(self) -> None:
        """Do not scroll past the first row; when it is visible, load older lines."""
        items, at, hidden = self._position()
        height = self._size[1]
        above = -hidden
        for item in reversed(items[: at + 1]):
            above += self._height(item)
            if above > height:
                return
        missing = height - above
        while missing > 0 and (hidden or at < len(items) - 1):
            if not hidden:
                at += 1
                hidden = self._height(items[at])
            taken = min(missing, hidden)
            hidden, missing = hidden - taken, missing - taken
        self._set_anchor(items, at, hidden)
        self._load_older(self._buffer)

    # Drawing.

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw the visible items, from the bottom up."""
        width, height = self._size = size
        self._follow_request()
        items, at, hidden = self._position()
        canvases: list[Any] = []
        rows = -hidden
        while at >= 0 and rows < height:
            canvas = self._canvas(items[at], width)
            canvases.insert(0, canvas)
            rows += canvas.rows()
            at -= 1
        if at < 0 and self._anchor is None and self._buffer.kind != "start":
            self._load_older(self._buffer)
        if not canvases:
            return urwid.SolidCanvas(" ", width, height)
        combined = urwid.CanvasCombine([(canvas, None, False) for canvas in canvases])
        if hidden:
            combined.trim(0, combined.rows() - hidden)
        if combined.rows() > height:
            combined.trim(combined.rows() - height, height)
        elif combined.rows() < height:
            combined.pad_trim_top_bottom(height - combined.rows(), 0)
        return combined

    def _height(self, item: ViewItem) -> int:
        rows: int = self._canvas(item, self._size[0]).rows()
        return rows

    def _canvas(self, item: ViewItem, width: int) -> Any:
        """Return an item drawn at a width; it is drawn again only when it has changed."""
        content = item.line if item.line is not None else item.rule
        selected = bool(self._buffer.selected) and item.key == self._buffer.selected
        layout = width, self._name_columns, selected, self._model.numbers
        cached = self._canvases.get(item.key)
        if cached is not None and cached[0] is content and cached[1] == layout:
            return cached[2]
        widget = self._widget(item, width, selected)
        canvas = urwid.CompositeCanvas(widget.render((width,)))
        if len(self._canvases) > MAX_CANVASES:
            self._canvases.clear()
        self._canvases[item.key] = content, layout, canvas
        return canvas

    def _widget(self, item: ViewItem, width: int, selected: bool) -> Any:
        if item.line is None:
            return _rule(*item.rule, width)
        if item.line.kind == "help":
            return _help_row(item.line, width)
        line = style_line(item.line, self._model.me, self._zone, self._model.numbers)
        time = "current" if selected else "faint"
        if width < NARROW:
            return _narrow(line, time)
        return _wide(line, self._name_columns, time)


def _wide(line: StyledLine, name_columns: int, time: str) -> Any:
    """Return a line with its name in a column, which no text of another line can enter.

    Args:
        line: the line.
        name_columns: width of the column.
        time: attribute of the time.
    """
    attribute, who = line.who
    return urwid.Columns(
        [
            (5, urwid.Text((time, line.time), wrap="clip")),
            (name_columns, urwid.Text((attribute, who), align="right", wrap="ellipsis")),
            urwid.Text(_urwid_markup(line.text)),
        ],
        dividechars=1,
    )


def _narrow(line: StyledLine, time: str) -> Any:
    """Return a line with its name before the text. time: attribute of the time."""
    attribute, who = line.who
    text: Markup = [(attribute, who), (None, "  " if len(who) == 1 else ": "), *line.text]
    return urwid.Columns(
        [(5, urwid.Text((time, line.time), wrap="clip")), urwid.Text(_urwid_markup(text))],
        dividechars=1,
    )


def _help_row(line: BufferLine, width: int) -> Any:
    """Return a row of the help: what to type, what it does."""
    return urwid.Columns(
        [(min(30, width // 2), urwid.Text(("bold", line.usr))), urwid.Text(line.text)],
        dividechars=1,
    )


def _urwid_markup(markup: Markup) -> Any:
    """Convert markup for urwid, which has no None attribute and no empty list."""
    return [text if attribute is None else (attribute, text) for attribute, text in markup] or ""


def _rule(attribute: str, text: str, width: int) -> Any:
    """Return a text in a horizontal line."""
    space = max(0, width - urwid.calc_width(text, 0, len(text)) - 2)
    left = min(6, space // 2)
    return urwid.Text((attribute, f"{'─' * left} {text} {'─' * (space - left)}"), wrap="clip")
