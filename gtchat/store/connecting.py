"""Connections to an SQLite file: how one is opened, and whether the file is still the same."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gtchat.store.errors import StoreError

#: Opens a connection, as `connect` does.
Connect = Callable[..., sqlite3.Connection]

#: Seconds to wait for somebody else's lock.
BUSY_SECONDS = 5.0
#: KiB of pages that the connection that writes keeps.
PAGE_CACHE_KIB = 16_384


def connect(path: Path, mode: str, busy: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Open a connection, with transactions begun and ended by hand alone.

    Args:
        path: the file, which has to be there.
        mode: `rw` or `ro`; `ro&immutable=1` looks at the file alone and leaves nothing beside it.
        busy: seconds to wait for somebody else's lock.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def make_durable(db: sqlite3.Connection) -> None:
    """Make a connection to write with: what is committed is on disk, readers never wait.

    Raises:
        StoreError: the file system can't do it.
    """
    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreError("The data folder's file system can't keep a write-ahead log: use another.")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    # Pages that many commits touch are copied to the database once: 40 MB of log, not 4.
    db.execute("PRAGMA wal_autocheckpoint = 10000")
    db.execute("PRAGMA journal_size_limit = 67108864")
    db.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")


class Replaced(Exception):
    """The database file is not the one that was opened."""


class SameFile:
    """Whether a path still leads to the file that it led to when this was made."""

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
        """Raises: Replaced, if it does not."""
        if self._look() != self._identity:
            raise Replaced("the database file was deleted or replaced: stop, put it back, start")
