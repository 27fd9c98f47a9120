"""The widgets around the conversation: the list of buffers, the members, the status bar."""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar

import urwid

from gtchat.client import Connection
from gtchat.ui.formatting import format_user
from gtchat.ui.tui.buffer import Buffer
from gtchat.ui.tui.markup import buffer_title, name_color
from gtchat.ui.tui.model import Model

ONLINE, OFFLINE = "●", "○"
#: What can be done with a selected message.
SELECTED = "Alt-R reply, Alt-T react, Alt-E edit, Alt-D delete, Esc"


def text_width(text: str) -> int:
    """Return the columns that a text takes."""
    return int(urwid.calc_width(text, 0, len(text)))


def fit(text: str, columns: int) -> str:
    """Return a text padded or cut to a width.

    Args:
        text: without control characters.
        columns: the width.
    """
    if text_width(text) > columns:
        end, _ = urwid.calc_text_pos(text, 0, len(text), max(0, columns - 1))
        text = text[:end] + "…"
    return text + " " * (columns - text_width(text))


class ListPane(urwid.Widget):
    """A list with one row for each item, which can be scrolled and clicked.

    Args:
        model: the data of the client.
    """

    _sizing = frozenset(["box"])
    _selectable = False
    no_cache: ClassVar[list[str]] = ["render"]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._first = 0
        self._visible_items: list[Any] = []

    def make_rows(self, width: int, height: int) -> list[tuple[Any, Any]]:
        """Return all rows.

        Args:
            width: columns of the pane.
            height: rows of the pane.

        Returns:
            For each row its item, or None, and its markup.
        """
        raise NotImplementedError

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw the visible rows."""
        width, height = size
        rows = self.make_rows(width, height)
        self._first = max(0, min(self._first, len(rows) - height))
        rows = rows[self._first : self._first + height]
        self._visible_items = [item for item, _ in rows]
        canvases = [
            (urwid.Text(markup, wrap="clip").render((width,)), None, False) for _, markup in rows
        ]
        if not canvases:
            return urwid.SolidCanvas(" ", width, height)
        canvas = urwid.CanvasCombine(canvases)
        canvas.pad_trim_top_bottom(0, height - canvas.rows())
        return canvas

    def item_at(self, row: int) -> Any:
        """Return the item of a visible row, or None. row: from 0 at the top."""
        return self._visible_items[row] if row < len(self._visible_items) else None

    def scroll(self, rows: int) -> None:
        """Scroll down by a number of rows; up, if it is negative."""
        self._first = max(0, self._first + rows)


class BufferList(ListPane):
    """Rooms and direct messages, with their unread counts."""

    def make_rows(self, width: int, height: int) -> list[tuple[Buffer | None, Any]]:
        """Return a heading for each kind and a row for each buffer.

        Args:
            width: columns of the pane.
            height: rows of the pane.
        """
        rows: list[tuple[Buffer | None, Any]] = []
        kind = ""
        for number, buffer in enumerate(self._model.buffers, 1):
            if buffer.kind != kind:
                rows += [(None, "")] if rows else []
                heading = {"room": "Rooms", "direct": "Direct messages"}.get(buffer.kind, "")
                rows += [(None, ("faint", fit(f" {heading}", width)))] if heading else []
                kind = buffer.kind
            if buffer is self._model.current:
                self._scroll_to(len(rows), height)
            rows.append((buffer, self._row(number, buffer, width)))
        return rows

    def _scroll_to(self, row: int, height: int) -> None:
        """Scroll as far as needed to make a row visible."""
        self._first = max(row - height + 1, min(self._first, row))

    def _row(self, number: int, buffer: Buffer, width: int) -> Any:
        mark = "@" if buffer.mentioned else ""
        count = f" {mark}{min(buffer.unread, 999)} " if buffer.unread else " "
        digit = str(number) if number < 10 else " "
        head = f" {digit} "
        text = fit(self._label(buffer), max(1, width - len(head) - len(count)))
        if buffer is self._model.current:
            return ("current", head + text + count)
        if not buffer.is_new:
            return [("faint", head), text, ("faint", count)]
        style = "mention" if buffer.mentioned else "unread"
        return [("faint", head), ("unread", text), (style, count)]

    def _label(self, buffer: Buffer) -> str:
        if buffer.kind != "direct":
            return buffer_title(buffer)
        sign = ONLINE if buffer.name in self._model.online else OFFLINE
        return f"{sign} {buffer_title(buffer)}"


class MemberList(ListPane):
    """The members of the current buffer: first those who are online, then the others."""

    def make_rows(self, width: int, height: int) -> list[tuple[str | None, Any]]:
        """Return a heading, and a row for each member.

        Args:
            width: columns of the pane.
            height: rows of the pane.
        """
        model, buffer = self._model, self._model.current
        if buffer.kind == "start":
            return []
        names = sorted(model.members(buffer), key=str.casefold)
        online = [user for user in names if user in model.online]
        offline = [user for user in names if user not in model.online]
        total = max(buffer.members_total if buffer.members else 0, len(names))
        counted = f"{len(online)} of {total} online" if offline else f"{len(online)} online"
        rows: list[tuple[str | None, Any]] = [(None, ("faint", fit(f" {counted}", width)))]
        for user in online:
            name = fit(format_user(user), width - 3)
            rows.append((user, [("online", f" {ONLINE} "), (name_color(user), name)]))
        for user in offline:
            name = fit(format_user(user), width - 3)
            rows.append((user, ("faint", f" {OFFLINE} {name}")))
        if total > len(names):
            rows.append((None, ("faint", f"   and {total - len(names)} more")))
        return rows


class StatusBar(urwid.Widget):
    """The line with the state of the connection and of the current buffer.

    Args:
        model: the data of the client.
        connection: to the server.

    Attributes:
        scrolled_back: whether the user looks at older lines.
        list_visible: whether the list of buffers is visible; if not, unread counts are shown here.
    """

    _sizing = frozenset(["flow"])
    _selectable = False
    no_cache: ClassVar[list[str]] = ["render", "rows"]

    def __init__(self, model: Model, connection: Connection) -> None:
        super().__init__()
        self._model = model
        self._connection = connection
        self.scrolled_back = False
        self.list_visible = True

    def rows(self, size: Any, focus: bool = False) -> int:
        """Return the height, one row."""
        return 1

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw the most important parts first: a narrow terminal cuts the last ones."""
        (width,) = size
        state, style = self._state()
        state = f" {state} "
        rest = "".join(f"│ {part} " for part in self._parts())
        columns = max(0, width - text_width(state))
        text = [(style, state)]
        if columns:
            text.append(("status", fit(rest, columns)))
        return urwid.Text(text, wrap="clip").render(size)

    def _state(self) -> tuple[str, str]:
        if self._connection.state == "up":
            return "connected", "status"
        seconds = ceil(self._connection.retry_in)
        when = f"in {seconds} s" if seconds else "now"
        return f"connection lost, reconnecting {when}", "lost"

    def _parts(self) -> list[str]:
        model, buffer = self._model, self._model.current
        parts = [format_user(model.me)] if model.me else []
        if buffer.kind == "direct":
            parts.append(f"direct messages with {buffer_title(buffer)}")
        else:
            parts.append(buffer_title(buffer))
        if self.scrolled_back:
            parts.append("↓ newer: Esc")
        if buffer.selected:
            parts.append(SELECTED)
        if typing := model.typing_users():
            verb = "is" if len(typing) == 1 else "are"
            parts.append(f"{', '.join(map(format_user, typing[:3]))} {verb} typing")
        if not self.list_visible:
            parts += [
                f"{buffer_title(other)} {'@' if other.mentioned else ''}{other.unread}"
                for other in model.buffers
                if other.is_new and other is not buffer
            ]
        return parts
