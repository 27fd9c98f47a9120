"""Import of accounts from lines `name password`, as older chat systems kept them."""

from __future__ import annotations

import re
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from argon2 import PasswordHasher

from gtchat.chat.errors import BadName, NameTaken, WeakPassword
from gtchat.chat.names import typed_password, user_name
from gtchat.store.sql.accounts import find, register
from gtchat.store.sql.database import Connection, Database
from gtchat.store.sql.log_writer import LogWriter
from gtchat.store.sql.offline import open_offline

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase


def import_credentials(source: Path, place: Path | PostgresDatabase) -> int:
    """Create accounts from the lines of a file. A server that uses SQLite may be running.

    Passwords may be shorter than new ones must be, and have up to 4,096 characters. Names that are
    taken or invalid are skipped, and lines without a password.

    Args:
        source: the file, in UTF-8; empty lines and lines that begin with # are ignored.
        place: the database of the server, see `open_offline`; it is created if there is none.

    Returns:
        0, or 1 if lines were skipped.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
        StoreError: the database cannot be used.
    """
    pairs, skipped = _read(source)
    if isinstance(place, Path):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_offline(place)
    hasher = PasswordHasher()
    show_progress = sys.stderr.isatty()
    created = 0
    try:
        with closing(database.open_writer()) as db:
            for number, (name, password) in enumerate(pairs, 1):
                if show_progress:
                    sys.stderr.write(f"\r{number} of {len(pairs)} ")
                try:
                    _create(database, db, name, hasher.hash(_normalized(password)))
                    created += 1
                except (BadName, NameTaken, WeakPassword) as error:
                    skipped.append(f"{name}: {error}")
    except database.errors as error:
        raise database.refused(error) from error
    if show_progress:
        sys.stderr.write("\r")
    for line in skipped:
        sys.stderr.write(f"skipped {line}\n")
    sys.stdout.write(f"{created} accounts created in {place}, {len(skipped)} skipped\n")
    return 1 if skipped else 0


def _read(source: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Return names with passwords, and what is wrong with each line that has none.

    A line ends in LF or CR LF and nothing else: a password may have other characters that Unicode
    counts as line ends. Editors on Windows begin a file with a byte order mark.
    """
    pairs, wrong = [], []
    with source.open(encoding="utf-8-sig", newline="") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        name, *rest = re.split("[ \t]+", line.strip(" \t\r"), maxsplit=1)
        if not name or name.startswith("#"):
            continue
        if rest:
            pairs.append((name, rest[0]))
        else:
            wrong.append(f"line {number}: it has no password")
    return pairs, wrong


def _normalized(raw: str) -> str:
    """Return a password as a login compares it. Raises WeakPassword."""
    normal = typed_password(raw)
    if not normal:
        raise WeakPassword("The password is too long, or no text.")
    return normal


def _create(database: Database, db: Connection, raw_name: str, password_hash: str) -> None:
    """Create an account in a transaction of its own. Raises BadName, NameTaken."""
    name = user_name(raw_name)
    database.begin(db)
    try:
        if find(db, name.key, None) is not None:
            raise NameTaken()
        now = int(time.time() * 1000)
        register(db, LogWriter(), name.display, name.key, password_hash, None, now)
        database.commit(db)
    except BaseException as error:
        if not database.is_lost(db, error):
            db.execute("ROLLBACK")
        raise
