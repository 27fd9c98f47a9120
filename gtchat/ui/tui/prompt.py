"""The line that is being typed, edited as in a shell."""

from __future__ import annotations

import urwid

from gtchat.ui.terminal import visible

PROMPT = "› "


class Typed(urwid.Edit):
    """The line that is being typed. It may have several lines."""

    def __init__(self) -> None:
        super().__init__(("prompt", PROMPT), multiline=True)

    def ask(self, prompt: str) -> None:
        """Take a secret, which is not shown; "" takes a line again."""
        self.set_caption(("prompt", f"{visible(prompt)}: " if prompt else PROMPT))
        self.set_mask("•" if prompt else None)

    def write(self, text: str, cursor: int | None = None) -> None:
        """Put a text there. cursor: None: behind it."""
        self.set_edit_text(text)
        self.set_edit_pos(len(text) if cursor is None else cursor)

    def cut_word(self) -> None:
        """Take away the word before the cursor."""
        before = self.edit_text[: self.edit_pos]
        kept = before.rstrip()
        kept = kept[: max(kept.rfind(" "), kept.rfind("\n")) + 1]
        self.write(kept + self.edit_text[self.edit_pos :], len(kept))

    def cut_before(self) -> None:
        """Take away all before the cursor."""
        self.write(self.edit_text[self.edit_pos :], 0)

    def cut_behind(self) -> None:
        """Take away all behind the cursor."""
        self.write(self.edit_text[: self.edit_pos])

    def to_start(self) -> None:
        """Go to the beginning."""
        self.set_edit_pos(0)

    def to_end(self) -> None:
        """Go to the end."""
        self.set_edit_pos(len(self.edit_text))
