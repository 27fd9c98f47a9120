"""The input line at the bottom of the screen, with the editing keys of a shell."""

from __future__ import annotations

import urwid

from gtchat.ui.terminal import escape_controls

PREFIX = "› "


class Prompt(urwid.Edit):
    """The input line; its text may have several lines."""

    def __init__(self) -> None:
        super().__init__(("prompt", PREFIX), multiline=True)

    def set_secret(self, question: str) -> None:
        """Take a secret, which is masked. question: shown before it; "" for a normal line."""
        self.set_caption(("prompt", f"{escape_controls(question)}: " if question else PREFIX))
        self.set_mask("•" if question else None)

    def replace(self, text: str, cursor: int | None = None) -> None:
        """Replace the text.

        Args:
            text: the new text.
            cursor: position in characters; None for the end.
        """
        self.set_edit_text(text)
        self.set_edit_pos(len(text) if cursor is None else cursor)

    def delete_word(self) -> None:
        """Delete the word before the cursor."""
        before = self.edit_text[: self.edit_pos]
        kept = before.rstrip()
        kept = kept[: max(kept.rfind(" "), kept.rfind("\n")) + 1]
        self.replace(kept + self.edit_text[self.edit_pos :], len(kept))

    def delete_to_start(self) -> None:
        """Delete the text before the cursor."""
        self.replace(self.edit_text[self.edit_pos :], 0)

    def delete_to_end(self) -> None:
        """Delete the text after the cursor."""
        self.replace(self.edit_text[: self.edit_pos])

    def move_to_start(self) -> None:
        """Move the cursor to the start."""
        self.set_edit_pos(0)

    def move_to_end(self) -> None:
        """Move the cursor to the end."""
        self.set_edit_pos(len(self.edit_text))
