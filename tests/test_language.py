"""Words of the private language of the first version stay out of code, tests and documentation."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TOP = Path(__file__).resolve().parents[1]
#: `docs/contributing.md` says what to write instead.
WORDS = (
    "anybody",
    "crowd",
    "everybody",
    "he",
    "him",
    "himself",
    "his",
    "house",
    "nobody",
    "oneself",
    "somebody",
    "whoever",
    "whom",
    "whomever",
    "one's",
    "everyone's own",
    "is put out",
    "comes again",
)
SUFFIXES = {".c", ".css", ".html", ".js", ".md", ".mjs", ".py", ".service", ".sh", ".toml", ""}
#: Files with the words of others, and this one.
EXCEPT = {"LICENSE", "tests/test_language.py"}
EXCEPT_FOLDERS = ("static/vendor/", "tests/e2e/vendor/")
#: Lines that quote: texts that the old protocols prescribe, names in Unicode's lists.
QUOTATIONS = (
    "or the member to himself",  # RandomChat's error text
    "house \N{HOUSE BUILDING}",  # an emoji by its name
)

_FOUND = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, WORDS)) + r")(?![\w-])", re.I)


def files() -> Iterator[Path]:
    """Yield the text files of the project."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False
    ).stdout.split()
    for name in listed:
        path = TOP / name
        if name in EXCEPT or name.startswith(EXCEPT_FOLDERS) or path.suffix not in SUFFIXES:
            continue
        if path.is_file():
            yield path


def found(text: str) -> list[str]:
    """Return the words of the list that a line has, quotations excepted."""
    for quotation in QUOTATIONS:
        text = text.replace(quotation, "")
    return [match[0].lower() for match in _FOUND.finditer(text)]


class Language(SynchronousTestCase):
    def test_words_of_the_list_are_not_used(self) -> None:
        self.assertGreater(len(list(files())), 200)
        wrong = [
            f"{path.relative_to(TOP)}:{number}: {', '.join(words)}"
            for path in files()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if (words := found(line))
        ]
        self.assertEqual(wrong, [])

    def test_the_list_finds_words_and_not_parts_of_words(self) -> None:
        self.assertEqual(found("Somebody tells him."), ["somebody", "him"])
        self.assertEqual(found("The cache, this history, a warehouse, crowded, then."), [])
        self.assertEqual(found("remove a member, or the member to himself"), [])
