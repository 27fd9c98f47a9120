"""An SQLite file: open connections, notice when it is replaced, say what to do about an error.

How a database is created, checked and migrated is in `opening`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from twisted.internet.interfaces import IReactorTime

from gtchat.store.sql.database import Connection, Cursor, Database, StoreError

#: Opens a connection, as `connect` does.
Connect = Callable[..., sqlite3.Connection]

#: Seconds to wait for the lock of another program.
BUSY_SECONDS = 5.0
#: Page cache of the connection that writes, in KiB.
PAGE_CACHE_KIB = 16_384


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
        cached_statements=512,
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


class SQLiteDatabase(Database):
    """A file.

    Args:
        path: the file.
        connect: opens connections.
        busy: seconds to wait for the lock of another program.
    """

    errors = (sqlite3.Error, FileReplaced)

    def __init__(self, path: Path, connect: Connect = connect, busy: float = BUSY_SECONDS) -> None:
        self._path = path
        self._connect = connect
        self._busy = busy
        self._guard = FileGuard(path)

    def open_writer(self) -> sqlite3.Connection:
        """See `Database.open_writer`."""
        db = self._connect(self._path, "rw", busy=self._busy)
        try:
            configure_writer(db)
        except BaseException:
            db.close()
            raise
        return db

    def open_reader(self) -> sqlite3.Connection:
        """See `Database.open_reader`."""
        db = self._connect(self._path, "ro", busy=self._busy)
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the files
        return db

    def check(self) -> None:
        """See `Database.check`."""
        self._guard.check()

    def begin(self, db: Connection, then: str = "") -> Cursor | None:
        """See `Database.begin`."""
        db.execute("BEGIN IMMEDIATE")
        return db.execute(then) if then else None

    def begin_long(self, db: Connection) -> None:
        """See `Database.begin_long`: no statement has a time limit."""
        self.begin(db)

    def begin_read(self, db: Connection) -> None:
        """See `Database.begin_read`."""
        db.execute("BEGIN")

    def commit(self, db: Connection) -> None:
        """See `Database.commit`: a commit of SQLite that fails is none."""
        db.execute("COMMIT")

    def was_committed(self) -> bool:
        """See `Database.was_committed`: it is never asked."""
        return False

    def is_lost(self, db: Connection, error: BaseException) -> bool:
        """See `Database.is_lost`: it ends with the program only."""
        return False

    def in_transaction(self, db: Connection) -> bool:
        """See `Database.in_transaction`."""
        return cast(sqlite3.Connection, db).in_transaction

    def is_store_failure(self, error: Exception) -> bool:
        """See `Database.is_store_failure`."""
        if isinstance(error, (sqlite3.OperationalError, sqlite3.InternalError, FileReplaced)):
            return True
        return type(error) is sqlite3.DatabaseError

    def is_conflict(self, error: Exception) -> bool:
        """See `Database.is_conflict`: a lock is waited for when a transaction begins."""
        return False

    def sizes(self, db: Connection) -> Mapping[str, int]:
        """See `Database.sizes`."""
        found = {"database": self._path, "wal": Path(f"{self._path}-wal")}
        sizes = {part: path.stat().st_size for part, path in found.items() if path.exists()}
        free = db.execute("PRAGMA freelist_count").fetchone()[0]
        return {**sizes, "free": free * db.execute("PRAGMA page_size").fetchone()[0]}

    def leave(self, db: Connection) -> Mapping[int, int]:
        """See `Database.leave`: the file does not know which program uses it."""
        return {}

    def start_watching(self, clock: IReactorTime) -> None:
        """See `Database.start_watching`: a database within the program always answers."""

    def stop_watching(self) -> None:
        """See `Database.stop_watching`."""

    def wait_for_disk(self, db: Connection, on: bool) -> None:
        """See `Database.wait_for_disk`."""
        db.execute(f"PRAGMA synchronous = {'FULL' if on else 'NORMAL'}")

    def describe(self, error: Exception) -> str:
        """See `Database.describe`."""
        text = advice(error) if isinstance(error, sqlite3.Error) else str(error)
        return f"{self._path} can't be used: {text}."


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


def give_to_owner(path: Path) -> None:
    """Give a file that root has made to the owner of its folder: the server runs as that user."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(OSError):  # some file systems and containers know no owners
            os.chown(path, owner.st_uid, owner.st_gid)


def beside(path: Path, ending: str) -> Path:
    """Return the path of a file that accompanies a database, such as its write-ahead log."""
    return path.with_name(path.name + ending)


def sync_file(path: Path) -> None:
    """Wait until a file is on disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
