"""An SQLite file: create, check and migrate it, open connections, notice when it is replaced.

Nothing here knows a table other than Alembic's own.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS

#: Opens a connection, as `connect` does.
Connect = Callable[..., sqlite3.Connection]

#: Seconds to wait for the lock of another program.
BUSY_SECONDS = 5.0
#: Page cache of the connection that writes, in KiB.
PAGE_CACHE_KIB = 16_384
#: Size of a database, in bytes, up to which every page is checked at start.
_CHECKED_WHOLE = 8 * 1024 * 1024
#: Size of the header of a database, in bytes.
_HEADER_BYTES = 100


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
    # 40 MB of log instead of 4: a page that many commits change is copied to the database once.
    db.execute("PRAGMA wal_autocheckpoint = 10000")
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


def prepare(path: Path) -> None:
    """Create the database if there is none, and migrate it if it is of an older revision.

    Raises:
        StoreError: the database cannot be used; the file is unchanged.
    """
    try:
        _check_folder(path)
        if not path.exists():
            _create(path)
        if _check(path) != REVISIONS[-1]:
            _migrate(path)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} can't be opened: {advice(error)}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is damaged ({error}): restore a backup, or move it away to start empty."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} can't be opened: {error.strerror}.") from error


def advice(error: sqlite3.Error) -> str:
    """Return SQLite's message, with what to do where that is known."""
    text = str(error)
    if "locked" in text:
        return f"{text}; stop the program that uses it"
    if "full" in text:
        return f"{text}; free some space"
    return text


def _check_folder(path: Path) -> None:
    """Check that the folder exists, and that it and the file can be written to."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(
            f"The data folder {folder} does not exist: create it, or name another one."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"The data folder {folder} can't be written to: change its permissions.")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} can't be read and written: change its owner or permissions.")


def _beside(path: Path, ending: str) -> Path:
    """Return the path of a file that accompanies a database, such as its write-ahead log."""
    return path.with_name(path.name + ending)


def _create(path: Path) -> None:
    """Create a database under a temporary name, then rename it, so that it is there whole."""
    if _beside(path, "-wal").exists():
        raise StoreError(
            f"{path} is missing, but {path.name}-wal exists: put it back, or move both away."
        )
    new = _beside(path, ".new")
    for ending in ("", "-journal"):
        _beside(new, ending).unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    db = connect(new, "rw")
    try:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    finally:
        db.close()
    _migrate(new)
    os.rename(new, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check(path: Path) -> str:
    """Return the revision of a database, after quick checks that it is ours and undamaged."""
    if not path.is_file():
        raise StoreError(f"{path} is not a file: move it away, or name another data folder.")
    size = path.stat().st_size
    if size == 0:
        raise StoreError(f"{path} is empty: restore a backup, or move it away to start empty.")
    _check_ours(path)
    # A log or a journal that was left is part of the database: SQLite has to recover it, and for
    # that it needs a connection that may write.
    settled = not any(_has_content(_beside(path, ending)) for ending in ("-wal", "-journal"))
    db = connect(path, "ro&immutable=1" if settled else "rw")
    try:
        return _check_whole(db, path, size if settled else None)
    finally:
        db.close()


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _check_ours(path: Path) -> None:
    """Check by its header that the file is a database of this program.

    SQLite could not tell without writing: after a crash the pages are inconsistent until it has
    recovered the journal, which it must not do to a file of another program.
    Source: SQLite Database File Format, section 1.3.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        raise StoreError(f"{path} is not a database: move it away, or name another data folder.")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreError(
            f"{path} belongs to another program: move it away, or name another data folder."
        )


def _check_whole(db: sqlite3.Connection, path: Path, size: int | None) -> str:
    """Return the revision, after checking that pages and schema can be read.

    Args:
        db: a connection to the database.
        path: its file, for messages.
        size: of the file in bytes; None while a log or a journal is not recovered.
    """
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    length = pages * db.execute("PRAGMA page_size").fetchone()[0]
    if size is not None and size < length:
        raise sqlite3.DatabaseError(f"{length - size} bytes are missing")
    if length <= _CHECKED_WHOLE:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(str(found).split()))
    revision = _revision(db)
    if revision not in REVISIONS:
        raise StoreError(
            f"{path} was written by a newer version (revision {revision}): install that version."
        )
    return revision


def _revision(db: sqlite3.Connection) -> str:
    """Return the revision of the schema, which Alembic keeps in a table of its own."""
    tables = "SELECT name FROM sqlite_schema WHERE name = 'alembic_version'"
    if db.execute(tables).fetchone() is None:
        raise sqlite3.DatabaseError("tables are missing")
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its revision is missing")
    return str(row[0])


def _migrate(path: Path) -> None:
    """Bring a database to the newest revision, in one transaction.

    Alembic is imported here: the import takes longer than all other steps of a start.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import Connection, NullPool, create_engine, event
    from sqlalchemy.exc import DBAPIError

    engine = create_engine("sqlite://", creator=lambda: connect(path, "rw"), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", "gtchat.store.sql:migrations")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise error.orig or error from error
