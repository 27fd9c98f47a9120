"""The page on bad inputs and faults says what the tests do."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tests.robustness import STATES, entries, numbers

TESTS = Path(__file__).resolve().parent
#: A number as it stands in a test; not one of the signs or codes that look like it.
NUMBER = re.compile(r"(?<![\w\\+%])([A-HN]\d\d)(?![\w+;])")


def source_of(test: Any) -> str:
    """The source of a test, with the tables of its module that it or its class names."""
    function = inspect.unwrap(test)
    lines, first = inspect.getsourcelines(function)
    module = inspect.getsourcefile(function)
    assert module is not None
    text = Path(module).read_text(encoding="utf-8")
    tree = ast.parse(text)
    body = "".join(lines)
    scope = body + "".join(
        ast.get_source_segment(text, node) or ""
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.lineno <= first <= (node.end_lineno or 0)
    )
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef):
            targets = node.targets if isinstance(node, ast.Assign) else [node]
            names = {getattr(t, "id", getattr(getattr(t, "target", t), "id", "")) for t in targets}
            names.add(getattr(node, "name", ""))
            if any(name and re.search(rf"\b{name}\b", scope) for name in names):
                body += "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
    return body


class Robustness(SynchronousTestCase):
    def setUp(self) -> None:
        self.entries = entries()

    def test_every_entry_has_a_row_and_no_other(self) -> None:
        self.assertEqual([entry.number for entry in self.entries], numbers())
        self.assertEqual(len(self.entries), 194)

    def test_every_row_says_how_it_is_held(self) -> None:
        for entry in self.entries:
            self.assertIn(entry.state, STATES, entry.number)
            self.assertEqual(bool(entry.details), entry.state != "open", entry.number)
            self.assertEqual(bool(entry.tests), entry.state == "test", entry.number)

    def test_the_tests_that_are_named_are_there_and_bear_the_number(self) -> None:
        for entry in self.entries:
            for name in entry.tests:
                self.assertIn(entry.number, NUMBER.findall(source_of(namedAny(name))), name)

    def test_the_numbers_in_tests_are_named_on_the_page(self) -> None:
        named: set[tuple[str, str]] = set()
        for entry in self.entries:
            for name in entry.tests:
                file = inspect.getsourcefile(inspect.unwrap(namedAny(name)))
                named.add((str(file), entry.number))
        known = set(numbers())
        for path in TESTS.rglob("*.py"):
            for number in known.intersection(NUMBER.findall(path.read_text(encoding="utf-8"))):
                self.assertIn((str(path), number), named)
