"""Normalization: bounded before it costs anything, and in one module only."""

from __future__ import annotations

import ast
import unicodedata
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gtchat
from gtchat.chat.errors import BadRequest, TooLong
from gtchat.chat.messages import text
from gtchat.chat.normalization import nfc

PACKAGE = Path(gtchat.__file__).parent
ACUTE, DOT = "\u0301", "\u0323"
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
        for start in (0, 1, 29, 30, 31, 32, 61, 62, 93):
            for end in ("", "a", "a" + ACUTE, "a" * 40):
                before = "a" * start
                nfc(before + (ACUTE + DOT) * 15 + end, 0)
                with self.assertRaises(BadRequest):
                    nfc(before + (ACUTE + DOT) * 15 + ACUTE + end, 0)

    def test_marks_with_letters_between_them_are_text(self) -> None:
        for words in ("\u0928\u092e\u0938\u094d\u0924\u0947 " * 300, ("x" + DOT * 30) * 100):
            self.assertEqual(nfc(words, 0), unicodedata.normalize("NFC", words))

    def test_a_text_that_is_too_long_or_has_too_many_marks_is_not_normalized(self) -> None:
        def fail(*details: object) -> str:
            raise AssertionError(details)

        self.patch(unicodedata, "normalize", fail)
        marks = "a" + "\u0315" * 16_000 + "\u0300" * 16_000
        for max_chars in (0, 4_000):
            self.assertRaises((BadRequest, TooLong), nfc, marks, max_chars)
            self.assertRaises((BadRequest, TooLong), text, marks, max_chars)
        self.assertRaises(TooLong, nfc, "\u00e9" * 16_001, 4_000)
        self.assertRaises(TooLong, text, "\u00e9" * 16_001, 4_000)

    def test_only_one_module_normalizes(self) -> None:
        found = set()
        for path in PACKAGE.rglob("*.py"):
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
