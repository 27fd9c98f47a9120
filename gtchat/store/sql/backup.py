"""Copying a database while it is in use."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gtchat.store.sql.database import StoreError
from gtchat.store.sql.rooms import DELETE_EPOCH
from gtchat.store.sql.schema import APPLICATION_ID
from gtchat.store.sql.sqlite import beside, connect, sync_file, sync_folder

#: Pages that are copied between two reports of progress.
_PAGES = 2048
#: Errors of a lock on a file system that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def backup(source: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Copy a database, which may be in use, as of one moment.

    The copy is on disk when this returns. The first start on it begins a new epoch, so that clients
    load their rooms again: the logs of copy and original may differ from there on.

    Args:
        source: the database.
        target: the copy; the file must not exist.
        progress: called repeatedly with the number of copied pages and of all pages.

    Raises:
        StoreError: the copy failed; no file is left.
    """
    with new_file(source, target) as part:
        _copy(source, part, progress)


@contextmanager
def new_file(source: object, target: Path) -> Iterator[Path]:
    """Let a file be written which only its owner can read, and which is there whole or not at all.

    Yields another path, where an empty file is; what is written to it is the file then. Meanwhile
    the file is there, empty and locked. Empty and not locked it is what a killed program has left:
    then it is taken over, with what is beside it.

    Args:
        source: what is copied, for errors.
        target: the file, which must not exist.

    Raises:
        StoreError: it exists, or is being written, or an error of SQLite or the system has ended
            the copy.
    """
    part = beside(target, ".part")
    with _claimed(target):
        try:
            _delete(part)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield part
            sync_file(part)
            os.replace(part, target)
            sync_folder(target.absolute().parent)
        except BaseException as error:
            with suppress(OSError):  # of a folder that is no longer there
                _delete(part)
                target.unlink(missing_ok=True)
            if isinstance(error, (sqlite3.Error, OSError)):
                raise StoreError(f"{source} can't be copied to {target}: {error}.") from error
            raise


def _delete(part: Path) -> None:
    """Delete a file that is not complete, and what SQLite has made beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        beside(part, ending).unlink(missing_ok=True)


@contextmanager
def _claimed(target: Path) -> Iterator[None]:
    """Make an empty file, or take over one, and keep it locked. Raises StoreError."""
    is_new = True
    try:
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        handle, is_new = _open_empty(target, error), False
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror}.") from error
    try:
        _lock(handle, target, is_new)
        yield
    finally:
        os.close(handle)


def _open_empty(target: Path, error: OSError) -> int:
    """Open a file that is empty. Raises StoreError. error: says that it exists."""
    with suppress(OSError):
        found = target.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size == 0:
            return os.open(target, os.O_WRONLY | os.O_NOFOLLOW)
    raise StoreError(f"{target} exists already: name another file.") from error


def _lock(handle: int, target: Path, is_new: bool) -> None:
    """Lock an empty file, if it still has its name and is empty. Raises StoreError.

    One that is new is used without a lock where the file system has none, as some network drives.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(handle)
        is_ours = os.path.samestat(found, target.lstat()) and found.st_size == 0
    except (BlockingIOError, FileNotFoundError):
        is_ours = False
    except OSError as error:
        if is_new and error.errno in _NO_LOCKS:
            return
        raise StoreError(f"{target} can't be locked: {error.strerror}.") from error
    if not is_ours:
        raise StoreError(f"{target} is being written by another program: name another file.")


def _copy(source: Path, part: Path, progress: Callable[[int, int], None] | None) -> None:
    """Copy the pages of a database, and delete the epoch of the copy."""
    with closing(connect(source, "ro")) as old, closing(connect(part, "rw")) as new:
        if old.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{source} is not a GTChat database: name the server's database.")
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM meta").fetchone()  # the transaction begins with a read

        def report(status: int, remaining: int, total: int) -> None:
            if progress is not None:
                progress(total - remaining, total)

        old.backup(new, pages=_PAGES, progress=report)
        new.execute("PRAGMA journal_mode = DELETE")
        new.execute("PRAGMA synchronous = FULL")
        DELETE_EPOCH(new)
