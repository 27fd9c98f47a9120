"""Opening a database: create it, check it, and migrate it, after a copy was made.

A new database has the tables of `schema` at once; tests compare them with what the migrations make.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from twisted.logger import Logger

from gtchat.store.sql import fts5
from gtchat.store.sql.backup import backup
from gtchat.store.sql.database import StoreDamaged, StoreError, StoreTooNew
from gtchat.store.sql.schema import APPLICATION_ID, metadata
from gtchat.store.sql.schema import SQLITE_REVISIONS as REVISIONS
from gtchat.store.sql.sqlite import advice, beside, connect, give_to_owner, sync_folder

#: Size of a database, in bytes, up to which every page is checked at start.
_CHECKED_WHOLE = 8 * 1024 * 1024
#: Size of the header of a database, in bytes.
_HEADER_BYTES = 100

#: Space that a migration needs, in sizes of the database: one for the copy, one for tables that are
#: built anew, and two for the write-ahead log, which gets these and the old ones as they are
#: overwritten. 4.03 were measured with a million messages.
_MIGRATION_SIZES = 5
#: Page cache of the connection that migrates, in KiB: entries of many rooms go all over an index.
_MIGRATION_CACHE_KIB = 65_536
#: What to do about a file that is there in place of a server's database, or about a damaged one.
_MOVE_AWAY = "move it away, or name another data folder"
_START_EMPTY = ": restore a backup, or move it away to start empty"

_log = Logger()


@attrs.define
class Progress:
    """Logs how far a long step is, at most once a second, and not within its first second.

    Args:
        log: gets the lines.
        text: a line with `{done}` and `{total}`.
        seconds: returns monotonic seconds.
    """

    _log: Logger
    _text: str
    _seconds: Callable[[], float] = time.monotonic
    _reported: float = attrs.field(init=False)

    @_reported.default
    def _begun(self) -> float:
        return self._seconds()

    def __call__(self, done: int, total: int) -> None:
        """Take note that `done` of `total` parts are done."""
        now = self._seconds()
        if now - self._reported >= 1.0:
            self._reported = now
            self._log.info(self._text, done=f"{done:,}", total=f"{total:,}")


def prepare(path: Path) -> None:
    """Create the database if there is none, and migrate it if it is of an older revision.

    Raises:
        StoreError: the database cannot be used; the file is unchanged.
    """
    with _one_line(path):
        check_folder(path)
        if not path.exists():
            _create(path)
        revision = _check(path)
        if revision != REVISIONS[-1]:
            _copy_and_migrate(path, revision)


def require_newest(path: Path) -> None:
    """Check a database that is only read.

    Raises:
        StoreError: it cannot be used, or is of an older revision.
    """
    with _one_line(path):
        revision = _check(path)
    if revision != REVISIONS[-1]:
        raise StoreError(
            f"{path} is of an older version (revision {revision}): start the server with it once,"
            " which migrates it."
        )


def find_revision(path: Path) -> str:
    """Return the revision of a database that is only read, a copy or one that may be in use.

    Raises:
        StoreError: it cannot be used.
        StoreTooNew: it is of a newer version.
    """
    with _one_line(path, ""):
        _check_ours(path, "name a database of GTChat, such as gtchat backup makes")
        with closing(connect(path, "ro")) as db:
            return _check_whole(db, path, None)


@contextmanager
def _one_line(path: Path, if_damaged: str = _START_EMPTY) -> Iterator[None]:
    """Raise StoreError for an error of SQLite or of the system. if_damaged: what to do then."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} can't be opened: {advice(error)}.") from error
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{path} is damaged ({error}){if_damaged}.") from error
    except OSError as error:
        raise StoreError(f"{path} can't be opened: {error.strerror}.") from error


