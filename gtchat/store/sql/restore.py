"""Putting a copy of a database, or an export, in the place of a database; verifying either.

The copy is made whole beside the database: migrated, verified, on disk. Then one rename puts it in
place: a process that is killed at any moment leaves the database that was there, or the new one.
The database that was there stays beside it. A restored database begins a new epoch with its first
start, as clients may have been told more than it has.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from gtchat.store.sql.backup import backup
from gtchat.store.sql.database import StoreError
from gtchat.store.sql.opening import check_folder, find_revision, migrate, remove
from gtchat.store.sql.read_export import ExportFile, is_export
from gtchat.store.sql.schema import SQLITE_REVISIONS as REVISIONS
from gtchat.store.sql.sqlite import (
    advice,
    beside,
    connect,
    give_to_owner,
    sync_file,
    sync_folder,
)
from gtchat.store.sql.verify import Steps, Verified, no_steps, verify_file

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase

#: Makes a database of the newest revision in a file that does not exist.
Build = Callable[[Path, Steps], None]


@attrs.frozen
class Restored:
    """What was put in place.

    Attributes:
        verified: what the database has.
        kept: the database that was there; None for none.
    """

    verified: Verified
    kept: Path | None


def restore(source: Path, target: Path, steps: Steps = no_steps) -> Restored:
    """Put a copy of a database, as `backup` makes it, in the place of one that no server uses.

    Args:
        source: the copy, of any revision; it is not changed.
        target: the file of the database, which need not exist.
        steps: shows progress.

    Raises:
        StoreError: the copy cannot be used; nothing has changed.
        StoreTooNew: it is of a newer version; nothing has changed.
    """
    return put_in_place(source, copy_of(source), target, steps)


def put_in_place(source: Path, build: Build, target: Path, steps: Steps) -> Restored:
    """Build a database from a file and put it in the place of another one; see `restore`."""
    new = beside(target, ".restoring")
    with _errors(target):
        check_folder(target)
        remove(new)  # of a process that was killed
        try:
            build(new, steps)
            verified = verify_file(new, steps, source)
            return Restored(verified, _replace(new, target))
        finally:
            remove(new)


def verify_copy(source: Path, steps: Steps = no_steps) -> Verified:
    """Verify an export, or a database which may be of an older revision.

    A database is made of an export, or of a copy that is migrated, in a temporary folder.

    Raises:
        StoreError: see `verify`.
    """
    if is_export(source):
        return verify_built(source, ExportFile(source), steps)
    if find_revision(source) == REVISIONS[-1]:
        return verify_file(source, steps)
    return verify_built(source, copy_of(source), steps)


def verify_built(source: Path, build: Build, steps: Steps) -> Verified:
    """Build a database from a file in a temporary folder, and verify it."""
    with tempfile.TemporaryDirectory(prefix="gtchat-verify-") as folder:
        path = Path(folder, "gtchat.sqlite")
        with _errors(path):
            build(path, steps)
            return verify_file(path, steps, source)


def copy_of(source: Path) -> Build:
    """Return what copies a database and migrates the copy.

    Raises:
        StoreError: it cannot be used, or is of a newer version.
    """
    if is_export(source):
        raise StoreError(f"{source} is an export: gtchat import reads it.")
    revision = find_revision(source)

    def build(path: Path, steps: Steps) -> None:
        backup(source, path, steps("copying"))
        if revision != REVISIONS[-1]:
            steps("migrating")(0, 1)
            migrate(path)

    return build


def import_chat(
    source: Path, target: Path | PostgresDatabase, folder: Path, steps: Steps = no_steps
) -> Restored:
    """Read an export into a database that no server uses.

    Args:
        source: what `export` has written, of any revision.
        target: a file of SQLite, which is replaced as by `restore`; or an empty database of
            PostgreSQL.
        folder: where a file can be made meanwhile.
        steps: shows progress.

    Raises:
        StoreError: the export or the database cannot be used; nothing has changed.
        StoreTooNew: the export is of a newer version; nothing has changed.
    """
    build = ExportFile(source)
    if isinstance(target, Path):
        return put_in_place(source, build, target, steps)
    from gtchat.store.sql.migrate_store import migrate_store, require_empty

    try:
        require_empty(target)
    except target.errors as error:
        raise target.refused(error) from error
    path = folder / "import.sqlite"
    with _errors(path):
        remove(path)  # of a process that was killed
        try:
            build(path, steps)
            verified = verify_file(path, steps, source)
            migrate_store(path, target, steps("copying"))
            return Restored(verified, None)
        finally:
            remove(path)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Raise StoreError for an error of SQLite or of the system. path: what is written."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path} can't be written: {advice(error)}.") from error
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}.") from error


def _replace(new: Path, target: Path) -> Path | None:
    """Put a whole database in the place of another one; return where that one is now."""
    give_to_owner(new)
    sync_file(new)
    kept = None
    if target.exists():
        settle(target)
        kept = _keep(target)
    elif beside(target, "-wal").exists():
        raise StoreError(
            f"{target} is missing, but {target.name}-wal exists: put it back, or move both away."
        )
    os.rename(new, target)
    sync_folder(target.parent)
    return kept


def settle(path: Path) -> None:
    """Write the log of a database into its file, if it is not damaged.

    Raises:
        sqlite3.OperationalError: another program uses it, or the disk is full.
    """
    db = connect(path, "rw")
    try:
        db.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        pass  # no server can use it: it is kept as it is
    finally:
        db.close()


def _keep(path: Path) -> Path:
    """Give a database a second name, which stays when another file gets the first one."""
    for number in count(1):
        kept = beside(path, f".replaced-{number}")
        if not kept.exists():
            os.link(path, kept)
            break
        if kept.samefile(path):  # a process was killed before the rename
            break
    for ending in ("-wal", "-shm", "-journal"):  # of a damaged one: SQLite deletes them otherwise
        if beside(path, ending).exists():
            os.rename(beside(path, ending), beside(kept, ending))
    sync_folder(path.parent)
    return kept
