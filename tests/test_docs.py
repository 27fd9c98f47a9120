"""The documentation lists the codes, features and keys that the code has, and its links lead on.

Commands, replies and pushes are compared in `test_protocol_page`.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.audit import AUDIT
from gtchat.chat.errors import CODES
from gtchat.protocols.base.closing import CloseReason
from gtchat.protocols.gtchat_json import contract
from gtchat.protocols.gtchat_json.commands import BY_CMD, COMMANDS
from gtchat.protocols.gtchat_json.sessions import FEATURES
from gtchat.ui.commands import TABLE
from gtchat.ui.tui.keys import KEYS

TOP = Path(__file__).resolve().parents[1]
DOCS = TOP / "docs"


def table(page: str, heading: str) -> set[str]:
    """Return the words in code style in the first column of a table.

    Args:
        page: text of the page.
        heading: of the section with the table.
    """
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([a-z_]+)`", row)}


def cells(page: str, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table of a section, each by the heads of its columns."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    head, _, *rows = [line for line in section.splitlines() if line.startswith("|")]
    names = [name.strip() for name in head.strip("|").split("|")]
    return [
        dict(zip(names, map(str.strip, row.strip("|").split("|")), strict=True)) for row in rows
    ]


def column(page: str, heading: str, name: str) -> dict[str, str]:
    """Return what a column of a table says of each word in code style in the first column."""
    rows = cells(page, heading)
    first = next(iter(rows[0]))
    return {word: row[name] for row in rows for word in re.findall(r"`([a-z_]+)`", row[first])}


def anchors(page: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


class Links(SynchronousTestCase):
    def test_links_lead_to_files_and_headings(self) -> None:
        pages = {path: path.read_text(encoding="utf-8") for path in TOP.glob("*.md")}
        pages |= {path: path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")}
        broken = []
        for path, text in pages.items():
            for file, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", text):
                target = (path.parent / file).resolve() if file else path
                page = pages.get(target, "")
                if not target.exists() or (anchor and anchor not in anchors(page)):
                    broken.append(f"{path.relative_to(TOP)}: {file}#{anchor}")
        self.assertEqual(broken, [])


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
        wanted = {code: set(re.findall(r"{(\w+)}", kind.text)) for code, kind in AUDIT.items()}
        self.assertEqual(described, wanted)


class ThreatModel(SynchronousTestCase):
    def test_tests_that_the_page_names_are_there(self) -> None:
        page = (DOCS / "threat-model.md").read_text(encoding="utf-8")
        named = set(re.findall(r"`(tests\.[\w.]+)`", page))
        self.assertTrue(named)
        missing = [one for one in named if not (TOP / f"{one.replace('.', '/')}.py").is_file()]
        self.assertEqual(missing, [])


class Protocol(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = (DOCS / "protocol.md").read_text(encoding="utf-8")

    def test_every_command_has_a_handler(self) -> None:
        self.assertEqual(set(COMMANDS), set(BY_CMD.values()))

    def test_protocol_page_has_every_code_and_no_other(self) -> None:
        self.assertEqual(table(self.page, "Codes"), set(CODES))

    def test_protocol_page_says_which_commands_may_be_repeated(self) -> None:
        expected = {cmd: one.value for cmd, one in contract.REPEATABLE.items()}
        self.assertEqual(column(self.page, "Commands", "repeatable"), expected)

    def test_protocol_page_says_which_codes_are_temporary(self) -> None:
        expected = {code: "yes" if one else "no" for code, one in contract.TEMPORARY.items()}
        self.assertEqual(column(self.page, "Codes", "temporary"), expected)

    def test_protocol_page_says_after_which_errors_a_login_is_tried_again(self) -> None:
        [section] = re.findall(r"(?ms)^## Resuming a session$(.*?)^## ", self.page)
        for code in contract.LOGIN_AGAIN:
            self.assertTrue(contract.TEMPORARY[code] or f"`{code}`" in section, code)

    def test_protocol_page_says_from_which_close_codes_a_client_comes_back(self) -> None:
        rows = {row["code"]: row["come back"] for row in cells(self.page, "Close codes")}
        expected = {str(code): one.value for code, one in contract.COME_BACK.items()}
        self.assertEqual(rows, {**expected, "others": contract.COME_BACK_FROM_OTHERS.value})

    def test_protocol_page_has_the_words_of_close_reasons(self) -> None:
        found = {
            (int(row["code"]), word)
            for row in cells(self.page, "Close codes")
            for word in re.findall(r"`(\w+)`", row["reason"])
        }
        self.assertEqual(found, {(reason.code, reason.word) for reason in CloseReason})

    def test_protocol_page_has_the_features_of_hello(self) -> None:
        self.assertEqual(column(self.page, "Features", "meaning"), FEATURES)
