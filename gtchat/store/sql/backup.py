"""Copying a database while it is in use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gtchat.store.sql.database import StoreError
from gtchat.store.sql.rooms import DELETE_EPOCH
from gtchat.store.sql.schema import APPLICATION_ID
from gtchat.store.sql.sqlite import connect, sync_file, sync_folder

#: Pages that are copied between two reports of progress.
_PAGES = 2048


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

    Yields another path, where an empty file is; what is written to it is the file then.

    Args:
        source: what is copied, for errors.
        target: the file, which must not exist.

    Raises:
        StoreError: it exists, or an error of SQLite or the system has ended the copy.
    """
    part = target.with_name(target.name + ".part")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{target} exists already: name another file.") from error
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror}.") from error
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        sync_file(part)
        os.replace(part, target)
        sync_folder(target.absolute().parent)
    except BaseException as error:
        target.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        if isinstance(error, (sqlite3.Error, OSError)):
            raise StoreError(f"{source} can't be copied to {target}: {error}.") from error
        raise


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
