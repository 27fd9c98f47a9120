"""Import of accounts from lines `name password`, into a database on disk."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path

from argon2 import PasswordHasher
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server import import_accounts
from gtchat.server.import_accounts import import_credentials
from gtchat.store import StoreError


class Terminal(StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        return True


class Import(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.database = self.directory / "data" / "gtchat.sqlite"
        self.source = self.directory / "accounts"
        self.out, self.err = StringIO(), StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        self.patch(
            import_accounts, "PasswordHasher", lambda: PasswordHasher(1, 8, 1)
        )  # quick, and valid

    def run_import(self, text: str) -> int:
        """Import lines; return the exit status."""
        self.source.write_bytes(text.encode())
        return import_credentials(self.source, self.database)

    def accounts(self) -> dict[str, str]:
        """Return the accounts of the database: name -> password hash."""
        with closing(sqlite3.connect(self.database)) as db:
            return dict(db.execute("SELECT name, password_hash FROM accounts ORDER BY name"))

    def test_accounts_are_created_with_their_passwords(self) -> None:
        self.assertEqual(self.run_import("ann correct horse \n李 x\n"), 0)
        accounts = self.accounts()
        self.assertEqual(set(accounts), {"ann", "李"})
        PasswordHasher().verify(accounts["ann"], "correct horse")
        PasswordHasher().verify(accounts["李"], "x")
        self.assertEqual(self.out.getvalue(), f"2 accounts created in {self.database}, 0 skipped\n")
        self.assertEqual(self.err.getvalue(), "")

    def test_comments_and_empty_lines_are_ignored(self) -> None:
        self.assertEqual(self.run_import("# ann x\n\n  \n"), 0)
        self.assertIn(", 0 skipped", self.out.getvalue())

    def test_line_without_a_password_is_named(self) -> None:
        self.assertEqual(self.run_import("ann x\nbob\n"), 1)
        self.assertEqual(self.err.getvalue(), "skipped line 2: it has no password\n")

    def test_file_of_an_editor_on_windows(self) -> None:
        text = "\ufeffann one\r\nbob\ttwo\r\ncleo pass\x0cword\r\ndan pass\u2028word\r\n"
        self.assertEqual(self.run_import(text), 0)
        passwords = {"ann": "one", "bob": "two", "cleo": "pass\x0cword", "dan": "pass\u2028word"}
        for name, hashed in self.accounts().items():
            PasswordHasher().verify(hashed, passwords.pop(name))
        self.assertEqual(passwords, {})

    def test_passwords_are_compared_in_one_form(self) -> None:
        marks = "x" + "\u0315\u0301" * 16
        self.assertEqual(self.run_import(f"ann cafe\u0301 au\nbob {marks}\ncid {'x' * 4_097}\n"), 1)
        PasswordHasher().verify(self.accounts()["ann"], "caf\u00e9 au")
        self.assertEqual(list(self.accounts()), ["ann"])
        self.assertIn("skipped bob: ", self.err.getvalue())

    def test_names_that_look_alike_are_skipped(self) -> None:
        self.assertEqual(self.run_import("cop x\n\u0441\u043e\u0440 x\nuser1 x\nuserl x\n"), 1)
        self.assertEqual(list(self.accounts()), ["cop", "user1", "userl"])

    def test_taken_and_invalid_names_are_skipped(self) -> None:
        self.run_import("ann first\n")
        self.out.truncate(0)
        self.assertEqual(self.run_import("ANN second\nb@d x\nbob x\n"), 1)
        self.assertTrue(self.out.getvalue().endswith(", 2 skipped\n"))
        lines = self.err.getvalue().splitlines()
        self.assertEqual([line.split(":")[0] for line in lines], ["skipped ANN", "skipped b@d"])
        PasswordHasher().verify(self.accounts()["ann"], "first")

    def test_passwords_are_not_shown(self) -> None:
        self.run_import("ann secret\n")
        self.run_import("ann secret\nb@d secret\n")
        self.assertNotIn("secret", self.out.getvalue() + self.err.getvalue())

    def test_terminal_shows_progress(self) -> None:
        terminal = Terminal()
        self.patch(sys, "stderr", terminal)
        self.run_import("ann x\nbob x\n")
        self.assertEqual(terminal.getvalue(), "\r1 of 2 \r2 of 2 \r")

    def test_failure_of_the_database_creates_nothing(self) -> None:
        def full(*values: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        self.run_import("")
        self.patch(import_accounts, "register", full)
        self.assertRaises(StoreError, self.run_import, "ann x\n")
        self.assertEqual(self.accounts(), {})

    def test_file_and_database_have_to_be_readable(self) -> None:
        self.assertRaises(OSError, import_credentials, self.directory / "none", self.database)
        self.source.write_bytes(b"ann \xff\n")
        self.assertRaises(UnicodeDecodeError, import_credentials, self.source, self.database)
        self.database.parent.mkdir()
        self.database.write_bytes(b"no database" * 1000)
        self.assertRaises(StoreError, self.run_import, "ann x\n")
