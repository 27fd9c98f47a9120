"""Connections to an SQLite file: how one is opened, and whether the file is still the same."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS

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


def configure_writer(db: sqlite3.Connection) -> None:
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


class FileReplaced(Exception):
    """The database file is not the one that was opened."""


class FileGuard:
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
            raise FileReplaced(
                "the database file was deleted or replaced: stop, put it back, start"
            )


class StoreError(Exception):
    """A store can't be opened or copied; the text is one line that says what to do."""


#: Up to this size, in bytes, every page of a file is checked at start.
_CHECKED_WHOLE = 8 * 1024 * 1024
_HEADER_BYTES = 100


def prepare(path: Path) -> None:
    """See that a database of the newest revision is at `path`, making or migrating it.

    Raises:
        StoreError: that can't be; the file was left as it is.
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
            f"{path} is damaged ({error}): restore a backup, or move it away to begin anew."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} can't be opened: {error.strerror}.") from error


def advice(error: sqlite3.Error) -> str:
    """SQLite's words, and what to do where that is known."""
    text = str(error)
    if "locked" in text:
        return f"{text}; stop the program that uses it"
    if "full" in text:
        return f"{text}; make room"
    return text


def _check_folder(path: Path) -> None:
    """The folder is there and can be written to, as can the file."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"The data folder {folder} is not there: create it, or name another one.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"The data folder {folder} can't be written to: change its permissions.")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} can't be read and written: change its owner or permissions.")


def _beside(path: Path, ending: str) -> Path:
    """The file that SQLite or we put beside a database."""
    return path.with_name(path.name + ending)


def _create(path: Path) -> None:
    """Make a new database under another name, then give it its own."""
    if _beside(path, "-wal").exists():
        raise StoreError(
            f"{path} is missing, but its {path.name}-wal is there: put it back, or move both away."
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
    """Make the names of a folder's files durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check(path: Path) -> str:
    """The revision of a database that is ours and whole as far as can be seen quickly."""
    if not path.is_file():
        raise StoreError(f"{path} is not a file: move it away, or name another data folder.")
    size = path.stat().st_size
    if size == 0:
        raise StoreError(f"{path} is empty: restore a backup, or move it away to begin anew.")
    _check_ours(path)
    # What a log or a journal holds belongs to it; SQLite sees to it when it may write.
    settled = not any(_has_content(_beside(path, ending)) for ending in ("-wal", "-journal"))
    db = connect(path, "ro&immutable=1" if settled else "rw")
    try:
        return _check_whole(db, path, size if settled else None)
    finally:
        db.close()


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _check_ours(path: Path) -> None:
    """The file is a database, and one of this program: its header says so.

    SQLite is not asked, since whoever dies while he writes leaves pages that do not fit together
    until SQLite may write, and then it would write to what may belong to somebody else.
    Source: Database File Format, section 1.3.
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
    """Pages are there and the schema can be read; its revision. size: of the file, in bytes,
    None where it is not settled yet."""
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
            f"{path} is of a newer version (revision {revision}): install that version."
        )
    return revision


def _revision(db: sqlite3.Connection) -> str:
    """The schema's revision, as Alembic keeps it."""
    tables = "SELECT name FROM sqlite_schema WHERE name = 'alembic_version'"
    if db.execute(tables).fetchone() is None:
        raise sqlite3.DatabaseError("tables are missing")
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its revision is missing")
    return str(row[0])


def _migrate(path: Path) -> None:
    """Bring a database from whatever revision it has, or none, to the newest, in one
    transaction. Imported here: Alembic takes longer to import than everything else to start."""
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
