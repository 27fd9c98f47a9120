"""Opening a database: create it, check it, and migrate it, after a copy was made.

Nothing here knows a table other than Alembic's own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from twisted.logger import Logger

from gtchat.store.sql.backup import backup
from gtchat.store.sql.schema import APPLICATION_ID, REVISIONS
from gtchat.store.sql.sqlite import StoreError, advice, connect, sync_folder

#: Size of a database, in bytes, up to which every page is checked at start.
_CHECKED_WHOLE = 8 * 1024 * 1024
#: Size of the header of a database, in bytes.
_HEADER_BYTES = 100

_log = Logger()


def prepare(path: Path) -> None:
    """Create the database if there is none, and migrate it if it is of an older revision.

    Raises:
        StoreError: the database cannot be used; the file is unchanged.
    """
    try:
        _check_folder(path)
        if not path.exists():
            _create(path)
        revision = _check(path)
        if revision != REVISIONS[-1]:
            _copy_before_migration(path, revision)
            _migrate(path)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} can't be opened: {advice(error)}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is damaged ({error}): restore a backup, or move it away to start empty."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} can't be opened: {error.strerror}.") from error


def _copy_before_migration(path: Path, revision: str) -> None:
    """Copy a database beside itself before it is changed, as the old program can still use it.

    Raises:
        StoreError: there is too little space for the copy and for the migration.
    """
    size = sum(p.stat().st_size for p in (path, _beside(path, "-wal")) if p.exists())
    free = shutil.disk_usage(path.parent).free
    if free < 2 * size:
        raise StoreError(
            f"{path} has to be copied and migrated: {2 * size // 2**20 + 1} MiB must be free in "
            f"{path.parent}, and {free // 2**20} MiB are; free some space, or move it away."
        )
    copy = _beside(path, f".revision-{revision}")
    _log.info("copying {path} to {copy} before it is migrated", path=str(path), copy=str(copy))
    copy.unlink(missing_ok=True)  # left by a migration that was interrupted
    backup(path, copy)


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
