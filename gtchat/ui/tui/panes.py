"""What stands around the conversation: the list of conversations, the members, the status line."""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar

import urwid

from gtchat.ui.rendering import name
from gtchat.ui.terminal import visible
from gtchat.ui.tui.buffer import Talk
from gtchat.ui.tui.markup import colour_of, title
from gtchat.ui.tui.model import World

HERE, AWAY = "●", "○"


def width_of(text: str) -> int:
    """Columns that a text takes."""
    return int(urwid.calc_width(text, 0, len(text)))


def fitted(text: str, columns: int) -> str:
    """A text in so many columns, cut where it is longer."""
    if width_of(text) > columns:
        end, _ = urwid.calc_text_pos(text, 0, len(text), max(0, columns - 1))
        text = text[:end] + "…"
    return text + " " * (columns - width_of(text))


class Pane(urwid.Widget):
    """Rows of one line each; rows that can be clicked on have something that they stand for."""

    _sizing = frozenset(["box"])
    _selectable = False
    no_cache: ClassVar[list[str]] = ["render"]

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._first = 0
        self._shown: list[Any] = []

    def rows_of(self, width: int, height: int) -> list[tuple[Any, Any]]:
        """The rows: what each stands for, and its markup."""
        raise NotImplementedError

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw the rows that are seen."""
        width, height = size
        rows = self.rows_of(width, height)
        self._first = max(0, min(self._first, len(rows) - height))
        rows = rows[self._first : self._first + height]
        self._shown = [what for what, _ in rows]
        canvases = [
            (urwid.Text(markup, wrap="clip").render((width,)), None, False) for _, markup in rows
        ]
        if not canvases:
            return urwid.SolidCanvas(" ", width, height)
        whole = urwid.CanvasCombine(canvases)
        whole.pad_trim_top_bottom(0, height - whole.rows())
        return whole

    def at(self, row: int) -> Any:
        """What a row stands for; None for nothing."""
        return self._shown[row] if row < len(self._shown) else None

    def scroll(self, rows: int) -> None:
        """Go down, or up."""
        self._first = max(0, self._first + rows)


class Talks(Pane):
    """Rooms and whispers, with what is new in them."""

    def rows_of(self, width: int, height: int) -> list[tuple[Talk | None, Any]]:
        """A heading for each kind, a row for each conversation."""
        rows: list[tuple[Talk | None, Any]] = []
        kind = ""
        for number, talk in enumerate(self._world.talks, 1):
            if talk.kind != kind:
                rows += [(None, "")] if rows else []
                heading = {"room": "Rooms", "whisper": "Whispers"}.get(talk.kind, "")
                rows += [(None, ("faint", fitted(f" {heading}", width)))] if heading else []
                kind = talk.kind
            if talk is self._world.current:
                self._keep(len(rows), height)
            rows.append((talk, self._row(number, talk, width)))
        return rows

    def _keep(self, row: int, height: int) -> None:
        """See to it that a row is seen."""
        self._first = max(row - height + 1, min(self._first, row))

    def _row(self, number: int, talk: Talk, width: int) -> Any:
        mark = "@" if talk.mentioned else ""
        count = f" {mark}{min(talk.unread, 999)} " if talk.unread else " "
        digit = str(number) if number < 10 else " "
        head = f" {digit} "
        words = self._words(talk)
        text = fitted(words, max(1, width - len(head) - len(count)))
        if talk is self._world.current:
            return ("chosen", head + text + count)
        if not talk.unread:
            return [("faint", head), text + count]
        style = "mention" if talk.mentioned else "unread"
        return [("faint", head), ("unread", text), (style, count)]

    def _words(self, talk: Talk) -> str:
        if talk.kind != "whisper":
            return title(talk)
        return f"{HERE if talk.name in self._world.here else AWAY} {title(talk)}"


class Members(Pane):
    """Who is in the conversation: first those who are here, then the others."""

    def rows_of(self, width: int, height: int) -> list[tuple[str | None, Any]]:
        """A heading, and a row for each."""
        world, talk = self._world, self._world.current
        names = sorted(world.members(talk), key=str.casefold)
        here = [user for user in names if user in world.here]
        away = [user for user in names if user not in world.here]
        total = max(talk.members_total if talk.members else 0, len(names))
        words = f"{len(here)} here" if not away else f"{len(here)} of {total} here"
        rows: list[tuple[str | None, Any]] = [(None, ("faint", fitted(f" {words}", width)))]
        for user in here:
            shown = fitted(name(user), width - 3)
            rows.append((user, [("here", f" {HERE} "), (colour_of(user), shown)]))
        rows += [(user, ("faint", f" {AWAY} {fitted(name(user), width - 3)}")) for user in away]
        if total > len(names):
            rows.append((None, ("faint", f"   and {total - len(names)} more")))
        return rows


class Status(urwid.Widget):
    """The line that tells how things are.

    Args:
        world: what is known. connection: whether it is up, and when it is tried again.

    Attributes:
        below: whether the reader looks at older lines. rooms: whether rooms are seen elsewhere.
    """

    _sizing = frozenset(["flow"])
    _selectable = False
    no_cache: ClassVar[list[str]] = ["render", "rows"]

    def __init__(self, world: World, connection: Any) -> None:
        super().__init__()
        self._world = world
        self._connection = connection
        self.below = False
        self.rooms = True

    def rows(self, size: Any, focus: bool = False) -> int:
        """One."""
        return 1

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw it: what must not be missed first, the topic last, which may be cut."""
        (width,) = size
        state, style = self._state()
        state = f" {state} "
        rest = "".join(f"│ {part} " for part in self._parts())
        columns = max(0, width - width_of(state))
        text = [(style, state)]
        if columns:
            text.append(("status", fitted(rest, columns)))
        return urwid.Text(text, wrap="clip").render(size)

    def _state(self) -> tuple[str, str]:
        if self._connection.is_up:
            return "connected", "status"
        seconds = ceil(self._connection.retry_in)
        when = f"again in {seconds} s" if seconds else "again now"
        return f"connection lost, trying {when}", "lost"

    def _parts(self) -> list[str]:
        world, talk = self._world, self._world.current
        parts = [name(world.me)] if world.me else []
        if talk.kind == "whisper":
            parts.append(f"to {title(talk)} alone")
        else:
            parts.append(title(talk))
        if self.below:
            parts.append("↓ newer: Esc")
        if typists := world.typists():
            verb = "is" if len(typists) == 1 else "are"
            parts.append(f"{', '.join(map(name, typists[:3]))} {verb} typing")
        if not self.rooms:
            parts += [
                f"{title(other)} {'@' if other.mentioned else ''}{other.unread}"
                for other in world.talks
                if other.unread and other is not talk
            ]
        if talk.topic:
            parts.append(visible(talk.topic))
        return parts
