"""An SQLite file: open connections, notice when it is replaced, say what to do about an error.

How a database is created, checked and migrated is in `opening`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

#: Opens a connection, as `connect` does.
Connect = Callable[..., sqlite3.Connection]

#: Seconds to wait for the lock of another program.
BUSY_SECONDS = 5.0
#: Page cache of the connection that writes, in KiB.
PAGE_CACHE_KIB = 16_384


class StoreError(Exception):
    """A database cannot be opened or copied; the text is one line that says what to do."""


class FileReplaced(Exception):
    """The database file is not the one that was opened."""


def connect(path: Path, mode: str, busy: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Return a connection on which only explicit statements begin and end transactions.

    Args:
        path: the file, which has to exist.
        mode: `rw` or `ro`; `ro&immutable=1` reads the file alone and creates no file beside it.
        busy: seconds to wait for the lock of another program.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def configure_writer(db: sqlite3.Connection) -> None:
    """Prepare a connection for writing: commits wait for the disk, readers never wait.

    Raises:
        StoreError: the file system does not support a write-ahead log.
    """
    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreError(
            "The data folder's file system can't keep a write-ahead log: use another data folder."
        )
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten, in the row and in its indexes, when the log is checkpointed.
    db.execute("PRAGMA secure_delete = ON")
    # SQLite's own default, 4 MB of log. A commit that copies the log to the database delays those
    # behind it: with 40 MB, p99 at 20,000 messages a second was longer by a third.
    db.execute("PRAGMA wal_autocheckpoint = 1000")
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")


class FileGuard:
    """Checks that a path still leads to the file that it led to at first.

    Args:
        path: the database.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._identity = self._look()

    def _look(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def check(self) -> None:
        """Raise FileReplaced if it does not."""
        if self._look() != self._identity:
            raise FileReplaced(
                "the database file was deleted or replaced: stop the server, put it back, start"
            )


def advice(error: sqlite3.Error) -> str:
    """Return SQLite's message, with what to do where that is known."""
    text = str(error)
    if "locked" in text:
        return f"{text}; stop the program that uses it"
    if "fts5" in text:
        return f"{text}; install an SQLite that has FTS5"
    if "full" in text:
        return f"{text}; free some space"
    return text


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
