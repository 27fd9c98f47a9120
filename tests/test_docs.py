"""The documentation lists the commands, codes, events and keys that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.audit import AUDIT
from gtchat.chat.errors import CODES
from gtchat.protocols.gtchat_json.commands import BY_CMD, COMMANDS
from gtchat.protocols.gtchat_json.pushes import EVENT_TYPES
from gtchat.ui.commands import TABLE
from gtchat.ui.tui.keys import KEYS

DOCS = Path(__file__).resolve().parents[1] / "docs"


def table(page: str, heading: str) -> set[str]:
    """Return the words in code style in the first column of a table.

    Args:
        page: text of the page.
        heading: of the section with the table.
    """
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([a-z_]+)`", row)}


class Terminal(SynchronousTestCase):
    def test_terminal_page_has_the_keys_of_the_client(self) -> None:
        page = (DOCS / "terminal.md").read_text(encoding="utf-8")
        section = page.split("\n## The screen\n", 1)[1].split("\n## ", 1)[0]
        rows = re.findall(r"^\| (.+) \| (.+) \|$", section, re.MULTILINE)
        self.assertEqual(rows[1:], list(KEYS))

    def test_terminal_page_has_the_aliases_of_commands(self) -> None:
        page = (DOCS / "terminal.md").read_text(encoding="utf-8")
        listed = set(re.findall(r"`/(\w+)` is\s`/(\w+)`", page))
        self.assertEqual(listed, {(name, row.name) for row in TABLE for name in row.aliases})


class Operations(SynchronousTestCase):
    def test_operations_page_has_every_audit_code_and_no_other(self) -> None:
        page = (DOCS / "operations.md").read_text(encoding="utf-8")
        rows = page.split("\n| code | fields |\n", 1)[1].split("\n\n", 1)[0].splitlines()
        described: dict[str, set[str]] = {}
        for row in rows[1:]:
            codes, fields = row.strip("| ").split(" | ")
            for code in re.findall(r"`(\w+)`", codes):
                described[code] = set(re.split(r"[:;] ", fields)[0].split(", "))
        wanted = {code: set(re.findall(r"{(\w+)}", line)) for code, line in AUDIT.items()}
        self.assertEqual(described, wanted)


class Protocol(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = (DOCS / "protocol.md").read_text(encoding="utf-8")

    def test_protocol_page_has_every_command_and_no_other(self) -> None:
        self.assertEqual(table(self.page, "Commands"), set(BY_CMD))

    def test_every_command_has_a_handler(self) -> None:
        self.assertEqual(set(COMMANDS), set(BY_CMD.values()))

    def test_protocol_page_has_every_code_and_no_other(self) -> None:
        self.assertEqual(table(self.page, "Codes"), set(CODES))

    def test_protocol_page_has_every_event_and_no_other(self) -> None:
        self.assertEqual(table(self.page, "Pushes"), set(EVENT_TYPES.values()))
