"""The whole screen: its layout, and what keys and the mouse do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import urwid

from gtchat.ui.terminal import escape_controls
from gtchat.ui.tui.controller import Controller
from gtchat.ui.tui.conversation import ConversationView
from gtchat.ui.tui.editing import Completion, InputHistory
from gtchat.ui.tui.model import Model
from gtchat.ui.tui.panes import BufferList, MemberList, StatusBar, fit
from gtchat.ui.tui.prompt import Prompt

#: Width of the screen from which the buffers and the members are shown.
BUFFERS_FROM, MEMBERS_FROM = 60, 100
#: Columns of the two lists.
BUFFER_COLUMNS, MEMBER_COLUMNS = 20, 20
#: Height from which the topic of a room is shown.
MIN_TOPIC_HEIGHT = 6
#: Maximum height of the prompt; rows for one step of the mouse wheel.
MAX_PROMPT_ROWS, WHEEL_ROWS = 6, 3
#: Erases the rest of the row (ECMA-48, EL).
ERASE_LINE = "\x1b[K"


class Window(urwid.Widget):
    """Buffers, conversation and members; below them the status bar and the prompt.

    Args:
        model: the data of the client.
        controller: executes what the user does.
        conversation: shows the current buffer.
        status_bar: shows the state.
        redraw: clears the terminal and draws the screen again.

    Attributes:
        conversation: as above.
        prompt: the input line.
    """

    _sizing = frozenset(["box"])
    _selectable = True
    no_cache: ClassVar[list[str]] = ["render"]

    def __init__(
        self,
        model: Model,
        controller: Controller,
        conversation: ConversationView,
        status_bar: StatusBar,
        redraw: Callable[[], None],
    ) -> None:
        super().__init__()
        self._model = model
        self._controller = controller
        self.conversation = conversation
        self._status_bar = status_bar
        self._buffers = BufferList(model)
        self._members = MemberList(model)
        self.prompt = Prompt()
        self._history = InputHistory()
        self._completion = Completion()
        self._secret_prompt = ""
        self._draft = ""
        self._pasting = False
        self._keys = self._bind_keys(redraw)

    def _bind_keys(self, redraw: Callable[[], None]) -> dict[str, Callable[[], None]]:
        """Return the actions by key, as urwid names it; `keys` has the texts for users."""
        return {
            "enter": self._enter,
            "meta enter": lambda: self.prompt.insert_text("\n"),
            "tab": lambda: self._complete(1),
            "shift tab": lambda: self._complete(-1),
            "page up": lambda: self.conversation.page(1),
            "page down": lambda: self.conversation.page(-1),
            "esc": self._escape,
            "ctrl n": lambda: self._switch_by(1),
            "meta down": lambda: self._switch_by(1),
            "ctrl p": lambda: self._switch_by(-1),
            "meta up": lambda: self._switch_by(-1),
            "meta a": self._switch_to_unread,
            "ctrl x": self._controller.close_direct,
            "shift up": lambda: self._model.current.select(-1),
            "meta k": lambda: self._model.current.select(-1),
            "shift down": lambda: self._model.current.select(1),
            "meta j": lambda: self._model.current.select(1),
            "meta r": lambda: self._begin("reply"),
            "meta e": lambda: self._begin("edit"),
            "meta d": lambda: self._begin("delete"),
            "meta t": lambda: self._begin("react"),
            "ctrl l": redraw,
            "ctrl a": self.prompt.move_to_start,
            "ctrl e": self.prompt.move_to_end,
            "ctrl u": self.prompt.delete_to_start,
            "ctrl k": self.prompt.delete_to_end,
            "ctrl w": self.prompt.delete_word,
        }

    # Drawing.

    def render(self, size: Any, focus: bool = False) -> Any:
        """Draw the screen."""
        width, height = size
        self._follow_secret()
        prompt = self._render_prompt(width, max(1, min(MAX_PROMPT_ROWS, height - 2)))
        body = height - prompt.rows() - 1
        parts = [(prompt, None, True)]
        if body >= 0:
            self._status_bar.scrolled_back = self.conversation.scrolled_back
            self._status_bar.list_visible = width >= BUFFERS_FROM
            parts.insert(0, (self._status_bar.render((width,)), None, False))
        if body > 0:
            parts.insert(0, (self._render_body(width, body), None, False))
        return urwid.CanvasCombine(parts)

    def _render_body(self, width: int, height: int) -> Any:
        left, right = _list_columns(width)
        edge = 2 if left else 1
        middle = width - left - edge - (right + 1 if right else 0)
        columns: list[tuple[Any, Any, bool, int]] = []
        if left:
            columns.append((self._buffers.render((left, height)), None, False, left))
        columns.append((_edge(left, height, "│" if left else " ", True), None, False, edge))
        columns.append((self._render_middle(middle, height), None, True, middle))
        if right:
            columns.append((_edge(width - right - 1, height, "│", False), None, False, 1))
            columns.append((self._members.render((right, height)), None, False, right))
        return urwid.CanvasJoin(columns)

    def _render_middle(self, width: int, height: int) -> Any:
        """Draw the conversation, in a room with a topic below a line with that."""
        buffer = self._model.current
        if buffer.kind != "room" or not buffer.topic or height < MIN_TOPIC_HEIGHT:
            return self.conversation.render((width, height))
        topic = urwid.Text(("topic", fit(escape_controls(buffer.topic), width)), wrap="clip")
        below = self.conversation.render((width, height - 1))
        return urwid.CanvasCombine([(topic.render((width,)), None, False), (below, None, True)])

    def _render_prompt(self, width: int, max_rows: int) -> Any:
        canvas = urwid.CompositeCanvas(self.prompt.render((width,), focus=True))
        rows = canvas.rows()
        if rows > max_rows:
            cursor = canvas.cursor
            first = max(0, (cursor[1] if cursor else rows) - max_rows + 1)
            canvas.trim(min(first, rows - max_rows), max_rows)
        return canvas

    def _follow_secret(self) -> None:
        """Switch the prompt to a secret while one is asked for, and back to the draft."""
        asked = self._controller.secret_prompt
        if asked == self._secret_prompt:
            return
        if not self._secret_prompt:
            self._draft = self.prompt.edit_text
        self._secret_prompt = asked
        self.prompt.set_secret(asked)
        self.prompt.replace("" if asked else self._draft)

    # Keys.

    def keypress(self, size: Any, key: str) -> str | None:
        """Handle a key.

        Args:
            size: columns and rows of the screen.
            key: as urwid names it.
        """
        self._follow_secret()
        width, _ = size
        if key in ("begin paste", "end paste"):
            self._pasting = key == "begin paste"
        elif self._pasting:
            self._paste(key)
        elif key == "ctrl d" and not self.prompt.edit_text:
            self._controller.quit()
        elif key in self._keys:
            self._keys[key]()
        elif key.startswith("meta ") and key[5:] in "123456789":
            self._switch_to_number(int(key[5:]) - 1)
        else:
            self._edit((width,), "delete" if key == "ctrl d" else key)
        return None

    def _paste(self, key: str) -> None:
        """Insert a pasted key as text, whatever else it is bound to."""
        text = {"enter": "\n", "tab": "    "}.get(key, key)
        if text != key or self.prompt.valid_char(key):
            self.prompt.insert_text(text)

    def _edit(self, size: tuple[int], key: str) -> None:
        """Edit the line, or go through the input history."""
        before = self.prompt.edit_text
        if key in ("up", "down") and not self._secret_prompt:
            if "\n" in before and self.prompt.keypress(size, key) is None:
                return
            move = self._history.older if key == "up" else self._history.newer
            self.prompt.replace(move(before))
            return
        self.prompt.keypress(size, key)
        text = self.prompt.edit_text
        is_message = text.strip() and not text.startswith(("/", "{")) and not self._secret_prompt
        if is_message and text != before:
            self._controller.loader.typing()

    def _enter(self) -> None:
        text = self.prompt.edit_text
        if not self._secret_prompt and not text.strip():
            return
        self.prompt.replace("")
        if not self._secret_prompt:
            self._history.add(text)
            self.conversation.scroll_to_end()
        self._controller.line_typed(text)

    def _escape(self) -> None:
        if self._secret_prompt:
            self._controller.cancel_secret()
        else:
            self._model.current.selected = 0
            self.conversation.scroll_to_end()

    def _begin(self, name: str) -> None:
        """Begin a command about the selected or newest message; a draft is its text, or kept."""
        if self._secret_prompt or not (begun := self._controller.command_about(name)):
            return
        draft = self.prompt.edit_text
        if name == "reply" and not draft.startswith("/"):
            begun += draft
        elif draft.strip():
            self._history.add(draft)
        self.prompt.replace(begun)

    def _complete(self, step: int) -> None:
        if self._secret_prompt:
            return
        prompt = self.prompt
        words = self._controller.completion_words()
        found = self._completion.complete(prompt.edit_text, prompt.edit_pos, words, step)
        if found is not None:
            prompt.replace(*found)

    def _switch_by(self, step: int) -> None:
        buffers = self._model.buffers
        at = buffers.index(self._model.current) if self._model.current in buffers else 0
        self._controller.switch_to(buffers[(at + step) % len(buffers)])

    def _switch_to_number(self, index: int) -> None:
        buffers = self._model.buffers
        if index < len(buffers):
            self._controller.switch_to(buffers[index])

    def _switch_to_unread(self) -> None:
        """Switch to an unread buffer, one with a mention first."""
        unread = [buffer for buffer in self._model.buffers if buffer.is_new]
        unread.sort(key=lambda buffer: not buffer.mentioned)
        if unread:
            self._controller.switch_to(unread[0])

    # The mouse.

    def mouse_event(
        self, size: Any, event: str, button: int, col: int, row: int, focus: bool
    ) -> bool:
        """Handle a click or a step of the wheel; return whether it was one.

        Args:
            size: columns and rows of the screen.
            event: as urwid names it.
            button: 1 for the left one, 4 and 5 for the wheel.
            col: column, from 0.
            row: row, from 0.
            focus: not used.
        """
        width, _ = size
        if event != "mouse press":
            return False
        left, right = _list_columns(width)
        pane = self._buffers if col < left else self._members if col >= width - right else None
        if button in (4, 5):
            self._wheel(pane, 1 if button == 4 else -1)
        elif button == 1 and pane is self._buffers and (buffer := self._buffers.item_at(row)):
            self._controller.switch_to(buffer)
        elif button == 1 and pane is self._members and (user := self._members.item_at(row)):
            self._controller.open_direct(user)
        return True

    def _wheel(self, pane: BufferList | MemberList | None, direction: int) -> None:
        if pane is None:
            self.conversation.scroll(WHEEL_ROWS * direction)
        else:
            pane.scroll(-direction)


def _list_columns(width: int) -> tuple[int, int]:
    """Return the columns of the buffers and of the members; 0: the list is hidden."""
    left = BUFFER_COLUMNS if width >= BUFFERS_FROM else 0
    return left, MEMBER_COLUMNS if width >= MEMBERS_FROM else 0


def _edge(column: int, rows: int, character: str, first: bool) -> Any:
    """Return a vertical line that moves the terminal's cursor to its own column.

    Terminals disagree on the width of some emoji. The cursor movement puts what follows an edge
    into its place, whatever width the terminal gave to what is before it. The first edge also
    erases the rest of the row, which a character narrower than expected would leave.

    Args:
        column: of the edge, from 0.
        rows: height.
        character: drawn in each row.
        first: whether it is the left edge of the conversation.
    """
    text = f"{character} " if first and character.strip() else character
    row = text.replace("│", "|").encode()
    if urwid.util.get_encoding() == "utf-8":
        row = f"\x1b[{column + 1}G{character}{ERASE_LINE if first else ''}{text[1:]}".encode()
    return urwid.TextCanvas(
        [row] * rows,
        attr=[[("faint", len(row))]] * rows,
        cs=[[("U", len(row))]] * rows,
        maxcol=2 if first and character.strip() else 1,
        check_width=False,
    )
