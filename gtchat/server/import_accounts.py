"""Bringing accounts along: lines `name password`, as the older chat systems kept them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from argon2 import PasswordHasher

from gtchat.chat.errors import BadName, NameTaken
from gtchat.chat.names import user_name
from gtchat.store.sql.accounts import find, register
from gtchat.store.sql.sqlite import configure_writer, connect, prepare


def _lines(source: Path) -> Iterator[tuple[str, str]]:
    """Names and passwords; what is empty or begins with # is passed over."""
    for line in source.read_text(encoding="utf-8").splitlines():
        name, _, password = line.strip().partition(" ")
        if name and not name.startswith("#") and password.strip():
            yield name, password.strip()


def import_credentials(source: Path, database: Path) -> int:
    """Make accounts of a file's lines. The server may be running.

    Passwords may be shorter than a new one must be. Names that are there already are passed over.

    Args:
        source: the file, in UTF-8.
        database: the server's; it is made if it is not there.

    Returns:
        0, or 1 if some were passed over.

    Raises:
        OSError, StoreError: the file or the database can't be used.
    """
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pairs = list(_lines(source))
    prepare(database)
    hasher = PasswordHasher()
    made, skipped = 0, []
    show = sys.stderr.isatty()
    with closing(connect(database, "rw")) as db:
        configure_writer(db)
        for number, (raw, password) in enumerate(pairs, 1):
            if show:
                sys.stderr.write(f"\r{number} of {len(pairs)} ")
            try:
                name = user_name(raw)
                digest = hasher.hash(password)
                db.execute("BEGIN IMMEDIATE")
                try:
                    if find(db, name.key, None) is not None:
                        raise NameTaken()
                    register(db, name.display, name.key, digest, None, int(time.time() * 1000))
                    db.execute("COMMIT")
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                made += 1
            except (BadName, NameTaken) as error:
                skipped.append(f"{raw}: {error}")
    if show:
        sys.stderr.write("\r")
    for line in skipped:
        sys.stderr.write(f"passed over {line}\n")
    sys.stdout.write(f"{made} accounts made, {len(skipped)} passed over\n")
    return 1 if skipped else 0
