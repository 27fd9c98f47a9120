"""Normalization: bounded before it costs anything, and in one module only."""

from __future__ import annotations

import ast
import sys
import unicodedata
from pathlib import Path
from unicodedata import normalize

from twisted.trial.unittest import SynchronousTestCase

import gtchat
from gtchat.chat.errors import BadRequest, TooLong
from gtchat.chat.messages import text
from gtchat.chat.normalization import nfc

PACKAGE = Path(gtchat.__file__).parent
ACUTE, DOT = "\u0301", "\u0323"
#: Characters that are decomposed to two non-starters; all but the first are of combining class 0.
DOUBLE = ["\u0344", "\u0f73", "\u0f75", "\u0f81"]
#: Functions that normalize, which only `chat/normalization.py` may use.
NORMALIZING = {"normalize", "is_normalized"}


class NFC(SynchronousTestCase):
    def test_the_length_of_the_result_is_limited(self) -> None:
        for raw, expected in (
            ("", ""),
            ("abc", "abc"),
            ("e" + ACUTE + "ab", "\u00e9ab"),
            ("\u03b1\u0313\u0342\u0345" * 3, "\u1f86" * 3),
        ):
            self.assertEqual(nfc(raw, 3), expected)
        for raw in ("abcd", "\u00e9abc", "\u03b1\u0313\u0342\u0345" * 3 + "a"):
            self.assertRaises(TooLong, nfc, raw, 3)
        self.assertEqual(nfc("e" + ACUTE * 2 + "x" * 99, 0), "\u00e9" + ACUTE + "x" * 99)

    def test_more_than_30_marks_in_a_row_are_refused_wherever_they_are(self) -> None:
        for start in (0, 1, 13, 14, 15, 27, 28, 29, 30, 31, 93):
            for end in ("", "a", "a" + ACUTE, "a" * 40):
                for marks in ((ACUTE + DOT) * 15, *(each * 15 for each in DOUBLE)):
                    before = "a" * start
                    nfc(before + marks + end, 0)
                    for more in (ACUTE, *DOUBLE):
                        for row in (marks + more, more + marks):
                            self.assertRaises(BadRequest, nfc, before + row + end, 0)
                    self.assertRaises(BadRequest, nfc, before + "\u00e9" + marks + end, 0)

    def test_what_a_character_is_decomposed_to_counts(self) -> None:
        only_marks, begins, ends = list[str](), list[str](), set[int]()
        for code in range(sys.maxunicode + 1):
            character = chr(code)
            is_mark = [unicodedata.combining(part) > 0 for part in normalize("NFD", character)]
            if all(is_mark):
                only_marks.append(character)
            elif any(is_mark):
                self.assertEqual(is_mark, sorted(is_mark))
                begins.append(character)
                ends.add(sum(is_mark))
        lengths = {each: len(normalize("NFD", each)) for each in only_marks}
        self.assertEqual([each for each, length in lengths.items() if length > 1], DOUBLE)
        self.assertEqual([e for e in only_marks if not unicodedata.combining(e)], DOUBLE[1:])
        self.assertEqual(max(ends) + 2 * 14, 31)
        for character, length in lengths.items():
            row = character * (31 // length) + ACUTE * (31 % length)
            self.assertRaises(BadRequest, nfc, row, 0)
            nfc(row[1:], 0)
        for character in begins:
            self.assertRaises(BadRequest, nfc, character + ACUTE * 30, 0)
        nfc("".join(begins), 0)

    def test_the_longest_text_of_marks_is_refused_after_a_few_steps(self) -> None:
        lengths = list[int]()

        def count(form: str, text: str) -> str:
            lengths.append(len(text))
            return normalize(form, text)

        self.patch(unicodedata, "normalize", count)
        for character in (ACUTE, *DOUBLE):
            for before in ("", "a" * 14, "a" * 4_000):
                with self.assertRaises(BadRequest):
                    nfc((before + character * 65_536)[:65_536], 0)
                self.assertLess(sum(lengths), 2_000)
                lengths.clear()

    def test_marks_with_letters_between_them_are_text(self) -> None:
        for words in ("\u0928\u092e\u0938\u094d\u0924\u0947 " * 300, ("x" + DOT * 30) * 100):
            self.assertEqual(nfc(words, 0), unicodedata.normalize("NFC", words))

    def test_a_text_that_is_too_long_or_has_too_many_marks_is_not_normalized(self) -> None:
        def one_character(form: str, text: str) -> str:
            self.assertEqual(len(text), 1)
            return normalize(form, text)

        self.patch(unicodedata, "normalize", one_character)
        marks = "a" + "\u0315" * 16_000 + "\u0300" * 16_000
        for max_chars in (0, 4_000):
            self.assertRaises((BadRequest, TooLong), nfc, marks, max_chars)
            self.assertRaises((BadRequest, TooLong), text, marks, max_chars)
        self.assertRaises(TooLong, nfc, "\u00e9" * 16_001, 4_000)
        self.assertRaises(TooLong, text, "\u00e9" * 16_001, 4_000)

    def test_only_one_module_normalizes(self) -> None:
        found = set()
        for path in PACKAGE.rglob("*.py"):
            if path.parent == PACKAGE / "client":  # what a program names is not bounded by us
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = {getattr(node, "attr", None), getattr(node, "id", None)}
                if isinstance(node, ast.ImportFrom):
                    names |= {alias.name for alias in node.names}
                if names & NORMALIZING:
                    found.add(str(path.relative_to(PACKAGE)))
        self.assertEqual(found, {"chat/normalization.py"})


class Texts(SynchronousTestCase):
    def test_line_ends_become_line_feeds(self) -> None:  # C29
        for raw, expected in (
            ("one\r\ntwo", "one\ntwo"),
            ("one\rtwo", "one\ntwo"),
            ("one\r\r\n\ntwo\r", "one\n\n\ntwo\n"),
            ("\u00e9\r\n\u00e9", "\u00e9\n\u00e9"),
        ):
            self.assertEqual(text(raw, 4_000), expected)

    def test_characters_are_counted_after_line_ends_and_nfc(self) -> None:
        self.assertEqual(text("x\r\n" * 2_000, 4_000), "x\n" * 2_000)
        self.assertEqual(text(("e" + ACUTE) * 4_000, 4_000), "\u00e9" * 4_000)
        for raw in ("x\r\n" * 2_001, ("e" + ACUTE) * 4_001, "x" * 4_001, "\n" * 16_001):
            self.assertRaises(TooLong, text, raw, 4_000)

    def test_texts_without_anything_to_see_are_refused(self) -> None:
        for raw in ("", " ", "\r", "\r\n\t ", "\u200b" * 500, "\u3164 \u2800", "\ufe0f\U000e0020"):
            self.assertRaises(BadRequest, text, raw, 4_000)
            self.assertEqual(text(raw + "x", 4_000)[-1], "x")

    def test_other_controls_are_refused(self) -> None:
        for raw in ("a\0", "a\x0b", "a\x0c", "a\x1b[2J", "\u00e9\x08"):
            self.assertRaises(BadRequest, text, raw, 4_000)
        self.assertEqual(text("a\tb", 4_000), "a\tb")
