"""What protocols of plain text share."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import MessageSent
from gtchat.protocols import livechat, message_center, pa1
from gtchat.protocols.base.text import escape_controls


class Shown(SynchronousTestCase):
    """Texts from protocols that can say more than these."""

    def test_nothing_acts_on_a_terminal(self) -> None:  # E14
        self.assertEqual(
            escape_controls("a\x9b2J\x1b]0;b\x07c\x7f"), "a\\x9b2J\\x1b]0;b\\x07c\\x7f"
        )
        for text in ("caf\u00e9 \u2603", "a\tb", "\U0001f469\u200d\U0001f469"):
            self.assertEqual(escape_controls(text), text)

    def test_no_further_line_is_taken_for_somebody_elses(self) -> None:  # E12
        event = MessageSent(
            room_name="lobby",
            usr="mallory",
            msg="x\n>>>bob<<<logs out\n[bob]: y\n[00:00:00] bob > z\n[*] bob exited.",
            id="1",
            at=0,
        )
        for protocol in (livechat, message_center, pa1):
            first, *more = (protocol.render(event) or "").rstrip("\n").split("\n")
            self.assertIn("mallory", first)
            self.assertEqual([line[:4] for line in more], ["    "] * 4)
