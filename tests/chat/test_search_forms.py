"""The search forms of all characters."""

from __future__ import annotations

import sqlite3
import sys

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.normalization import search_form


class AllCharacters(SynchronousTestCase):
    def test_the_form_of_a_form_is_the_same(self) -> None:
        for code in range(0, sys.maxunicode, 7):
            once = search_form(chr(code))
            self.assertEqual(search_form(once).split(), once.split(), hex(code))

    def test_a_word_is_a_word_of_the_index(self) -> None:
        """SQLite neither divides a word nor folds it further."""
        db = sqlite3.connect(":memory:")
        self.addCleanup(db.close)
        db.execute(
            'CREATE VIRTUAL TABLE t USING fts5(a, tokenize="unicode61 remove_diacritics 0'
            " categories 'L* M* N* P* S* Z* C*' separators ' '\")"
        )
        db.execute("CREATE VIRTUAL TABLE words USING fts5vocab(t, 'row')")
        codes = [*range(0x13000), *range(0x13000, sys.maxunicode + 1, 61)]
        codes += range(0xFFFE, sys.maxunicode, 0x10000)
        forms = {part for code in codes for part in _form(code)}
        rows = [(f"{part} x{part}x",) for part in sorted(forms)]
        db.executemany("INSERT INTO t VALUES (?)", rows)
        found = {word for (word,) in db.execute("SELECT term FROM words")}
        self.assertEqual(found, {word for part in forms for word in (part, f"x{part}x")})


def _form(code: int) -> list[str]:
    """Return the words of one character; none for the halves of others."""
    return [] if 0xD800 <= code < 0xE000 else search_form(chr(code)).split()
