"""docs/robustness.md names exactly the tests that cover its entries."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from pathlib import Path
from typing import Any

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tests.robustness import PAGE, STATES, entries, numbers

TESTS = Path(__file__).resolve().parent
#: The number of an entry in a test, but not an escape or a code point that looks like one.
NUMBER = re.compile(r"(?<![\w\\+%])([A-HN]\d\d)(?![\w+;])")


@functools.cache
def module_of(path: str) -> tuple[list[str], list[tuple[list[str], int, int]]]:
    """Return the lines of a module; the names, first and last line of its definitions."""
    text = Path(path).read_text(encoding="utf-8")
    found = []
    for node in ast.parse(text).body:
        names = [getattr(node, "name", "")]
        names += [getattr(target, "id", "") for target in getattr(node, "targets", ())]
        names += [getattr(getattr(node, "target", None), "id", "")]
        found.append(([n for n in names if n], node.lineno, node.end_lineno or node.lineno))
    return text.splitlines(), found


def source_of(test: Any) -> str:
    """Return the source of a test, with the definitions of its module that it refers to."""
    function = inspect.unwrap(test)
    module = inspect.getsourcefile(function)
    assert module is not None
    lines, definitions = module_of(module)
    found = body = inspect.getsource(function)
    words = set(re.findall(r"\w+", body))
    for names, first, last in definitions:
        if words.intersection(names):
            found += "\n".join(lines[first - 1 : last])
    return found


class Robustness(SynchronousTestCase):
    def setUp(self) -> None:
        self.entries = entries()

    def test_every_entry_has_one_row(self) -> None:
        self.assertEqual([entry.number for entry in self.entries], numbers())
        self.assertEqual(len(self.entries), 258)

    def test_every_row_names_its_coverage(self) -> None:
        for entry in self.entries:
            self.assertIn(entry.state, STATES, entry.number)
            self.assertEqual(bool(entry.details), entry.state != "open", entry.number)
            self.assertEqual(bool(entry.tests), entry.state == "test", entry.number)

    def test_named_tests_exist_and_have_the_number(self) -> None:
        for entry in self.entries:
            for name in entry.tests:
                self.assertIn(entry.number, NUMBER.findall(source_of(namedAny(name))), name)

    def test_numbers_in_tests_are_on_the_page(self) -> None:
        named: set[tuple[str, str]] = set()
        for entry in self.entries:
            for name in entry.tests:
                file = inspect.getsourcefile(inspect.unwrap(namedAny(name)))
                named.add((str(file), entry.number))
        known = set(numbers())
        for path in TESTS.rglob("*.py"):
            for number in known.intersection(NUMBER.findall(path.read_text(encoding="utf-8"))):
                self.assertTrue((str(path), number) in named, f"{PAGE}: {number} is also in {path}")