def _copy_and_migrate(path: Path, revision: str) -> None:
    """Copy a database beside itself, as the old program can still use it, and migrate it.

    Raises:
        StoreError: there is too little space for the copy and for the migration.
    """
    copy = beside(path, f".revision-{revision}")
    for left in (copy, beside(copy, ".part")):  # by a migration that was interrupted
        left.unlink(missing_ok=True)
    _check_space(path)
    _log.info("copying {path} to {copy} before it is migrated", path=str(path), copy=str(copy))
    backup(path, copy, Progress(_log, "copying: {done} of {total} pages"))
    _log.info("migrating {path} to revision {new}", path=str(path), new=REVISIONS[-1])
    migrate(path)


def _check_space(path: Path) -> None:
    """Raise StoreError if there is too little space for a copy and a migration of a database."""
    size = sum(p.stat().st_size for p in (path, beside(path, "-wal")) if p.exists())
    needed = _MIGRATION_SIZES * size
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreError(
            f"{path} has to be copied and migrated: {needed // 2**20 + 1} MiB must be free in "
            f"{path.parent}, and {free // 2**20} MiB are; free some space, or move it away."
        )


def check_folder(path: Path) -> None:
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


def _create(path: Path) -> None:
    """Create a database under a temporary name, then rename it, so that it is there whole."""
    if beside(path, "-wal").exists():
        raise StoreError(
            f"{path} is missing, but {path.name}-wal exists: put it back, or move both away."
        )
    new = beside(path, ".new")
    remove(new)
    create(new)
    give_to_owner(new)
    os.rename(new, path)
    sync_folder(path.parent)


def create(path: Path, revision: str = REVISIONS[-1]) -> None:
    """Create a database that is in no use.

    Args:
        path: the file, which does not exist.
        revision: that of its tables.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(connect(path, "rw")) as db:
        # Free pages are given back in slices; this is settled by what is written first.
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        if revision == REVISIONS[-1]:
            _create_tables(db)
    if revision != REVISIONS[-1]:
        migrate(path, revision)


def _create_tables(db: sqlite3.Connection) -> None:
    """Create what all migrations make one after the other: they would take Alembic, 8 MB more."""
    dialect = sqlite.dialect()
    db.execute("BEGIN IMMEDIATE")
    for table in metadata.sorted_tables:
        db.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            db.execute(str(CreateIndex(index).compile(dialect=dialect)))
    db.execute(fts5.CREATE)
    db.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    db.execute("INSERT INTO alembic_version VALUES (?)", (REVISIONS[-1],))
    db.execute("COMMIT")


def remove(path: Path) -> None:
    """Delete what is left of a database that was not finished."""
    for ending in ("", "-journal"):
        beside(path, ending).unlink(missing_ok=True)


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
    settled = not any(_has_content(beside(path, ending)) for ending in ("-wal", "-journal"))
    db = connect(path, "ro&immutable=1" if settled else "rw")
    try:
        return _check_whole(db, path, size if settled else None)
    finally:
        db.close()


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _check_ours(path: Path, otherwise: str = _MOVE_AWAY) -> None:
    """Check by its header that the file is a database of this program. otherwise: what to do then.

    SQLite could not tell without writing: after a crash the pages are inconsistent until it has
    recovered the journal, which it must not do to a file of another program.
    Source: SQLite Database File Format, section 1.3.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\0"):
        raise StoreError(f"{path} is not a database: {otherwise}.")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreError(f"{path} belongs to another program: {otherwise}.")


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
        raise StoreTooNew(
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


def migrate(path: Path, revision: str = REVISIONS[-1]) -> None:
    """Bring a database to a newer revision, in one transaction.

    Alembic is imported here: the import takes longer than all other steps of a start.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import Connection, NullPool, create_engine, event
    from sqlalchemy.exc import DBAPIError

    engine = create_engine("sqlite://", creator=lambda: connect(path, "rw"), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Messages must not be left in pages of the old tables: nothing would delete them there.
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_MIGRATION_CACHE_KIB}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", "gtchat.store.sql:migrations")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            config.attributes["progress"] = Progress(_log, "migrating: {done} of {total} entries")
            command.upgrade(config, revision)
    except DBAPIError as error:
        raise error.orig or error from error
