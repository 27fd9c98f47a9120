"""The whole screen: where things stand in it, and what keys and the mouse do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import urwid

from gtchat.ui.tui.controller import Desk
from gtchat.ui.tui.conversation import Conversation
from gtchat.ui.tui.editing import Completion, History
from gtchat.ui.tui.model import World
from gtchat.ui.tui.panes import Members, Status, Talks
from gtchat.ui.tui.prompt import Typed

#: Columns from which rooms and members are seen, and how many they take.
ROOMS_FROM, MEMBERS_FROM = 60, 100
ROOMS, MEMBERS = 20, 20
#: Rows of what is being typed, at most; rows for a turn of the wheel.
TYPED_MOST, WHEEL = 6, 3
#: Takes away what is behind the cursor in its row.
CLEAR = "\x1b[K"


class Window(urwid.Widget):
    """Rooms, the conversation, members; below them how things are, and what is being typed.

    Args:
        world: what is known. desk: does what is typed. conversation, status: to be shown.
        redraw: draws everything anew.
    """

    _sizing = frozenset(["box"])
    _selectable = True
    no_cache: ClassVar[list[str]] = ["render"]

    def __init__(
        self,
        world: World,
        desk: Desk,
        conversation: Conversation,
        status: Status,
        redraw: Callable[[], None],
    ) -> None:
        super().__init__()
        self._world = world
        self._desk = desk
        self.conversation = conversation
        self._status = status
        self._talks = Talks(world)
        self._members = Members(world)
        self.typed = Typed()
        self._history = History()
        self._completion = Completion()
        self._asked = ""
        self._draft = ""
        self._pasting = False
        self._keys: dict[str, Callable[[], None]] = {
            "enter": self._enter,
            "meta enter": lambda: self.typed.insert_text("\n"),
            "tab": lambda: self._complete(1),
            "shift tab": lambda: self._complete(-1),
            "page up": lambda: conversation.page(1),
            "page down": lambda: conversation.page(-1),
            "esc": self._escape,
            "ctrl n": lambda: self._step(1),
            "meta down": lambda: self._step(1),
            "ctrl p": lambda: self._step(-1),
            "meta up": lambda: self._step(-1),
            "meta a": self._to_unread,
            "ctrl x": desk.close,
            "ctrl l": redraw,
            "ctrl a": self.typed.to_start,
            "ctrl e": self.typed.to_end,
            "ctrl u": self.typed.cut_before,
            "ctrl k": self.typed.cut_behind,
            "ctrl w": self.typed.cut_word,
        }

    # Drawing.

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw all of it."""
        width, height = size
        self._follow_asking()
        typed = self._render_typed(width, max(1, min(TYPED_MOST, height - 2)))
        body = height - typed.rows() - 1
        parts = [(typed, None, True)]
        if body >= 0:
            self._status.below = self.conversation.below
            self._status.rooms = width >= ROOMS_FROM
            parts.insert(0, (self._status.render((width,)), None, False))
        if body > 0:
            parts.insert(0, (self._render_body(width, body), None, False))
        return urwid.CanvasCombine(parts)

    def _render_body(self, width: int, height: int) -> Any:
        left, right = _sides(width)
        edge = 2 if left else 1
        middle = width - left - edge - (right + 1 if right else 0)
        columns: list[tuple[Any, Any, bool, int]] = []
        if left:
            columns.append((self._talks.render((left, height)), None, False, left))
        columns.append((_edge(left, height, "│" if left else " ", True), None, False, edge))
        columns.append((self.conversation.render((middle, height)), None, True, middle))
        if right:
            columns.append((_edge(width - right - 1, height, "│", False), None, False, 1))
            columns.append((self._members.render((right, height)), None, False, right))
        return urwid.CanvasJoin(columns)

    def _render_typed(self, width: int, most: int) -> Any:
        canvas = urwid.CompositeCanvas(self.typed.render((width,), focus=True))
        rows = canvas.rows()
        if rows > most:
            cursor = canvas.cursor
            first = min(max(0, (cursor[1] if cursor else rows) - most + 1), rows - most)
            canvas.trim(first, most)
        return canvas

    def _follow_asking(self) -> None:
        """Take a secret in the line while one is asked for; what was being typed comes back."""
        asking = self._desk.asking
        if asking == self._asked:
            return
        if not self._asked:
            self._draft = self.typed.edit_text
        self._asked = asking
        self.typed.ask(asking)
        self.typed.write("" if asking else self._draft)

    # Keys.

    def keypress(self, size: Any, key: str) -> str | None:
        """A key was pressed."""
        self._follow_asking()
        width, _ = size
        if key in ("begin paste", "end paste"):
            self._pasting = key == "begin paste"
        elif self._pasting:
            self._paste(key)
        elif key == "ctrl d" and not self.typed.edit_text:
            self._desk.leave()
        elif key in self._keys:
            self._keys[key]()
        elif key.startswith("meta ") and key[5:] in "123456789":
            self._choose(int(key[5:]) - 1)
        else:
            self._edit((width,), "delete" if key == "ctrl d" else key)
        return None

    def _paste(self, key: str) -> None:
        """A key of what is pasted is text, whatever else it does when it is pressed."""
        text = {"enter": "\n", "tab": "    "}.get(key, key)
        if text != key or self.typed.valid_char(key):
            self.typed.insert_text(text)

    def _edit(self, size: tuple[int], key: str) -> None:
        """A key of the line itself."""
        before = self.typed.edit_text
        if key in ("up", "down") and not self._asked:
            if "\n" in before and self.typed.keypress(size, key) is None:
                return
            step = self._history.older if key == "up" else self._history.newer
            self.typed.write(step(before))
            return
        self.typed.keypress(size, key)
        text = self.typed.edit_text
        if text.strip() and text != before and not text.startswith(("/", "{")) and not self._asked:
            self._desk.looking.typing()

    def _enter(self) -> None:
        text = self.typed.edit_text
        if not self._asked and not text.strip():
            return
        self.typed.write("")
        if not self._asked:
            self._history.add(text)
            self.conversation.to_newest()
        self._desk.enter(text)

    def _escape(self) -> None:
        if self._asked:
            self._desk.cancel()
        else:
            self.conversation.to_newest()

    def _complete(self, step: int) -> None:
        if self._asked:
            return
        typed = self.typed
        words = self._desk.vocabulary()
        found = self._completion.complete(typed.edit_text, typed.edit_pos, words, step)
        if found is not None:
            typed.write(*found)

    def _step(self, step: int) -> None:
        talks = self._world.talks
        here = talks.index(self._world.current) if self._world.current in talks else 0
        self._desk.go_to(talks[(here + step) % len(talks)])

    def _choose(self, index: int) -> None:
        talks = self._world.talks
        if index < len(talks):
            self._desk.go_to(talks[index])

    def _to_unread(self) -> None:
        talks = [talk for talk in self._world.talks if talk.unread]
        talks.sort(key=lambda talk: not talk.mentioned)
        if talks:
            self._desk.go_to(talks[0])

    # The mouse.

    def mouse_event(
        self, size: Any, event: str, button: int, col: int, row: int, focus: bool
    ) -> bool:
        """A click, or a turn of the wheel."""
        width, _ = size
        if event != "mouse press":
            return False
        left, right = _sides(width)
        pane = self._talks if col < left else self._members if col >= width - right else None
        if button in (4, 5):
            self._wheel(pane, 1 if button == 4 else -1)
        elif button == 1 and pane is self._talks and (talk := self._talks.at(row)):
            self._desk.go_to(talk)
        elif button == 1 and pane is self._members and (user := self._members.at(row)):
            self._desk.whisper_to(user)
        return True

    def _wheel(self, pane: Talks | Members | None, direction: int) -> None:
        if pane is None:
            self.conversation.scroll(WHEEL * direction)
        else:
            pane.scroll(-direction)


def _sides(width: int) -> tuple[int, int]:
    """Columns of the rooms and of the members; 0: they are not seen."""
    return ROOMS if width >= ROOMS_FROM else 0, MEMBERS if width >= MEMBERS_FROM else 0


def _edge(column: int, rows: int, character: str, first: bool) -> Any:
    """A line from top to bottom, which begins by going to its own column.

    Terminals do not agree how wide some emoji and signs are. So what stands behind an edge stands
    where it belongs, whatever the terminal made of what is before it; and the first edge takes
    away what was there, for signs that are less wide than they were thought.
    """
    text = f"{character} " if first and character.strip() else character
    row = text.replace("│", "|").encode()
    if urwid.util.get_encoding() == "utf-8":
        row = f"\x1b[{column + 1}G{character}{CLEAR if first else ''}{text[1:]}".encode()
    return urwid.TextCanvas(
        [row] * rows,
        attr=[[("faint", len(row))]] * rows,
        cs=[[("U", len(row))]] * rows,
        maxcol=2 if first and character.strip() else 1,
        check_width=False,
    )
