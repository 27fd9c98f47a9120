"""Import of accounts from lines `name password`, as older chat systems kept them."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from argon2 import PasswordHasher

from gtchat.chat.errors import BadName, NameTaken, WeakPassword
from gtchat.chat.names import typed_password, user_name
from gtchat.store.sql.accounts import find, register
from gtchat.store.sql.sqlite import configure_writer, connect, prepare


def import_credentials(source: Path, database: Path) -> int:
    """Create accounts from the lines of a file. The server may be running.

    Passwords may be shorter than new ones must be, and have up to 4,096 characters. Names that are
    taken or invalid are skipped.

    Args:
        source: the file, in UTF-8; empty lines and lines that begin with # are ignored.
        database: the database of the server; it is created if it does not exist.

    Returns:
        0, or 1 if names were skipped.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
        StoreError: the database cannot be used.
    """
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pairs = list(_pairs(source))
    prepare(database)
    hasher = PasswordHasher()
    skipped = []
    show_progress = sys.stderr.isatty()
    with closing(connect(database, "rw")) as db:
        configure_writer(db)
        for number, (name, password) in enumerate(pairs, 1):
            if show_progress:
                sys.stderr.write(f"\r{number} of {len(pairs)} ")
            try:
                _create(db, name, hasher.hash(_normalized(password)))
            except (BadName, NameTaken, WeakPassword) as error:
                skipped.append(f"{name}: {error}")
    if show_progress:
        sys.stderr.write("\r")
    for line in skipped:
        sys.stderr.write(f"skipped {line}\n")
    created = len(pairs) - len(skipped)
    sys.stdout.write(f"{created} accounts created, {len(skipped)} skipped\n")
    return 1 if skipped else 0


def _pairs(source: Path) -> Iterator[tuple[str, str]]:
    """Yield names and passwords."""
    for line in source.read_text(encoding="utf-8").splitlines():
        name, _, password = line.strip().partition(" ")
        if name and not name.startswith("#") and password.strip():
            yield name, password.strip()


def _normalized(raw: str) -> str:
    """Return a password as a login compares it. Raises WeakPassword."""
    normal = typed_password(raw)
    if not normal:
        raise WeakPassword("The password is too long, or no text.")
    return normal


def _create(db: sqlite3.Connection, raw_name: str, password_hash: str) -> None:
    """Create an account in a transaction of its own. Raises BadName, NameTaken."""
    name = user_name(raw_name)
    db.execute("BEGIN IMMEDIATE")
    try:
        if find(db, name.key, None) is not None:
            raise NameTaken()
        register(db, name.display, name.key, password_hash, None, int(time.time() * 1000))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
